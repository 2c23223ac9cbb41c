"""Serialised sizes, in bytes, of transactions that do not exist yet: enough to compute a fee before signing."""

from __future__ import annotations

from collections.abc import Collection

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = ["EMPTY_TRANSACTION_BYTES", "input_size", "output_size", "transaction_size", "varint_size"]

EMPTY_TRANSACTION_BYTES = 8
"""Version and lock time, four bytes each; the two counts come on top."""


def varint_size(value: int) -> int:
    """Bytes that ``value`` takes as a variable-length integer: 1, 3, 5 or 9."""
    if value < 0:
        raise WERR_INVALID_PARAMETER("varUint", "non-negative")
    if value <= 0xFC:
        return 1
    if value <= 0xFFFF:
        return 3
    return 5 if value <= 0xFFFF_FFFF else 9


def input_size(script_length: int) -> int:
    """Bytes of an input whose unlocking script has ``script_length`` bytes: outpoint, script, sequence."""
    return 40 + varint_size(script_length) + script_length


def output_size(script_length: int) -> int:
    """Bytes of an output whose locking script has ``script_length`` bytes: satoshis, script."""
    return 8 + varint_size(script_length) + script_length


def transaction_size(input_script_lengths: Collection[int], output_script_lengths: Collection[int]) -> int:
    """Bytes of the transaction with inputs and outputs of these script lengths."""
    return (
        EMPTY_TRANSACTION_BYTES
        + varint_size(len(input_script_lengths))
        + sum(map(input_size, input_script_lengths))
        + varint_size(len(output_script_lengths))
        + sum(map(output_size, output_script_lengths))
    )
