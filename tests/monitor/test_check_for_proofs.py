"""Proofs are found, believed only under settled headers, and never replaced by guesses."""

from __future__ import annotations

import pytest
from monitor_world import COMPLETED, HOUR, SENDING, TEN_MINUTES, UNPROVEN, MonitorWorld, query, status_of

from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.monitor import Monitor, MonitorOptions
from bsv_wallet_toolbox.seams import Failpoint, failpoints_armed

pytestmark = pytest.mark.anyio


async def test_a_mined_transaction_is_completed_at_the_next_header(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        await world.idle(alice)
        world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, txid) == COMPLETED
        assert world.services.calls["get_merkle_path"] == 1


async def test_a_proof_above_the_settled_tip_is_refused_until_that_tip_settled(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        monitor = Monitor(alice.provider, options=MonitorOptions(header_settle=60_000))
        await monitor.run_until_idle()
        world.clock.advance(60_000)
        await monitor.run_until_idle()
        txid = await world.pay_nowhere(alice)
        world.services.faults.set("post_beef", Fault.REPLY_LOST, times=1)
        await monitor.run_until_idle()
        world.chain.mine(1)
        world.clock.advance(59_999)
        await monitor.run_until_idle()
        assert await status_of(alice, txid) == UNPROVEN
        world.clock.advance(59_999)
        await monitor.run_until_idle()
        assert await status_of(alice, txid) == UNPROVEN
        world.clock.advance(1)
        await monitor.run_until_idle()
        assert await status_of(alice, txid) == COMPLETED


@pytest.mark.parametrize("method", ["get_status_for_txids", "get_merkle_path", "find_header_for_height"])
async def test_an_outage_counts_for_nothing(world: MonitorWorld, method: str) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        await world.idle(alice)
        world.services.faults.set(method, Fault.UNAVAILABLE)
        for _ in range(10):
            world.chain.mine(1)
            await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, txid) == UNPROVEN
        assert world.services.posted == [txid]
        world.services.faults.clear()
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, txid) == COMPLETED


async def test_a_proof_that_our_headers_contradict_is_not_stored(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        await world.idle(alice)
        world.services.faults.set("get_merkle_path", Fault.STALE_PROOF)
        world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, txid) == UNPROVEN
        assert await query(alice, f"SELECT count(*) FROM proven_txs WHERE txid = '{txid}'") == [(0,)]
        world.services.faults.clear()
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, txid) == COMPLETED


async def test_what_the_network_knows_is_waited_for_without_limit(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        await world.idle(alice)
        for _ in range(40):
            world.chain.mine(5, only=())
            await world.idle(alice, later=HOUR)
        assert await status_of(alice, txid) == UNPROVEN
        assert world.services.posted == [txid]


async def test_what_the_network_forgot_is_sent_again_after_three_blocks_and_not_before(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        world.services.faults.set("post_beef", Fault.FORGET, times=1)
        await world.idle(alice)
        for _ in range(2):
            world.chain.mine(1)
            await world.idle(alice, later=TEN_MINUTES)
        await world.idle(alice, later=24 * HOUR)
        assert await status_of(alice, txid) == UNPROVEN
        assert world.services.posted == [txid]
        world.services.faults.set("post_beef", Fault.UNAVAILABLE, times=1)
        world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, txid) == SENDING
        await world.idle(alice, later=10_000)
        assert await status_of(alice, txid) == UNPROVEN
        assert world.services.posted == [txid, txid, txid]
        world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, txid) == COMPLETED


async def test_a_status_in_between_that_knows_it_starts_the_count_anew(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        await world.idle(alice)
        for _ in range(6):
            row = world.chain.transaction_of(txid)
            assert row is not None
            world.chain.evict(txid)
            for _ in range(2):
                world.chain.mine(1)
                await world.idle(alice)
            world.chain.accept(row.raw_tx)
            world.chain.mine(1, only=())
            await world.idle(alice)
        assert world.services.posted == [txid]


async def test_forty_five_transactions_are_asked_about_in_three_requests(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, 45)
        txids = [await world.pay_nowhere(alice, 9_000) for _ in range(45)]
        await world.idle(alice)
        world.services.asked.clear()
        world.chain.mine(1)
        await world.idle(alice)
        assert world.services.asked == [20, 20, 5]
        assert [await status_of(alice, txid) for txid in txids] == [COMPLETED] * 45


@pytest.mark.parametrize("point", [Failpoint.PROOF_BEFORE_COMMIT, Failpoint.PROOF_AFTER_COMMIT])
async def test_a_failure_around_the_commit_of_a_proof_is_made_good(world: MonitorWorld, point: Failpoint) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        await world.idle(alice)
        world.chain.mine(1)
        failures = 0

        def fail(passed: Failpoint) -> None:
            nonlocal failures
            if passed is point:
                failures += 1
                raise OSError("the disk went away")

        with failpoints_armed(fail):
            await world.idle(alice)
        assert failures == 1
        assert alice.monitor.health()["CheckForProofs"].consecutive_errors == 1
        await world.idle(alice, later=120_001)
        assert await status_of(alice, txid) == COMPLETED
