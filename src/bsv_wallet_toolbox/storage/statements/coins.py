"""Coins: spendable change of a user, how they are counted, chosen, claimed, freed and held."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    not_,
    or_,
    select,
    update,
)

from bsv_wallet_toolbox.database.statements import Statement, unindexed, values_of
from bsv_wallet_toolbox.interfaces.statuses import AVAILABLE_PARENT, ENDED, TransactionStatus
from bsv_wallet_toolbox.storage.schema import BWT, metadata
from bsv_wallet_toolbox.storage.statements.parents import gives_outputs, withholds_outputs
from bsv_wallet_toolbox.storage.timestamps import touched

_o = metadata.tables["outputs"]
_t = metadata.tables["transactions"]

ONE: ColumnElement[int] = literal_column("1")
"""Written into the text, not bound: a partial index is used only when its condition stands in the statement."""

_IS_CHANGE = and_(_o.c.spendable == ONE, _o.c.change == ONE)
_HAS_KEY = and_(_o.c.type == literal_column("'P2PKH'"), _o.c.derivationPrefix.is_not(None))
_IN_BASKET = and_(_o.c.userId == bindparam("user_id"), _o.c.basketId == bindparam("basket_id"), _IS_CHANGE, _HAS_KEY)
_OF_TRANSACTION = and_(
    _t.c.userId == bindparam("user_id"),
    unindexed(_o.c.basketId) == bindparam("basket_id"),
    unindexed(_o.c.spendable) == ONE,
    _o.c.change == ONE,
    _HAS_KEY,
)
"""The same, put so that a planner can only come from the transaction: there are few of those asked for."""
_COIN_COLUMNS = (
    _o.c.outputId,
    _o.c.satoshis,
    _o.c.txid,
    _o.c.vout,
    _o.c.lockingScript,
    _o.c.derivationPrefix,
    _o.c.derivationSuffix,
    _o.c.senderIdentityKey,
    (_t.c.status == TransactionStatus.COMPLETED.value).label("proven"),
)


OUTPUTS_BY_TXID = _t.join(_o, _o.c.transactionId == _t.c.transactionId)
OF_TXID = _t.c.txid == bindparam("txid")
"""Outputs are found through their transactions: an index of their own on the txid would be written at every action."""


@dataclass(frozen=True, slots=True)
class CoinStatements:
    """How coins are chosen and counted for one kind of action; the statuses stand in the text of the statements."""

    of_exactly: Statement
    at_least: Statement
    below: Statement
    count_any: Statement
    """Coins whatever their transaction's status, no further than ``cap``: the index alone answers."""
    count_unavailable: Statement
    """Those of living transactions that can't fund, no further than ``cap``: as a rule there are few."""
    count_available: Statement
    """The difference, coin by coin, no further than ``cap``."""


def _coin_statements(kind: str, parents: Collection[TransactionStatus]) -> CoinStatements:
    available = and_(_IN_BASKET, gives_outputs(parents))
    joined = _o.join(_t, _t.c.transactionId == _o.c.transactionId)

    def pick(condition: ColumnElement[bool], *order: ColumnElement[Any], name: str) -> Statement:
        query = select(*_COIN_COLUMNS).select_from(joined).where(available, condition).order_by(*order)
        query = query.with_hint(_o, "INDEXED BY bwt_outputs_coins", "sqlite")
        return Statement(query.limit(bindparam("count")), f"{name} ({kind})")

    def count(source: FromClause, condition: ColumnElement[bool], name: str) -> Statement:
        capped = select(ONE.label("one")).select_from(source).where(condition).limit(bindparam("cap")).subquery()
        return Statement(select(func.count()).select_from(capped), f"{name} ({kind})")

    by_status = _t.join(_o, _o.c.transactionId == _t.c.transactionId)
    target: ColumnElement[int] = bindparam("target")
    return CoinStatements(
        of_exactly=pick(_o.c.satoshis == target, _o.c.outputId, name="coin of exactly"),
        at_least=pick(_o.c.satoshis >= target, _o.c.satoshis, _o.c.outputId, name="coin at least"),
        below=pick(_o.c.satoshis < target, _o.c.satoshis.desc(), _o.c.outputId.desc(), name="coin below"),
        count_any=count(_o, _IN_BASKET, "count coins of any status"),
        count_unavailable=count(
            by_status,
            and_(withholds_outputs(parents), _OF_TRANSACTION),
            "count unavailable coins",
        ),
        count_available=count(joined, available, "count available coins"),
    )


IMMEDIATE = _coin_statements("immediate", AVAILABLE_PARENT)
DELAYED = _coin_statements("delayed", AVAILABLE_PARENT | {TransactionStatus.SENDING})

CLAIM_COINS = Statement(
    update(_o)
    .where(_o.c.outputId.in_(values_of("ids")), _o.c.spendable == ONE, _o.c.spentBy.is_(None))
    .values(spendable=0, spentBy=bindparam("transaction_id"), updated_at=touched(_o)),
    "claim coins",
)

COINS_SPENT_BY = Statement(
    select(_o.c.outputId, _o.c.txid, _o.c.vout, _o.c.lockingScript, _t.c.status)
    .join(_t, _t.c.transactionId == _o.c.transactionId)
    .where(_o.c.spentBy == bindparam("transaction_id"))
    .order_by(_o.c.outputId),
    "coins spent by",
)

PARENTS = Statement(
    select(_t.c.transactionId, _t.c.status)
    .select_from(_o)
    .join(_t, _t.c.transactionId == _o.c.transactionId)
    .where(_o.c.spentBy == bindparam("transaction_id")),
    "parents",
)

FORGET_SPENDER = Statement(
    update(_o)
    .where(_o.c.outputId == bindparam("output_id"), _o.c.spentBy == bindparam("transaction_id"))
    .values(spendable=0, spentBy=None, updated_at=touched(_o)),
    "forget spender",
)

_made_by_ended = exists(
    select(ONE).where(_t.c.transactionId == _o.c.transactionId, _t.c.status.in_(sorted(ENDED))).correlate(_o)
)
"""Such an output was never created. Balance and counts rely on it that none is ever spendable."""

FREE_COIN = Statement(
    update(_o)
    .where(_o.c.outputId == bindparam("output_id"), _o.c.spentBy == bindparam("transaction_id"))
    .values(spendable=case((_made_by_ended, 0), else_=1), spentBy=None, updated_at=touched(_o)),
    "free coin",
)
"""No longer spent; spendable unless its own transaction has ended meanwhile."""

HOLD_COIN = Statement(
    insert(BWT.holds).values(
        outputId=bindparam("output_id"),
        reason=bindparam("reason"),
        transactionId=bindparam("transaction_id"),
        created_at=bindparam("now"),
    ),
    "hold coin",
)

IS_HELD = Statement(select(BWT.holds.c.reason).where(BWT.holds.c.outputId == bindparam("output_id")), "is held")

UNHOLD_COIN = Statement(delete(BWT.holds).where(BWT.holds.c.outputId == bindparam("output_id")), "unhold coin")

MARK_SPENDABLE = Statement(
    update(_o)
    .where(
        _o.c.outputId == bindparam("output_id"),
        _o.c.spentBy.is_(None),
        or_(bindparam("spendable") == 0, not_(_made_by_ended)),
    )
    .values(spendable=bindparam("spendable"), updated_at=touched(_o)),
    "mark spendable",
)
"""Nothing happens to a spent output, nor to one whose own transaction has ended."""

HELD_COINS = Statement(
    select(
        BWT.holds.c.outputId,
        BWT.holds.c.reason,
        BWT.holds.c.transactionId,
        _o.c.txid,
        _o.c.vout,
        _o.c.lockingScript,
        _o.c.satoshis,
        _o.c.userId,
    )
    .join(_o, _o.c.outputId == BWT.holds.c.outputId)
    .where(BWT.holds.c.reason == bindparam("reason"), BWT.holds.c.outputId > bindparam("after"))
    .order_by(BWT.holds.c.outputId)
    .limit(bindparam("count")),
    "held coins",
)

HELD_OF_TXID = Statement(
    select(BWT.holds.c.outputId)
    .select_from(OUTPUTS_BY_TXID)
    .join(BWT.holds, BWT.holds.c.outputId == _o.c.outputId)
    .where(OF_TXID, BWT.holds.c.reason == bindparam("reason")),
    "held coins of txid",
)

OUTPUTS_UNSPENDABLE = Statement(
    update(_o)
    .where(_o.c.transactionId == bindparam("transaction_id"), unindexed(_o.c.spendable) == ONE)
    .values(spendable=0, updated_at=touched(_o)),
    "outputs unspendable",
)

UNSPENT_OUTPUTS = Statement(
    select(_o.c.outputId)
    .outerjoin(BWT.holds, BWT.holds.c.outputId == _o.c.outputId)
    .where(
        _o.c.transactionId == bindparam("transaction_id"),
        unindexed(_o.c.spentBy).is_(None),
        unindexed(_o.c.spendable) == literal_column("0"),
        BWT.holds.c.outputId.is_(None),
    )
    .order_by(_o.c.outputId),
    "unspent outputs of a transaction that are not held",
)

CHILDREN = Statement(
    select(_t.c.transactionId, _t.c.status)
    .distinct()
    .select_from(_o)
    .join(_t, _t.c.transactionId == _o.c.spentBy)
    .where(_o.c.transactionId == bindparam("transaction_id")),
    "children",
)

OUTPUTS_BY_OUTPOINT = Statement(
    select(
        _o.c.outputId,
        _o.c.userId,
        _o.c.spendable,
        _o.c.spentBy,
        _o.c.transactionId,
        _o.c.satoshis,
        _o.c.change,
    )
    .select_from(OUTPUTS_BY_TXID)
    .where(OF_TXID, _o.c.vout == bindparam("vout")),
    "outputs by outpoint",
)

OWN_OUTPUT = Statement(
    select(_o.c.outputId, _o.c.spendable, _o.c.spentBy, _o.c.change, _o.c.type, _o.c.providedBy)
    .select_from(OUTPUTS_BY_TXID)
    .where(OF_TXID, unindexed(_t.c.userId) == bindparam("user_id"), _o.c.vout == bindparam("vout")),
    "own output by outpoint",
)

NO_SEND_COIN = Statement(
    select(*_COIN_COLUMNS)
    .select_from(OUTPUTS_BY_TXID)
    .where(
        OF_TXID,
        _o.c.vout == bindparam("vout"),
        _t.c.status == TransactionStatus.NOSEND.value,
        unindexed(_t.c.userId) == bindparam("user_id"),
        unindexed(_o.c.basketId) == bindparam("basket_id"),
        unindexed(_o.c.spendable) == ONE,
        unindexed(_o.c.spentBy).is_(None),
        _o.c.change == ONE,
        _o.c.providedBy == "storage",
        _o.c.purpose == "change",
        _o.c.satoshis > 0,
        _HAS_KEY,
    ),
    "coin of an action that is held back",
)

CLAIM_INPUT = Statement(
    update(_o)
    .where(_o.c.outputId == bindparam("output_id"), _o.c.spendable == ONE, _o.c.spentBy.is_(None))
    .values(
        spendable=0,
        spentBy=bindparam("transaction_id"),
        spendingDescription=bindparam("description"),
        updated_at=touched(_o),
    ),
    "claim input",
)

SPEND_OUTPUT = Statement(
    update(_o)
    .where(_o.c.outputId == bindparam("output_id"), _o.c.spentBy.is_(None))
    .values(spendable=0, spentBy=bindparam("transaction_id"), updated_at=touched(_o)),
    "spend output",
)

SPEND_OUTPUT_AFTER_ALL = Statement(
    update(_o)
    .where(_o.c.outputId == bindparam("output_id"))
    .values(spendable=0, spentBy=bindparam("transaction_id"), updated_at=touched(_o)),
    "spend output after all",
)

FIND_SPENDS = Statement(
    select(BWT.spends.c.vout, BWT.spends.c.transactionId, _t.c.status)
    .join(_t, _t.c.transactionId == BWT.spends.c.transactionId)
    .where(BWT.spends.c.txid == bindparam("txid"), BWT.spends.c.userId == bindparam("user_id")),
    "find spends",
)

IS_RESERVED = Statement(
    select(ONE).where(
        BWT.spends.c.txid == bindparam("txid"),
        BWT.spends.c.vout == bindparam("vout"),
        BWT.spends.c.userId == bindparam("user_id"),
        BWT.spends.c.transactionId == bindparam("transaction_id"),
    ),
    "is an outpoint without a row reserved for a transaction",
)

OTHER_SPENDER = Statement(
    select(BWT.spends.c.transactionId, case((_o.c.change == ONE, _o.c.satoshis), else_=0))
    .select_from(_o)
    .join(
        BWT.spends,
        and_(
            BWT.spends.c.txid == _o.c.txid,
            BWT.spends.c.vout == _o.c.vout,
            BWT.spends.c.userId == _o.c.userId,
        ),
    )
    .join(_t, _t.c.transactionId == BWT.spends.c.transactionId)
    .where(_o.c.outputId == bindparam("output_id"), _t.c.status.not_in(sorted(ENDED))),
    "other spender",
)
"""The living transaction that came in and spends an output of which an action of ours had the row; its change."""

INSERT_SPEND = Statement(
    insert(BWT.spends).values(
        txid=bindparam("txid"),
        vout=bindparam("vout"),
        userId=bindparam("user_id"),
        transactionId=bindparam("transaction_id"),
    ),
    "insert spend",
)
