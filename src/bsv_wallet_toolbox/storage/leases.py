"""Who works on what when several monitors share a store: leases of whole tasks, claims of single jobs, a diary.

A lease belongs to its owner until it expires by the operation's clock; every taking raises its fencing number, so that
an owner who was too slow finds out before it writes. The cursor is where a task resumes, whoever runs it next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bsv_wallet_toolbox.database.errors import ConstraintViolation
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION
from bsv_wallet_toolbox.storage.reqs import CLAIM_MILLISECONDS, JobKind, JobRow
from bsv_wallet_toolbox.storage.statements import leases as statements
from bsv_wallet_toolbox.storage.timestamps import from_iso, iso

__all__ = [
    "LONGEST_LEASE",
    "Lease",
    "LeaseLost",
    "MonitorEvent",
    "check_lease",
    "claim_left",
    "events_since",
    "forget_events",
    "give_job_back",
    "keep_claim",
    "keep_lease",
    "log_event",
    "raw_txs_of",
    "read_cursor",
    "release_lease",
    "save_cursor",
    "take_lease",
]

LONGEST_LEASE = 600_000
"""Milliseconds. What claims to run longer was dated by a clock that was ahead, and is free."""

_EVENT_LENGTH = 64
_DETAILS_LENGTH = 64 * 1024


class LeaseLost(WERR_INVALID_OPERATION):
    """Somebody else took the task over; whatever was about to be written must not be."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A task that is ours for a while. ``cursor`` is what its last run left behind."""

    task: str
    owner: str
    fencing: int
    cursor: str | None


@dataclass(frozen=True, slots=True)
class MonitorEvent:
    event_id: int
    created_at: int
    event: str
    details: str


def take_lease(tx: Transaction, task: str, owner: str, milliseconds: int) -> Lease | None:
    """The lease for so long, at most ``LONGEST_LEASE``; None while somebody else has it.

    Its owner may take it again at any time.
    """
    now = tx.now()
    until = iso(now + min(milliseconds, LONGEST_LEASE))
    latest = iso(now + LONGEST_LEASE)
    if tx.execute(statements.TAKE_LEASE, name=task, holder=owner, now=iso(now), latest=latest, until=until) == 0:
        try:
            tx.execute(statements.INSERT_LEASE, name=task, holder=owner, until=until)
        except ConstraintViolation:
            return None
    row = tx.one(statements.FIND_LEASE, name=task)
    assert row is not None  # written just now
    return Lease(task, owner, row[2], row[3])


def keep_lease(tx: Transaction, lease: Lease, milliseconds: int) -> bool:
    """Prolong a lease from now on, as :func:`take_lease` does; False when it was lost."""
    until = iso(tx.now() + min(milliseconds, LONGEST_LEASE))
    return tx.execute(statements.KEEP_LEASE, **_held(lease), until=until) == 1


def check_lease(tx: Transaction, lease: Lease) -> None:
    """Raise LeaseLost when the task was taken over: called in every transaction that a leased task writes."""
    if tx.one(statements.HOLDS_LEASE, **_held(lease)) is None:
        raise LeaseLost(f"The lease of {lease.task} was taken over.")


def save_cursor(tx: Transaction, lease: Lease, cursor: str) -> None:
    """Write down where the task resumes; LeaseLost when it was taken over."""
    if tx.execute(statements.SAVE_CURSOR, **_held(lease), new_cursor=cursor) != 1:
        raise LeaseLost(f"The lease of {lease.task} was taken over.")


def release_lease(tx: Transaction, lease: Lease) -> None:
    """Let anybody have the task from now on. Nothing happens when it was lost."""
    tx.execute(statements.RELEASE_LEASE, **_held(lease), now=iso(tx.now()))


def read_cursor(tx: Transaction, task: str) -> str | None:
    row = tx.one(statements.FIND_LEASE, name=task)
    return None if row is None else row[3]


def _held(lease: Lease) -> dict[str, str | int]:
    return {"name": lease.task, "holder": lease.owner, "fence": lease.fencing}


def keep_claim(tx: Transaction, req_id: int, kind: JobKind, owner: str) -> bool:
    """Whether a claimed job is still ours to do, and then for a full period from now."""
    now = tx.now()
    changed = tx.execute(
        statements.KEEP_CLAIM,
        req_id=req_id,
        of_kind=kind.value,
        holder=owner,
        now=iso(now),
        until=iso(now + CLAIM_MILLISECONDS),
    )
    return changed == 1


def claim_left(tx: Transaction, req_id: int, kind: JobKind, owner: str) -> int:
    """Milliseconds that a claimed job is still ours, 0 when it is not: done, changed or taken by others."""
    row = tx.one(statements.FIND_CLAIM, req_id=req_id, of_kind=kind.value, holder=owner, now=iso(tx.now()))
    return 0 if row is None else from_iso(row[0]) - tx.now()


def give_job_back(tx: Transaction, req_id: int, kind: JobKind, owner: str, *, at: int, attempts: int) -> bool:
    """Let a claimed job rest until ``at``; False when it is not ours any more, and then nothing changes."""
    changed = tx.execute(
        statements.GIVE_BACK_JOB,
        req_id=req_id,
        of_kind=kind.value,
        holder=owner,
        next_attempt_at=iso(at),
        new_attempts=attempts,
    )
    return changed == 1


def raw_txs_of(tx: Transaction, jobs: Sequence[JobRow]) -> dict[int, bytes]:
    """The raw transactions of jobs by req id; one without bytes is left out."""
    rows = tx.rows(statements.RAW_TXS_OF_REQS, ids=[job.req_id for job in jobs])
    return {req_id: raw_tx for req_id, raw_tx in rows if raw_tx is not None}


def log_event(tx: Transaction, event: str, details: str) -> None:
    """Add a line to the diary (``monitor_events``); too long ones are cut."""
    tx.execute(statements.INSERT_EVENT, name=event[:_EVENT_LENGTH], text=details[:_DETAILS_LENGTH], now=iso(tx.now()))


def events_since(tx: Transaction, after: int = 0, count: int = 100) -> list[MonitorEvent]:
    """Up to ``count`` diary lines behind the id ``after``, oldest first."""
    rows = tx.rows(statements.EVENTS_SINCE, after=after, count=count)
    return [MonitorEvent(event_id, from_iso(when), event, details or "") for event_id, when, event, details in rows]


def forget_events(tx: Transaction, milliseconds: int) -> int:
    """Delete diary lines older than that; how many."""
    return tx.execute(statements.DELETE_EVENTS, before=iso(tx.now() - milliseconds))
