"""Labels of transactions and tags of outputs: found or made by name, mapped, revived when deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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


def _name(
    tx: Transaction, scope: UserScope, naming: statements.NameStatements, names_by_id: Mapping[int, Iterable[str]]
) -> None:
    """Give names to rows, with few statements however many: a call may bring thousands under the write lock."""
    wanted = {of: set(names) for of, names in names_by_id.items()}
    ids = _ids(tx, scope, naming, set().union(*wanted.values()))
    if not ids:
        return
    now = iso(tx.now())
    existing = {(name_id, of): is_deleted for name_id, of, is_deleted in tx.rows(naming.find_maps, ofs=list(wanted))}
    entries = [(ids[name], of) for of, names in wanted.items() for name in sorted(names)]
    for name_id, of in entries:
        if existing.get((name_id, of)):
            tx.execute(naming.revive_map, id=name_id, of=of, now=now)
    new = [{"id": name_id, "of": of, "now": now} for name_id, of in entries if (name_id, of) not in existing]
    tx.insert_many(naming.insert_map, new)


def label_transaction(tx: Transaction, scope: UserScope, transaction_id: int, labels: Iterable[str]) -> None:
    _name(tx, scope, statements.LABELS, {transaction_id: labels})


def tag_outputs(tx: Transaction, scope: UserScope, tags_by_output: Mapping[int, Iterable[str]]) -> None:
    """Tags by output id; duplicate tags of one output count once."""
    _name(tx, scope, statements.TAGS, tags_by_output)
