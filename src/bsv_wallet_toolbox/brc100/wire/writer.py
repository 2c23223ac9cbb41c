"""Writing the values that the frames of the BRC-100 wallet wire are made of: the mirror of ``reader``.

A value is checked for its kind only, so that what is written can be read again; whether it is allowed is for the wallet
to say. Raises WERR_INVALID_PARAMETER or WERR_MISSING_PARAMETER naming the member.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable

from bsv_wallet_toolbox.brc100.outpoint import Outpoint
from bsv_wallet_toolbox.brc100.primitives import MAX_SAFE_INTEGER, MAX_UINT32, byte_array, integer, items
from bsv_wallet_toolbox.brc100.wire.reader import ABSENT
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER
from bsv_wallet_toolbox.transactions.wire import write_varint

__all__ = ["WireWriter", "base64_bytes"]

_Write = Callable[[object, str], None]


class WireWriter:
    """A frame that grows. ``name`` is the BRC-100 member to blame; None is a member that was not given."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def frame(self) -> bytes:
        """What was written so far."""
        return bytes(self._data)

    def byte(self, value: int) -> None:
        self._data.append(value)

    def fixed(self, raw: bytes) -> None:
        """Bytes whose number the reader knows."""
        self._data += raw

    def integer(self, value: object, name: str, maximum: int = MAX_SAFE_INTEGER) -> None:
        self._data += write_varint(integer(value, name, None, 0, maximum))

    def uint32(self, value: object, name: str) -> None:
        self.integer(value, name, MAX_UINT32)

    def signed(self, value: object, name: str) -> None:
        """A negative integer takes the form of eight bytes, in two's complement."""
        self._data += write_varint(integer(value, name, None, -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) % 2**64)

    def optional(self, write: _Write, value: object, name: str) -> None:
        """What ``write`` writes, or the integer -1 for None."""
        if value is None:
            self._data += ABSENT
        else:
            write(value, name)

    def items(self, write: _Write, value: object, name: str) -> None:
        """A counted list; None is an empty one."""
        elements = items(value, name)
        self._data += write_varint(len(elements))
        for each in elements:
            write(each, name)

    def raw(self, value: object, name: str) -> None:
        """Bytes after their length."""
        if value is None:
            raise WERR_MISSING_PARAMETER(name)
        self._sized(byte_array(value, name, MAX_UINT32))

    def string(self, value: object, name: str) -> None:
        self._sized(_utf8(value, name))

    def strings(self, value: object, name: str) -> None:
        self.items(self.string, value, name)

    def hex(self, value: object, name: str) -> None:
        self._sized(_unhexed(value, name))

    def base64(self, value: object, name: str) -> None:
        self._sized(base64_bytes(value, name))

    def short_string(self, value: object, name: str, maximum: int) -> None:
        """Text whose length is one byte."""
        raw = _utf8(value, name)
        if len(raw) > maximum:
            raise WERR_INVALID_PARAMETER(name, f"no more than {maximum} length.")
        self.byte(len(raw))
        self._data += raw

    def flag(self, value: object, name: str) -> None:
        if not isinstance(value, bool):
            raise WERR_INVALID_PARAMETER(name, "a boolean")
        self.byte(int(value))

    def optional_flag(self, value: object, name: str) -> None:
        if value is None:
            self.byte(0xFF)
        else:
            self.flag(value, name)

    def code(self, value: object, name: str, codes: dict[str, int]) -> None:
        """The byte that stands for ``value``."""
        if not isinstance(value, str) or value not in codes:
            raise WERR_INVALID_PARAMETER(name, f"one of {', '.join(map(repr, codes))}")
        self.byte(codes[value])

    def optional_code(self, value: object, name: str, codes: dict[str, int]) -> None:
        if value is None:
            self.byte(0xFF)
        else:
            self.code(value, name, codes)

    def if_present(self, write: _Write, value: object, name: str) -> None:
        """The byte 1 and what ``write`` writes, or the byte 0 for None."""
        self.byte(int(value is not None))
        if value is not None:
            write(value, name)

    def txid(self, value: object, name: str) -> None:
        raw = _unhexed(value, name)
        if len(raw) != 32:
            raise WERR_INVALID_PARAMETER(name, "a txid of 64 hexadecimal characters")
        self._data += raw

    def txids(self, value: object, name: str) -> None:
        self.items(self.txid, value, name)

    def outpoint(self, value: object, name: str) -> None:
        outpoint = Outpoint.parse(value, name)
        self._data += bytes.fromhex(outpoint.txid)
        self._data += write_varint(outpoint.vout)

    def outpoints(self, value: object, name: str) -> None:
        self.items(self.outpoint, value, name)

    def _sized(self, raw: bytes) -> None:
        self._data += write_varint(len(raw))
        self._data += raw


def base64_bytes(value: object, name: str) -> bytes:
    """The bytes behind a base64 text, which must be the one text that stands for them.

    The wire carries the bytes only. A derivation is part of a key as it is written, so one that came out of the wire in
    another spelling would lock another coin: better refused here.
    """
    if value is None:
        raise WERR_MISSING_PARAMETER(name)
    if isinstance(value, str):
        try:
            raw = b64decode(value, validate=True)
        except (NotBase64, ValueError):
            raw = None
        if raw is not None and b64encode(raw).decode() == value:
            return raw
    raise WERR_INVALID_PARAMETER(name, "base64 with its padding, in the one form that stands for its bytes")


def _utf8(value: object, name: str) -> bytes:
    if value is None:
        raise WERR_MISSING_PARAMETER(name)
    if not isinstance(value, str):
        raise WERR_INVALID_PARAMETER(name, "a string")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise WERR_INVALID_PARAMETER(name, "valid Unicode text") from None


def _unhexed(value: object, name: str) -> bytes:
    if value is None:
        raise WERR_MISSING_PARAMETER(name)
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else None
    except ValueError:
        raw = None
    # bytes.fromhex skips white space between bytes.
    if raw is None or not isinstance(value, str) or len(raw) * 2 != len(value):
        raise WERR_INVALID_PARAMETER(name, "hexadecimal string.")
    return raw
