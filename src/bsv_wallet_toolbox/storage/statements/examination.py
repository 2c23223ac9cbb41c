"""What the doctor reads row by row or as sums: what kind of file it is, stored transactions, users and their change."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, column, exists, func, literal, or_, select, table, text

from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.interfaces.statuses import ENDED, LISTED_OUTPUT_PARENT, TransactionStatus
from bsv_wallet_toolbox.storage.notes import EvidenceKind
from bsv_wallet_toolbox.storage.schema import BWT, metadata
from bsv_wallet_toolbox.storage.statements.coins import OF_TXID, OUTPUTS_BY_TXID
from bsv_wallet_toolbox.storage.statements.invariants import ENDING
from bsv_wallet_toolbox.storage.statements.parents import gives_outputs

__all__ = [
    "AMOUNTS_OF_CHANGE",
    "APPLIED_MIGRATIONS",
    "AWAITED",
    "CHANGE_SCRIPTS",
    "HELD_CHANGE",
    "INTEGRITY",
    "NEXT_PROVEN",
    "NEXT_REQ",
    "NEXT_USER",
    "OUTPUTS_OF_TXID",
    "RELINQUISHED_CHANGE",
    "REPLAY",
    "RESERVED",
    "SEEN_UNSPENT",
    "TABLE_NAMES",
    "UNSETTLED",
]

_users = metadata.tables["users"]
_t = metadata.tables["transactions"]
_o = metadata.tables["outputs"]
_p = metadata.tables["proven_txs"]
_r = metadata.tables["proven_tx_reqs"]
_spender = _t.alias("spender")
_holds = BWT.holds

_is_alive = _t.c.status.not_in(sorted(ENDED))
_spender_alive = _spender.c.status.not_in(sorted(ENDED))
_spender_ended = _spender.c.status.in_(sorted(ENDED))
_with_parent = _o.join(_t, _t.c.transactionId == _o.c.transactionId)
_with_spender = _with_parent.join(_spender, _spender.c.transactionId == _o.c.spentBy)
_maybe_spender = _with_parent.outerjoin(_spender, _spender.c.transactionId == _o.c.spentBy)

TABLE_NAMES = Statement(
    select(column("name")).select_from(table("sqlite_schema")).where(column("type") == literal("table")),
    "tables of the file",
)

INTEGRITY = Statement(text("PRAGMA integrity_check(20)"), "integrity check")
"""One row "ok", or up to 20 rows that say what SQLite finds wrong with its own pages and indexes."""

APPLIED_MIGRATIONS = Statement(
    select(column("number"), column("name")).select_from(table("bwt_migrations")).order_by(column("number")),
    "applied migrations",
)

NEXT_PROVEN = Statement(
    select(
        _p.c.provenTxId,
        _p.c.txid,
        _p.c.height,
        _p.c.index,
        _p.c.merklePath,
        _p.c.merkleRoot,
        _p.c.rawTx,
        BWT.suspects.c.provenTxId.is_not(None),
    )
    .select_from(_p.outerjoin(BWT.suspects, BWT.suspects.c.provenTxId == _p.c.provenTxId))
    .where(_p.c.provenTxId > bindparam("after"))
    .order_by(_p.c.provenTxId)
    .limit(1),
    "next proven tx",
)

_ending = BWT.evidence.alias("ending")
_ended_at = func.coalesce(
    select(func.max(_ending.c.evidenceId))
    .where(_ending.c.txid == bindparam("ended_txid"), _ending.c.kind.in_(sorted(ENDING)))
    .scalar_subquery(),
    0,
)
SEEN_UNSPENT = Statement(
    select(BWT.evidence.c.evidenceId).where(
        BWT.evidence.c.txid == bindparam("txid"),
        BWT.evidence.c.vout == bindparam("vout"),
        BWT.evidence.c.kind == EvidenceKind.UNSPENT.value,
        BWT.evidence.c.evidenceId > _ended_at,
    ),
    "evidence that an outpoint is unspent",
)
"""Seen after the transaction ``ended_txid`` had ended: what was seen before that does not free its inputs."""

NEXT_REQ = Statement(
    select(_r.c.provenTxReqId, _r.c.txid, _r.c.rawTx, exists(select(literal(1)).where(_p.c.txid == _r.c.txid)))
    .where(_r.c.provenTxReqId > bindparam("after"), _r.c.rawTx.is_not(None))
    .order_by(_r.c.provenTxReqId)
    .limit(1),
    "next req",
)

OUTPUTS_OF_TXID = Statement(
    select(_o.c.outputId, _o.c.vout, _o.c.satoshis, _o.c.scriptLength, _o.c.scriptOffset, _o.c.lockingScript)
    .select_from(OUTPUTS_BY_TXID)
    .where(OF_TXID),
    "outputs of txid",
)

NEXT_USER = Statement(
    select(_users.c.userId, _users.c.identityKey)
    .where(_users.c.userId > bindparam("after"))
    .order_by(_users.c.userId)
    .limit(1),
    "next user",
)

REPLAY = Statement(
    select(func.coalesce(func.sum(_t.c.satoshis), 0)).where(_t.c.userId == bindparam("user_id"), _is_alive),
    "replay of satoshis",
)

_is_kept = and_(_o.c.spendable == 1, _o.c.basketId.is_not(None))
AMOUNTS_OF_CHANGE = Statement(
    select(_t.c.status, _t.c.isOutgoing, _is_kept, func.sum(_o.c.satoshis))
    .select_from(_maybe_spender)
    .where(
        _o.c.userId == bindparam("user_id"),
        _o.c.change == 1,
        _is_alive,
        or_(_spender.c.transactionId.is_(None), _spender_ended),
    )
    .group_by(_t.c.status, _t.c.isOutgoing, _is_kept),
    "amounts of change",
)
"""(status of the parent, whether it is outgoing, kept, satoshis) of change that nothing alive spends.

Kept is what is spendable and was not relinquished, which would put it in no basket.
"""

AWAITED = Statement(
    select(func.coalesce(func.sum(_o.c.satoshis), 0))
    .select_from(_with_parent)
    .where(
        _t.c.userId == bindparam("user_id"),
        _t.c.status == TransactionStatus.SENDING.value,
        _t.c.isOutgoing == 0,
        _o.c.change == 1,
        _o.c.spendable == 1,
    ),
    "change of incoming transactions that nobody accepted",
)

RESERVED = Statement(
    select(func.coalesce(func.sum(_o.c.satoshis), 0))
    .select_from(_with_spender)
    .where(
        _o.c.userId == bindparam("user_id"),
        _o.c.change == 1,
        _is_alive,
        _spender.c.txid.is_(None),
        _spender_alive,
    ),
    "change reserved by unsigned actions",
)

UNSETTLED = Statement(
    select(_t.c.transactionId, _t.c.txid, _t.c.status, _t.c.satoshis)
    .select_from(_t.outerjoin(BWT.suspects, BWT.suspects.c.provenTxId == _t.c.provenTxId))
    .where(
        _t.c.userId == bindparam("user_id"),
        _t.c.txid.is_not(None),
        _is_alive,
        or_(_t.c.status != TransactionStatus.COMPLETED.value, BWT.suspects.c.provenTxId.is_not(None)),
    )
    .order_by(_t.c.transactionId),
    "transactions without a standing proof",
)

HELD_CHANGE = Statement(
    select(_o.c.txid, _o.c.vout, _o.c.satoshis, _holds.c.reason)
    .select_from(_maybe_spender.join(_holds, _holds.c.outputId == _o.c.outputId))
    .where(
        _o.c.userId == bindparam("user_id"),
        _o.c.change == 1,
        _o.c.spendable == 0,
        _is_alive,
        or_(_spender.c.transactionId.is_(None), _spender_ended),
    )
    .order_by(_o.c.outputId),
    "change that is held",
)

RELINQUISHED_CHANGE = Statement(
    select(_o.c.txid, _o.c.vout, _o.c.satoshis, literal("relinquished"))
    .select_from(_maybe_spender)
    .where(
        _o.c.userId == bindparam("user_id"),
        _o.c.change == 1,
        _o.c.spendable == 1,
        _o.c.basketId.is_(None),
        gives_outputs(LISTED_OUTPUT_PARENT),
        or_(_spender.c.transactionId.is_(None), _spender_ended),
    )
    .order_by(_o.c.outputId),
    "change that was relinquished",
)

CHANGE_SCRIPTS = Statement(
    select(_o.c.lockingScript)
    .distinct()
    .where(_o.c.userId == bindparam("user_id"), _o.c.change == 1, _o.c.lockingScript.is_not(None)),
    "scripts of change",
)
