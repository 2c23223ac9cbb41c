"""The text form of addresses and private keys."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.templates.base58check import decode_base58check, encode_base58check


@given(payload=st.binary(min_size=1, max_size=60), zeros=st.integers(0, 8))
def test_what_is_encoded_is_decoded(payload: bytes, zeros: int) -> None:
    payload = bytes(zeros) + payload
    assert decode_base58check(encode_base58check(payload), "text") == payload


def test_private_key_vector() -> None:
    text = "KwntMbt59tTsj8xqpqYqRRWufyjGunvhSyeMo3NTYpFYzZbXJ5Hp"
    assert decode_base58check(text, "key") == b"\x80" + b"\x11" * 32 + b"\x01"
    assert encode_base58check(b"\x80" + b"\x11" * 32 + b"\x01") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "11111",
        "16HUK5vuTpis2BZpugrh611kHrrCUeWBfG",
        "16HUK5vuTpis2BZpugrh611kHrrCUeWBf0",
        "1" * 101,
        " 1",
        None,
        5,
        "16HUK5vuTpis2BZpugrh611kHrrCUeWBfH\n",
        "116HUK5vuTpis2BZpugrh611kHrrCUeWBfH",
        "é",
        b"11",
    ],
)
def test_what_has_no_valid_checksum_is_refused(text: Any) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        decode_base58check(text, "address")
    assert refused.value.parameter == "address"
