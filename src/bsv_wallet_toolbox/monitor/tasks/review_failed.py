"""ReviewFailed: looks whether a transaction that was believed lost was mined after all."""

from __future__ import annotations

from collections.abc import Sequence

from bsv_wallet_toolbox.interfaces.services import TxNetworkStatus
from bsv_wallet_toolbox.monitor.isolation import for_each
from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.check_for_proofs import STATUS_BATCH
from bsv_wallet_toolbox.monitor.tasks.new_header import settled_height
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun
from bsv_wallet_toolbox.monitor.trigger import Trigger
from bsv_wallet_toolbox.provider.network_work import NetworkJob, NetworkWork
from bsv_wallet_toolbox.provider.proof_check import find_proof

__all__ = ["ReviewFailed"]


class ReviewFailed(MonitorTask):
    """Evidence that ends a transaction can be wrong; a proof under our headers can not. Then it comes back.

    One batch a run, in turn through all of them, so that a long history of failures costs little.
    """

    name = "ReviewFailed"
    leased = True

    def __init__(self, work: NetworkWork, options: MonitorOptions, holds: Trigger) -> None:
        super().__init__(options.failed_poll)
        self._work = work
        self._concurrency = options.proof_concurrency
        self._holds = holds
        self._after = 0

    async def run(self, run: TaskRun) -> str:
        settled = await settled_height(self._work)
        if settled is None:
            return ""
        jobs = await self._work.failed_jobs(self._after, STATUS_BATCH)
        self._after = jobs[-1].req_id if len(jobs) == STATUS_BATCH else 0
        back: list[str] = []

        async def prove(job: NetworkJob) -> None:
            search = await find_proof(self._work.services, job.txid, job.raw_tx)
            if search.proof is not None and search.proof.header.height <= settled:
                await self._work.record_proof(search.proof)
                back.append(job.txid)

        run.failed(await for_each(await self._mined(jobs), prove, limit=self._concurrency))
        if back:
            self._holds.fire()
        return f"{len(back)} transactions believed lost were mined" if back else ""

    async def _mined(self, jobs: Sequence[NetworkJob]) -> list[NetworkJob]:
        if not jobs:
            return []
        answer = await self._work.services.get_status_for_txids([job.txid for job in jobs])
        statuses = answer.statuses or {}
        return [job for job in jobs if statuses.get(job.txid) is TxNetworkStatus.MINED]
