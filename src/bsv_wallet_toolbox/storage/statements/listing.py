"""Listings: pages of outputs and actions, their exact totals, and what is shown beside the rows of a page.

What is shown beside a page (scripts, inputs and outputs of actions; tags and labels stand in ``actions``) is read by
lists of ids, with one statement each however many rows there are. Statements that come in variants stand together in a
frozen dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal,
    select,
    true,
    union_all,
)

from bsv_wallet_toolbox.database.statements import Statement, unindexed, values_of
from bsv_wallet_toolbox.interfaces.statuses import AVAILABLE_PARENT, LISTED_OUTPUT_PARENT
from bsv_wallet_toolbox.storage.schema import metadata
from bsv_wallet_toolbox.storage.statements.parents import gives_outputs, withholds_outputs

__all__ = [
    "ACTION_INPUTS",
    "ACTION_OUTPUTS",
    "ALL_TAGS",
    "ANY_TAG",
    "EVERY_ACTION",
    "LOCKING_SCRIPTS",
    "RAW_TRANSACTIONS",
    "STILL_UNSPENT",
    "UNSPENT_IN_BASKET",
    "UNTAGGED",
    "WITH_ALL_LABELS",
    "WITH_ANY_LABEL",
    "WITH_LABEL",
    "ActionStatements",
    "OutputStatements",
]

_o = metadata.tables["outputs"]
_t = metadata.tables["transactions"]
_baskets = metadata.tables["output_baskets"]
_tags_map = metadata.tables["output_tags_map"]
_labels_map = metadata.tables["tx_labels_map"]
_p = metadata.tables["proven_txs"]
_r = metadata.tables["proven_tx_reqs"]


# Outputs


@dataclass(frozen=True, slots=True)
class OutputStatements:
    """One way to select outputs. Parameters: user_id, basket_id, and name_ids, name_count where tags select.

    The pages (count, skip) answer outputId, transactionId, txid, vout, satoshis, customInstructions. ``total`` is the
    number of outputs, ``satoshis`` their sum, ``change_satoshis`` the sum of those that may fund actions.
    """

    oldest_first: Statement
    newest_first: Statement
    total: Statement
    satoshis: Statement
    change_satoshis: Statement


_IS_CHANGE = (_o.c.change == 1, _o.c.type == literal("P2PKH"), _o.c.derivationPrefix.is_not(None))

_own_tags = (
    _tags_map.c.outputId == _o.c.outputId,
    _tags_map.c.outputTagId.in_(values_of("name_ids")),
    _tags_map.c.isDeleted == 0,
)
# Looked up output by output: a basket holds what is spendable now, a tag everything that ever carried it. A tag stands
# once at an output, so counting rows is counting tags.
_any_tag = exists().where(*_own_tags)
_all_tags = select(func.count()).where(*_own_tags).correlate(_o).scalar_subquery() == bindparam("name_count")


def _in_basket(tagged: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    return (
        _o.c.userId == bindparam("user_id"),
        _o.c.basketId == bindparam("basket_id"),
        _o.c.spendable == 1,
        tagged,
    )


_OUTPUT = (
    _o.c.outputId,
    _o.c.transactionId,
    func.coalesce(_o.c.txid, _t.c.txid, literal("")),
    _o.c.vout,
    _o.c.satoshis,
    _o.c.customInstructions,
)


def _page(tagged: ColumnElement[bool], order: ColumnElement[Any]) -> Select[Any]:
    return (
        select(*_OUTPUT)
        .join(_t, _t.c.transactionId == _o.c.transactionId)
        .where(*_in_basket(tagged), gives_outputs(LISTED_OUTPUT_PARENT))
        .order_by(order)
        .limit(bindparam("count"))
        .offset(bindparam("skip"))
    )


def _of_listed(
    aggregate: ColumnElement[Any], tagged: ColumnElement[bool], *conditions: ColumnElement[bool]
) -> Select[Any]:
    """An aggregate over the outputs that may be listed: over all in the basket, which takes the index alone, less that
    over the few whose transaction lives but does not give its outputs yet."""
    everything = select(aggregate).select_from(_o).where(*_in_basket(tagged), *conditions)
    unlisted = (
        select(aggregate)
        .select_from(_t)
        .join(_o, _o.c.transactionId == _t.c.transactionId)
        .where(
            _t.c.userId == bindparam("user_id"),
            withholds_outputs(LISTED_OUTPUT_PARENT),
            unindexed(_o.c.userId) == bindparam("user_id"),
            unindexed(_o.c.basketId) == bindparam("basket_id"),
            unindexed(_o.c.spendable) == 1,
            tagged,
            *conditions,
        )
    )
    return select(everything.scalar_subquery() - unlisted.scalar_subquery())


def _output_statements(tagged: ColumnElement[bool], name: str) -> OutputStatements:
    satoshis = func.coalesce(func.sum(_o.c.satoshis), 0)
    return OutputStatements(
        oldest_first=Statement(_page(tagged, _o.c.outputId), f"outputs{name}, oldest first"),
        newest_first=Statement(_page(tagged, _o.c.outputId.desc()), f"outputs{name}, newest first"),
        total=Statement(_of_listed(func.count(), tagged), f"number of outputs{name}"),
        satoshis=Statement(_of_listed(satoshis, tagged), f"satoshis of outputs{name}"),
        change_satoshis=Statement(_of_listed(satoshis, tagged, *_IS_CHANGE), f"satoshis of change{name}"),
    )


UNTAGGED = _output_statements(true(), "")
ANY_TAG = _output_statements(_any_tag, " with any tag")
ALL_TAGS = _output_statements(_all_tags, " with all tags")

UNSPENT_IN_BASKET = Statement(
    select(*_OUTPUT)
    .join(_t, _t.c.transactionId == _o.c.transactionId)
    .where(*_in_basket(true()), _o.c.outputId > bindparam("after"), gives_outputs(AVAILABLE_PARENT))
    .order_by(_o.c.outputId)
    .limit(bindparam("count")),
    "outputs that the network should have as unspent",
)
"""As the pages above. What is not accepted yet the network need not know."""

STILL_UNSPENT = Statement(
    select(_o.c.outputId, _o.c.txid, _o.c.vout)
    .join(_t, _t.c.transactionId == _o.c.transactionId)
    .where(
        _o.c.outputId.in_(values_of("ids")),
        unindexed(_o.c.userId) == bindparam("user_id"),
        unindexed(_o.c.spendable) == 1,
        unindexed(_o.c.spentBy).is_(None),
        gives_outputs(AVAILABLE_PARENT),
    )
    .order_by(_o.c.outputId),
    "which outputs are unspent still",
)


# Actions


@dataclass(frozen=True, slots=True)
class ActionStatements:
    """One way to select actions. Parameters: user_id, statuses, and name_ids (name_id), name_count where labels select.

    The pages (count, skip) answer transactionId, txid, satoshis, status, isOutgoing, description, version, lockTime,
    created_at, reference. The variants ``in_time`` also take created_from and created_before.
    """

    page: Statement
    total: Statement
    page_in_time: Statement
    total_in_time: Statement


_ACTION = (
    _t.c.transactionId,
    _t.c.txid,
    _t.c.satoshis,
    _t.c.status,
    _t.c.isOutgoing,
    _t.c.description,
    _t.c.version,
    _t.c.lockTime,
    _t.c.created_at,
    _t.c.reference,
)
_IN_TIME = and_(_t.c.created_at >= bindparam("created_from"), _t.c.created_at < bindparam("created_before"))

_every_action = (
    select(_t.c.transactionId)
    .select_from(_t)
    .where(_t.c.userId == bindparam("user_id"), _t.c.status.in_(values_of("statuses")))
)
_checked = (unindexed(_t.c.userId) == bindparam("user_id"), unindexed(_t.c.status).in_(values_of("statuses")))
# One label is the usual case: its index holds the transactions in order, so that a page reads no more than itself.
_with_label = (
    select(_labels_map.c.transactionId)
    .select_from(_t.join(_labels_map, _labels_map.c.transactionId == _t.c.transactionId))
    .where(*_checked, _labels_map.c.txLabelId == bindparam("name_id"), _labels_map.c.isDeleted == 0)
)
_of_any_label = select(_labels_map.c.transactionId).where(
    _labels_map.c.txLabelId.in_(values_of("name_ids")), _labels_map.c.isDeleted == 0
)
_of_all_labels = _of_any_label.group_by(_labels_map.c.transactionId).having(func.count() == bindparam("name_count"))


def _with_labels(labelled: Select[Any]) -> Select[Any]:
    return select(_t.c.transactionId).select_from(_t).where(*_checked, _t.c.transactionId.in_(labelled))


def _page_of_actions(ids: Select[Any], name: str) -> Statement:
    """Sorted are the ids alone, mostly straight from an index; rows are read for the page only."""
    chosen = ids.order_by(*ids.selected_columns).limit(bindparam("count")).offset(bindparam("skip")).correlate(None)
    return Statement(select(*_ACTION).where(_t.c.transactionId.in_(chosen)).order_by(_t.c.transactionId), name)


def _action_statements(ids: Select[Any], name: str) -> ActionStatements:
    total = ids.with_only_columns(func.count())
    return ActionStatements(
        page=_page_of_actions(ids, f"actions{name}"),
        total=Statement(total, f"number of actions{name}"),
        page_in_time=_page_of_actions(ids.where(_IN_TIME), f"actions{name} in time"),
        total_in_time=Statement(total.where(_IN_TIME), f"number of actions{name} in time"),
    )


EVERY_ACTION = _action_statements(_every_action, "")
WITH_LABEL = _action_statements(_with_label, " with a label")
WITH_ANY_LABEL = _action_statements(_with_labels(_of_any_label), " with any label")
WITH_ALL_LABELS = _action_statements(_with_labels(_of_all_labels), " with all labels")


# What is shown beside the rows of a page

LOCKING_SCRIPTS = Statement(
    select(_o.c.outputId, _o.c.lockingScript, _o.c.scriptLength, _o.c.scriptOffset, _o.c.txid).where(
        _o.c.outputId.in_(values_of("ids"))
    ),
    "locking scripts of outputs",
)

RAW_TRANSACTIONS = Statement(
    union_all(
        select(_p.c.txid, _p.c.rawTx).where(_p.c.txid.in_(values_of("txids")), _p.c.rawTx.is_not(None)),
        select(_r.c.txid, _r.c.rawTx).where(
            _r.c.txid.in_(values_of("txids")),
            unindexed(_r.c.status).in_(values_of("readable")),
            _r.c.rawTx.is_not(None),
        ),
    ),
    "raw transactions",
)
"""A transaction with both a proof and a req comes twice, with the same bytes."""

ACTION_OUTPUTS = Statement(
    select(
        _o.c.transactionId,
        _o.c.outputId,
        _o.c.vout,
        _o.c.satoshis,
        _o.c.spendable,
        _o.c.outputDescription,
        _baskets.c.name,
    )
    .select_from(_o)
    .outerjoin(_baskets, _baskets.c.basketId == _o.c.basketId)
    .where(_o.c.transactionId.in_(values_of("ids")), unindexed(_o.c.userId) == bindparam("user_id"))
    .order_by(_o.c.outputId),
    "outputs of actions",
)

ACTION_INPUTS = Statement(
    select(_o.c.spentBy, _o.c.outputId, _o.c.txid, _o.c.vout, _o.c.satoshis, _o.c.spendingDescription)
    .where(_o.c.spentBy.in_(values_of("ids")), unindexed(_o.c.userId) == bindparam("user_id"))
    .order_by(_o.c.outputId),
    "own inputs of actions",
)
