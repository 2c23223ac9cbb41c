"""A wallet with a past: its file holds an action in every state that the doctor has rules about."""

from __future__ import annotations

from pathlib import Path

import pytest

from bsv_wallet_toolbox.brc100.create_action import validate_create_action
from bsv_wallet_toolbox.errors import WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from wallet_world import NOWHERE, World, payment_to

COIN = 10_000


async def refused(wallet: OpenWallet, satoshis: int) -> None:
    with pytest.raises(WERR_REVIEW_ACTIONS):
        await wallet.create_action(payment_to(NOWHERE, satoshis, delayed=False))


async def live(world: World) -> None:
    """alice is funded and pays; one payment is mined, one freed its coin, one holds it, one is unproven, one waits to
    be sent, one was never signed. bob was paid twice."""
    async with world.wallet("alice") as alice, world.wallet("bob") as bob:
        await world.fund(alice, COIN, 8)
        await world.pay("alice", bob, alice, 1_000)
        world.chain.mine()
        await alice.monitor.run_until_idle()
        await bob.monitor.run_until_idle()

        world.services.faults.set("post_beef", Fault.FEE_TOO_LOW)
        await refused(alice, 5_000)
        world.services.faults.set("is_utxo", Fault.UNAVAILABLE)
        await refused(alice, 6_000)
        world.services.faults.clear()

        await world.pay("alice", bob, alice, 2_000)
        in_basket = {
            "lockingScript": "51",
            "satoshis": 10,
            "outputDescription": "a token",
            "basket": "tokens",
            "tags": ["red"],
        }
        await alice.create_action({"description": "a token", "outputs": [in_basket], "labels": ["tokens"]})
        scope = await alice.provider.find_user(alice.identity_key)
        await alice.provider.for_user(scope).create_action(validate_create_action(payment_to(NOWHERE, 300)))


def copy(source: Path, target: Path) -> Path:
    target.write_bytes(source.read_bytes())
    return target
