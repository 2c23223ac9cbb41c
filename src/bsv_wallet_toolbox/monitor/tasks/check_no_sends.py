"""CheckNoSends: notices that somebody sent an action which was made to be sent by others."""

from __future__ import annotations

from collections.abc import Sequence

from bsv_wallet_toolbox.interfaces.services import TxNetworkStatus
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus
from bsv_wallet_toolbox.monitor.isolation import for_each
from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.check_for_proofs import STATUS_BATCH
from bsv_wallet_toolbox.monitor.tasks.new_header import settled_height
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun
from bsv_wallet_toolbox.monitor.trigger import Trigger
from bsv_wallet_toolbox.provider.network_work import NetworkJob, NetworkWork
from bsv_wallet_toolbox.provider.proof_check import SearchOutcome, find_proof

__all__ = ["CheckNoSends"]

_BATCHES = 10
"""Of one run; the next run goes on behind them, so that many such actions cost no more at every block."""


class CheckNoSends(MonitorTask):
    """An action created with ``noSend`` belongs to whoever was given it. Nothing is ever sent from here.

    Once the network has it, it is accepted like any other, and proven. Until then it stays as it is, without limit.
    """

    name = "CheckNoSends"
    leased = True

    def __init__(self, work: NetworkWork, options: MonitorOptions, proofs: Trigger) -> None:
        super().__init__(options.no_send_poll)
        self._work = work
        self._concurrency = options.proof_concurrency
        self._proofs = proofs
        self._after = 0

    async def run(self, run: TaskRun) -> str:
        seen: list[str] = []
        for _ in range(_BATCHES):
            jobs = await self._work.jobs_in(ProvenTxReqStatus.NOSEND, self._after, STATUS_BATCH)
            if jobs:
                await self._check(run, jobs, seen)
            self._after = jobs[-1].req_id if len(jobs) == STATUS_BATCH else 0
            if self._after == 0:
                break
        if seen:
            self._proofs.fire()
        return f"{len(seen)} actions were sent by others" if seen else ""

    async def _check(self, run: TaskRun, jobs: Sequence[NetworkJob], seen: list[str]) -> None:
        answer = await self._work.services.get_status_for_txids([job.txid for job in jobs])
        statuses = answer.statuses or {}
        settled = await settled_height(self._work)

        async def record(job: NetworkJob) -> None:
            if statuses[job.txid] is TxNetworkStatus.MINED:
                search = await find_proof(self._work.services, job.txid, job.raw_tx)
                if search.outcome is SearchOutcome.REFUTED:
                    await self._work.note_refuted(job.txid, search.provider, search.detail)
                    return
                if search.proof is not None and settled is not None and search.proof.header.height <= settled:
                    await self._work.record_proof(search.proof)
                    seen.append(job.txid)
                    return
            if await self._work.record_seen(run.lease, job.txid, answer.provider):
                seen.append(job.txid)

        there = [job for job in jobs if statuses.get(job.txid) in (TxNetworkStatus.KNOWN, TxNetworkStatus.MINED)]
        run.failed(await for_each(there, record, limit=self._concurrency))
