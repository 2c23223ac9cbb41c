"""One SQLite connection: opened safely, its transactions, its errors in our words. The only module that imports apsw.

``apsw`` brings its own current SQLite. No other SQLite library (Python's ``sqlite3`` among them) may open the same file
in this process: closing one drops the other's locks.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import apsw

from bsv_wallet_toolbox.database.errors import (
    ConstraintViolation,
    DatabaseBusy,
    DatabaseCorrupt,
    DatabaseError,
    DatabaseMissing,
    DatabaseUnavailable,
    DiskFull,
)
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Row, Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.events import WalletEvent

__all__ = ["MEMORY", "SqliteConnection", "SqliteTransaction", "Synchronous", "prepare_file"]

T = TypeVar("T")

MEMORY = ":memory:"

Synchronous = Literal["FULL", "NORMAL"]
"""FULL: a returned result survives a power cut. NORMAL: the last commits may be lost, the file stays sound."""

_OLDEST_SQLITE = (3, 51, 3)
"""3.7.0 to 3.51.2 can corrupt a WAL file that two connections write or checkpoint at once."""

_WAIT_STEP = 0.0005
_WAIT_STEPS = 5
_STATEMENT_CACHE = 512
_CACHE_KIBIBYTES = 65536
_CHECKPOINT_PAGES = 4000
"""The log grows to 16 MB. Pages written again and again are copied back once: a tenth less per action than at 1000."""
_ROWS_PER_INSERT = 64
_MAX_PARAMETERS = 32766

_ERRORS: tuple[tuple[tuple[type[apsw.Error], ...], type[DatabaseError], str], ...] = (
    ((apsw.ConstraintError,), ConstraintViolation, "a rule of the database refuses it"),
    ((apsw.BusyError, apsw.LockedError, apsw.ProtocolError), DatabaseBusy, "the database is locked by another process"),
    ((apsw.FullError,), DiskFull, "the disk is full"),
    ((apsw.CorruptError, apsw.NotADBError, apsw.FormatError), DatabaseCorrupt, "the file is damaged or no database"),
    ((apsw.ReadOnlyError, apsw.PermissionsError), DatabaseUnavailable, "the database may not be written here"),
    ((apsw.IOError, apsw.CantOpenError), DatabaseUnavailable, "the file could not be read or written"),
    ((apsw.Error,), DatabaseError, "the database refused"),
)

_log = logging.getLogger("bsv_wallet_toolbox.database")

_FAILURES = (apsw.Error, OverflowError, UnicodeEncodeError, KeyError)
"""All that executing raises for reasons in the database or in the values."""


def _translated(error: BaseException, doing: str) -> Exception:
    if isinstance(error, KeyError):
        return TypeError(f"{doing}: parameter {error} is missing")
    if isinstance(error, OverflowError | UnicodeEncodeError):
        return WERR_INVALID_PARAMETER(doing, "given integers of 64 bits and text that is valid Unicode.")
    cls, meaning = next((cls, meaning) for kinds, cls, meaning in _ERRORS if isinstance(error, kinds))
    return cls(f"{doing}: {meaning} ({error})")


def prepare_file(path: str, *, create: bool) -> None:
    """See that the file is there, and that it and its companions are closed to other users (mode 0600).

    Raises DatabaseMissing, DatabaseUnavailable, DatabaseError for a SQLite library that can damage files.
    """
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) < _OLDEST_SQLITE:
        raise DatabaseError(f"SQLite {version} can corrupt databases; 3.51.3 or newer is needed.")
    try:
        if not os.path.exists(path):
            if not create:
                raise DatabaseMissing(f"There is no database file {path}.")
            with suppress(FileExistsError):
                # Never opens a file that is there: closing it again would drop the locks this process has on it.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        for name in (path, f"{path}-wal", f"{path}-shm"):
            if os.path.exists(name) and stat.S_IMODE(os.stat(name).st_mode) & 0o077:
                os.chmod(name, 0o600)
    except OSError as error:
        raise DatabaseUnavailable(f"The database file {path} can not be used: {error.strerror}.") from error


class SqliteConnection:
    """A connection and its one cursor. Used by one thread at a time; raises DatabaseError and its subclasses."""

    __slots__ = ("_connection", "_cursor", "_log", "_log_id")

    def __init__(
        self,
        path: str,
        *,
        read_only: bool,
        busy_timeout_ms: int,
        synchronous: Synchronous,
        vfs: str | None,
        immutable: bool = False,
    ) -> None:
        """``immutable``: read a file that nobody writes; no lock is taken and no companion file is made."""
        flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
        if path == MEMORY:
            flags |= apsw.SQLITE_OPEN_CREATE
        name = path
        self._log = f"{path}-wal"
        self._log_id: tuple[int, int] | None = None
        if immutable:
            flags |= apsw.SQLITE_OPEN_URI
            name = f"{Path(path).as_uri()}?immutable=1"
        try:
            self._connection = apsw.Connection(name, flags=flags, vfs=vfs, statementcachesize=_STATEMENT_CACHE)
            self._cursor = self._connection.cursor()
        except apsw.Error as error:
            raise _translated(error, f"opening {path}") from error
        try:
            self._connection.set_busy_handler(_Waiting(busy_timeout_ms / 1000))
            self._configure(path, read_only, synchronous)
        except BaseException:
            self.close()
            raise

    def _configure(self, path: str, read_only: bool, synchronous: Synchronous) -> None:
        # One plan per statement. Otherwise this build plans again for new values, which costs more than most queries.
        self._connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        if path != MEMORY and not read_only:
            ((mode,),) = self._ask("PRAGMA journal_mode=WAL")
            if mode != "wal":
                raise DatabaseUnavailable(f"opening {path}: no write-ahead log here (is it a network file system?)")
        self.run(f"PRAGMA synchronous={synchronous}")
        if sys.platform == "darwin":
            self.run("PRAGMA fullfsync=ON")
            self.run("PRAGMA checkpoint_fullfsync=ON")
        self.run("PRAGMA foreign_keys=ON")
        self.run("PRAGMA trusted_schema=OFF")
        self.run("PRAGMA temp_store=MEMORY")
        self.run(f"PRAGMA cache_size=-{_CACHE_KIBIBYTES}")
        self.run("PRAGMA mmap_size=0")
        self.run(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        # Read to its end: a query left half read would hold its snapshot, and the log could never start over.
        self._ask("SELECT count(*) FROM sqlite_schema")
        if path != MEMORY and not read_only:
            self._log_id = _identity(self._log)

    def check_log(self) -> None:
        """DatabaseUnavailable when the log that a COMMIT would write to is not the one that others read any more.

        Another SQLite library in this process, closing the file, drops the locks of this one and removes the log.
        """
        if self._log_id is not None and _identity(self._log) != self._log_id:
            raise DatabaseUnavailable(
                f"{self._log} was removed while the file was open, as another SQLite library does (such as Python's "
                "sqlite3) that opens and closes the file in the same program. Nothing was written; open the file anew."
            )

    @property
    def in_transaction(self) -> bool:
        """False also after an error that made SQLite roll everything back."""
        return self._connection.in_transaction

    def run(self, sql: str) -> None:
        """Run a statement of the engine's own."""
        try:
            self._cursor.execute(sql)
        except apsw.Error as error:
            raise _translated(error, sql) from error

    def _ask(self, sql: str) -> list[Row]:
        """All rows of a statement of our own."""
        try:
            rows: list[Row] = self._cursor.execute(sql).fetchall()
        except apsw.Error as error:
            raise _translated(error, sql) from error
        return rows

    def bury_lost_commit(self) -> None:
        """Write over what a COMMIT that could not be flushed left in the log: it is whole, so whoever opens the file
        after a crash would take it for committed. DatabaseError when this can't be written either.
        """
        self.check_log()
        self.run("BEGIN IMMEDIATE")
        ((version,),) = self._ask("PRAGMA user_version")
        self.run(f"PRAGMA user_version={version}")  # writes a page, also of what is there already
        self.run("COMMIT")

    def operation(self, clock: Callable[[], int], *, read_only: bool) -> SqliteTransaction:
        """The Transaction of one operation, inside the database transaction that is open."""
        return SqliteTransaction(self._connection, self._cursor, clock, read_only)

    def close(self) -> None:
        """Close, whatever is open. The last connection of a file checkpoints and removes its log.

        Raises nothing: where that fails, the log stays and whoever opens the file next goes on from it.
        """
        try:
            self._connection.close(True)
        except apsw.Error as error:
            _log.warning("closing: %s", _translated(error, "the last checkpoint"))


def _identity(path: str) -> tuple[int, int] | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_dev, state.st_ino


class _Waiting:
    """Waits for a lock in short steps. SQLite's own steps grow to 100 ms, and whoever waits longest wins least."""

    __slots__ = ("_seconds", "_until")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0

    def __call__(self, waited: int) -> bool:
        now = time.monotonic()
        if waited == 0:
            self._until = now + self._seconds
        if now >= self._until:
            return False
        time.sleep(_WAIT_STEP * (1 + waited % _WAIT_STEPS))
        return True


class SqliteTransaction:
    """See ``transaction.Transaction``."""

    __slots__ = (
        "_announced",
        "_clock",
        "_connection",
        "_cursor",
        "_ended",
        "_has_written",
        "_now",
        "_read_only",
        "_statements",
    )

    def __init__(
        self, connection: apsw.Connection, cursor: apsw.Cursor, clock: Callable[[], int], read_only: bool
    ) -> None:
        self._connection = connection
        self._cursor = cursor
        self._clock = clock
        self._now: int | None = None
        self._read_only = read_only
        self._statements = 0
        self._has_written = False
        self._announced: list[WalletEvent] = []
        self._ended: Exception | None = None

    @property
    def read_only(self) -> bool:
        return self._read_only

    @property
    def statements(self) -> int:
        return self._statements

    @property
    def has_written(self) -> bool:
        """Whether a statement ran that may have changed something."""
        return self._has_written

    @property
    def announced(self) -> Sequence[WalletEvent]:
        """For the engine, to hand on after its COMMIT; a read has none."""
        return self._announced

    def now(self) -> int:
        if self._now is None:
            self._now = self._clock()
        return self._now

    def perform(self, operation: Callable[[Transaction], T]) -> T:
        """Run the operation; afterwards every statement is refused, as it would be a transaction of its own.

        An error that ended the transaction is raised here again if the operation swallowed it.
        """
        try:
            result = operation(self)
        finally:
            ended, self._ended = self._ended, DatabaseError("This transaction has ended.")
        if ended is not None:
            raise ended
        return result

    def execute(self, statement: Statement, /, **parameters: Any) -> int:
        connection = self._connection
        before = connection.total_changes()
        self._has_written = True
        self._start(statement, parameters)
        return connection.total_changes() - before

    def rows(self, statement: Statement, /, **parameters: Any) -> list[Row]:
        cursor = self._start(statement, parameters)
        try:
            return cursor.fetchall()
        except _FAILURES as error:
            raise self._failure(statement, error) from error

    def one(self, statement: Statement, /, **parameters: Any) -> Row | None:
        row: Row | None = self._start(statement, parameters).fetchone()
        return row

    def scalar(self, statement: Statement, /, **parameters: Any) -> Any:
        row = self._start(statement, parameters).fetchone()
        return None if row is None else row[0]

    def insert(self, statement: Statement, /, **parameters: Any) -> int:
        return self._connection.last_insert_rowid() if self.execute(statement, **parameters) else 0

    def insert_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]], /) -> int:
        compiled = statement.compiled("sqlite")
        template = statement.row_template("sqlite")
        size = min(_ROWS_PER_INSERT, (_MAX_PARAMETERS - len(template.tail_names)) // max(1, len(template.row_names)))
        pending = iter(rows)
        before = self._connection.total_changes()
        self._has_written = True
        while batch := [compiled.bound(dict(row)) for row in islice(pending, size)]:
            try:
                self._run(template.text(len(batch)), template.bound(batch))
            except _FAILURES as error:
                raise self._failure(statement, error) from error
        return self._connection.total_changes() - before

    def many(self, statement: Statement, rows: Sequence[Mapping[str, Any]], /) -> int:
        return sum(self.execute(statement, **row) for row in rows)

    def announce(self, event: WalletEvent, /) -> None:
        if self._ended is not None:
            raise self._ended
        self._announced.append(event)

    def _start(self, statement: Statement, parameters: dict[str, Any]) -> apsw.Cursor:
        """Execute up to the first row, if there are any. What stands in ``one`` is reset by the next statement."""
        compiled = statement.compiled("sqlite")
        try:
            return self._run(compiled.text, compiled.bound(parameters))
        except _FAILURES as error:
            raise self._failure(statement, error) from error

    def _run(self, sql: str, values: dict[str, Any] | list[Any]) -> apsw.Cursor:
        if self._ended is not None:
            raise self._ended
        self._statements += 1
        return self._cursor.execute(sql, values)

    def _failure(self, statement: Statement, error: BaseException) -> Exception:
        translated = _translated(error, statement.name)
        if not self._connection.in_transaction:
            self._ended = translated
        return translated
