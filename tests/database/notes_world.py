"""What the tests of the database work with: a table of notes, a turnstile, a disk that can refuse to flush."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import apsw
from sqlalchemy import text

from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Transaction


def sql(words: str) -> Statement:
    return Statement(text(words), words)


CREATE = sql("CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, word TEXT UNIQUE NOT NULL, data BLOB)")
INSERT = sql("INSERT INTO notes (word, data) VALUES (:word, :data)")
WORDS = sql("SELECT word FROM notes ORDER BY word")


@dataclass(slots=True)
class Notes:
    """The operations that the tests run."""

    engine: SqliteEngine

    @staticmethod
    def add(word: str, size: int = 0) -> Callable[[Transaction], int]:
        return lambda tx: tx.insert(INSERT, word=word, data=bytes(size))

    async def words(self) -> list[str]:
        return [word for (word,) in await self.engine.read(lambda tx: tx.rows(WORDS))]


@dataclass(slots=True)
class Turnstile:
    """An operation that holds the engine thread until it is let go, so that others queue up behind it."""

    entered: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def __call__(self, tx: Transaction) -> None:
        self.entered.set()
        assert self.released.wait(30)


@dataclass(slots=True)
class Disk:
    """``vfs`` names a file system of SQLite's, of which the next ``failures`` flushes fail."""

    vfs: str
    failures: int = 0

    def flush(self) -> None:
        if self.failures:
            self.failures -= 1
            raise apsw.IOError("the disk is gone")
