"""Reqs, proofs, jobs, suspects, notes, evidence: what is known of transactions whoever they belong to."""

from __future__ import annotations

from sqlalchemy import (
    LargeBinary,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    type_coerce,
    union,
    union_all,
    update,
)

from bsv_wallet_toolbox.database.statements import Statement, unindexed, values_of
from bsv_wallet_toolbox.interfaces.statuses import RAW_TX_READABLE, ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.storage.schema import BWT, metadata
from bsv_wallet_toolbox.storage.statements.coins import OF_TXID, OUTPUTS_BY_TXID
from bsv_wallet_toolbox.storage.timestamps import touched

_p = metadata.tables["proven_txs"]
_r = metadata.tables["proven_tx_reqs"]
_t = metadata.tables["transactions"]
_o = metadata.tables["outputs"]

INSERT_REQ = Statement(
    insert(_r).values(
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
        provenTxId=bindparam("proven_tx_id"),
        status=bindparam("status"),
        attempts=0,
        notified=0,
        txid=bindparam("txid"),
        history=literal("{}"),
        notify=bindparam("notify"),
        rawTx=bindparam("raw_tx"),
        inputBEEF=bindparam("input_beef"),
        wasBroadcast=bindparam("was_broadcast"),
        rebroadcastAttempts=0,
    ),
    "insert req",
)

_REQ = (_r.c.provenTxReqId, _r.c.txid, _r.c.status, _r.c.provenTxId, _r.c.rawTx, _r.c.inputBEEF, _r.c.notify)

FIND_REQ = Statement(select(*_REQ).where(_r.c.txid == bindparam("txid")), "find req")

HELD_BACK_AMONG = Statement(
    select(_r.c.txid).where(
        _r.c.txid.in_(values_of("txids")), unindexed(_r.c.status) == ProvenTxReqStatus.NOSEND.value
    ),
    "held back among txids",
)

FIND_REQ_BY_ID = Statement(select(*_REQ).where(_r.c.provenTxReqId == bindparam("req_id")), "find req by id")

FAILED_REQS = Statement(
    union_all(
        *(
            select(_r.c.provenTxReqId, _r.c.txid, _r.c.rawTx).where(
                _r.c.status == status.value, _r.c.rawTx.is_not(None), _r.c.provenTxReqId > bindparam("after")
            )
            for status in (ProvenTxReqStatus.INVALID, ProvenTxReqStatus.DOUBLE_SPEND)
        )
    )
    .order_by("provenTxReqId")
    .limit(bindparam("count")),
    "failed reqs",
)
"""Each status by itself is in order in its index, so that two are merged and no long history is sorted."""

REQS_IN_STATUS = Statement(
    select(_r.c.provenTxReqId, _r.c.txid, _r.c.rawTx)
    .where(
        _r.c.status == bindparam("status"),
        _r.c.rawTx.is_not(None),
        _r.c.provenTxReqId > bindparam("after"),
    )
    .order_by(_r.c.provenTxReqId)
    .limit(bindparam("count")),
    "reqs in a status",
)

SET_REQ_STATUS = Statement(
    update(_r)
    .where(_r.c.provenTxReqId == bindparam("req_id"), _r.c.status == bindparam("old"))
    .values(
        status=bindparam("new"),
        wasBroadcast=case((_r.c.wasBroadcast == 1, 1), else_=bindparam("broadcast")),
        provenTxId=bindparam("proven_tx_id"),
        updated_at=touched(_r),
    ),
    "set req status",
)

SET_BATCH = Statement(
    update(_r)
    .where(_r.c.provenTxReqId == bindparam("req_id"))
    .values(batch=bindparam("new_batch"), updated_at=touched(_r)),
    "set batch of req",
)

COUNT_ATTEMPT = Statement(
    update(_r)
    .where(_r.c.provenTxReqId == bindparam("req_id"))
    .values(attempts=_r.c.attempts + 1, updated_at=touched(_r)),
    "count attempt",
)

SET_NOTIFY = Statement(
    update(_r)
    .where(_r.c.provenTxReqId == bindparam("req_id"))
    .values(notify=bindparam("ids"), notified=0, updated_at=touched(_r)),
    "set notify",
)

FIND_PROVEN = Statement(
    select(_p.c.provenTxId, _p.c.height, _p.c.blockHash, _p.c.merkleRoot, _p.c.merklePath, _p.c.rawTx).where(
        _p.c.txid == bindparam("txid")
    ),
    "find proven tx",
)

INSERT_PROVEN = Statement(
    insert(_p).values(
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
        txid=bindparam("txid"),
        height=bindparam("height"),
        index=bindparam("index_in_block"),
        merklePath=bindparam("merkle_path"),
        rawTx=bindparam("raw_tx"),
        blockHash=bindparam("block_hash"),
        merkleRoot=bindparam("merkle_root"),
    ),
    "insert proven tx",
)

REPLACE_PROOF = Statement(
    update(_p)
    .where(_p.c.provenTxId == bindparam("proven_tx_id"))
    .values(
        height=bindparam("new_height"),
        index=bindparam("index_in_block"),
        merklePath=bindparam("merkle_path"),
        blockHash=bindparam("block_hash"),
        merkleRoot=bindparam("merkle_root"),
        updated_at=touched(_p),
    ),
    "replace proof",
)

_suspect = BWT.suspects.c.provenTxId.is_not(None)
_proven_part = (
    select(
        _p.c.txid,
        _p.c.rawTx,
        case((_suspect, null()), else_=_p.c.merklePath).label("merklePath"),
        type_coerce(null(), LargeBinary).label("inputBEEF"),
    )
    .select_from(_p)
    .outerjoin(BWT.suspects, BWT.suspects.c.provenTxId == _p.c.provenTxId)
    .where(_p.c.txid.in_(values_of("txids")))
)
_req_part = select(_r.c.txid, _r.c.rawTx, type_coerce(null(), LargeBinary), _r.c.inputBEEF).where(
    _r.c.txid.in_(values_of("txids")), or_(*(_r.c.status == status.value for status in sorted(RAW_TX_READABLE)))
)
SOURCES = Statement(union_all(_proven_part, _req_part), "sources of BEEF")
"""For every txid up to two rows: (txid, rawTx, merklePath or NULL, inputBEEF or NULL); a path makes the other moot."""

INSERT_JOB = Statement(
    insert(BWT.jobs).values(
        provenTxReqId=bindparam("req_id"),
        kind=bindparam("kind"),
        nextAttemptAt=bindparam("next_attempt_at"),
        attempts=0,
        claimedBy=bindparam("owner"),
        claimUntil=bindparam("until"),
    ),
    "insert job",
)

GIVE_JOBS = Statement(
    insert(BWT.jobs).from_select(
        ["provenTxReqId", "kind", "nextAttemptAt", "attempts"],
        select(_r.c.provenTxReqId, literal("send"), bindparam("now"), literal(0))
        .select_from(_r.outerjoin(BWT.jobs, BWT.jobs.c.provenTxReqId == _r.c.provenTxReqId))
        .where(_r.c.status.in_(["unsent", "sending"]), BWT.jobs.c.provenTxReqId.is_(None))
        .limit(bindparam("count")),
        include_defaults=False,
    ),
    "give jobs to what waits to be sent",
)
"""A new req that nobody sends at once has none yet: its status says enough, and is one row less for its action."""

FIND_JOB = Statement(
    select(BWT.jobs.c.kind, BWT.jobs.c.attempts, BWT.jobs.c.claimedBy, BWT.jobs.c.claimUntil).where(
        BWT.jobs.c.provenTxReqId == bindparam("req_id")
    ),
    "find job",
)

_unclaimed = or_(
    func.coalesce(BWT.jobs.c.claimUntil, literal("")) <= bindparam("now"),
    BWT.jobs.c.claimUntil > bindparam("latest_claim"),
)

PULL_JOBS_IN = Statement(
    update(BWT.jobs)
    .where(BWT.jobs.c.kind == bindparam("of_kind"), BWT.jobs.c.nextAttemptAt > bindparam("latest"))
    .values(nextAttemptAt=bindparam("now")),
    "pull jobs in",
)
"""Apart from the next one, which goes through an index in order of time."""

DUE_JOBS = Statement(
    select(BWT.jobs.c.provenTxReqId, _r.c.txid, _r.c.status, BWT.jobs.c.attempts)
    .join(_r, _r.c.provenTxReqId == BWT.jobs.c.provenTxReqId)
    .where(
        BWT.jobs.c.kind == bindparam("kind"),
        BWT.jobs.c.nextAttemptAt <= bindparam("now"),
        _unclaimed,
    )
    .order_by(BWT.jobs.c.nextAttemptAt, BWT.jobs.c.provenTxReqId)
    .limit(bindparam("count")),
    "due jobs",
)

CLAIM_JOBS = Statement(
    update(BWT.jobs)
    .where(
        BWT.jobs.c.provenTxReqId.in_(values_of("ids")),
        unindexed(BWT.jobs.c.kind) == bindparam("of_kind"),
        _unclaimed,
    )
    .values(claimedBy=bindparam("owner"), claimUntil=bindparam("until")),
    "claim jobs",
)

SET_JOB = Statement(
    update(BWT.jobs)
    .where(BWT.jobs.c.provenTxReqId == bindparam("req_id"))
    .values(
        kind=bindparam("new_kind"),
        nextAttemptAt=bindparam("next_attempt_at"),
        attempts=bindparam("new_attempts"),
        claimedBy=bindparam("owner"),
        claimUntil=bindparam("until"),
    ),
    "set job",
)

DELETE_JOB = Statement(delete(BWT.jobs).where(BWT.jobs.c.provenTxReqId == bindparam("req_id")), "delete job")

PROVE_NOW = Statement(
    update(BWT.jobs)
    .where(BWT.jobs.c.kind == literal("prove"), BWT.jobs.c.nextAttemptAt > bindparam("now"))
    .values(nextAttemptAt=bindparam("now")),
    "prove now",
)

INSERT_NOTE = Statement(
    insert(BWT.notes).values(
        txid=bindparam("txid"),
        transactionId=bindparam("transaction_id"),
        when=bindparam("now"),
        what=bindparam("what"),
        details=bindparam("details"),
    ),
    "insert note",
)

WRITTEN_OFF = Statement(
    select(
        BWT.holds.c.outputId,
        BWT.holds.c.transactionId,
        BWT.holds.c.created_at,
        _o.c.txid,
        _o.c.vout,
        _o.c.lockingScript,
    )
    .join(_o, _o.c.outputId == BWT.holds.c.outputId)
    .join(_t, _t.c.transactionId == _o.c.transactionId)
    .where(
        BWT.holds.c.reason == bindparam("reason"),
        BWT.holds.c.created_at >= bindparam("since"),
        BWT.holds.c.outputId > bindparam("after"),
        unindexed(_t.c.status) != TransactionStatus.FAILED.value,
    )
    .order_by(BWT.holds.c.outputId)
    .limit(bindparam("count")),
    "written off",
)
"""Coins held for ``reason`` since then. What a failed transaction would have made is nobody's to ask about."""

WHO_SPENT = Statement(
    select(BWT.evidence.c.source)
    .where(
        BWT.evidence.c.txid == bindparam("txid"),
        BWT.evidence.c.vout == bindparam("vout"),
        BWT.evidence.c.kind == bindparam("kind"),
    )
    .order_by(BWT.evidence.c.evidenceId.desc())
    .limit(1),
    "who spent an outpoint",
)

WHY_ENDED = Statement(
    select(BWT.evidence.c.details)
    .where(
        BWT.evidence.c.txid == bindparam("txid"),
        BWT.evidence.c.vout.is_(None),
        BWT.evidence.c.kind == bindparam("kind"),
    )
    .order_by(BWT.evidence.c.evidenceId.desc())
    .limit(1),
    "latest evidence that ended a transaction",
)

INSERT_EVIDENCE = Statement(
    insert(BWT.evidence).values(
        txid=bindparam("txid"),
        vout=bindparam("vout"),
        kind=bindparam("kind"),
        source=bindparam("source"),
        when=bindparam("now"),
        details=bindparam("details"),
    ),
    "insert evidence",
)

PROVEN_IN_BLOCK = Statement(
    select(_p.c.provenTxId, _p.c.txid, _p.c.height, _p.c.rawTx).where(_p.c.blockHash == bindparam("block_hash")),
    "proven txs in block",
)

IS_SUSPECT = Statement(
    select(BWT.suspects.c.tries).where(BWT.suspects.c.provenTxId == bindparam("proven_tx_id")), "is suspect"
)

INSERT_SUSPECT = Statement(
    insert(BWT.suspects).values(
        provenTxId=bindparam("proven_tx_id"),
        blockHash=bindparam("block_hash"),
        height=bindparam("height"),
        tries=0,
        nextAttemptAt=bindparam("now"),
    ),
    "insert suspect",
)

DUE_SUSPECTS = Statement(
    select(
        BWT.suspects.c.provenTxId,
        _p.c.txid,
        BWT.suspects.c.blockHash,
        BWT.suspects.c.height,
        BWT.suspects.c.tries,
        _p.c.rawTx,
        _r.c.provenTxReqId.is_not(None),
    )
    .join(_p, _p.c.provenTxId == BWT.suspects.c.provenTxId)
    .outerjoin(_r, _r.c.txid == _p.c.txid)
    .where(BWT.suspects.c.nextAttemptAt <= bindparam("now"))
    .order_by(BWT.suspects.c.nextAttemptAt, BWT.suspects.c.provenTxId)
    .limit(bindparam("count")),
    "due suspects",
)

DELAY_SUSPECT = Statement(
    update(BWT.suspects)
    .where(BWT.suspects.c.provenTxId == bindparam("proven_tx_id"))
    .values(tries=BWT.suspects.c.tries + 1, nextAttemptAt=bindparam("next_attempt_at")),
    "delay suspect",
)

DELETE_SUSPECT = Statement(
    delete(BWT.suspects).where(BWT.suspects.c.provenTxId == bindparam("proven_tx_id")), "delete suspect"
)

SUSPECTS_NOW = Statement(update(BWT.suspects).values(nextAttemptAt=bindparam("now")), "suspects now")

STORED_ROOTS = Statement(
    select(_p.c.height, _p.c.blockHash, _p.c.merkleRoot)
    .distinct()
    .outerjoin(BWT.suspects, BWT.suspects.c.provenTxId == _p.c.provenTxId)
    .where(_p.c.height >= bindparam("from_height"), BWT.suspects.c.provenTxId.is_(None))
    .order_by(_p.c.height),
    "stored roots",
)
"""Blocks that proofs lead into which are not in doubt already."""

_unfinished = select(BWT.jobs.c.provenTxReqId).where(BWT.jobs.c.provenTxReqId > bindparam("after"))
_doubted_txids = select(
    select(_p.c.txid).where(_p.c.provenTxId == BWT.suspects.c.provenTxId).correlate(BWT.suspects).scalar_subquery()
).select_from(BWT.suspects)
"""Put so that a planner can only come from the suspects: there are few."""
_is_outside = func.length(_r.c.inputBEEF) > bindparam("empty_length")
REQS_SHOWN_WITH_ANCESTRY = Statement(
    union(
        select(_r.c.provenTxReqId).where(_r.c.provenTxReqId.in_(_unfinished), _is_outside),
        select(_r.c.provenTxReqId).where(
            _r.c.txid.in_(_doubted_txids), unindexed(_r.c.provenTxReqId) > bindparam("after"), _is_outside
        ),
    ).order_by("provenTxReqId"),
    "reqs shown with ancestry",
)
"""Reqs above ``after`` that bring ancestors from elsewhere and have no proof that stands, lowest first."""

SET_INPUT_BEEF = Statement(
    update(_r)
    .where(_r.c.provenTxReqId == bindparam("req_id"))
    .values(inputBEEF=bindparam("input_beef"), updated_at=touched(_r)),
    "set input BEEF",
)

SPENDABLE_OUTPUTS_OF_TXID = Statement(
    select(_o.c.outputId)
    .select_from(OUTPUTS_BY_TXID)
    .where(OF_TXID, unindexed(_o.c.spendable) == 1)
    .order_by(_o.c.outputId),
    "spendable outputs of txid",
)
