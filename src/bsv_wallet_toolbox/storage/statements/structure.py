"""The structure of a file as queries for rows that break it: references, dates, ids, rows that contradict others.

See ``invariants`` for the form of the queries. References are checked by SQL: our own tables have no foreign keys, and
other toolboxes may have written with theirs switched off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Integer, Table, bindparam, func, not_, or_, select

from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.interfaces.statuses import ENDED, Chain, ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.storage.schema import BWT, Timestamp, metadata
from bsv_wallet_toolbox.storage.statements.invariants import Offenders, key_of, missing, offenders

__all__ = ["COUNTS", "DATES", "IDS", "ORPHANS", "STRUCTURE"]

_users = metadata.tables["users"]
_baskets = metadata.tables["output_baskets"]
_settings = metadata.tables["settings"]
_t = metadata.tables["transactions"]
_o = metadata.tables["outputs"]
_p = metadata.tables["proven_txs"]
_r = metadata.tables["proven_tx_reqs"]
_spender = _t.alias("spender")
_with_parent = _o.join(_t, _t.c.transactionId == _o.c.transactionId)
_maybe_spender = _with_parent.outerjoin(_spender, _spender.c.transactionId == _o.c.spentBy)

_MAX_ID = 2**53 - 1
_DATE = "____-__-__T__:__:__.___Z"
_TABLES: tuple[Table, ...] = tuple(metadata.sorted_tables)

COUNTS = {each.name: Statement(select(func.count()).select_from(each), f"count {each.name}") for each in _TABLES}


def _references() -> Iterator[tuple[Table, Column[Any], Column[Any]]]:
    for each in _TABLES:
        for name in each.columns:
            for key in name.foreign_keys:
                yield each, name, key.column
    for source, target in (
        (BWT.counters.c.userId, _users.c.userId),
        (BWT.requests.c.userId, _users.c.userId),
        (BWT.requests.c.transactionId, _t.c.transactionId),
        (BWT.actions.c.transactionId, _t.c.transactionId),
        (BWT.jobs.c.provenTxReqId, _r.c.provenTxReqId),
        (BWT.holds.c.outputId, _o.c.outputId),
        (BWT.holds.c.transactionId, _t.c.transactionId),
        (BWT.suspects.c.provenTxId, _p.c.provenTxId),
        (BWT.notes.c.transactionId, _t.c.transactionId),
    ):
        yield source.table, source, target


def _orphans() -> Iterator[Offenders]:
    for of, name, target in _references():
        target = (target.table.alias() if target.table is of else target.table).c[target.name]
        found = missing(target == name, of=target.table)
        yield offenders(
            of,
            f"{name.name} {{0}} refers to no row of {target.table.name}",
            select(*key_of(of), name).where(name.is_not(None), found),
            f"orphans of {of.name}.{name.name}",
        )


ORPHANS: tuple[Offenders, ...] = tuple(_orphans())


def _dates() -> Iterator[Offenders]:
    for of in _TABLES:
        dates = [each for each in of.columns if isinstance(each.type, Timestamp)]
        if dates:
            wrong = or_(*(each.not_like(_DATE) for each in dates))
            said = "a date is not written as 2026-01-31T23:59:59.999Z"
            yield offenders(of, said, select(*key_of(of)).where(wrong), f"dates of {of.name}")


DATES: tuple[Offenders, ...] = tuple(_dates())


def _ids() -> Iterator[Offenders]:
    for of in _TABLES:
        key = key_of(of)
        if len(key) == 1 and isinstance(key[0].type, Integer):
            said = "the id is not between 1 and 2^53 - 1"
            yield offenders(of, said, select(*key).where(not_(key[0].between(1, _MAX_ID))), f"ids of {of.name}")


IDS: tuple[Offenders, ...] = tuple(_ids())


def _repeated(of: Table, *same: Column[Any], said: str) -> Offenders:
    (key,) = key_of(of)
    query = select(func.min(key).label("key"), same[-1], func.count().label("times"))
    found = query.where(same[-1].is_not(None)).group_by(*same).having(func.count() > 1)
    return Offenders(of.name, said, Statement(found.order_by("key").limit(bindparam("count")), f"repeated {of.name}"))


STRUCTURE: tuple[Offenders, ...] = (
    offenders(
        _users,
        "the user has no basket 'default'",
        select(_users.c.userId).where(
            missing(
                _baskets.c.userId == _users.c.userId,
                _baskets.c.name == "default",
                _baskets.c.isDeleted == 0,
                of=_baskets,
            )
        ),
    ),
    offenders(
        _o,
        "{0}.{1} is no change but stands in basket 'default'",
        select(_o.c.outputId, _o.c.txid, _o.c.vout)
        .select_from(_o.join(_baskets, _baskets.c.basketId == _o.c.basketId))
        .where(_baskets.c.name == "default", _o.c.change == 0),
    ),
    offenders(
        _t,
        "the status {0} does not exist",
        select(_t.c.transactionId, _t.c.status).where(_t.c.status.not_in(sorted(TransactionStatus))),
        "transactions of unknown status",
    ),
    offenders(
        _r,
        "the status {0} does not exist",
        select(_r.c.provenTxReqId, _r.c.status).where(_r.c.status.not_in(sorted(ProvenTxReqStatus))),
        "reqs of unknown status",
    ),
    offenders(
        _settings,
        "the chain {0} does not exist",
        select(_settings.c.storageIdentityKey, _settings.c.chain).where(_settings.c.chain.not_in(sorted(Chain))),
    ),
    offenders(
        _o,
        "the output names txid {0}, its transaction {1}",
        select(_o.c.outputId, _o.c.txid, _t.c.txid)
        .select_from(_with_parent)
        .where(_o.c.txid.is_distinct_from(_t.c.txid)),
    ),
    offenders(
        _o,
        "the output belongs to user {0}, its transaction, basket or spender to another",
        select(_o.c.outputId, _o.c.userId)
        .select_from(_maybe_spender.outerjoin(_baskets, _baskets.c.basketId == _o.c.basketId))
        .where(
            or_(
                _t.c.userId != _o.c.userId,
                _spender.c.userId != _o.c.userId,
                _baskets.c.userId != _o.c.userId,
            )
        ),
    ),
    _repeated(_o, _o.c.userId, _o.c.vout, _o.c.txid, said="one user has an output of {0} in {1} rows"),
    _repeated(_t, _t.c.userId, _t.c.txid, said="one user has txid {0} in {1} rows"),
    _repeated(_r, _r.c.txid, said="txid {0} has {1} reqs"),
    _repeated(_p, _p.c.txid, said="txid {0} has {1} proofs"),
    offenders(
        _t,
        "the bytes of {0} are nowhere in the file",
        select(_t.c.transactionId, _t.c.txid).where(
            _t.c.status.not_in(sorted(ENDED)),
            _t.c.txid.is_not(None),
            _t.c.rawTx.is_(None),
            missing(_r.c.txid == _t.c.txid, _r.c.rawTx.is_not(None), of=_r),
            missing(_p.c.txid == _t.c.txid, _p.c.rawTx.is_not(None), of=_p),
        ),
    ),
)
