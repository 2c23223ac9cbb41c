"""ReviewHolds: asks about coins that nobody could say anything about, and again about those that were written off."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson

from bsv_wallet_toolbox.interfaces.services import TxNetworkStatus, UtxoStatus
from bsv_wallet_toolbox.monitor.isolation import for_each
from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.new_header import settled_height
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun
from bsv_wallet_toolbox.provider.network_work import HeldCoin, NetworkWork
from bsv_wallet_toolbox.provider.proof_check import SearchOutcome, find_proof

__all__ = ["ReviewHolds", "WriteOffWatch"]

_PAGE = 100
_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class WriteOffWatch:
    """How far written-off coins have been looked at, as the cursor of the task's lease keeps it.

    Each is looked at once soon after, those from ``through`` on still have to be; all of them at ``again``, and when
    blocks were orphaned more often than ``orphanings``.
    """

    orphanings: int = 0
    through: int = 0
    again: int = 0

    def since(self, orphanings: int, now: int, interval: int) -> int:
        """What was written off then or later is due. A clock that was ahead delays nothing."""
        everything = orphanings != self.orphanings or not 0 < self.again - now <= interval
        return 0 if everything else min(self.through, now)

    def to_text(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_text(cls, text: str | None) -> WriteOffWatch:
        """The watch that :meth:`to_text` wrote; of None, one that has seen nothing."""
        return cls() if text is None else cls(**orjson.loads(text))


@dataclass(slots=True)
class _Findings:
    """Of one look at written-off coins."""

    freed: int = 0
    unanswered: int = 0
    open_since: int | None = None
    """When the first coin was written off whose spender is proven by a block that has not settled yet."""


class ReviewHolds(MonitorTask):
    """A coin is freed when it is seen unspent and written off when it is seen spent; until then it is held.

    What was seen spent may not be so for good: a mempool forgets, a block is orphaned. So a coin that was written off
    is asked about daily and after every orphaning, unless its spender is proven or still known to the network.
    """

    name = "ReviewHolds"
    leased = True

    def __init__(self, work: NetworkWork, options: MonitorOptions) -> None:
        super().__init__(options.hold_poll)
        self._work = work
        self._concurrency = options.proof_concurrency
        self._interval = options.written_off_poll

    async def run(self, run: TaskRun) -> str:
        back = await self._review_written_off(run)
        awaited = await self._review_awaited(run)
        return "; ".join(done for done in (back, awaited) if done)

    async def _review_awaited(self, run: TaskRun) -> str:
        settled: list[UtxoStatus] = []

        async def review(coin: HeldCoin) -> None:
            status = await self._seen(coin)
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

    async def _review_written_off(self, run: TaskRun) -> str:
        settled = await settled_height(self._work)
        if settled is None:
            return ""
        now, orphanings = self._work.clock.now(), await self._work.orphanings()
        watch = WriteOffWatch.from_text(run.lease.cursor)
        since = watch.since(orphanings, now, self._interval)
        found = _Findings()

        async def review(coin: HeldCoin) -> None:
            await self._review_one(run, coin, settled, found)

        after = 0
        while page := await self._work.written_off(since, after, _PAGE):
            failures = await for_each(page, review, limit=self._concurrency)
            found.unanswered += len(failures)
            run.failed(failures)
            after = page[-1].output_id
        if since == 0:
            watch = WriteOffWatch(orphanings, again=now + (_HOUR if found.unanswered else self._interval))
        if since == 0 or after:
            through = now if found.open_since is None else found.open_since
            await self._work.save_cursor(run.lease, WriteOffWatch(watch.orphanings, through, watch.again).to_text())
        return f"{found.freed} coins freed that were seen spent" if found.freed else ""

    async def _review_one(self, run: TaskRun, coin: HeldCoin, settled: int, found: _Findings) -> None:
        if coin.spender is not None and not await self._is_gone(coin.spender, coin, settled, found):
            return
        status = await self._seen(coin)
        if status is UtxoStatus.UNKNOWN:
            found.unanswered += 1
        if status is UtxoStatus.UNSPENT and await self._work.settle_held(run.lease, coin, status, "isUtxo"):
            found.freed += 1

    async def _is_gone(self, spender: str, coin: HeldCoin, settled: int, found: _Findings) -> bool:
        """Whether a spender is neither proven nor known to the network: only then is an index believed that lags."""
        search = await find_proof(self._work.services, spender, b"")  # its bytes were seen back then
        if search.proof is not None:
            if search.proof.header.height > settled:
                found.open_since = min(coin.held_since, found.open_since or coin.held_since)
            return False
        answer = await self._work.services.get_status_for_txids([spender])
        status = (answer.statuses or {}).get(spender)
        if search.outcome is SearchOutcome.UNKNOWN or status is None:
            found.unanswered += 1
            return False
        return status is TxNetworkStatus.UNKNOWN

    async def _seen(self, coin: HeldCoin) -> UtxoStatus:
        if coin.locking_script is None:
            return UtxoStatus.UNKNOWN
        return await self._work.services.is_utxo(coin.txid, coin.vout, coin.locking_script)
