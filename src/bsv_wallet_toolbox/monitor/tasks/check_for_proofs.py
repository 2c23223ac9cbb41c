"""CheckForProofs: finds the Merkle paths of transactions that the network accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bsv_wallet_toolbox.interfaces.services import TxNetworkStatus
from bsv_wallet_toolbox.monitor.isolation import for_each
from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.new_header import settled_height
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun
from bsv_wallet_toolbox.monitor.trigger import Trigger
from bsv_wallet_toolbox.provider.network_work import NetworkJob, NetworkWork, Rest
from bsv_wallet_toolbox.provider.proof_check import SearchOutcome, find_proof
from bsv_wallet_toolbox.storage.reqs import LONGEST_REST

__all__ = ["STATUS_BATCH", "CheckForProofs"]

STATUS_BATCH = 20
"""Transactions that one status request asks about."""

_PAGES = 10
_SOON = 120_000
_NEXT_BLOCK = LONGEST_REST
"""Every new header makes all proofs due; this is for a network that has none for long."""


class CheckForProofs(MonitorTask):
    """Due at every settled header. Asks for the status of many first, and for the proofs of mined ones only.

    What the network knows is waited for without limit. What it has not known for ``unknown_blocks`` blocks is sent
    again. An outage counts for nothing. The attempts of a proof job hold that count: 0 while the network knows the
    transaction, else 1 + the settled height at which it first did not.
    """

    name = "CheckForProofs"

    def __init__(self, work: NetworkWork, options: MonitorOptions, sends: Trigger) -> None:
        super().__init__(options.proof_poll)
        self._work = work
        self._page = options.proof_page
        self._concurrency = options.proof_concurrency
        self._unknown_blocks = options.unknown_blocks
        self._sends = sends

    async def run(self, run: TaskRun) -> str:
        settled = await settled_height(self._work)
        if settled is None:
            return ""
        proven: list[str] = []
        for _ in range(_PAGES):
            jobs = await self._work.claim_proofs(self._page)
            batches = [jobs[start : start + STATUS_BATCH] for start in range(0, len(jobs), STATUS_BATCH)]

            async def check(batch: Sequence[NetworkJob]) -> None:
                await self._check(run, batch, settled, proven)

            run.failed(await for_each(batches, check, limit=1))
            if len(jobs) < self._page:
                break
        else:
            self.trigger.fire()
        return f"{len(proven)} proven at {settled}" if proven else ""

    async def _check(self, run: TaskRun, batch: Sequence[NetworkJob], settled: int, proven: list[str]) -> None:
        answer = await self._work.services.get_status_for_txids([job.txid for job in batch])
        statuses: Mapping[str, TxNetworkStatus] = answer.statuses or {}
        rests, mined, forgotten = [], [], []
        for job in batch:
            match statuses.get(job.txid):
                case TxNetworkStatus.MINED:
                    mined.append(job)
                case TxNetworkStatus.KNOWN:
                    rests.append(Rest(job, _NEXT_BLOCK, 0))
                case TxNetworkStatus.UNKNOWN if self._is_forgotten(job, settled):
                    forgotten.append(job)
                case TxNetworkStatus.UNKNOWN:
                    rests.append(Rest(job, _NEXT_BLOCK, job.attempts or settled + 1))
                case None:
                    rests.append(Rest(job, _SOON, job.attempts))
        await self._work.put_off(rests)

        async def send_again(job: NetworkJob) -> None:
            reason = f"unknown for {self._unknown_blocks} blocks"
            if await self._work.send_again(job, answer.provider, reason):
                self._sends.fire()

        async def prove(job: NetworkJob) -> None:
            if await self._prove(job, settled):
                proven.append(job.txid)

        run.failed(await for_each(forgotten, send_again, limit=self._concurrency))
        run.failed(await for_each(mined, prove, limit=self._concurrency))

    def _is_forgotten(self, job: NetworkJob, settled: int) -> bool:
        return job.attempts > 0 and settled - (job.attempts - 1) >= self._unknown_blocks

    async def _prove(self, job: NetworkJob, settled: int) -> bool:
        search = await find_proof(self._work.services, job.txid, job.raw_tx)
        if search.proof is not None and search.proof.header.height <= settled:
            return await self._work.record_proof(search.proof)
        if search.outcome is SearchOutcome.REFUTED:
            await self._work.note_refuted(job.txid, search.provider, search.detail)
        above = search.outcome is SearchOutcome.FOUND
        await self._work.put_off([Rest(job, _NEXT_BLOCK if above else _SOON, 0)])
        return False
