"""Actions that wait for signAction, and actions that are given up (abortAction)."""

from __future__ import annotations

from dataclasses import dataclass

from bsv_wallet_toolbox.brc100.create_action import ValidCreateActionOptions
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.prepared import PreparedAction
from bsv_wallet_toolbox.interfaces.services import UtxoStatus
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.storage.notes import EvidenceKind, note, record_evidence
from bsv_wallet_toolbox.storage.reqs import find_req, move_req, schedule
from bsv_wallet_toolbox.storage.statements import actions as statements
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.transactions import (
    TransactionRow,
    UtxoEvidence,
    fail_transaction,
    fail_unsigned,
    find_by_id,
    find_by_reference,
    find_by_txid,
    transactions_of,
)
from bsv_wallet_toolbox.storage.users import UserScope

__all__ = [
    "PendingAction",
    "abort_held_back",
    "abort_unsigned",
    "find_abortable",
    "find_pending",
    "insert_pending",
    "not_abortable",
]

_TXID_LENGTH = 64
_UNSIGNED = (TransactionStatus.UNSIGNED, TransactionStatus.UNPROCESSED)
_SOURCE = "abortAction"
_NOT_OUT_YET = frozenset({TransactionStatus.NOSEND.value, TransactionStatus.SENDING.value})
_LIVING = frozenset(TransactionStatus) - {TransactionStatus.FAILED, TransactionStatus.UNFAIL}


@dataclass(frozen=True, slots=True)
class PendingAction:
    transaction_id: int
    prepared: PreparedAction
    options: ValidCreateActionOptions


def insert_pending(
    tx: Transaction, transaction_id: int, prepared: PreparedAction, options: ValidCreateActionOptions
) -> None:
    tx.execute(statements.INSERT_PENDING, transaction_id=transaction_id, prepared=prepared.to_json(options))


def find_pending(tx: Transaction, scope: UserScope, reference: str, originator: str | None) -> PendingAction:
    """What signAction finishes.

    WERR_INVALID_PARAMETER for a reference that is none of this caller's, WERR_INVALID_OPERATION for an action that was
    signed, was given up or is signed elsewhere.
    """
    row = find_by_reference(tx, scope, reference)
    if row is None or not _may_touch(tx, row, originator):
        raise WERR_INVALID_PARAMETER("reference", "that of an action of this wallet which waits to be signed")
    if row.status not in _UNSIGNED:
        raise WERR_INVALID_OPERATION(f"The action does not wait to be signed any more: it is {row.status}.")
    found = tx.one(statements.FIND_PENDING, transaction_id=row.transaction_id)
    if found is None:
        raise WERR_INVALID_OPERATION("The action is signed by the wallet that asked for it, elsewhere.")
    return PendingAction(row.transaction_id, *PreparedAction.from_json(found[0]))


def _may_touch(tx: Transaction, row: TransactionRow, originator: str | None) -> bool:
    """The owner may, and the app that made the action."""
    if originator is None:
        return True
    found = tx.one(statements.FIND_ORIGINATOR, transaction_id=row.transaction_id)
    return found is not None and found[0] == originator


def find_abortable(tx: Transaction, scope: UserScope, reference: str, originator: str | None) -> TransactionRow:
    """The action by its reference, or by its txid.

    WERR_INVALID_PARAMETER unless it is an outgoing one of this caller's that the network has not been given.
    """
    row = find_by_reference(tx, scope, reference)
    if row is None and len(reference) == _TXID_LENGTH:
        row = find_by_txid(tx, scope, reference.lower())
    abortable = (*_UNSIGNED, TransactionStatus.NOSEND)
    if row is None or not row.is_outgoing or row.status not in abortable or not _may_touch(tx, row, originator):
        raise not_abortable()
    child = _living_child(tx, row)
    if child is not None:
        raise WERR_INVALID_OPERATION(
            f"Another action spends outputs of this one. Abort that first; its reference is {child.reference}."
        )
    return row


def not_abortable() -> WERR_INVALID_PARAMETER:
    return WERR_INVALID_PARAMETER(
        "reference", "an inprocess, outgoing action that has not been signed and shared to the network."
    )


def _living_child(tx: Transaction, row: TransactionRow) -> TransactionRow | None:
    for transaction_id, status in tx.rows(coin_statements.CHILDREN, transaction_id=row.transaction_id):
        if TransactionStatus(status) in _LIVING:
            return find_by_id(tx, transaction_id)
    return None


def abort_unsigned(tx: Transaction, row: TransactionRow) -> bool:
    """Give up what was never signed; False when it was meanwhile."""
    return fail_unsigned(tx, find_by_id(tx, row.transaction_id), _SOURCE)


def abort_held_back(tx: Transaction, row: TransactionRow, seen: UtxoEvidence) -> bool:
    """Give up a signed action that the network does not have; ``seen`` is what was found out about its inputs.

    False when it has left ``nosend`` meanwhile. The req ends with the last user of the store who has the transaction.
    """
    current = find_by_id(tx, row.transaction_id)
    if current.status is not TransactionStatus.NOSEND or current.txid is None or _living_child(tx, current) is not None:
        return False
    note(tx, "abortAction", txid=current.txid, transaction_id=current.transaction_id, reference=current.reference)
    record_evidence(tx, EvidenceKind.NOT_SENT, current.txid, _SOURCE)
    fail_transaction(tx, current, {**seen, **_never_created(tx, current)}, _SOURCE, "aborted")
    req = find_req(tx, current.txid)
    others = [each for each in transactions_of(tx, current.txid) if each.status in _LIVING]
    if req is not None and req.status is ProvenTxReqStatus.NOSEND and not others:
        move_req(tx, req, ProvenTxReqStatus.INVALID)
        schedule(tx, req.req_id, None)
    return True


def _never_created(tx: Transaction, row: TransactionRow) -> UtxoEvidence:
    """Inputs that only this wallet knows: outputs of its own actions that nobody has accepted are spent by nobody."""
    rows = tx.rows(coin_statements.COINS_SPENT_BY, transaction_id=row.transaction_id)
    return {(txid, vout): (UtxoStatus.UNSPENT, _SOURCE) for _, txid, vout, _, parent in rows if parent in _NOT_OUT_YET}
