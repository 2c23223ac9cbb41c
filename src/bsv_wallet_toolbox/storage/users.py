"""Users of a store, their default basket, and the store's own settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_BAD_REQUEST, WERR_INVALID_PARAMETER, WERR_UNAUTHORIZED
from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.storage.statements import users as statements
from bsv_wallet_toolbox.storage.timestamps import UNSYNCED, iso

__all__ = [
    "DEFAULT_BASKET",
    "Basket",
    "StoreSettings",
    "UserScope",
    "count_users",
    "create_settings",
    "default_basket",
    "find_or_insert_baskets",
    "find_or_insert_user",
    "find_user",
    "local_setting",
    "read_settings",
    "reserve_derivations",
    "set_local_setting",
]

DEFAULT_BASKET = "default"
DESIRED_UTXOS = 144
MINIMUM_UTXO_VALUE = 32
MAX_OUTPUT_SCRIPT = 1024
"""Locking scripts longer than this are read from the raw transaction instead of the row."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    storage_identity_key: str
    storage_name: str
    chain: Chain
    max_output_script: int


@dataclass(frozen=True, slots=True)
class UserScope:
    """The one user whose rows an operation may touch. Every operation on a user's rows takes it."""

    user_id: int
    identity_key: str
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Basket:
    basket_id: int
    desired_utxos: int
    minimum_value: int


def read_settings(tx: Transaction) -> StoreSettings | None:
    """The settings row, None in a file that has none yet."""
    row = tx.one(statements.READ_SETTINGS)
    if row is None:
        return None
    identity_key, name, chain, _, max_output_script = row
    return StoreSettings(identity_key, name, Chain(chain), max_output_script)


def create_settings(tx: Transaction, identity_key: str, name: str, chain: Chain) -> StoreSettings:
    """Write the settings row of a new store; an existing one is kept as it is."""
    existing = read_settings(tx)
    if existing is not None:
        return existing
    tx.execute(
        statements.INSERT_SETTINGS,
        now=iso(tx.now()),
        identity_key=identity_key,
        name=name,
        chain=chain.value,
        dbtype="SQLite",
        max_output_script=MAX_OUTPUT_SCRIPT,
    )
    return StoreSettings(identity_key, name, chain, MAX_OUTPUT_SCRIPT)


def find_user(tx: Transaction, identity_key: str) -> UserScope:
    """The user with this key; WERR_UNAUTHORIZED when the store has none."""
    row = tx.one(statements.FIND_USER, identity_key=identity_key)
    if row is None:
        raise WERR_UNAUTHORIZED
    return UserScope(row[0], row[1])


def count_users(tx: Transaction) -> int:
    return int(tx.scalar(statements.COUNT_USERS))


def find_or_insert_user(tx: Transaction, identity_key: str, settings: StoreSettings) -> UserScope:
    """The user and, for a new one, the default basket, both with a date that lets any synced row win."""
    row = tx.one(statements.FIND_USER, identity_key=identity_key)
    if row is not None:
        return UserScope(row[0], row[1])
    user_id = tx.insert(
        statements.INSERT_USER,
        created_at=iso(tx.now()),
        updated_at=UNSYNCED,
        identity_key=identity_key,
        active_storage=settings.storage_identity_key,
    )
    _insert_default_basket(tx, user_id)
    return UserScope(user_id, identity_key, is_new=True)


def _insert_default_basket(tx: Transaction, user_id: int) -> int:
    return tx.insert(
        statements.INSERT_BASKET,
        created_at=iso(tx.now()),
        updated_at=UNSYNCED,
        user_id=user_id,
        name=DEFAULT_BASKET,
        desired_utxos=DESIRED_UTXOS,
        minimum_value=MINIMUM_UTXO_VALUE,
    )


def default_basket(tx: Transaction, scope: UserScope) -> Basket:
    """The basket that holds change. A file of another toolbox may lack it; then a writer makes it."""
    row = tx.one(statements.FIND_BASKET, user_id=scope.user_id, name=DEFAULT_BASKET)
    if row is not None:
        return Basket(*row)
    if tx.read_only:
        raise WERR_BAD_REQUEST('Invalid outputGeneration basket "default"')
    return Basket(_insert_default_basket(tx, scope.user_id), DESIRED_UTXOS, MINIMUM_UTXO_VALUE)


def find_or_insert_baskets(tx: Transaction, scope: UserScope, names: Iterable[str]) -> dict[str, int]:
    """Basket ids by name; missing ones are made, deleted ones revived."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    found: dict[str, int] = {}
    now = iso(tx.now())
    for name, basket_id, is_deleted in tx.rows(statements.FIND_BASKETS, user_id=scope.user_id, names=wanted):
        found[name] = basket_id
        if is_deleted:
            tx.execute(statements.REVIVE_BASKET, basket_id=basket_id, now=now)
    for name in wanted:
        if name not in found:
            found[name] = tx.insert(
                statements.INSERT_BASKET,
                created_at=now,
                updated_at=now,
                user_id=scope.user_id,
                name=name,
                desired_utxos=0,
                minimum_value=0,
            )
    return found


def reserve_derivations(tx: Transaction, scope: UserScope, count: int) -> int:
    """Take ``count`` derivation counters for good and answer the first; what is not used is skipped, never reused."""
    if count < 1:
        raise WERR_INVALID_PARAMETER("count", "at least 1")
    name = "derivation"
    current = tx.one(statements.READ_COUNTER, user_id=scope.user_id, name=name)
    if current is None:
        tx.execute(statements.INSERT_COUNTER, user_id=scope.user_id, name=name, value=count)
        return 0
    tx.execute(statements.MOVE_COUNTER, of_user=scope.user_id, of_name=name, step=count)
    return int(current[0])


def local_setting(tx: Transaction, key: str) -> str | None:
    row = tx.one(statements.READ_LOCAL_SETTING, key=key)
    return None if row is None else str(row[0])


def set_local_setting(tx: Transaction, key: str, value: str) -> None:
    if tx.execute(statements.UPDATE_LOCAL_SETTING, of_key=key, value=value) == 0:
        tx.execute(statements.INSERT_LOCAL_SETTING, key=key, value=value)
