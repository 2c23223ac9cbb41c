"""createAction: what is paid, what is written down, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.spv import verify_beef
from bsv_wallet_toolbox.transactions.tx import TransactionView
from wallet_file import coins_of, row_counts, rows, state_of
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

EVERYTHING = 2_099_999_999_999_999


def made(created: dict[str, Any]) -> TransactionView:
    """The transaction of a createAction result."""
    view = Beef.parse(created["tx"]).view(created["txid"])
    assert view is not None
    return view


def with_options(args: dict[str, Any], **options: Any) -> dict[str, Any]:
    return args | {"options": args["options"] | options}


async def test_a_delayed_action_is_stored_and_left_to_the_monitor(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 973)
    created = await alice.create_action(payment_to(NOWHERE, 100))
    assert created["sendWithResults"] == [{"txid": created["txid"], "status": "sending"}]
    assert state_of(world.path("alice"), created["txid"]) == ("sending", "unsent", 0)
    assert world.services.calls["post_beef"] == 0
    await alice.monitor.run_until_idle()
    assert world.chain.confirmations(created["txid"]) == 0
    assert state_of(world.path("alice"), created["txid"]) == ("unproven", "unmined", 0)


async def test_an_immediate_action_is_on_the_network_when_it_returns(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 973)
    created = await alice.create_action(payment_to(NOWHERE, 100, delayed=False))
    assert created["sendWithResults"] == [{"txid": created["txid"], "status": "unproven"}]
    assert world.chain.confirmations(created["txid"]) == 0
    assert world.services.calls["post_beef"] == 1


async def test_the_rows_of_an_action(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 973)
    created = await alice.create_action(payment_to(NOWHERE, 100))
    path = world.path("alice")
    columns = "status, isOutgoing, satoshis, version, lockTime, description, inputBEEF, rawTx, provenTxId"
    assert rows(path, f"SELECT {columns} FROM transactions WHERE txid = ?", created["txid"]) == [
        ("sending", 1, -101, 1, 0, "a payment", None, None, None)
    ]
    (reference,) = rows(path, "SELECT reference FROM transactions WHERE txid = ?", created["txid"])
    assert len(reference) == 16
    assert rows(path, "SELECT attempts, notified, batch, notify, inputBEEF, wasBroadcast FROM proven_tx_reqs") == [
        (0, 0, None, '{"transactionIds":[2]}', bytes.fromhex("0200beef0000"), 0)
    ]
    columns = "change, providedBy, purpose, type, spendable, outputDescription, basketId"
    assert set(rows(path, f"SELECT {columns} FROM outputs WHERE transactionId = 2")) >= {
        (0, "you", "", "custom", 1, "what is paid", None),
        (1, "storage", "change", "P2PKH", 1, "", 1),
    }
    assert rows(path, "SELECT spendable, spentBy FROM outputs WHERE transactionId = 1") == [(0, 2)]


async def test_what_is_paid_comes_out_of_the_balance_to_the_satoshi(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 1000, count=4)
    created = await alice.create_action(payment_to(NOWHERE, 2500))
    view = made(created)
    paid_in = 1000 * view.input_count
    fee = paid_in - sum(output.satoshis for output in view.outputs)
    assert 0 < fee <= 2
    assert await alice.balance() == 4000 - 2500 - fee
    assert [output.satoshis for output in view.outputs if output.locking_script.hex() == NOWHERE] == [2500]


async def test_the_result_proves_the_transaction_under_the_headers(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 100_000)
    for _ in range(3):
        created = await alice.create_action(payment_to(NOWHERE, 1000))
    beef = Beef.parse(created["tx"])
    roots = {world.chain.header_at(height).merkle_root: height for height in range(world.chain.height + 1)}  # type: ignore[union-attr]
    verify_beef(beef, [created["txid"]], lambda root, height: roots.get(root) == height)
    assert len(beef) >= 3  # the funding, and at least one payment whose change this one spends


async def test_one_commit_when_delayed_and_two_when_immediate(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5000, count=20)
    await alice.create_action(payment_to(NOWHERE, 100))  # reserves derivation counters
    for delayed, commits in ((True, 1), (False, 2)):
        before = alice.provider.engine.stats  # type: ignore[attr-defined]
        await alice.create_action(payment_to(NOWHERE, 100, delayed=delayed))
        after = alice.provider.engine.stats  # type: ignore[attr-defined]
        assert after.commits - before.commits == commits
        if delayed:
            assert after.statements - before.statements <= 16


async def test_a_txid_is_enough_when_asked_for(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5000)
    created = await alice.create_action(with_options(payment_to(NOWHERE, 100), returnTXIDOnly=True))
    assert sorted(created) == ["sendWithResults", "txid"]


async def test_known_txids_are_only_named(world: World, alice: OpenWallet) -> None:
    funding = await world.fund(alice, 5000)
    created = await alice.create_action(with_options(payment_to(NOWHERE, 100), knownTxids=[funding]))
    beef = Beef.parse(created["tx"])
    assert beef.is_txid_only(funding)
    assert not beef.is_txid_only(created["txid"])


async def test_outputs_keep_their_order_unless_they_may_be_shuffled(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 50_000, count=8)
    orders = set()
    for number in range(8):
        args = payment_to(NOWHERE, 100 + number)
        args["outputs"].append({"lockingScript": "51", "satoshis": 7, "outputDescription": "second"})
        kept = made(await alice.create_action(with_options(args, randomizeOutputs=False)))
        assert [output.satoshis for output in kept.outputs[:2]] == [100 + number, 7]
        shuffled = made(await alice.create_action(args))
        orders.add([output.satoshis for output in shuffled.outputs].index(7))
    assert len(orders) > 1


async def test_everything_can_be_sent(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 1000, count=3)
    view = made(await alice.create_action(payment_to(NOWHERE, EVERYTHING)))
    assert view.input_count == 3
    assert view.output_count == 1
    assert view.outputs[0].satoshis in (2999, 2998)
    assert await alice.balance() == 0


async def test_an_action_without_outputs_turns_change_into_change(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    created = await alice.create_action({"description": "spread the change"})
    view = made(created)
    assert view.output_count > 1
    assert await alice.balance() == sum(output.satoshis for output in view.outputs) < 10_000


async def test_what_is_too_small_to_be_change_goes_to_the_fee(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 1001)
    view = made(await alice.create_action(payment_to(NOWHERE, 999)))
    assert [output.satoshis for output in view.outputs] == [999]
    assert await alice.balance() == 0


async def test_the_fee_rate_of_the_wallet_is_paid(world: World) -> None:
    async with world.wallet("dear", fee_rate=250) as wallet:
        await world.fund(wallet, 1_000_000)
        view = made(await wallet.create_action(payment_to(NOWHERE, 1000)))
        fee = 1_000_000 - sum(output.satoshis for output in view.outputs)
    assert 250 * len(view.raw) <= 1000 * fee <= 250 * (len(view.raw) + 4) + 1000


async def test_baskets_tags_labels_and_instructions_are_kept(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    output = {
        "lockingScript": "51",
        "satoshis": 50,
        "outputDescription": "a token",
        "basket": "tokens",
        "tags": ["red", "round"],
        "customInstructions": "roll it",
    }
    created = await alice.create_action({"description": "make a token", "outputs": [output], "labels": ["minting"]})
    listed = await alice.list_outputs(
        {"basket": "tokens", "includeTags": True, "includeCustomInstructions": True, "include": "locking scripts"}
    )
    assert listed["totalOutputs"] == 1
    found = listed["outputs"][0]
    assert found["outpoint"].startswith(created["txid"])
    assert (found["satoshis"], found["lockingScript"], found["customInstructions"]) == (50, "51", "roll it")
    assert sorted(found["tags"]) == ["red", "round"]
    actions = await alice.list_actions({"labels": ["minting"]})
    assert [action["txid"] for action in actions["actions"]] == [created["txid"]]


async def test_a_custom_output_never_funds_anything(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    args = payment_to(NOWHERE, 9000)
    args["outputs"][0]["basket"] = "elsewhere"
    await alice.create_action(args)
    assert await alice.balance() < 1000
    with pytest.raises(WERR_INSUFFICIENT_FUNDS):
        await alice.create_action(payment_to(NOWHERE, 2000))


async def test_a_script_of_more_than_1024_bytes_is_read_from_the_transaction(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 100_000)
    for length in (1024, 1025):
        script = "6a" + "00" * (length - 1)
        args = payment_to(script, 10)
        args["outputs"][0]["basket"] = f"of {length} bytes"
        await alice.create_action(args)
        listed = await alice.list_outputs({"basket": f"of {length} bytes", "include": "locking scripts"})
        assert listed["outputs"][0]["lockingScript"] == script
    stored = "SELECT scriptLength, length(lockingScript) FROM outputs WHERE scriptLength > 1000 ORDER BY outputId"
    assert rows(world.path("alice"), stored) == [(1024, 1024), (1025, None)]


@pytest.mark.parametrize("delayed", [True, False])
async def test_without_enough_money_nothing_is_written(world: World, alice: OpenWallet, delayed: bool) -> None:
    await world.fund(alice, 500, count=2)
    path = world.path("alice")
    await alice.create_action(payment_to(NOWHERE, 10))
    counts, coins = row_counts(path), coins_of(path)
    with pytest.raises(WERR_INSUFFICIENT_FUNDS) as refused:
        await alice.create_action(payment_to(NOWHERE, 5000, delayed=delayed))
    assert refused.value.more_satoshis_needed > 4000
    assert (row_counts(path), coins_of(path)) == (counts, coins)


async def test_an_empty_wallet_says_what_it_needs(alice: OpenWallet) -> None:
    with pytest.raises(WERR_INSUFFICIENT_FUNDS) as refused:
        await alice.create_action(payment_to(NOWHERE, 1000))
    assert refused.value.total_satoshis_needed == refused.value.more_satoshis_needed == 1001


async def test_change_of_an_unsent_action_funds_delayed_actions_only(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    await alice.create_action(payment_to(NOWHERE, 100))
    with pytest.raises(WERR_INSUFFICIENT_FUNDS):
        await alice.create_action(payment_to(NOWHERE, 100, delayed=False))
    await alice.create_action(payment_to(NOWHERE, 100))


async def test_the_default_basket_takes_change_only(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    args = payment_to(NOWHERE, 100)
    args["outputs"][0]["basket"] = "default"
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.create_action(args)
    assert refused.value.parameter == "basket"
