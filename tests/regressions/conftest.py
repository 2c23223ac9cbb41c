from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from observed_world import ObservedWorld

from bsv_wallet_toolbox.opening import OpenWallet


@pytest.fixture
def world(tmp_path: Path) -> ObservedWorld:
    return ObservedWorld(tmp_path)


@pytest.fixture
async def alice(world: ObservedWorld) -> AsyncIterator[OpenWallet]:
    """A wallet without coins; every invariant must hold when the test is done with it."""
    async with world.wallet("alice") as wallet:
        yield wallet
    world.assert_sound("alice")
