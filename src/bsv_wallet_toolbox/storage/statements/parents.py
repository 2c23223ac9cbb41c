"""Whose outputs may be spent or listed: decided by the status of the transaction that made them, and by who made it.

``sending`` means that no provider has accepted the transaction yet. One of ours can be built on all the same, because
it is sent before what spends it. One from outside gives nothing so far: its parents may not even exist.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, or_

from bsv_wallet_toolbox.interfaces.statuses import ENDED, LISTED_OUTPUT_PARENT, TransactionStatus
from bsv_wallet_toolbox.storage.schema import metadata

__all__ = ["gives_outputs", "is_listed_parent", "withholds_outputs"]

_t = metadata.tables["transactions"]
_SENDING = TransactionStatus.SENDING


def is_listed_parent(status: str, is_outgoing: bool) -> bool:
    """Whether listOutputs and the balance count the spendable outputs of a transaction."""
    return status in LISTED_OUTPUT_PARENT and (is_outgoing or status != _SENDING)


def gives_outputs(statuses: Collection[TransactionStatus]) -> ColumnElement[bool]:
    """The transaction is in one of ``statuses``, and if it is ``sending``, it is ours."""
    any_of: list[ColumnElement[bool]] = [_t.c.status == each.value for each in sorted(set(statuses) - {_SENDING})]
    if _SENDING in statuses:
        any_of.append(and_(_t.c.status == _SENDING.value, _t.c.isOutgoing == 1))
    return or_(*any_of)


def withholds_outputs(statuses: Collection[TransactionStatus]) -> ColumnElement[bool]:
    """The others, except those that have no spendable outputs (I3): of ended ones there may be any number."""
    others = set(TransactionStatus) - set(statuses) - ENDED
    if _SENDING not in statuses:
        return _is_one_of(others)
    return and_(_is_one_of(others | {_SENDING}), or_(_t.c.status != _SENDING.value, _t.c.isOutgoing == 0))


def _is_one_of(statuses: Collection[TransactionStatus]) -> ColumnElement[bool]:
    """Compared one by one: for a list SQLite would build a table at every execution."""
    return or_(*(_t.c.status == status.value for status in sorted(statuses)))
