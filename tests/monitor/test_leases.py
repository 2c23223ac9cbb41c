"""Leases of tasks and claims of jobs: one at a time, until they run out, and the late one writes nothing."""

from __future__ import annotations

import pytest
from monitor_world import HOUR, UNPROVEN, MonitorWorld, query, status_of

from bsv_wallet_toolbox.monitor import Monitor
from bsv_wallet_toolbox.provider.network_work import NetworkWork
from bsv_wallet_toolbox.storage.leases import (
    LONGEST_LEASE,
    LeaseLost,
    check_lease,
    keep_claim,
    keep_lease,
    read_cursor,
    release_lease,
    save_cursor,
    take_lease,
)
from bsv_wallet_toolbox.storage.reqs import JobKind, claim_due_jobs

pytestmark = pytest.mark.anyio


async def test_a_lease_belongs_to_one_until_it_expires_by_the_clock(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        write = alice.provider.engine.write
        mine = await write(lambda tx: take_lease(tx, "Task", "me", 1_000))
        assert mine is not None
        assert await write(lambda tx: take_lease(tx, "Task", "you", 1_000)) is None
        world.clock.advance(999)
        assert await write(lambda tx: take_lease(tx, "Task", "you", 1_000)) is None
        world.clock.advance(1)
        yours = await write(lambda tx: take_lease(tx, "Task", "you", 1_000))
        assert yours is not None
        assert yours.fencing == mine.fencing + 1
        assert not await write(lambda tx: keep_lease(tx, mine, 1_000))


async def test_a_lease_that_is_kept_does_not_expire_and_a_released_one_is_free(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        write = alice.provider.engine.write
        mine = await write(lambda tx: take_lease(tx, "Task", "me", 1_000))
        assert mine is not None
        for _ in range(5):
            world.clock.advance(900)
            assert await write(lambda tx: keep_lease(tx, mine, 1_000))
        assert await write(lambda tx: take_lease(tx, "Task", "you", 1_000)) is None
        await write(lambda tx: release_lease(tx, mine))
        assert await write(lambda tx: take_lease(tx, "Task", "you", 1_000)) is not None


async def test_who_was_too_slow_writes_nothing(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        write = alice.provider.engine.write
        mine = await write(lambda tx: take_lease(tx, "Task", "me", 1_000))
        assert mine is not None
        await write(lambda tx: save_cursor(tx, mine, "first"))
        world.clock.advance(1_000)
        yours = await write(lambda tx: take_lease(tx, "Task", "you", 1_000))
        assert yours is not None
        assert yours.cursor == "first"
        with pytest.raises(LeaseLost):
            await write(lambda tx: check_lease(tx, mine))
        with pytest.raises(LeaseLost):
            await write(lambda tx: save_cursor(tx, mine, "late"))
        await write(lambda tx: release_lease(tx, mine))
        assert await write(lambda tx: take_lease(tx, "Task", "me", 1_000)) is None
        assert await alice.provider.engine.read(lambda tx: read_cursor(tx, "Task")) == "first"


async def test_a_task_that_was_taken_over_writes_nothing_more(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1_000)
        await world.propose_unsigned(alice)
        work = NetworkWork(alice.provider)
        lease = await work.take_lease("FailAbandoned", 1_000)
        assert lease is not None
        world.clock.advance(1_000)
        await alice.provider.engine.write(lambda tx: take_lease(tx, "FailAbandoned", "another", 1_000))
        with pytest.raises(LeaseLost):
            await work.fail_abandoned(lease, 2, "test")
        assert await query(alice, "SELECT status FROM transactions WHERE isOutgoing") == [("unsigned",)]


async def test_a_task_whose_lease_another_monitor_has_does_not_run(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await alice.provider.engine.write(lambda tx: take_lease(tx, "NewHeader", "another process", 60_000))
        await alice.monitor.run_until_idle()
        assert await query(alice, "SELECT count(*) FROM monitor_events") == [(0,)]
        world.clock.advance(60_000)
        await Monitor(alice.provider).run_until_idle()
        assert await query(alice, "SELECT event FROM monitor_events") == [("NewHeader",)]


async def test_a_claim_is_kept_by_its_owner_only_and_only_while_it_lasts(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        await world.pay_nowhere(alice)
        work, owner = NetworkWork(alice.provider), f"{alice.provider.owner}/monitor"
        [job] = await work.claim_sends(10)
        assert await work.claim_sends(10) == []
        write = alice.provider.engine.write
        assert not await write(lambda tx: keep_claim(tx, job.req_id, JobKind.SEND, "another"))
        world.clock.advance(100_000)
        assert await work.keep_send(job)
        world.clock.advance(100_000)
        assert await work.claim_sends(10) == []
        assert await write(lambda tx: keep_claim(tx, job.req_id, JobKind.SEND, owner))
        world.clock.advance(120_000)
        assert not await work.keep_send(job)
        assert await work.claim_sends(10) == [job]


async def test_what_was_claimed_under_a_clock_that_was_ahead_is_free(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        write = alice.provider.engine.write
        world.clock.advance(24 * HOUR)
        assert len(await write(lambda tx: claim_due_jobs(tx, JobKind.SEND, "another process", 10))) == 1
        assert await write(lambda tx: take_lease(tx, "NewHeader", "another process", 60_000)) is not None
        world.clock.advance(-24 * HOUR)
        await alice.monitor.run_until_idle()
        assert await status_of(alice, txid) == UNPROVEN
        assert await query(alice, "SELECT event FROM monitor_events WHERE event = 'NewHeader'") == [("NewHeader",)]


async def test_a_lease_is_never_longer_than_what_counts_as_written_under_a_clock_that_was_ahead(
    world: MonitorWorld,
) -> None:
    async with world.wallet("alice") as alice:
        write = alice.provider.engine.write
        mine = await write(lambda tx: take_lease(tx, "Task", "me", 24 * HOUR))
        assert mine is not None
        assert await write(lambda tx: take_lease(tx, "Task", "you", 1_000)) is None
        assert await write(lambda tx: keep_lease(tx, mine, 24 * HOUR))
        assert await write(lambda tx: take_lease(tx, "Task", "you", 1_000)) is None
        world.clock.advance(LONGEST_LEASE)
        assert await write(lambda tx: take_lease(tx, "Task", "you", 1_000)) is not None
