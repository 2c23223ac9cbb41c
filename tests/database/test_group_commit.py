"""Operations share commits and nothing else: errors, lost commits and cancellation stay with their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from notes_world import CREATE, INSERT, WORDS, Disk, Notes, Turnstile, sql

from bsv_wallet_toolbox.database.errors import ConstraintViolation, DatabaseUnavailable, DiskFull
from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.seams import Failpoint, ManualClock, failpoints_armed

pytestmark = pytest.mark.anyio

CREATE_PAIR = sql("CREATE TABLE pair (parent INTEGER REFERENCES notes (id) DEFERRABLE INITIALLY DEFERRED)")
ORPHAN = sql("INSERT INTO pair (parent) VALUES (12345)")
PAGES = sql("PRAGMA page_count")


async def together(engine: SqliteEngine, *operations: Callable[[Transaction], Any]) -> list[Any]:
    """Run the operations from callers that all wait while the engine is held; results and errors in order."""
    hold = Turnstile()
    tasks = [asyncio.create_task(engine.write(hold))]
    await asyncio.to_thread(hold.entered.wait)
    tasks += [asyncio.create_task(engine.write(operation)) for operation in operations]
    await asyncio.sleep(0)
    hold.released.set()
    return (await asyncio.gather(*tasks, return_exceptions=True))[1:]


@pytest.fixture
async def broken(path: Path, clock: ManualClock, disk: Disk) -> AsyncIterator[Notes]:
    async with SqliteEngine.open(path, clock=clock, create=True, vfs=disk.vfs) as engine:
        await engine.write(lambda tx: tx.execute(CREATE))
        yield Notes(engine)
        disk.failures = 0


async def test_waiting_operations_share_commits(notes: Notes) -> None:
    before = notes.engine.stats
    passed: list[Failpoint] = []
    with failpoints_armed(passed.append):
        results = await together(notes.engine, *(notes.add(f"{n:02}") for n in range(48)))
    after = notes.engine.stats
    assert passed == [Failpoint.ENGINE_BEFORE_COMMIT, Failpoint.ENGINE_AFTER_COMMIT] * (after.commits - before.commits)
    assert results == list(range(1, 49))
    assert after.operations - before.operations == 49
    assert after.statements - before.statements == 48
    assert after.commits - before.commits <= 24
    assert after.commit_seconds > before.commit_seconds


async def test_a_failing_operation_leaves_no_trace_and_the_others_alone(notes: Notes) -> None:
    def fail(tx: Transaction) -> None:
        tx.insert(INSERT, word="lost", data=None)
        raise LookupError("my own")

    results = await together(notes.engine, notes.add("a"), fail, notes.add("a"), notes.add("b"))
    assert [type(result) for result in results] == [int, LookupError, ConstraintViolation, int]
    assert await notes.words() == ["a", "b"]


async def test_a_full_disk_fails_only_the_operation_that_filled_it(notes: Notes) -> None:
    pages = await notes.engine.read(lambda tx: tx.scalar(PAGES))
    limit = sql(f"PRAGMA max_page_count={pages + 20}")
    await notes.engine.write(lambda tx: tx.execute(limit))
    results = await together(notes.engine, notes.add("a"), notes.add("big", 1_000_000), notes.add("b"))
    assert [type(result) for result in results] == [int, DiskFull, int]
    assert await notes.words() == ["a", "b"]


async def test_an_operation_that_swallows_a_full_disk_neither_commits_nor_writes_on(notes: Notes) -> None:
    limit = sql("PRAGMA max_page_count=20")
    await notes.engine.write(lambda tx: tx.execute(limit))

    def swallow(tx: Transaction) -> str:
        tx.insert(INSERT, word="half", data=None)
        try:
            tx.insert(INSERT, word="big", data=bytes(1_000_000))
        except DiskFull:
            return "all is well"
        raise AssertionError

    def write_on(tx: Transaction) -> None:
        swallow(tx)
        tx.insert(INSERT, word="outside", data=None)

    for operation in (swallow, write_on):
        results = await together(notes.engine, notes.add(operation.__name__), operation)
        assert [type(result) for result in results] == [int, DiskFull]
    assert await notes.words() == ["swallow", "write_on"]


async def test_operations_of_a_lost_commit_run_again_by_themselves(broken: Notes, disk: Disk) -> None:
    disk.failures = 1
    ran: list[str] = []

    def counted(word: str) -> Callable[[Transaction], int]:
        def operation(tx: Transaction) -> int:
            ran.append(word)
            return broken.add(word)(tx)

        return operation

    results = await together(broken.engine, counted("a"), counted("b"))
    assert results == [1, 2]
    assert ran == ["a", "b", "a", "b"]
    assert await broken.words() == ["a", "b"]


async def test_when_no_commit_can_be_flushed_every_caller_hears_it(broken: Notes, disk: Disk) -> None:
    disk.failures = 1000
    results = await together(broken.engine, broken.add("a"), broken.add("b"))
    assert [type(result) for result in results] == [DatabaseUnavailable, DatabaseUnavailable]
    disk.failures = 0
    assert await broken.words() == []
    await broken.engine.write(broken.add("c"))
    assert await broken.words() == ["c"]


async def test_a_rule_checked_at_commit_fails_only_its_breaker(notes: Notes) -> None:
    await notes.engine.write(lambda tx: tx.execute(CREATE_PAIR))
    results = await together(notes.engine, notes.add("a"), lambda tx: tx.execute(ORPHAN), notes.add("b"))
    assert [type(result) for result in results] == [int, ConstraintViolation, int]
    assert await notes.words() == ["a", "b"]


async def test_an_error_seen_beside_a_lost_commit_is_judged_again(broken: Notes, disk: Disk) -> None:
    """The second saw the first's row, which was then lost: alone it succeeds."""

    def only_when_empty(tx: Transaction) -> int:
        if tx.rows(WORDS):
            raise LookupError
        return 7

    ran: list[int] = []

    def fail_alone(tx: Transaction) -> int:
        if ran:
            raise LookupError
        ran.append(1)
        return broken.add("a")(tx)

    disk.failures = 1
    results = await together(broken.engine, fail_alone, only_when_empty)
    assert isinstance(results[0], LookupError)
    assert results[1] == 7


async def test_boundaries_are_passed_around_the_commit_that_carries_the_operation(notes: Notes) -> None:
    passed: list[tuple[Failpoint, int]] = []

    def note(point: Failpoint) -> None:
        passed.append((point, notes.engine.stats.commits))

    before = notes.engine.stats.commits
    with failpoints_armed(note):
        await notes.engine.write(
            notes.add("a"), before_commit=Failpoint.CREATE_BEFORE_COMMIT, after_commit=Failpoint.CREATE_AFTER_COMMIT
        )
    assert passed == [
        (Failpoint.CREATE_BEFORE_COMMIT, before),
        (Failpoint.ENGINE_BEFORE_COMMIT, before),
        (Failpoint.ENGINE_AFTER_COMMIT, before + 1),
        (Failpoint.CREATE_AFTER_COMMIT, before + 1),
    ]


@pytest.mark.parametrize(
    ("point", "words"),
    [
        (Failpoint.CREATE_BEFORE_COMMIT, []),
        (Failpoint.ENGINE_BEFORE_COMMIT, []),
        (Failpoint.ENGINE_AFTER_COMMIT, ["a"]),
        (Failpoint.CREATE_AFTER_COMMIT, ["a"]),
    ],
)
async def test_a_failure_at_a_boundary_reaches_the_caller(notes: Notes, point: Failpoint, words: list[str]) -> None:
    def fail(passed: Failpoint) -> None:
        if passed is point:
            raise OSError("armed")

    with failpoints_armed(fail), pytest.raises(OSError, match="armed"):
        await notes.engine.write(
            notes.add("a"), before_commit=Failpoint.CREATE_BEFORE_COMMIT, after_commit=Failpoint.CREATE_AFTER_COMMIT
        )
    assert await notes.words() == words


async def test_cancelled_while_it_waits_an_operation_never_runs(notes: Notes) -> None:
    hold = Turnstile()
    holder = asyncio.create_task(notes.engine.write(hold))
    await asyncio.to_thread(hold.entered.wait)
    waiting = asyncio.create_task(notes.engine.write(notes.add("never")))
    beside = asyncio.create_task(notes.engine.write(notes.add("beside")))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    hold.released.set()
    await asyncio.gather(holder, beside)
    assert waiting.cancelled()
    assert await notes.words() == ["beside"]


async def test_cancelled_while_it_runs_an_operation_completes(notes: Notes) -> None:
    hold = Turnstile()

    def slow(tx: Transaction) -> None:
        hold(tx)
        notes.add("done")(tx)

    running = asyncio.create_task(notes.engine.write(slow))
    await asyncio.to_thread(hold.entered.wait)
    running.cancel()
    await asyncio.wait([running])
    hold.released.set()
    await notes.engine.write(notes.add("next"))
    assert running.cancelled()
    assert await notes.words() == ["done", "next"]


async def test_one_engine_serves_several_event_loops(notes: Notes) -> None:
    def elsewhere() -> int:
        return asyncio.run(notes.engine.write(notes.add("from another loop")))

    assert await asyncio.gather(asyncio.to_thread(elsewhere), notes.engine.write(notes.add("here")))
    assert await notes.words() == ["from another loop", "here"]
