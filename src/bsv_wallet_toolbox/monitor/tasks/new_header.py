"""NewHeader: watches the tip, notices reorganisations, and tells the other tasks once a tip has settled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from bsv_wallet_toolbox.interfaces.services import ChainEvents, ChainTracker
from bsv_wallet_toolbox.monitor.header_watch import WINDOW, HeaderWatch, Tip
from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun
from bsv_wallet_toolbox.monitor.trigger import Trigger
from bsv_wallet_toolbox.provider.network_work import NetworkWork
from bsv_wallet_toolbox.storage.leases import Lease
from bsv_wallet_toolbox.transactions.headers import BlockHeader

__all__ = ["NewHeader", "settled_height"]

_CHAIN_MOVED = 1_000
"""When the chain changed while it was read, it is read again after this long."""


async def settled_height(work: NetworkWork) -> int | None:
    """Height of the last settled tip, whichever monitor saw it settle; None before the first."""
    settled = HeaderWatch.from_text(await work.read_cursor(NewHeader.name)).settled
    return None if settled is None else settled.height


class NewHeader(MonitorTask):
    """Reads the tip on a timer, and at once when the tracker tells of events.

    Every new tip is followed down to a header seen before. Remembered headers that are not on that way, and blocks of
    stored proofs that are not, left the active chain: their proofs are doubted in the same transaction. A tip that
    stood for the settle time makes all missing proofs due; one that was replaced before never does.
    """

    name = "NewHeader"
    leased = True

    def __init__(
        self, work: NetworkWork, options: MonitorOptions, on_reorg: Trigger, on_settled: Sequence[Trigger]
    ) -> None:
        super().__init__(options.header_poll)
        self._work = work
        self._settle = options.header_settle
        self._on_reorg = on_reorg
        self._on_settled = on_settled
        self._deactivated: deque[str] = deque()
        self._unsubscribe: Callable[[], None] | None = None

    def listen(self) -> None:
        tracker = self._work.services.get_chain_tracker()
        if isinstance(tracker, ChainEvents):
            self._unsubscribe = tracker.subscribe(self._header, self._reorg)

    def unlisten(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _header(self, _: BlockHeader) -> None:
        self.trigger.fire()

    def _reorg(self, deactivated: Sequence[BlockHeader], _: BlockHeader) -> None:
        self._deactivated.extend(header.hash for header in deactivated)
        self.trigger.fire()

    async def run(self, run: TaskRun) -> str:
        tracker = self._work.services.get_chain_tracker()
        now = self._work.clock.now()
        header = await tracker.find_tip()
        if header is None:
            return ""
        watch = HeaderWatch.from_text(run.lease.cursor)
        told = {self._deactivated.popleft() for _ in range(len(self._deactivated))}
        log = ""
        if told or watch.candidate != Tip.of(header):
            if _is_behind(watch, header) and not told:
                return ""
            followed = await self._follow(tracker, run.lease, watch, header, told, now)
            if followed is None:
                self.trigger.run_at(now + _CHAIN_MOVED)
                return ""
            watch, log = followed
        return log + await self._settled(run.lease, watch, now)

    async def _follow(
        self, tracker: ChainTracker, lease: Lease, watch: HeaderWatch, header: BlockHeader, told: set[str], now: int
    ) -> tuple[HeaderWatch, str] | None:
        """Move the watch to a new tip and doubt what is no longer under it. None when the chain moved meanwhile."""
        fresh = await _way_down(tracker, watch, header)
        if fresh is None:
            return None
        gone = told | watch.gone_after(fresh)
        tip = Tip.of(header)
        moved = watch.move_to(tip, fresh, watch.since if watch.candidate == tip else now)
        last_height = watch.candidate.height if watch.candidate is not None else tip.height
        active = dict(moved.recent)
        for block in await self._work.stored_blocks(max(0, min(last_height, tip.height) - WINDOW)):
            if block.height not in active and block.height <= tip.height:
                found = await tracker.find_header_for_height(block.height)
                if found is None:
                    return None
                active[block.height] = found.hash
            if active.get(block.height, block.block_hash) != block.block_hash:
                gone.add(block.block_hash)
        gone -= set(active.values())
        doubted = await self._work.doubt_blocks(lease, sorted(gone), moved.to_text())
        if gone:
            self._on_reorg.fire()
        reorganised = f"{len(gone)} blocks left the active chain, {doubted} proofs in doubt; " if gone else ""
        return moved, reorganised

    async def _settled(self, lease: Lease, watch: HeaderWatch, now: int) -> str:
        """Announce the tip if it stood long enough, else come back when it will have."""
        tip = watch.candidate
        if tip is None or watch.is_settled:
            return ""
        if now < watch.since + self._settle:
            self.trigger.run_at(watch.since + self._settle)
            return ""
        await self._work.settle_header(lease, watch.settle().to_text())
        for trigger in self._on_settled:
            trigger.fire()
        return f"header {tip.height} {tip.block_hash}"


def _is_behind(watch: HeaderWatch, header: BlockHeader) -> bool:
    """Whether a lower tip is merely that of a tracker that lags: nothing we know contradicts it."""
    known = watch.candidate
    if known is None or header.height >= known.height:
        return False
    return watch.recent.get(header.height, header.hash) == header.hash


async def _way_down(tracker: ChainTracker, watch: HeaderWatch, tip: BlockHeader) -> dict[int, str] | None:
    """Hashes from the tip down to just above a header seen before, at most a window deep. None when they don't link."""
    floor = max(0, tip.height - WINDOW + 1)
    lowest_known = min((height for height in watch.recent if height >= floor), default=tip.height)
    fresh: dict[int, str] = {}
    header = tip
    while watch.recent.get(header.height) != header.hash:
        fresh[header.height] = header.hash
        if header.height <= lowest_known:
            break
        below = await tracker.find_header_for_height(header.height - 1)
        if below is None or below.hash != header.previous_hash:
            return None
        header = below
    return fresh or {tip.height: tip.hash}
