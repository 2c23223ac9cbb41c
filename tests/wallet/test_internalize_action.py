"""internalizeAction: what becomes ours, what a second call changes, what is refused."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from bsv_wallet_toolbox.errors import (
    WERR_INSUFFICIENT_FUNDS,
    WERR_INVALID_MERKLE_ROOT,
    WERR_INVALID_PARAMETER,
    WERR_REVIEW_ACTIONS,
)
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.mockchain import Fault
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
from bsv_wallet_toolbox.wallet.wallet import Wallet
from incoming_payments import (
    PREFIX,
    PURSE_KEY,
    PURSE_PUBLIC_KEY,
    SUFFIX,
    insertion_entry,
    internalize_args,
    mined_payment,
    payment_entry,
    spend_purse,
    unmined_payment,
)
from wallet_file import row_counts, rows, state_of
from wallet_world import FUNDER, NOWHERE, World, key_of, payment_to, remittance

pytestmark = pytest.mark.anyio


async def test_the_sequence_of_the_reference_gives_973_nothing_minus_973_and_973_again(
    world: World, alice: OpenWallet
) -> None:
    beef = mined_payment(world, alice, 973)
    payment, insertion = payment_entry(), insertion_entry()
    steps = []
    for entry in (payment, payment, insertion, insertion, payment):
        result = await alice.internalize_action(internalize_args(beef, entry, description=f"step {len(steps)}"))
        steps.append((result["isMerge"], result["satoshis"], await alice.balance()))
    assert steps == [(False, 973, 973), (True, 0, 973), (True, -973, 0), (True, 0, 0), (True, 973, 973)]
    assert rows(world.path("alice"), "SELECT satoshis, description FROM transactions") == [(973, "step 4")]
    assert rows(world.path("alice"), "SELECT count(*) FROM outputs") == [1]


async def test_a_proven_payment_is_complete_at_once(world: World, alice: OpenWallet) -> None:
    beef = Beef.parse(mined_payment(world, alice, 973))
    await alice.internalize_action(internalize_args(beef.to_atomic(str(beef.subject))))
    path = world.path("alice")
    assert rows(path, "SELECT status, provenTxId, isOutgoing, txid FROM transactions") == [
        ("completed", 1, 0, beef.subject)
    ]
    header = world.chain.tip
    assert header is not None
    assert rows(path, "SELECT height, blockHash, merkleRoot FROM proven_txs") == [
        (header.height, header.hash, header.merkle_root)
    ]
    assert rows(path, "SELECT count(*) FROM proven_tx_reqs") == [0]
    columns = "change, type, purpose, providedBy, spendable, senderIdentityKey, derivationPrefix, derivationSuffix"
    assert rows(path, f"SELECT {columns} FROM outputs") == [
        (1, "P2PKH", "change", "storage", 1, FUNDER.identity_key, PREFIX, SUFFIX)
    ]
    assert world.services.calls["post_beef"] == 0


async def test_an_unproven_payment_is_sent_at_once(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 973)
    await alice.internalize_action(internalize_args(payment.beef))
    assert world.chain.confirmations(payment.view.txid) == 0
    assert state_of(world.path("alice"), payment.view.txid) == ("unproven", "unmined", 0)
    assert await alice.balance() == 973
    world.chain.mine()
    await alice.monitor.run_until_idle()
    assert state_of(world.path("alice"), payment.view.txid)[:2] == ("completed", "completed")


async def test_what_the_payer_sent_already_counts_as_sent(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 973)
    world.chain.accept(payment.view)
    await alice.internalize_action(internalize_args(payment.beef))
    assert state_of(world.path("alice"), payment.view.txid) == ("unproven", "unmined", 0)


async def test_during_an_outage_a_payment_is_accepted_and_sent_later(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 973)
    world.services.faults.set("post_beef", Fault.UNAVAILABLE)
    result = await alice.internalize_action(internalize_args(payment.beef))
    assert result["accepted"]
    assert state_of(world.path("alice"), payment.view.txid) == ("sending", "unsent", 1)
    world.services.faults.clear()
    world.clock.advance(60_000)
    await alice.monitor.run_until_idle()
    assert state_of(world.path("alice"), payment.view.txid)[:2] == ("unproven", "unmined")
    assert await alice.balance() == 973


async def test_a_payment_that_no_provider_has_accepted_is_neither_counted_nor_spent(
    world: World, alice: OpenWallet
) -> None:
    payment = unmined_payment(world, alice, 5_000)
    world.services.faults.set("post_beef", Fault.UNAVAILABLE)
    await alice.internalize_action(internalize_args(payment.beef))
    assert world.coins("alice").awaited == 5_000
    assert await alice.balance() == 0
    assert (await alice.list_outputs({"basket": "default"}))["totalOutputs"] == 0
    shown = await alice.list_actions({"labels": [], "includeOutputs": True})
    assert [each["spendable"] for each in shown["actions"][0]["outputs"]] == [False]
    for delayed in (True, False):
        with pytest.raises(WERR_INSUFFICIENT_FUNDS):
            await alice.create_action(payment_to(NOWHERE, 1_000, delayed=delayed))
    world.assert_sound("alice")
    world.services.faults.clear()
    world.clock.advance(60_000)
    await alice.monitor.run_until_idle()
    assert world.coins("alice").awaited == 0
    assert await alice.balance() == 5_000
    await alice.create_action(payment_to(NOWHERE, 1_000, delayed=False))


async def test_delayed_actions_build_on_change_of_ours_that_nobody_has_accepted(
    world: World, alice: OpenWallet
) -> None:
    await world.fund(alice, 10_000)
    world.services.faults.set("post_beef", Fault.UNAVAILABLE)
    for left in (8_999, 7_998):
        await alice.create_action(payment_to(NOWHERE, 1_000))
        await alice.monitor.run_until_idle()
        assert await alice.balance() == left
    world.services.faults.clear()
    world.clock.advance(60_000)
    await alice.monitor.run_until_idle()


async def test_an_app_can_not_take_the_change_out_of_the_balance(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 50_000)
    created = await alice.create_action(payment_to(NOWHERE, 1_000, delayed=False), "shop.example")
    before = row_counts(world.path("alice"))
    for vout in _change_of(created["tx"]):
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await alice.internalize_action(internalize_args(created["tx"], insertion_entry(vout)), "shop.example")
        assert refused.value.parameter == "outputs"
    assert row_counts(world.path("alice")) == before
    assert await alice.balance() == 48_999
    await alice.create_action(payment_to(NOWHERE, 40_000, delayed=False))


async def test_an_app_may_take_in_what_is_not_change(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 50_000)
    args = payment_to(NOWHERE, 1_000, delayed=False)
    args["options"]["randomizeOutputs"] = False
    created = await alice.create_action(args, "shop.example")
    await alice.internalize_action(internalize_args(created["tx"], insertion_entry(0, "a basket")), "shop.example")
    assert (await alice.list_outputs({"basket": "a basket"}))["totalOutputs"] == 1
    assert await alice.balance() == 48_999


async def test_the_owner_may_put_change_aside_and_take_it_back(world: World, alice: OpenWallet) -> None:
    """What is put aside keeps its derivation: nothing else leads to the key that unlocks it."""
    await world.fund(alice, 50_000)
    created = await alice.create_action(payment_to(NOWHERE, 1_000, delayed=False))
    path, change = world.path("alice"), _change_of(created["tx"])
    columns = "SELECT vout, derivationPrefix, derivationSuffix FROM outputs WHERE transactionId = 2 AND vout IN"
    query = f"{columns} ({', '.join(map(str, change))})"
    derivations = rows(path, query)
    assert all(prefix and suffix for _, prefix, suffix in derivations)
    await alice.internalize_action(internalize_args(created["tx"], *map(insertion_entry, change)))
    assert await alice.balance() == 0
    assert (await alice.list_outputs({"basket": "mine"}))["totalOutputs"] == len(change)
    assert rows(path, query) == derivations
    own = KeyDeriver(key_of("alice"))
    entries = [
        {"outputIndex": vout, "protocol": "wallet payment", "paymentRemittance": remittance(own, prefix, suffix)}
        for vout, prefix, suffix in derivations
    ]
    await alice.internalize_action(internalize_args(created["tx"], *entries))
    assert await alice.balance() == 48_999
    await alice.create_action(payment_to(NOWHERE, 48_000, delayed=False))


def _change_of(atomic_beef: bytes) -> list[int]:
    """Output indexes of the subject that do not pay NOWHERE."""
    beef = Beef.parse(atomic_beef)
    outputs = beef.view(str(beef.subject)).outputs
    return [vout for vout, output in enumerate(outputs) if output.locking_script.hex() != NOWHERE]


async def test_a_payment_whose_coin_was_mined_elsewhere_is_refused(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 973)
    rival = _rival_of(world, payment.view)
    world.chain.mine()
    with pytest.raises(WERR_REVIEW_ACTIONS) as refused:
        await alice.internalize_action(internalize_args(payment.beef))
    assert refused.value.review_action_results[0]["status"] == "doubleSpend"
    assert refused.value.review_action_results[0]["competingTxs"] == [rival]
    assert state_of(world.path("alice"), payment.view.txid)[:2] == ("failed", "doubleSpend")
    assert await alice.balance() == 0


def _rival_of(world: World, view: TransactionView) -> str:
    """Put another transaction with the same input into the mempool; its txid."""
    from bsv_wallet_toolbox.transactions.tx import InputSpec, build_transaction

    source = view.inputs[0]
    output = world.chain.output(source.txid, source.vout)
    assert output is not None
    outputs = [OutputSpec(output.satoshis - 500, b"\x51")]
    unsigned = parse_transaction(build_transaction([InputSpec(source.txid, source.vout)], outputs))
    digest = signature_hash(unsigned, 0, output.satoshis, output.locking_script)
    unlock = p2pkh.unlock(digest, PURSE_KEY, PURSE_PUBLIC_KEY)
    acceptance = world.chain.accept(build_transaction([InputSpec(source.txid, source.vout, unlock)], outputs))
    assert acceptance.is_on_chain
    return acceptance.txid


async def test_a_proof_that_comes_later_completes_the_payment(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 973)
    await alice.internalize_action(internalize_args(payment.beef))
    world.chain.mine()
    proven = world.chain.beef_of(payment.view.txid).to_atomic(payment.view.txid)
    result = await alice.internalize_action(internalize_args(proven))
    assert (result["isMerge"], result["satoshis"]) == (True, 0)
    assert state_of(world.path("alice"), payment.view.txid)[:2] == ("completed", "completed")
    assert await alice.balance() == 973


async def test_several_outputs_of_one_transaction(world: World, alice: OpenWallet) -> None:
    suffixes = ["b25l", "dHdv", "dGhyZWU="]
    locks = [brc29.lock_to(FUNDER, alice.identity_key, PREFIX, suffix) for suffix in suffixes]
    funded = world.services.fund_many([OutputSpec(100 * (vout + 1), lock) for vout, lock in enumerate(locks)])
    result = await alice.internalize_action(
        internalize_args(
            funded[0].beef,
            payment_entry(0, suffixes[0]),
            payment_entry(2, suffixes[2]),
            insertion_entry(1, "kept", tags=["shiny"], customInstructions="with care"),
        )
    )
    assert result["satoshis"] == 400 == await alice.balance()
    listed = await alice.list_outputs({"basket": "kept", "includeTags": True, "includeCustomInstructions": True})
    assert [(each["satoshis"], each["tags"], each["customInstructions"]) for each in listed["outputs"]] == [
        (200, ["shiny"], "with care")
    ]


async def test_the_wallet_can_spend_what_it_was_paid(world: World, alice: OpenWallet) -> None:
    await alice.internalize_action(internalize_args(mined_payment(world, alice, 5_000)))
    await alice.internalize_action(internalize_args(unmined_payment(world, alice, 5_000).beef))
    created = await alice.create_action(payment_to(NOWHERE, 9_000, delayed=False))
    world.chain.mine()
    assert world.chain.confirmations(created["txid"]) == 1


async def test_own_change_that_an_incoming_transaction_spends_is_spent(world: World) -> None:
    """One key in two files: what the first file spends, the second must not spend again."""
    async with world.wallet("alice") as first:
        await world.fund(first, 10_000)
    shutil.copy(world.path("alice"), world.path("copy"))
    async with world.wallet("alice") as first:
        created = await first.create_action(payment_to(NOWHERE, 4_000, delayed=False))
        left = await first.balance()
    columns = "vout, derivationPrefix, derivationSuffix"
    change = rows(world.path("alice"), f"SELECT {columns} FROM outputs WHERE change = 1 AND transactionId = 2")
    own = KeyDeriver(key_of("alice"))
    entries = [
        {"outputIndex": vout, "protocol": "wallet payment", "paymentRemittance": remittance(own, prefix, suffix)}
        for vout, prefix, suffix in change
    ]
    async with open_wallet(
        world.path("copy"), StaticKey(key_of("alice")), world.services, monitor=False, clock=world.clock
    ) as second:
        await second.internalize_action(internalize_args(created["tx"], *entries))
        assert await second.balance() == left
    assert rows(world.path("copy"), "SELECT spendable, spentBy FROM outputs WHERE transactionId = 1") == [(0, 2)]
    assert rows(world.path("copy"), "SELECT satoshis FROM transactions ORDER BY transactionId") == [
        10_000,
        left - 10_000,
    ]


async def test_labels_are_kept_and_added(world: World, alice: OpenWallet) -> None:
    beef = mined_payment(world, alice, 973)
    await alice.internalize_action(internalize_args(beef) | {"labels": ["salary"]})
    await alice.internalize_action(internalize_args(beef) | {"labels": ["march"]})
    listed = await alice.list_actions({"labels": ["salary"], "includeLabels": True})
    assert sorted(listed["actions"][0]["labels"]) == ["march", "salary"]


async def test_money_for_somebody_else_is_refused(world: World, alice: OpenWallet) -> None:
    bob = KeyDeriver(key_of("bob"))
    beef = world.services.fund(brc29.lock_to(FUNDER, bob.identity_key, PREFIX, SUFFIX), 973).beef
    counts = row_counts(world.path("alice"))
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.internalize_action(internalize_args(beef))
    assert refused.value.parameter == "paymentRemittance"
    assert row_counts(world.path("alice")) == counts


@pytest.mark.parametrize(
    ("entries", "parameter"),
    [
        ([payment_entry(7)], "outputIndex"),
        ([payment_entry(0), payment_entry(0)], "outputs"),
        ([payment_entry(0), insertion_entry(0)], "outputs"),
        ([insertion_entry(0, "default")], "basket"),
        ([payment_entry(0, "d3Jvbmc=")], "paymentRemittance"),
    ],
)
async def test_entries_that_do_not_fit_are_refused_by_name(
    world: World, alice: OpenWallet, entries: list[dict[str, Any]], parameter: str
) -> None:
    beef = mined_payment(world, alice, 973)
    counts = row_counts(world.path("alice"))
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.internalize_action(internalize_args(beef, *entries))
    assert refused.value.parameter == parameter
    assert row_counts(world.path("alice")) == counts


async def test_a_proof_into_a_block_that_is_not_ours_is_refused(world: World, alice: OpenWallet) -> None:
    beef = mined_payment(world, alice, 973)
    world.chain.reorg(world.chain.height, 2)
    with pytest.raises(WERR_INVALID_MERKLE_ROOT):
        await alice.internalize_action(internalize_args(beef))
    assert await alice.balance() == 0


async def test_a_transaction_with_a_false_signature_is_refused(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 973)
    beef = Beef.parse(payment.beef)
    unlock = payment.view.inputs[0].unlocking_script
    raw = payment.view.raw.replace(unlock, unlock[:30] + bytes([unlock[30] ^ 1]) + unlock[31:])
    forged = Beef.parse(payment.beef)
    txid = forged.merge_transaction(raw)
    assert txid not in beef
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.internalize_action(internalize_args(forged.to_atomic(txid)))
    assert refused.value.parameter == "tx"


async def test_a_transaction_that_makes_money_is_refused(world: World, alice: OpenWallet) -> None:
    lock = brc29.lock_to(FUNDER, alice.identity_key, PREFIX, SUFFIX)
    source = world.services.fund(b"\x51", 1_000)

    beef = Beef.parse(source.beef)
    txid = beef.merge_transaction(build_transaction([InputSpec(source.txid, source.vout)], [OutputSpec(1_001, lock)]))
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.internalize_action(internalize_args(beef.to_atomic(txid)))
    assert refused.value.parameter == "tx"


async def test_two_users_of_one_store_share_the_req_and_nothing_else(world: World, alice: OpenWallet) -> None:
    bob = KeyDeriver(key_of("bob"))
    outputs = [
        OutputSpec(300, brc29.lock_to(FUNDER, key, PREFIX, SUFFIX)) for key in (alice.identity_key, bob.identity_key)
    ]
    payment = spend_purse(world, outputs)

    scope = await alice.provider.find_or_insert_user(bob.identity_key)
    other = Wallet(bob, alice.provider.for_user(scope), world.services)
    assert (await alice.internalize_action(internalize_args(payment.beef, payment_entry(0))))["satoshis"] == 300
    assert (await other.internalize_action(internalize_args(payment.beef, payment_entry(1))))["satoshis"] == 300
    path = world.path("alice")
    assert rows(path, "SELECT notify FROM proven_tx_reqs") == ['{"transactionIds":[1,2]}']
    assert rows(path, "SELECT userId, vout, status FROM outputs JOIN transactions USING (transactionId, userId)") == [
        (1, 0, "unproven"),
        (2, 1, "unproven"),
    ]
    assert (await alice.balance(), await other.balance()) == (300, 300)
