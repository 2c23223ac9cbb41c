"""Payments, incoming and outgoing, that a provider refuses: nothing is counted, freed or lost before the evidence."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.interfaces.services import PostAnswer, PostOutcome, UtxoStatus
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.mockchain import Fault, MockServices
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from bsv_wallet_toolbox.templates import brc29, p2pkh
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
    signature_hash,
)
from incoming_payments import (
    PREFIX,
    PURSE_KEY,
    PURSE_PUBLIC_KEY,
    SUFFIX,
    Unmined,
    internalize_args,
    payment_entry,
    spend_purse,
    unmined_payment,
)
from wallet_file import rows, state_of
from wallet_world import FUNDER, NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

MINUTE = 60_000
PURSE = 50_000
PURSE_LOCK = p2pkh.lock_to_public_key(PURSE_PUBLIC_KEY)


class OneMoreProvider(MockServices):
    """Two providers: that of the chain, and one that is always down."""

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        silent = [PostAnswer("silent", txid, PostOutcome.UNAVAILABLE) for txid in txids]
        return [*await super().post_beef(beef, txids), *silent]


class LaggingIndex(MockServices):
    """An index that has seen no spending yet."""

    async def is_utxo(self, txid: str, vout: int, locking_script: bytes) -> UtxoStatus:
        await super().is_utxo(txid, vout, locking_script)
        return UtxoStatus.UNSPENT


def spend(spent: InputSpec, outputs: list[OutputSpec], lock_time: int = 0) -> TransactionView:
    """Sign for a coin of the payer's purse."""
    unsigned = parse_transaction(build_transaction([spent], outputs, lock_time=lock_time))
    unlock = p2pkh.unlock(signature_hash(unsigned, 0, PURSE, PURSE_LOCK), PURSE_KEY, PURSE_PUBLIC_KEY)
    signed = InputSpec(spent.txid, spent.vout, unlock, spent.sequence)
    return parse_transaction(build_transaction([signed], outputs, lock_time=lock_time))


def replaceable_payment(world: World, wallet: OpenWallet, lock_time: int) -> Unmined:
    """A payment that its payer may replace until ``lock_time`` has passed."""
    source = world.services.fund(PURSE_LOCK, PURSE)
    lock = brc29.lock_to(FUNDER, wallet.identity_key, PREFIX, SUFFIX)
    view = spend(InputSpec(source.txid, source.vout, sequence=0), [OutputSpec(5000, lock)], lock_time)
    beef = Beef.parse(source.beef)
    beef.merge_transaction(view)
    return Unmined(view, beef.to_atomic(view.txid))


async def refused(wallet: OpenWallet, payment: bytes) -> WERR_REVIEW_ACTIONS:
    with pytest.raises(WERR_REVIEW_ACTIONS) as told:
        await wallet.internalize_action(internalize_args(payment), idempotency_key="invoice")
    return told.value


async def test_asking_again_about_a_lost_payment_tells_that_it_is_lost(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 5000)
    coin = payment.view.inputs[0]
    world.chain.accept(spend(InputSpec(coin.txid, coin.vout), [OutputSpec(PURSE - 10, PURSE_LOCK)]))
    world.chain.mine()
    txid = payment.view.txid
    for _ in range(2):
        told = await refused(alice, payment.beef)
        assert (told.txid, told.send_with_results) == (txid, [{"txid": txid, "status": "failed"}])
        assert state_of(world.path("alice"), txid)[:2] == ("failed", "doubleSpend")
        assert await alice.balance() == 0


async def test_a_payment_that_was_lost_later_is_told_when_asked_again(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 5000)
    world.services.faults.set("post_beef", Fault.UNAVAILABLE)
    args = internalize_args(payment.beef)
    assert (await alice.internalize_action(args, idempotency_key="invoice"))["accepted"]
    world.services.faults.clear()
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW)
    world.clock.advance(MINUTE)
    await alice.monitor.run_until_idle()
    assert (await refused(alice, payment.beef)).txid == payment.view.txid
    assert await alice.balance() == 0


async def test_what_every_provider_refuses_is_held_until_one_accepts_it(world: World, alice: OpenWallet) -> None:
    payment, path = unmined_payment(world, alice, 5000), world.path("alice")
    txid = payment.view.txid
    world.services.faults.set("post_beef", Fault.REJECTED)
    told = await refused(alice, payment.beef)
    assert (told.txid, told.send_with_results) == (txid, [{"txid": txid, "status": "sending"}])
    assert state_of(path, txid)[:2] == ("sending", "unsent")
    assert rows(path, "SELECT spendable FROM outputs") == [0]
    assert rows(path, "SELECT reason FROM bwt_holds") == ["refused"]
    assert await alice.balance() == 0

    world.services.faults.clear()
    world.clock.advance(MINUTE)
    await alice.monitor.run_until_idle()
    assert state_of(path, txid)[:2] == ("unproven", "unmined")
    assert rows(path, "SELECT count(*) FROM bwt_holds") == [0]
    assert await alice.balance() == 5000


async def test_a_payment_that_can_still_be_replaced_is_refused(world: World, alice: OpenWallet) -> None:
    payment = replaceable_payment(world, alice, lock_time=4_000_000_000)
    with pytest.raises(WERR_INVALID_PARAMETER) as told:
        await alice.internalize_action(internalize_args(payment.beef))
    assert told.value.parameter == "tx"
    assert rows(world.path("alice"), "SELECT count(*) FROM transactions") == [0]


async def test_a_payment_whose_lock_time_has_passed_is_taken_in(world: World, alice: OpenWallet) -> None:
    payment = replaceable_payment(world, alice, lock_time=world.chain.height)
    world.chain.mine(2)
    assert (await alice.internalize_action(internalize_args(payment.beef)))["accepted"]
    assert await alice.balance() == 5000


async def test_a_failed_incoming_payment_comes_back_with_its_proof(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 5000)
    txid = payment.view.txid
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW)
    assert (await refused(alice, payment.beef)).send_with_results == [{"txid": txid, "status": "failed"}]
    world.chain.accept(payment.view)
    world.chain.mine()
    proven = world.chain.beef_of(txid).to_atomic(txid)
    assert (await alice.internalize_action(internalize_args(proven)))["accepted"]
    assert state_of(world.path("alice"), txid)[:2] == ("completed", "completed")
    await alice.monitor.run_until_idle()
    assert await alice.balance() == 5000


async def test_a_refusal_is_no_verdict_while_another_provider_did_not_answer(world: World) -> None:
    world.services = OneMoreProvider(world.chain)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        world.services.faults.set("post_beef", Fault.FEE_TOO_LOW)
        with pytest.raises(WERR_REVIEW_ACTIONS) as told:
            await alice.create_action(payment_to(NOWHERE, 1000, delayed=False))
        txid, path = str(told.value.txid), world.path("alice")
        assert state_of(path, txid)[:2] == ("sending", "unsent")
        assert rows(path, "SELECT spendable, spentBy FROM outputs WHERE transactionId = 1") == [(0, 2)]
        world.services.faults.clear()
        world.clock.advance(MINUTE)
        await alice.monitor.run_until_idle()
        assert state_of(path, txid)[:2] == ("unproven", "unmined")
    world.assert_sound("alice")


async def test_a_contested_input_stays_spent_whatever_the_index_says(world: World) -> None:
    world.services = LaggingIndex(world.chain)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1000)
    shutil.copy(world.path("alice"), world.path("copy"))
    async with open_wallet(
        world.path("copy"), StaticKey(key_of("alice")), world.services, monitor=False, clock=world.clock
    ) as copy:
        await copy.create_action(payment_to(NOWHERE, 900, delayed=False))
    world.chain.mine()
    async with world.wallet("alice") as alice:
        await world.fund(alice, 500)
        with pytest.raises(WERR_REVIEW_ACTIONS):
            await alice.create_action(payment_to(NOWHERE, 1200, delayed=False))  # takes both coins
        path = world.path("alice")
        inputs = "SELECT satoshis, spendable, spentBy FROM outputs WHERE transactionId < 3 ORDER BY satoshis"
        assert rows(path, inputs) == [(500, 1, None), (1000, 0, 3)]
        world.clock.advance(24 * 60 * MINUTE)
        await alice.monitor.run_until_idle()
        assert rows(path, inputs) == [(500, 1, None), (1000, 0, 3)]
        assert await alice.balance() == 500


async def test_asking_again_about_a_refused_payment_does_not_say_accepted(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 5000)
    world.services.faults.set("post_beef", Fault.REJECTED)
    for key in ("a key", "a key", None):
        with pytest.raises(WERR_REVIEW_ACTIONS) as told:
            await alice.internalize_action(internalize_args(payment.beef), idempotency_key=key)
        assert told.value.send_with_results == [{"txid": payment.view.txid, "status": "sending"}]
    world.services.faults.clear()
    world.clock.advance(MINUTE)
    await alice.monitor.run_until_idle()
    await alice.internalize_action(internalize_args(payment.beef), idempotency_key="a key")
    assert await alice.balance() == 5000


async def test_another_output_of_a_refused_payment_is_held_too(world: World, alice: OpenWallet) -> None:
    suffixes = ("b25l", "dHdv")
    locks = [brc29.lock_to(FUNDER, alice.identity_key, PREFIX, suffix) for suffix in suffixes]
    payment = spend_purse(world, [OutputSpec(1000, locks[0]), OutputSpec(2000, locks[1])])
    world.services.faults.set("post_beef", Fault.REJECTED)
    for vout, suffix in enumerate(suffixes):
        with pytest.raises(WERR_REVIEW_ACTIONS):
            await alice.internalize_action(internalize_args(payment.beef, payment_entry(vout, suffix)))
    assert await alice.balance() == 0
    world.services.faults.clear()
    world.clock.advance(MINUTE)
    await alice.monitor.run_until_idle()
    assert await alice.balance() == 3000
