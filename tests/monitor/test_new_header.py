"""The tip: announced once it settled, followed down when it changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from monitor_world import TEN_MINUTES, MonitorWorld, RecordingServices, events, query

from bsv_wallet_toolbox.interfaces.services import ChainTracker
from bsv_wallet_toolbox.mockchain import Fault, MockChain
from bsv_wallet_toolbox.monitor import Monitor, MonitorOptions
from bsv_wallet_toolbox.monitor.header_watch import HeaderWatch, Tip
from bsv_wallet_toolbox.transactions.headers import BlockHeader

pytestmark = pytest.mark.anyio

SETTLE = MonitorOptions(header_poll=5_000, header_settle=60_000)


async def announced(monitor: Monitor, world: MonitorWorld, seconds: int) -> None:
    """Let time pass in steps of the poll interval."""
    for _ in range(seconds // 5):
        world.clock.advance(5_000)
        await monitor.run_once()


async def test_a_header_is_announced_once_after_it_settled(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        monitor = Monitor(alice.provider, options=SETTLE)
        await monitor.run_once()
        await announced(monitor, world, 55)
        assert await events(alice, "NewHeader") == []
        await announced(monitor, world, 600)
        tip = world.chain.tip
        assert tip is not None
        assert await events(alice, "NewHeader") == [f"header {tip.height} {tip.hash}"]


async def test_a_header_that_is_replaced_while_it_settles_is_never_announced(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        monitor = Monitor(alice.provider, options=SETTLE)
        await monitor.run_once()
        await announced(monitor, world, 60)
        replaced = world.chain.mine(1)[0]
        await announced(monitor, world, 30)
        world.chain.reorg(replaced.height, 1)
        await announced(monitor, world, 300)
        tip = world.chain.tip
        assert tip is not None
        log = await events(alice, "NewHeader")
        assert not any(f"header {replaced.height} {replaced.hash}" in line for line in log)
        assert sum(tip.hash in line for line in log) == 1


async def test_a_restart_does_not_announce_again(world: MonitorWorld) -> None:
    for _ in range(2):
        async with world.wallet("alice") as alice:
            await world.idle(alice)
            assert len(await events(alice, "NewHeader")) == 1


async def test_two_monitors_announce_a_header_once(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        first, second = Monitor(alice.provider), Monitor(alice.provider)
        for _ in range(3):
            world.chain.mine(1)
            await first.run_until_idle()
            await second.run_until_idle()
        assert len(await events(alice, "NewHeader")) == 3


async def test_unavailable_headers_are_an_error_of_this_task_only(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        world.services.faults.set("find_tip", Fault.TIMEOUT)
        for _ in range(5):
            await world.idle(alice, later=TEN_MINUTES)
        assert world.services.posted == [txid]
        assert alice.monitor.health()["NewHeader"].consecutive_errors == 5
        assert len(await events(alice, "error1")) == 1
        world.services.faults.clear()
        await world.idle(alice)
        assert alice.monitor.health()["NewHeader"].consecutive_errors == 0


class LaggingTracker:
    """A header service that has not seen the latest blocks yet."""

    def __init__(self, mock: MockChain, behind: int) -> None:
        self._mock = mock
        self._behind = behind

    async def current_height(self) -> int:
        return self._mock.height - self._behind

    async def is_valid_root_for_height(self, root: str, height: int) -> bool:
        header = await self.find_header_for_height(height)
        return header is not None and header.merkle_root == root

    async def find_tip(self) -> BlockHeader | None:
        return self._mock.header_at(self._mock.height - self._behind)

    async def find_header_for_height(self, height: int) -> BlockHeader | None:
        return self._mock.header_at(height) if height <= self._mock.height - self._behind else None


class SwitchingServices(RecordingServices):
    tracker: ChainTracker | None = None

    def get_chain_tracker(self) -> ChainTracker:  # type: ignore[override]
        return self.tracker or super().get_chain_tracker()


async def test_a_tracker_that_lags_is_no_reorganisation(world: MonitorWorld) -> None:
    world.services = services = SwitchingServices(world.chain)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        await world.idle(alice)
        services.tracker = LaggingTracker(world.chain, 1)
        await world.idle(alice)
        assert await query(alice, "SELECT count(*) FROM bwt_suspects") == [(0,)]
        services.tracker = None
        await world.idle(alice)
        assert len(await events(alice, "NewHeader")) == 1


async def test_an_event_of_the_tracker_wakes_the_task(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.idle(alice)
        assert await alice.monitor.run_once() == []
        async with alice.monitor:
            world.chain.mine(1)
        assert "NewHeader" in await alice.monitor.run_once()


hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
tips = st.none() | st.builds(Tip, st.integers(0, 2**31), hashes)


@given(
    st.builds(
        HeaderWatch, tips, tips, st.integers(0, 2**41), st.dictionaries(st.integers(0, 2**31), hashes, max_size=5)
    )
)
def test_a_watch_is_read_as_it_was_written(watch: HeaderWatch) -> None:
    assert HeaderWatch.from_text(watch.to_text()) == watch
    assert HeaderWatch.from_text(None) == HeaderWatch()
