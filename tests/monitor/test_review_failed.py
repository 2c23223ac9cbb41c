"""A transaction that was believed lost and that the network has comes back, with its change."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace

import pytest
from monitor_world import COMPLETED, SENDING, TEN_MINUTES, UNPROVEN, MonitorWorld, query, raw_of, status_of

from bsv_wallet_toolbox.interfaces.services import TxNetworkStatus, TxStatusAnswer
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


async def test_a_transaction_believed_lost_comes_back_when_the_network_knows_it(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        await lose(world)
        txid = await world.pay_nowhere(alice, 4_000)
        await world.idle(alice)
        assert await status_of(alice, txid) == LOST
        world.chain.accept(await raw_of(alice, txid))
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, txid) == UNPROVEN
        assert 5_990 < await alice.balance() < 6_000
        world.assert_sound("alice")
        assert await query(alice, f"SELECT source FROM bwt_evidence WHERE kind = 'accepted' AND txid = '{txid}'") == [
            ("MockServices",)
        ]
        world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, txid) == COMPLETED
    world.assert_sound("alice")


async def test_what_was_mined_in_a_block_that_has_not_settled_comes_back_unproven(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        await lose(world)
        txid = await world.pay_nowhere(alice, 4_000)
        await world.idle(alice)
        await put_on_chain(world, await raw_of(alice, txid))
        world.services.faults.set("get_merkle_path", Fault.NO_PROOF, blocks=2)
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, txid) == UNPROVEN
    world.assert_sound("alice")


async def test_a_lost_transaction_waits_for_a_proof_while_a_signed_one_of_ours_spends_the_same(
    world: MonitorWorld,
) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        await lose(world)
        lost = await world.pay_nowhere(alice, 4_000)
        await world.idle(alice)
        world.chain.accept(await raw_of(alice, lost))
        rival = await world.pay_nowhere(alice, 7_000)
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, lost) == LOST
        assert await status_of(alice, rival) == SENDING
        world.chain.mine(1)
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, lost) == COMPLETED
        assert await status_of(alice, rival) == (TransactionStatus.FAILED, ProvenTxReqStatus.DOUBLE_SPEND)
        await world.idle(alice, later=TEN_MINUTES)
        assert 5_990 < await alice.balance() < 6_000
    world.assert_sound("alice")


async def test_an_unsigned_action_over_the_same_coin_ends_when_a_lost_one_comes_back(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        await lose(world)
        lost = await world.pay_nowhere(alice, 4_000)
        await world.idle(alice)
        reference = await world.propose_unsigned(alice)
        world.chain.accept(await raw_of(alice, lost))
        await world.idle(alice, later=1)
        assert await status_of(alice, lost) == UNPROVEN
        assert await query(alice, f"SELECT status FROM transactions WHERE reference = '{reference}'") == [("failed",)]
        assert 5_990 < await alice.balance() < 6_000
    world.assert_sound("alice")


async def test_a_child_comes_back_after_its_parent(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        await lose(world)
        chain = [await world.pay_nowhere(alice, 4_000), await world.pay_nowhere(alice, 5_000)]
        raw_txs = [await raw_of(alice, txid) for txid in chain]
        await world.idle(alice)
        assert [await status_of(alice, txid) for txid in chain] == [LOST, LOST]
        for raw_tx in raw_txs:
            world.chain.accept(raw_tx)
        world.services.lost = {chain[0]}
        await world.idle(alice, later=TEN_MINUTES)
        assert [await status_of(alice, txid) for txid in chain] == [LOST, LOST], "what it spends was never created"
        world.services.lost.clear()
        await world.idle(alice, later=TEN_MINUTES)
        assert [await status_of(alice, txid) for txid in chain] == [UNPROVEN, UNPROVEN]
        assert 990 < await alice.balance() < 1_000
    world.assert_sound("alice")


async def lose_to_a_copy(world: MonitorWorld) -> tuple[str, str]:
    """(the payment of alice that lost her coin, the mined one of a copy of her file that has it)."""
    file, copy = world.path("alice"), world.path("copy")
    async with world.wallet("alice") as alice:
        await world.fund(alice, 50_000)
        await world.idle(alice)
    shutil.copy(file, copy)
    async with world.wallet("alice") as rival:
        winner = await world.pay_nowhere(rival, 30_000, delayed=False)
    copy.replace(file)
    world.chain.mine(1)
    world.clock.advance(1)
    async with world.wallet("alice") as alice:
        lost = await world.pay_nowhere(alice, 20_000)
        await world.idle(alice)
        assert await status_of(alice, lost) == (TransactionStatus.FAILED, ProvenTxReqStatus.DOUBLE_SPEND)
    return lost, winner


async def test_a_providers_word_brings_nothing_back_while_the_competitor_is_there(world: MonitorWorld) -> None:
    lost, _ = await lose_to_a_copy(world)
    truth = world.services.get_status_for_txids

    async def claims(txids: Sequence[str]) -> TxStatusAnswer:
        answer = await truth(txids)
        assert answer.statuses is not None
        known = dict.fromkeys({lost} & set(txids), TxNetworkStatus.KNOWN)
        return replace(answer, statuses={**answer.statuses, **known})

    world.services.get_status_for_txids = claims  # type: ignore[method-assign]
    async with world.wallet("alice") as alice:
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, lost) == (TransactionStatus.FAILED, ProvenTxReqStatus.DOUBLE_SPEND)


async def test_it_comes_back_when_the_competitor_is_gone(world: MonitorWorld) -> None:
    lost, winner = await lose_to_a_copy(world)
    async with world.wallet("alice") as alice:
        world.chain.reorg(world.chain.height, 2)
        world.chain.evict(winner)
        world.chain.accept(await raw_of(alice, lost))
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, lost) == UNPROVEN
        assert 29_990 < await alice.balance() < 30_000
        assert await query(alice, "SELECT * FROM bwt_holds") == []
