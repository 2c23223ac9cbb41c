"""What operations announce is handed on after the COMMIT that carries them, and never what was undone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from notes_world import CREATE, INSERT, Disk, Notes, Turnstile

from bsv_wallet_toolbox.database.errors import DatabaseError, DatabaseUnavailable
from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.interfaces.events import EventKind, WalletEvent
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus
from bsv_wallet_toolbox.seams import Failpoint, ManualClock, failpoints_armed

pytestmark = pytest.mark.anyio


def event(detail: str) -> WalletEvent:
    return WalletEvent(EventKind.CREATED, 1, 1, "reference", None, TransactionStatus.UNSIGNED, 0, 0, detail)


def announcing(word: str, *, then: Exception | None = None) -> Callable[[Transaction], None]:
    """Write a word and announce it; every run of the operation is numbered."""
    runs = 0

    def operation(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        tx.insert(INSERT, word=word, data=None)
        tx.announce(event(f"{word} {runs}"))
        if then is not None:
            raise then

    return operation


class Heard:
    """A listener that remembers what each COMMIT handed on."""

    def __init__(self, engine: SqliteEngine) -> None:
        self.commits: list[list[str]] = []
        engine.listen(self)

    def __call__(self, events: Sequence[WalletEvent]) -> None:
        self.commits.append([each.detail for each in events])


async def together(engine: SqliteEngine, *operations: Callable[[Transaction], Any]) -> list[Any]:
    """Run the operations in one group; results and errors in order."""
    hold = Turnstile()
    tasks = [asyncio.create_task(engine.write(hold))]
    await asyncio.to_thread(hold.entered.wait)
    tasks += [asyncio.create_task(engine.write(operation)) for operation in operations]
    await asyncio.sleep(0)
    hold.released.set()
    return (await asyncio.gather(*tasks, return_exceptions=True))[1:]


@pytest.fixture
async def failing(path: Path, clock: ManualClock, disk: Disk) -> AsyncIterator[SqliteEngine]:
    """An engine on a disk that can refuse to flush."""
    async with SqliteEngine.open(path, clock=clock, create=True, vfs=disk.vfs) as engine:
        await engine.write(lambda tx: tx.execute(CREATE))
        yield engine
        disk.failures = 0


async def test_one_commit_hands_on_what_all_its_operations_announced_in_order(notes: Notes) -> None:
    heard = Heard(notes.engine)
    commits = notes.engine.stats.commits
    await together(notes.engine, *(announcing(word) for word in "abc"))
    await notes.engine.write(lambda tx: tx.announce(event("later")))
    await notes.engine.write(notes.add("silent"))
    flat = [detail for commit in heard.commits for detail in commit]
    assert flat == ["a 1", "b 1", "c 1", "later"]
    assert len(heard.commits) < notes.engine.stats.commits - commits


async def test_nothing_is_handed_on_before_the_commit(notes: Notes) -> None:
    heard = Heard(notes.engine)
    before: list[int] = []
    after: list[int] = []

    def look(point: Failpoint) -> None:
        {Failpoint.ENGINE_BEFORE_COMMIT: before, Failpoint.ENGINE_AFTER_COMMIT: after}[point].append(len(heard.commits))

    with failpoints_armed(look):
        await notes.engine.write(announcing("a"))
    assert (before, after) == ([0], [1])


async def test_an_operation_that_fails_announces_nothing_and_its_neighbours_do(notes: Notes) -> None:
    heard = Heard(notes.engine)
    lost = ValueError("changed its mind")
    results = await together(notes.engine, announcing("a"), announcing("b", then=lost), announcing("c"))
    assert results == [None, lost, None]
    with pytest.raises(ValueError, match="changed its mind"):
        await notes.engine.write(announcing("d", then=lost))
    assert [detail for commit in heard.commits for detail in commit] == ["a 2", "c 1"]


async def test_a_lost_commit_announces_nothing_and_the_run_that_counts_announces_once(
    failing: SqliteEngine, disk: Disk
) -> None:
    heard = Heard(failing)
    disk.failures = 1
    with pytest.raises(DatabaseUnavailable):
        await failing.write(announcing("alone"))
    assert heard.commits == []
    disk.failures = 1
    await together(failing, announcing("a"), announcing("b"))
    # Whether they shared the commit that was lost, and ran again, or came after it.
    assert [detail.split()[0] for commit in heard.commits for detail in commit] == ["a", "b"]
    assert disk.failures == 0


async def test_an_error_after_the_commit_takes_nothing_back(notes: Notes) -> None:
    heard = Heard(notes.engine)

    def fail(point: Failpoint) -> None:
        if point is Failpoint.ENGINE_AFTER_COMMIT:
            raise ValueError("after all")

    with failpoints_armed(fail), pytest.raises(ValueError, match="after all"):
        await notes.engine.write(announcing("a"))
    assert heard.commits == [["a 1"]]
    assert await notes.words() == ["a"]


async def test_a_read_announces_nothing(notes: Notes) -> None:
    heard = Heard(notes.engine)
    await notes.engine.read(lambda tx: tx.announce(event("read")))
    await notes.engine.write(announcing("a"))
    assert heard.commits == [["a 1"]]


async def test_an_operation_that_has_ended_can_announce_nothing_more(notes: Notes) -> None:
    kept: list[Transaction] = []
    await notes.engine.write(kept.append)
    with pytest.raises(DatabaseError, match="has ended"):
        kept[0].announce(event("too late"))


async def test_a_listener_that_fails_does_not_stop_the_engine(notes: Notes, caplog: pytest.LogCaptureFixture) -> None:
    def fail(events: Sequence[WalletEvent]) -> None:
        raise ValueError(f"{len(events)} too many")

    notes.engine.listen(fail)
    await notes.engine.write(announcing("a"))
    await notes.engine.write(announcing("b"))
    assert await notes.words() == ["a", "b"]
    assert [record.message for record in caplog.records] == ["1 events were not handed on"] * 2
