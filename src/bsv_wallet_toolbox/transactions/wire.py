"""The variable-length integers of Bitcoin's wire format, read with bounds and in their shortest form only."""

from __future__ import annotations

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = ["MAX_VARINT", "read_varint", "write_varint"]

MAX_VARINT = 0xFFFFFFFFFFFFFFFF


def read_varint(data: bytes, pos: int, parameter: str) -> tuple[int, int]:
    """The integer at ``pos`` and the position after it.

    Nodes refuse an integer that is longer than needed, and so does this: WERR_INVALID_PARAMETER naming ``parameter``,
    as when the data ends early.
    """
    size = len(data)
    if not 0 <= pos < size:
        raise WERR_INVALID_PARAMETER(parameter, "complete, not cut off inside an integer")
    first = data[pos]
    if first < 0xFD:
        return first, pos + 1
    width = 1 << (first - 0xFC)
    end = pos + 1 + width
    if end > size:
        raise WERR_INVALID_PARAMETER(parameter, "complete, not cut off inside an integer")
    value = int.from_bytes(data[pos + 1 : end], "little")
    if value < (0xFD if width == 2 else 1 << (width * 4)):
        raise WERR_INVALID_PARAMETER(parameter, "made of integers in their shortest form")
    return value, end


def write_varint(n: int) -> bytes:
    """The shortest encoding of ``n``; WERR_INVALID_PARAMETER unless 0 <= n < 2^64."""
    if 0 <= n < 0xFD:
        return bytes((n,))
    if 0 < n <= 0xFFFF:
        return b"\xfd" + n.to_bytes(2, "little")
    if 0 < n <= 0xFFFFFFFF:
        return b"\xfe" + n.to_bytes(4, "little")
    if 0 < n <= MAX_VARINT:
        return b"\xff" + n.to_bytes(8, "little")
    raise WERR_INVALID_PARAMETER("varint", "between 0 and 18446744073709551615")
