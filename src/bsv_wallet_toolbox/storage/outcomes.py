"""What the network said, written down: one database transaction per verdict, by compare-and-set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.interfaces.events import EventKind
from bsv_wallet_toolbox.interfaces.services import PostAnswer
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.storage.holds import HoldReason, hold_outputs, release_outputs
from bsv_wallet_toolbox.storage.notes import EvidenceKind, note, record_evidence
from bsv_wallet_toolbox.storage.reqs import JobKind, ReqRow, find_req, holds_claim, move_req, retry_delay, schedule
from bsv_wallet_toolbox.storage.statements import proofs as statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.transactions import (
    TransactionRow,
    UtxoEvidence,
    announce,
    fail_transaction,
    move_transaction,
    transactions_of,
)

__all__ = ["Ending", "record_accepted", "record_ended", "record_forgotten", "record_unresolved"]

_UNDECIDED = frozenset(
    {
        ProvenTxReqStatus.UNSENT,
        ProvenTxReqStatus.SENDING,
        ProvenTxReqStatus.UNPROCESSED,
        ProvenTxReqStatus.NOSEND,
        ProvenTxReqStatus.UNKNOWN,
    }
)
_COMPETITORS = 24
"""Competing txids that are written down of one answer or ending: providers may name any number, at every retry."""
_TXID_LENGTH = 64
_ON_THE_WAY = frozenset({TransactionStatus.SENDING, TransactionStatus.UNPROCESSED, TransactionStatus.NOSEND})


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a transaction is over, and what was seen of its inputs."""

    status: ProvenTxReqStatus
    kind: EvidenceKind
    source: str
    reason: str
    competing_txids: tuple[str, ...]
    inputs: UtxoEvidence


def _undecided(tx: Transaction, txid: str, answers: Sequence[PostAnswer]) -> ReqRow | None:
    """The req, unless its fate was settled while the network was asked; the answers are noted either way."""
    for answer in answers:
        note(
            tx,
            "postBeef",
            txid=txid,
            name=answer.provider,
            outcome=answer.outcome.value,
            code=answer.code,
            text=answer.text[:500],
            competingTxs=_first(answer.competing_txids),
        )
    req = find_req(tx, txid)
    return req if req is not None and req.status in _UNDECIDED else None


def _first(txids: Sequence[str]) -> list[str]:
    return [txid[:_TXID_LENGTH] for txid in txids[:_COMPETITORS]]


def _announce_sent(tx: Transaction, row: TransactionRow, answers: Sequence[PostAnswer]) -> None:
    said = ", ".join(f"{answer.provider}: {answer.outcome.value}" for answer in answers)
    announce(tx, EventKind.SENT, row, said)


def record_accepted(tx: Transaction, txid: str, answers: Sequence[PostAnswer], source: str) -> bool:
    """The network has it: unmined and unproven until a proof under our headers comes. False when it came before."""
    req = _undecided(tx, txid, answers)
    if req is None:
        return False
    record_evidence(tx, EvidenceKind.ACCEPTED, txid, source)
    release_outputs(tx, txid, HoldReason.REFUSED)
    move_req(tx, req, ProvenTxReqStatus.UNMINED)
    for row in transactions_of(tx, txid):
        if row.status in _ON_THE_WAY:
            _announce_sent(tx, row, answers)
            move_transaction(tx, row, TransactionStatus.UNPROVEN)
            announce(tx, EventKind.ACCEPTED, row, source, status=TransactionStatus.UNPROVEN)
    schedule(tx, req.req_id, JobKind.PROVE, at=tx.now())
    return True


def record_unresolved(
    tx: Transaction,
    txid: str,
    answers: Sequence[PostAnswer],
    attempts: int,
    reason: str,
    *,
    refused: bool = False,
) -> bool:
    """Nobody could judge it, or it was refused without proof: it is sent again after a growing delay.

    What a refused transaction would give is held meanwhile.
    """
    req = _undecided(tx, txid, answers)
    if req is None:
        return False
    if refused:
        hold_outputs(tx, txid, HoldReason.REFUSED)
    for row in transactions_of(tx, txid) if answers else ():
        if row.status in _ON_THE_WAY:
            _announce_sent(tx, row, answers)
            if refused:
                announce(tx, EventKind.HELD, row, reason)
    note(tx, "sendAgain", txid=txid, reason=reason[:500], attempts=attempts + 1)
    tx.execute(statements.COUNT_ATTEMPT, req_id=req.req_id, now=iso(tx.now()))
    schedule(tx, req.req_id, JobKind.SEND, at=tx.now() + retry_delay(attempts), attempts=attempts + 1)
    return True


def record_ended(tx: Transaction, txid: str, answers: Sequence[PostAnswer], ending: Ending, owner: str) -> bool:
    """It can never be mined: every user's transaction fails, inputs are freed on positive evidence only.

    False, and nothing ends, unless ``owner`` still holds the claim: whoever took over may have seen it accepted.
    """
    req = _undecided(tx, txid, answers)
    if req is None or not holds_claim(tx, req.req_id, owner):
        return False
    record_evidence(
        tx, ending.kind, txid, ending.source, reason=ending.reason[:500], competingTxs=_first(ending.competing_txids)
    )
    move_req(tx, req, ending.status)
    schedule(tx, req.req_id, None)
    release_outputs(tx, txid, HoldReason.REFUSED)  # they end with it below
    for row in transactions_of(tx, txid):
        if row.status in _ON_THE_WAY | {TransactionStatus.UNPROVEN}:
            _announce_sent(tx, row, answers)
            fail_transaction(tx, row, ending.inputs, ending.source, f"{ending.status}: {ending.reason}")
    return True


_WAITING_FOR_PROOF = frozenset({ProvenTxReqStatus.UNMINED, ProvenTxReqStatus.CALLBACK, ProvenTxReqStatus.UNCONFIRMED})


def record_forgotten(tx: Transaction, txid: str, source: str, reason: str) -> bool:
    """The network accepted it once and no longer knows it: it is sent again, nothing of it is lost meanwhile."""
    req = find_req(tx, txid)
    if req is None or req.status not in _WAITING_FOR_PROOF:
        return False
    note(tx, "rebroadcast", txid=txid, name=source, reason=reason[:500])
    move_req(tx, req, ProvenTxReqStatus.UNSENT)
    for row in transactions_of(tx, txid):
        if row.status is TransactionStatus.UNPROVEN:
            move_transaction(tx, row, TransactionStatus.SENDING)
    schedule(tx, req.req_id, JobKind.SEND, at=tx.now())
    return True
