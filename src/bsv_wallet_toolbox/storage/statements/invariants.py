"""The invariants I3 to I6 as queries for the rows that break them.

Each answers the rows that ought not to be there: first the columns of the row's key, then what the text about them
quotes. They take ``count``, the most rows to answer. I2 can't be seen in rows alone, since a row names one spender.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
)

from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.interfaces.statuses import ENDED, ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.storage.notes import EvidenceKind
from bsv_wallet_toolbox.storage.reqs import JobKind
from bsv_wallet_toolbox.storage.schema import BWT, metadata

__all__ = [
    "ENDING",
    "EVIDENCED",
    "INTENDED",
    "PROVEN",
    "SPENDABLE",
    "Offenders",
    "key_of",
    "missing",
    "offenders",
]

_t = metadata.tables["transactions"]
_o = metadata.tables["outputs"]
_p = metadata.tables["proven_txs"]
_r = metadata.tables["proven_tx_reqs"]
_spender = _t.alias("spender")
_notes, _evidence, _holds, _jobs = BWT.notes, BWT.evidence, BWT.holds, BWT.jobs

ENDING = (
    EvidenceKind.REJECTED,
    EvidenceKind.DOUBLE_SPENT,
    EvidenceKind.NOT_SENT,
    EvidenceKind.PARENT_FAILED,
    EvidenceKind.ORPHANED,
)
"""What ends a transaction."""

_UNSIGNED = (TransactionStatus.UNSIGNED, TransactionStatus.UNPROCESSED)
_UNDER_WAY = (TransactionStatus.SENDING, TransactionStatus.UNPROVEN)
_ENDED_REQ = (ProvenTxReqStatus.INVALID, ProvenTxReqStatus.DOUBLE_SPEND)
_TO_SEND = (
    ProvenTxReqStatus.UNSENT,
    ProvenTxReqStatus.SENDING,
    ProvenTxReqStatus.UNPROCESSED,
    ProvenTxReqStatus.NOSEND,
    ProvenTxReqStatus.UNKNOWN,
)
_WITH_A_JOB = frozenset(_TO_SEND) - {ProvenTxReqStatus.UNSENT, ProvenTxReqStatus.SENDING}
"""The monitor gives the others theirs when it looks for work."""
_TO_PROVE = (ProvenTxReqStatus.UNMINED, ProvenTxReqStatus.CALLBACK, ProvenTxReqStatus.UNCONFIRMED)
_COUNT: BindParameter[Any] = bindparam("count")

_KEYS = {
    "settings": ("storageIdentityKey",),
    "certificate_fields": ("certificateId", "fieldName"),
    "output_tags_map": ("outputTagId", "outputId"),
    "tx_labels_map": ("txLabelId", "transactionId"),
}


def key_of(of: Table) -> tuple[Column[Any], ...]:
    """The columns that name a row."""
    return tuple(of.c[name] for name in _KEYS.get(of.name, ())) or tuple(of.primary_key.columns)


@dataclass(frozen=True, slots=True)
class Offenders:
    """Rows of ``entity`` that break a rule: ``keys`` columns of key, then the values quoted by ``text``."""

    entity: str
    text: str
    statement: Statement
    keys: int = 1


def offenders(of: Table, said: str, query: Select[Any], name: str = "") -> Offenders:
    """The rule that ``query`` (key columns first) finds nothing; ``said`` names the values quoted {0}, {1} …"""
    key = key_of(of)
    return Offenders(of.name, said, Statement(query.order_by(*key).limit(_COUNT), name or said), len(key))


def missing(*conditions: ColumnElement[bool], of: FromClause) -> ColumnElement[bool]:
    """There is no row of ``of`` for which the conditions hold."""
    return not_(exists(select(literal(1)).select_from(of).where(*conditions)))


_is_alive = _t.c.status.not_in(sorted(ENDED))
_is_ended = _t.c.status.in_(sorted(ENDED))
_spender_alive = _spender.c.status.not_in(sorted(ENDED))
_spender_ended = _spender.c.status.in_(sorted(ENDED))
_with_parent = _o.join(_t, _t.c.transactionId == _o.c.transactionId)
_with_spender = _with_parent.join(_spender, _spender.c.transactionId == _o.c.spentBy)
_maybe_spender = _with_parent.outerjoin(_spender, _spender.c.transactionId == _o.c.spentBy)
_maybe_hold = _holds.c.outputId == _o.c.outputId
_OUTPUT = (_o.c.outputId, _o.c.txid, _o.c.vout)


def _evidence_of(txid: ColumnElement[Any], *kinds: EvidenceKind, vout: ColumnElement[Any] | None = None) -> Any:
    conditions = [_evidence.c.txid == txid, _evidence.c.kind.in_(sorted(kinds))]
    if vout is not None:
        conditions.append(_evidence.c.vout == vout)
    return and_(*conditions)


# I3: what is spendable

SPENDABLE: tuple[Offenders, ...] = (
    offenders(
        _o,
        "{0}.{1} is spendable although transaction {2} spends it",
        select(*_OUTPUT, _o.c.spentBy).where(_o.c.spendable == 1, _o.c.spentBy.is_not(None)),
    ),
    offenders(
        _o,
        "{0}.{1} is spendable although its transaction is {2}",
        select(*_OUTPUT, _t.c.status).select_from(_with_parent).where(_o.c.spendable == 1, _is_ended),
    ),
    offenders(
        _o,
        "{0}.{1} is spendable although it is held ({2})",
        select(*_OUTPUT, _holds.c.reason).select_from(_o.join(_holds, _maybe_hold)).where(_o.c.spendable == 1),
    ),
    offenders(
        _o,
        "{0}.{1} was never created, yet transaction {2}, which spends it, is {3}",
        select(*_OUTPUT, _spender.c.transactionId, _spender.c.status)
        .select_from(_with_spender)
        .where(_is_ended, _spender_alive),
    ),
)

# I4: proofs

PROVEN: tuple[Offenders, ...] = (
    offenders(
        _t,
        "the status is {0} and provenTxId {1}",
        select(_t.c.transactionId, _t.c.status, func.coalesce(_t.c.provenTxId, literal("NULL"))).where(
            (_t.c.status == TransactionStatus.COMPLETED.value) != _t.c.provenTxId.is_not(None)
        ),
        "transactions whose status and proof disagree",
    ),
    offenders(
        _r,
        "the status is {0} and provenTxId {1}",
        select(_r.c.provenTxReqId, _r.c.status, func.coalesce(_r.c.provenTxId, literal("NULL"))).where(
            (_r.c.status == ProvenTxReqStatus.COMPLETED.value) != _r.c.provenTxId.is_not(None)
        ),
        "reqs whose status and proof disagree",
    ),
    offenders(
        _t,
        "txid {0} is said to be proven by the proof of {1}",
        select(_t.c.transactionId, _t.c.txid, _p.c.txid)
        .select_from(_t.join(_p, _p.c.provenTxId == _t.c.provenTxId))
        .where(_t.c.txid.is_distinct_from(_p.c.txid)),
        "transactions with the proof of another",
    ),
    offenders(
        _r,
        "txid {0} is said to be proven by the proof of {1}",
        select(_r.c.provenTxReqId, _r.c.txid, _p.c.txid)
        .select_from(_r.join(_p, _p.c.provenTxId == _r.c.provenTxId))
        .where(_r.c.txid.is_distinct_from(_p.c.txid)),
        "reqs with the proof of another",
    ),
    offenders(
        _t,
        "the transaction is {0}, its req {1}",
        select(_t.c.transactionId, _t.c.status, _r.c.status)
        .select_from(_t.join(_r, _r.c.txid == _t.c.txid))
        .where(
            (_t.c.status == TransactionStatus.COMPLETED.value) != (_r.c.status == ProvenTxReqStatus.COMPLETED.value),
            # a proof that is set on one side only is named by the rules above
            _t.c.provenTxId.is_not(None) == (_t.c.status == TransactionStatus.COMPLETED.value),
            _r.c.provenTxId.is_not(None) == (_r.c.status == ProvenTxReqStatus.COMPLETED.value),
        ),
    ),
)

# I5: what is freed, held or written off

EVIDENCED: tuple[Offenders, ...] = (
    offenders(
        _o,
        "{0}.{1} ({2} satoshis) is neither spendable nor spent nor held, and nobody was seen to spend it",
        select(*_OUTPUT, _o.c.satoshis)
        .select_from(_with_parent.outerjoin(_holds, _maybe_hold))
        .where(
            _o.c.spendable == 0,
            _o.c.spentBy.is_(None),
            _o.c.purpose != "storage-commission",
            _is_alive,
            _holds.c.outputId.is_(None),
            missing(_evidence_of(_o.c.txid, EvidenceKind.SPENT, vout=_o.c.vout), of=_evidence),
        ),
        "outputs written off",
    ),
    offenders(
        _o,
        "{0}.{1} is still spent by transaction {2}, which is {3}, and is not held",
        select(*_OUTPUT, _o.c.spentBy, _spender.c.status)
        .select_from(_with_spender.outerjoin(_holds, _maybe_hold))
        .where(_spender_ended, _o.c.spendable == 0, _holds.c.outputId.is_(None)),
    ),
    offenders(
        _holds,
        "{0}.{1} is held ({2}) although transaction {3}, which spends it, is alive",
        select(_holds.c.outputId, _o.c.txid, _o.c.vout, _holds.c.reason, _o.c.spentBy)
        .select_from(_with_spender.join(_holds, _maybe_hold))
        .where(_spender_alive, _holds.c.reason != "proofInDoubt"),
    ),
    offenders(
        _holds,
        "{0}.{1} counts as spent elsewhere, but nobody was seen to spend it",
        select(_holds.c.outputId, _o.c.txid, _o.c.vout)
        .select_from(_o.join(_holds, _maybe_hold))
        .where(
            _holds.c.reason == "spentElsewhere",
            missing(_evidence_of(_o.c.txid, EvidenceKind.SPENT, vout=_o.c.vout), of=_evidence),
        ),
    ),
    offenders(
        _t,
        "{0} is failed, but nothing was seen that ends it",
        select(_t.c.transactionId, _t.c.txid).where(
            _t.c.status == TransactionStatus.FAILED.value,
            _t.c.txid.is_not(None),
            missing(
                _evidence_of(_t.c.txid, *ENDING),
                of=_evidence,
            ),
        ),
    ),
)

# I6: intents

_earlier = _notes.alias("earlier")


def _first_post(column: ColumnElement[Any]) -> Any:
    """The least of a column in the notes about posting a req's transaction."""
    noted = select(func.min(column)).where(_notes.c.txid == _r.c.txid, _notes.c.what == "postBeef")
    return noted.correlate(_r).scalar_subquery()


INTENDED: tuple[Offenders, ...] = (
    offenders(
        _r,
        "{0} was broadcast before it was written down that it would be",
        select(_r.c.provenTxReqId, _r.c.txid).where(
            _r.c.created_at > _first_post(_notes.c.when),
            # Unless the clock was set back: what was noted before the post was noted at a later time.
            missing(_earlier.c.noteId < _first_post(_notes.c.noteId), _earlier.c.when >= _r.c.created_at, of=_earlier),
        ),
    ),
    offenders(
        _t,
        "the transaction is {0} and has no req that anybody works on",
        select(_t.c.transactionId, _t.c.status).where(
            _t.c.status.in_((*_UNDER_WAY, TransactionStatus.NOSEND)), missing(_r.c.txid == _t.c.txid, of=_r)
        ),
    ),
    offenders(
        _t,
        "the transaction is {0} although its req is {1}",
        select(_t.c.transactionId, _t.c.status, _r.c.status)
        .select_from(_t.join(_r, _r.c.txid == _t.c.txid))
        .where(_is_alive, _r.c.status.in_(_ENDED_REQ), _t.c.status != TransactionStatus.COMPLETED.value),
        "living transactions of ended reqs",
    ),
    offenders(
        _r,
        "{0} is {1} and no job takes it any further",
        select(_r.c.provenTxReqId, _r.c.txid, _r.c.status).where(
            _r.c.status.in_((*sorted(_WITH_A_JOB), *_TO_PROVE)),
            exists(select(literal(1)).where(_t.c.txid == _r.c.txid, _t.c.status.in_(_UNDER_WAY))),
            missing(_jobs.c.provenTxReqId == _r.c.provenTxReqId, of=_jobs),
        ),
    ),
    offenders(
        _jobs,
        "the job is '{0}' although the req is {1}",
        select(_jobs.c.provenTxReqId, _jobs.c.kind, _r.c.status)
        .select_from(_jobs.join(_r, _r.c.provenTxReqId == _jobs.c.provenTxReqId))
        .where(
            not_(
                or_(
                    and_(_jobs.c.kind == JobKind.SEND.value, _r.c.status.in_(_TO_SEND)),
                    and_(_jobs.c.kind == JobKind.PROVE.value, _r.c.status.in_(_TO_PROVE)),
                )
            )
        ),
    ),
    offenders(
        _t,
        "the action is {0} and nothing says when it is given up",
        select(_t.c.transactionId, _t.c.status)
        .select_from(_t.outerjoin(BWT.actions, BWT.actions.c.transactionId == _t.c.transactionId))
        .where(_t.c.status.in_(_UNSIGNED), _t.c.txid.is_(None), BWT.actions.c.abandonAt.is_(None)),
    ),
)
