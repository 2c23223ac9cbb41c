"""The same coins and outputs make the same transaction: once it came to nothing it can't be made a second time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.mockchain import Fault
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

EVERYTHING = 2_099_999_999_999_999
"""No change comes back, so nothing in the transaction is random."""


async def test_a_payment_that_was_refused_is_not_made_again_unchanged(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 2_000)
        world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
        with pytest.raises(WERR_REVIEW_ACTIONS):
            await alice.create_action(payment_to(NOWHERE, EVERYTHING, delayed=False))
        with pytest.raises(WERR_INVALID_OPERATION, match="failed or was aborted before"):
            await alice.create_action(payment_to(NOWHERE, EVERYTHING, delayed=False))
        assert await alice.balance() == 2_000
        world.assert_sound()
        await alice.create_action(payment_to(NOWHERE, 1_500, delayed=False))


async def test_an_aborted_payment_is_not_made_again_unchanged_in_one_step_or_two(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 2_000)
        args: Any = payment_to(NOWHERE, EVERYTHING) | {"options": {"noSend": True}}
        held = await alice.create_action(args)
        await alice.abort_action({"reference": held["txid"]})
        with pytest.raises(WERR_INVALID_OPERATION, match=held["txid"]):
            await alice.create_action(args)
        args["options"] = {"signAndProcess": False}
        waiting = (await alice.create_action(args))["signableTransaction"]
        with pytest.raises(WERR_INVALID_OPERATION, match=held["txid"]):
            await alice.sign_action({"reference": waiting["reference"], "spends": {}})
        await alice.abort_action({"reference": waiting["reference"]})
        assert await alice.balance() == 2_000
        world.assert_sound()
