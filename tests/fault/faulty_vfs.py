"""A disk that loses power and a disk that fails, as a file system layer of SQLite's between a wallet and its files.

Everything is written through to the real files at once, so that readers see what they would see; beside them stands
what a power cut would leave: the state of the last flush, and the changes since, of which any part may have arrived.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path

import apsw

SECTOR = 512


class Call(StrEnum):
    READ = "read"
    WRITE = "write"
    SYNC = "sync"
    TRUNCATE = "truncate"
    DELETE = "delete"


CHANGES = frozenset({Call.WRITE, Call.SYNC, Call.TRUNCATE, Call.DELETE})


class Loss(StrEnum):
    """Which of the changes since the last flush reach the disk when the power goes."""

    NONE = "none"
    ALL = "all"
    PREFIX = "prefix"
    SUBSET = "subset"
    TORN = "torn"
    """Of every write some sectors of 512 bytes."""


@dataclass(frozen=True)
class Write:
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncate:
    size: int


@dataclass(frozen=True)
class Create:
    pass


@dataclass(frozen=True)
class Delete:
    pass


Change = Write | Truncate | Create | Delete


@dataclass
class StoredFile:
    """``durable`` is None while no flush has made the name itself durable."""

    durable: bytes | None
    pending: list[Change] = field(default_factory=list)

    def flush(self) -> None:
        self.durable = _applied(self.durable, self.pending)
        self.pending = []

    def flush_name(self) -> None:
        """Make durable that the file was made or deleted, and of its contents as little as possible."""
        ends = [index for index, change in enumerate(self.pending) if isinstance(change, Create | Delete)]
        if ends:
            names = [change for change in self.pending[: ends[-1] + 1] if isinstance(change, Create | Delete)]
            self.durable = _applied(self.durable, names)
            self.pending = self.pending[ends[-1] + 1 :]

    def left(self, loss: Loss, chance: random.Random) -> bytes | None:
        """The contents after a power cut; None when the file is not there."""
        return _applied(self.durable, list(_arrived(self.pending, loss, chance)))


def _arrived(pending: list[Change], loss: Loss, chance: random.Random) -> Iterator[Change]:
    """The changes that arrive. Nothing that happens to a name or a file arrives when its making did not."""
    if loss is Loss.NONE:
        return
    end = chance.randint(0, len(pending)) if loss is Loss.PREFIX else len(pending)
    for change in pending[:end]:
        if loss in (Loss.ALL, Loss.PREFIX):
            yield change
        elif isinstance(change, Create | Delete):
            if chance.random() < 0.5:
                return
            yield change
        elif loss is Loss.TORN and isinstance(change, Write):
            yield from _sectors(change, chance)
        elif chance.random() < 0.5:
            yield change


def _sectors(write: Write, chance: random.Random) -> Iterator[Write]:
    start, end = write.offset, write.offset + len(write.data)
    while start < end:
        stop = min(end, start - start % SECTOR + SECTOR)
        if chance.random() < 0.5:
            yield Write(start, write.data[start - write.offset : stop - write.offset])
        start = stop


def _applied(contents: bytes | None, changes: list[Change]) -> bytes | None:
    left = None if contents is None else bytearray(contents)
    for change in changes:
        match change:
            case Create():
                left = bytearray() if left is None else left
            case Delete():
                left = None
            case Write(offset, data) if left is not None:
                left.extend(bytes(max(0, offset - len(left))))
                left[offset : offset + len(data)] = data
            case Truncate(size) if left is not None:
                del left[size:]
                left.extend(bytes(size - len(left)))
    return None if left is None else bytes(left)


@dataclass
class _Failure:
    call: Call
    suffix: str
    skip: int
    times: int
    error: Callable[[], Exception]


def io_error() -> Exception:
    return apsw.IOError("injected")


def disk_full() -> Exception:
    return apsw.FullError("injected")


class Disk:
    """``calls`` counts what changes the disk; with ``cut_at`` the power goes in the middle of that call."""

    def __init__(self, vfs: str) -> None:
        self.vfs = vfs
        self.calls = 0
        self.cut_at: int | None = None
        self.failed = 0
        self._lost = False
        self._failures: list[_Failure] = []
        self._files: dict[str, StoredFile] = {}
        self._lock = threading.Lock()

    @property
    def lost_power(self) -> bool:
        return self._lost

    def cut_now(self) -> None:
        with self._lock:
            self._lost = True

    def fail(
        self,
        call: Call,
        *,
        suffix: str = "",
        skip: int = 0,
        times: int = 1,
        error: Callable[[], Exception] = io_error,
    ) -> None:
        """Let ``times`` calls fail after ``skip`` more have succeeded; of files whose name ends in ``suffix`` only."""
        with self._lock:
            self._failures.append(_Failure(call, suffix, skip, times, error))

    def repair(self) -> None:
        with self._lock:
            self._failures.clear()

    def left_after(self, directory: Path, loss: Loss, chance: random.Random) -> None:
        """Write what a power cut leaves of every file, under its own name, into ``directory``."""
        for name, stored in sorted(self._files.items()):
            contents = stored.left(loss, chance)
            target = directory / Path(name).name
            target.unlink(missing_ok=True)
            if contents is not None:
                target.write_bytes(contents)

    # what the layer below calls

    def opened(self, name: str) -> None:
        with self._lock:
            self._refuse_when_lost()
            path = Path(name)
            stored = self._files.get(name)
            if stored is None:
                stored = self._files[name] = StoredFile(path.read_bytes() if path.exists() else None)
            if not path.exists():
                stored.pending.append(Create())

    def changing(self, call: Call, name: str, change: Change | None) -> None:
        """A change is under way: the power may go now, or the call fail."""
        with self._lock:
            self._refuse_when_lost()
            self._strike(call, name)
            self.calls += 1
            stored = self._files.get(name)
            if change is not None and stored is not None:
                stored.pending.append(change)
            if self.calls == self.cut_at:
                self._lost = True
                self._refuse_when_lost()
            if call is Call.SYNC and stored is not None:
                self._flush(stored)

    def reading(self, name: str) -> None:
        with self._lock:
            self._refuse_when_lost()
            self._strike(Call.READ, name)

    def wrote_a_part(self, name: str, write: Write) -> None:
        with self._lock:
            self._files[name].pending.append(write)

    def _flush(self, stored: StoredFile) -> None:
        """The first flush of a new file flushes its directory too: SQLite does so for logs and journals."""
        if any(isinstance(change, Create) for change in stored.pending):
            for each in self._files.values():
                each.flush_name()
        stored.flush()

    def _refuse_when_lost(self) -> None:
        if self._lost:
            raise apsw.IOError("the power is gone")

    def _strike(self, call: Call, name: str) -> None:
        for failure in self._failures:
            if failure.call is not call or not name.endswith(failure.suffix):
                continue
            if failure.skip > 0:
                failure.skip -= 1
            elif failure.times > 0:
                failure.times -= 1
                self.failed += 1
                raise failure.error()


_numbers = count(1)


@contextmanager
def faulty_disk() -> Iterator[Disk]:
    disk = Disk(f"faulty-{next(_numbers)}")

    class File(apsw.VFSFile):
        def __init__(self, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
            self._name = "" if name is None else str(name if isinstance(name, str) else name.filename())
            if self._name:
                disk.opened(self._name)
            super().__init__("", name, flags)

        def xRead(self, amount: int, offset: int) -> bytes:
            disk.reading(self._name)
            return super().xRead(amount, offset)

        def xWrite(self, data: bytes, offset: int) -> None:
            written = bytes(data)
            try:
                disk.changing(Call.WRITE, self._name, Write(offset, written))
            except apsw.FullError:
                part = written[: len(written) // 2]  # as much as there was room for
                disk.wrote_a_part(self._name, Write(offset, part))
                super().xWrite(part, offset)
                raise
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:
            disk.changing(Call.SYNC, self._name, None)

        def xTruncate(self, size: int) -> None:
            disk.changing(Call.TRUNCATE, self._name, Truncate(size))
            super().xTruncate(size)

    class FileSystem(apsw.VFS):
        def __init__(self) -> None:
            super().__init__(disk.vfs, "")

        def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
            return File(name, flags)

        def xDelete(self, name: str, sync_directory: bool) -> None:
            disk.changing(Call.DELETE, name, Delete())
            super().xDelete(name, sync_directory)

    file_system = FileSystem()
    try:
        yield disk
    finally:
        file_system.unregister()
