"""A transaction that was believed lost and was mined comes back, with its change."""

from __future__ import annotations

import pytest
from monitor_world import TEN_MINUTES, MonitorWorld, query, status_of

from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.mockchain import Fault

pytestmark = pytest.mark.anyio

LOST = (TransactionStatus.FAILED, ProvenTxReqStatus.INVALID)
BACK = (TransactionStatus.COMPLETED, ProvenTxReqStatus.COMPLETED)


async def lose(world: MonitorWorld, payments: int = 1) -> None:
    """Providers swear that the fee is too low, and every input is said to be there."""
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=payments)


async def put_on_chain(world: MonitorWorld, raw_tx: bytes) -> None:
    world.chain.accept(raw_tx)
    world.chain.mine(1)


async def test_a_transaction_believed_lost_comes_back_when_it_is_mined(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        await lose(world)
        txid = await world.pay_nowhere(alice, 4_000)
        await world.idle(alice)
        assert await status_of(alice, txid) == LOST
        assert await alice.balance() == 10_000
        [(raw_tx,)] = await query(alice, f"SELECT rawTx FROM proven_tx_reqs WHERE txid = '{txid}'")
        await put_on_chain(world, raw_tx)
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, txid) == BACK
        assert 5_990 < await alice.balance() < 6_000
    world.assert_sound("alice")


async def test_what_it_made_is_held_until_somebody_says_that_it_is_there(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        await lose(world)
        txid = await world.pay_nowhere(alice, 4_000)
        await world.idle(alice)
        [(raw_tx,)] = await query(alice, f"SELECT rawTx FROM proven_tx_reqs WHERE txid = '{txid}'")
        await put_on_chain(world, raw_tx)
        world.services.faults.set("is_utxo", Fault.UNAVAILABLE)
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, txid) == BACK
        assert await alice.balance() == 0
        world.services.faults.clear()
        await world.idle(alice, later=TEN_MINUTES)
        assert 5_990 < await alice.balance() < 6_000
    world.assert_sound("alice")


async def test_an_outage_brings_nothing_back_and_ends_nothing(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        await lose(world)
        txid = await world.pay_nowhere(alice, 4_000)
        await world.idle(alice)
        world.services.faults.set("get_status_for_txids", Fault.UNAVAILABLE)
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, txid) == LOST
        assert await alice.balance() == 10_000
    world.assert_sound("alice")
