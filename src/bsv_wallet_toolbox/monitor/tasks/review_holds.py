"""ReviewHolds: asks about coins that nobody could say anything about when their transaction failed or came back."""

from __future__ import annotations

from bsv_wallet_toolbox.interfaces.services import UtxoStatus
from bsv_wallet_toolbox.monitor.isolation import for_each
from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun
from bsv_wallet_toolbox.provider.network_work import HeldCoin, NetworkWork

__all__ = ["ReviewHolds"]

_PAGE = 100


class ReviewHolds(MonitorTask):
    """A coin is freed when it is seen unspent and written off when it is seen spent; until then it is held."""

    name = "ReviewHolds"
    leased = True

    def __init__(self, work: NetworkWork, options: MonitorOptions) -> None:
        super().__init__(options.hold_poll)
        self._work = work
        self._concurrency = options.proof_concurrency

    async def run(self, run: TaskRun) -> str:
        settled: list[UtxoStatus] = []

        async def review(coin: HeldCoin) -> None:
            if coin.locking_script is None:
                return
            status = await self._work.services.is_utxo(coin.txid, coin.vout, coin.locking_script)
            if status is not UtxoStatus.UNKNOWN and await self._work.settle_held(run.lease, coin, status, "isUtxo"):
                settled.append(status)

        after = 0
        while page := await self._work.held_coins(after, _PAGE):
            run.failed(await for_each(page, review, limit=self._concurrency))
            after = page[-1].output_id
        if not settled:
            return ""
        freed = settled.count(UtxoStatus.UNSPENT)
        return f"{freed} held coins freed, {len(settled) - freed} found spent"
