"""PurgeEvents: keeps the monitor's diary from growing for ever."""

from __future__ import annotations

from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun
from bsv_wallet_toolbox.provider.network_work import NetworkWork

__all__ = ["PurgeEvents"]


class PurgeEvents(MonitorTask):
    name = "PurgeEvents"
    leased = True

    def __init__(self, work: NetworkWork, options: MonitorOptions) -> None:
        super().__init__(options.purge_poll)
        self._work = work
        self._retention = options.event_retention

    async def run(self, run: TaskRun) -> str:
        count = await self._work.forget_events(run.lease, self._retention)
        return f"{count} events forgotten" if count else ""
