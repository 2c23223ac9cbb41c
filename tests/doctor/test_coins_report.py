"""I1: what the network holds for a wallet is what its file says, whatever happened between the two."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from breaches import change

from bsv_wallet_toolbox.doctor.coins import CoinsReport, HeldCoin, Unsettled
from bsv_wallet_toolbox.errors import WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus
from bsv_wallet_toolbox.mockchain import Fault
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

COIN = 10_000


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_past_adds_up(past: World) -> None:
    coins = past.coins("alice")
    assert coins.held == {"awaitingEvidence": COIN}
    assert coins.reserved > 0
    assert coins.in_flight == 11
    assert [each.status for each in coins.unsettled] == [TransactionStatus.UNPROVEN, TransactionStatus.SENDING]


def test_what_the_network_does_not_have_yet_has_neither_taken_nor_brought_anything() -> None:
    outgoing = Unsettled(1, "aa", TransactionStatus.SENDING, -300)
    incoming = Unsettled(2, "bb", TransactionStatus.UNPROVEN, 50)
    coins = CoinsReport(1_000, 200, 0, (outgoing, incoming), ())
    assert coins.in_flight == 300
    assert coins.expected_on_network(lambda _: True, lambda *_: False) == 1_200
    assert coins.expected_on_network(lambda _: False, lambda *_: False) == 1_450
    assert coins.expected_on_network(lambda txid: txid == "bb", lambda *_: False) == 1_500


def test_a_held_coin_counts_until_the_network_has_it_spent() -> None:
    held = (HeldCoin("aa", 0, 70, "spentElsewhere"), HeldCoin("aa", 1, 5, "awaitingEvidence"))
    coins = CoinsReport(1_000, 0, 0, (), held)
    assert coins.held == {"spentElsewhere": 70, "awaitingEvidence": 5}
    assert coins.expected_on_network(lambda _: True, lambda _, vout: vout == 0) == 1_005


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.REPLY_LOST, Fault.FORGET, Fault.REJECTED])
async def test_nothing_is_missing_whatever_became_of_a_post(world: World, fault: Fault) -> None:
    async with world.wallet("alice") as alice, world.wallet("bob") as bob:
        await world.fund(alice, COIN, 3)
        world.services.faults.set("post_beef", fault)
        with suppress(WERR_REVIEW_ACTIONS):  # bob is told when his payment is refused
            await world.pay("alice", bob, alice, 1_000, delayed=True)
        world.assert_sound("alice", "bob")
        await alice.monitor.run_until_idle()
        world.assert_sound("alice", "bob")
        world.services.faults.clear()
        world.clock.advance(3_600_000)
        for _ in range(5):
            world.chain.mine()
            await alice.monitor.run_until_idle()
            await bob.monitor.run_until_idle()
            await world.check()


async def test_nothing_is_missing_after_a_failure_and_its_review(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, COIN, 2)
        world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
        world.services.faults.set("is_utxo", Fault.UNAVAILABLE, times=1)
        with pytest.raises(WERR_REVIEW_ACTIONS):
            await alice.create_action(payment_to(NOWHERE, 100, delayed=False))
        world.assert_sound("alice")
        assert world.coins("alice").held == {"awaitingEvidence": COIN}
        world.clock.advance(3_600_000)
        await alice.monitor.run_until_idle()
        world.assert_sound("alice")
        assert world.coins("alice").held == {}


async def test_nothing_is_missing_while_proofs_are_in_doubt(world: World) -> None:
    async with world.wallet("alice") as alice, world.wallet("bob") as bob:
        await world.fund(alice, COIN, 2)
        await world.pay("alice", bob, alice, 1_000)
        world.chain.mine()
        await alice.monitor.run_until_idle()
        world.assert_sound("alice", "bob")
        world.chain.reorg(world.chain.height - 1, 3)
        for _ in range(3):
            await alice.monitor.run_until_idle()
            await bob.monitor.run_until_idle()
            world.assert_sound("alice", "bob")
            world.clock.advance(3_600_000)
        world.chain.mine()
        world.clock.advance(3_600_000)
        await alice.monitor.run_until_idle()
        world.assert_sound("alice", "bob")
        assert world.coins("alice").held == {}


async def test_a_coin_that_the_file_forgot_is_missed(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, COIN, 3)
    world.assert_sound("alice")
    change(
        world.path("alice"),
        "DELETE FROM outputs WHERE outputId = 2; UPDATE transactions SET satoshis = satoshis - 10000",
    )
    with pytest.raises(AssertionError, match="does not know 1 scripts"):
        world.assert_sound("alice")


async def test_a_coin_written_off_although_the_network_has_it_is_missed(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, COIN, 3)
    change(
        world.path("alice"),
        """UPDATE outputs SET spendable = 0 WHERE outputId = 1;
            INSERT INTO bwt_evidence (txid, vout, kind, source, "when", details)
            SELECT txid, vout, 'spent', 'a liar', created_at, '{}' FROM outputs WHERE outputId = 1""",
    )
    with pytest.raises(AssertionError, match="30000 satoshis on the chain, 20000 by"):
        world.assert_sound("alice")
