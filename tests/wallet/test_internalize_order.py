"""Payments that come in out of order: the spender of an output before the output itself."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.templates import brc29, p2pkh
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    build_transaction,
    parse_transaction,
    signature_hash,
)
from wallet_world import FUNDER, World, key_of, remittance

pytestmark = pytest.mark.anyio

PREFIX = b64encode(b"order").decode()
PARENT, CHILD = b64encode(b"parent").decode(), b64encode(b"child").decode()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def payment(beef: bytes, suffix: str) -> dict[str, object]:
    return {
        "tx": beef,
        "description": "a payment",
        "outputs": [
            {
                "outputIndex": 0,
                "protocol": "wallet payment",
                "paymentRemittance": remittance(FUNDER, PREFIX, suffix),
            }
        ],
    }


def parent_and_child(world: World, alice: OpenWallet) -> tuple[bytes, bytes]:
    """AtomicBEEFs of a payment to alice and of a transaction, made with her key elsewhere, that spends it to her."""
    deriver = KeyDeriver(key_of("alice"))
    lock = brc29.lock_to(FUNDER, alice.identity_key, PREFIX, PARENT)
    funded = world.services.fund(lock, 5_000)
    to_child = OutputSpec(4_900, brc29.lock_to(FUNDER, alice.identity_key, PREFIX, CHILD))
    unsigned = parse_transaction(build_transaction([InputSpec(funded.txid, funded.vout)], [to_child]))
    digest = signature_hash(unsigned, 0, 5_000, lock)
    private_key = brc29.unlocking_key(deriver, FUNDER.identity_key, PREFIX, PARENT)
    public_key = brc29.unlocking_public_key(deriver, FUNDER.identity_key, PREFIX, PARENT)
    unlock = p2pkh.unlock(digest, private_key, public_key)
    raw = build_transaction([InputSpec(funded.txid, funded.vout, unlock)], [to_child])
    beef = Beef.parse(funded.beef)
    child = beef.merge_transaction(raw)
    return funded.beef, beef.to_atomic(child)


async def test_an_output_whose_spender_came_first_is_spent_when_it_comes(world: World) -> None:
    async with world.wallet("alice") as alice:
        parent, child = parent_and_child(world, alice)
        await alice.internalize_action(payment(child, CHILD))
        assert await alice.balance() == 4_900
        await alice.internalize_action(payment(parent, PARENT))
        assert await alice.balance() == 4_900
        listed = await alice.list_outputs({"basket": "default", "limit": 10})
        assert [output["satoshis"] for output in listed["outputs"]] == [4_900]
    world.assert_sound("alice")


async def test_an_output_that_its_spender_follows_is_spent_by_it(world: World) -> None:
    async with world.wallet("alice") as alice:
        parent, child = parent_and_child(world, alice)
        await alice.internalize_action(payment(parent, PARENT))
        assert await alice.balance() == 5_000
        await alice.internalize_action(payment(child, CHILD))
        assert await alice.balance() == 4_900
    world.assert_sound("alice")


async def test_a_spent_output_can_not_change_its_protocol(world: World) -> None:
    async with world.wallet("alice") as alice:
        parent, child = parent_and_child(world, alice)
        await alice.internalize_action(payment(parent, PARENT))
        await alice.internalize_action(payment(child, CHILD))
        insertion = {"outputIndex": 0, "protocol": "basket insertion", "insertionRemittance": {"basket": "tokens"}}
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await alice.internalize_action({"tx": parent, "description": "too late", "outputs": [insertion]})
        assert refused.value.parameter == "outputs"
        assert await alice.balance() == 4_900
    world.assert_sound("alice")
