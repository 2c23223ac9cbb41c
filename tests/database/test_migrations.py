"""Steps are done once, in order, whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from notes_world import CREATE, INSERT, Notes, sql

from bsv_wallet_toolbox.database.errors import ConstraintViolation, UnknownMigration
from bsv_wallet_toolbox.database.migrations import Migration, migrate
from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.seams import ManualClock

pytestmark = pytest.mark.anyio

APPLIED = sql("SELECT number, name, applied_at FROM bwt_migrations ORDER BY number")
TABLES = sql("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name")


def create(tx: Transaction) -> None:
    tx.execute(CREATE)


def adding(word: str) -> Callable[[Transaction], None]:
    def apply(tx: Transaction) -> None:
        tx.insert(INSERT, word=word, data=None)

    return apply


STEPS = (Migration(1, "create", create), Migration(2, "add a", adding("a")), Migration(3, "add b", adding("b")))


async def test_steps_are_applied_once_and_recorded(path: Path, clock: ManualClock) -> None:
    async with SqliteEngine.open(path, clock=clock, create=True) as engine:
        assert await migrate(engine, STEPS[:1]) == STEPS[:1]
        clock.advance(5)
        assert await migrate(engine, STEPS) == STEPS[1:]
        assert await migrate(engine, STEPS) == ()
        assert await Notes(engine).words() == ["a", "b"]
        now = clock.now()
        expected = [(1, "create", now - 5), (2, "add a", now), (3, "add b", now)]
        assert await engine.read(lambda tx: tx.rows(APPLIED)) == expected


async def test_a_failing_step_leaves_the_steps_before_it(path: Path, clock: ManualClock) -> None:
    async with SqliteEngine.open(path, clock=clock, create=True) as engine:
        with pytest.raises(ConstraintViolation):
            await migrate(engine, (*STEPS[:2], Migration(3, "add a again", adding("a"))))
        assert [number for number, _, _ in await engine.read(lambda tx: tx.rows(APPLIED))] == [1, 2]
        assert await migrate(engine, STEPS) == STEPS[2:]


@pytest.mark.parametrize(
    "known", [STEPS[:2], (), (*STEPS[:2], Migration(3, "another", create)), (Migration(1, "other", create), *STEPS[1:])]
)
async def test_a_database_of_another_version_is_refused_untouched(
    path: Path, clock: ManualClock, known: tuple[Migration, ...]
) -> None:
    async with SqliteEngine.open(path, clock=clock, create=True) as engine:
        await migrate(engine, STEPS)
        with pytest.raises(UnknownMigration):
            await migrate(engine, known)
        assert await engine.read(lambda tx: tx.rows(TABLES)) == [("bwt_migrations",), ("notes",)]
        assert await Notes(engine).words() == ["a", "b"]


async def test_numbers_without_order_are_a_mistake_of_ours(path: Path, clock: ManualClock) -> None:
    async with SqliteEngine.open(path, clock=clock, create=True) as engine:
        with pytest.raises(ValueError, match="numbered"):
            await migrate(engine, STEPS[1:])


async def test_a_step_that_another_process_has_just_done_is_left_out(path: Path, clock: ManualClock) -> None:
    async with (
        SqliteEngine.open(path, clock=clock, create=True) as slow,
        SqliteEngine.open(path, clock=clock, create=True) as fast,
    ):
        slow_write = slow.write

        async def overtaken(operation: Callable[[Transaction], Any], *, name: str = "") -> Any:
            if name.startswith("migration"):
                await migrate(fast, STEPS)
            return await slow_write(operation, name=name)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slow, "write", overtaken)
            assert await migrate(slow, STEPS) == ()
        assert await Notes(slow).words() == ["a", "b"]


async def test_two_engines_migrating_one_file_do_each_step_once(path: Path, clock: ManualClock) -> None:
    async with (
        SqliteEngine.open(path, clock=clock, create=True) as one,
        SqliteEngine.open(path, clock=clock, create=True) as two,
    ):
        applied = await asyncio.gather(migrate(one, STEPS), migrate(two, STEPS))
        assert sorted(step.number for steps in applied for step in steps) == [1, 2, 3]
        assert await Notes(one).words() == ["a", "b"]
