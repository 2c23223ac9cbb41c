"""The monitor: brings transactions to the network, finds their proofs, and cleans up, in a task group of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from bsv_wallet_toolbox.errors import WERR_BAD_REQUEST, WERR_INTERNAL, WalletError
from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.check_for_proofs import CheckForProofs
from bsv_wallet_toolbox.monitor.tasks.check_no_sends import CheckNoSends
from bsv_wallet_toolbox.monitor.tasks.fail_abandoned import FailAbandoned
from bsv_wallet_toolbox.monitor.tasks.new_header import NewHeader
from bsv_wallet_toolbox.monitor.tasks.purge_events import PurgeEvents
from bsv_wallet_toolbox.monitor.tasks.reorg import Reorg
from bsv_wallet_toolbox.monitor.tasks.review_failed import ReviewFailed
from bsv_wallet_toolbox.monitor.tasks.review_holds import ReviewHolds
from bsv_wallet_toolbox.monitor.tasks.send_waiting import SendWaiting
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun
from bsv_wallet_toolbox.provider.network_work import NetworkWork
from bsv_wallet_toolbox.provider.storage_provider import StorageProvider
from bsv_wallet_toolbox.storage.leases import LONGEST_LEASE, Lease

__all__ = ["Monitor", "MonitorOptions", "TaskHealth"]

_log = logging.getLogger("bsv_wallet_toolbox.monitor")

RUN_ERROR = "error1"
"""The name TypeScript's monitor gives to a diary line about a task that raised."""

_DETAILS_LENGTH = 500


@dataclass(frozen=True, slots=True)
class TaskHealth:
    """Times are milliseconds since 1970. ``last_error`` is that of the latest run that failed."""

    last_run: int | None = None
    last_error: str | None = None
    last_error_at: int | None = None
    consecutive_errors: int = 0


class Monitor:
    """``async with monitor:`` runs its tasks in the background; leaving waits for the runs that are under way.

    :meth:`run` does the same until :meth:`stop`. Without either, :meth:`run_once` and :meth:`run_until_idle` drive it
    by hand. Any number of monitors may work on one store, in any number of processes; one per StorageProvider.
    """

    def __init__(self, provider: StorageProvider, *, options: MonitorOptions | None = None) -> None:
        self._work = NetworkWork(provider)
        self._options = options or MonitorOptions.for_chain(provider.services.chain)
        self._tasks: dict[str, MonitorTask] = {}
        self._health: dict[str, TaskHealth] = {}
        self._locks: dict[str, anyio.Lock] = {}
        self._wakes: dict[str, anyio.Event] = {}
        self._group: TaskGroup | None = None
        self._stopping = anyio.Event()
        self._add_tasks(provider)

    def _add_tasks(self, provider: StorageProvider) -> None:
        work, options = self._work, self._options
        sends = SendWaiting(work, options, provider.when_work_arrives)
        proofs = CheckForProofs(work, options, sends.trigger)
        reorg = Reorg(work, options, sends.trigger)
        holds = ReviewHolds(work, options)
        no_sends = CheckNoSends(work, options, proofs.trigger)
        settled = (proofs.trigger, reorg.trigger, holds.trigger, no_sends.trigger)
        headers = NewHeader(work, options, reorg.trigger, settled)
        failed = ReviewFailed(work, options, holds.trigger, provider.when_review_is_wanted)
        for task in (headers, sends, no_sends, proofs, reorg, FailAbandoned(work, options), failed, holds):
            self.add_task(task)
        self.add_task(PurgeEvents(work, options))

    def add_task(self, task: MonitorTask) -> None:
        """Add work of your own. WERR_BAD_REQUEST for a name that is taken, or while the monitor runs."""
        if task.name in self._tasks:
            raise WERR_BAD_REQUEST(f"task {task.name} has already been added.")
        if self._group is not None:
            raise WERR_BAD_REQUEST("Tasks are added before the monitor starts.")
        self._tasks[task.name] = task
        self._health[task.name] = TaskHealth()
        self._locks[task.name] = anyio.Lock()

    def health(self) -> dict[str, TaskHealth]:
        """How each task fares, by name."""
        return dict(self._health)

    # by hand

    async def run_once(self) -> list[str]:
        """Run every task that is due, one after the other; the names of those that ran."""
        ran = []
        for task in self._tasks.values():
            if task.trigger.wait(self._work.clock.now()) == 0:
                await self._run_task(task)
                ran.append(task.name)
        return ran

    async def run_until_idle(self, rounds: int = 100) -> None:
        """Run every task, then those that are due, until none is. WERR_INTERNAL when it does not end."""
        for task in self._tasks.values():
            task.trigger.fire()
        for _ in range(rounds):
            if not await self.run_once():
                return
        raise WERR_INTERNAL(f"The monitor is still not idle after {rounds} rounds.")

    # in the background

    async def __aenter__(self) -> Self:
        """WERR_BAD_REQUEST when it runs already."""
        if self._group is not None:
            raise WERR_BAD_REQUEST("monitor tasks are already running.")
        self._stopping = anyio.Event()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        loop = asyncio.get_running_loop()
        for task in self._tasks.values():
            task.trigger.when_fired(partial(_wake_on, loop, self._wake, task.name))
            self._group.start_soon(self._serve, task)
            task.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        group = self._group
        assert group is not None  # entered
        self.stop()
        for task in self._tasks.values():
            task.unlisten()
            task.trigger.when_fired(None)
        try:
            if isinstance(error, asyncio.CancelledError):
                return await group.__aexit__(kind, error, trace)
            # What the body raised is not given to the group, which would cancel runs under way and wrap it.
            await group.__aexit__(None, None, None)
            return None
        finally:
            self._group = None

    async def run(self) -> None:
        """Run until :meth:`stop` or cancellation. WERR_BAD_REQUEST when it runs already."""
        async with self:
            await self._stopping.wait()

    def stop(self) -> None:
        """Let every task finish the run it is in, and begin none."""
        self._stopping.set()
        for name in self._tasks:
            self._wake(name)

    def _wake(self, name: str) -> None:
        event = self._wakes.get(name)
        if event is not None:
            event.set()

    async def _serve(self, task: MonitorTask) -> None:
        while not self._stopping.is_set():
            self._wakes[task.name] = anyio.Event()
            wait = task.trigger.wait(self._work.clock.now())
            if wait == 0:
                await self._run_task(task)
                continue
            with anyio.move_on_after(wait / 1000):
                await self._wakes[task.name].wait()

    # one run

    async def _run_task(self, task: MonitorTask) -> None:
        """Run a task under its lease, if it wants one. Nothing it raises leaves here, except what ends the process."""
        async with self._locks[task.name]:
            now = self._work.clock.now()
            task.trigger.began(now)
            try:
                await (self._run_leased(task) if task.leased else self._run_and_note(task, TaskRun(None)))
            except Exception as error:  # noqa: BLE001  # one task must not stop the others, whatever it meets
                await self._note_error(task, error, now)
            else:
                self._health[task.name] = replace(self._health[task.name], last_run=now)

    async def _run_leased(self, task: MonitorTask) -> None:
        lease = await self._work.take_lease(task.name, self._options.lease)
        if lease is None:
            return
        failure: Exception | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep_lease, lease)
                try:
                    await self._run_and_note(task, TaskRun(lease))
                except Exception as error:  # noqa: BLE001  # raised below, outside the group that would wrap it
                    failure = error
                group.cancel_scope.cancel()
        finally:
            await self._release_lease(lease)
        if failure is not None:
            raise failure

    async def _release_lease(self, lease: Lease) -> None:
        """Even when cancelled: the next to open the store is not to wait until the lease expires."""
        with anyio.CancelScope(shield=True):
            try:
                await self._work.release_lease(lease)
            except WalletError as error:
                _log.warning("the lease of %s could not be released: %s", lease.task, error.name)

    async def _keep_lease(self, lease: Lease) -> None:
        """Prolong a lease for as long as its task runs."""
        while True:
            await anyio.sleep(min(self._options.lease, LONGEST_LEASE) / 3000)
            try:
                await self._work.keep_lease(lease, self._options.lease)
            except WalletError as error:
                _log.warning("the lease of %s could not be prolonged: %s", lease.task, error.name)

    async def _run_and_note(self, task: MonitorTask, run: TaskRun) -> None:
        details = await task.run(run)
        if details:
            _log.info("%s: %s", task.name, details)
            await self._work.log_event(task.name, details)
        if run.failures:
            if len(run.failures) > 1:
                _log.error("%s: %d failures, the first one follows", task.name, len(run.failures))
            raise run.failures[0]
        self._health[task.name] = replace(self._health[task.name], consecutive_errors=0)

    async def _note_error(self, task: MonitorTask, error: Exception, now: int) -> None:
        """Log an error, and write it into the diary unless it is the one that stands there already."""
        code = error.name if isinstance(error, WalletError) else type(error).__name__
        message = (error.message if isinstance(error, WalletError) else "")[:_DETAILS_LENGTH]
        text = f"monitor task {task.name} runTask error {code} {message}".rstrip()
        before = self._health[task.name]
        repeated = before.consecutive_errors > 0 and before.last_error == text
        self._health[task.name] = TaskHealth(now, text, now, before.consecutive_errors + 1)
        _log.log(logging.WARNING if repeated else logging.ERROR, "%s", text, exc_info=None if repeated else error)
        if repeated:
            return
        try:
            await self._work.log_event(RUN_ERROR, text)
        except WalletError as failed:
            _log.warning("the diary could not be written: %s", failed.name)


def _wake_on(loop: asyncio.AbstractEventLoop, wake: Callable[[str], None], name: str) -> None:
    """Wake a task from whatever thread its trigger was fired on."""
    loop.call_soon_threadsafe(wake, name)
