"""What is found out about a refused transaction: one provider's word ends nothing, and no silence counts as a word."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from bsv_wallet_toolbox.errors import WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.interfaces.services import (
    PostAnswer,
    PostOutcome,
    RejectReason,
    TxStatusAnswer,
)
from bsv_wallet_toolbox.mockchain import Fault, MockServices
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.provider import script_process
from bsv_wallet_toolbox.provider.incoming import broken_rule
from bsv_wallet_toolbox.provider.inquiry import Inquiry
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.hashes import txid_of
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
)
from incoming_payments import PREFIX, SUFFIX, internalize_args, unmined_payment
from wallet_file import rows, state_of
from wallet_world import FUNDER, NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

MINUTE, HOUR = 60_000, 3_600_000
TRUE = b"\x51"
"""A script that anybody unlocks with nothing."""

Answers = Callable[[TransactionView], list[PostAnswer]]


class Liars(MockServices):
    """While ``answers`` is set, posts are answered with what it makes of the transaction, and the chain sees nothing.

    ``mute`` leaves the txids asked about out of the status answers.
    """

    answers: Answers | None = None
    mute = False

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        if self.answers is None:
            return await super().post_beef(beef, txids)
        view = Beef.parse(beef).view(txids[0])
        assert view is not None
        return self.answers(view)

    async def get_status_for_txids(self, txids: Sequence[str]) -> TxStatusAnswer:
        answer = await super().get_status_for_txids(txids)
        return replace(answer, statuses={}) if self.mute else answer


@pytest.fixture
def services(world: World) -> Liars:
    world.services = Liars(world.chain)
    return world.services


def made_up(view: TransactionView, *, first: int = 0) -> bytes:
    """A transaction that spends inputs of ``view`` from ``first`` on, which nobody signed and no chain takes."""
    inputs = [InputSpec(each.txid, each.vout) for each in view.inputs[first:]]
    return build_transaction(inputs, [OutputSpec(1, TRUE)])


def refusal(view: TransactionView, *rivals: bytes, provider: str = "one", **more: Any) -> PostAnswer:
    answer = PostAnswer(provider, view.txid, PostOutcome.REJECTED, tuple(map(txid_of, rivals)), rivals)
    return replace(answer, **{"reason": RejectReason.FEE_TOO_LOW, **more})


async def told_of(wallet: OpenWallet, satoshis: int) -> WERR_REVIEW_ACTIONS:
    with pytest.raises(WERR_REVIEW_ACTIONS) as told:
        await wallet.create_action(payment_to(NOWHERE, satoshis, delayed=False))
    return told.value


async def test_what_a_competitor_without_proof_is_said_to_spend_is_asked_about(world: World, services: Liars) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 50_000, 3)
        services.answers = lambda view: [refusal(view, made_up(view))]
        await told_of(alice, 120_000)
        assert rows(world.path("alice"), "SELECT count(*) FROM bwt_holds") == [0]
        assert await alice.balance() == 150_000
        assert rows(world.path("alice"), "SELECT DISTINCT source FROM bwt_evidence WHERE vout IS NOT NULL") == [
            "isUtxo"
        ]
    world.assert_sound("alice")


async def test_what_nobody_answers_for_waits_for_evidence(world: World, services: Liars) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 50_000, 3)
        services.answers = lambda view: [refusal(view, made_up(view))]
        services.faults.set("is_utxo", Fault.UNAVAILABLE)
        await told_of(alice, 120_000)
        holds = "SELECT reason FROM bwt_holds"
        assert rows(world.path("alice"), holds) == ["awaitingEvidence"] * 3
        services.faults.clear()
        services.answers = None
        world.clock.advance(HOUR)
        await alice.monitor.run_until_idle()
        assert rows(world.path("alice"), holds) == []
        assert await alice.balance() == 150_000
    world.assert_sound("alice")


async def test_what_two_providers_saw_spent_counts_as_spent(world: World, services: Liars) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 50_000, 3)
        services.answers = lambda view: [
            refusal(view, made_up(view, first=1), provider=name, outcome=PostOutcome.DOUBLE_SPEND)
            for name in ("one", "two")
        ]
        told = await told_of(alice, 120_000)
        assert state_of(world.path("alice"), str(told.txid))[:2] == ("failed", "doubleSpend")
        assert rows(world.path("alice"), "SELECT reason FROM bwt_holds") == ["spentElsewhere"] * 2
        assert await alice.balance() == 50_000


async def test_a_txid_that_the_status_answer_leaves_out_was_not_answered_for(world: World, services: Liars) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 50_000)
        services.answers = lambda view: [refusal(view)]
        services.mute = True
        told = await told_of(alice, 20_000)
        path = world.path("alice")
        assert state_of(path, str(told.txid))[:2] == ("sending", "unsent")
        assert rows(path, "SELECT spendable FROM outputs WHERE transactionId = 1") == [0]
        services.answers, services.mute = None, False
        world.clock.advance(HOUR)
        await alice.monitor.run_until_idle()
        assert state_of(path, str(told.txid))[:2] == ("unproven", "unmined")
    world.assert_sound("alice")


async def test_of_hundreds_of_competitors_a_few_are_written_down(world: World, services: Liars) -> None:
    invented = tuple(f"{number:064x}" for number in range(500))
    async with world.wallet("alice") as alice:
        await world.fund(alice, 50_000)
        services.answers = lambda view: [refusal(view, competing_txids=invented, reason=RejectReason.UNSTATED)]
        told = await told_of(alice, 20_000)
        assert len(told.review_action_results[0]["competingTxs"]) == 24
        services.answers = lambda view: [refusal(view, competing_txids=invented)]
        world.clock.advance(MINUTE)
        await alice.monitor.run_until_idle()
        path = world.path("alice")
        assert state_of(path, str(told.txid))[:2] == ("failed", "invalid")
        longest = "SELECT max(length(details)) FROM {}"
        assert rows(path, longest.format("bwt_notes")) < [2_000]
        assert rows(path, longest.format("bwt_evidence")) < [2_000]


async def test_no_provider_crowds_out_the_competitor_that_another_names(world: World, services: Liars) -> None:
    """Nor does the one whose bytes were given hide the one whose bytes must be fetched."""
    invented = tuple(f"{number:064x}" for number in range(500))
    source = services.fund(TRUE, 10_000)
    coin = InputSpec(source.txid, source.vout)
    winner = build_transaction([coin], [OutputSpec(9_000, TRUE)])
    services.mock.accept(winner)
    services.mine()
    beef = Beef.parse(source.beef)
    lost = parse_transaction(build_transaction([coin], [OutputSpec(8_000, TRUE)]))
    beef.merge_transaction(lost)
    bytes_of_another = made_up(lost)
    answers = [
        refusal(lost, competing_txids=invented),
        refusal(lost, bytes_of_another, provider="two", competing_txids=(txid_of(bytes_of_another), txid_of(winner))),
    ]
    checks = await Inquiry(services).checks(beef, lost.txid, answers)
    assert [each.txid for each in checks.competitors if each.proven] == [txid_of(winner)]


# our own check


async def test_a_check_of_ours_that_came_to_no_end_is_no_broken_rule(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the process that verifies: it dies, can't be started, takes too long."""
    async with world.wallet("alice") as alice:
        payment = unmined_payment(world, alice, 5000)
    beef, txid = Beef.parse(payment.beef), payment.view.txid
    monkeypatch.setattr("bsv_wallet_toolbox.provider.incoming.is_cheap", lambda *_: False)
    assert await broken_rule(beef, txid) is None
    dies = tmp_path / "dies"
    dies.write_text("#!/bin/sh\nkill -9 $$\n")
    dies.chmod(0o755)
    for executable in (dies, tmp_path / "missing"):
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", str(executable))
            assert await broken_rule(beef, txid) is None
    monkeypatch.setattr(script_process, "SECONDS", 0.0)
    with anyio.fail_after(30):
        assert await broken_rule(beef, txid) is None


async def test_a_refused_payment_is_held_when_our_own_check_died(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1_000, 60)
        world.services.faults.set("post_beef", Fault.REJECTED, times=1)
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", str(tmp_path / "missing"))
            told = await told_of(alice, 55_000)
        path = world.path("alice")
        assert state_of(path, str(told.txid))[:2] == ("sending", "unsent")
        world.clock.advance(HOUR)
        await alice.monitor.run_until_idle()
        assert state_of(path, str(told.txid))[:2] == ("unproven", "unmined")
    world.assert_sound("alice")


async def test_a_rule_that_our_own_check_finds_broken_is_named() -> None:
    lock = OutputSpec(9_000, b"\x00")  # a script that leaves false
    parent = parse_transaction(build_transaction([InputSpec("aa" * 32, 0, TRUE)], [lock]))
    child = parse_transaction(build_transaction([InputSpec(parent.txid, 0)], [OutputSpec(8_000, TRUE)]))
    beef = Beef()
    beef.merge_transaction(parent)
    beef.merge_transaction(child)
    assert await broken_rule(beef, child.txid) is not None


# ancestors that can never be mined


def spend(txid: str, *outputs: OutputSpec) -> TransactionView:
    return parse_transaction(build_transaction([InputSpec(txid, 0)], list(outputs)))


class Payer:
    """Pays with a coin that anybody may spend, through unproven transactions of which the first spends it."""

    def __init__(self, world: World, payee: OpenWallet, generations: int = 1) -> None:
        self._world = world
        self.coin = world.services.fund(TRUE, 100_000)
        assert self.coin.vout == 0
        self.beef = Beef.parse(self.coin.beef)
        txid = self.coin.txid
        for generation in range(generations):
            txid = self._add(spend(txid, OutputSpec(99_000 - generation, TRUE)))
            self.first = txid if generation == 0 else self.first
        lock = brc29.lock_to(FUNDER, payee.identity_key, PREFIX, SUFFIX)
        self.txid = self._add(spend(txid, OutputSpec(90_000, lock)))

    def _add(self, view: TransactionView) -> str:
        self.beef.merge_transaction(view)
        return view.txid

    @property
    def args(self) -> dict[str, Any]:
        return internalize_args(self.beef.to_atomic(self.txid))

    def spend_elsewhere(self) -> str:
        """The coin goes another way; the txid that has it now."""
        rival = spend(self.coin.txid, OutputSpec(98_000, TRUE))
        self._world.chain.accept(rival)
        return rival.txid


@pytest.mark.parametrize("generations", [0, 1, 5])
async def test_a_payment_ends_when_a_proven_transaction_spends_what_it_rests_on(
    world: World, services: Liars, generations: int
) -> None:
    """A node that has mined the rival names none: what it spent is not there any more."""
    async with world.wallet("alice") as alice:
        payer = Payer(world, alice, generations)
        rival = payer.spend_elsewhere()
        world.chain.mine()
        services.answers = lambda view: [PostAnswer("node", view.txid, PostOutcome.MISSING_PARENTS)]
        with pytest.raises(WERR_REVIEW_ACTIONS) as told:
            await alice.internalize_action(payer.args)
        review = told.value.review_action_results[0]
        assert (review["status"], review["competingTxs"]) == ("doubleSpend", [rival])
        assert state_of(world.path("alice"), payer.txid)[:2] == ("failed", "doubleSpend")
        assert await alice.balance() == 0
        [details] = rows(world.path("alice"), "SELECT details FROM bwt_evidence WHERE kind = 'doubleSpent'")
        assert rival in details
        assert generations == 0 or payer.first in details
    world.assert_sound("alice")


async def test_what_was_built_on_it_ends_too_and_gives_its_other_coins_back(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 5_000, 3)
        payer = Payer(world, alice)
        await alice.internalize_action(payer.args)
        built = (await alice.create_action(payment_to(NOWHERE, 91_000)))["txid"]
        await alice.monitor.run_until_idle()
        assert state_of(world.path("alice"), built)[:2] == ("unproven", "unmined")
        world.chain.evict(payer.first)
        payer.spend_elsewhere()
        for _ in range(6):
            world.chain.mine()
            world.clock.advance(HOUR)
            await alice.monitor.run_until_idle()
        path = world.path("alice")
        assert state_of(path, payer.txid)[:2] == ("failed", "doubleSpend")
        assert state_of(path, built)[:2] == ("failed", "invalid")
        assert await alice.balance() == 15_000
    world.assert_sound("alice")


async def test_a_rival_of_an_ancestor_that_is_not_mined_is_waited_for(world: World) -> None:
    async with world.wallet("alice") as alice:
        payer = Payer(world, alice)
        rival = payer.spend_elsewhere()
        assert (await alice.internalize_action(payer.args))["accepted"]
        assert state_of(world.path("alice"), payer.txid)[:2] == ("sending", "unsent")
        world.chain.evict(rival)
        world.clock.advance(HOUR)
        await alice.monitor.run_until_idle()
        assert state_of(world.path("alice"), payer.txid)[:2] == ("unproven", "unmined")
    world.assert_sound("alice")


@pytest.mark.parametrize("method", ["get_status_for_txids", "get_utxo_status", "get_raw_tx", "get_merkle_path"])
async def test_an_outage_while_the_ancestors_are_asked_about_ends_nothing(world: World, method: str) -> None:
    async with world.wallet("alice") as alice:
        payer = Payer(world, alice)
        payer.spend_elsewhere()
        world.chain.mine()
        world.services.faults.set(method, Fault.UNAVAILABLE)
        assert (await alice.internalize_action(payer.args))["accepted"]
        assert state_of(world.path("alice"), payer.txid)[:2] == ("sending", "unsent")


async def test_the_questions_about_ancestors_are_bounded(world: World, services: Liars) -> None:
    async with world.wallet("alice") as alice:
        payer = Payer(world, alice, generations=60)
        inputs = 300
        wide = services.fund_many([OutputSpec(100, TRUE)] * inputs)
        beef = payer.beef
        for each in wide:
            beef.merge(Beef.parse(each.beef))
        coins = [InputSpec(each.txid, each.vout) for each in wide]
        view = parse_transaction(build_transaction(coins, [OutputSpec(20_000, TRUE)]))
        beef.merge_transaction(view)
        lock = brc29.lock_to(FUNDER, alice.identity_key, PREFIX, SUFFIX)
        both = [InputSpec(view.txid, 0), InputSpec(payer.txid, 0)]
        top = parse_transaction(build_transaction(both, [OutputSpec(1_000, lock)]))
        beef.merge_transaction(top)
        before = services.calls.copy()
        missing = [PostAnswer("node", top.txid, PostOutcome.MISSING_PARENTS)]
        assert (await Inquiry(services).checks(beef, top.txid, missing)).competitors == ()
        asked = services.calls - before
        assert asked["get_status_for_txids"] == 2
        assert asked["get_utxo_status"] == 100


async def test_what_is_too_much_for_one_round_is_asked_about_in_turn(world: World, services: Liars) -> None:
    """The rival of a late input is found all the same, however often it takes."""
    funded = services.fund_many([OutputSpec(100, TRUE)] * 300)
    beef = Beef()
    for each in funded:
        beef.merge(Beef.parse(each.beef))
    coins = [InputSpec(each.txid, each.vout) for each in funded]
    lost = parse_transaction(build_transaction(coins, [OutputSpec(20_000, TRUE)]))
    beef.merge_transaction(lost)
    rival = parse_transaction(build_transaction([coins[250]], [OutputSpec(50, TRUE)]))
    assert world.chain.accept(rival).is_on_chain
    world.chain.mine()
    missing = [PostAnswer("node", lost.txid, PostOutcome.MISSING_PARENTS)]
    found = [(await Inquiry(services).checks(beef, lost.txid, missing, attempts)).competitors for attempts in range(3)]
    assert [bool(each) for each in found] == [False, False, True]
    assert found[2][0].txid == rival.txid
