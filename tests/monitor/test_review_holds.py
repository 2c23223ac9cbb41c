"""Inputs of a failed transaction stay held until somebody says what became of them."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from monitor_world import HOUR, TEN_MINUTES, MonitorWorld, change, query, status_of

from bsv_wallet_toolbox.interfaces.services import UtxoStatus
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.monitor import Monitor, MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.review_holds import WriteOffWatch
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.provider.network_work import HeldCoin, NetworkWork

pytestmark = pytest.mark.anyio

MINUTE, DAY = 60_000, 24 * HOUR


async def test_held_inputs_are_freed_or_written_off_on_evidence_and_not_before(world: MonitorWorld) -> None:
    file, aside = world.path("alice"), world.path("aside")
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, 2)
    shutil.copy(file, aside)
    async with world.wallet("alice") as rival:
        await world.pay_nowhere(rival, 5_000)
        await world.idle(rival)
        world.chain.mine(1)
    aside.replace(file)
    world.clock.advance(1)
    async with world.wallet("alice") as alice:
        lost = await world.pay_nowhere(alice, 15_000)
        world.services.faults.set("is_utxo", Fault.UNAVAILABLE)
        await world.idle(alice)
        assert await status_of(alice, lost) == (TransactionStatus.FAILED, ProvenTxReqStatus.DOUBLE_SPEND)
        holds = "SELECT reason FROM bwt_holds ORDER BY reason"
        contested_and_other = [("awaitingEvidence",), ("spentElsewhere",)]
        assert await query(alice, holds) == contested_and_other
        await world.idle(alice, later=TEN_MINUTES)
        assert await query(alice, holds) == contested_and_other
        assert await query(alice, "SELECT count(*) FROM outputs WHERE spendable") == [(0,)]

        world.services.faults.clear()
        await world.idle(alice, later=TEN_MINUTES)
        assert await query(alice, holds) == [("spentElsewhere",)]
        assert await query(alice, "SELECT satoshis, spentBy FROM outputs WHERE spendable") == [(10_000, None)]
        kinds = await query(alice, "SELECT kind FROM bwt_evidence WHERE source = 'isUtxo' ORDER BY kind")
        assert kinds == [("unspent",)]
        txid = await world.pay_nowhere(alice, 5_000)
        await world.idle(alice)
        assert world.chain.mempool() == [txid]


@pytest.mark.parametrize(
    ("status", "reason"), [("unproven", None), ("unproven", "awaitingEvidence"), ("failed", "spentElsewhere")]
)
async def test_a_coin_that_was_settled_meanwhile_stays_as_it_is(
    world: MonitorWorld, status: str, reason: str | None
) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        txid = await world.pay_nowhere(alice, 5_000)
        await world.idle(alice)
        sql = "SELECT outputId, spentBy, spendable FROM outputs WHERE spentBy IS NOT NULL"
        before = await query(alice, sql)
        output_id, spender, _ = before[0]
        await change(alice, f"UPDATE transactions SET status = '{status}' WHERE transactionId = {spender}")
        if reason is not None:
            await change(alice, f"INSERT INTO bwt_holds VALUES ({output_id}, '{reason}', {spender}, '2026')")
        work = NetworkWork(alice.provider)
        lease = await work.take_lease("ReviewHolds", 60_000)
        assert lease is not None
        coin = HeldCoin(output_id, spender, txid, 0, b"\x51")
        assert not await work.settle_held(lease, coin, UtxoStatus.UNSPENT, "isUtxo")
        assert await query(alice, sql) == before


async def lose_to_a_copy(world: MonitorWorld, *, mined: bool) -> tuple[str, str]:
    """(the payment of alice that lost her coin, what a copy of her file spent it with). The copy was first."""
    file, copy = world.path("alice"), world.path("copy")
    async with world.wallet("alice") as alice:
        await world.fund(alice, 50_000)
        await world.idle(alice)
    shutil.copy(file, copy)
    async with world.wallet("alice") as rival:
        winner = await world.pay_nowhere(rival, 30_000, delayed=False)
    copy.replace(file)
    if mined:
        world.chain.mine(1)
    world.clock.advance(1)
    async with world.wallet("alice") as alice:
        lost = await world.pay_nowhere(alice, 20_000)
        await alice.monitor.run_once()
        return lost, winner


async def held(wallet: OpenWallet) -> list[str]:
    return [reason for (reason,) in await query(wallet, "SELECT reason FROM bwt_holds")]


def orphan(world: MonitorWorld, blocks: int = 1, *, forget: str | None) -> None:
    """A longer chain takes the place of the last ``blocks``; what they held is in the mempool, or forgotten."""
    world.chain.reorg(world.chain.height - blocks + 1, blocks + 1)
    if forget is not None:
        world.chain.evict(forget)


async def test_a_coin_lost_to_a_block_that_was_orphaned_comes_back(world: MonitorWorld) -> None:
    lost, winner = await lose_to_a_copy(world, mined=True)
    async with world.wallet("alice") as alice:
        await world.idle(alice)
        assert await status_of(alice, lost) == (TransactionStatus.FAILED, ProvenTxReqStatus.DOUBLE_SPEND)
        assert await held(alice) == ["spentElsewhere"]
        orphan(world, forget=winner)
        await world.idle(alice)
        assert await held(alice) == []
        assert await alice.balance() == 50_000
        freed = "SELECT source FROM bwt_evidence WHERE kind = 'unspent'"
        assert await query(alice, freed) == [("isUtxo",)]
    world.assert_sound("alice")


async def test_a_coin_lost_to_a_block_that_never_settled_comes_back(world: MonitorWorld) -> None:
    """It left before the monitor saw it as a tip, so that no orphaning was noticed."""
    lost, winner = await lose_to_a_copy(world, mined=True)
    async with world.wallet("alice") as alice:
        assert await status_of(alice, lost) == (TransactionStatus.FAILED, ProvenTxReqStatus.DOUBLE_SPEND)
        orphan(world, forget=winner)
        await world.idle(alice, later=TEN_MINUTES)
        assert await held(alice) == []
        assert await alice.balance() == 50_000
    world.assert_sound("alice")


async def test_a_coin_lost_to_a_block_above_the_settled_tip_is_looked_at_until_that_has_settled(
    world: MonitorWorld,
) -> None:
    _, winner = await lose_to_a_copy(world, mined=False)
    async with world.wallet("alice") as alice:
        monitor = Monitor(alice.provider, options=MonitorOptions(header_settle=0, header_poll=DAY))
        await monitor.run_once()
        world.chain.mine(1)
        world.clock.advance(MINUTE)
        await monitor.run_once()
        world.clock.advance(TEN_MINUTES)
        await monitor.run_once()
        assert await held(alice) == ["spentElsewhere"]
        orphan(world, forget=winner)
        world.clock.advance(TEN_MINUTES)
        await monitor.run_once()
        assert await held(alice) == []
    world.assert_sound("alice")


async def test_a_coin_whose_spender_is_proven_or_known_stays_written_off_whatever_an_index_says(
    world: MonitorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, winner = await lose_to_a_copy(world, mined=True)

    async def lagging(*_: object) -> UtxoStatus:
        return UtxoStatus.UNSPENT

    monkeypatch.setattr(world.services, "is_utxo", lagging)
    async with world.wallet("alice") as alice:
        for _ in range(3):
            await world.idle(alice, later=DAY)
        assert await held(alice) == ["spentElsewhere"]
        orphan(world, forget=None)
        assert world.chain.mempool() == [winner]
        for _ in range(3):
            await world.idle(alice, later=DAY)
        assert await held(alice) == ["spentElsewhere"]
        world.chain.evict(winner)
        await world.idle(alice, later=DAY)
        assert await held(alice) == []
    world.assert_sound("alice")


async def test_coins_that_were_written_off_are_asked_about_daily(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await write_off_by_index(world, alice)
        await world.idle(alice, later=TEN_MINUTES)  # once soon after
        before = world.services.calls["is_utxo"]
        for _ in range(3 * 24):
            await world.idle(alice, later=HOUR)
        assert 3 <= world.services.calls["is_utxo"] - before <= 4
        assert await held(alice) == ["spentElsewhere"]
        assert await query(alice, "SELECT count(*) FROM bwt_evidence WHERE kind = 'spent'") == [(1,)]


async def write_off_by_index(world: MonitorWorld, alice: OpenWallet) -> None:
    """Her payment is refused for its fee, and its input seen spent; nobody says by whom."""
    await world.fund(alice, 50_000)
    await world.idle(alice)
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
    true_is_utxo = world.services.is_utxo

    async def seen_spent(*args: Any) -> UtxoStatus:
        await true_is_utxo(*args)
        return UtxoStatus.SPENT

    world.services.is_utxo = seen_spent  # type: ignore[method-assign]
    await world.pay_nowhere(alice, 20_000)
    world.clock.advance(MINUTE)
    await alice.monitor.run_once()
    assert await held(alice) == ["spentElsewhere"]


async def test_after_an_outage_written_off_coins_are_asked_about_again_within_the_hour(world: MonitorWorld) -> None:
    lost, winner = await lose_to_a_copy(world, mined=True)
    async with world.wallet("alice") as alice:
        await world.idle(alice, later=TEN_MINUTES)
        orphan(world, forget=winner)
        world.services.faults.set("is_utxo", Fault.UNAVAILABLE)
        await world.idle(alice)
        world.services.faults.clear()
        assert await held(alice) == ["spentElsewhere"]
        await world.idle(alice, later=HOUR)
        assert await held(alice) == []
        assert (await status_of(alice, lost))[0] is TransactionStatus.FAILED
    world.assert_sound("alice")


def test_the_watch_over_written_off_coins_forgets_a_clock_that_was_ahead() -> None:
    watch = WriteOffWatch(orphanings=2, through=1_000, again=5_000)
    assert WriteOffWatch.from_text(watch.to_text()) == watch
    assert WriteOffWatch.from_text(None).since(0, 1_000, 4_000) == 0
    assert watch.since(2, 1_500, 4_000) == 1_000
    assert watch.since(2, 5_000, 4_000) == 0, "the day is over"
    assert watch.since(3, 1_500, 4_000) == 0, "a block was orphaned"
    assert watch.since(2, 500, 4_000) == 0, "the time stands further ahead than it is ever set"
    assert WriteOffWatch(2, 3_000, 5_000).since(2, 1_500, 4_000) == 1_500
