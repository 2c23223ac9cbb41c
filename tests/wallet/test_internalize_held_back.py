"""What was made with noSend and comes back from outside: others have it, so it is held back no longer."""

from __future__ import annotations

from typing import Any

import pytest

from bsv_wallet_toolbox.brc100.actions import validate_internalize_action
from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import InputSpec, OutputSpec, build_transaction, parse_transaction
from caller_coins import CALLER_LOCK, Coin, output
from incoming_payments import PREFIX, SUFFIX, insertion_entry, internalize_args, payment_entry
from wallet_file import rows, state_of
from wallet_world import FUNDER, World

pytestmark = pytest.mark.anyio


async def hold_back(alice: OpenWallet, satoshis: int = 1_000, **options: Any) -> Any:
    """An action with noSend, whose output 0 is the caller's."""
    args: Any = {
        "description": "held back",
        "outputs": [output(CALLER_LOCK.hex(), satoshis)],
        "options": {"noSend": True, "randomizeOutputs": False, **options},
    }
    return await alice.create_action(args)


def child_of(made: Any, alice: OpenWallet, satoshis: int = 1_000) -> tuple[str, bytes]:
    """A transaction of the caller's that pays output 0 of an action to alice: its txid and AtomicBEEF."""
    lock = brc29.lock_to(FUNDER, alice.identity_key, PREFIX, SUFFIX)
    coin = Coin(made["txid"], 0, satoshis, b"")
    outputs = [OutputSpec(satoshis - 10, lock)]
    unlock = coin.unlock(parse_transaction(build_transaction([InputSpec(coin.txid, 0)], outputs)))
    beef = Beef.parse(made["tx"])
    child = beef.merge_transaction(build_transaction([InputSpec(coin.txid, 0, unlock)], outputs))
    return child, beef.to_atomic(child)


def status(world: World, txid: str) -> str:
    return state_of(world.path("alice"), txid)[0]


async def mine_and_watch(world: World, alice: OpenWallet) -> None:
    await alice.monitor.run_until_idle()
    world.chain.mine()
    world.clock.advance(60_000)
    await alice.monitor.run_until_idle()


async def test_itself_goes_out(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    made = await hold_back(alice)
    entry = insertion_entry(0, "kept")
    await alice.internalize_action(internalize_args(made["tx"], entry))
    assert state_of(world.path("alice"), made["txid"]) == ("unproven", "unmined", 0)
    assert world.chain.confirmations(made["txid"]) == 0


async def test_in_an_outage_it_goes_out_later(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    made = await hold_back(alice)
    world.services.faults.set("post_beef", Fault.UNAVAILABLE, times=1)
    await alice.internalize_action(internalize_args(made["tx"], insertion_entry(0, "kept")))
    assert status(world, made["txid"]) == "sending"
    world.clock.advance(60_000)
    await alice.monitor.run_until_idle()
    assert status(world, made["txid"]) == "unproven"


async def test_with_its_proof_it_is_complete(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    made = await hold_back(alice)
    await world.services.post_beef(made["tx"], [made["txid"]])
    world.chain.mine()
    proven = world.chain.beef_of(made["txid"]).to_atomic(made["txid"])
    await alice.internalize_action(internalize_args(proven, insertion_entry(0, "kept")))
    assert state_of(world.path("alice"), made["txid"])[:2] == ("completed", "completed")
    assert await alice.balance() == 3_999


async def test_what_a_payment_spends_of_it_goes_out_with_the_payment(world: World, alice: OpenWallet) -> None:
    """Its change would never be spendable otherwise: nobody would look for its proof."""
    await world.fund(alice, 5_000)
    made = await hold_back(alice)
    child, beef = child_of(made, alice)
    await alice.internalize_action(internalize_args(beef))
    assert status(world, made["txid"]) != "nosend"
    await mine_and_watch(world, alice)
    assert (status(world, made["txid"]), status(world, child)) == ("completed", "completed")
    with pytest.raises(WERR_INVALID_PARAMETER):
        await alice.abort_action({"reference": made["txid"]})


async def test_what_that_builds_on_goes_out_too(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    first = await hold_back(alice)
    second = await hold_back(alice, noSendChange=first["noSendChange"])
    _, beef = child_of(second, alice)
    await alice.internalize_action(internalize_args(beef))
    await mine_and_watch(world, alice)
    assert {status(world, each["txid"]) for each in (first, second)} == {"completed"}


async def test_a_mined_payment_takes_it_out_as_well(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    first = await hold_back(alice)
    second = await hold_back(alice, noSendChange=first["noSendChange"])
    child, beef = child_of(second, alice)
    await world.services.post_beef(beef, [child])
    world.chain.mine()
    await alice.internalize_action(internalize_args(world.chain.beef_of(child).to_atomic(child)))
    await mine_and_watch(world, alice)
    assert {status(world, each["txid"]) for each in (first, second)} == {"completed"}


async def test_another_user_of_the_store_takes_it_out_with_what_it_builds_on(world: World, alice: OpenWallet) -> None:
    """Whoever has a transaction has its ancestors. Its maker sees where they are."""
    await world.fund(alice, 5_000)
    first = await hold_back(alice)
    second = await hold_back(alice, noSendChange=first["noSendChange"])
    bob = alice.provider.for_user(await alice.provider.find_or_insert_user(FUNDER.identity_key))
    args = validate_internalize_action(internalize_args(second["tx"], insertion_entry(0, "given")), None)
    await bob.internalize_action(args, await bob.verify_incoming(second["tx"]))
    await alice.monitor.run_until_idle()
    listed = await alice.list_actions({"labels": [], "limit": 10})
    known = {each["txid"]: each["status"] for each in listed["actions"]}
    assert (known[first["txid"]], known[second["txid"]]) == ("unproven", "unproven")


async def test_an_action_the_network_has_takes_out_what_it_builds_on(world: World, alice: OpenWallet) -> None:
    """The attempt to give it up is what tells."""
    await world.fund(alice, 5_000)
    first = await hold_back(alice)
    second = await hold_back(alice, noSendChange=first["noSendChange"])
    await world.services.post_beef(second["tx"], [second["txid"]])
    with pytest.raises(WERR_INVALID_OPERATION, match="The network has this action already"):
        await alice.abort_action({"reference": second["txid"]})
    await mine_and_watch(world, alice)
    assert {status(world, each["txid"]) for each in (first, second)} == {"completed"}


async def test_its_change_as_a_payment_gains_nothing(world: World, alice: OpenWallet) -> None:
    """Merging takes it out and counts no satoshi twice."""
    await world.fund(alice, 5_000)
    made = await hold_back(alice)
    balance = await alice.balance()
    path = world.path("alice")
    ((vout, prefix, suffix),) = rows(
        path,
        "SELECT vout, derivationPrefix, derivationSuffix FROM outputs WHERE txid = ? AND change = 1 LIMIT 1",
        made["txid"],
    )
    entry = payment_entry(vout)
    entry["paymentRemittance"] = {
        "derivationPrefix": prefix,
        "derivationSuffix": suffix,
        "senderIdentityKey": alice.identity_key,
    }
    result: Any = await alice.internalize_action(internalize_args(made["tx"], entry))
    assert (result["isMerge"], result["satoshis"]) == (True, 0)
    assert await alice.balance() == balance
