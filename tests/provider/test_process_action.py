"""processAction: what is signed must be what was proposed, and the store may know the transaction already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from bsv_wallet_toolbox.brc100.actions import validate_internalize_action
from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction, validate_create_action
from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.interfaces.statuses import SendWithStatus
from bsv_wallet_toolbox.interfaces.storage import ActionProposal, OutputPurpose, ProcessActionArgs
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.provider.user_storage import UserStorage
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import TransactionView, parse_transaction
from bsv_wallet_toolbox.wallet.signer import prepare, sign
from incoming_payments import insertion_entry, internalize_args
from wallet_file import rows
from wallet_world import FUNDER, NOWHERE, World, key_of, payment_to, remittance

pytestmark = pytest.mark.anyio

ALICE = KeyDeriver(key_of("alice"))


@dataclass(frozen=True)
class Proposed:
    storage: UserStorage
    asked: ValidCreateAction
    proposal: ActionProposal

    def sign(self, proposal: ActionProposal | None = None) -> TransactionView:
        return sign(ALICE, prepare(ALICE, self.asked, proposal or self.proposal))

    def args(self, signed: TransactionView, *, delayed: bool = True) -> ProcessActionArgs:
        return ProcessActionArgs(self.proposal.reference, signed.txid, signed.raw, delayed)


async def propose(alice: OpenWallet, **extra: Any) -> Proposed:
    storage = alice.provider.for_user(await alice.provider.find_user(alice.identity_key))
    args = validate_create_action(payment_to(NOWHERE, 1000, **extra), None)
    return Proposed(storage, args, await storage.create_action(args))


async def internalize_as_another_user(alice: OpenWallet, proposed: Proposed, signed: TransactionView) -> None:
    """Somebody else with an account in the same store was given the signed transaction, and takes its output in."""
    other = alice.provider.for_user(await alice.provider.find_or_insert_user(FUNDER.identity_key))
    raw = signed_beef(proposed, signed)
    scripts = [output.locking_script.hex() for output in parse_transaction(signed.raw).outputs]
    args = validate_internalize_action(internalize_args(raw, insertion_entry(scripts.index(NOWHERE))), None)
    await other.internalize_action(args, await other.verify_incoming(raw))


def signed_beef(proposed: Proposed, signed: TransactionView) -> bytes:
    beef = proposed.proposal.input_beef
    assert beef is not None
    shown = Beef.parse(beef.to_bytes())
    shown.merge_transaction(signed.raw)
    return shown.to_atomic(signed.txid)


def change_entries(proposed: Proposed) -> list[dict[str, Any]]:
    """The change of the proposal, as payments that the wallet made to itself."""
    return [
        {
            "outputIndex": output.vout,
            "protocol": "wallet payment",
            "paymentRemittance": remittance(ALICE, proposed.proposal.derivation_prefix, str(output.derivation_suffix)),
        }
        for output in proposed.proposal.outputs
        if output.purpose is OutputPurpose.CHANGE
    ]


def statuses(world: World, txid: str) -> list[tuple[str, str]]:
    """Of the transaction (of each user) and of the req."""
    joined = "SELECT t.status, r.status FROM transactions t JOIN proven_tx_reqs r USING (txid) WHERE txid = ?"
    return [(status, req_status) for status, req_status in rows(world.path("alice"), joined, txid)]


async def test_an_input_that_was_not_proposed_is_refused(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, count=2)
        proposed = await propose(alice)
        (taken,) = proposed.proposal.inputs
        path = world.path("alice")
        free = "SELECT vout, derivationPrefix, derivationSuffix FROM outputs WHERE transactionId = 1 AND spendable = 1"
        ((vout, prefix, suffix),) = rows(path, free)
        other = taken._replace(vin=1, source_vout=vout, derivation_prefix=prefix, derivation_suffix=suffix)
        signed = proposed.sign(proposed.proposal._replace(inputs=(taken, other._replace(source_locking_script=b""))))
        assert len(parse_transaction(signed.raw).inputs) == 2
        with pytest.raises(WERR_INVALID_OPERATION):
            await proposed.storage.process_action(proposed.args(signed, delayed=False))
        assert world.chain.transaction_of(signed.txid) is None
        assert rows(path, "SELECT status FROM transactions WHERE isOutgoing = 1") == ["unsigned"]
        await proposed.storage.process_action(proposed.args(proposed.sign(), delayed=False))
    world.assert_sound("alice")


@pytest.mark.parametrize("version", [0, 1, 2])
async def test_any_version_that_was_asked_for_can_be_processed(world: World, version: int) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        proposed = await propose(alice, version=version)
        signed = proposed.sign()
        assert parse_transaction(signed.raw).version == version
        await proposed.storage.process_action(proposed.args(signed))
        assert statuses(world, signed.txid) == [("sending", "unsent")]


async def test_another_version_than_asked_for_is_refused(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        proposed = await propose(alice, version=0)
        signed = proposed.sign(proposed.proposal._replace(version=1))
        with pytest.raises(WERR_INVALID_OPERATION):
            await proposed.storage.process_action(proposed.args(signed))


async def test_it_is_processed_once(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        proposed = await propose(alice)
        args = proposed.args(proposed.sign())
        await proposed.storage.process_action(args)
        with pytest.raises(WERR_INVALID_OPERATION):
            await proposed.storage.process_action(args)
        assert rows(world.path("alice"), "SELECT count(*) FROM bwt_jobs") == [0]


@pytest.mark.parametrize("delayed", [True, False])
@pytest.mark.parametrize("mined", [False, True])
async def test_it_joins_what_another_user_brought_to_the_network(world: World, mined: bool, delayed: bool) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, count=2)
        proposed = await propose(alice)
        signed = proposed.sign()
        await internalize_as_another_user(alice, proposed, signed)
        if mined:
            world.chain.mine()
            await alice.monitor.run_until_idle()
        posts = world.services.calls["post_beef"]
        result = await proposed.storage.process_action(proposed.args(signed, delayed=delayed))
        assert [each.status for each in result.send_with_results] == [SendWithStatus.UNPROVEN]
        assert world.services.calls["post_beef"] == posts, "it is not sent again"
        known = ("completed", "completed") if mined else ("unproven", "unmined")
        assert statuses(world, signed.txid) == [known] * 2
        world.chain.mine()
        await alice.monitor.run_until_idle()
        assert statuses(world, signed.txid) == [("completed", "completed")] * 2
    world.assert_sound("alice")


async def test_it_is_sent_when_nobody_has_sent_it_yet(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, count=2)
        proposed = await propose(alice)
        signed = proposed.sign()
        world.services.faults.set("post_beef", Fault.UNAVAILABLE, times=1)
        await internalize_as_another_user(alice, proposed, signed)
        result = await proposed.storage.process_action(proposed.args(signed, delayed=False))
        assert [each.status for each in result.send_with_results] == [SendWithStatus.UNPROVEN]
        assert statuses(world, signed.txid) == [("unproven", "unmined")] * 2
    world.assert_sound("alice")


async def test_it_does_not_join_what_can_not_be_mined(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, count=2)
        proposed = await propose(alice)
        signed = proposed.sign()
        world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
        with pytest.raises(WERR_REVIEW_ACTIONS):
            await internalize_as_another_user(alice, proposed, signed)
        with pytest.raises(WERR_INVALID_PARAMETER):
            await proposed.storage.process_action(proposed.args(signed))
        assert rows(world.path("alice"), "SELECT status FROM transactions WHERE isOutgoing = 1") == ["unsigned"]


@pytest.mark.parametrize("delayed", [True, False])
@pytest.mark.parametrize("what", ["change", "payment", "mined"])
async def test_what_was_internalized_before_it_was_processed_is_one_action(
    world: World, what: str, delayed: bool
) -> None:
    """The signed transaction comes back to its own wallet before the processAction of its maker arrives."""
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        proposed = await propose(alice, labels=["mine"])
        signed = proposed.sign()
        raw, entries = signed_beef(proposed, signed), change_entries(proposed)
        if what == "payment":
            scripts = [output.locking_script.hex() for output in signed.outputs]
            entries = [insertion_entry(scripts.index(NOWHERE), "receipts")]
        if what == "mined":
            world.chain.accept(signed)
            world.chain.mine()
            raw = world.chain.beef_of(signed.txid).to_atomic(signed.txid)
        taken = await alice.internalize_action(internalize_args(raw, *entries))
        assert (taken["isMerge"], taken["satoshis"], await alice.balance()) == (True, 0, 8_999)
        posts = world.services.calls["post_beef"]
        result = await proposed.storage.process_action(proposed.args(signed, delayed=delayed))
        assert [each.status for each in result.send_with_results] == [SendWithStatus.UNPROVEN]
        assert world.services.calls["post_beef"] == posts, "it is not sent again"
        with pytest.raises(WERR_INVALID_OPERATION):
            await proposed.storage.process_action(proposed.args(signed, delayed=delayed))
        assert statuses(world, signed.txid) == [
            ("completed", "completed") if what == "mined" else ("unproven", "unmined")
        ]
        assert await alice.balance() == 8_999
        assert rows(world.path("alice"), "SELECT isOutgoing, satoshis FROM transactions WHERE transactionId > 1") == [
            (1, -1_001)
        ]
        assert rows(world.path("alice"), "SELECT spendable, spentBy FROM outputs WHERE transactionId = 1") == [(0, 2)]
        assert (await alice.list_actions({"labels": ["mine"]}))["totalActions"] == 1
        kept = await alice.list_outputs({"basket": "receipts"})
        assert kept["totalOutputs"] == (what == "payment")
        world.assert_sound("alice")
        await alice.create_action(payment_to(NOWHERE, 8_000, delayed=False))
    world.assert_sound("alice")


async def test_what_was_internalized_is_not_given_up_when_it_is_never_processed(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        proposed = await propose(alice)
        signed = proposed.sign()
        world.services.faults.set("post_beef", Fault.UNAVAILABLE)
        await alice.internalize_action(internalize_args(signed_beef(proposed, signed), *change_entries(proposed)))
        world.clock.advance(3_600_000)
        await alice.monitor.run_until_idle()
        assert statuses(world, signed.txid) == [("sending", "unsent")]
        assert await alice.balance() == 8_999
        world.services.faults.clear()
        world.clock.advance(3_600_000)
        await alice.monitor.run_until_idle()
        assert statuses(world, signed.txid) == [("unproven", "unmined")]
        world.chain.mine()
        await alice.monitor.run_until_idle()
        assert statuses(world, signed.txid) == [("completed", "completed")]
    world.assert_sound("alice")


async def test_what_was_internalized_and_not_sent_is_sent_when_it_is_processed(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        proposed = await propose(alice)
        signed = proposed.sign()
        world.services.faults.set("post_beef", Fault.UNAVAILABLE, times=1)
        await alice.internalize_action(internalize_args(signed_beef(proposed, signed), *change_entries(proposed)))
        assert statuses(world, signed.txid) == [("sending", "unsent")]
        result = await proposed.storage.process_action(proposed.args(signed, delayed=False))
        assert [each.status for each in result.send_with_results] == [SendWithStatus.UNPROVEN]
        assert statuses(world, signed.txid) == [("unproven", "unmined")]
    world.assert_sound("alice")


async def test_an_app_that_is_refused_the_change_of_an_unsigned_action_commits_nothing(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        proposed = await propose(alice)
        signed = proposed.sign()
        vout = change_entries(proposed)[0]["outputIndex"]
        with pytest.raises(WERR_INVALID_PARAMETER):
            await alice.internalize_action(
                internalize_args(signed_beef(proposed, signed), insertion_entry(vout)), "shop.example"
            )
        assert rows(world.path("alice"), "SELECT status FROM transactions WHERE isOutgoing = 1") == ["unsigned"]
        await proposed.storage.process_action(proposed.args(signed, delayed=False))
    world.assert_sound("alice")


async def test_coins_of_an_abandoned_action_that_another_transaction_spends_are_not_free(world: World) -> None:
    """Another copy of the wallet spent them: it has the same keys and other plans."""
    path = world.path("alice")
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        proposed = await propose(alice)
        paying, *change = proposed.proposal.outputs
        elsewhere = proposed.proposal._replace(outputs=(paying._replace(satoshis=3000), *change[:1]))
        outputs = tuple(output._replace(vout=place) for place, output in enumerate(elsewhere.outputs))
        signed = proposed.sign(elsewhere._replace(outputs=outputs))
        await alice.internalize_action(internalize_args(signed_beef(proposed, signed), insertion_entry(0)))
        world.clock.advance(400_000)
        await alice.monitor.run_until_idle()
        abandoned = "SELECT count(*) FROM transactions WHERE status = 'failed'"
        assert rows(path, abandoned) == [1]
        spender = (
            "SELECT t.txid FROM outputs o JOIN transactions t ON t.transactionId = o.spentBy WHERE o.satoshis = 10000"
        )
        assert rows(path, spender) == [signed.txid]
        assert await alice.balance() == 0
    world.assert_sound("alice")
