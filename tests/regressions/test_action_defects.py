"""Actions: what other wallets are known to have done with money, coins and signatures, and this one must not do."""

from __future__ import annotations

from typing import Any

import apsw
import pytest
from observed_world import (
    FAILS,
    HOUR,
    MINUTE,
    OPENS,
    ObservedWorld,
    spending,
    token,
    view_of,
)

from bsv_wallet_toolbox.brc100.create_action import validate_create_action
from bsv_wallet_toolbox.doctor import examine
from bsv_wallet_toolbox.errors import (
    WERR_INSUFFICIENT_FUNDS,
    WERR_INVALID_OPERATION,
    WERR_INVALID_PARAMETER,
    WERR_REVIEW_ACTIONS,
)
from bsv_wallet_toolbox.interfaces.storage import ActionProposal, ProcessActionArgs
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.provider.network_work import NetworkWork
from bsv_wallet_toolbox.provider.proof_check import find_proof
from bsv_wallet_toolbox.seams import Failpoint, failpoints_armed
from bsv_wallet_toolbox.templates import p2pkh
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
    signature_hash,
)
from bsv_wallet_toolbox.wallet.signer import prepare, sign
from incoming_payments import (
    PURSE_KEY,
    PURSE_PUBLIC_KEY,
    insertion_entry,
    internalize_args,
    mined_payment,
)
from wallet_file import coins_of, row_counts, rows, state_of
from wallet_world import NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

ALICE = KeyDeriver(key_of("alice"))


class Killed(BaseException):
    """What a test raises where the process is to end."""


def held_back(satoshis: int, *no_send_change: str) -> dict[str, Any]:
    args = payment_to(NOWHERE, satoshis)
    args["options"] |= {"noSend": True, "noSendChange": list(no_send_change)}
    return args


def send_with(*txids: str, delayed: bool = False) -> dict[str, Any]:
    options = {"sendWith": list(txids), "acceptDelayedBroadcast": delayed}
    return {"description": "send what was held back", "options": options}


def fee_of(world: World, view: TransactionView) -> int:
    paid_in = 0
    for each in view.inputs:
        output = world.chain.output(each.txid, each.vout)
        assert output is not None
        paid_in += output.satoshis
    return paid_in - sum(output.satoshis for output in view.outputs)


# inputs of the caller


@pytest.mark.parametrize("options", [{}, {"trustSelf": "known"}])
async def test_an_output_of_an_own_basket_is_spent_without_input_beef(
    world: ObservedWorld, alice: OpenWallet, options: dict[str, Any]
) -> None:
    await world.fund(alice, 10_000)
    outpoint = await token(alice)
    created = await alice.create_action(spending(outpoint, options=options | {"acceptDelayedBroadcast": False}))
    spent = [f"{each.txid}.{each.vout}" for each in view_of(created).inputs]
    assert spent[0] == outpoint
    assert world.chain.confirmations(created["txid"]) == 0


async def test_what_is_spent_without_outputs_becomes_change(world: ObservedWorld, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    outpoint = await token(alice, 5_000)
    before = await alice.balance()
    created = await alice.create_action(spending(outpoint, options={"acceptDelayedBroadcast": False}))
    assert await alice.balance() == before + 5_000 - fee_of(world, view_of(created))


async def test_the_fee_of_a_given_script_is_that_of_its_bytes(world: ObservedWorld) -> None:
    async with world.wallet("alice", fee_rate=1_000) as alice:
        await world.fund(alice, 100_000, count=2)
        outpoint = await token(alice, 5_000, lock="7551")
        unlock = "4c64" + "00" * 100
        args = spending(outpoint, unlock, outputs=payment_to(NOWHERE, 20_000)["outputs"])
        view = view_of(await alice.create_action(args))
        assert len(view.inputs[0].unlocking_script) == 102
        unsigned_yet = 3 * view.input_count  # signatures are estimated at their longest
        assert len(view.raw) <= fee_of(world, view) <= len(view.raw) + unsigned_yet
        await world.idle(alice)
    world.assert_sound("alice")


def purse_spend(satoshis: int, source: InputSpec, paid: int) -> TransactionView:
    """A transaction of somebody's own coin, signed over all inputs and outputs."""
    outputs = [OutputSpec(paid - 1, bytes.fromhex(NOWHERE)), OutputSpec(1, b"\x51")]
    lock = p2pkh.lock_to_public_key(PURSE_PUBLIC_KEY)
    unsigned = parse_transaction(build_transaction([source], outputs))
    unlock = p2pkh.unlock(signature_hash(unsigned, 0, satoshis, lock), PURSE_KEY, PURSE_PUBLIC_KEY)
    return parse_transaction(build_transaction([InputSpec(source.txid, source.vout, unlock)], outputs))


def as_action(signed: TransactionView, beef: bytes) -> dict[str, Any]:
    """createAction arguments that ask for exactly this transaction."""
    return {
        "description": "signed by somebody else",
        "inputBEEF": beef,
        "inputs": [
            {
                "outpoint": f"{each.txid}.{each.vout}",
                "inputDescription": "of somebody else",
                "unlockingScript": each.unlocking_script.hex(),
            }
            for each in signed.inputs
        ],
        "outputs": [
            {"lockingScript": each.locking_script.hex(), "satoshis": each.satoshis, "outputDescription": "what is paid"}
            for each in signed.outputs
        ],
        "options": {"acceptDelayedBroadcast": False},
    }


async def test_a_transaction_that_the_caller_signed_whole_is_sent_as_it_is(
    world: ObservedWorld, alice: OpenWallet
) -> None:
    await world.fund(alice, 10_000, count=3)
    source = world.services.fund(p2pkh.lock_to_public_key(PURSE_PUBLIC_KEY), 5_000)
    signed = purse_spend(5_000, InputSpec(source.txid, source.vout), 4_000)
    created = await alice.create_action(as_action(signed, source.beef))
    assert view_of(created).raw == signed.raw
    assert world.chain.confirmations(signed.txid) == 0
    assert await alice.balance() == 30_000


async def test_what_funding_would_make_void_is_refused_and_not_sent(world: ObservedWorld, alice: OpenWallet) -> None:
    """The caller's signature covers everything and its coin does not pay for it."""
    await world.fund(alice, 10_000, count=3)
    source = world.services.fund(p2pkh.lock_to_public_key(PURSE_PUBLIC_KEY), 5_000)
    signed = purse_spend(5_000, InputSpec(source.txid, source.vout), 5_100)
    path = world.path("alice")
    counts, coins = row_counts(path), coins_of(path)
    with pytest.raises(WERR_INVALID_PARAMETER):
        await alice.create_action(as_action(signed, source.beef))
    assert world.services.posts == []
    assert (row_counts(path), coins_of(path)) == (counts, coins)


async def test_the_description_of_an_input_is_the_one_that_was_given(world: ObservedWorld, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    await alice.create_action(spending(await token(alice), labels=["spent"]))
    listed = await alice.list_actions({"labels": ["spent"], "includeInputs": True})
    assert [each["inputDescription"] for each in listed["actions"][0]["inputs"]] == ["the token is spent"]


# signAction


async def waiting(alice: OpenWallet, outpoint: str, **extra: Any) -> str:
    """An action whose first input is left to be signed; its reference."""
    created = await alice.create_action(spending(outpoint, None, **extra))
    return str(created["signableTransaction"]["reference"])


def signing(reference: str, unlock: str = OPENS, **options: Any) -> dict[str, Any]:
    return {"reference": reference, "spends": {0: {"unlockingScript": unlock}}, "options": options}


@pytest.mark.parametrize("delayed", [True, False])
async def test_a_script_that_does_not_unlock_is_refused_before_anything_is_sent(
    world: ObservedWorld, alice: OpenWallet, delayed: bool
) -> None:
    await world.fund(alice, 10_000)
    reference = await waiting(alice, await token(alice))
    path, posts = world.path("alice"), len(world.services.posts)
    counts, coins = row_counts(path), coins_of(path)
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.sign_action(signing(reference, FAILS, acceptDelayedBroadcast=delayed))
    assert refused.value.parameter == "inputs[0].unlockScript"
    await world.idle(alice)
    assert len(world.services.posts) == posts
    assert (row_counts(path)["proven_tx_reqs"], coins_of(path)) == (counts["proven_tx_reqs"], coins)
    signed = await alice.sign_action(signing(reference, acceptDelayedBroadcast=False))
    assert world.chain.confirmations(signed["txid"]) == 0


async def test_a_script_that_does_not_unlock_leaves_createaction_without_a_trace(
    world: ObservedWorld, alice: OpenWallet
) -> None:
    await world.fund(alice, 10_000)
    outpoint = await token(alice)
    path, posts = world.path("alice"), len(world.services.posts)
    counts, coins = row_counts(path), coins_of(path)
    args = spending(outpoint, FAILS, outputs=payment_to(NOWHERE, 2_000)["outputs"])
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.create_action(args | {"options": {"acceptDelayedBroadcast": False}})
    assert refused.value.parameter == "inputs[0].unlockScript"
    assert (row_counts(path), coins_of(path)) == (counts, coins)
    assert len(world.services.posts) == posts


async def test_an_action_that_waits_to_be_signed_is_signed_after_a_restart(world: ObservedWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        reference = await waiting(alice, await token(alice), outputs=payment_to(NOWHERE, 2_000)["outputs"])
    world.clock.advance(23 * HOUR)
    async with world.wallet("alice") as alice:
        signed = await alice.sign_action(signing(reference, acceptDelayedBroadcast=False))
        assert world.chain.confirmations(signed["txid"]) == 0
        assert 2_000 in [output.satoshis for output in view_of(signed).outputs]
    world.assert_sound("alice")


async def test_what_was_given_up_abandoned_or_never_made_cannot_be_signed(
    world: ObservedWorld, alice: OpenWallet
) -> None:
    await world.fund(alice, 10_000, count=2)
    given_up = await waiting(alice, await token(alice))
    abandoned = await waiting(alice, await token(alice))
    posts = len(world.services.posts)
    await alice.abort_action({"reference": given_up})
    await world.idle(alice, later=25 * HOUR)
    for reference in (given_up, abandoned):
        with pytest.raises(WERR_INVALID_OPERATION):
            await alice.sign_action(signing(reference))
    with pytest.raises(WERR_INVALID_PARAMETER) as unknown:
        await alice.sign_action(signing("bm90aGluZw=="))
    assert unknown.value.parameter == "reference"
    assert len(world.services.posts) == posts
    ended = "SELECT transactionId FROM transactions WHERE status = 'failed'"
    assert rows(world.path("alice"), f"SELECT count(*) FROM outputs WHERE spentBy IN ({ended})") == [0]


@pytest.mark.parametrize("delayed", [True, False])
async def test_signaction_sends_when_it_was_asked_to(world: ObservedWorld, alice: OpenWallet, delayed: bool) -> None:
    await world.fund(alice, 10_000)
    reference = await waiting(alice, await token(alice), options={"acceptDelayedBroadcast": not delayed})
    posts = len(world.services.posts)
    signed = await alice.sign_action(signing(reference, acceptDelayedBroadcast=delayed))
    txid, path = signed["txid"], world.path("alice")
    assert signed["sendWithResults"] == [{"txid": txid, "status": "sending" if delayed else "unproven"}]
    assert len(world.services.posts) - posts == (0 if delayed else 1)
    assert state_of(path, txid)[:2] == (("sending", "unsent") if delayed else ("unproven", "unmined"))
    if not delayed:
        await alice.create_action(payment_to(NOWHERE, await alice.balance() - 10, delayed=False))
    await world.idle(alice)
    assert state_of(path, txid)[:2] == ("unproven", "unmined")


# all or nothing


async def test_a_call_that_fails_gives_the_change_of_held_back_actions_back(
    world: ObservedWorld, alice: OpenWallet
) -> None:
    await world.fund(alice, 10_000)
    first = await alice.create_action(held_back(1_000))
    path = world.path("alice")
    counts, coins = row_counts(path), coins_of(path)
    with pytest.raises(WERR_INSUFFICIENT_FUNDS):
        await alice.create_action(held_back(50_000, *first["noSendChange"]))
    assert (row_counts(path), coins_of(path)) == (counts, coins)
    second = await alice.create_action(held_back(8_000, *first["noSendChange"]))
    sent = await alice.create_action(send_with(first["txid"], second["txid"]))
    assert [each["status"] for each in sent["sendWithResults"]] == ["unproven", "unproven"]


@pytest.mark.parametrize("delayed", [True, False])
async def test_a_process_that_ends_before_the_post_leaves_an_action_that_is_sent(
    world: ObservedWorld, delayed: bool
) -> None:
    path = world.path("alice")

    def kill(point: Failpoint) -> None:
        if point is (Failpoint.CREATE_AFTER_COMMIT if delayed else Failpoint.BROADCAST_BEFORE_POST):
            raise Killed

    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        with failpoints_armed(kill), pytest.raises(Killed):
            await alice.create_action(payment_to(NOWHERE, 1_000, delayed=delayed))
    (txid,) = rows(path, "SELECT txid FROM transactions WHERE isOutgoing = 1")
    assert state_of(path, txid)[:2] == ("sending", "unsent")
    assert world.services.posts == []
    world.clock.advance(1)
    async with world.wallet("alice") as alice:
        await world.idle(alice)
        assert world.services.posted == ([txid] if delayed else []), "who claimed it may be posting still"
        await world.idle(alice, later=10 * MINUTE)
        assert world.services.posted == [txid]
        assert state_of(path, txid)[:2] == ("unproven", "unmined")
    world.assert_sound("alice")


# results of what is sent together


async def test_every_txid_has_a_result_when_some_were_sent_before(world: ObservedWorld, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000, count=3)
    sent = (await alice.create_action(payment_to(NOWHERE, 1_000, delayed=False)))["txid"]
    waits = (await alice.create_action(held_back(2_000)))["txid"]
    args = payment_to(NOWHERE, 3_000, delayed=False)
    args["options"]["sendWith"] = [sent, waits]
    created = await alice.create_action(args)
    assert created["sendWithResults"] == [
        {"txid": txid, "status": "unproven"} for txid in (sent, waits, created["txid"])
    ]
    assert world.services.posted == [sent, waits, created["txid"]], "what was sent is not sent again"


async def test_an_outage_while_some_were_sent_before_names_every_txid(world: ObservedWorld, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000, count=3)
    sent = (await alice.create_action(payment_to(NOWHERE, 1_000, delayed=False)))["txid"]
    waits = (await alice.create_action(held_back(2_000)))["txid"]
    world.services.faults.set("post_beef", Fault.UNAVAILABLE, times=1)
    args = payment_to(NOWHERE, 3_000, delayed=False)
    args["options"]["sendWith"] = [sent, waits]
    with pytest.raises(WERR_REVIEW_ACTIONS) as told:
        await alice.create_action(args)
    txid = str(told.value.txid)
    assert state_of(world.path("alice"), txid)[:2] == ("sending", "unsent")
    assert told.value.send_with_results == [
        {"txid": sent, "status": "unproven"},
        {"txid": waits, "status": "sending"},
        {"txid": txid, "status": "sending"},
    ]
    await world.idle(alice, later=MINUTE)
    assert all(state_of(world.path("alice"), each)[0] == "unproven" for each in (waits, txid))


async def test_what_was_proven_while_it_was_posted_counts_as_sent(world: ObservedWorld, alice: OpenWallet) -> None:
    """The answer to the post is lost, and the proof is faster than the verdict."""
    await world.fund(alice, 10_000)
    world.services.faults.set("post_beef", Fault.REPLY_LOST, times=1)

    async def prove() -> None:
        world.chain.mine(1)
        (txid,) = world.services.posted
        row = world.chain.transaction_of(txid)
        assert row is not None
        proof = (await find_proof(world.services, txid, row.raw_tx)).proof
        assert proof is not None
        assert await NetworkWork(alice.provider).record_proof(proof)

    world.services.after_post = prove
    created = await alice.create_action(payment_to(NOWHERE, 1_000, delayed=False))
    assert created["sendWithResults"] == [{"txid": created["txid"], "status": "unproven"}]
    assert state_of(world.path("alice"), created["txid"])[:2] == ("completed", "completed")


# internalizeAction of what is known


async def test_taking_an_output_in_again_keeps_the_new_tags_and_instructions(
    world: ObservedWorld, alice: OpenWallet
) -> None:
    beef = mined_payment(world, alice, 973)
    for tag, instructions in (("red", "first"), ("round", "second")):
        entry = insertion_entry(0, "mine", tags=[tag], customInstructions=instructions)
        await alice.internalize_action(internalize_args(beef, entry))
    listed = await alice.list_outputs({"basket": "mine", "includeTags": True, "includeCustomInstructions": True})
    (output,) = listed["outputs"]
    assert sorted(output["tags"]) == ["red", "round"]
    assert output["customInstructions"] == "second"


@pytest.mark.parametrize("mined", [False, True])
async def test_a_held_back_action_that_comes_in_from_outside_is_held_back_no_longer(
    world: ObservedWorld, alice: OpenWallet, mined: bool
) -> None:
    await world.fund(alice, 10_000)
    args = held_back(1_000)
    args["options"]["randomizeOutputs"] = False
    created = await alice.create_action(args)
    txid, beef = created["txid"], created["tx"]
    assert state_of(world.path("alice"), txid)[:2] == ("nosend", "nosend")
    if mined:
        world.chain.accept(view_of(created))
        world.chain.mine(1)
        beef = world.chain.beef_of(txid).to_atomic(txid)
    await alice.internalize_action(internalize_args(beef, insertion_entry(0)))
    known = ("completed", "completed") if mined else ("unproven", "unmined")
    assert state_of(world.path("alice"), txid)[:2] == known
    assert world.chain.transaction_of(txid) is not None
    await alice.create_action(payment_to(NOWHERE, await alice.balance() - 10, delayed=False))


# what storage keeps and what it is told


async def test_coins_whose_script_another_toolbox_left_out_are_spent(world: ObservedWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
    file = apsw.Connection(str(world.path("alice")))
    file.execute("UPDATE outputs SET lockingScript = NULL")
    file.close()
    async with world.wallet("alice") as alice:
        created = await alice.create_action(payment_to(NOWHERE, 1_000, delayed=False))
        assert world.chain.confirmations(created["txid"]) == 0
    assert examine(world.path("alice")).is_healthy


def pay_one_satoshi_more(proposal: ActionProposal) -> ActionProposal:
    paid, *change = proposal.outputs
    return proposal._replace(outputs=(paid._replace(satoshis=paid.satoshis + 1), *change))


def pay_somebody_else(proposal: ActionProposal) -> ActionProposal:
    paid, *change = proposal.outputs
    return proposal._replace(outputs=(paid._replace(locking_script=b"\x51"), *change))


def leave_the_last_output_out(proposal: ActionProposal) -> ActionProposal:
    last = max(proposal.outputs, key=lambda output: output.vout)
    return proposal._replace(outputs=tuple(output for output in proposal.outputs if output is not last))


def pay_one_output_more(proposal: ActionProposal) -> ActionProposal:
    paid = proposal.outputs[0]
    more = paid._replace(vout=len(proposal.outputs), satoshis=1)
    return proposal._replace(outputs=(*proposal.outputs, more))


def leave_the_last_coin_out(proposal: ActionProposal) -> ActionProposal:
    return proposal._replace(inputs=proposal.inputs[:-1])


@pytest.mark.parametrize(
    "differ",
    [
        pay_one_satoshi_more,
        pay_somebody_else,
        leave_the_last_output_out,
        pay_one_output_more,
        leave_the_last_coin_out,
    ],
)
async def test_a_signed_transaction_that_is_not_the_proposed_one_is_refused(
    world: ObservedWorld, alice: OpenWallet, differ: Any
) -> None:
    await world.fund(alice, 5_000, count=2)
    storage = alice.provider.for_user(await alice.provider.find_user(alice.identity_key))
    asked = validate_create_action(payment_to(NOWHERE, 7_000), None)
    proposal = await storage.create_action(asked)
    assert len(proposal.inputs) == 2
    path = world.path("alice")
    counts, coins = row_counts(path), coins_of(path)
    for proposed, is_honest in ((differ(proposal), False), (proposal, True)):
        signed = sign(ALICE, prepare(ALICE, asked, proposed))
        args = ProcessActionArgs(proposal.reference, signed.txid, signed.raw, is_delayed=False)
        if is_honest:
            await storage.process_action(args)
            assert world.services.posted == [signed.txid]
            continue
        with pytest.raises(WERR_INVALID_OPERATION):
            await storage.process_action(args)
        assert world.services.posts == []
        assert (row_counts(path), coins_of(path)) == (counts, coins)
