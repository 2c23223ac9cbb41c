"""ReviewFailed: looks whether the network has a transaction that was believed lost after all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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

__all__ = ["ReviewFailed"]


class ReviewFailed(MonitorTask):
    """Evidence that ends a transaction can be wrong; when the network has it, it comes back.

    A proof under our headers is final. Without one a provider's word that it knows the transaction counts as it does
    after a post, unless a transaction that was seen to compete with it is known too: then a proof has to decide.

    First those that a person asked about, all of them: what the network does not know is lost again, what nobody could
    answer is asked again. Of the others one batch a run, in turn, so that a long history of failures costs little.
    """

    name = "ReviewFailed"
    leased = True

    def __init__(
        self,
        work: NetworkWork,
        options: MonitorOptions,
        holds: Trigger,
        tell_me: Callable[[Callable[[], None] | None], None],
    ) -> None:
        super().__init__(options.failed_poll)
        self._work = work
        self._concurrency = options.proof_concurrency
        self._holds = holds
        self._tell_me = tell_me
        self._after = 0

    def listen(self) -> None:
        self._tell_me(self.trigger.fire)

    def unlisten(self) -> None:
        self._tell_me(None)

    async def run(self, run: TaskRun) -> str:
        back: list[str] = []
        after = 0
        while asked := await self._work.jobs_in(ProvenTxReqStatus.UNFAIL, after, STATUS_BATCH):
            after = asked[-1].req_id
            statuses, provider = await self._statuses(asked)
            await self._review(run, asked, statuses, provider, back)
            for job in asked:
                if statuses.get(job.txid) is TxNetworkStatus.UNKNOWN:
                    await self._work.record_still_unknown(run.lease, job.txid, provider)
        jobs = await self._work.failed_jobs(self._after, STATUS_BATCH)
        self._after = jobs[-1].req_id if len(jobs) == STATUS_BATCH else 0
        if jobs:
            statuses, provider = await self._statuses(jobs)
            await self._review(run, jobs, statuses, provider, back)
        if back:
            self._holds.fire()
        return f"{len(back)} transactions believed lost are there" if back else ""

    async def _statuses(self, jobs: Sequence[NetworkJob]) -> tuple[Mapping[str, TxNetworkStatus], str]:
        answer = await self._work.services.get_status_for_txids([job.txid for job in jobs])
        return answer.statuses or {}, answer.provider

    async def _review(
        self,
        run: TaskRun,
        jobs: Sequence[NetworkJob],
        statuses: Mapping[str, TxNetworkStatus],
        provider: str,
        back: list[str],
    ) -> None:
        settled = await settled_height(self._work)
        unproven = {job.txid for job in jobs if statuses.get(job.txid) is TxNetworkStatus.KNOWN}

        async def prove(job: NetworkJob) -> None:
            search = await find_proof(self._work.services, job.txid, job.raw_tx)
            if search.proof is not None and settled is not None and search.proof.header.height <= settled:
                await self._work.record_proof(search.proof)
                back.append(job.txid)
            elif search.outcome in (SearchOutcome.FOUND, SearchOutcome.NOT_YET):
                unproven.add(job.txid)

        async def restore(job: NetworkJob) -> None:
            if await self._is_beaten(job):
                return
            if await self._work.record_known(run.lease, job.txid, provider):
                back.append(job.txid)

        mined = [job for job in jobs if statuses.get(job.txid) is TxNetworkStatus.MINED]
        run.failed(await for_each(mined, prove, limit=self._concurrency))
        # One by one, the older first: what spends outputs of another lost one comes back after it.
        run.failed(await for_each([job for job in jobs if job.txid in unproven], restore, limit=1))

    async def _is_beaten(self, job: NetworkJob) -> bool:
        """Whether something that was said to have ended it is still known, or nobody can say."""
        competitors = await self._work.competitors_of(job)
        if not competitors:
            return False
        answer = await self._work.services.get_status_for_txids(competitors)
        statuses = answer.statuses or {}
        return any(statuses.get(each) is not TxNetworkStatus.UNKNOWN for each in competitors)
