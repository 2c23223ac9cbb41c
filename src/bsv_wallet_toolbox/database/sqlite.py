"""The SQLite engine: one thread owns the writer and shares its commits among the writes that wait; readers run beside.

A write is queued; the thread drains the queue into one transaction and answers after its COMMIT, so that a hundred
callers pay for a few disk flushes. When an operation raises after it has written something, when the COMMIT fails or an
error ended the transaction (SQLite rolls everything back when the disk is full), nothing of the group counts and each
of its operations runs again by itself, so that only the guilty one fails (ADR-0011).
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

from bsv_wallet_toolbox.database.errors import (
    DatabaseBusy,
    DatabaseClosed,
    DatabaseError,
    DatabaseMissing,
    DatabaseUnavailable,
)
from bsv_wallet_toolbox.database.sqlite_connection import MEMORY, SqliteConnection, Synchronous, prepare_file
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.events import WalletEvent
from bsv_wallet_toolbox.seams import Clock, Failpoint, SystemClock, failpoint

__all__ = ["EngineStats", "SqliteEngine", "read_file"]

T = TypeVar("T")

_GROUP_OPERATIONS = 32
_GROUP_SECONDS = 0.03
_RERUNS = 5
_RERUN_SECONDS = 10.0
_RERUN_PAUSE = 0.01
_READ_FILE_BUSY_MS = 5_000
_UNBURIED = "If the program ends before anything else is written, it may turn out to have been written after all."

_log = logging.getLogger("bsv_wallet_toolbox.database")


class EngineStats(NamedTuple):
    """Since the engine was opened; writes only. ``commit_seconds`` is the time inside COMMIT, the flush included."""

    operations: int = 0
    statements: int = 0
    commits: int = 0
    commit_seconds: float = 0.0
    reruns: int = 0


class _Job(NamedTuple):
    operation: Callable[[Transaction], Any]
    name: str
    before_commit: Failpoint | None
    after_commit: Failpoint | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class _Outcome(NamedTuple):
    job: _Job
    result: Any = None
    error: BaseException | None = None
    statements: int = 0
    announced: Sequence[WalletEvent] = ()
    must_be_undone: bool = False
    """It failed after it had written something."""


class SqliteEngine:
    """See ``transaction.Engine``. Make it with :meth:`open`, leave it with :meth:`close` or ``async with``.

    Its threads are no daemons: an engine that is not closed keeps the process alive. It does not survive a fork.
    """

    dialect: ClassVar[str] = "sqlite"

    def __init__(self, writer: SqliteConnection, readers: Iterable[SqliteConnection], clock: Clock) -> None:
        self._writer = writer
        self._readers = deque(readers)
        self._memory = not self._readers
        self._exclusive: AbstractContextManager[Any] = threading.Lock() if self._memory else nullcontext()
        """Held by whoever uses the writer of a database in memory, which has no other connection to read with."""
        self._clock = clock
        self._stats = EngineStats()
        self._listener: Callable[[Sequence[WalletEvent]], None] | None = None
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._gate = threading.Lock()
        """Between looking at ``_closed`` and queueing: nothing is queued behind the None that ends the thread."""
        self._closed = False
        self._ending = False
        self._unburied = False
        """A COMMIT that failed stands whole in the log, and nothing could be written over it yet."""
        self._reading = ThreadPoolExecutor(max(1, len(self._readers)), thread_name_prefix="bsv-wallet-read")
        self._thread = threading.Thread(target=self._serve, name="bsv-wallet-write")
        self._thread.start()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        clock: Clock,
        readers: int = 4,
        create: bool = False,
        busy_timeout_ms: int = 30_000,
        synchronous: Synchronous = "FULL",
        vfs: str | None = None,
    ) -> Self:
        """Open a file, or ":memory:". The file becomes a write-ahead-log database of mode 0600.

        Raises DatabaseMissing without ``create``, DatabaseCorrupt, DatabaseUnavailable, DatabaseBusy. Do not put the
        file on a network file system: its locks can not be trusted.
        """
        name = os.fspath(path)
        if not name or readers < 1:
            raise WERR_INVALID_PARAMETER(
                "path" if not name else "readers", "given: a file name, and at least 1 reader."
            )
        if name != MEMORY:
            name = os.path.abspath(name)
            prepare_file(name, create=create)
        connections: list[SqliteConnection] = []
        try:
            connections.extend(
                SqliteConnection(
                    name, read_only=number > 0, busy_timeout_ms=busy_timeout_ms, synchronous=synchronous, vfs=vfs
                )
                for number in range(1 if name == MEMORY else 1 + readers)
            )
        except BaseException:
            for connection in reversed(connections):
                connection.close()
            raise
        return cls(connections[0], connections[1:], clock)

    @property
    def stats(self) -> EngineStats:
        return self._stats

    async def write(
        self,
        operation: Callable[[Transaction], T],
        *,
        name: str = "",
        before_commit: Failpoint | None = None,
        after_commit: Failpoint | None = None,
    ) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        job = _Job(operation, name, before_commit, after_commit, loop, future)
        with self._gate:
            self._refuse_when_closed()
            self._queue.put(job)
        return await future

    async def read(self, operation: Callable[[Transaction], T]) -> T:
        loop = asyncio.get_running_loop()
        with self._gate:
            self._refuse_when_closed()
            future = loop.run_in_executor(self._reading, self._read, operation)
        return await future

    def listen(self, listener: Callable[[Sequence[WalletEvent]], None]) -> None:
        self._listener = listener

    async def close(self) -> None:
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        await asyncio.to_thread(self._release)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise DatabaseClosed("The database is closed.")

    def _release(self) -> None:
        self._thread.join()
        self._reading.shutdown()
        with self._gate:
            if self._unburied:
                with suppress(DatabaseError):  # its callers were told
                    self._writer.bury_lost_commit()
            while self._readers:
                self._readers.pop().close()
            self._writer.close()

    def _read(self, operation: Callable[[Transaction], T]) -> T:
        """What a reading thread does."""
        until = time.perf_counter() + _RERUN_SECONDS
        for rerun in range(_RERUNS):
            try:
                return self._read_once(operation)
            except DatabaseBusy:
                if time.perf_counter() > until:
                    raise
            time.sleep(_RERUN_PAUSE * 2**rerun)
        return self._read_once(operation)

    def _read_once(self, operation: Callable[[Transaction], T]) -> T:
        with self._reader() as connection:
            connection.run("BEGIN DEFERRED")
            try:
                return connection.operation(self._clock.now, read_only=True).perform(operation)
            finally:
                if connection.in_transaction:
                    connection.run("ROLLBACK")

    @contextmanager
    def _reader(self) -> Iterator[SqliteConnection]:
        if not self._memory:
            connection = self._readers.pop()
            try:
                yield connection
            finally:
                self._readers.append(connection)
            return
        with self._exclusive:
            self._writer.run("PRAGMA query_only=ON")
            try:
                yield self._writer
            finally:
                self._writer.run("PRAGMA query_only=OFF")

    def _serve(self) -> None:
        """What the writing thread does."""
        while not self._ending:
            job = self._queue.get()
            if job is None:
                return
            if not job.future.cancelled():
                _answer(self._run_group(job))

    def _arrivals(self) -> Iterator[_Job]:
        """What is queued by now, up to what one COMMIT carries. Never waits: a lone caller is not to be delayed."""
        until = time.perf_counter() + _GROUP_SECONDS
        count = 1
        while count < _GROUP_OPERATIONS and time.perf_counter() < until:
            try:
                job = self._queue.get_nowait()
            except Empty:
                return
            if job is None:
                self._ending = True
                return
            if not job.future.cancelled():
                count += 1
                yield job

    def _run_group(self, first: _Job) -> list[_Outcome]:
        until = time.perf_counter() + _RERUN_SECONDS
        outcomes, committed = self._attempt(first, self._arrivals())
        if not committed and len(outcomes) > 1:
            outcomes = [self._run_again(outcome.job) for outcome in outcomes]
        return [self._persist(outcome, until) for outcome in outcomes]

    def _persist(self, outcome: _Outcome, until: float) -> _Outcome:
        """Run an operation again as long as only a lock that others held was in its way."""
        for rerun in range(_RERUNS):
            if not isinstance(outcome.error, DatabaseBusy) or time.perf_counter() > until:
                break
            time.sleep(_RERUN_PAUSE * 2**rerun)
            outcome = self._run_again(outcome.job)
        return outcome

    def _run_again(self, job: _Job) -> _Outcome:
        _log.warning("running %s again by itself", job.name or "an operation")
        self._stats = self._stats._replace(reruns=self._stats.reruns + 1)
        outcomes, _ = self._attempt(job, iter(()))
        return outcomes[0]

    def _attempt(self, first: _Job, more: Iterator[_Job]) -> tuple[list[_Outcome], bool]:
        """One database transaction: the outcomes, and whether they are final. Not so when it failed as a whole."""
        with self._exclusive:
            try:
                self._writer.run("BEGIN IMMEDIATE")
            except DatabaseError as error:
                return [_Outcome(first, error=error)], False
            outcomes: list[_Outcome] = []
            job: _Job | None = first
            while job is not None:
                outcomes.append(self._apply(job))
                if not self._writer.in_transaction:
                    return outcomes, False
                if outcomes[-1].must_be_undone or outcomes[0].error is not None:
                    self._roll_back()
                    return outcomes, len(outcomes) == 1
                job = next(more, None)
            return self._commit(outcomes)

    def _apply(self, job: _Job) -> _Outcome:
        tx = self._writer.operation(self._clock.now, read_only=False)
        try:
            result = tx.perform(job.operation)
            return _Outcome(job, result=result, statements=tx.statements, announced=tx.announced)
        except BaseException as error:  # noqa: BLE001 whatever an operation raises is its caller's
            return _Outcome(job, error=error, statements=tx.statements, must_be_undone=tx.has_written)

    def _roll_back(self) -> None:
        try:
            if self._writer.in_transaction:
                self._writer.run("ROLLBACK")
        except DatabaseError:
            _log.exception("ROLLBACK failed")

    def _commit(self, outcomes: list[_Outcome]) -> tuple[list[_Outcome], bool]:
        done = [outcome for outcome in outcomes if outcome.error is None]
        if not done:
            self._roll_back()
            return outcomes, True
        try:
            _pass(outcome.job.before_commit for outcome in done)
            failpoint(Failpoint.ENGINE_BEFORE_COMMIT)
            self._writer.check_log()
            started = time.perf_counter()
            self._writer.run("COMMIT")
            seconds = time.perf_counter() - started
        except BaseException as error:  # noqa: BLE001 given to the callers, or gone when their operations run again
            self._roll_back()
            return _failed(outcomes, self._bury(error)), False
        self._unburied = False
        self._count(done, seconds)
        self._hand_on([event for outcome in done for event in outcome.announced])
        try:
            failpoint(Failpoint.ENGINE_AFTER_COMMIT)
        except BaseException as error:  # noqa: BLE001 raised by a test
            return _failed(outcomes, error), True
        return [_after_commit(outcome) for outcome in outcomes], True

    def _hand_on(self, events: Sequence[WalletEvent]) -> None:
        if self._listener is None or not events:
            return
        try:
            self._listener(events)
        except Exception:  # noqa: BLE001 a listener is not ours; without this thread nothing would be answered again
            _log.exception("%d events were not handed on", len(events))

    def _bury(self, error: BaseException) -> BaseException:
        """See that a COMMIT that failed takes no effect later; the error, which says so when that is not certain."""
        if not isinstance(error, DatabaseUnavailable):
            return error
        try:
            self._writer.bury_lost_commit()
        except DatabaseError:
            self._roll_back()
            self._unburied = True
            return DatabaseUnavailable(f"{error.message}. {_UNBURIED}")
        self._unburied = False
        return error

    def _count(self, done: list[_Outcome], seconds: float) -> None:
        stats = self._stats
        self._stats = EngineStats(
            operations=stats.operations + len(done),
            statements=stats.statements + sum(outcome.statements for outcome in done),
            commits=stats.commits + 1,
            commit_seconds=stats.commit_seconds + seconds,
            reruns=stats.reruns,
        )


def read_file(path: str | os.PathLike[str], operation: Callable[[Transaction], T]) -> T:
    """Run a reading operation on one snapshot of a file, without an engine, and leave no trace: nothing is made,
    migrated, checkpointed or given another mode. The snapshot may last; a wallet that has the file open goes on.

    Raises DatabaseMissing, DatabaseCorrupt, DatabaseUnavailable, DatabaseBusy when somebody opened and changed the file
    meanwhile (try again), and what the operation raises.
    """
    name = os.path.abspath(os.fspath(path))
    if not os.path.exists(name):
        raise DatabaseMissing(f"There is no database file {name}.")
    # Without a log nobody has the file open. Opened in the usual way it would be given one, which would stay behind.
    closed = not os.path.exists(f"{name}-wal") and not os.path.exists(f"{name}-journal")
    before = _changed_at(name)
    try:
        connection = SqliteConnection(
            name, read_only=True, busy_timeout_ms=_READ_FILE_BUSY_MS, synchronous="FULL", vfs=None, immutable=closed
        )
        try:
            connection.run("BEGIN DEFERRED")
            return connection.operation(SystemClock().now, read_only=True).perform(operation)
        finally:
            connection.close()
    finally:
        if closed and _changed_at(name) != before:
            raise DatabaseBusy(f"{name} was changed while it was read.")


def _changed_at(name: str) -> tuple[int, int]:
    state = os.stat(name)
    return state.st_mtime_ns, state.st_size


def _pass(points: Iterable[Failpoint | None]) -> None:
    for point in points:
        if point is not None:
            failpoint(point)


def _failed(outcomes: list[_Outcome], error: BaseException) -> list[_Outcome]:
    return [outcome._replace(result=None, error=outcome.error or error) for outcome in outcomes]


def _after_commit(outcome: _Outcome) -> _Outcome:
    """Pass an operation's own boundary behind COMMIT. An error from there is the caller's; the operation stands."""
    if outcome.error is not None:
        return outcome
    try:
        _pass([outcome.job.after_commit])
    except BaseException as error:  # noqa: BLE001 raised by a test
        return outcome._replace(result=None, error=error)
    return outcome


def _answer(outcomes: list[_Outcome]) -> None:
    """Hand results to their event loops, one wake-up each."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[_Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_loop[outcome.job.loop].append(outcome)
    for loop, group in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, group)
        except RuntimeError:
            _log.warning("the event loop of %d finished operations is closed", len(group))


def _resolve(outcomes: list[_Outcome]) -> None:
    for outcome in outcomes:
        future = outcome.job.future
        if future.done():
            continue
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.result)
