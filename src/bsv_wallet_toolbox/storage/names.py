"""Labels of transactions and tags of outputs: found or made by name, mapped, revived when deleted."""

from __future__ import annotations

from collections.abc import Iterable

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.storage.statements import actions as statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.users import UserScope

__all__ = ["label_transaction", "tag_outputs"]


def _ids(tx: Transaction, scope: UserScope, naming: statements.NameStatements, names: Iterable[str]) -> dict[str, int]:
    wanted = sorted(set(names))
    if not wanted:
        return {}
    now = iso(tx.now())
    found: dict[str, int] = {}
    for name, row_id, is_deleted in tx.rows(naming.find, user_id=scope.user_id, names=wanted):
        found[name] = row_id
        if is_deleted:
            tx.execute(naming.revive, id=row_id, now=now)
    for name in wanted:
        if name not in found:
            found[name] = tx.insert(naming.insert, user_id=scope.user_id, name=name, now=now)
    return found


def _map(tx: Transaction, naming: statements.NameStatements, row_id: int, of: int) -> None:
    existing = tx.one(naming.find_map, id=row_id, of=of)
    now = iso(tx.now())
    if existing is None:
        tx.execute(naming.insert_map, id=row_id, of=of, now=now)
    elif existing[0]:
        tx.execute(naming.revive_map, id=row_id, of=of, now=now)


def label_transaction(tx: Transaction, scope: UserScope, transaction_id: int, labels: Iterable[str]) -> None:
    for label_id in _ids(tx, scope, statements.LABELS, labels).values():
        _map(tx, statements.LABELS, label_id, transaction_id)


def tag_outputs(tx: Transaction, scope: UserScope, tags_by_output: dict[int, Iterable[str]]) -> None:
    """Tags by output id; duplicate tags of one output count once."""
    wanted = {output_id: set(tags) for output_id, tags in tags_by_output.items()}
    ids = _ids(tx, scope, statements.TAGS, set().union(*wanted.values()) if wanted else ())
    for output_id, tags in wanted.items():
        for tag in sorted(tags):
            _map(tx, statements.TAGS, ids[tag], output_id)
