"""A transaction that one user of a store brings when another user of it has the same one."""

from __future__ import annotations

from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.wallet.wallet import Wallet
from caller_coins import caller_coin, output, spending, spends_of, whole_transaction
from wallet_file import rows
from wallet_world import World, key_of

pytestmark = pytest.mark.anyio


async def another_user(alice: OpenWallet, name: str = "bob") -> Wallet:
    """A wallet of somebody else in alice's store."""
    deriver = KeyDeriver(key_of(name))
    scope = await alice.provider.find_or_insert_user(deriver.identity_key)
    return Wallet(deriver, alice.provider.for_user(scope), alice.provider.services)


def signed_together(world: World, **options: Any) -> Any:
    """createAction arguments of a transaction that is signed already; several people may have it."""
    args = whole_transaction(caller_coin(world, 5_000), [output("51", 4_990, basket="shared")])
    return args | {"options": options}


def statuses(world: World) -> list[tuple[int, str, bool]]:
    """User, status, and whether a proof is named."""
    return rows(world.path("alice"), "SELECT userId, status, provenTxId IS NOT NULL FROM transactions ORDER BY userId")


@pytest.mark.parametrize("hold_back", [False, True])
@pytest.mark.parametrize(("mined", "status"), [(False, "unproven"), (True, "completed")])
async def test_it_is_where_the_network_has_it(
    world: World, alice: OpenWallet, mined: bool, status: str, hold_back: bool
) -> None:
    bob = await another_user(alice)
    args = signed_together(world, acceptDelayedBroadcast=False)
    await alice.create_action(args)
    if mined:
        world.chain.mine()
        await alice.monitor.run_until_idle()
    posts = world.services.calls["post_beef"]
    made = await bob.create_action(args | {"options": {"acceptDelayedBroadcast": False, "noSend": hold_back}})
    expected = [] if hold_back else [{"txid": made["txid"], "status": "unproven"}]
    assert made["sendWithResults"] == expected
    assert statuses(world) == [(1, status, mined), (2, status, mined)]
    assert world.services.calls["post_beef"] == posts


async def test_it_is_held_back_as_long_as_both_hold_it_back(world: World, alice: OpenWallet) -> None:
    bob = await another_user(alice)
    args = signed_together(world, noSend=True)
    made = await alice.create_action(args)
    await bob.create_action(args)
    assert statuses(world) == [(1, "nosend", False), (2, "nosend", False)]
    send: Any = {"description": "send it", "options": {"sendWith": [made["txid"]], "acceptDelayedBroadcast": False}}
    assert (await bob.create_action(send))["sendWithResults"] == [{"txid": made["txid"], "status": "unproven"}]
    assert statuses(world) == [(1, "unproven", False), (2, "unproven", False)]


async def test_it_is_sent_when_one_of_them_does_not_hold_it_back(world: World, alice: OpenWallet) -> None:
    bob = await another_user(alice)
    args = signed_together(world, noSend=True)
    made = await alice.create_action(args)
    await bob.create_action(args | {"options": {"acceptDelayedBroadcast": False}})
    assert statuses(world) == [(1, "unproven", False), (2, "unproven", False)]
    assert world.chain.confirmations(made["txid"]) == 0


async def test_one_of_them_gives_it_up_and_the_other_sends_it(world: World, alice: OpenWallet) -> None:
    bob = await another_user(alice)
    args = signed_together(world, noSend=True)
    made = await alice.create_action(args)
    await bob.create_action(args)
    await alice.abort_action({"reference": made["txid"]})
    assert statuses(world) == [(1, "failed", False), (2, "nosend", False)]
    with pytest.raises(WERR_INVALID_OPERATION):
        await alice.create_action(args)
    send: Any = {"description": "send it", "options": {"sendWith": [made["txid"]], "acceptDelayedBroadcast": False}}
    await bob.create_action(send)
    world.chain.mine()
    await alice.monitor.run_until_idle()
    assert statuses(world) == [(1, "completed", True), (2, "completed", True)]


async def test_what_was_given_up_is_not_made_again(world: World, alice: OpenWallet) -> None:
    """Its req has ended: a new row beside it would wait for ever."""
    args = signed_together(world, noSend=True)
    made = await alice.create_action(args)
    await alice.abort_action({"reference": made["txid"]})
    for options in ({"noSend": True}, {"acceptDelayedBroadcast": False}):
        with pytest.raises(WERR_INVALID_OPERATION) as refused:
            await alice.create_action(args | {"options": options})
        assert made["txid"] in refused.value.message
    assert statuses(world) == [(1, "failed", False)]


async def test_what_can_not_be_mined_is_not_made_again(world: World, alice: OpenWallet) -> None:
    bob = await another_user(alice)
    args = signed_together(world)
    made = await alice.create_action(args)
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
    await alice.monitor.run_until_idle()
    with pytest.raises(WERR_INVALID_OPERATION) as refused:
        await bob.create_action(args)
    assert made["txid"] in refused.value.message
    assert statuses(world) == [(1, "failed", False)]


async def test_signed_in_two_steps_it_is_held_back_as_long_as_both_hold_it_back(
    world: World, alice: OpenWallet
) -> None:
    """Without coins of their own nothing is added, so that both sign the same transaction."""
    bob = await another_user(alice)
    coin = caller_coin(world, 1_001)
    args: Any = spending(coin, outputs=[output("51", 1_000)], options={"noSend": True})
    txids = []
    for wallet in (alice, bob):
        signable: Any = (await wallet.create_action(args))["signableTransaction"]
        signing: Any = {"reference": signable["reference"], "spends": spends_of(signable, coin)}
        txids.append((await wallet.sign_action(signing))["txid"])
    assert txids[0] == txids[1]
    assert statuses(world) == [(1, "nosend", False), (2, "nosend", False)]
    await alice.abort_action({"reference": txids[0]})
    await bob.abort_action({"reference": txids[0]})
    assert statuses(world) == [(1, "failed", False), (2, "failed", False)]
    assert rows(world.path("alice"), "SELECT status FROM proven_tx_reqs") == ["invalid"]
