"""The monitor as a background service: it starts, wakes, isolates, tells how it fares, and stops."""

from __future__ import annotations

from typing import ClassVar

import anyio
import pytest
from monitor_world import UNPROVEN, MonitorWorld, events, status_of

from bsv_wallet_toolbox.errors import WERR_BAD_REQUEST, WERR_INTERNAL
from bsv_wallet_toolbox.monitor import Monitor, MonitorOptions, MonitorTask, TaskRun
from bsv_wallet_toolbox.monitor.trigger import Trigger
from bsv_wallet_toolbox.storage.leases import take_lease

pytestmark = pytest.mark.anyio

DAY = 86_400_000


class Broken(MonitorTask):
    name: ClassVar[str] = "Broken"

    def __init__(self, leased: bool = False) -> None:
        super().__init__(1_000)
        self.runs = 0
        self.leased = leased  # type: ignore[misc]

    async def run(self, run: TaskRun) -> str:
        self.runs += 1
        raise ZeroDivisionError("never tell this text")


class Waiting(MonitorTask):
    name: ClassVar[str] = "Waiting"

    def __init__(self) -> None:
        super().__init__(1_000)
        self.began = anyio.Event()
        self.may_end = anyio.Event()
        self.ended = 0

    async def run(self, run: TaskRun) -> str:
        self.began.set()
        await self.may_end.wait()
        self.ended += 1
        return ""


async def test_a_delayed_action_is_sent_at_once_while_the_monitor_runs(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        posted = anyio.Event()

        async def tell() -> None:
            posted.set()

        world.services.after_post = tell
        await alice.monitor.run_until_idle()
        async with alice.monitor:
            txid = await world.pay_nowhere(alice)
            with anyio.fail_after(20):
                await posted.wait()
        assert await status_of(alice, txid) == UNPROVEN


async def test_a_block_is_noticed_on_whatever_thread_it_is_mined(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        await world.pay_nowhere(alice)
        await alice.monitor.run_until_idle()
        asked = anyio.Event()
        answer = world.services.get_merkle_path

        async def watched(txid: str) -> object:
            asked.set()
            return await answer(txid)

        world.services.get_merkle_path = watched  # type: ignore[assignment, method-assign]
        async with alice.monitor:
            await anyio.to_thread.run_sync(world.chain.mine)
            with anyio.fail_after(20):
                await asked.wait()


@pytest.mark.parametrize("leased", [False, True])
async def test_a_task_that_raises_is_noted_and_stops_no_other(world: MonitorWorld, leased: bool) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        monitor = Monitor(alice.provider)
        broken = Broken(leased)
        monitor.add_task(broken)
        for _ in range(3):
            await monitor.run_until_idle()
        assert broken.runs == 3
        assert world.services.posted == [txid]
        assert await events(alice, "error1") == ["monitor task Broken runTask error ZeroDivisionError"]
        health = monitor.health()
        assert health["Broken"].consecutive_errors == 3
        assert health["Broken"].last_error_at == world.clock.now()
        assert health["SendWaiting"].last_run == world.clock.now()
        assert health["SendWaiting"].last_error is None


async def test_a_second_start_is_refused_and_a_later_one_is_not(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        async with alice.monitor:
            with pytest.raises(WERR_BAD_REQUEST):
                await alice.monitor.run()
        async with alice.monitor:
            assert alice.monitor.health()["NewHeader"].consecutive_errors == 0


async def test_stop_lets_the_run_under_way_finish_and_begins_none(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        monitor = Monitor(alice.provider)
        waiting = Waiting()
        monitor.add_task(waiting)
        stopped = anyio.Event()

        async def run() -> None:
            await monitor.run()
            stopped.set()

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            with anyio.fail_after(20):
                await waiting.began.wait()
                monitor.stop()
                waiting.trigger.fire()
                assert not stopped.is_set()
                waiting.may_end.set()
                await stopped.wait()
        assert waiting.ended == 1


async def test_cancelling_run_stops_it(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        monitor = Monitor(alice.provider)
        waiting = Waiting()
        monitor.add_task(waiting)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(monitor.run)
                await waiting.began.wait()
                group.cancel_scope.cancel()
        assert waiting.ended == 0
        waiting.may_end.set()
        await monitor.run_until_idle()
        assert waiting.ended == 1


async def test_a_cancelled_run_does_not_keep_its_lease(world: MonitorWorld) -> None:
    class LeasedWaiting(Waiting):
        leased: ClassVar[bool] = True

    async with world.wallet("alice") as alice:
        monitor = Monitor(alice.provider)
        waiting = LeasedWaiting()
        monitor.add_task(waiting)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(monitor.run)
                await waiting.began.wait()
                group.cancel_scope.cancel()
        write = alice.provider.engine.write
        assert await write(lambda tx: take_lease(tx, "Waiting", "another", 1_000)) is not None


async def test_what_the_body_raises_arrives_as_it_is(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        with pytest.raises(KeyError):
            async with alice.monitor:
                raise KeyError


async def test_a_name_is_used_once_and_tasks_are_added_before_the_start(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        alice.monitor.add_task(Broken())
        with pytest.raises(WERR_BAD_REQUEST, match="task Broken has already been added"):
            alice.monitor.add_task(Broken())
        async with alice.monitor:
            with pytest.raises(WERR_BAD_REQUEST):
                alice.monitor.add_task(Waiting())


async def test_a_monitor_that_never_becomes_idle_says_so(world: MonitorWorld) -> None:
    class Restless(MonitorTask):
        name: ClassVar[str] = "Restless"

        async def run(self, run: TaskRun) -> str:
            self.trigger.fire()
            return ""

    async with world.wallet("alice") as alice:
        alice.monitor.add_task(Restless(1_000))
        with pytest.raises(WERR_INTERNAL):
            await alice.monitor.run_until_idle(rounds=5)


async def test_the_diary_is_kept_for_thirty_days(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.idle(alice)
        first = await events(alice, "NewHeader")
        await world.idle(alice, later=30 * DAY)
        assert await events(alice, "NewHeader") == first
        world.chain.mine(1)
        await world.idle(alice, later=1)
        later = await events(alice, "NewHeader")
        assert len(later) == 1
        assert later != first


async def test_tasks_run_only_when_they_are_due(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        monitor = Monitor(alice.provider, options=MonitorOptions(header_settle=0, header_poll=60_000))
        await monitor.run_until_idle()
        assert await monitor.run_once() == []
        world.clock.advance(8_000)
        assert await monitor.run_once() == ["SendWaiting"]


def test_a_trigger_is_due_at_first_after_its_interval_and_when_fired() -> None:
    trigger = Trigger(100)
    assert trigger.wait(0) == 0
    trigger.began(1_000)
    assert trigger.wait(1_000) == 100
    assert trigger.wait(1_099) == 1
    assert trigger.wait(1_100) == 0
    trigger.began(1_100)
    trigger.run_at(1_150)
    assert trigger.wait(1_100) == 50
    trigger.fire()
    assert trigger.wait(1_100) == 0


def test_a_clock_that_was_set_back_delays_no_task() -> None:
    trigger = Trigger(100)
    trigger.began(1_000_000)
    assert trigger.wait(5_000) == 0
