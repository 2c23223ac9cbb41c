"""A storage that lies gets no signature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.storage import ActionInput, ActionOutput, ActionProposal, OutputPurpose, ProvidedBy
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.fee import FeeModel
from bsv_wallet_toolbox.transactions.tx import parse_transaction
from bsv_wallet_toolbox.wallet.signer import SigningLimits
from bsv_wallet_toolbox.wallet.wallet import Wallet
from storage_adapters import Hostile
from wallet_file import coins_of, row_counts
from wallet_world import NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

Tamper = Callable[[ActionProposal], ActionProposal]
THIEF = bytes.fromhex("76a914" + "66" * 20 + "88ac")


def output(index: int, **changed: Any) -> Tamper:
    def tamper(proposal: ActionProposal) -> ActionProposal:
        outputs = list(proposal.outputs)
        outputs[index] = outputs[index]._replace(**changed)
        return proposal._replace(outputs=tuple(outputs))

    return tamper


def entry(index: int, **changed: Any) -> Tamper:
    """Change an input."""

    def tamper(proposal: ActionProposal) -> ActionProposal:
        inputs = list(proposal.inputs)
        inputs[index] = inputs[index]._replace(**changed)
        return proposal._replace(inputs=tuple(inputs))

    return tamper


def add_output(**facts: Any) -> Tamper:
    def tamper(proposal: ActionProposal) -> ActionProposal:
        extra = ActionOutput(len(proposal.outputs), 1, THIEF, ProvidedBy.STORAGE)
        return proposal._replace(outputs=(*proposal.outputs, extra._replace(**facts)))

    return tamper


def add_satoshis(index: int, satoshis: int) -> Tamper:
    return lambda proposal: output(index, satoshis=proposal.outputs[index].satoshis + satoshis)(proposal)


def spend_one_coin_twice(proposal: ActionProposal) -> ActionProposal:
    again: ActionInput = proposal.inputs[0]._replace(vin=len(proposal.inputs))
    return proposal._replace(inputs=(*proposal.inputs, again))


def drop_the_payment(proposal: ActionProposal) -> ActionProposal:
    return proposal._replace(outputs=())


def swap_the_first_two(proposal: ActionProposal) -> ActionProposal:
    first, second, *rest = proposal.outputs
    return proposal._replace(outputs=(second, first, *rest))


LIES: dict[str, tuple[Tamper, str]] = {
    "another script": (output(0, locking_script=THIEF), "output.lockingScript"),
    "more satoshis": (add_satoshis(0, 1), "output.satoshis"),
    "fewer satoshis": (add_satoshis(0, -1), "output.satoshis"),
    "an output more": (add_output(provided_by=ProvidedBy.YOU), "storage outputs"),
    "an output of its own": (add_output(), "storage outputs"),
    "a commission nobody agreed to": (add_output(purpose=OutputPurpose.COMMISSION), "storage service charge"),
    "change to a script of its own, called ours": (
        add_output(provided_by=ProvidedBy.YOU, purpose=OutputPurpose.CHANGE),
        "storage outputs",
    ),
    "the payment called change": (
        output(0, provided_by=ProvidedBy.STORAGE, purpose=OutputPurpose.CHANGE, derivation_suffix="c3VmZml4"),
        "output.providedBy",
    ),
    "the payment called its own": (output(0, provided_by=ProvidedBy.STORAGE), "output.providedBy"),
    "change called the payment": (swap_the_first_two, "output.providedBy"),
    "no outputs": (drop_the_payment, "storage outputs"),
    "two outputs in one place": (lambda p: output(1, vout=p.outputs[0].vout)(p), "output.vout"),
    "a place left empty": (lambda p: output(1, vout=len(p.outputs))(p), "output.vout"),
    "change without a key": (output(1, derivation_suffix=None), "output.derivationSuffix"),
    "a coin twice": (spend_one_coin_twice, "storage inputs"),
    "an input that comes second first": (entry(0, vin=1), "input.vin"),
    "an input of another kind": (entry(0, type="custom"), "type"),
    "more paid out than taken in": (add_satoshis(1, 10_000_000), "storage inputs"),
    "an absurd fee": (add_satoshis(1, -20_000), "storage fee"),
    "the script of somebody else's coin": (entry(0, source_locking_script=THIEF), "inputs[0].sourceLockingScript"),
    "the key of another coin": (entry(0, derivation_suffix="b3RoZXI="), "inputs[0].sourceLockingScript"),
    "a coin worth more": (
        lambda p: entry(0, source_satoshis=p.inputs[0].source_satoshis + 1)(p),
        "inputs[0].sourceSatoshis",
    ),
    "another lock time": (lambda p: p._replace(lock_time=500), "storage version, lockTime"),
    "another version": (lambda p: p._replace(version=2), "storage version, lockTime"),
}


def wallet_over(alice: OpenWallet, world: World, tamper: Tamper) -> tuple[Wallet, Hostile]:
    storage = Hostile(alice._storage, tamper)  # type: ignore[arg-type]
    return Wallet(KeyDeriver(key_of("alice")), storage, world.services), storage


@pytest.mark.parametrize("lie", LIES)
async def test_a_lying_storage_is_refused_before_anything_is_signed(world: World, alice: OpenWallet, lie: str) -> None:
    tamper, parameter = LIES[lie]
    await world.fund(alice, 100_000)
    path = world.path("alice")
    counts, coins = row_counts(path), coins_of(path)
    deceived, storage = wallet_over(alice, world, tamper)
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await deceived.create_action(payment_to(NOWHERE, 1000))
    assert refused.value.parameter == parameter
    assert storage.signed == []
    assert (row_counts(path), coins_of(path)) == (counts, coins)


async def test_an_outpoint_beyond_its_transaction_is_refused(world: World, alice: OpenWallet) -> None:
    funding = await world.fund(alice, 100_000)
    deceived, storage = wallet_over(alice, world, entry(0, source_vout=9))
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await deceived.create_action(payment_to(NOWHERE, 1000))
    assert refused.value.parameter == f"{funding}.9"
    assert storage.signed == []


async def test_places_may_be_shuffled_only_when_the_caller_lets_them(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 100_000)

    def swap_places(proposal: ActionProposal) -> ActionProposal:
        first, second, *rest = proposal.outputs
        swapped = (first._replace(vout=second.vout), second._replace(vout=first.vout))
        return proposal._replace(outputs=(*swapped, *rest))

    deceived, storage = wallet_over(alice, world, swap_places)
    args = payment_to(NOWHERE, 1000)
    args["options"]["randomizeOutputs"] = False
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await deceived.create_action(args)
    assert refused.value.parameter == "output.vout"
    assert storage.signed == []


async def test_change_goes_to_our_own_key_whatever_script_storage_names(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 100_000)
    seen: list[ActionProposal] = []

    def name_a_script(proposal: ActionProposal) -> ActionProposal:
        seen.append(proposal)
        return output(1, locking_script=THIEF)(proposal)

    deceived, storage = wallet_over(alice, world, name_a_script)
    await deceived.create_action(payment_to(NOWHERE, 1000))
    view = parse_transaction(storage.signed[0].raw)
    assert THIEF not in [each.locking_script for each in view.outputs]
    change = seen[0].outputs[1]
    own = brc29.lock_for_self(KeyDeriver(key_of("alice")), seen[0].derivation_prefix, str(change.derivation_suffix))
    assert view.outputs[change.vout].locking_script == own


async def test_the_honest_proposal_is_signed(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 100_000)
    honest, storage = wallet_over(alice, world, lambda proposal: proposal)
    created = await honest.create_action(payment_to(NOWHERE, 1000))
    view = Beef.parse(created["tx"]).view(created["txid"])
    assert view is not None
    assert view.raw == storage.signed[0].raw


async def test_the_owner_sets_the_highest_fee(world: World) -> None:
    limits = SigningLimits(max_fee_rate=100, always_allowed_fee=0)
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        async with world.wallet("alice", limits=limits, fee_rate=200):
            pass
    assert refused.value.parameter == "fee_rate"
    assert not world.path("alice").exists()
    async with world.wallet("alice", limits=limits, fee_rate=100) as alice:
        await world.fund(alice, 100_000)
        alice.provider.policy = replace(alice.provider.policy, fee_model=FeeModel(value=200))
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await alice.create_action(payment_to(NOWHERE, 1000))
        assert refused.value.parameter == "storage fee"
        assert await alice.balance() == 100_000
