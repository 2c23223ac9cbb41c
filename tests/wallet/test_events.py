"""What a wallet tells of its actions, in the order of what happened to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from bsv_wallet_toolbox.brc100.create_action import validate_create_action
from bsv_wallet_toolbox.errors import (
    WERR_INSUFFICIENT_FUNDS,
    WERR_INVALID_OPERATION,
    WERR_INVALID_PARAMETER,
    WERR_REVIEW_ACTIONS,
)
from bsv_wallet_toolbox.interfaces.events import WalletEvent
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.seams import Failpoint, failpoints_armed
from bsv_wallet_toolbox.templates import p2pkh
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    build_transaction,
    parse_transaction,
    signature_hash,
)
from bsv_wallet_toolbox.wallet.wallet import Wallet
from incoming_payments import (
    PURSE_KEY,
    PURSE_PUBLIC_KEY,
    Unmined,
    internalize_args,
    mined_payment,
    unmined_payment,
)
from storage_adapters import TwoCommits
from wallet_world import NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

MINUTE = 60_000
HOUR = 3_600_000


@dataclass
class Told:
    """The events of a wallet since the last look."""

    wallet: OpenWallet
    events: list[WalletEvent]

    def of(self, txid: str | None) -> list[str]:
        """Kind and status of those of one action, forgotten with all others."""
        found = [f"{event.kind} {event.status}" for event in self.events if event.txid == txid]
        self.events.clear()
        return found

    def details(self, kind: str) -> list[str]:
        return [event.detail for event in self.events if event.kind == kind]


@pytest.fixture
async def told(alice: OpenWallet) -> Told:
    events: list[WalletEvent] = []
    alice.on_event(events.append)
    return Told(alice, events)


async def idle(world: World, wallet: OpenWallet, later: int = 0) -> None:
    world.clock.advance(later)
    await wallet.monitor.run_until_idle()


async def proven_payment(world: World, alice: OpenWallet) -> tuple[str, int]:
    """A completed payment of alice's and its height, some blocks above its funding."""
    await world.fund(alice, 100_000)
    world.chain.mine(5)
    txid = (await alice.create_action(payment_to(NOWHERE, 1000)))["txid"]
    await idle(world, alice)
    height = world.chain.mine(1)[0].height
    await idle(world, alice)
    return txid, height


async def test_a_delayed_payment_from_creation_to_proof(world: World, alice: OpenWallet, told: Told) -> None:
    await world.fund(alice, 50_000)
    told.events.clear()
    world.clock.advance(MINUTE)
    txid = (await alice.create_action(payment_to(NOWHERE, 1000)))["txid"]
    [created] = told.events
    action = (await alice.list_actions({"labels": []}))["actions"][-1]
    assert (created.kind, created.txid, created.at) == ("created", txid, world.clock.now())
    assert (created.satoshis, created.status) == (action["satoshis"], action["status"])
    assert created.satoshis < -1000
    await idle(world, alice)
    height = world.chain.mine(1)[0].height
    await idle(world, alice)
    assert told.details("sent") == ["MockServices: acceptedSeen"]
    assert told.details("proven") == [f"height {height}"]
    assert {event.transaction_id for event in told.events} == {created.transaction_id}
    assert {event.reference for event in told.events} == {created.reference}
    assert told.of(txid) == ["created sending", "sent sending", "accepted unproven", "proven completed"]


async def test_an_immediate_payment_is_told_of_before_its_caller_is_answered(
    world: World, alice: OpenWallet, told: Told
) -> None:
    await world.fund(alice, 50_000)
    told.events.clear()
    txid = (await alice.create_action(payment_to(NOWHERE, 1000, delayed=False)))["txid"]
    assert told.of(txid) == ["created sending", "sent sending", "accepted unproven"]


async def test_an_outage_is_told_as_asked_and_not_taken(world: World, alice: OpenWallet, told: Told) -> None:
    await world.fund(alice, 50_000)
    world.services.faults.set("post_beef", Fault.UNAVAILABLE, times=1)
    told.events.clear()
    txid = (await alice.create_action(payment_to(NOWHERE, 1000)))["txid"]
    await idle(world, alice)
    assert told.details("sent") == ["MockServices: unavailable"]
    assert told.of(txid) == ["created sending", "sent sending"]
    await idle(world, alice, MINUTE)
    assert told.of(txid) == ["sent sending", "accepted unproven"]


@pytest.mark.parametrize(
    "error",
    [WERR_INVALID_PARAMETER("inputBEEF", "complete"), WERR_INVALID_OPERATION("stopped")],
    ids=["put off", "unfinished"],
)
async def test_a_payment_that_was_never_posted_is_not_told_as_sent(
    world: World, alice: OpenWallet, told: Told, error: Exception
) -> None:
    await world.fund(alice, 50_000)
    told.events.clear()

    def fail(point: Failpoint) -> None:
        if point is Failpoint.BROADCAST_BEFORE_POST:
            raise error

    with failpoints_armed(fail), pytest.raises(WERR_REVIEW_ACTIONS) as review:
        await alice.create_action(payment_to(NOWHERE, 1000, delayed=False))
    assert told.of(review.value.txid) == ["created sending"]


async def test_a_refused_payment_is_held_until_it_is_accepted(world: World, alice: OpenWallet, told: Told) -> None:
    await world.fund(alice, 50_000)
    told.events.clear()
    world.services.faults.set("post_beef", Fault.REJECTED, times=1)
    with pytest.raises(WERR_REVIEW_ACTIONS) as review:
        await alice.create_action(payment_to(NOWHERE, 1000, delayed=False))
    txid = review.value.txid
    assert told.details("sent") == ["MockServices: rejected"]
    assert all(told.details("held"))
    assert told.of(txid) == ["created sending", "sent sending", "held sending"]
    await idle(world, alice, MINUTE)
    assert told.of(txid) == ["sent sending", "accepted unproven"]


async def test_a_payment_that_was_refused_before_is_held_when_it_comes_in_again(
    world: World, alice: OpenWallet, told: Told
) -> None:
    payment = unmined_payment(world, alice, 5000)
    world.services.faults.set("post_beef", Fault.REJECTED, times=1)
    for expected in (["received sending", "sent sending", "held sending"], ["received sending", "held sending"]):
        with pytest.raises(WERR_REVIEW_ACTIONS):
            await alice.internalize_action(internalize_args(payment.beef))
        assert told.of(payment.view.txid) == expected


async def test_a_refused_payment_that_can_never_be_mined_fails(world: World, alice: OpenWallet, told: Told) -> None:
    await world.fund(alice, 50_000)
    told.events.clear()
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
    with pytest.raises(WERR_REVIEW_ACTIONS) as review:
        await alice.create_action(payment_to(NOWHERE, 1000, delayed=False))
    assert told.details("failed")[0].startswith("invalid: ")
    assert told.of(review.value.txid) == ["created sending", "sent sending", "failed failed"]


async def test_of_a_lost_payment_whose_coin_nobody_knows_about_the_coin_is_held(
    world: World, alice: OpenWallet, told: Told
) -> None:
    await world.fund(alice, 50_000)
    told.events.clear()
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
    world.services.faults.set("is_utxo", Fault.UNAVAILABLE, times=1)
    with pytest.raises(WERR_REVIEW_ACTIONS) as review:
        await alice.create_action(payment_to(NOWHERE, 1000, delayed=False))
    assert told.details("held") == ["inputs: 1 awaitingEvidence"]
    assert told.of(review.value.txid) == ["created sending", "sent sending", "failed failed", "held failed"]


async def shown(world: World, txid: str) -> bytes:
    """AtomicBEEF of a transaction as the network knows it now."""
    return Beef.parse(await world.services.get_beef_for_txid(txid)).to_atomic(txid)


def outspend(world: World, payment: Unmined) -> None:
    """The payer spends the coin of the payment another way, and that is mined."""
    coin, lock = payment.view.inputs[0], p2pkh.lock_to_public_key(PURSE_PUBLIC_KEY)
    outputs = [OutputSpec(49_990, lock)]
    unsigned = parse_transaction(build_transaction([InputSpec(coin.txid, coin.vout)], outputs))
    unlock = p2pkh.unlock(signature_hash(unsigned, 0, 50_000, lock), PURSE_KEY, PURSE_PUBLIC_KEY)
    world.chain.accept(parse_transaction(build_transaction([InputSpec(coin.txid, coin.vout, unlock)], outputs)))
    world.chain.mine()


async def test_a_double_spent_payment_is_received_and_fails(world: World, alice: OpenWallet, told: Told) -> None:
    payment = unmined_payment(world, alice, 5000)
    outspend(world, payment)
    with pytest.raises(WERR_REVIEW_ACTIONS):
        await alice.internalize_action(internalize_args(payment.beef))
    assert told.details("failed")[0].startswith("doubleSpend: ")
    assert told.of(payment.view.txid) == ["received sending", "sent sending", "failed failed"]


async def test_a_payment_that_fails_takes_along_what_was_built_on_it(
    world: World, alice: OpenWallet, told: Told
) -> None:
    await world.fund(alice, 50_000)
    told.events.clear()
    parent, child = [(await alice.create_action(payment_to(NOWHERE, 1000)))["txid"] for _ in range(2)]
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
    await idle(world, alice)
    failed = {event.txid: event.detail for event in told.events if event.kind == "failed"}
    assert list(failed) == [parent, child]
    assert failed[child] == f"it spends {parent}, which failed"
    assert told.of(child) == ["created sending", "failed failed"]


async def test_a_payment_that_came_back_from_the_dead_is_proven(world: World, alice: OpenWallet, told: Told) -> None:
    await world.fund(alice, 50_000)
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
    with pytest.raises(WERR_REVIEW_ACTIONS) as review:
        await alice.create_action(payment_to(NOWHERE, 1000, delayed=False))
    lost = Beef.parse(review.value.tx or b"").view(review.value.txid or "")
    assert lost is not None
    world.chain.accept(lost)
    world.chain.mine(1)
    told.events.clear()
    await idle(world, alice, 24 * HOUR)
    assert told.of(review.value.txid)[:2] == ["proven completed", "held completed"]


async def test_a_proof_in_doubt_and_the_block_that_proves_it_again(world: World, alice: OpenWallet, told: Told) -> None:
    txid, height = await proven_payment(world, alice)
    told.events.clear()
    orphaned = world.chain.header_at(height)
    assert orphaned is not None
    world.chain.reorg(height, 2, {txid: 1})
    await idle(world, alice)
    assert told.details("reorganised") == [f"block {orphaned.hash} at height {height} was orphaned"]
    assert told.details("proven") == [f"height {height + 1}"]
    assert told.of(txid) == ["reorganised completed", "proven completed"]


async def test_a_payment_that_a_reorganisation_lost_is_sent_again(world: World, alice: OpenWallet, told: Told) -> None:
    txid, height = await proven_payment(world, alice)
    told.events.clear()
    world.chain.reorg(height, 2)
    world.chain.evict(txid)
    await idle(world, alice)
    assert told.of(txid) == ["reorganised completed"]
    world.chain.mine(2)
    await idle(world, alice)
    world.chain.mine(1)
    await idle(world, alice, MINUTE)
    assert told.of(txid) == ["reorganised sending", "sent sending", "accepted unproven", "proven completed"]


async def test_a_block_that_changed_unnoticed_is_told_when_the_new_proof_comes_in(
    world: World, alice: OpenWallet, told: Told
) -> None:
    payment = unmined_payment(world, alice, 5000)
    txid = payment.view.txid
    world.chain.accept(payment.view)
    height = world.chain.mine(1)[0].height
    await alice.internalize_action(internalize_args(await shown(world, txid)))
    world.chain.reorg(height, 2, {txid: 1})
    told.events.clear()
    await alice.internalize_action(internalize_args(await shown(world, txid)))
    assert told.details("reorganised") == [f"proven at height {height + 1} instead"]
    assert told.of(txid) == ["reorganised completed", "received completed"]


async def test_a_payment_that_came_proven_is_received_once_and_its_coins_are_held_in_a_reorganisation(
    world: World, alice: OpenWallet, told: Told
) -> None:
    beef = mined_payment(world, alice, 5000)
    [txid] = [(await alice.internalize_action(internalize_args(beef)))["txid"]]
    [received] = told.events
    assert received.satoshis == 5000
    assert told.of(txid) == ["received completed"]
    tip = await world.services.get_height()
    world.chain.reorg(tip, 2, {})
    await idle(world, alice)
    assert told.of(txid)[:2] == ["reorganised completed", "held completed"]


async def test_a_payment_that_came_unproven_is_received_sent_accepted_and_proven(
    world: World, alice: OpenWallet, told: Told
) -> None:
    payment = unmined_payment(world, alice, 5000)
    await alice.internalize_action(internalize_args(payment.beef))
    world.chain.mine(1)
    await idle(world, alice)
    expected = ["received sending", "sent sending", "accepted unproven", "proven completed"]
    assert told.of(payment.view.txid) == expected


async def test_what_one_more_internalize_adds_is_received(world: World, alice: OpenWallet, told: Told) -> None:
    payment = unmined_payment(world, alice, 5000)
    args = internalize_args(payment.beef)
    await alice.internalize_action(args)
    told.events.clear()
    await alice.internalize_action(args)
    assert [(event.satoshis, event.detail) for event in told.events] == [(0, "merged")]
    assert told.of(payment.view.txid) == ["received unproven"]


async def test_an_action_that_is_signed_elsewhere_is_created_twice(world: World, alice: OpenWallet, told: Told) -> None:
    await world.fund(alice, 50_000)
    told.events.clear()
    scope = await alice.provider.find_user(alice.identity_key)
    remote = Wallet(KeyDeriver(key_of("alice")), TwoCommits(alice.provider.for_user(scope)), world.services)
    txid = (await remote.create_action(payment_to(NOWHERE, 1000)))["txid"]
    assert [event.detail for event in told.events] == ["to be signed", "signed"]
    assert len({(event.transaction_id, event.reference, event.satoshis) for event in told.events}) == 1
    assert [(event.txid, str(event.status)) for event in told.events] == [(None, "unsigned"), (txid, "sending")]


async def test_an_action_that_nobody_signs_fails(world: World, alice: OpenWallet, told: Told) -> None:
    await world.fund(alice, 50_000)
    told.events.clear()
    storage = alice.provider.for_user(await alice.provider.find_user(alice.identity_key))
    await storage.create_action(validate_create_action(payment_to(NOWHERE, 1000)))
    await idle(world, alice, HOUR)
    assert told.of(None) == ["created unsigned", "failed failed"]


async def test_what_is_rolled_back_is_not_told(world: World, alice: OpenWallet, told: Told) -> None:
    await world.fund(alice, 50_000)
    told.events.clear()

    def fail(point: Failpoint) -> None:
        if point is Failpoint.CREATE_BEFORE_COMMIT:
            raise WERR_INVALID_OPERATION("no commit")

    with failpoints_armed(fail), pytest.raises(WERR_INVALID_OPERATION, match="no commit"):
        await alice.create_action(payment_to(NOWHERE, 1000))
    with pytest.raises(WERR_INSUFFICIENT_FUNDS):
        await alice.create_action(payment_to(NOWHERE, 10**9))
    assert told.events == []


async def test_a_payment_made_once_with_a_key_is_told_once(world: World, alice: OpenWallet, told: Told) -> None:
    await world.fund(alice, 50_000)
    told.events.clear()
    for _ in range(3):
        txid = (await alice.create_action(payment_to(NOWHERE, 1000), idempotency_key="rent"))["txid"]
    assert told.of(txid) == ["created sending"]


async def test_events_of_many_callers_come_in_the_order_of_the_file(
    world: World, alice: OpenWallet, told: Told
) -> None:
    await world.fund(alice, 5_000, count=30)
    told.events.clear()
    async with alice.events() as stream:
        done = await asyncio.gather(*(alice.create_action(payment_to(NOWHERE, 1000)) for _ in range(20)))
        created = [await anext(stream) for _ in range(20)]
    assert created == told.events
    assert [event.transaction_id for event in created] == sorted({event.transaction_id for event in created})
    assert {event.txid for event in created} == {each["txid"] for each in done}


async def test_each_of_two_users_of_one_store_is_told_of_a_shared_transaction(
    world: World, alice: OpenWallet, told: Told
) -> None:
    """Both took outputs of it in: what the network does to it happens to both."""
    provider = alice.provider
    bob = await provider.find_or_insert_user(KeyDeriver(key_of("bob")).identity_key)
    bobs: list[WalletEvent] = []
    provider.events.on_event(bob.user_id, bobs.append)
    await world.fund(alice, 50_000)
    assert bobs == []
    told.events.clear()
    payment = unmined_payment(world, alice, 5000)
    other = Wallet(KeyDeriver(key_of("bob")), provider.for_user(bob), world.services)
    await alice.internalize_action(internalize_args(payment.beef))
    await other.internalize_action(
        internalize_args(
            payment.beef,
            {"outputIndex": 1, "protocol": "basket insertion", "insertionRemittance": {"basket": "shared"}},
        )
    )
    world.chain.mine(1)
    await idle(world, alice)
    assert {event.user_id for event in bobs} == {bob.user_id}
    assert [f"{event.kind} {event.status}" for event in bobs] == ["received unproven", "proven completed"]
    assert told.of(payment.view.txid) == [
        "received sending",
        "sent sending",
        "accepted unproven",
        "proven completed",
    ]


async def test_a_callback_that_raises_disturbs_no_payment(
    world: World, alice: OpenWallet, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: WalletEvent) -> None:
        raise ValueError("not today")

    unsubscribe = alice.on_event(fail)
    txid = await world.fund(alice, 50_000)
    assert f"a callback failed at the event received of {txid}" in caplog.text
    caplog.clear()
    unsubscribe()
    await alice.create_action(payment_to(NOWHERE, 1000))
    assert caplog.text == ""
    assert [str(event.kind) for event in told.events] == ["received", "created"]


async def test_closing_the_wallet_ends_its_streams_after_the_last_event(world: World) -> None:
    heard: list[str] = []

    async def follow(events: AsyncIterator[WalletEvent]) -> None:
        heard.extend([str(event.kind) async for event in events])

    async with world.wallet("bob") as bob:
        stream = bob.events()
        await stream.__aenter__()
        follower = asyncio.create_task(follow(stream))
        await world.fund(bob, 50_000)
        await bob.create_action(payment_to(NOWHERE, 1000))
    await follower
    assert heard == ["received", "created"]
    with pytest.raises(WERR_INVALID_OPERATION, match="The wallet is closed"):
        bob.on_event(print)
