"""The world that the tests of the provider live in."""

from __future__ import annotations

from pathlib import Path

import pytest

from wallet_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
