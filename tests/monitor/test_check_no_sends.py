"""Actions that were made to be sent by others: noticed once the network has them, and never sent from here."""

from __future__ import annotations

import pytest
from monitor_world import (
    COMPLETED,
    HOUR,
    TEN_MINUTES,
    UNPROVEN,
    MonitorWorld,
    change,
    events,
    raw_of,
    status_of,
)

from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from wallet_world import NOWHERE, payment_to

pytestmark = pytest.mark.anyio

HELD_BACK = (TransactionStatus.NOSEND, ProvenTxReqStatus.NOSEND)


async def held_back(world: MonitorWorld, wallet: OpenWallet) -> tuple[str, bytes]:
    """(txid, bytes) of an action that spends the wallet's only coin and was not sent."""
    await world.fund(wallet, 10_000)
    created = await wallet.create_action(
        {**payment_to(NOWHERE, 4_000), "options": {"noSend": True, "acceptDelayedBroadcast": False}}
    )
    txid: str = created["txid"]
    assert await status_of(wallet, txid) == HELD_BACK
    return txid, await raw_of(wallet, txid)


async def test_it_is_never_sent_and_stays_as_it_is_while_the_network_does_not_have_it(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        txid, _ = await held_back(world, alice)
        for _ in range(5):
            world.chain.mine(1)
            await world.idle(alice, later=HOUR)
        assert await status_of(alice, txid) == HELD_BACK
        assert world.services.posted == []
        world.assert_sound("alice")


async def test_it_is_accepted_when_somebody_sent_it_and_proven_when_it_is_mined(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        txid, raw_tx = await held_back(world, alice)
        await world.idle(alice)
        world.chain.accept(raw_tx)
        await world.idle(alice, later=HOUR)
        assert await status_of(alice, txid) == UNPROVEN
        assert await events(alice, "CheckNoSends") == ["1 actions were sent by others"]
        child = await world.pay_nowhere(alice, 1_000, delayed=False)
        assert await status_of(alice, child) == UNPROVEN, "what it made can be spent"
        world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, txid) == COMPLETED
        assert world.services.posted == [child]
    world.assert_sound("alice")


async def test_it_is_complete_when_it_was_mined_meanwhile(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        txid, raw_tx = await held_back(world, alice)
        world.chain.accept(raw_tx)
        world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, txid) == COMPLETED
    world.assert_sound("alice")


async def test_a_new_block_has_it_looked_at_at_once(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        txid, raw_tx = await held_back(world, alice)
        await world.idle(alice)
        world.chain.accept(raw_tx)
        world.clock.advance(TEN_MINUTES)
        await alice.monitor.run_once()
        assert await status_of(alice, txid) == HELD_BACK, "its hour is not over"
        world.chain.mine(1)
        world.clock.advance(TEN_MINUTES)
        while await alice.monitor.run_once():
            pass
        assert await status_of(alice, txid) == COMPLETED


@pytest.mark.parametrize("method", ["get_status_for_txids", "get_merkle_path"])
async def test_an_outage_ends_nothing_and_sends_nothing(world: MonitorWorld, method: str) -> None:
    async with world.wallet("alice") as alice:
        txid, raw_tx = await held_back(world, alice)
        world.chain.accept(raw_tx)
        world.chain.mine(1)
        world.services.faults.set(method, Fault.UNAVAILABLE)
        await world.idle(alice, later=HOUR)
        assert await status_of(alice, txid) == (HELD_BACK if method == "get_status_for_txids" else UNPROVEN)
        world.services.faults.clear()
        await world.idle(alice, later=HOUR)
        assert await status_of(alice, txid) == COMPLETED
        assert world.services.posted == []
    world.assert_sound("alice")


async def test_a_proof_that_our_headers_contradict_is_nobodys_word(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        txid, raw_tx = await held_back(world, alice)
        world.chain.accept(raw_tx)
        world.chain.mine(1)
        world.services.faults.set("get_merkle_path", Fault.STALE_PROOF)
        await world.idle(alice, later=HOUR)
        assert await status_of(alice, txid) == HELD_BACK


async def test_of_very_many_each_run_asks_about_the_next_ones(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.idle(alice)
        await change(
            alice,
            "INSERT INTO proven_tx_reqs"
            " (created_at, updated_at, status, attempts, notified, txid, history, notify, rawTx)"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450)"
            " SELECT '2026', '2026', 'nosend', 0, 0, printf('%064x', i), '{}', '{}', x'00' FROM n",
        )
        asked = []
        for _ in range(4):
            world.services.asked.clear()
            world.clock.advance(HOUR)
            await alice.monitor.run_once()
            assert max(world.services.asked) == 20
            asked.append(sum(world.services.asked))
        assert asked == [200, 200, 50, 200]
