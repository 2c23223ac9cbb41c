"""What the network may say after a post, and what becomes of the action, its req, its coins and the balance."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from bsv_wallet_toolbox.errors import WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.interfaces.services import PostAnswer, PostOutcome, RejectReason
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.mockchain import Fault, MockServices
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from bsv_wallet_toolbox.provider.proof_check import find_proof
from bsv_wallet_toolbox.storage.proofs import record_proof
from bsv_wallet_toolbox.transactions.beef import Beef
from wallet_file import rows, state_of
from wallet_world import NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

PAYMENT = payment_to(NOWHERE, 100, delayed=False)
MINUTE = 60_000


class AnsweringServices(MockServices):
    """Answers every post with the outcomes set in ``outcomes``, one per provider; the chain sees nothing of it."""

    outcomes: Sequence[tuple[str, PostOutcome, RejectReason]] = ()

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        return [
            PostAnswer(name, txid, outcome, reason=reason) for name, outcome, reason in self.outcomes for txid in txids
        ]


async def refused_payment(wallet: OpenWallet) -> WERR_REVIEW_ACTIONS:
    with pytest.raises(WERR_REVIEW_ACTIONS) as told:
        await wallet.create_action(PAYMENT)
    return told.value


def coin(path: Path) -> list[tuple[int, int | None]]:
    """(spendable, spentBy) of the coin that transaction 2 was to spend, whoever has it now."""
    return rows(path, "SELECT spendable, spentBy FROM outputs WHERE transactionId = 1 ORDER BY spendable, outputId")[:1]


def evidence(path: Path, txid: str) -> set[str]:
    return set(rows(path, "SELECT kind FROM bwt_evidence WHERE txid = ?", txid))


async def test_accepted(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 973, count=5)
    created = await alice.create_action(PAYMENT)
    path = world.path("alice")
    assert state_of(path, created["txid"]) == ("unproven", "unmined", 0)
    assert coin(path) == [(0, 2)]
    assert rows(path, "SELECT satoshis FROM transactions WHERE transactionId = 2") == [-101]
    assert await alice.balance() == 4764
    assert evidence(path, created["txid"]) == {"accepted"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault.UNAVAILABLE,
        Fault.TIMEOUT,
        Fault.HTTP_STATUS,
        Fault.RATE_LIMITED,
        Fault.WRONG_TXID,
        Fault.REPLY_LOST,
        Fault.REJECTED,
        Fault.DOUBLE_SPEND_CLAIM,
    ],
)
async def test_no_verdict_holds_everything_and_tells_the_person(world: World, alice: OpenWallet, fault: Fault) -> None:
    await world.fund(alice, 973, count=5)
    funding, path = rows(world.path("alice"), "SELECT txid FROM transactions")[0], world.path("alice")
    world.services.faults.set("post_beef", fault)
    world.services.faults.set("get_status_for_txids", Fault.UNAVAILABLE)
    told = await refused_payment(alice)
    txid = str(told.txid)
    assert told.send_with_results == [{"txid": txid, "status": "sending"}]
    assert [(each["txid"], each["status"]) for each in told.review_action_results] == [(txid, "serviceError")]
    assert told.tx is not None
    assert Beef.parse(told.tx).subject == txid
    assert state_of(path, txid) == ("sending", "unsent", 1)
    assert coin(path) == [(0, 2)]
    refused = fault in (Fault.REJECTED, Fault.DOUBLE_SPEND_CLAIM)
    assert await alice.balance() == (3892 if refused else 4764), "the change of what was refused is held"
    assert evidence(path, funding) == set(), "no coin is freed or written off"

    world.services.faults.clear()
    await alice.monitor.run_until_idle()
    assert state_of(path, txid)[1] == "unsent", "it is not asked again before its time"
    world.clock.advance(MINUTE)
    await alice.monitor.run_until_idle()
    assert state_of(path, txid)[:2] == ("unproven", "unmined")
    world.chain.mine()
    await alice.monitor.run_until_idle()
    assert state_of(path, txid)[:2] == ("completed", "completed")
    assert await alice.balance() == 4764


async def test_a_day_of_outage_ends_nothing(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 973, count=5)
    for method in ("post_beef", "get_status_for_txids", "get_merkle_path", "is_utxo"):
        world.services.faults.set(method, Fault.UNAVAILABLE)
    txid = str((await refused_payment(alice)).txid)
    for _ in range(144):
        world.clock.advance(10 * MINUTE)
        world.chain.mine()
        await alice.monitor.run_until_idle()
    assert state_of(world.path("alice"), txid)[:2] == ("sending", "unsent")
    assert coin(world.path("alice")) == [(0, 2)]
    world.services.faults.clear()
    world.clock.advance(60 * MINUTE)
    await alice.monitor.run_until_idle()
    assert state_of(world.path("alice"), txid)[:2] == ("unproven", "unmined")


async def test_missing_parents_are_no_verdict(world: World) -> None:
    services = AnsweringServices(world.chain)
    services.outcomes = [
        ("first", PostOutcome.MISSING_PARENTS, RejectReason.UNSTATED),
        ("second", PostOutcome.REJECTED, RejectReason.FEE_TOO_LOW),
    ]
    world.services = services
    async with world.wallet("alice") as alice:
        await world.fund(alice, 973, count=5)
        txid = str((await refused_payment(alice)).txid)
        assert state_of(world.path("alice"), txid) == ("sending", "unsent", 1)
        assert coin(world.path("alice")) == [(0, 2)]


async def test_one_acceptance_outweighs_refusals(world: World) -> None:
    services = AnsweringServices(world.chain)
    services.outcomes = [
        ("first", PostOutcome.REJECTED, RejectReason.FEE_TOO_LOW),
        ("second", PostOutcome.ALREADY_KNOWN, RejectReason.UNSTATED),
    ]
    world.services = services
    async with world.wallet("alice") as alice:
        await world.fund(alice, 973, count=5)
        created = await alice.create_action(PAYMENT)
        assert state_of(world.path("alice"), created["txid"]) == ("unproven", "unmined", 0)


async def test_a_fee_too_low_ends_it_and_frees_what_is_seen_unspent(world: World, alice: OpenWallet) -> None:
    funding = await world.fund(alice, 973, count=5)
    path = world.path("alice")
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW)
    told = await refused_payment(alice)
    assert [(each["status"]) for each in told.review_action_results] == ["invalidTx"]
    assert told.send_with_results == [{"txid": told.txid, "status": "failed"}]
    assert state_of(path, str(told.txid)) == ("failed", "invalid", 0)
    assert coin(path) == [(1, None)]
    assert rows(path, "SELECT DISTINCT spendable FROM outputs WHERE transactionId = 2") == [0]
    assert "unspent" in evidence(path, funding)
    assert await alice.balance() == 4865


async def test_what_nobody_saw_unspent_is_held_until_somebody_does(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 973, count=5)
    path = world.path("alice")
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW)
    world.services.faults.set("is_utxo", Fault.UNAVAILABLE)
    told = await refused_payment(alice)
    assert state_of(path, str(told.txid)) == ("failed", "invalid", 0)
    assert coin(path) == [(0, 2)]
    assert rows(path, "SELECT reason FROM bwt_holds") == ["awaitingEvidence"]
    assert await alice.balance() == 4 * 973
    world.clock.advance(60 * MINUTE)
    await alice.monitor.run_until_idle()
    assert coin(path) == [(0, 2)]
    world.services.faults.clear()
    world.clock.advance(60 * MINUTE)
    await alice.monitor.run_until_idle()
    assert rows(path, "SELECT count(*) FROM bwt_holds") == [0]
    assert await alice.balance() == 4865


async def spend_in_a_copy(world: World, satoshis: int) -> str:
    """The same key in a copy of the file spends the same coins and sends it; the txid."""
    shutil.copy(world.path("alice"), world.path("copy"))
    async with open_wallet(
        world.path("copy"), StaticKey(key_of("alice")), MockServices(world.chain), monitor=False, clock=world.clock
    ) as copy:
        return str((await copy.create_action(payment_to(NOWHERE, satoshis, delayed=False)))["txid"])


async def test_a_double_spend_that_was_mined_ends_it(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1000)
    rival = await spend_in_a_copy(world, 900)
    world.chain.mine()
    async with world.wallet("alice") as alice:
        await world.fund(alice, 500)
        with pytest.raises(WERR_REVIEW_ACTIONS) as told:
            await alice.create_action(payment_to(NOWHERE, 1200, delayed=False))  # takes both
        review = told.value.review_action_results[0]
        assert (review["status"], review["competingTxs"]) == ("doubleSpend", [rival])
        path = world.path("alice")
        assert state_of(path, str(told.value.txid)) == ("failed", "doubleSpend", 0)
        inputs = rows(
            path, "SELECT satoshis, spendable, spentBy FROM outputs WHERE transactionId < 3 ORDER BY satoshis"
        )
        assert inputs == [(500, 1, None), (1000, 0, 3)]
        assert rows(path, "SELECT reason FROM bwt_holds") == ["spentElsewhere"]
        assert await alice.balance() == 500
        world.clock.advance(24 * 60 * MINUTE)
        await alice.monitor.run_until_idle()
        assert await alice.balance() == 500


async def test_a_double_spend_that_is_only_in_a_mempool_is_waited_for(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1000)
    rival = await spend_in_a_copy(world, 900)
    async with world.wallet("alice") as alice:
        with pytest.raises(WERR_REVIEW_ACTIONS) as told:
            await alice.create_action(payment_to(NOWHERE, 800, delayed=False))
        txid, path = str(told.value.txid), world.path("alice")
        assert told.value.review_action_results[0]["competingTxs"] == [rival]
        assert state_of(path, txid) == ("sending", "unsent", 1)
        assert coin(path) == [(0, 2)]
        world.chain.mine()
        world.clock.advance(MINUTE)
        await alice.monitor.run_until_idle()
        assert state_of(path, txid)[:2] == ("failed", "doubleSpend")
        assert await alice.balance() == 0


async def test_when_the_rival_is_forgotten_the_payment_goes_through(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1000)
    rival = await spend_in_a_copy(world, 900)
    async with world.wallet("alice") as alice:
        with pytest.raises(WERR_REVIEW_ACTIONS) as told:
            await alice.create_action(payment_to(NOWHERE, 800, delayed=False))
        world.chain.evict(rival)
        world.clock.advance(MINUTE)
        await alice.monitor.run_until_idle()
        assert state_of(world.path("alice"), str(told.value.txid))[:2] == ("unproven", "unmined")


async def test_a_transaction_the_network_forgot_is_sent_again(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 973, count=5)
    world.services.faults.set("post_beef", Fault.FORGET, times=1)
    txid = (await alice.create_action(PAYMENT))["txid"]
    assert world.chain.confirmations(txid) is None
    for _ in range(6):
        world.clock.advance(10 * MINUTE)
        world.chain.mine()
        await alice.monitor.run_until_idle()
    assert state_of(world.path("alice"), txid)[:2] == ("completed", "completed")
    assert await alice.balance() == 4764


async def test_a_failed_payment_that_was_mined_after_all_comes_back(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 973, count=5)
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
    told = await refused_payment(alice)
    txid, path = str(told.txid), world.path("alice")
    beef = Beef.parse(told.tx or b"")
    view = beef.view(txid)
    assert view is not None
    assert world.chain.accept(view).is_on_chain
    world.chain.mine()
    found = await find_proof(world.services, txid, view.raw)
    proof = found.proof
    assert proof is not None
    assert await alice.provider.engine.write(lambda tx: record_proof(tx, proof))
    assert state_of(path, txid)[:2] == ("completed", "completed")
    assert coin(path) == [(0, 2)]
    assert await alice.balance() == 3892, "nobody has said yet that its change is still there"
    world.clock.advance(10 * MINUTE)
    await alice.monitor.run_until_idle()
    assert await alice.balance() == 4764, "its change can be spent again"
