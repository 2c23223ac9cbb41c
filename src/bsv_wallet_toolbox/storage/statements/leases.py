"""Who works on what: leases of tasks, claims of jobs, and the monitor's diary."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, or_, select, update

from bsv_wallet_toolbox.database.statements import Statement, values_of
from bsv_wallet_toolbox.storage.schema import BWT, metadata

_l = BWT.leases
_j = BWT.jobs
_r = metadata.tables["proven_tx_reqs"]
_e = metadata.tables["monitor_events"]

FIND_LEASE = Statement(
    select(_l.c.owner, _l.c.expiresAt, _l.c.fencing, _l.c.cursor, _l.c.lastRunAt).where(_l.c.task == bindparam("name")),
    "find lease",
)

INSERT_LEASE = Statement(
    insert(_l).values(
        task=bindparam("name"),
        owner=bindparam("holder"),
        expiresAt=bindparam("until"),
        fencing=1,
        cursor=None,
        lastRunAt=None,
    ),
    "insert lease",
)

TAKE_LEASE = Statement(
    update(_l)
    .where(
        _l.c.task == bindparam("name"),
        or_(
            _l.c.owner == bindparam("holder"),
            _l.c.expiresAt <= bindparam("now"),
            _l.c.expiresAt > bindparam("latest"),
        ),
    )
    .values(owner=bindparam("holder"), fencing=_l.c.fencing + 1, expiresAt=bindparam("until")),
    "take lease",
)

_held = (_l.c.task == bindparam("name"), _l.c.owner == bindparam("holder"), _l.c.fencing == bindparam("fence"))

KEEP_LEASE = Statement(update(_l).where(*_held).values(expiresAt=bindparam("until")), "keep lease")

HOLDS_LEASE = Statement(select(_l.c.fencing).where(*_held), "holds lease")

SAVE_CURSOR = Statement(update(_l).where(*_held).values(cursor=bindparam("new_cursor")), "save cursor")

RELEASE_LEASE = Statement(
    update(_l).where(*_held).values(expiresAt=bindparam("now"), lastRunAt=bindparam("now")), "release lease"
)

_claimed = (
    _j.c.provenTxReqId == bindparam("req_id"),
    _j.c.kind == bindparam("of_kind"),
    _j.c.claimedBy == bindparam("holder"),
)

FIND_CLAIM = Statement(select(_j.c.claimUntil).where(*_claimed, _j.c.claimUntil > bindparam("now")), "find claim")

KEEP_CLAIM = Statement(
    update(_j).where(*_claimed, _j.c.claimUntil > bindparam("now")).values(claimUntil=bindparam("until")), "keep claim"
)

GIVE_BACK_JOB = Statement(
    update(_j)
    .where(*_claimed)
    .values(
        nextAttemptAt=bindparam("next_attempt_at"),
        attempts=bindparam("new_attempts"),
        claimedBy=None,
        claimUntil=None,
    ),
    "give back job",
)

RAW_TXS_OF_REQS = Statement(
    select(_r.c.provenTxReqId, _r.c.rawTx).where(_r.c.provenTxReqId.in_(values_of("ids"))), "raw transactions of reqs"
)

INSERT_EVENT = Statement(
    insert(_e).values(
        created_at=bindparam("now"), updated_at=bindparam("now"), event=bindparam("name"), details=bindparam("text")
    ),
    "insert monitor event",
)

EVENTS_SINCE = Statement(
    select(_e.c.id, _e.c.created_at, _e.c.event, _e.c.details)
    .where(_e.c.id > bindparam("after"))
    .order_by(_e.c.id)
    .limit(bindparam("count")),
    "monitor events since",
)

DELETE_EVENTS = Statement(delete(_e).where(_e.c.created_at < bindparam("before")), "delete monitor events")
