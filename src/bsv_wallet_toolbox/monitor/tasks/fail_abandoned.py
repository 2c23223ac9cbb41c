"""FailAbandoned: ends actions that nobody signed in time and gives their coins back."""

from __future__ import annotations

from bsv_wallet_toolbox.monitor.isolation import for_each
from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun
from bsv_wallet_toolbox.provider.network_work import NetworkWork

__all__ = ["FailAbandoned"]

_PAGE = 100
_CONCURRENCY = 32
"""As many as share one commit."""


class FailAbandoned(MonitorTask):
    """All of them in one run. An action that has a txid was signed and is never touched: it is sent instead."""

    name = "FailAbandoned"
    leased = True

    def __init__(self, work: NetworkWork, options: MonitorOptions) -> None:
        super().__init__(options.abandoned_poll)
        self._work = work

    async def run(self, run: TaskRun) -> str:
        failed: list[int] = []

        async def fail(transaction_id: int) -> None:
            if await self._work.fail_abandoned(run.lease, transaction_id, self.name):
                failed.append(transaction_id)

        after = 0
        while page := await self._work.abandoned(after, _PAGE):
            run.failed(await for_each(page, fail, limit=_CONCURRENCY))
            after = page[-1]
        return f"{len(failed)} abandoned actions ended" if failed else ""
