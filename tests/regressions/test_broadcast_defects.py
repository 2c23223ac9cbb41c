"""Broadcasting: what other wallets are known to have made of answers, outages and races, and this one must not."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from typing import Any

import pytest
from observed_world import HOUR, MINUTE, OPENS, ObservedWorld, PostRule, spending, token, view_of

from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.interfaces.services import PostAnswer, PostOutcome, RejectReason
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.spv import verify_beef
from incoming_payments import insertion_entry, internalize_args, unmined_payment
from wallet_file import coins_of, rows, state_of
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

PAYMENT = payment_to(NOWHERE, 1_000, delayed=False)
EVERYTHING = 2_099_999_999_999_999
ENOUGH_PROVIDERS = ("first", "second")


def everybody(outcome: PostOutcome, reason: RejectReason = RejectReason.UNSTATED) -> PostRule:
    """Every provider answers the same."""

    def answer(txids: Sequence[str]) -> list[PostAnswer]:
        return [PostAnswer(name, txid, outcome, reason=reason) for name in ENOUGH_PROVIDERS for txid in txids]

    return answer


FEE_TOO_LOW = everybody(PostOutcome.REJECTED, RejectReason.FEE_TOO_LOW)


async def refused(alice: OpenWallet, args: dict[str, Any] = PAYMENT) -> WERR_REVIEW_ACTIONS:
    with pytest.raises(WERR_REVIEW_ACTIONS) as told:
        await alice.create_action(args)
    return told.value


def hold_back(satoshis: int) -> dict[str, Any]:
    args = payment_to(NOWHERE, satoshis)
    args["options"]["noSend"] = True
    return args


def assert_proves(world: World, beef: Beef, txid: str) -> None:
    """A node that knows the headers only can judge the transaction by this."""
    headers = [world.chain.header_at(height) for height in range(world.chain.height + 1)]
    roots = {(header.merkle_root, header.height) for header in headers if header is not None}
    verify_beef(beef, [txid], lambda root, height: (root, height) in roots)


# verdicts


@pytest.mark.parametrize("mined", [False, True])
async def test_what_the_network_has_is_not_ended_by_a_providers_refusal(
    world: ObservedWorld, alice: OpenWallet, mined: bool
) -> None:
    await world.fund(alice, 10_000)
    world.services.answer = FEE_TOO_LOW

    async def taken_all_the_same() -> None:
        (post,) = world.services.posts
        view = post.beef.view(post.txids[0])
        assert view is not None
        world.chain.accept(view)
        if mined:
            world.chain.mine(1)

    world.services.after_post = taken_all_the_same
    created = await alice.create_action(PAYMENT)
    assert state_of(world.path("alice"), created["txid"])[:2] == ("unproven", "unmined")
    assert 8_990 < await alice.balance() < 9_000


async def test_a_refusal_ends_nothing_while_nobody_says_whether_the_network_has_it(
    world: ObservedWorld, alice: OpenWallet
) -> None:
    await world.fund(alice, 10_000)
    world.services.answer = FEE_TOO_LOW
    world.services.faults.set("get_status_for_txids", Fault.UNAVAILABLE)
    txid = str((await refused(alice)).txid)
    path = world.path("alice")
    for attempts in (1, 2, 3):
        assert state_of(path, txid) == ("sending", "unsent", attempts)
        assert rows(path, "SELECT spendable, spentBy FROM outputs WHERE transactionId = 1") == [(0, 2)]
        await world.idle(alice, later=10 * MINUTE)
    world.services.answer = None
    world.services.faults.clear()
    await world.idle(alice, later=HOUR)
    assert state_of(path, txid)[:2] == ("unproven", "unmined")


async def test_a_double_spend_without_a_competitor_is_waited_for(world: ObservedWorld, alice: OpenWallet) -> None:
    """Two providers say so, the network does not know it, and nobody names what would compete."""
    await world.fund(alice, 10_000)
    world.services.answer = everybody(PostOutcome.DOUBLE_SPEND)
    told = await refused(alice)
    txid, path = str(told.txid), world.path("alice")
    assert [each["status"] for each in told.review_action_results] == ["serviceError"]
    await world.idle(alice, later=HOUR)
    assert state_of(path, txid) == ("sending", "unsent", 2)
    assert rows(path, "SELECT spendable, spentBy FROM outputs WHERE transactionId = 1") == [(0, 2)]
    world.services.answer = None
    await world.idle(alice, later=HOUR)
    assert state_of(path, txid)[:2] == ("unproven", "unmined")


async def test_what_was_queued_counts_as_sent_and_is_sent_again_when_it_never_arrives(
    world: ObservedWorld, alice: OpenWallet
) -> None:
    await world.fund(alice, 10_000)
    world.services.answer = everybody(PostOutcome.ACCEPTED_QUEUED)
    txid, path = (await alice.create_action(PAYMENT))["txid"], world.path("alice")
    assert state_of(path, txid)[:2] == ("unproven", "unmined")
    child = await alice.create_action(payment_to(NOWHERE, 8_000, delayed=False))
    assert txid in view_of(child).source_txids, "its change funds what is sent at once"
    world.services.answer = None
    for _ in range(6):
        world.chain.mine(1)
        await world.idle(alice, later=10 * MINUTE)
    assert [state_of(path, each)[:2] for each in (txid, child["txid"])] == [("completed", "completed")] * 2


async def test_released_coins_can_be_chosen_at_once(world: ObservedWorld, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    world.services.answer = FEE_TOO_LOW
    failed = await refused(alice)
    assert [each["status"] for each in failed.review_action_results] == ["invalidTx"]
    world.services.answer = None
    created = await alice.create_action(payment_to(NOWHERE, 9_000, delayed=False))
    assert world.chain.confirmations(created["txid"]) == 0


async def test_a_coin_that_the_chain_spent_is_not_chosen_again(world: ObservedWorld) -> None:
    """Another copy of the wallet spent it: what fails on it once takes another coin the next time."""
    async with world.wallet("alice") as alice:
        await world.fund(alice, 5_000)
    shutil.copy(world.path("alice"), world.path("elsewhere"))
    async with world.copy_of("alice", "elsewhere") as elsewhere:
        await elsewhere.create_action(payment_to(NOWHERE, 4_000, delayed=False))
    world.chain.mine(1)
    world.clock.advance(1)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 20_000)
        lost = await refused(alice, payment_to(NOWHERE, 3_000, delayed=False))
        assert [each["status"] for each in lost.review_action_results] == ["doubleSpend"]
        for _ in range(3):
            await alice.create_action(payment_to(NOWHERE, 3_000, delayed=False))
            await world.idle(alice, later=HOUR)
        assert await alice.balance() < 20_000 - 3 * 3_000
    world.assert_sound("alice")


# what is sent


async def test_each_of_a_chain_is_sent_with_all_its_unproven_ancestors(world: ObservedWorld) -> None:
    """Made and sent by different processes: nothing is remembered but what stands in the file."""
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        first = await alice.create_action(payment_to(NOWHERE, 1_000))
        second = await alice.create_action(payment_to(NOWHERE, 8_000))
        third = await alice.create_action(payment_to(NOWHERE, EVERYTHING))
        txids = [created["txid"] for created in (first, second, third)]
        assert txids[0] in view_of(second).source_txids
        assert txids[1] in view_of(third).source_txids
    world.clock.advance(1)
    async with world.wallet("alice") as alice:
        await world.idle(alice)
        assert [post.txids for post in world.services.posts] == [(txid,) for txid in txids]
        for place, post in enumerate(world.services.posts):
            assert_proves(world, post.beef, txids[place])
            unproven = {each for each, entry in post.beef.transactions.items() if not entry.is_proven}
            assert unproven == set(txids[: place + 1])
        assert [state_of(world.path("alice"), txid)[:2] for txid in txids] == [("unproven", "unmined")] * 3
    world.assert_sound("alice")


async def test_an_orphan_is_sent_again_with_its_parents(world: ObservedWorld, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    parent = (await alice.create_action(PAYMENT))["txid"]
    world.services.answer = everybody(PostOutcome.MISSING_PARENTS)
    child = str((await refused(alice, payment_to(NOWHERE, 8_500, delayed=False))).txid)
    assert state_of(world.path("alice"), child) == ("sending", "unsent", 1)
    world.chain.evict(parent)
    world.services.answer = None
    await world.idle(alice, later=MINUTE)
    assert world.services.posts[-1].txids == (child,)
    assert world.services.posts[-1].beef.view(parent) is not None
    assert [world.chain.confirmations(each) for each in (parent, child)] == [0, 0]
    assert state_of(world.path("alice"), child)[:2] == ("unproven", "unmined")


async def test_nothing_but_ancestors_is_sent(world: ObservedWorld, alice: OpenWallet) -> None:
    """The caller's BEEF holds transactions that have nothing to do with its input."""
    await world.fund(alice, 10_000)
    source = world.services.fund(bytes.fromhex("5187"), 2_000)
    given = Beef.parse(source.beef)
    given.merge(Beef.parse(world.services.fund(b"\x51", 3_000).beef))
    stranger = unmined_payment(world, alice, 500)
    given.merge(Beef.parse(stranger.beef))
    args = spending(f"{source.txid}.{source.vout}", OPENS, inputBEEF=given.to_bytes())
    args |= {"outputs": payment_to(NOWHERE, 5_000)["outputs"], "options": {"acceptDelayedBroadcast": False}}
    created = await alice.create_action(args)
    (post,) = world.services.posts
    assert set(post.beef.transactions) == {created["txid"], *view_of(created).source_txids}
    assert source.txid in post.beef.transactions


async def test_what_the_callers_beef_only_named_is_sent_in_full(world: ObservedWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        outpoint = await token(alice)
        made, _, _ = outpoint.partition(".")
        named = Beef()
        named.merge_txid_only(made)
        created = await alice.create_action(spending(outpoint, OPENS, inputBEEF=named.to_bytes()))
    world.clock.advance(1)
    async with world.wallet("alice") as alice:
        await world.idle(alice)
        post = world.services.posts[-1]
        assert post.txids == (created["txid"],)
        assert_proves(world, post.beef, created["txid"])
        assert not any(entry.is_txid_only for entry in post.beef.transactions.values())
    world.assert_sound("alice")


# sending together


async def held_back_chain(alice: OpenWallet, *amounts: int) -> list[str]:
    """Actions that are held back, each built on the change of the one before."""
    txids: list[str] = []
    change: list[str] = []
    for satoshis in amounts:
        args = hold_back(satoshis)
        args["options"]["noSendChange"] = change
        created = await alice.create_action(args)
        txids.append(created["txid"])
        change = created["noSendChange"]
    return txids


def sent_with(txids: Sequence[str], *, delayed: bool) -> dict[str, Any]:
    options = {"sendWith": list(txids), "acceptDelayedBroadcast": delayed}
    return {"description": "send what was held back", "options": options}


async def test_what_is_sent_together_leaves_in_one_beef_and_once(world: ObservedWorld, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    txids = await held_back_chain(alice, 1_000, 2_000, 3_000)
    result = await alice.create_action(sent_with(txids[::-1], delayed=False))
    assert [post.txids for post in world.services.posts] == [tuple(txids)], "parents first"
    assert {each["txid"]: each["status"] for each in result["sendWithResults"]} == dict.fromkeys(txids, "unproven")
    await world.idle(alice, later=HOUR)
    assert world.services.posted == txids


async def test_what_is_sent_together_and_later_leaves_once(world: ObservedWorld, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    txids = await held_back_chain(alice, 1_000, 2_000, 3_000)
    result = await alice.create_action(sent_with(txids, delayed=True))
    assert {each["txid"]: each["status"] for each in result["sendWithResults"]} == dict.fromkeys(txids, "sending")
    assert world.services.posts == []
    await world.idle(alice)
    assert world.services.posted == txids
    assert [state_of(world.path("alice"), txid)[:2] for txid in txids] == [("unproven", "unmined")] * 3
    assert len(set(rows(world.path("alice"), "SELECT batch FROM proven_tx_reqs"))) == 1


async def test_two_calls_that_send_the_same_send_it_once(world: ObservedWorld, alice: OpenWallet) -> None:
    """The second comes while the first is posting: it is told that they are on their way."""
    await world.fund(alice, 10_000)
    txids = await held_back_chain(alice, 1_000, 2_000)
    told: list[Any] = []

    async def ask_again() -> None:
        if not told:
            told.append(await alice.create_action(sent_with(txids, delayed=False)))

    world.services.after_post = ask_again
    first = await alice.create_action(sent_with(txids, delayed=False))
    assert [each["status"] for each in first["sendWithResults"]] == ["unproven", "unproven"]
    assert told == [{"sendWithResults": [{"txid": txid, "status": "sending"} for txid in txids]}]
    await world.idle(alice, later=HOUR)
    assert world.services.posted == txids


@pytest.mark.parametrize("delayed", [True, False])
async def test_change_of_held_back_actions_funds_no_other(
    world: ObservedWorld, alice: OpenWallet, delayed: bool
) -> None:
    await world.fund(alice, 10_000)
    await alice.create_action(hold_back(1_000))
    with pytest.raises(WERR_INSUFFICIENT_FUNDS):
        await alice.create_action(payment_to(NOWHERE, 1_000, delayed=delayed))
    with pytest.raises(WERR_INSUFFICIENT_FUNDS):
        await alice.create_action(hold_back(1_000))


async def test_others_are_served_while_a_post_takes_its_time(world: ObservedWorld, alice: OpenWallet) -> None:
    """Neither a transaction of the database nor any lock is held while the network is asked."""
    await world.fund(alice, 10_000, count=4)
    under_way, may_end = asyncio.Event(), asyncio.Event()

    async def take_long() -> None:
        under_way.set()
        await may_end.wait()

    world.services.after_post = take_long
    slow = asyncio.ensure_future(alice.create_action(PAYMENT))
    await under_way.wait()
    async with asyncio.timeout(60):
        await alice.create_action(payment_to(NOWHERE, 2_000))
        assert await alice.balance() > 0
        await alice.abort_action({"reference": (await alice.create_action(hold_back(500)))["txid"]})
    assert not slow.done()
    may_end.set()
    assert (await slow)["sendWithResults"][0]["status"] == "unproven"


# payments from outside


@pytest.mark.parametrize("outage", [False, True])
async def test_own_outputs_that_an_incoming_transaction_spends_are_not_spent_again(
    world: ObservedWorld, outage: bool
) -> None:
    """Built by another copy of the wallet: it spends a token and a coin of this one."""
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        outpoint = await token(alice)
    shutil.copy(world.path("alice"), world.path("elsewhere"))
    world.clock.advance(1)
    outputs = payment_to(NOWHERE, EVERYTHING)["outputs"]
    async with world.copy_of("alice", "elsewhere") as elsewhere:
        options = {"noSend": True, "randomizeOutputs": False}
        built = await elsewhere.create_action(spending(outpoint, OPENS, outputs=outputs, options=options))
    async with world.wallet("alice") as alice:
        if outage:
            world.services.faults.set("post_beef", Fault.UNAVAILABLE)
        await alice.internalize_action(internalize_args(built["tx"], insertion_entry(0)))
        path = world.path("alice")
        spent = coins_of(path)
        assert (await alice.list_outputs({"basket": "tokens"}))["totalOutputs"] == 0
        assert await alice.balance() == 0
        with pytest.raises(WERR_INSUFFICIENT_FUNDS):
            await alice.create_action(payment_to(NOWHERE, 100))
        await world.idle(alice, later=24 * HOUR)
        assert coins_of(path) == spent, "an outage is no reason to take them back"


async def test_a_payment_of_somebody_else_outlives_our_own_failure_to_send_it(
    world: ObservedWorld, alice: OpenWallet
) -> None:
    payment = unmined_payment(world, alice, 5_000)
    txid, path = payment.view.txid, world.path("alice")
    world.services.answer = everybody(PostOutcome.REJECTED)
    with pytest.raises(WERR_REVIEW_ACTIONS):
        await alice.internalize_action(internalize_args(payment.beef))
    for _ in range(24):
        await world.idle(alice, later=HOUR)
    assert state_of(path, txid)[:2] == ("sending", "unsent")
    world.chain.accept(payment.view)
    world.chain.mine(1)
    await world.idle(alice, later=HOUR)
    assert state_of(path, txid)[:2] == ("completed", "completed")
    assert await alice.balance() == 5_000


async def test_attempts_are_counted_across_restarts(world: ObservedWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        world.services.faults.set("post_beef", Fault.HTTP_STATUS)
        txid = str((await refused(alice)).txid)
    for attempts in (2, 3, 4):
        world.clock.advance(HOUR)
        async with world.wallet("alice") as alice:
            await world.idle(alice)
            assert state_of(world.path("alice"), txid) == ("sending", "unsent", attempts)
            await world.idle(alice)
            assert state_of(world.path("alice"), txid)[2] == attempts, "not before its time"
    world.assert_sound("alice")
