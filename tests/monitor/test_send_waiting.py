"""Delayed transactions reach the network: once, parents first, whatever breaks in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from monitor_world import (
    COMPLETED,
    HOUR,
    SENDING,
    TEN_MINUTES,
    UNPROVEN,
    MonitorWorld,
    RecordingServices,
    change,
    events,
    query,
    status_of,
)

from bsv_wallet_toolbox.interfaces.services import TxNetworkStatus
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.monitor import Monitor, MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.send_waiting import generations
from bsv_wallet_toolbox.provider.network_work import NetworkJob, NetworkWork
from bsv_wallet_toolbox.provider.proof_check import find_proof
from bsv_wallet_toolbox.provider.storage_provider import StorageProvider
from bsv_wallet_toolbox.seams import Failpoint, SeededEntropy, failpoints_armed
from bsv_wallet_toolbox.transactions.fee import FeeModel
from bsv_wallet_toolbox.transactions.hashes import txid_of
from bsv_wallet_toolbox.transactions.tx import InputSpec, OutputSpec, build_transaction

pytestmark = pytest.mark.anyio


class Killed(BaseException):
    """What a test raises where the process is to end."""


async def test_a_delayed_action_is_posted_once_and_becomes_unproven(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        assert await status_of(alice, txid) == SENDING
        await world.idle(alice)
        assert await status_of(alice, txid) == UNPROVEN
        await world.idle(alice, later=HOUR)
        assert world.services.posted == [txid]
        assert world.chain.mempool() == [txid]


async def test_a_chain_of_delayed_actions_is_posted_parents_first_whatever_order_they_are_due_in(
    world: MonitorWorld,
) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txids = [await world.pay_nowhere(alice, 60_000)]
        world.clock.advance(1)
        txids.append(await world.pay_nowhere(alice, 30_000))
        await change(alice, "INSERT INTO bwt_jobs VALUES (2, 'send', '2001-01-01T00:00:00.000Z', 0, NULL, NULL)")
        await Monitor(alice.provider, options=MonitorOptions(send_concurrency=1)).run_until_idle()
        assert world.services.posted == txids


async def test_an_outage_of_a_day_ends_nothing_and_everything_goes_out_when_it_is_over(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, 5)
        txids = [await world.pay_nowhere(alice, 5_000) for _ in range(5)]
        world.services.faults.set("post_beef", Fault.UNAVAILABLE)
        for _ in range(24 * 6):
            world.chain.mine(1)
            await world.idle(alice, later=TEN_MINUTES)
        assert [await status_of(alice, txid) for txid in txids] == [SENDING] * 5
        assert await query(alice, "SELECT count(*) FROM outputs WHERE spentBy IS NOT NULL AND spendable = 0") == [(5,)]
        assert world.services.calls["post_beef"] <= 5 * 30
        world.services.faults.clear()
        await world.idle(alice, later=HOUR)
        assert [await status_of(alice, txid) for txid in txids] == [UNPROVEN] * 5
        world.chain.mine(1)
        await world.idle(alice)
        assert [await status_of(alice, txid) for txid in txids] == [COMPLETED] * 5


async def test_an_outage_is_retried_with_growing_delays(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        await world.pay_nowhere(alice)
        world.services.faults.set("post_beef", Fault.TIMEOUT)
        tried_at = []
        for second in range(0, 9000, 8):
            before = world.services.calls["post_beef"]
            await alice.monitor.run_once()
            if world.services.calls["post_beef"] > before:
                tried_at.append(second)
            world.clock.advance(8_000)
        gaps = [later - earlier for earlier, later in pairwise(tried_at)]
        assert gaps[0] <= 16
        assert gaps == sorted(gaps)
        assert 3600 <= gaps[-1] <= 3608


async def test_a_reply_that_got_lost_is_found_out_by_asking_again(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        world.services.faults.set("post_beef", Fault.REPLY_LOST, times=1)
        await world.idle(alice)
        assert await status_of(alice, txid) == SENDING
        await world.idle(alice, later=10_000)
        assert await status_of(alice, txid) == UNPROVEN


async def test_one_transaction_that_cannot_be_sent_does_not_stop_the_others(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, 3)
        txids = [await world.pay_nowhere(alice, 5_000) for _ in range(3)]
        await change(alice, "UPDATE proven_tx_reqs SET rawTx = NULL WHERE provenTxReqId = 1")
    async with world.wallet("alice") as alice:
        await world.idle(alice)
        assert [await status_of(alice, txid) for txid in txids] == [SENDING, UNPROVEN, UNPROVEN]
        health = alice.monitor.health()["SendWaiting"]
        assert health.consecutive_errors == 1
        assert "WERR_INVALID_PARAMETER" in (health.last_error or "")
        assert len(await events(alice, "error1")) == 1


async def test_a_proof_that_arrives_while_the_transaction_is_posted_stands(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)
        work = NetworkWork(alice.provider)

        async def mined_at_once() -> None:
            world.chain.mine(1)
            row = world.chain.transaction_of(txid)
            assert row is not None
            search = await find_proof(world.services, txid, row.raw_tx)
            assert search.proof is not None
            assert await work.record_proof(search.proof)

        world.services.after_post = mined_at_once
        await world.idle(alice)
        assert await status_of(alice, txid) == COMPLETED
        assert await query(alice, "SELECT count(*) FROM bwt_jobs") == [(0,)]


async def second_provider(world: MonitorWorld, name: str) -> tuple[StorageProvider, RecordingServices]:
    """Another process on the same file: its own engine, claims and services."""
    services = RecordingServices(world.chain)
    provider = await StorageProvider.open(
        world.path(name),
        services,
        fee_model=FeeModel(),
        clock=world.clock,
        entropy=SeededEntropy("another process"),
    )
    return provider, services


async def test_two_monitors_on_one_file_post_every_transaction_exactly_once(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, 100)
        txids = [await world.pay_nowhere(alice, 9_000) for _ in range(100)]
        provider, services = await second_provider(world, "alice")
        async with provider:
            options = MonitorOptions(header_settle=0, send_page=7)
            monitors = [Monitor(alice.provider, options=options), Monitor(provider, options=options)]
            await asyncio.gather(*(monitor.run_until_idle() for monitor in monitors))
        posted = Counter(world.services.posted + services.posted)
        assert posted == Counter(txids)
        assert len(world.services.posted) > 0
        assert len(services.posted) > 0
        assert set(world.chain.mempool()) == set(txids)


async def test_what_a_killed_monitor_had_claimed_is_sent_by_another_once_the_claim_is_over(
    world: MonitorWorld,
) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, 20)
        txids = [await world.pay_nowhere(alice, 9_000) for _ in range(20)]
        posts = 0

        def kill_at_the_fourth(point: Failpoint) -> None:
            nonlocal posts
            if point is Failpoint.BROADCAST_BEFORE_POST:
                posts += 1
                if posts == 4:
                    raise Killed

        doomed = Monitor(alice.provider, options=MonitorOptions(header_settle=0, send_page=10, send_concurrency=1))
        with failpoints_armed(kill_at_the_fourth), pytest.raises(BaseExceptionGroup):
            await doomed.run_until_idle()
        assert len(world.services.posted) == 3

        provider, services = await second_provider(world, "alice")
        async with provider:
            heir = Monitor(provider)
            await heir.run_until_idle()
            assert len(services.posted) == 10
            world.clock.advance(120_001)
            await heir.run_until_idle()
        assert Counter(world.services.posted + services.posted) == Counter(txids)
        assert set(world.chain.mempool()) == set(txids)


@pytest.mark.parametrize("point", [Failpoint.BROADCAST_AFTER_POST, Failpoint.VERDICT_BEFORE_COMMIT])
async def test_killed_between_post_and_record_it_is_found_accepted_later(world: MonitorWorld, point: Failpoint) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        txid = await world.pay_nowhere(alice)

        def kill(passed: Failpoint) -> None:
            if passed is point:
                raise Killed

        with failpoints_armed(kill), pytest.raises(BaseExceptionGroup):
            await alice.monitor.run_until_idle()
        assert await status_of(alice, txid) == SENDING
        await world.idle(alice, later=120_001)
        assert await status_of(alice, txid) == UNPROVEN
        answer = await world.services.get_status_for_txids([txid])
        assert answer.statuses == {txid: TxNetworkStatus.KNOWN}


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), min_size=1, max_size=12), st.randoms())
def test_generations_hold_every_job_once_behind_all_its_parents(links: list[list[int]], random: object) -> None:
    raw_txs: list[bytes] = []
    for number, parents in enumerate(links):
        sources = {parent % number for parent in parents} if number else set()
        inputs = [InputSpec(txid_of(raw_txs[parent]), 0) for parent in sources] or [InputSpec("11" * 32, number)]
        raw_txs.append(build_transaction(inputs, [OutputSpec(number, b"")]))
    jobs = [NetworkJob(number, txid_of(raw), 0, raw) for number, raw in enumerate(raw_txs)]
    random.shuffle(jobs)  # type: ignore[attr-defined]
    groups = generations(jobs)
    place = {job.txid: index for index, group in enumerate(groups) for job in group}
    assert sum(map(len, groups)) == len(jobs) == len(place)
    for number, parents in enumerate(links):
        for parent in {each % number for each in parents} if number else set():
            assert place[txid_of(raw_txs[parent])] < place[txid_of(raw_txs[number])]
