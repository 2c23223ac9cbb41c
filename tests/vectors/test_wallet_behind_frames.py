"""A wallet that is asked and answers in binary frames only, and whose answers lose nothing on the way."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bsv_wallet_toolbox.brc100.wire.frames import (
    decode_request,
    decode_result,
    encode_error,
    encode_request,
    encode_result,
)
from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WalletError
from bsv_wallet_toolbox.opening import OpenWallet
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio


async def answer(wallet: OpenWallet, frame: bytes) -> tuple[bytes, Any]:
    """What a transport does with a request; the frame that goes back and what the wallet itself said."""
    method, originator, args = decode_request(frame)
    try:
        result = await getattr(wallet, re.sub(r"(?=[A-Z])", "_", method).lower())(args, originator)
    except WalletError as error:
        return encode_error(error), error
    return encode_result(method, result), result


async def ask(wallet: OpenWallet, method: str, args: Any, originator: str | None = None) -> Any:
    """Ask over the wire; what comes back must be what the wallet said."""
    frame, said = await answer(wallet, encode_request(method, args, originator))
    read = decode_result(method, frame)
    if isinstance(said, WalletError):
        assert isinstance(read, type(said))
        assert (read.message, read.code) == (said.message, said.code)
    else:
        assert read == said
    return read


async def test_a_payment_is_made_and_listed_in_frames(world: World) -> None:
    async with world.wallet("payer") as wallet:
        await world.fund(wallet, 10_000, count=2)
        args = payment_to(NOWHERE, 700, delayed=False, labels=["rent"])
        output = args["outputs"][0]
        args["outputs"] = [output | {"basket": "receipts", "tags": ["may"], "customInstructions": "keep"}]
        created = await ask(wallet, "createAction", args, "app.example.com")
        assert created["sendWithResults"] == [{"txid": created["txid"], "status": "unproven"}]

        everything = {
            "includeLabels": True,
            "includeInputs": True,
            "includeInputSourceLockingScripts": True,
            "includeInputUnlockingScripts": True,
            "includeOutputs": True,
            "includeOutputLockingScripts": True,
        }
        listed = await ask(wallet, "listActions", {"labels": [], **everything})
        assert [action["satoshis"] < 0 for action in listed["actions"]] == [False, True]
        assert listed["actions"][1]["txid"] == created["txid"]
        assert listed["actions"][1]["labels"] == ["rent"]

        kept = {"includeCustomInstructions": True, "includeTags": True, "includeLabels": True}
        for part in ("locking scripts", "entire transactions"):
            found = await ask(wallet, "listOutputs", {"basket": "receipts", "include": part, **kept})
            assert found["outputs"][0]["customInstructions"] == "keep"
            assert found["outputs"][0]["tags"] == ["may"]
        assert created["txid"] in found["outputs"][0]["outpoint"]
        assert isinstance(found["BEEF"], bytes)
    world.assert_sound()


async def test_a_refusal_comes_back_as_what_it_is(world: World) -> None:
    async with world.wallet("poor") as wallet:
        refused = await ask(wallet, "createAction", payment_to(NOWHERE, 700))
        assert isinstance(refused, WERR_INSUFFICIENT_FUNDS)
        hidden = await ask(wallet, "listOutputs", {"basket": "default"}, "app.example.com")
        assert isinstance(hidden, WalletError)
        assert hidden.message == "Basket “default” is admin-only."
    world.assert_sound()


async def test_a_payment_from_outside_is_taken_in_by_a_frame(world: World) -> None:
    async with world.wallet("payee") as wallet:
        funded = world.services.fund(b"\x51", 1000)
        entry = {"outputIndex": 0, "protocol": "basket insertion", "insertionRemittance": {"basket": "tokens"}}
        args = {"tx": funded.beef, "description": "a token", "outputs": [entry], "labels": ["in"]}
        frame, said = await answer(wallet, encode_request("internalizeAction", args))
        assert said["satoshis"] == 0
        # What the wallet says beyond BRC-100 has no place in the frame.
        assert decode_result("internalizeAction", frame) == {"accepted": True}
        tokens = await ask(wallet, "listOutputs", {"basket": "tokens"})
        assert [output["outpoint"] for output in tokens["outputs"]] == [f"{funded.txid}.0"]
