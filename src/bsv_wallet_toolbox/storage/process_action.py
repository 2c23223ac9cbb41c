"""processAction in storage: a transaction that was signed elsewhere is checked against the proposal and committed.

The signed transaction may come back as an incoming one first, with internalizeAction. It is the same action then, and
is committed by the same steps: a second row of one txid would hold every coin twice.
"""

from __future__ import annotations

from bsv_wallet_toolbox.database.transaction import Row, Transaction
from bsv_wallet_toolbox.errors import WERR_BAD_REQUEST, WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.events import EventKind
from bsv_wallet_toolbox.interfaces.proofs import Incoming
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.interfaces.storage import OutputPurpose, ProcessActionArgs
from bsv_wallet_toolbox.storage.ancestry import EMPTY_BEEF
from bsv_wallet_toolbox.storage.insert_action import signed_output_columns
from bsv_wallet_toolbox.storage.notes import note
from bsv_wallet_toolbox.storage.proofs import record_proof
from bsv_wallet_toolbox.storage.reqs import failed_before, find_req, insert_req, status_beside
from bsv_wallet_toolbox.storage.state_machines import check_transaction
from bsv_wallet_toolbox.storage.statements import actions as statements
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.transactions import (
    ProposedAction,
    TransactionRow,
    announce,
    find_by_id,
    find_by_txid,
    find_proposed,
    move_transaction,
)
from bsv_wallet_toolbox.storage.users import UserScope
from bsv_wallet_toolbox.transactions.tx import TransactionView, parse_transaction

__all__ = ["commit_internalized", "commit_signed", "is_final", "parse_signed"]

_LOCK_TIME_IS_A_DATE = 500_000_000
_UNSIGNED = (TransactionStatus.UNSIGNED, TransactionStatus.UNPROCESSED)
_INTERNALIZED = (TransactionStatus.SENDING, TransactionStatus.UNPROVEN, TransactionStatus.COMPLETED)
"""What an action has become that was signed at home and came back as an incoming transaction."""


def parse_signed(args: ProcessActionArgs) -> TransactionView:
    """The transaction of the arguments, if its hash is the txid that goes with it."""
    try:
        view = parse_transaction(args.raw_tx)
    except WERR_INVALID_PARAMETER:
        raise WERR_INVALID_OPERATION("Parsing serialized transaction failed.") from None
    if view.txid != args.txid:
        raise WERR_INVALID_OPERATION("Hash of serialized transaction doesn't match expected txid")
    return view


def is_final(lock_time: int, height: int, now: int) -> bool:
    """Whether the next block may hold a transaction that its sequence numbers do not make final.

    ``height`` is that of the tip, ``now`` in milliseconds.
    """
    if lock_time >= _LOCK_TIME_IS_A_DATE:
        return lock_time < now // 1000
    return lock_time < height


def commit_signed(
    tx: Transaction,
    scope: UserScope,
    args: ProcessActionArgs,
    view: TransactionView,
    max_output_script: int,
) -> None:
    """The second commit of a two-commit action: outputs get their txid, the req its bytes.

    One that was taken in as an incoming transaction meanwhile has them already.
    """
    action = find_proposed(tx, scope, args.reference)
    if action is None:
        raise WERR_BAD_REQUEST("Result must exist and be unique.")
    row = action.row
    if not row.is_outgoing:
        raise WERR_INVALID_OPERATION("isOutgoing is not true")
    if action.input_beef is None:
        raise WERR_INVALID_OPERATION
    if row.txid != view.txid or row.status not in _INTERNALIZED:
        if row.status not in _UNSIGNED:
            raise WERR_INVALID_OPERATION(f"invalid transaction status {row.status}")
        outputs = tx.rows(statements.OUTPUTS_OF, transaction_id=row.transaction_id, user_id=scope.user_id)
        difference = _difference(tx, scope, action, outputs, view)
        if difference is not None:
            raise WERR_INVALID_OPERATION(difference)
        if find_by_txid(tx, scope, view.txid) is not None:
            raise failed_before(view.txid)
        _commit(tx, action, outputs, view, max_output_script, None, is_no_send=args.is_no_send)
    tx.execute(statements.SET_PROCESSED, transaction_id=row.transaction_id, now=iso(tx.now()))


def commit_internalized(
    tx: Transaction, scope: UserScope, incoming: Incoming, max_output_script: int, claimed_by: str | None
) -> TransactionRow | None:
    """Commit the user's unsigned action of which an incoming transaction is the signed form; None if there is none.

    Its processAction may still come. It finds the proposal's ``inputBEEF`` in place, and then answers as ever.
    """
    view = incoming.view
    action = _reserving(tx, scope, view)
    if action is None:
        return None
    outputs = tx.rows(statements.OUTPUTS_OF, transaction_id=action.row.transaction_id, user_id=scope.user_id)
    if _difference(tx, scope, action, outputs, view) is not None:
        return None
    if incoming.proof is not None:
        record_proof(tx, incoming.proof)  # a req that another user believes lost comes back
    _commit(tx, action, outputs, view, max_output_script, claimed_by)
    return find_by_id(tx, action.row.transaction_id)


def _reserving(tx: Transaction, scope: UserScope, view: TransactionView) -> ProposedAction | None:
    """The unsigned action of the user that has an input of the transaction put aside."""
    for each in view.inputs:
        for spent_by in _spenders(tx, scope, each.txid, each.vout):
            spender = find_by_id(tx, spent_by)
            if spender.txid is None and spender.status in _UNSIGNED:
                return find_proposed(tx, scope, spender.reference)
    return None


def _spenders(tx: Transaction, scope: UserScope, txid: str, vout: int) -> list[int]:
    """Transactions of the user that spend an output, by its row or by the note of an outpoint without one."""
    rows = tx.rows(coin_statements.OUTPUTS_BY_OUTPOINT, txid=txid, vout=vout)
    by_row = [spent_by for _, owner, _, spent_by, *_ in rows if owner == scope.user_id and spent_by is not None]
    noted = tx.rows(coin_statements.FIND_SPENDS, txid=txid, user_id=scope.user_id)
    return by_row + [transaction_id for at, transaction_id, _ in noted if at == vout]


def _commit(
    tx: Transaction,
    action: ProposedAction,
    outputs: list[Row],
    view: TransactionView,
    max_output_script: int,
    claimed_by: str | None,
    *,
    is_no_send: bool = False,
) -> None:
    """The action is signed from now on; its status goes with what the store knows of its txid already."""
    _sign_outputs(tx, outputs, view, max_output_script)
    known = find_req(tx, view.txid)
    is_held_back = is_no_send and (known is None or known.status is ProvenTxReqStatus.NOSEND)
    new = TransactionStatus.NOSEND if is_held_back else TransactionStatus.SENDING
    check_transaction(action.row.status, new)
    tx.execute(
        statements.SET_SIGNED,
        transaction_id=action.row.transaction_id,
        old=action.row.status.value,
        new=new.value,
        signed_txid=view.txid,
        now=iso(tx.now()),
    )
    note(
        tx,
        "transactionStatus",
        txid=view.txid,
        transaction_id=action.row.transaction_id,
        status_was=action.row.status.value,
        status_now=new.value,
    )
    tx.execute(statements.DELETE_PENDING, transaction_id=action.row.transaction_id)
    insert_req(
        tx,
        view.txid,
        view.raw,
        action.input_beef or EMPTY_BEEF,
        action.row.transaction_id,
        claimed_by=claimed_by,
        status=ProvenTxReqStatus.NOSEND if is_held_back else ProvenTxReqStatus.UNSENT,
    )
    row = find_by_id(tx, action.row.transaction_id)
    joined, proven_tx_id = (new, None) if is_held_back else status_beside(known)
    move_transaction(tx, row, joined, proven_tx_id=proven_tx_id)
    announce(tx, EventKind.CREATED, row, "signed", status=joined)


def _difference(
    tx: Transaction, scope: UserScope, action: ProposedAction, outputs: list[Row], view: TransactionView
) -> str | None:
    """In what a signed transaction is not the one that was proposed; None when it is.

    What is spent must be what the proposal reserved: less would stay reserved for ever, more be spent unseen.
    """
    if (view.lock_time, view.version) != (action.lock_time, action.version):
        return "The signed transaction has another version or lock time than the action."
    signed = {(each.txid, each.vout) for each in view.inputs}
    own = set(tx.rows(statements.INPUTS_OF, transaction_id=action.row.transaction_id, user_id=scope.user_id))
    foreign = signed - own
    if own - signed or not all(_is_reserved(tx, scope, action, outpoint) for outpoint in foreign):
        return "The signed transaction does not spend exactly the inputs of the action."
    if len(outputs) != view.output_count:
        return "The signed transaction has not the outputs of the action."
    for _, vout, satoshis, locking_script, *_ in outputs:
        output = view.outputs[vout]
        if locking_script is not None and locking_script != output.locking_script:
            return f"rawTx output locking script for vout {vout} not equal to expected output script."
        if satoshis != output.satoshis:
            return f"rawTx output satoshis for vout {vout} not equal to the action's."
    return None


def _is_reserved(tx: Transaction, scope: UserScope, action: ProposedAction, outpoint: tuple[str, int]) -> bool:
    """Whether the action named this input, an output that the wallet has no row of."""
    txid, vout = outpoint
    where = {"user_id": scope.user_id, "transaction_id": action.row.transaction_id}
    return tx.one(coin_statements.IS_RESERVED, txid=txid, vout=vout, **where) is not None


def _sign_outputs(tx: Transaction, outputs: list[Row], view: TransactionView, max_output_script: int) -> None:
    for output_id, vout, _, _, purpose, *_ in outputs:
        tx.execute(
            statements.SET_OUTPUT_SIGNED,
            output_id=output_id,
            signed_txid=view.txid,
            spendable=int(purpose != OutputPurpose.COMMISSION),
            now=iso(tx.now()),
            **signed_output_columns(view.outputs[vout], max_output_script),
        )
