"""Inputs of a failed transaction stay held until somebody says what became of them."""

from __future__ import annotations

import shutil

import pytest
from monitor_world import TEN_MINUTES, MonitorWorld, change, query, status_of

from bsv_wallet_toolbox.interfaces.services import UtxoStatus
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.provider.network_work import HeldCoin, NetworkWork

pytestmark = pytest.mark.anyio


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
