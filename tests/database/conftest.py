"""A table of notes on an engine, and a file system that can refuse to flush."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import pytest
from notes_world import CREATE, Disk, Notes

from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.seams import ManualClock


@pytest.fixture
def disk() -> Iterator[Disk]:
    handle = Disk("flushing")

    class File(apsw.VFSFile):
        def xSync(self, flags: int) -> None:
            handle.flush()
            super().xSync(flags)

    class FileSystem(apsw.VFS):
        def __init__(self) -> None:
            super().__init__(handle.vfs, "")

        def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
            return File("", name, flags)

    file_system = FileSystem()
    yield handle
    file_system.unregister()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallet.sqlite"


@pytest.fixture
async def notes(path: Path, clock: ManualClock) -> AsyncIterator[Notes]:
    async with SqliteEngine.open(path, clock=clock, create=True) as engine:
        await engine.write(lambda tx: tx.execute(CREATE))
        yield Notes(engine)
