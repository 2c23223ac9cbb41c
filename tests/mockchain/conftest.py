"""The chains that the tests of the mock chain run against: the same tests for both stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bsv_wallet_toolbox.mockchain import ChainStore, MemoryStore, MockChain, MockServices, SqliteStore
from bsv_wallet_toolbox.seams import ManualClock, SeededEntropy


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChainStore]:
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "chain.sqlite")
    yield made
    made.close()


@pytest.fixture
def chain(store: ChainStore, clock: ManualClock) -> MockChain:
    """101 blocks, real proof of work, repeatable."""
    return MockChain(store, clock=clock, entropy=SeededEntropy("chain"), premine=True)


@pytest.fixture
def services(chain: MockChain) -> MockServices:
    return MockServices(chain)
