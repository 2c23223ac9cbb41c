"""A fresh file is what the npm toolbox would have made, plus our own tables."""

from __future__ import annotations

import asyncio
import re
import stat
from pathlib import Path

import apsw
import pytest
from peer_schema import COLUMNS, INDEXES, MIGRATIONS, REFERENCES

from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_NETWORK_CHAIN, WERR_UNAUTHORIZED
from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.mockchain import MockChain, MockServices
from bsv_wallet_toolbox.provider.storage_provider import NewStore, StorageProvider
from bsv_wallet_toolbox.seams import ManualClock, SeededEntropy
from bsv_wallet_toolbox.transactions.fee import FeeModel

pytestmark = pytest.mark.anyio

STORE_KEY = "02" + "ab" * 32
USER_KEY = "03" + "cd" * 32
NEW = NewStore(STORE_KEY, "store name")
NOW = "2023-11-14T22:13:20.000Z"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def services(clock: ManualClock) -> MockServices:
    return MockServices(MockChain(clock=clock, entropy=SeededEntropy("chain"), deterministic=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallet.sqlite"


async def open_store(
    path: Path, services: MockServices, clock: ManualClock, new: NewStore | None = NEW
) -> StorageProvider:
    return await StorageProvider.open(path, services, fee_model=FeeModel(value=1), new=new, clock=clock)


@pytest.fixture
async def fresh(path: Path, services: MockServices, clock: ManualClock) -> apsw.Connection:
    """A connection to a file in which one user was made."""
    async with await open_store(path, services, clock) as store:
        await store.find_or_insert_user(USER_KEY)
    return apsw.Connection(str(path))


def peer_tables(db: apsw.Connection) -> list[str]:
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return sorted(name for name in names if not name.startswith(("bwt_", "sqlite_")))


def columns_of(db: apsw.Connection, table: str) -> tuple[str, ...]:
    return tuple(
        f"{name} {kind.lower()}"
        + ("" if not_null else " null")
        + (f" ={default}" if default is not None else "")
        + (" key" if key else "")
        for _, name, kind, not_null, default, key in db.execute(f'PRAGMA table_info("{table}")')
    )


async def test_tables_and_columns_are_those_of_the_peer(fresh: apsw.Connection) -> None:
    assert {table: columns_of(fresh, table) for table in peer_tables(fresh)} == COLUMNS


async def test_indexes_have_the_names_and_columns_of_the_peer(fresh: apsw.Connection) -> None:
    found = {}
    for table in COLUMNS:
        for _, name, unique, origin, _ in list(fresh.execute(f'PRAGMA index_list("{table}")')):
            if name.startswith("bwt_"):
                assert not unique, f"{name} would make the peer's writes fail"
                continue
            assert origin == "c", f"{name}: the peer's unique keys are named indexes"
            columns = [row[2] for row in fresh.execute(f'PRAGMA index_info("{name}")')]
            found[name] = f"{'unique ' if unique else ''}{table}({', '.join(columns)})"
    assert found == INDEXES


async def test_foreign_keys_are_those_of_the_peer(fresh: apsw.Connection) -> None:
    found = {
        table: tuple(sorted(f"{row[3]} -> {row[2]}.{row[4]}" for row in rows))
        for table in COLUMNS
        if (rows := list(fresh.execute(f'PRAGMA foreign_key_list("{table}")')))
    }
    assert found == REFERENCES


async def test_ids_are_never_given_out_twice(fresh: apsw.Connection) -> None:
    for table, columns in COLUMNS.items():
        if any(column.endswith(" key") for column in columns):
            (ddl,) = next(iter(fresh.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,))))
            assert "autoincrement" in ddl.lower(), table


async def test_there_are_no_triggers_or_views_and_no_foreign_key_of_ours(fresh: apsw.Connection) -> None:
    kinds = {kind for (kind,) in fresh.execute("SELECT DISTINCT type FROM sqlite_master")}
    assert kinds == {"table", "index"}
    ours = [name for (name,) in fresh.execute("SELECT name FROM sqlite_master WHERE name LIKE 'bwt\\_%' ESCAPE '\\'")]
    for name in ours:
        assert list(fresh.execute(f'PRAGMA foreign_key_list("{name}")')) == []


async def test_the_peer_finds_its_migration_history(fresh: apsw.Connection) -> None:
    rows = list(fresh.execute("SELECT id, name, batch, typeof(migration_time), migration_time FROM knex_migrations"))
    assert rows == [(i, name, 1, "integer", 1_700_000_000_000) for i, name in enumerate(MIGRATIONS, 1)]
    assert list(fresh.execute('SELECT "index", is_locked FROM knex_migrations_lock')) == [(1, 0)]


async def test_the_settings_row(fresh: apsw.Connection) -> None:
    rows = list(fresh.execute("SELECT * FROM settings"))
    assert rows == [(NOW, NOW, STORE_KEY, "store name", "mock", "SQLite", 1024)]


async def test_a_new_user_and_its_default_basket_may_be_replaced_by_any_synced_row(fresh: apsw.Connection) -> None:
    old = "1971-01-01T00:00:00.000Z"
    assert list(fresh.execute("SELECT * FROM users")) == [(NOW, old, 1, USER_KEY, STORE_KEY)]
    assert list(fresh.execute("SELECT * FROM output_baskets")) == [(NOW, old, 1, 1, "default", 144, 32, 0)]


async def test_every_date_is_text_in_utc_with_three_decimals(fresh: apsw.Connection) -> None:
    for table in ("settings", "users", "output_baskets"):
        for row in fresh.execute(f"SELECT created_at, updated_at FROM {table}"):
            assert all(TIMESTAMP.fullmatch(str(value)) for value in row), table


async def test_the_file_and_its_companions_are_private(path: Path, services: MockServices, clock: ManualClock) -> None:
    async with await open_store(path, services, clock) as store:
        await store.find_or_insert_user(USER_KEY)
        for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
            assert stat.S_IMODE(name.stat().st_mode) == 0o600, name


async def test_twenty_concurrent_calls_make_one_user_and_one_basket(
    path: Path, services: MockServices, clock: ManualClock
) -> None:
    async with await open_store(path, services, clock) as store:
        users = await asyncio.gather(*(store.find_or_insert_user(USER_KEY) for _ in range(20)))
    assert {user.user_id for user in users} == {1}
    assert [user.is_new for user in users].count(True) == 1
    db = apsw.Connection(str(path))
    assert list(db.execute("SELECT count(*) FROM users")) == [(1,)]
    assert list(db.execute("SELECT count(*) FROM output_baskets")) == [(1,)]


async def test_opening_again_changes_nothing_but_needs_no_new(
    path: Path, services: MockServices, clock: ManualClock
) -> None:
    async with await open_store(path, services, clock):
        pass
    clock.advance(1000)
    async with await open_store(path, services, clock, NewStore("03" + "ee" * 32, "another")) as again:
        assert again.settings.storage_identity_key == STORE_KEY
    async with await open_store(path, services, clock, None) as plain:
        assert (plain.settings.storage_name, plain.settings.chain) == ("store name", Chain.MOCK)
        with pytest.raises(WERR_UNAUTHORIZED):
            await plain.find_user(USER_KEY)


async def test_a_file_of_another_chain_is_refused(path: Path, services: MockServices, clock: ManualClock) -> None:
    class TestNet(MockServices):
        @property
        def chain(self) -> Chain:
            return Chain.TEST

    async with await open_store(path, services, clock):
        pass
    with pytest.raises(WERR_NETWORK_CHAIN):
        await open_store(path, TestNet(services.mock), clock, None)


async def test_a_database_that_is_no_wallet_is_refused_untouched(
    path: Path, services: MockServices, clock: ManualClock
) -> None:
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE recipes (name TEXT)")
    db.close()
    for new in (None, NEW):
        with pytest.raises(WERR_INVALID_OPERATION, match="holds no wallet"):
            await open_store(path, services, clock, new)
    tables = [name for (name,) in apsw.Connection(str(path)).execute("SELECT name FROM sqlite_master")]
    assert tables == ["recipes"]
