"""Fixtures shared by all tests: the async backend, and where external vectors lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The directory of vectors and data that can't be committed."""
    directory = os.environ.get("BSV_WALLET_TEST_DATA")
    if not directory:
        pytest.skip("BSV_WALLET_TEST_DATA is not set: the external vectors are not at hand")
    return Path(directory)
