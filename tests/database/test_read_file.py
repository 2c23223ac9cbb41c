"""Reading a file without an engine: one snapshot, and no trace of it."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from notes_world import INSERT, WORDS, Notes

from bsv_wallet_toolbox.database.errors import (
    DatabaseBusy,
    DatabaseCorrupt,
    DatabaseError,
    DatabaseMissing,
    DatabaseUnavailable,
)
from bsv_wallet_toolbox.database.sqlite import SqliteEngine, read_file
from bsv_wallet_toolbox.database.transaction import Row, Transaction
from bsv_wallet_toolbox.seams import ManualClock

pytestmark = pytest.mark.anyio


def words(tx: Transaction) -> list[Row]:
    return tx.rows(WORDS)


def state(path: Path) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for each in path.parent.iterdir():
        about = each.stat()
        found[each.name] = (about.st_mode, about.st_mtime_ns, each.read_bytes())
    return found


@pytest.fixture
async def closed(path: Path, notes: Notes) -> Path:
    """A file with one note that nobody has open, with a mode that an engine would change."""
    await notes.engine.write(notes.add("one"))
    await notes.engine.close()
    path.chmod(0o644)
    return path


async def test_a_closed_file_is_read_and_left_as_it_was(closed: Path) -> None:
    before = state(closed)
    assert read_file(closed, words) == [("one",)]
    assert state(closed) == before
    assert list(before) == [closed.name]


async def test_a_file_whose_name_looks_like_a_query_is_found(closed: Path) -> None:
    strange = closed.with_name("wallet?mode=memory#50%.sqlite")
    closed.rename(strange)
    assert read_file(strange, words) == [("one",)]


async def test_what_an_open_engine_has_committed_is_seen_and_it_goes_on(path: Path, notes: Notes) -> None:
    await notes.engine.write(notes.add("one"))
    assert read_file(path, words) == [("one",)]
    await notes.engine.write(notes.add("two"))
    assert read_file(path, words) == [("one",), ("two",)]


async def test_the_log_of_a_process_that_died_is_read(path: Path, tmp_path: Path, notes: Notes) -> None:
    await notes.engine.write(notes.add("one"))
    target = tmp_path / "after the crash"
    target.mkdir()
    for each in path.parent.glob(f"{path.name}*"):
        (target / each.name).write_bytes(each.read_bytes())
    assert read_file(target / path.name, words) == [("one",)]


async def test_writing_is_refused(closed: Path) -> None:
    before = state(closed)
    with pytest.raises(DatabaseError):
        read_file(closed, lambda tx: tx.insert(INSERT, word="two", data=b""))
    assert state(closed) == before
    assert read_file(closed, lambda tx: tx.read_only)


async def test_the_transaction_ends_with_the_operation(closed: Path) -> None:
    kept: list[Transaction] = []
    read_file(closed, kept.append)
    with pytest.raises(DatabaseError):
        kept[0].rows(WORDS)


async def test_a_change_of_a_closed_file_meanwhile_makes_the_result_void(closed: Path, clock: ManualClock) -> None:
    def read_while_another_writes(tx: Transaction) -> list[Row]:
        found = words(tx)
        other = apsw.Connection(str(closed))
        other.execute("INSERT INTO notes (word) VALUES ('two')")
        other.close()
        return found

    with pytest.raises(DatabaseBusy):
        read_file(closed, read_while_another_writes)
    assert read_file(closed, words) == [("one",), ("two",)]
    async with SqliteEngine.open(closed, clock=clock):
        pass


async def test_what_is_no_database_is_refused(path: Path) -> None:
    with pytest.raises(DatabaseMissing):
        read_file(path, words)
    assert not path.exists()
    with pytest.raises(DatabaseUnavailable):
        read_file(path.parent, words)
    path.write_bytes(b"this is a text file, whatever its name says" * 100)
    with pytest.raises(DatabaseCorrupt):
        read_file(path, words)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
