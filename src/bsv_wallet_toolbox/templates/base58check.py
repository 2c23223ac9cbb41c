"""Base58Check: the text form of addresses and of private keys in wallet import format."""

from __future__ import annotations

import _bsv_native as native

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = ["decode_base58check", "encode_base58check"]

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: digit for digit, character in enumerate(_ALPHABET)}
_MAX_LENGTH = 100


def encode_base58check(payload: bytes) -> str:
    """``payload`` (version byte included) with its four byte checksum, in base 58; a leading zero byte becomes a 1."""
    data = payload + native.hash256(payload)[:4]
    number = int.from_bytes(data, "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def decode_base58check(text: str, parameter: str) -> bytes:
    """The payload, version byte included. WERR_INVALID_PARAMETER names ``parameter`` and does not quote the text."""
    if not isinstance(text, str) or not 0 < len(text) <= _MAX_LENGTH or not _DIGITS.keys() >= set(text):
        raise WERR_INVALID_PARAMETER(parameter, "a base58 text with a checksum")
    number = 0
    for character in text:
        number = number * 58 + _DIGITS[character]
    leading = len(text) - len(text.lstrip("1"))
    data = bytes(leading) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    payload, checksum = data[:-4], data[-4:]
    if not payload or native.hash256(payload)[:4] != checksum:
        raise WERR_INVALID_PARAMETER(parameter, "a base58 text with a valid checksum")
    return payload
