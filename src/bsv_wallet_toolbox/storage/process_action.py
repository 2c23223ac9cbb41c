"""processAction in storage: a transaction that was signed elsewhere is checked against the proposal and committed."""

from __future__ import annotations

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_BAD_REQUEST, WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus
from bsv_wallet_toolbox.interfaces.storage import ProcessActionArgs
from bsv_wallet_toolbox.storage.create_action import signed_output_columns
from bsv_wallet_toolbox.storage.notes import note
from bsv_wallet_toolbox.storage.reqs import find_req, insert_req, status_beside
from bsv_wallet_toolbox.storage.state_machines import check_transaction
from bsv_wallet_toolbox.storage.statements import actions as statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.transactions import find_by_id, move_transaction
from bsv_wallet_toolbox.storage.users import UserScope
from bsv_wallet_toolbox.transactions.tx import TransactionView, parse_transaction

__all__ = ["commit_signed", "is_final", "parse_signed"]

_LOCK_TIME_IS_A_DATE = 500_000_000


def parse_signed(args: ProcessActionArgs) -> TransactionView:
    """The transaction of the arguments, if its hash is the txid that goes with it."""
    try:
        view = parse_transaction(args.raw_tx)
    except WERR_INVALID_PARAMETER:
        raise WERR_INVALID_OPERATION("Parsing serialized transaction failed.") from None
    if view.txid != args.txid:
        raise WERR_INVALID_OPERATION("Hash of serialized transaction doesn't match expected txid")
    return view


def is_final(view: TransactionView, height: int, now: int) -> bool:
    """Whether the next block may hold the transaction; ``now`` in milliseconds, ``height`` that of the tip."""
    if view.is_final_by_sequence:
        return True
    if view.lock_time >= _LOCK_TIME_IS_A_DATE:
        return view.lock_time < now // 1000
    return view.lock_time < height


def commit_signed(
    tx: Transaction,
    scope: UserScope,
    args: ProcessActionArgs,
    view: TransactionView,
    max_output_script: int,
    claimed_by: str | None,
) -> bool:
    """The second commit of a two-commit action: outputs get their txid, the req its bytes.

    Answers whether it is still to be sent: another user of the store may have brought it to the network before.
    """
    row = tx.one(statements.FIND_BY_REFERENCE, user_id=scope.user_id, reference=args.reference)
    if row is None:
        raise WERR_BAD_REQUEST("Result must exist and be unique.")
    transaction_id, _, status, _, _, _, is_outgoing, input_beef, lock_time, version = row
    if not is_outgoing:
        raise WERR_INVALID_OPERATION("isOutgoing is not true")
    if input_beef is None:
        raise WERR_INVALID_OPERATION
    if status not in (TransactionStatus.UNSIGNED, TransactionStatus.UNPROCESSED):
        raise WERR_INVALID_OPERATION(f"invalid transaction status {status}")
    if (view.lock_time, view.version) != (lock_time or 0, 1 if version is None else version):
        raise WERR_INVALID_OPERATION("The signed transaction has another version or lock time than the action.")
    _check_inputs(tx, scope, transaction_id, view)
    _sign_outputs(tx, scope, transaction_id, view, max_output_script)
    check_transaction(TransactionStatus(status), TransactionStatus.SENDING)
    tx.execute(
        statements.SET_SIGNED,
        transaction_id=transaction_id,
        old=status,
        new=TransactionStatus.SENDING.value,
        signed_txid=view.txid,
        now=iso(tx.now()),
    )
    note(
        tx,
        "transactionStatus",
        txid=view.txid,
        transaction_id=transaction_id,
        status_was=status,
        status_now=TransactionStatus.SENDING.value,
    )
    known = find_req(tx, view.txid)
    insert_req(tx, view.txid, view.raw, input_beef, transaction_id, claimed_by=claimed_by)
    joined, proven_tx_id = status_beside(known)
    move_transaction(tx, find_by_id(tx, transaction_id), joined, proven_tx_id=proven_tx_id)
    return joined is TransactionStatus.SENDING


def _check_inputs(tx: Transaction, scope: UserScope, transaction_id: int, view: TransactionView) -> None:
    """What is spent must be what the proposal reserved: less would stay reserved for ever, more be spent unseen."""
    signed = {(each.txid, each.vout) for each in view.inputs}
    reserved = set(tx.rows(statements.INPUTS_OF, transaction_id=transaction_id, user_id=scope.user_id))
    if reserved != signed:
        raise WERR_INVALID_OPERATION("The signed transaction does not spend exactly the inputs of the action.")


def _sign_outputs(
    tx: Transaction, scope: UserScope, transaction_id: int, view: TransactionView, max_output_script: int
) -> None:
    rows = tx.rows(statements.OUTPUTS_OF, transaction_id=transaction_id, user_id=scope.user_id)
    if len(rows) != view.output_count:
        raise WERR_INVALID_OPERATION("The signed transaction has not the outputs of the action.")
    for output_id, vout, satoshis, locking_script, *_ in rows:
        output = view.outputs[vout]
        if locking_script is not None and locking_script != output.locking_script:
            raise WERR_INVALID_OPERATION(
                f"rawTx output locking script for vout {vout} not equal to expected output script."
            )
        if satoshis != output.satoshis:
            raise WERR_INVALID_OPERATION(f"rawTx output satoshis for vout {vout} not equal to the action's.")
        tx.execute(
            statements.SET_OUTPUT_SIGNED,
            output_id=output_id,
            signed_txid=view.txid,
            spendable=1,
            now=iso(tx.now()),
            **signed_output_columns(output, max_output_script),
        )
