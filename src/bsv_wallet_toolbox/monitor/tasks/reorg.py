"""Reorg: proves anew what was proven by blocks that left the active chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bsv_wallet_toolbox.interfaces.services import TxNetworkStatus
from bsv_wallet_toolbox.monitor.isolation import for_each
from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.check_for_proofs import STATUS_BATCH
from bsv_wallet_toolbox.monitor.tasks.new_header import settled_height
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun
from bsv_wallet_toolbox.monitor.trigger import Trigger
from bsv_wallet_toolbox.provider.network_work import NetworkWork
from bsv_wallet_toolbox.provider.proof_check import find_proof
from bsv_wallet_toolbox.storage.proofs import Suspect

__all__ = ["Reorg", "suspect_delay"]

_PAGE = 100
_MINUTE = 60_000
_DELAYS = (10 * _MINUTE, 20 * _MINUTE, 40 * _MINUTE)
_HOURLY = 60 * _MINUTE


def suspect_delay(tries: int) -> int:
    """Milliseconds until a doubted proof is looked at again: 10, 20, 40 minutes, then hourly, for ever."""
    return _DELAYS[tries] if tries < len(_DELAYS) else _HOURLY


class Reorg(MonitorTask):
    """Doubted proofs are looked for at once, at every settled header, and after growing delays.

    What the network still knows is kept as it is. What it does not know when ``unknown_blocks`` blocks stand above
    the lost one is sent again; a coinbase and what spends it can't come back and end.
    """

    name = "Reorg"
    leased = True

    def __init__(self, work: NetworkWork, options: MonitorOptions, sends: Trigger) -> None:
        super().__init__(options.reorg_poll)
        self._work = work
        self._concurrency = options.proof_concurrency
        self._unknown_blocks = options.unknown_blocks
        self._sends = sends

    async def run(self, run: TaskRun) -> str:
        settled = await settled_height(self._work)
        if settled is None:
            return ""
        suspects = await self._work.due_suspects(_PAGE)
        unproven: list[Suspect] = []

        async def prove(suspect: Suspect) -> None:
            if not await self._prove(run, suspect, settled):
                unproven.append(suspect)

        run.failed(await for_each(suspects, prove, limit=self._concurrency))
        demoted = 0
        for start in range(0, len(unproven), STATUS_BATCH):
            demoted += await self._judge(run, unproven[start : start + STATUS_BATCH], settled)
        if demoted:
            self._sends.fire()
        if len(suspects) == _PAGE and not run.failures:
            self.trigger.fire()
        if not suspects:
            return ""
        return f"{len(suspects)} proofs in doubt: {len(suspects) - len(unproven)} proven again, {demoted} lost"

    async def _prove(self, run: TaskRun, suspect: Suspect, settled: int) -> bool:
        if suspect.raw_tx is None:
            return False
        search = await find_proof(self._work.services, suspect.txid, suspect.raw_tx)
        if search.proof is None or search.proof.header.height > settled:
            return False
        await self._work.prove_again(run.lease, search.proof)
        return True

    async def _judge(self, run: TaskRun, suspects: Sequence[Suspect], settled: int) -> int:
        """Keep what the network has or nobody can tell about; demote what it lost. How many were demoted."""
        answer = await self._work.services.get_status_for_txids([suspect.txid for suspect in suspects])
        statuses: Mapping[str, TxNetworkStatus] = answer.statuses or {}
        lost: list[Suspect] = []
        kept: list[Suspect] = []
        for suspect in suspects:
            unknown = statuses.get(suspect.txid) is TxNetworkStatus.UNKNOWN
            is_lost = unknown and settled - suspect.height >= self._unknown_blocks
            (lost if is_lost else kept).append(suspect)
        await self._work.put_off_suspects(run.lease, [(each, suspect_delay(each.tries)) for each in kept])

        async def demote(suspect: Suspect) -> None:
            await self._work.demote(run.lease, suspect, suspect_delay(suspect.tries))

        failures = await for_each(lost, demote, limit=1)
        run.failed(failures)
        return len(lost) - len(failures)
