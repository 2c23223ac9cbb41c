"""What the package says it offers can be imported from it."""

from __future__ import annotations

import pytest

import bsv_wallet_toolbox


@pytest.mark.parametrize("name", bsv_wallet_toolbox.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(bsv_wallet_toolbox, name) is not None


def test_any_other_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'wallet_of_nobody'"):
        _ = bsv_wallet_toolbox.wallet_of_nobody
