"""Reqs: one per txid for the whole store, with the job that brings it to the network and then to its proof."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import orjson

from bsv_wallet_toolbox.database.errors import ConstraintViolation
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INTERNAL, WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import (
    REQ_TERMINAL,
    REQ_WAS_BROADCAST,
    ProvenTxReqStatus,
    TransactionStatus,
)
from bsv_wallet_toolbox.storage.notes import note
from bsv_wallet_toolbox.storage.state_machines import check_req
from bsv_wallet_toolbox.storage.statements import proofs as statements
from bsv_wallet_toolbox.storage.timestamps import iso

__all__ = [
    "CLAIM_MILLISECONDS",
    "CLOCK_SLACK",
    "LONGEST_REST",
    "JobKind",
    "JobRow",
    "ReqRow",
    "claim_due_jobs",
    "claim_job",
    "find_req",
    "holds_claim",
    "insert_req",
    "move_req",
    "notify_also",
    "retry_delay",
    "schedule",
    "status_beside",
]

_ASKED_ABOUT = frozenset({ProvenTxReqStatus.UNFAIL})
"""Believed lost until the network says otherwise: nothing is built on it meanwhile."""

CLAIM_MILLISECONDS = 120_000
_BACK_OFF = (8_000, 30_000, 120_000, 600_000)
CLOCK_SLACK = 60_000
"""Milliseconds; a clock that is set back by less ends nothing early."""
LONGEST_REST = 3_600_000
"""No job is put off for longer."""


class JobKind(StrEnum):
    SEND = "send"
    PROVE = "prove"


@dataclass(frozen=True, slots=True)
class ReqRow:
    req_id: int
    txid: str
    status: ProvenTxReqStatus
    proven_tx_id: int | None
    raw_tx: bytes | None
    input_beef: bytes | None
    notify: str


@dataclass(frozen=True, slots=True)
class JobRow:
    req_id: int
    txid: str
    status: ProvenTxReqStatus
    attempts: int


def retry_delay(attempts: int) -> int:
    """Milliseconds to wait after the ``attempts``-th fruitless try: 8 s, 30 s, 2 min, 10 min, then hourly."""
    return _BACK_OFF[attempts] if attempts < len(_BACK_OFF) else LONGEST_REST


def find_req(tx: Transaction, txid: str) -> ReqRow | None:
    row = tx.one(statements.FIND_REQ, txid=txid)
    if row is None:
        return None
    req_id, found_txid, status, proven_tx_id, raw_tx, input_beef, notify = row
    return ReqRow(req_id, found_txid, ProvenTxReqStatus(status), proven_tx_id, raw_tx, input_beef, notify)


def insert_req(
    tx: Transaction,
    txid: str,
    raw_tx: bytes,
    input_beef: bytes,
    transaction_id: int,
    *,
    claimed_by: str | None,
    status: ProvenTxReqStatus = ProvenTxReqStatus.UNSENT,
) -> int:
    """A new req, with the job that sends it if ``claimed_by`` says who is about to post it now.

    Any other gets its job from whoever looks for work first, unless it is held back (``nosend``).

    When the txid is known already (another user of the store has it), the transaction joins the existing req.
    """
    now = tx.now()
    try:
        req_id = tx.insert(
            statements.INSERT_REQ,
            now=iso(now),
            proven_tx_id=None,
            status=status.value,
            txid=txid,
            notify=_notify_text([transaction_id]),
            raw_tx=raw_tx,
            input_beef=input_beef,
            was_broadcast=0,
        )
    except ConstraintViolation:
        existing = find_req(tx, txid)
        if existing is None:
            raise
        notify_also(tx, existing, transaction_id)
        return existing.req_id
    if claimed_by is not None and status is not ProvenTxReqStatus.NOSEND:
        _insert_send_job(tx, req_id, claimed_by)
    return req_id


def _insert_send_job(tx: Transaction, req_id: int, claimed_by: str) -> None:
    now = tx.now()
    tx.execute(
        statements.INSERT_JOB,
        req_id=req_id,
        kind=JobKind.SEND.value,
        next_attempt_at=iso(now),
        owner=claimed_by,
        until=iso(now + CLAIM_MILLISECONDS),
    )


def failed_before(txid: str) -> WERR_INVALID_OPERATION:
    """The same coins and outputs make the same transaction again, and a second row of one txid would never end."""
    return WERR_INVALID_OPERATION(
        f"This would be transaction {txid} again, which failed or was aborted before. Make it different: another "
        "amount, another output, or other coins."
    )


def _notify_text(transaction_ids: list[int]) -> str:
    return orjson.dumps({"transactionIds": transaction_ids}).decode()


def notify_also(tx: Transaction, req: ReqRow, transaction_id: int) -> None:
    """Add a transaction to those that a req tells of its fate (the list TypeScript reads)."""
    known = orjson.loads(req.notify).get("transactionIds", [])
    if transaction_id not in known:
        ids = sorted({each for each in known if isinstance(each, int)} | {transaction_id})
        tx.execute(statements.SET_NOTIFY, req_id=req.req_id, ids=_notify_text(ids), now=iso(tx.now()))


def move_req(tx: Transaction, req: ReqRow, new: ProvenTxReqStatus, *, proven_tx_id: int | None = None) -> None:
    """Change a req's status by compare-and-set, with its note. Nothing happens when it already has that status."""
    if req.status is new:
        return
    check_req(req.status, new)
    changed = tx.execute(
        statements.SET_REQ_STATUS,
        req_id=req.req_id,
        old=req.status.value,
        new=new.value,
        broadcast=int(new in REQ_WAS_BROADCAST),
        proven_tx_id=proven_tx_id,
        now=iso(tx.now()),
    )
    if changed != 1:
        raise WERR_INTERNAL(f"The req of {req.txid} is no longer {req.status}.")
    note(tx, "status", txid=req.txid, status_was=req.status.value, status_now=new.value)


def schedule(
    tx: Transaction,
    req_id: int,
    kind: JobKind | None,
    *,
    at: int = 0,
    attempts: int = 0,
    claimed_by: str | None = None,
) -> None:
    """Give a req its next job at ``at`` (milliseconds), claimed by nobody else; None: nothing is left to do."""
    if kind is None:
        tx.execute(statements.DELETE_JOB, req_id=req_id)
        return
    job = {
        "req_id": req_id,
        "next_attempt_at": iso(at),
        "owner": claimed_by,
        "until": iso(tx.now() + CLAIM_MILLISECONDS) if claimed_by else None,
    }
    changed = tx.execute(statements.SET_JOB, new_kind=kind.value, new_attempts=attempts, **job)
    if changed == 0:
        tx.execute(statements.INSERT_JOB, kind=kind.value, **job)


def status_beside(req: ReqRow | None) -> tuple[TransactionStatus, int | None]:
    """Status and proof of a transaction that joins what a store knows of its txid (None: nothing yet).

    WERR_INVALID_PARAMETER when it is known that it can't be mined.
    """
    if req is None or req.status not in REQ_WAS_BROADCAST | REQ_TERMINAL | _ASKED_ABOUT:
        return TransactionStatus.SENDING, None
    if req.status is ProvenTxReqStatus.COMPLETED:
        return TransactionStatus.COMPLETED, req.proven_tx_id
    if req.status in REQ_TERMINAL | _ASKED_ABOUT:
        raise WERR_INVALID_PARAMETER("tx", f"a transaction that can be mined; {req.txid} is known to be {req.status}")
    return TransactionStatus.UNPROVEN, None


def holds_claim(tx: Transaction, req_id: int, owner: str) -> bool:
    """Whether ``owner`` claimed the req's job and the claim has not run out."""
    row = tx.one(statements.FIND_JOB, req_id=req_id)
    if row is None:
        return False
    _, _, claimed_by, claim_until = row
    return bool(claimed_by == owner and claim_until > iso(tx.now()))


def claim_job(tx: Transaction, req_id: int, owner: str) -> bool:
    """Take the job that sends a req, due or not; False when somebody else holds it."""
    now = tx.now()
    if tx.one(statements.FIND_JOB, req_id=req_id) is None:
        _insert_send_job(tx, req_id, owner)
        return True
    claimed = tx.execute(
        statements.CLAIM_JOBS,
        ids=[req_id],
        of_kind=JobKind.SEND.value,
        owner=owner,
        now=iso(now),
        latest_claim=iso(now + CLAIM_MILLISECONDS + CLOCK_SLACK),
        until=iso(now + CLAIM_MILLISECONDS),
    )
    return claimed == 1


def claim_due_jobs(tx: Transaction, kind: JobKind, owner: str, count: int) -> list[JobRow]:
    """Take up to ``count`` due jobs that nobody holds, oldest first. A claim that is not used runs out by itself.

    Times further ahead than they are ever set were written under a clock that was ahead: such a job is due, such a
    claim is over.
    """
    now = tx.now()
    latest_claim = iso(now + CLAIM_MILLISECONDS + CLOCK_SLACK)
    latest = iso(now + LONGEST_REST + CLOCK_SLACK)
    if kind is JobKind.SEND:
        tx.execute(statements.GIVE_JOBS, now=iso(now), count=count)
    tx.execute(statements.PULL_JOBS_IN, of_kind=kind.value, latest=latest, now=iso(now))
    rows = tx.rows(statements.DUE_JOBS, kind=kind.value, now=iso(now), latest_claim=latest_claim, count=count)
    if not rows:
        return []
    tx.execute(
        statements.CLAIM_JOBS,
        ids=[row[0] for row in rows],
        of_kind=kind.value,
        owner=owner,
        now=iso(now),
        latest_claim=latest_claim,
        until=iso(now + CLAIM_MILLISECONDS),
    )
    return [JobRow(req_id, txid, ProvenTxReqStatus(status), attempts) for req_id, txid, status, attempts in rows]
