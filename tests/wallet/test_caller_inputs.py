"""createAction with inputs of the caller's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wallet_world import World

pytestmark = pytest.mark.anyio

TOKEN, UNLOCK = "7551", "00"


async def test_inputs_without_outputs_become_change(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 2_000)
        output = {"lockingScript": TOKEN, "satoshis": 500, "outputDescription": "a token", "basket": "tokens"}
        options = {"randomizeOutputs": False}
        made = await alice.create_action({"description": "a token", "outputs": [output], "options": options})
        before = await alice.balance()
        token: Any = {"outpoint": f"{made['txid']}.0", "inputDescription": "the token", "unlockingScript": UNLOCK}
        await alice.create_action({"description": "redeem it", "inputs": [token]})
        assert 490 <= await alice.balance() - before < 500
        world.assert_sound()
