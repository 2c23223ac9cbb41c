"""An empty wallet for every vector, in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from bsv_wallet_toolbox.seams import SeededEntropy
from wallet_world import World

WalletOf = Callable[[bytes], AbstractAsyncContextManager[OpenWallet]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def path(world: World) -> Path:
    return world.path("vector")


@pytest.fixture
def wallet_of(world: World, path: Path) -> WalletOf:
    """Opens the wallet of a root key in the file of this test, making it the first time."""

    def opened(root_key: bytes) -> AbstractAsyncContextManager[OpenWallet]:
        return open_wallet(
            path,
            StaticKey(root_key),
            world.services,
            create=not path.exists(),
            monitor=False,
            clock=world.clock,
            entropy=SeededEntropy(f"vector {path.exists()}"),
        )

    return opened
