"""What a task of the monitor is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from bsv_wallet_toolbox.errors import WERR_INTERNAL
from bsv_wallet_toolbox.monitor.trigger import Trigger
from bsv_wallet_toolbox.storage.leases import Lease

__all__ = ["MonitorTask", "TaskRun"]


class TaskRun:
    """One run of a task: its lease if it has one, and what went wrong without ending the run."""

    def __init__(self, lease: Lease | None) -> None:
        self._lease = lease
        self.failures: list[Exception] = []

    @property
    def lease(self) -> Lease:
        """The lease of a task that asked for one."""
        if self._lease is None:
            raise WERR_INTERNAL("This task runs without a lease.")
        return self._lease

    def failed(self, failures: Iterable[Exception]) -> None:
        self.failures.extend(failures)


class MonitorTask(ABC):
    """A piece of background work. The monitor calls :meth:`run` whenever ``trigger`` says so, never twice at once."""

    name: ClassVar[str]
    """At most 64 characters; also the name of its lease and of its lines in the diary."""
    leased: ClassVar[bool] = False
    """True: one monitor at a time runs it. False: it claims the rows it works on."""

    def __init__(self, interval: int) -> None:
        self.trigger = Trigger(interval)

    @abstractmethod
    async def run(self, run: TaskRun) -> str:
        """Do what is due; what was done in a few words, empty when nothing was.

        What it raises is logged and ends this run only.
        """

    def listen(self) -> None:  # noqa: B027  # most tasks have no events to hear of
        """Begin to hear of events that fire the trigger; called when the monitor starts."""

    def unlisten(self) -> None:  # noqa: B027
        """The opposite of :meth:`listen`; calling it twice does nothing."""
