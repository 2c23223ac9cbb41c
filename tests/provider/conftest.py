"""The world that the tests of the provider live in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bsv_wallet_toolbox.opening import OpenWallet
from wallet_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
async def alice(world: World) -> AsyncIterator[OpenWallet]:
    """A wallet without coins; every invariant must hold when the test is done with it."""
    async with world.wallet("alice") as wallet:
        yield wallet
    world.assert_sound("alice")
