"""Opening, closing, reading beside writers, and locks that others hold."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import stat
import sys
import threading
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from notes_world import CREATE, WORDS, Notes, Turnstile, sql

from bsv_wallet_toolbox.database.errors import (
    DatabaseBusy,
    DatabaseClosed,
    DatabaseCorrupt,
    DatabaseError,
    DatabaseMissing,
    DatabaseUnavailable,
)
from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.database.transaction import Engine, Row, Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.seams import ManualClock

pytestmark = pytest.mark.anyio


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_missing_file_is_not_made_unless_asked(path: Path, clock: ManualClock) -> None:
    with pytest.raises(DatabaseMissing):
        SqliteEngine.open(path, clock=clock)
    assert not path.exists()
    async with SqliteEngine.open(path, clock=clock, create=True):
        assert path.exists()
    async with SqliteEngine.open(path, clock=clock):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX modes")
async def test_files_are_closed_to_other_users(path: Path, clock: ManualClock) -> None:
    previous = os.umask(0)
    try:
        async with SqliteEngine.open(path, clock=clock, create=True) as engine:
            await engine.write(lambda tx: tx.execute(CREATE))
            files = {name.name: mode(name) for name in path.parent.iterdir()}
        assert files == {path.name: 0o600, f"{path.name}-wal": 0o600, f"{path.name}-shm": 0o600}
        path.chmod(0o644)
        async with SqliteEngine.open(path, clock=clock):
            assert mode(path) == 0o600
    finally:
        os.umask(previous)


async def test_what_is_no_database_is_refused(path: Path, clock: ManualClock) -> None:
    path.write_bytes(b"this is a text file, whatever its name says" * 100)
    with pytest.raises(DatabaseCorrupt):
        SqliteEngine.open(path, clock=clock)
    with pytest.raises(DatabaseUnavailable):
        SqliteEngine.open(path.parent, clock=clock)
    with pytest.raises(DatabaseUnavailable):
        SqliteEngine.open(path / "below a file", clock=clock, create=True)


async def test_senseless_arguments_are_refused(path: Path, clock: ManualClock) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER):
        SqliteEngine.open("", clock=clock, create=True)
    with pytest.raises(WERR_INVALID_PARAMETER):
        SqliteEngine.open(path, clock=clock, create=True, readers=0)


async def test_sqlite_versions_that_corrupt_files_are_refused(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(DatabaseError, match=r"3\.51\.3"):
        SqliteEngine.open(path, clock=clock, create=True)
    assert not path.exists()


@pytest.mark.parametrize("which", ["write", "read"])
async def test_every_connection_is_set_for_safety(notes: Notes, which: str) -> None:
    names = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "temp_store", "cache_size", "mmap_size")

    def operation(tx: Transaction) -> list[Row | None]:
        return [tx.one(sql(f"PRAGMA {name}")) for name in names]

    run = notes.engine.write if which == "write" else notes.engine.read
    assert await run(operation) == [("wal",), (2,), (1,), (0,), (2,), (-65536,), (0,)]


async def test_the_engine_is_the_protocol_that_storage_uses(notes: Notes) -> None:
    engine: Engine = notes.engine
    assert engine.dialect == "sqlite"


async def test_a_read_sees_what_was_answered_before_it(notes: Notes) -> None:
    for number in range(20):
        await notes.engine.write(notes.add(f"{number:02}"))
        assert len(await notes.words()) == number + 1


async def test_a_read_keeps_its_snapshot_while_others_write(notes: Notes) -> None:
    await notes.engine.write(notes.add("before"))
    looked, written = threading.Event(), threading.Event()

    def operation(tx: Transaction) -> tuple[list[Row], list[Row]]:
        first = tx.rows(WORDS)
        looked.set()
        assert written.wait(30)
        return first, tx.rows(WORDS)

    reading = asyncio.create_task(notes.engine.read(operation))
    await asyncio.to_thread(looked.wait)
    await notes.engine.write(notes.add("meanwhile"))
    written.set()
    assert await reading == ([("before",)], [("before",)])
    assert await notes.words() == ["before", "meanwhile"]


async def test_a_read_never_sees_what_is_not_committed(notes: Notes) -> None:
    hold = Turnstile()

    def slow(tx: Transaction) -> None:
        notes.add("uncommitted")(tx)
        hold(tx)

    writing = asyncio.create_task(notes.engine.write(slow))
    await asyncio.to_thread(hold.entered.wait)
    assert await notes.words() == []
    hold.released.set()
    await writing
    assert await notes.words() == ["uncommitted"]


async def test_a_failing_read_leaves_its_connection_usable(path: Path, clock: ManualClock) -> None:
    async with SqliteEngine.open(path, clock=clock, create=True, readers=1) as engine:
        await engine.write(lambda tx: tx.execute(CREATE))
        notes = Notes(engine)

        def fail(tx: Transaction) -> None:
            tx.rows(WORDS)
            raise LookupError

        with pytest.raises(LookupError):
            await engine.read(fail)
        await engine.write(notes.add("a"))
        assert await notes.words() == ["a"]


async def test_more_reads_than_readers_wait_their_turn(notes: Notes) -> None:
    await notes.engine.write(notes.add("a"))
    assert await asyncio.gather(*(notes.words() for _ in range(40))) == [["a"]] * 40


async def test_a_database_in_memory_keeps_reads_and_writes_apart(clock: ManualClock) -> None:
    async with SqliteEngine.open(":memory:", clock=clock) as engine:
        await engine.write(lambda tx: tx.execute(CREATE))
        notes = Notes(engine)
        hold = Turnstile()

        def slow(tx: Transaction) -> None:
            notes.add("lost")(tx)
            hold(tx)
            raise LookupError

        writing = asyncio.create_task(engine.write(slow))
        await asyncio.to_thread(hold.entered.wait)
        reading = asyncio.create_task(notes.words())
        await asyncio.sleep(0)
        hold.released.set()
        assert await reading == []
        with pytest.raises(LookupError):
            await writing


async def test_closing_finishes_what_was_asked(path: Path, clock: ManualClock) -> None:
    engine = SqliteEngine.open(path, clock=clock, create=True)
    await engine.write(lambda tx: tx.execute(CREATE))
    hold = Turnstile()
    asked = [asyncio.create_task(engine.write(hold))]
    await asyncio.to_thread(hold.entered.wait)
    asked += [asyncio.create_task(engine.write(Notes.add(f"{number:02}"))) for number in range(40)]
    await asyncio.sleep(0)
    closing = [asyncio.create_task(engine.close()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(DatabaseClosed):
        await engine.write(Notes.add("too late"))
    with pytest.raises(DatabaseClosed):
        await engine.read(lambda tx: tx.rows(WORDS))
    hold.released.set()
    await asyncio.gather(*asked, *closing)
    await engine.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("bsv-wallet")]
    assert [name.name for name in path.parent.iterdir()] == [path.name]
    async with SqliteEngine.open(path, clock=clock) as again:
        assert len(await Notes(again).words()) == 40


async def test_a_lock_held_too_long_is_an_error_without_effect(path: Path, clock: ManualClock) -> None:
    async with SqliteEngine.open(path, clock=clock, create=True, busy_timeout_ms=10) as engine:
        await engine.write(lambda tx: tx.execute(CREATE))
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        began: list[Transaction] = []
        with pytest.raises(DatabaseBusy):
            await engine.write(began.append)
        assert began == []
        assert engine.stats.reruns == 5
        other.close()
        await engine.write(Notes.add("b"))
        assert await Notes(engine).words() == ["b"]


async def test_an_operation_runs_again_once_others_let_go(path: Path, clock: ManualClock) -> None:
    async with SqliteEngine.open(path, clock=clock, create=True, busy_timeout_ms=10) as engine:
        await engine.write(lambda tx: tx.execute(CREATE))
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")

        class LetGo(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                other.close()

        logger, handler = logging.getLogger("bsv_wallet_toolbox.database"), LetGo()
        logger.addHandler(handler)
        try:
            await engine.write(Notes.add("a"), name="add a note")
        finally:
            logger.removeHandler(handler)
        assert await Notes(engine).words() == ["a"]


async def test_a_log_that_another_library_removed_is_noticed_at_the_next_write(path: Path, clock: ManualClock) -> None:
    async with SqliteEngine.open(path, clock=clock, create=True) as engine:
        notes = Notes(engine)
        await engine.write(lambda tx: tx.execute(CREATE))
        await engine.write(notes.add("before"))
        with closing(sqlite3.connect(path)) as other:
            other.execute("SELECT count(*) FROM notes").fetchall()
        for word in ("after", "later"):
            with pytest.raises(DatabaseUnavailable, match="another SQLite library"):
                await engine.write(notes.add(word))
    async with SqliteEngine.open(path, clock=clock) as engine:
        assert await Notes(engine).words() == ["before"]
        await engine.write(Notes.add("again"))
