"""Which outputs of a user a listing or a balance is about: those of a basket, perhaps with any or all of some tags."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from bsv_wallet_toolbox.brc100.actions import QueryMode
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.storage.listing.names import tag_ids
from bsv_wallet_toolbox.storage.statements import listing as statements
from bsv_wallet_toolbox.storage.statements import users as user_statements
from bsv_wallet_toolbox.storage.users import UserScope

__all__ = ["OutputSelection", "select_outputs"]


@dataclass(frozen=True, slots=True)
class OutputSelection:
    """The statements for this kind of selection, and the parameters they all take."""

    statements: statements.OutputStatements
    where: Mapping[str, Any]


def select_outputs(
    tx: Transaction, scope: UserScope, basket: str, tags: Collection[str], mode: QueryMode
) -> OutputSelection | None:
    """None when nothing can match: the user has no such basket, or not the tags it takes.

    A basket that was soft-deleted still holds its outputs: coins are never hidden that way.
    """
    row = tx.one(user_statements.FIND_BASKETS, user_id=scope.user_id, names=[basket])
    if row is None:
        return None
    ids = tag_ids(tx, scope, tags, mode)
    if ids is None:
        return None
    where = {"user_id": scope.user_id, "basket_id": row[1]}
    if not ids:
        return OutputSelection(statements.UNTAGGED, where)
    chosen = statements.ALL_TAGS if mode == "all" else statements.ANY_TAG
    return OutputSelection(chosen, {**where, "name_ids": ids, "name_count": len(ids)})
