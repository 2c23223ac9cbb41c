"""A world whose wallets have a past, made once, and copies of their files to break."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from wallet_past import copy, live

from wallet_world import World


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Read its files only."""
    world = World(tmp_path_factory.mktemp("past"))
    asyncio.run(live(world))
    return world


@pytest.fixture
def alice(past: World, tmp_path: Path) -> Path:
    """A copy of alice's file, to be broken."""
    return copy(past.path("alice"), tmp_path / "alice.sqlite")
