"""Labels and tags in listings: those asked for, by id, and those shown. What is soft-deleted is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from bsv_wallet_toolbox.brc100.actions import QueryMode
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.storage.statements import actions as statements
from bsv_wallet_toolbox.storage.users import UserScope

__all__ = ["label_ids", "labels_of", "tag_ids", "tags_of"]


def label_ids(tx: Transaction, scope: UserScope, labels: Iterable[str], mode: QueryMode) -> list[int] | None:
    """Ids of the user's labels; None when no action can match: ``all`` needs each of them, ``any`` at least one."""
    return _ids(tx, scope, statements.LABELS.find, labels, mode)


def tag_ids(tx: Transaction, scope: UserScope, tags: Iterable[str], mode: QueryMode) -> list[int] | None:
    """Ids of the user's tags; None when no output can match: ``all`` needs each of them, ``any`` at least one."""
    return _ids(tx, scope, statements.TAGS.find, tags, mode)


def _ids(tx: Transaction, scope: UserScope, find: Statement, names: Iterable[str], mode: QueryMode) -> list[int] | None:
    wanted = sorted(set(names))
    if not wanted:
        return []
    rows = tx.rows(find, user_id=scope.user_id, names=wanted)
    found = [row_id for _, row_id, is_deleted in rows if not is_deleted]
    if not found or (mode == "all" and len(found) < len(wanted)):
        return None
    return found


def labels_of(tx: Transaction, scope: UserScope, transaction_ids: Collection[int]) -> Mapping[int, tuple[str, ...]]:
    """Labels by transaction id, in alphabetical order; a transaction without labels is absent."""
    return _names(tx, scope, statements.LABELS.shown, transaction_ids)


def tags_of(tx: Transaction, scope: UserScope, output_ids: Collection[int]) -> Mapping[int, tuple[str, ...]]:
    """Tags by output id, in alphabetical order; an output without tags is absent."""
    return _names(tx, scope, statements.TAGS.shown, output_ids)


def _names(tx: Transaction, scope: UserScope, shown: Statement, ids: Collection[int]) -> Mapping[int, tuple[str, ...]]:
    names: dict[int, list[str]] = {}
    if ids:
        for of, name in tx.rows(shown, ids=ids, user_id=scope.user_id):
            names.setdefault(of, []).append(name)
    return {of: tuple(sorted(each)) for of, each in names.items()}
