"""createAction in storage, the writing half: the action's rows, its coins and inputs claimed, labels and tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INTERNAL
from bsv_wallet_toolbox.interfaces.events import EventKind, WalletEvent
from bsv_wallet_toolbox.interfaces.prepared import PreparedAction
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.interfaces.storage import ActionOutput, OutputPurpose
from bsv_wallet_toolbox.storage.action_inputs import claim_inputs
from bsv_wallet_toolbox.storage.coins import claim_coins
from bsv_wallet_toolbox.storage.create_action import ActionPolicy, PlannedAction
from bsv_wallet_toolbox.storage.names import label_transaction, tag_outputs
from bsv_wallet_toolbox.storage.reqs import failed_before, find_req, status_beside
from bsv_wallet_toolbox.storage.statements import actions as statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.transactions import find_by_txid
from bsv_wallet_toolbox.storage.users import UserScope, find_or_insert_baskets
from bsv_wallet_toolbox.transactions.tx import OutputView, TransactionView

__all__ = ["insert_signed", "insert_unsigned", "signed_output_columns"]


def insert_unsigned(
    tx: Transaction,
    scope: UserScope,
    args: ValidCreateAction,
    planned: PlannedAction,
    policy: ActionPolicy,
    originator: str,
    prepared: PreparedAction | None = None,
) -> int:
    """First commit of a two-commit action: coins reserved, outputs known, nothing signed; the transaction id.

    One that a person may still sign lives longer than what a remote one-step call left behind. Where the transaction
    is ``prepared`` here, the scripts of its change are known too: what comes back signed must have them.
    """
    row = _transaction_row(scope, args, planned, tx.now())
    row |= {"status": TransactionStatus.UNSIGNED, "proven_tx_id": None}
    row |= {"txid": None, "input_beef": planned.inputs.outside_bytes()}
    lifetime = policy.signable_lifetime if args.is_sign_action else policy.unsigned_lifetime
    abandon_at = iso(tx.now() + lifetime)

    def columns(output: ActionOutput) -> dict[str, Any]:
        script = output.locking_script or (prepared and prepared.outputs[output.vout].locking_script)
        return {"txid": None, "script_length": None, "script_offset": None, "locking_script": script or None}

    return _insert(tx, scope, args, planned, row, abandon_at, originator, columns)


def insert_signed(
    tx: Transaction,
    scope: UserScope,
    args: ValidCreateAction,
    planned: PlannedAction,
    policy: ActionPolicy,
    originator: str,
    signed: TransactionView,
) -> int:
    """The one commit of a local action: signed, its coins spent (its req comes beside), on its way or held back."""
    status, proven_tx_id = _status_of_signed(tx, scope, args, planned, signed.txid)
    row = _transaction_row(scope, args, planned, tx.now())
    row |= {"status": status, "proven_tx_id": proven_tx_id, "txid": signed.txid, "input_beef": None}
    views = signed.outputs
    if len(views) != len(planned.proposal.outputs):
        raise WERR_INTERNAL("The signed transaction has not the outputs that were proposed.")

    def columns(output: ActionOutput) -> dict[str, Any]:
        return {"txid": signed.txid} | signed_output_columns(views[output.vout], policy.max_output_script)

    return _insert(tx, scope, args, planned, row, None, originator, columns)


def _status_of_signed(
    tx: Transaction, scope: UserScope, args: ValidCreateAction, planned: PlannedAction, txid: str
) -> tuple[TransactionStatus, int | None]:
    """Status and proof. Only a transaction without change, in which nothing is random, may be known here already.

    WERR_INVALID_OPERATION for one that can't be mined, or that this user had before and that came to nothing.
    """
    new = TransactionStatus.NOSEND if args.is_no_send else TransactionStatus.SENDING
    if planned.proposal.change_vouts:
        return new, None
    known = find_req(tx, txid)
    if known is None:
        return new, None
    ended = known.status in (ProvenTxReqStatus.INVALID, ProvenTxReqStatus.DOUBLE_SPEND)
    if ended or find_by_txid(tx, scope, txid) is not None:
        raise failed_before(txid)
    if known.status is ProvenTxReqStatus.NOSEND:
        return new, None
    return status_beside(known)


def signed_output_columns(view: OutputView, max_output_script: int) -> dict[str, Any]:
    """Where the script stands in the raw transaction, and the script itself unless it is long."""
    long = view.script_length > max_output_script
    return {
        "script_length": view.script_length,
        "script_offset": view.script_offset,
        "locking_script": None if long else view.locking_script,
    }


def _transaction_row(scope: UserScope, args: ValidCreateAction, planned: PlannedAction, now: int) -> dict[str, Any]:
    return {
        "now": iso(now),
        "user_id": scope.user_id,
        "reference": planned.proposal.reference,
        "is_outgoing": 1,
        "satoshis": planned.proposal.satoshis,
        "version": args.version,
        "lock_time": args.lock_time,
        "description": args.description,
    }


def _insert(
    tx: Transaction,
    scope: UserScope,
    args: ValidCreateAction,
    planned: PlannedAction,
    row: dict[str, Any],
    abandon_at: str | None,
    originator: str,
    script_columns: Callable[[ActionOutput], dict[str, Any]],
) -> int:
    transaction_id = tx.insert(statements.INSERT_TRANSACTION, **row)
    claim_inputs(tx, scope, planned.inputs.inputs, transaction_id)
    claim_coins(tx, planned.coins, transaction_id)
    label_transaction(tx, scope, transaction_id, args.labels)
    baskets = find_or_insert_baskets(tx, scope, (o.basket for o in args.outputs if o.basket is not None))
    tx.insert_many(
        statements.INSERT_OUTPUT,
        list(_output_rows(scope, args, planned, transaction_id, baskets, iso(tx.now()), script_columns)),
    )
    _tag(tx, scope, args, transaction_id)
    _insert_commission(tx, scope, planned, transaction_id)
    tx.execute(
        statements.INSERT_ACTION,
        transaction_id=transaction_id,
        fee=planned.proposal.fee,
        fee_rate=planned.fee_rate,
        originator=originator,
        abandon_at=abandon_at,
    )
    tx.announce(_created(row, transaction_id, tx.now()))
    return transaction_id


def _created(row: dict[str, Any], transaction_id: int, now: int) -> WalletEvent:
    return WalletEvent(
        EventKind.CREATED,
        row["user_id"],
        transaction_id,
        row["reference"],
        row["txid"],
        row["status"],
        row["satoshis"],
        now,
        "to be signed" if row["txid"] is None else "signed",
    )


def _output_rows(
    scope: UserScope,
    args: ValidCreateAction,
    planned: PlannedAction,
    transaction_id: int,
    baskets: dict[str, int],
    now: str,
    script_columns: Callable[[ActionOutput], dict[str, Any]],
) -> Iterable[dict[str, Any]]:
    for index, output in enumerate(planned.proposal.outputs):
        is_change = output.purpose is OutputPurpose.CHANGE
        requested = args.outputs[index] if index < len(args.outputs) else None
        basket_id = planned.basket.basket_id if is_change else None
        if requested is not None and requested.basket is not None:
            basket_id = baskets.get(requested.basket)
        yield {
            "now": now,
            "user_id": scope.user_id,
            "transaction_id": transaction_id,
            "basket_id": basket_id,
            "spendable": int(output.purpose is not OutputPurpose.COMMISSION),
            "spent_by": None,
            "change": int(is_change),
            "vout": output.vout,
            "satoshis": output.satoshis,
            "provided_by": output.provided_by.value,
            "purpose": output.purpose.value,
            "type": "P2PKH" if is_change else "custom",
            "output_description": requested.output_description if requested else "",
            "sender_identity_key": None,
            "derivation_prefix": planned.proposal.derivation_prefix if is_change else None,
            "derivation_suffix": output.derivation_suffix,
            "custom_instructions": requested.custom_instructions if requested else None,
            **script_columns(output),
        }


def _insert_commission(tx: Transaction, scope: UserScope, planned: PlannedAction, transaction_id: int) -> None:
    """What the operator of the store needs to redeem the service charge."""
    if planned.charge is None:
        return
    tx.execute(
        statements.INSERT_COMMISSION,
        user_id=scope.user_id,
        transaction_id=transaction_id,
        satoshis=planned.charge.satoshis,
        key_offset=planned.charge.lock.key_offset,
        locking_script=planned.charge.lock.script,
        now=iso(tx.now()),
    )


def _tag(tx: Transaction, scope: UserScope, args: ValidCreateAction, transaction_id: int) -> None:
    if not any(output.tags for output in args.outputs):
        return
    rows = tx.rows(statements.OUTPUTS_OF, transaction_id=transaction_id, user_id=scope.user_id)
    requested = [output_id for output_id, *_ in rows][: len(args.outputs)]
    tag_outputs(tx, scope, {id_: output.tags for id_, output in zip(requested, args.outputs, strict=True)})
