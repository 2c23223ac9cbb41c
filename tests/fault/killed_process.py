"""A process that is killed at a write it makes to its wallet file, and the journal that outlives it.

What a killed process leaves is what it has written and sent: two moments between the same two writes can't be told
apart by anybody who comes later. So all moments are reached by dying before, in the middle of, and after every write,
and at the boundaries that stand around everything sent.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

DATABASE, LOG, BOUNDARY = "database", "log", "boundary"
"""Where death may strike: at a change to a file (between checkpoints only the log is written), or at a failpoint."""


class Journal:
    """A file of facts that only grows, as somebody beside the process would note them.

    A line is one write of the operating system's, so it is there whole when the process is killed right afterwards;
    nothing but a power cut would make a flush necessary.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, **fact: Any) -> None:
        os.write(self._file, json.dumps(fact).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


@dataclass
class Account:
    """What the journal tells: which calls were made, and what was answered."""

    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Payments by idempotency key: how they are asked for."""
    answers: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The txids that were answered under each key."""
    offered: dict[int, str | None] = field(default_factory=dict)
    """Incoming payments that internalizeAction was called for, with the idempotency key."""
    taken: set[int] = field(default_factory=set)
    is_behind: bool = False
    """The chain was reorganised and the monitor has not been through since."""
    wrong: list[str] = field(default_factory=list)
    """What no call may ever raise or answer."""
    steps: list[str] = field(default_factory=list)
    """What was begun, by all lives."""
    deaths: list[str] = field(default_factory=list)
    """In which step, and how, those died that were killed at a write."""


def read_account(path: Path) -> Account:
    account = Account()
    for line in path.read_text().splitlines() if path.exists() else ():
        fact = json.loads(line)
        match fact.pop("fact"):
            case "asked":
                account.asked[fact.pop("key")] = fact
            case "answered":
                account.answers[fact["key"]].add(fact["txid"])
            case "offered":
                account.offered.setdefault(fact["payment"], fact["key"])
            case "taken":
                account.taken.add(fact["payment"])
            case "step":
                account.steps.append(fact["name"])
                account.is_behind |= fact["name"] == "reorganise"
            case "watched":
                account.is_behind = False
            case "wrong":
                account.wrong.append(fact["text"])
            case "died":
                account.deaths.append(f"{account.steps[-1]}: {fact['kind']} {fact['how']}")
    return account


class Death:
    """Strikes when one of ``kinds`` comes for the ``number``-th time, counted from 1.

    ``portion`` (0 to 1) of that write is still made.
    """

    def __init__(self, number: int, portion: float, journal: Journal, *kinds: str) -> None:
        self._kinds = kinds
        self._left = number
        self._portion = portion
        self._journal = journal
        self._lock = threading.Lock()

    def write(self, kind: str, data: bytes, write: Callable[[bytes], None]) -> None:
        with self._lock:
            if not self._is_due(kind):
                write(data)
                return
            written = round(self._portion * len(data))
            if written:
                write(data[:written])
            self._die(kind, f"{written} of {len(data)} bytes")

    def pass_by(self, kind: str, what: str) -> None:
        with self._lock:
            if self._is_due(kind):
                self._die(kind, what)

    def _is_due(self, kind: str) -> bool:
        if kind in self._kinds:
            self._left -= 1
            return self._left == 0
        return False

    def _die(self, kind: str, how: str) -> None:
        self._journal.note(fact="died", kind=kind, how=how)
        os.kill(os.getpid(), signal.SIGKILL)


class MortalDisk(apsw.VFS):
    """The ordinary file system, whose changes to one ``database`` (a file name) and its log are counted by death."""

    def __init__(self, database: str, death: Death) -> None:
        super().__init__("mortal", base="unix", makedefault=True)
        self._database = database
        self._death = death

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        kind = self._kind(name.filename() if isinstance(name, apsw.URIFilename) else name)
        return apsw.VFSFile("unix", name, flags) if kind is None else _MortalFile(name, flags, kind, self._death)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        kind = self._kind(filename)
        if kind is not None:
            self._death.pass_by(kind, "removed")
        super().xDelete(filename, syncdir)

    def _kind(self, name: str | None) -> str | None:
        base = os.path.basename(name or "")
        return {self._database: DATABASE, f"{self._database}-wal": LOG}.get(base)


class _MortalFile(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], kind: str, death: Death) -> None:
        super().__init__("unix", name, flags)
        self._kind = kind
        self._death = death

    def xLock(self, level: int) -> None:
        try:
            super().xLock(level)
        except apsw.IOError as error:
            # A read-only connection asks for the lock of writers as it closes, and SQLite lives with every refusal; but
            # the driver remembers all of a Python file's errors except this one, and raises them.
            raise apsw.BusyError("no lock") from error

    def xWrite(self, data: bytes, offset: int) -> None:
        self._death.write(self._kind, data, lambda part: super(_MortalFile, self).xWrite(part, offset))

    def xTruncate(self, newsize: int) -> None:
        self._death.pass_by(self._kind, "truncated")
        super().xTruncate(newsize)
