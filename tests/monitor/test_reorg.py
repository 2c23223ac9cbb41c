"""Blocks leave the active chain: no proof that is under none of them stays, and nothing is lost."""

from __future__ import annotations

import pytest
from monitor_world import COMPLETED, HOUR, SENDING, TEN_MINUTES, UNPROVEN, MonitorWorld, change, query, status_of

from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.monitor.ancestry_review import doubt_delay
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.seams import Failpoint, failpoints_armed
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.spv import verify_beef

pytestmark = pytest.mark.anyio


async def stored_proofs_are_valid(world: MonitorWorld, wallet: OpenWallet) -> bool:
    """Whether every stored proof that is not in doubt leads to the active header at its height."""
    rows = await query(
        wallet,
        'SELECT txid, height, blockHash, merkleRoot, merklePath, "index" FROM proven_txs '
        "WHERE provenTxId NOT IN (SELECT provenTxId FROM bwt_suspects)",
    )
    for txid, height, block_hash, root, path, index in rows:
        header = world.chain.header_at(height)
        parsed = MerklePath.parse(path)
        if header is None or (header.hash, header.merkle_root) != (block_hash, root):
            return False
        if parsed.compute_root(txid) != root or parsed.index_of(txid) != index or parsed.block_height != height:
            return False
    return True


async def suspects(wallet: OpenWallet) -> int:
    return int((await query(wallet, "SELECT count(*) FROM bwt_suspects"))[0][0])


async def a_mined_payment(world: MonitorWorld, wallet: OpenWallet) -> tuple[str, int]:
    """A completed transaction of the wallet's own and its height, five blocks above its funding."""
    await world.fund(wallet, 100_000)
    world.chain.mine(5)
    txid = await world.pay_nowhere(wallet, 1_000)
    await world.idle(wallet)
    height = world.chain.mine(1)[0].height
    await world.idle(wallet)
    assert await status_of(wallet, txid) == COMPLETED
    return txid, height


def is_active_root(world: MonitorWorld, root: str, height: int) -> bool:
    header = world.chain.header_at(height)
    return header is not None and header.merkle_root == root


@pytest.mark.parametrize("offset", [0, 1], ids=["same height", "later block"])
async def test_a_transaction_mined_again_elsewhere_is_proven_there(world: MonitorWorld, offset: int) -> None:
    async with world.wallet("alice") as alice:
        txid, height = await a_mined_payment(world, alice)
        world.chain.reorg(height, 2, {txid: offset})
        await world.idle(alice)
        assert await status_of(alice, txid) == COMPLETED
        assert await suspects(alice) == 0
        assert await query(alice, f"SELECT height FROM proven_txs WHERE txid = '{txid}'") == [(height + offset,)]
        assert await stored_proofs_are_valid(world, alice)
        assert world.services.posted == [txid]


async def test_a_transaction_that_waits_in_the_mempool_stays_completed_and_its_beef_verifies(
    world: MonitorWorld,
) -> None:
    async with world.wallet("alice") as alice:
        txid, height = await a_mined_payment(world, alice)
        world.chain.reorg(height, 2)
        await world.idle(alice)
        assert await suspects(alice) == 1
        child = await world.pay_nowhere(alice, 2_000)
        scope = await alice.provider.find_user(alice.identity_key)
        beef: Beef = await alice.provider.for_user(scope).beef_of(child)
        verify_beef(beef, [child], lambda root, at: is_active_root(world, root, at))
        assert beef.merkle_path(txid) is None
        for _ in range(10):
            world.chain.mine(1, only=())
            await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, txid) == COMPLETED
        world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, child) == COMPLETED
        assert await suspects(alice) == 0
        assert await stored_proofs_are_valid(world, alice)


async def test_a_transaction_that_the_network_lost_is_sent_again_and_proven_anew(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        txid, height = await a_mined_payment(world, alice)
        world.chain.reorg(height, 2)
        world.chain.evict(txid)
        await world.idle(alice)
        assert await status_of(alice, txid) == COMPLETED
        assert world.services.posted == [txid]
        world.services.faults.set("post_beef", Fault.UNAVAILABLE, times=1)
        world.chain.mine(2)
        await world.idle(alice)
        assert await status_of(alice, txid) == SENDING
        await world.idle(alice, later=10_000)
        assert await status_of(alice, txid) == UNPROVEN
        assert world.services.posted == [txid] * 3
        world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, txid) == COMPLETED
        assert await suspects(alice) == 0
        assert await stored_proofs_are_valid(world, alice)


async def test_an_outage_while_a_proof_is_in_doubt_demotes_nothing(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        txid, height = await a_mined_payment(world, alice)
        world.chain.reorg(height, 2)
        world.chain.evict(txid)
        world.services.faults.set("get_status_for_txids", Fault.UNAVAILABLE)
        for _ in range(6):
            world.chain.mine(1)
            await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, txid) == COMPLETED
        assert await suspects(alice) == 1


async def test_a_reorganisation_while_the_wallet_was_closed_is_noticed(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        txid, height = await a_mined_payment(world, alice)
    world.chain.reorg(height, 3, {txid: 2})
    world.chain.mine(200)
    async with world.wallet("alice") as alice:
        await world.idle(alice)
        assert await query(alice, f"SELECT height FROM proven_txs WHERE txid = '{txid}'") == [(height + 2,)]
        assert await stored_proofs_are_valid(world, alice)


async def test_a_proof_above_a_shorter_chain_is_in_doubt(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        txid, height = await a_mined_payment(world, alice)
        world.chain.reorg(height - 1, 1, allow_shorter=True)
        await world.idle(alice)
        assert await suspects(alice) == 1
        world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, txid) == COMPLETED
        assert await suspects(alice) == 0
        assert await stored_proofs_are_valid(world, alice)


async def test_doubts_survive_a_restart(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        txid, height = await a_mined_payment(world, alice)
        world.chain.reorg(height, 2)
        await world.idle(alice)
        assert await suspects(alice) == 1
    async with world.wallet("alice") as alice:
        assert await suspects(alice) == 1
        world.chain.mine(1)
        await world.idle(alice)
        assert await suspects(alice) == 0
        assert await stored_proofs_are_valid(world, alice)
        assert await status_of(alice, txid) == COMPLETED


async def test_a_chain_that_comes_back_gives_its_proofs_back(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        txid, height = await a_mined_payment(world, alice)
        for offset in (1, 0, 2, 0):
            world.chain.reorg(height, world.chain.height - height + 2, {txid: offset})
            await world.idle(alice)
            assert await stored_proofs_are_valid(world, alice)
            assert await suspects(alice) == 0


@pytest.mark.parametrize("point", [Failpoint.REORG_BEFORE_COMMIT, Failpoint.REORG_AFTER_COMMIT])
async def test_a_failure_around_every_commit_of_a_reorganisation_is_made_good(
    world: MonitorWorld, point: Failpoint
) -> None:
    async with world.wallet("alice") as alice:
        txid, height = await a_mined_payment(world, alice)
        world.chain.reorg(height, 2, {txid: 1})
        for number in range(3):
            passed = 0

            def fail(at: Failpoint, number: int = number) -> None:
                nonlocal passed
                if at is point:
                    passed += 1
                    if passed == 1 + number:
                        raise OSError("the disk went away")

            with failpoints_armed(fail):
                await world.idle(alice, later=TEN_MINUTES)
        await world.idle(alice, later=TEN_MINUTES)
        assert await suspects(alice) == 0
        assert await stored_proofs_are_valid(world, alice)


async def test_a_coinbase_of_an_orphaned_block_ends(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        height = world.chain.height
        coinbase = world.chain.block_txids(height)[0]
        insertion = {"outputIndex": 0, "protocol": "basket insertion", "insertionRemittance": {"basket": "mined"}}
        await alice.internalize_action(
            {
                "tx": world.chain.beef_of(coinbase).to_atomic(coinbase),
                "description": "a coinbase",
                "outputs": [insertion],
            }
        )
        await world.idle(alice)
        world.services.lost.add(coinbase)
        world.chain.reorg(height, 3)
        await world.idle(alice)
        assert (await status_of(alice, coinbase))[0] is TransactionStatus.COMPLETED
        world.chain.mine(1)
        await world.idle(alice)
        assert (await status_of(alice, coinbase))[0] is TransactionStatus.FAILED
        assert await query(alice, "SELECT spendable FROM outputs") == [(0,)]
        assert await query(alice, "SELECT count(*) FROM bwt_holds") == [(0,)]
        assert await query(alice, "SELECT kind FROM bwt_evidence WHERE kind = 'orphaned'") == [("orphaned",)]
        assert await suspects(alice) == 0
        assert world.services.posted == []


async def test_a_lost_transaction_that_spends_a_failed_one_ends_instead_of_being_sent(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        txid, height = await a_mined_payment(world, alice)
        world.chain.reorg(height, 4)
        world.chain.evict(txid)
        await change(alice, f"UPDATE transactions SET status = 'failed' WHERE txid <> '{txid}'")
        await world.idle(alice)
        assert await status_of(alice, txid) == (TransactionStatus.FAILED, ProvenTxReqStatus.INVALID)
        assert await query(alice, "SELECT count(*) FROM outputs WHERE spendable = 1") == [(0,)]
        assert world.services.posted == [txid]


def test_doubted_proofs_are_looked_for_after_growing_delays() -> None:
    minutes = [doubt_delay(tries) // 60_000 for tries in range(6)]
    assert minutes == [10, 20, 40, 60, 60, 60]


async def test_without_new_headers_a_doubted_proof_is_asked_for_after_10_20_40_minutes_then_hourly(
    world: MonitorWorld,
) -> None:
    async with world.wallet("alice") as alice:
        _, height = await a_mined_payment(world, alice)
        world.chain.reorg(height, 2)
        await world.idle(alice)
        asked_at = []
        for minute in range(5, 4 * 60, 5):
            before = world.services.calls["get_merkle_path"]
            await world.idle(alice, later=HOUR // 12)
            if world.services.calls["get_merkle_path"] > before:
                asked_at.append(minute)
        assert asked_at == [10, 30, 70, 130, 190]
