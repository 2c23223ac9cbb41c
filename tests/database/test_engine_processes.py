"""Several processes on one file, and processes that die."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from notes_world import sql

from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.seams import ManualClock

pytestmark = pytest.mark.anyio

CREATE_COUNTERS = sql("CREATE TABLE counters (name TEXT PRIMARY KEY, n INTEGER NOT NULL)")
FILL = sql("INSERT INTO counters VALUES ('first', 0), ('second', 0)")
COUNTS = sql("SELECT n FROM counters ORDER BY name")
CHECK = sql("PRAGMA integrity_check")

CHILD = """
import asyncio, os, signal, sys
import apsw
from sqlalchemy import text
from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.seams import SystemClock, failpoints_armed

path, rounds, callers, death = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
read = Statement(text("SELECT n FROM counters WHERE name = :name"), "read")
write = Statement(text("UPDATE counters SET n = :n WHERE name = :name"), "write")
passed = {}

def die_at(point):
    passed[point] = passed.get(point, 0) + 1
    if point == death and passed[point] == 20:
        os.kill(os.getpid(), signal.SIGKILL)

class File(apsw.VFSFile):
    def xSync(self, flags):
        die_at("flush")
        super().xSync(flags)

class FileSystem(apsw.VFS):
    def __init__(self):
        super().__init__("dying", "")
    def xOpen(self, name, flags):
        return File("", name, flags)

def count(tx):
    for name in ("first", "second"):
        tx.execute(write, name=name, n=tx.scalar(read, name=name) + 1)

async def main():
    system = FileSystem()
    async with SqliteEngine.open(path, clock=SystemClock(), vfs="dying" if death else None) as engine:
        async def caller():
            for _ in range(rounds):
                await engine.write(count)
                print("counted", flush=True)
        with failpoints_armed(die_at):
            await asyncio.gather(*(caller() for _ in range(callers)))

asyncio.run(main())
"""


def child(path: Path, rounds: int, callers: int, death: str = "") -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", CHILD, str(path), str(rounds), str(callers), death]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


@pytest.fixture
async def counters(path: Path, clock: ManualClock) -> Path:
    async with SqliteEngine.open(path, clock=clock, create=True) as engine:
        await engine.write(lambda tx: (tx.execute(CREATE_COUNTERS), tx.execute(FILL)))
    return path


async def counted(path: Path, clock: ManualClock) -> list[int]:
    async with SqliteEngine.open(path, clock=clock) as engine:
        assert await engine.read(lambda tx: tx.rows(CHECK)) == [("ok",)]
        return [n for (n,) in await engine.read(lambda tx: tx.rows(COUNTS))]


async def test_four_processes_lose_no_write(counters: Path, clock: ManualClock) -> None:
    children = [child(counters, rounds=40, callers=5) for _ in range(4)]
    outputs = [process.communicate(timeout=60)[0] for process in children]
    assert [process.returncode for process in children] == [0] * 4
    assert [output.count("counted") for output in outputs] == [200] * 4
    assert await counted(counters, clock) == [800, 800]


@pytest.mark.parametrize("death", ["engine.beforeCommit", "flush", "engine.afterCommit"])
@pytest.mark.parametrize("callers", [1, 8])
async def test_a_process_killed_around_its_commit_leaves_a_sound_file(
    counters: Path, clock: ManualClock, death: str, callers: int
) -> None:
    process = child(counters, rounds=1000, callers=callers, death=death)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    first, second = await counted(counters, clock)
    assert first == second
    assert output.count("counted") <= first <= output.count("counted") + 32
