"""abortAction: what may be given up, by whom, on whose word, and what becomes of its coins."""

from __future__ import annotations

import asyncio
from typing import Any

import apsw
import pytest

from bsv_wallet_toolbox.brc100.create_action import validate_create_action
from bsv_wallet_toolbox.errors import WERR_BROADCAST_UNAVAILABLE, WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from caller_coins import CALLER_LOCK, caller_coin, output, spends_of, two_step
from incoming_payments import internalize_args, mined_payment
from wallet_file import coins_of, row_counts, rows, state_of
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

NOT_ABORTABLE = (
    "The reference parameter must be an inprocess, outgoing action that has not been signed and shared to the network."
)


async def hold_back(alice: OpenWallet, originator: str | None = None, **options: Any) -> Any:
    args: Any = payment_to(NOWHERE, 100) | {"options": {"noSend": True, **options}}
    return await alice.create_action(args, originator)


def reference_of(world: World, txid: str) -> str:
    (reference,) = rows(world.path("alice"), "SELECT reference FROM transactions WHERE txid = ?", txid)
    return str(reference)


async def refused(alice: OpenWallet, reference: str, originator: str | None = None) -> str:
    with pytest.raises(WERR_INVALID_PARAMETER) as error:
        await alice.abort_action({"reference": reference}, originator)
    assert error.value.parameter == "reference"
    return error.value.message


async def test_an_unsigned_action_gives_everything_back(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    coins = coins_of(world.path("alice"))
    signable, coin = await two_step(world, alice, caller_coin(world, 300))
    assert await alice.balance() == 0
    assert await alice.abort_action({"reference": signable["reference"]}) == {"aborted": True}
    assert coins <= coins_of(world.path("alice"))
    assert await alice.balance() == 5_000
    assert rows(world.path("alice"), "SELECT status FROM transactions WHERE isOutgoing") == ["failed"]
    assert rows(world.path("alice"), "SELECT count(*) FROM bwt_pending") == [0]
    assert world.services.calls["get_status_for_txids"] == 0
    with pytest.raises(WERR_INVALID_OPERATION):
        await alice.sign_action({"reference": signable["reference"], "spends": spends_of(signable, coin)})
    assert await refused(alice, signable["reference"]) == NOT_ABORTABLE


async def test_after_a_restart_too(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 5_000)
        signable, _ = await two_step(world, alice, caller_coin(world, 300))
    async with world.wallet("alice") as alice:
        await alice.abort_action({"reference": signable["reference"]})
        assert await alice.balance() == 5_000
    world.assert_sound()


@pytest.mark.parametrize("by", ["reference", "txid", "upper case txid"])
async def test_a_held_back_action_gives_everything_back(world: World, alice: OpenWallet, by: str) -> None:
    await world.fund(alice, 5_000)
    coins = coins_of(world.path("alice"))
    txid = (await hold_back(alice))["txid"]
    handle = {"reference": reference_of(world, txid), "txid": txid, "upper case txid": txid.upper()}[by]
    assert await alice.abort_action({"reference": handle}) == {"aborted": True}
    assert state_of(world.path("alice"), txid)[:2] == ("failed", "invalid")
    assert coins <= coins_of(world.path("alice"))
    assert await alice.balance() == 5_000
    assert rows(world.path("alice"), "SELECT count(*) FROM bwt_jobs") == [0]
    assert rows(world.path("alice"), "SELECT spendable FROM outputs WHERE txid = ? AND spendable", txid) == []
    await alice.create_action(payment_to(NOWHERE, 4_000, delayed=False))
    assert await refused(alice, txid) == NOT_ABORTABLE


@pytest.mark.parametrize("status", ["sending", "unproven", "completed", "failed", "incoming", "unknown"])
async def test_in_any_other_state_it_is_refused(world: World, alice: OpenWallet, status: str) -> None:
    await world.fund(alice, 5_000)
    if status == "incoming":
        await alice.internalize_action(internalize_args(mined_payment(world, alice, 500)))
        (txid,) = rows(world.path("alice"), "SELECT txid FROM transactions WHERE satoshis = 500")
    elif status == "unknown":
        txid = "ab" * 32
    else:
        if status == "failed":
            world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
        txid = (await alice.create_action(payment_to(NOWHERE, 100)))["txid"]
        if status != "sending":
            await alice.monitor.run_until_idle()
        if status == "completed":
            world.chain.mine()
            await alice.monitor.run_until_idle()
        assert state_of(world.path("alice"), txid)[0] == status
    before = (row_counts(world.path("alice")), coins_of(world.path("alice")))
    handles = [txid] if status == "unknown" else [txid, reference_of(world, txid)]
    for handle in handles:
        assert await refused(alice, handle) == NOT_ABORTABLE
    assert (row_counts(world.path("alice")), coins_of(world.path("alice"))) == before


async def test_an_unprocessed_action_of_a_peer_that_was_never_signed(world: World) -> None:
    """A file that another toolbox wrote may hold one."""
    async with world.wallet("alice") as alice:
        await world.fund(alice, 5_000)
        storage = alice.provider.for_user(await alice.provider.find_user(alice.identity_key))
        reference = (await storage.create_action(validate_create_action(payment_to(NOWHERE, 100)))).reference
    with apsw.Connection(str(world.path("alice"))) as db:
        db.execute("UPDATE transactions SET status = 'unprocessed' WHERE reference = ?", (reference,))
    async with world.wallet("alice") as alice:
        await alice.abort_action({"reference": reference})
        assert await alice.balance() == 5_000
    world.assert_sound()


@pytest.mark.parametrize("mined", [False, True])
async def test_what_the_network_has_is_not_given_up(world: World, alice: OpenWallet, mined: bool) -> None:
    """Whoever was handed it has sent it. That is written down."""
    await world.fund(alice, 5_000)
    made = await hold_back(alice)
    await world.services.post_beef(made["tx"], [made["txid"]])
    if mined:
        world.chain.mine()
    with pytest.raises(WERR_INVALID_OPERATION, match="The network has this action already"):
        await alice.abort_action({"reference": made["txid"]})
    assert state_of(world.path("alice"), made["txid"]) == ("unproven", "unmined", 0)
    await alice.monitor.run_until_idle()
    assert state_of(world.path("alice"), made["txid"])[0] == ("completed" if mined else "unproven")


async def test_an_outage_is_no_answer(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    made = await hold_back(alice)
    before = (row_counts(world.path("alice")), coins_of(world.path("alice")))
    world.services.faults.set("get_status_for_txids", Fault.UNAVAILABLE, times=1)
    with pytest.raises(WERR_BROADCAST_UNAVAILABLE):
        await alice.abort_action({"reference": made["txid"]})
    assert (row_counts(world.path("alice")), coins_of(world.path("alice"))) == before
    await alice.abort_action({"reference": made["txid"]})


async def test_coins_nobody_answers_for_are_held_until_somebody_does(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    made = await hold_back(alice)
    for method in ("get_utxo_status", "is_utxo", "get_script_hash_history"):
        world.services.faults.set(method, Fault.UNAVAILABLE)
    await alice.abort_action({"reference": made["txid"]})
    assert await alice.balance() == 0
    world.services.faults.clear()
    world.clock.advance(24 * 60 * 60 * 1000)
    await alice.monitor.run_until_idle()
    assert await alice.balance() == 5_000


async def test_what_another_action_builds_on_is_given_up_after_it(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    first = await hold_back(alice)
    second = await hold_back(alice, noSendChange=first["noSendChange"])
    with pytest.raises(WERR_INVALID_OPERATION) as error:
        await alice.abort_action({"reference": first["txid"]})
    assert reference_of(world, second["txid"]) in error.value.message
    await alice.abort_action({"reference": second["txid"]})
    third: Any = {
        "description": "to be signed",
        "outputs": [output(CALLER_LOCK.hex(), 50)],
        "options": {"noSend": True, "noSendChange": first["noSendChange"], "signAndProcess": False},
    }
    signable = (await alice.create_action(third))["signableTransaction"]
    with pytest.raises(WERR_INVALID_OPERATION):
        await alice.abort_action({"reference": first["txid"]})
    await alice.abort_action({"reference": signable["reference"]})
    await alice.abort_action({"reference": first["txid"]})
    assert await alice.balance() == 5_000


async def test_another_apps_action_is_unknown(world: World, alice: OpenWallet) -> None:
    """The owner may give up anything, an app what it made itself."""
    await world.fund(alice, 5_000, count=3)
    of_a = await hold_back(alice, "a.example")
    of_owner = await hold_back(alice)
    signable, _ = await two_step(world, alice, caller_coin(world, 2_000))
    before = row_counts(world.path("alice"))
    for handle in (of_a["txid"], reference_of(world, of_a["txid"]), of_owner["txid"], signable["reference"]):
        assert await refused(alice, handle, "b.example") == NOT_ABORTABLE
    assert row_counts(world.path("alice")) == before
    await alice.abort_action({"reference": of_a["txid"]}, "a.example")
    another = await hold_back(alice, "a.example")
    await alice.abort_action({"reference": another["txid"]})


async def test_it_is_given_up_once(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    made = await hold_back(alice)
    answers = await asyncio.gather(
        *(alice.abort_action({"reference": made["txid"]}) for _ in range(8)), return_exceptions=True
    )
    assert [each for each in answers if isinstance(each, dict)] == [{"aborted": True}]
    assert sum(isinstance(each, WERR_INVALID_PARAMETER) for each in answers) == 7
    assert await alice.balance() == 5_000


async def test_aborting_and_sending_at_once_one_of_them_wins(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    made = await hold_back(alice)
    send: Any = {"description": "send it", "options": {"sendWith": [made["txid"]], "acceptDelayedBroadcast": False}}
    aborted, sent = await asyncio.gather(
        alice.abort_action({"reference": made["txid"]}), alice.create_action(send), return_exceptions=True
    )
    status = state_of(world.path("alice"), made["txid"])[0]
    if status == "failed":
        assert isinstance(aborted, dict)
        assert world.chain.confirmations(made["txid"]) is None
    else:
        assert (status, isinstance(aborted, dict)) == ("unproven", False)
        assert isinstance(sent, dict)
