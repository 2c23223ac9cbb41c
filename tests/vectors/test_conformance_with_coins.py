"""The conformance vectors that an empty wallet can't answer: each is given what its placeholders stand for.

A placeholder transaction becomes a real one whose outputs are locked as the vector says, a placeholder outpoint an
output that is in the basket, and a placeholder reference that of an action of the state the vector tells of.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import apsw
import pytest
from conformance import DATA, WITHOUT_DATA, Vector, answers, load

from bsv_wallet_toolbox.doctor import examine
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.tx import OutputSpec
from wallet_world import NOWHERE, World, payment_to

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not DATA, reason=WITHOUT_DATA)]

WalletOf = Callable[[bytes], AbstractAsyncContextManager[OpenWallet]]

SENDER = KeyDeriver(bytes(31) + b"\x01")
"""Payments of the vectors are said to come from this key."""


def placeholders(category: str) -> list[Vector]:
    return [vector for vector in load(category) if not vector.runs]


def test_no_vector_is_left_out() -> None:
    found = [len(placeholders(each)) for each in ("abortaction", "internalizeaction", "relinquishoutput")]
    assert found == [6, 8, 6]


def with_transaction(vector: Vector, world: World, wallet: OpenWallet) -> dict[str, Any]:
    """The arguments with a proven transaction that has one output for every entry, in their order.

    The vectors put two entries on one output, which can't hold both a payment and a token, and a token into the
    basket that is kept for change.
    """
    outputs, entries = [], []
    for vout, entry in enumerate(vector.args["outputs"]):
        payment, insertion = entry.get("paymentRemittance"), entry.get("insertionRemittance")
        if payment is not None:
            assert payment["senderIdentityKey"] == SENDER.identity_key
            names = payment["derivationPrefix"], payment["derivationSuffix"]
            outputs.append(OutputSpec(1000 + vout, brc29.lock_to(SENDER, wallet.identity_key, *names)))
        else:
            outputs.append(OutputSpec(1000 + vout, b"\x51"))
            if insertion["basket"] == "default":
                entry = entry | {"insertionRemittance": insertion | {"basket": "tokens"}}
        entries.append(entry | {"outputIndex": vout})
    funded = world.services.fund_many(outputs)
    return vector.args | {"tx": funded[0].beef, "outputs": entries}


@pytest.mark.parametrize("vector", placeholders("internalizeaction"), ids=str)
async def test_an_incoming_transaction_is_taken_in(
    vector: Vector, world: World, wallet_of: WalletOf, path: Path
) -> None:
    async with wallet_of(vector.root_key) as wallet:
        args = with_transaction(vector, world, wallet)
        assert answers(await vector.call(wallet, args), vector.expected)

        payments = [vout for vout, entry in enumerate(args["outputs"]) if "paymentRemittance" in entry]
        assert await wallet.balance() == sum(1000 + vout for vout in payments)
        for entry in args["outputs"]:
            insertion = entry.get("insertionRemittance")
            if insertion is None:
                continue
            listed = await wallet.list_outputs(
                {"basket": insertion["basket"], "includeCustomInstructions": True, "includeTags": True}
            )
            assert listed["totalOutputs"] == 1
            (output,) = listed["outputs"]
            assert output["outpoint"].endswith(f".{entry['outputIndex']}")
            assert output.get("customInstructions") == insertion.get("customInstructions")
            assert sorted(output["tags"]) == sorted(insertion.get("tags", []))
        labels = args.get("labels", [])
        actions = await wallet.list_actions({"labels": labels, "labelQueryMode": "all", "includeLabels": True})
        assert [action["description"] for action in actions["actions"]] == [args["description"]]
        assert sorted(actions["actions"][0]["labels"]) == sorted(labels)
    assert examine(path).is_healthy


@pytest.mark.parametrize(
    "vector", [each for each in placeholders("internalizeaction") if each.id.endswith((".3", ".9"))], ids=str
)
async def test_what_had_to_be_changed_in_a_vector_is_refused_as_it_stands(
    vector: Vector, world: World, wallet_of: WalletOf
) -> None:
    async with wallet_of(vector.root_key) as wallet:
        args = with_transaction(vector, world, wallet) | {"outputs": vector.args["outputs"]}
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await vector.call(wallet, args)
        assert refused.value.parameter == ("outputs" if vector.id.endswith(".3") else "basket")
        assert await wallet.balance() == 0


async def test_an_output_index_that_a_real_transaction_does_not_have_is_refused(
    world: World, wallet_of: WalletOf
) -> None:
    (vector,) = (each for each in load("internalizeaction") if each.id.endswith(".7"))
    async with wallet_of(vector.root_key) as wallet:
        real = with_transaction(vector, world, wallet)
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await vector.call(wallet, real | {"outputs": vector.args["outputs"]})
        assert refused.value.parameter == "outputIndex"


async def outputs_in(basket: str, world: World, wallet: OpenWallet) -> str:
    """Give the wallet a transaction with two outputs in ``basket``; its txid."""
    if basket == "default":
        return await world.fund(wallet, 1000, count=2)
    funded = world.services.fund_many([OutputSpec(1000, b"\x51")] * 2)
    entries = [
        {"outputIndex": vout, "protocol": "basket insertion", "insertionRemittance": {"basket": basket}}
        for vout in range(2)
    ]
    args: Any = {"tx": funded[0].beef, "description": "two outputs", "outputs": entries}
    assert (await wallet.internalize_action(args))["accepted"]
    return funded[0].txid


@pytest.mark.parametrize("vector", placeholders("relinquishoutput"), ids=str)
async def test_an_output_of_the_basket_is_relinquished(
    vector: Vector, world: World, wallet_of: WalletOf, path: Path
) -> None:
    basket, vout = vector.args["basket"], int(vector.args["output"].split(".")[1])
    async with wallet_of(vector.root_key) as wallet:
        txid = await outputs_in(basket, world, wallet)
        other = await outputs_in("other", world, wallet)
        args = {"basket": basket, "output": f"{txid}.{vout}"}
        with pytest.raises(WERR_INVALID_PARAMETER):
            await vector.call(wallet, {"basket": basket, "output": f"{other}.{vout}"})
        assert answers(await vector.call(wallet, args), vector.expected)
        listed = await wallet.list_outputs({"basket": basket})
        assert [output["outpoint"] for output in listed["outputs"]] == [f"{txid}.{1 - vout}"]
        with pytest.raises(WERR_INVALID_PARAMETER):
            await vector.call(wallet, args)
    assert examine(path).is_healthy


def remember(path: Path, txid: str, reference: str, *, held_back: bool) -> None:
    """Give the action of a closed file a reference, and the state of one that was made not to be sent."""
    file = apsw.Connection(str(path))
    try:
        file.execute("UPDATE transactions SET reference = ? WHERE txid = ?", (reference, txid))
        if held_back:
            file.execute("UPDATE transactions SET status = 'nosend' WHERE txid = ?", (txid,))
            file.execute("UPDATE proven_tx_reqs SET status = 'nosend' WHERE txid = ?", (txid,))
            file.execute("DELETE FROM bwt_jobs")
    finally:
        file.close()


async def pay(wallet: OpenWallet, originator: str | None, *, delayed: bool) -> str:
    """Spend the only coin for an app; the txid."""
    args: Any = payment_to(NOWHERE, 600, delayed=delayed)
    return (await wallet.create_action(args, originator))["txid"]


@pytest.mark.parametrize("vector", placeholders("abortaction"), ids=str)
async def test_an_action_of_that_reference(vector: Vector, world: World, wallet_of: WalletOf, path: Path) -> None:
    async with wallet_of(vector.root_key) as wallet:
        await world.fund(wallet, 1000)
        txid = await pay(wallet, vector.originator, delayed=not vector.must_fail)
        rest = await wallet.balance()
    remember(path, txid, vector.args["reference"], held_back=not vector.must_fail)

    async with wallet_of(vector.root_key) as wallet:
        if vector.must_fail:
            with pytest.raises(WERR_INVALID_PARAMETER) as refused:
                await vector.call(wallet)
            assert refused.value.parameter == "reference"
            assert await wallet.balance() == rest
        else:
            assert answers(await vector.call(wallet), vector.expected)
            assert await wallet.balance() == 1000
            with pytest.raises(WERR_INVALID_PARAMETER):
                await vector.call(wallet)
    assert examine(path).is_healthy
