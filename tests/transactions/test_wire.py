from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.wire import MAX_VARINT, read_varint, write_varint


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (0xFC, "fc"),
        (0xFD, "fdfd00"),
        (0xFFFF, "fdffff"),
        (0x10000, "fe00000100"),
        (0xFFFFFFFF, "feffffffff"),
        (0x100000000, "ff0000000001000000"),
        (MAX_VARINT, "ffffffffffffffffff"),
    ],
)
def test_integers_have_their_known_form(value: int, encoded: str) -> None:
    assert write_varint(value).hex() == encoded
    assert read_varint(bytes.fromhex(encoded), 0, "p") == (value, len(encoded) // 2)


@given(st.integers(0, MAX_VARINT), st.binary(max_size=5))
def test_reading_undoes_writing_and_leaves_what_follows(value: int, rest: bytes) -> None:
    encoded = write_varint(value)
    assert read_varint(b"\x00" + encoded + rest, 1, "p") == (value, 1 + len(encoded))


@pytest.mark.parametrize(
    "encoded", ["", "fd", "fdff", "fe000001", "ff00000000000000", "fdfc00", "feffff0000", "ff00000000ffffff"]
)
def test_cut_off_and_overlong_integers_are_refused(encoded: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        read_varint(bytes.fromhex(encoded), 0, "tx")
    assert caught.value.parameter == "tx"


@pytest.mark.parametrize("encoded", ["fdfc00", "feffff0000", "ffffffffff00000000"])
def test_an_integer_longer_than_needed_is_refused(encoded: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match="shortest form"):
        read_varint(bytes.fromhex(encoded), 0, "tx")


@pytest.mark.parametrize("value", [-1, MAX_VARINT + 1])
def test_integers_outside_the_range_cannot_be_written(value: int) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER):
        write_varint(value)
