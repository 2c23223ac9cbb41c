"""A user's transactions: found, moved from status to status, failed with all that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bsv_wallet_toolbox.database.transaction import Row, Transaction
from bsv_wallet_toolbox.errors import WERR_INTERNAL
from bsv_wallet_toolbox.interfaces.events import EventKind, WalletEvent
from bsv_wallet_toolbox.interfaces.services import UtxoStatus
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.storage.holds import HoldReason
from bsv_wallet_toolbox.storage.notes import EvidenceKind, note, record_evidence
from bsv_wallet_toolbox.storage.reqs import find_req, move_req, schedule
from bsv_wallet_toolbox.storage.state_machines import check_transaction
from bsv_wallet_toolbox.storage.statements import actions as statements
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.users import UserScope

__all__ = [
    "ProposedAction",
    "TransactionRow",
    "UtxoEvidence",
    "announce",
    "fail_transaction",
    "fail_unsigned",
    "find_by_reference",
    "find_by_txid",
    "find_proposed",
    "move_transaction",
    "release_hold",
    "transactions_of",
]

UtxoEvidence = Mapping[tuple[str, int], tuple[UtxoStatus, str]]
"""What was seen of outpoints (txid, vout) and who said so; an outpoint that is not in it was not asked about."""

_LONGEST_DETAIL = 500


@dataclass(frozen=True, slots=True)
class TransactionRow:
    transaction_id: int
    user_id: int
    status: TransactionStatus
    txid: str | None
    reference: str
    satoshis: int
    is_outgoing: bool


@dataclass(frozen=True, slots=True)
class ProposedAction:
    """A transaction with what it was proposed to be, as far as its own row says it."""

    row: TransactionRow
    input_beef: bytes | None
    lock_time: int
    version: int


def _row(values: Row | None) -> TransactionRow | None:
    if values is None:
        return None
    transaction_id, user_id, status, txid, reference, satoshis, is_outgoing = values[:7]
    return TransactionRow(
        transaction_id, user_id, TransactionStatus(status), txid, reference, satoshis, bool(is_outgoing)
    )


def find_by_reference(tx: Transaction, scope: UserScope, reference: str) -> TransactionRow | None:
    return _row(tx.one(statements.FIND_BY_REFERENCE, user_id=scope.user_id, reference=reference))


def find_proposed(tx: Transaction, scope: UserScope, reference: str) -> ProposedAction | None:
    values = tx.one(statements.FIND_BY_REFERENCE, user_id=scope.user_id, reference=reference)
    row = _row(values)
    if values is None or row is None:
        return None
    input_beef, lock_time, version = values[7:]
    return ProposedAction(row, input_beef, lock_time or 0, 1 if version is None else version)


def find_by_txid(tx: Transaction, scope: UserScope, txid: str) -> TransactionRow | None:
    return _row(tx.one(statements.FIND_BY_TXID, user_id=scope.user_id, txid=txid))


def find_by_id(tx: Transaction, transaction_id: int) -> TransactionRow:
    row = _row(tx.one(statements.FIND_BY_ID, transaction_id=transaction_id))
    if row is None:
        raise WERR_INTERNAL(f"Transaction {transaction_id} is missing.")
    return row


def transactions_of(tx: Transaction, txid: str) -> list[TransactionRow]:
    """Every user's transaction with this txid: what happens on the network happens to all of them."""
    rows = (_row(values) for values in tx.rows(statements.FIND_ALL_OF_TXID, txid=txid))
    return [row for row in rows if row is not None]


def announce(
    tx: Transaction, kind: EventKind, row: TransactionRow, detail: str = "", *, status: TransactionStatus | None = None
) -> None:
    """Tell the user of a transaction what happened to it; ``status`` is what it has become since ``row`` was read."""
    tx.announce(
        WalletEvent(
            kind,
            row.user_id,
            row.transaction_id,
            row.reference,
            row.txid,
            row.status if status is None else status,
            row.satoshis,
            tx.now(),
            detail[:_LONGEST_DETAIL],
        )
    )


def move_transaction(
    tx: Transaction, row: TransactionRow, new: TransactionStatus, *, proven_tx_id: int | None = None
) -> None:
    """Change a transaction's status by compare-and-set, with its note. ``proven_tx_id`` is set or, if None, cleared."""
    if row.status is new:
        return
    check_transaction(row.status, new)
    changed = tx.execute(
        statements.SET_COMPLETED,
        transaction_id=row.transaction_id,
        old=row.status.value,
        new=new.value,
        proven_tx_id=proven_tx_id,
        now=iso(tx.now()),
    )
    if changed != 1:
        raise WERR_INTERNAL(f"Transaction {row.transaction_id} is no longer {row.status}.")
    note(
        tx,
        "transactionStatus",
        txid=row.txid,
        transaction_id=row.transaction_id,
        status_was=row.status.value,
        status_now=new.value,
    )


def fail_transaction(tx: Transaction, row: TransactionRow, seen: UtxoEvidence, source: str, reason: str) -> None:
    """End a transaction: its outputs can't be spent, its inputs are freed where ``seen`` says they are unspent.

    ``reason`` is for people.

    An input seen spent stays spent; one that nobody answered for is held until somebody does. Transactions that spend
    its outputs can never be mined either and end with it.
    """
    pending = [(row.transaction_id, seen, reason)]
    while pending:
        transaction_id, evidence, why = pending.pop()
        # Read now: what spends outputs of several of these is met once for each and ends with the first.
        current = find_by_id(tx, transaction_id)
        if current.status is TransactionStatus.FAILED:
            continue
        move_transaction(tx, current, TransactionStatus.FAILED)
        announce(tx, EventKind.FAILED, current, why, status=TransactionStatus.FAILED)
        _settle_inputs(tx, current, evidence, source)
        children = tx.rows(coin_statements.CHILDREN, transaction_id=current.transaction_id)
        tx.execute(coin_statements.OUTPUTS_UNSPENDABLE, transaction_id=current.transaction_id, now=iso(tx.now()))
        for child_id, _ in children:
            child = find_by_id(tx, child_id)
            if child.status in (TransactionStatus.FAILED, TransactionStatus.COMPLETED):
                continue
            if child.txid is None:
                fail_unsigned(tx, child, source)
                continue
            _end_req_of_orphan(tx, child.txid, current.txid)
            lost = f"it spends {current.txid}, which failed"
            pending += [(each.transaction_id, {}, lost) for each in transactions_of(tx, child.txid)]


def fail_unsigned(tx: Transaction, row: TransactionRow, source: str) -> bool:
    """End an action that was never signed: nothing was made that could spend its inputs, so they are free again.

    One that a living transaction of the same keys spends, which came in meanwhile, is that one's from now on.

    False, and nothing changes, for one that was signed (it has a txid) or has ended meanwhile.
    """
    if row.txid is not None or row.status not in (TransactionStatus.UNSIGNED, TransactionStatus.UNPROCESSED):
        return False
    move_transaction(tx, row, TransactionStatus.FAILED)
    tx.execute(statements.DELETE_PENDING, transaction_id=row.transaction_id)
    announce(tx, EventKind.FAILED, row, f"never signed ({source})", status=TransactionStatus.FAILED)
    now = iso(tx.now())
    for output_id, txid, vout, _, parent_status in tx.rows(
        coin_statements.COINS_SPENT_BY, transaction_id=row.transaction_id
    ):
        lost = parent_status == TransactionStatus.FAILED
        other = tx.one(coin_statements.OTHER_SPENDER, output_id=output_id)
        if other is not None:
            spender, change = other
            tx.execute(coin_statements.SPEND_OUTPUT_AFTER_ALL, output_id=output_id, transaction_id=spender, now=now)
            tx.execute(statements.TAKE_SATOSHIS, transaction_id=spender, lost=change, now=now)
            continue
        if not lost:
            record_evidence(tx, EvidenceKind.NEVER_SIGNED, txid, source, vout=vout, transactionId=row.transaction_id)
        tx.execute(
            coin_statements.FORGET_SPENDER if lost else coin_statements.FREE_COIN,
            output_id=output_id,
            transaction_id=row.transaction_id,
            now=now,
        )
    tx.execute(coin_statements.OUTPUTS_UNSPENDABLE, transaction_id=row.transaction_id, now=now)
    return True


def _end_req_of_orphan(tx: Transaction, txid: str, parent: str | None) -> None:
    record_evidence(tx, EvidenceKind.PARENT_FAILED, txid, "storage", parent=parent)
    req = find_req(tx, txid)
    if req is not None and req.status is not ProvenTxReqStatus.COMPLETED:
        move_req(tx, req, ProvenTxReqStatus.INVALID)
        schedule(tx, req.req_id, None)


def _settle_inputs(tx: Transaction, row: TransactionRow, seen: UtxoEvidence, source: str) -> None:
    now = iso(tx.now())
    held: list[str] = []
    spent = tx.rows(coin_statements.COINS_SPENT_BY, transaction_id=row.transaction_id)
    for output_id, txid, vout, _, parent_status in spent:
        if parent_status == TransactionStatus.FAILED:
            # Never created, so never to be had again; nobody need be asked about it.
            tx.execute(coin_statements.FORGET_SPENDER, output_id=output_id, transaction_id=row.transaction_id, now=now)
            continue
        status, by = seen.get((txid, vout), (UtxoStatus.UNKNOWN, source))
        if status is UtxoStatus.UNSPENT:
            _free(tx, output_id, row.transaction_id, txid, vout, by)
            continue
        reason = HoldReason.SPENT_ELSEWHERE if status is UtxoStatus.SPENT else HoldReason.AWAITING_EVIDENCE
        if status is UtxoStatus.SPENT:
            record_evidence(tx, EvidenceKind.SPENT, txid, by, vout=vout)
        if tx.one(coin_statements.IS_HELD, output_id=output_id) is None:
            tx.execute(
                coin_statements.HOLD_COIN,
                output_id=output_id,
                reason=reason,
                transaction_id=row.transaction_id,
                now=now,
            )
            held.append(reason)
    if held:
        kept = ", ".join(f"{held.count(reason)} {reason}" for reason in sorted(set(held)))
        announce(tx, EventKind.HELD, row, f"inputs: {kept}", status=TransactionStatus.FAILED)


def _free(tx: Transaction, output_id: int, transaction_id: int, txid: str, vout: int, source: str) -> None:
    record_evidence(tx, EvidenceKind.UNSPENT, txid, source, vout=vout)
    tx.execute(coin_statements.FREE_COIN, output_id=output_id, transaction_id=transaction_id, now=iso(tx.now()))


def release_hold(
    tx: Transaction, output_id: int, transaction_id: int | None, txid: str, vout: int, status: UtxoStatus, source: str
) -> None:
    """An answer came for a held coin: free it, or write down that somebody else spends it.

    ``transaction_id``: the failed transaction it was an input of, None for an output of one that came back.
    """
    if status is UtxoStatus.UNKNOWN:
        return
    tx.execute(coin_statements.UNHOLD_COIN, output_id=output_id)
    if status is UtxoStatus.UNSPENT and transaction_id is not None:
        _free(tx, output_id, transaction_id, txid, vout, source)
        return
    if status is UtxoStatus.UNSPENT:
        record_evidence(tx, EvidenceKind.UNSPENT, txid, source, vout=vout)
        tx.execute(coin_statements.MARK_SPENDABLE, output_id=output_id, spendable=1, now=iso(tx.now()))
        return
    record_evidence(tx, EvidenceKind.SPENT, txid, source, vout=vout)
    tx.execute(
        coin_statements.HOLD_COIN,
        output_id=output_id,
        reason=HoldReason.SPENT_ELSEWHERE,
        transaction_id=transaction_id,
        now=iso(tx.now()),
    )
