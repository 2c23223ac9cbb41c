"""relinquishOutput: what leaves its basket, for whom, and that no satoshi is lost from sight by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bsv_wallet_toolbox.brc100.actions import validate_internalize_action
from bsv_wallet_toolbox.brc100.outputs import validate_relinquish_output
from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.storage.users import UserScope
from bsv_wallet_toolbox.transactions.beef import Beef
from incoming_payments import insertion_entry, internalize_args, mined_payment, payment_entry
from wallet_file import rows
from wallet_world import FUNDER, NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

OUTPUTS = "SELECT outputId, basketId, spendable, spentBy, change, satoshis FROM outputs ORDER BY outputId"


def subject(beef: bytes) -> str:
    return str(Beef.parse(beef).subject)


async def refusal(wallet: OpenWallet, basket: str, output: str, originator: str | None = None) -> str | None:
    """The parameter that is blamed."""
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await wallet.relinquish_output({"basket": basket, "output": output}, originator)
    return refused.value.parameter


async def test_a_relinquished_output_is_in_no_basket_and_nothing_else_of_it_changes(
    world: World, alice: OpenWallet
) -> None:
    path = world.path("alice")
    beef = mined_payment(world, alice, 973)
    await alice.internalize_action(internalize_args(beef, insertion_entry(basket="tokens", tags=["t"])))
    before = rows(path, OUTPUTS)
    result = await alice.relinquish_output({"basket": "Tokens ", "output": f"{subject(beef)}.0"}, "app.example.com")
    assert result == {"relinquished": True}
    [(output_id, _, *rest)] = before
    assert rows(path, OUTPUTS) == [(output_id, None, *rest)]
    assert (await alice.list_outputs({"basket": "tokens"}))["totalOutputs"] == 0
    [action] = (await alice.list_actions({"labels": [], "includeOutputs": True}))["actions"]
    assert [(each["basket"], each["spendable"]) for each in action["outputs"]] == [("", True)]
    world.assert_sound("alice")


async def test_relinquished_change_funds_nothing_and_leaves_the_balance(world: World, alice: OpenWallet) -> None:
    given_up = await world.fund(alice, 10_000)
    await world.fund(alice, 500)
    await alice.relinquish_output({"basket": "default", "output": f"{given_up}.0"})
    assert await alice.balance() == 500
    with pytest.raises(WERR_INSUFFICIENT_FUNDS):
        await alice.create_action(payment_to(NOWHERE, 1_000))
    await alice.create_action(payment_to(NOWHERE, 100))
    coins = world.coins("alice")
    assert [(coin.satoshis, coin.reason) for coin in coins.relinquished_coins] == [(10_000, "relinquished")]
    world.assert_sound("alice")


async def test_change_that_is_on_the_way_can_be_relinquished_too(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    await alice.create_action(payment_to(NOWHERE, 1_000))
    for output in (await alice.list_outputs({"basket": "default", "limit": 10_000}))["outputs"]:
        await alice.relinquish_output({"basket": "default", "output": output["outpoint"]})
        world.assert_sound("alice")
    assert await alice.balance() == 0
    await alice.monitor.run_until_idle()
    world.chain.mine(1)
    await alice.monitor.run_until_idle()
    world.assert_sound("alice")


async def test_a_payment_that_comes_in_again_is_change_again_and_counted_once(world: World, alice: OpenWallet) -> None:
    beef = mined_payment(world, alice, 973)
    args = internalize_args(beef, payment_entry())
    await alice.internalize_action(args)
    await alice.relinquish_output({"basket": "default", "output": f"{subject(beef)}.0"})
    world.assert_sound("alice")
    await alice.internalize_action(args)
    assert await alice.balance() == 973
    assert rows(world.path("alice"), "SELECT satoshis FROM transactions") == [973]
    world.assert_sound("alice")


async def test_relinquished_change_can_become_a_custom_output(world: World, alice: OpenWallet) -> None:
    beef = mined_payment(world, alice, 973)
    await alice.internalize_action(internalize_args(beef, payment_entry()))
    await alice.relinquish_output({"basket": "default", "output": f"{subject(beef)}.0"})
    await alice.internalize_action(internalize_args(beef, insertion_entry(basket="tokens")))
    assert (await alice.list_outputs({"basket": "tokens"}))["totalOutputs"] == 1
    assert rows(world.path("alice"), "SELECT satoshis FROM transactions") == [0]
    assert (await alice.internalize_action(internalize_args(beef, payment_entry())))["satoshis"] == 973
    world.assert_sound("alice")


async def test_what_the_named_basket_does_not_hold_is_refused(world: World, alice: OpenWallet) -> None:
    beef = mined_payment(world, alice, 973)
    await alice.internalize_action(internalize_args(beef, insertion_entry(basket="tokens")))
    output = f"{subject(beef)}.0"
    before = rows(world.path("alice"), OUTPUTS)
    assert await refusal(alice, "tokens", f"{'ab' * 32}.0") == "output"
    assert await refusal(alice, "tokens", f"{subject(beef)}.1") == "output"
    assert await refusal(alice, "nobody's", output) == "basket"
    assert await refusal(alice, "default", output) == "basket"
    assert rows(world.path("alice"), OUTPUTS) == before
    await alice.relinquish_output({"basket": "tokens", "output": output})
    assert await refusal(alice, "tokens", output) == "basket"


@pytest.mark.parametrize("basket", ["default", " Default", "admin things"])
async def test_only_the_owner_relinquishes_from_reserved_baskets(world: World, alice: OpenWallet, basket: str) -> None:
    txid = await world.fund(alice, 10_000)
    assert await refusal(alice, basket, f"{txid}.0", "app.example.com") == "basket"
    assert await alice.balance() == 10_000


async def both_track(world: World, wallet: OpenWallet) -> tuple[str, UserScope]:
    """The outpoint of an output that the wallet and another user of its store track; who that other one is."""
    beef = mined_payment(world, wallet, 973)
    await wallet.internalize_action(internalize_args(beef, insertion_entry(basket="tokens")))
    other = await wallet.provider.find_or_insert_user(FUNDER.identity_key)
    storage = wallet.provider.for_user(other)
    args = validate_internalize_action(internalize_args(beef, insertion_entry(basket="tokens")))
    await storage.internalize_action(args, await storage.verify_incoming(beef))
    return f"{subject(beef)}.0", other


def of_user(path: Path, user: UserScope) -> list[Any]:
    return rows(path, "SELECT * FROM outputs WHERE userId = ?", user.user_id)


async def test_of_two_users_who_track_one_output_each_relinquishes_only_the_own_row(
    world: World, alice: OpenWallet
) -> None:
    output, other = await both_track(world, alice)
    path = world.path("alice")
    theirs = of_user(path, other)
    assert len(theirs) == 1
    await alice.relinquish_output({"basket": "tokens", "output": output})
    assert of_user(path, other) == theirs
    storage = alice.provider.for_user(other)
    mine = rows(path, "SELECT * FROM outputs WHERE userId <> ?", other.user_id)
    await storage.relinquish_output(validate_relinquish_output({"basket": "tokens", "output": output}))
    assert of_user(path, other) != theirs
    assert rows(path, "SELECT * FROM outputs WHERE userId <> ?", other.user_id) == mine


async def test_an_output_of_another_user_is_not_known(world: World, alice: OpenWallet) -> None:
    txid = await world.fund(alice, 10_000)
    other = alice.provider.for_user(await alice.provider.find_or_insert_user(FUNDER.identity_key))
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await other.relinquish_output(validate_relinquish_output({"basket": "default", "output": f"{txid}.0"}))
    assert refused.value.parameter == "output"
    assert await alice.balance() == 10_000


async def test_the_conformance_vectors_of_an_empty_wallet(alice: OpenWallet, test_data: Path) -> None:
    vectors = json.loads((test_data / "vectors/conformance/relinquishoutput.json").read_text())["vectors"]
    refused = [vector["input"]["args"] for vector in vectors if vector["expected"].get("error")]
    assert len(refused) == 2
    for args in refused:
        assert await refusal(alice, args["basket"], args["output"]) == "output"
