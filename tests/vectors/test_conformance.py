"""The conformance vectors that need nothing but an empty wallet, against a real one in a fresh file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from conformance import DATA, WITHOUT_DATA, Vector, answers, load

from bsv_wallet_toolbox.doctor import examine
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER
from bsv_wallet_toolbox.opening import OpenWallet
from wallet_file import row_counts

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not DATA, reason=WITHOUT_DATA)]

WalletOf = Callable[[bytes], AbstractAsyncContextManager[OpenWallet]]

CATEGORIES = {"abortaction": 2, "internalizeaction": 2, "listoutputs": 144, "relinquishoutput": 2}
VECTORS = [vector for category in CATEGORIES for vector in load(category) if vector.runs]

BLAMED = {
    "wallet.brc100.abortaction.4": "reference",
    "wallet.brc100.abortaction.6": "reference",
    "wallet.brc100.internalizeaction.6": "tx",
    "wallet.brc100.internalizeaction.7": "tx",
    "wallet.brc100.relinquishoutput.4": "output",
    "wallet.brc100.relinquishoutput.5": "output",
}
"""The vectors name errors that no wallet knows; these are the parameters that are at fault."""


def test_no_vector_is_left_out() -> None:
    found = {category: sum(vector.runs for vector in load(category)) for category in CATEGORIES}
    assert found == CATEGORIES


async def test_an_empty_wallet_answers(wallet_of: WalletOf, path: Path) -> None:
    """One file serves them all, because not one of them may write a row."""
    answered = [vector for vector in VECTORS if not vector.must_fail]
    (root_key,) = {vector.root_key for vector in answered}
    async with wallet_of(root_key) as wallet:
        before = row_counts(path)
        for vector in answered:
            assert answers(await vector.call(wallet), vector.expected), vector.id
        assert row_counts(path) == before
    assert examine(path).is_healthy


@pytest.mark.parametrize("vector", [each for each in VECTORS if each.must_fail], ids=str)
async def test_an_empty_wallet_refuses(vector: Vector, wallet_of: WalletOf, path: Path) -> None:
    async with wallet_of(vector.root_key) as wallet:
        before = row_counts(path)
        with pytest.raises((WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER)) as refused:
            await vector.call(wallet)
        assert refused.value.parameter == BLAMED[vector.id]
        assert row_counts(path) == before
    assert examine(path).is_healthy
