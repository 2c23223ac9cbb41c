"""SendWaiting: posts the transactions that wait to be sent, parents before children."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.monitor.isolation import for_each
from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun
from bsv_wallet_toolbox.provider.network_work import NetworkJob, NetworkWork
from bsv_wallet_toolbox.provider.verdict import VerdictKind
from bsv_wallet_toolbox.transactions.tx import parse_transaction

__all__ = ["SendWaiting", "generations"]

_PAGES = 10


class SendWaiting(MonitorTask):
    """Claims what is due, so that several monitors share the work and each transaction is posted by one of them.

    One that nobody judged is due again after 8 s, 30 s, 2 min, 10 min, then every hour, for ever: an outage ends none.
    """

    name = "SendWaiting"

    def __init__(
        self,
        work: NetworkWork,
        options: MonitorOptions,
        tell_me: Callable[[Callable[[], None] | None], None],
    ) -> None:
        super().__init__(options.send_poll)
        self._work = work
        self._page = options.send_page
        self._concurrency = options.send_concurrency
        self._tell_me = tell_me

    def listen(self) -> None:
        self._tell_me(self.trigger.fire)

    def unlisten(self) -> None:
        self._tell_me(None)

    async def run(self, run: TaskRun) -> str:
        verdicts: Counter[VerdictKind] = Counter()

        async def send(job: NetworkJob) -> None:
            if await self._work.keep_send(job):
                verdicts[await self._send(job)] += 1

        for _ in range(_PAGES):
            jobs = await self._work.claim_sends(self._page)
            for generation in generations(jobs):
                run.failed(await for_each(generation, send, limit=self._concurrency))
            if len(jobs) < self._page:
                break
        else:
            self.trigger.fire()
        # Acceptance is noted with each transaction; a line of its own per run would fill the diary.
        return ", ".join(f"{verdicts[kind]} {kind}" for kind in sorted(verdicts) if kind is not VerdictKind.ACCEPTED)

    async def _send(self, job: NetworkJob) -> VerdictKind:
        try:
            return (await self._work.send(job)).verdict.kind
        except Exception as error:
            reason = error.message if isinstance(error, WalletError) else type(error).__name__
            await self._work.record_send_failed(job, reason)
            raise


def generations(jobs: Sequence[NetworkJob]) -> list[list[NetworkJob]]:
    """The jobs in groups: every group spends outputs of earlier groups only (and of what is not among the jobs)."""
    by_txid = {job.txid: job for job in jobs}
    children: defaultdict[str, list[str]] = defaultdict(list)
    waiting_for: dict[str, int] = {}
    for job in jobs:
        parents = {txid for txid in _sources(job) if txid in by_txid}
        waiting_for[job.txid] = len(parents)
        for parent in parents:
            children[parent].append(job.txid)
    groups = []
    ready = [job for job in jobs if waiting_for[job.txid] == 0]
    while ready:
        groups.append(ready)
        following = []
        for job in ready:
            for child in children[job.txid]:
                waiting_for[child] -= 1
                if waiting_for[child] == 0:
                    following.append(by_txid[child])
        ready = following
    return groups


def _sources(job: NetworkJob) -> tuple[str, ...]:
    """No source of a req without readable bytes: sending it says what is wrong with it."""
    try:
        return tuple(parse_transaction(job.raw_tx).source_txids)
    except WalletError:
        return ()
