"""Sizes of transactions computed from script lengths."""

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.sizes import input_size, output_size, transaction_size, varint_size


@pytest.mark.parametrize(
    ("value", "size"),
    [(0, 1), (0xFC, 1), (0xFD, 3), (0xFFFF, 3), (0x10000, 5), (0xFFFFFFFF, 5), (0x100000000, 9), (2**64 - 1, 9)],
)
def test_varint_size_grows_at_the_boundaries(value: int, size: int) -> None:
    assert varint_size(value) == size


def test_negative_varint_is_refused() -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match="The varUint parameter must be non-negative"):
        varint_size(-1)


def test_input_and_output_sizes() -> None:
    assert input_size(107) == 148
    assert input_size(108) == 149
    assert output_size(25) == 34
    assert output_size(253) == 264


@pytest.mark.parametrize(
    ("inputs", "outputs", "size"),
    [
        ([], [], 10),
        ([107], [25], 192),
        ([107], [25, 25], 226),
        ([107, 107], [25, 25], 374),
        ([108, 108], [25, 25], 376),
        ([107] * 253, [25], 8 + 3 + 253 * 148 + 1 + 34),
    ],
)
def test_transaction_size(inputs: list[int], outputs: list[int], size: int) -> None:
    assert transaction_size(inputs, outputs) == size
