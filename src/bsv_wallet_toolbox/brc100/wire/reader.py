"""Reading the values that the frames of the BRC-100 wallet wire are made of.

Every length and count is compared with the bytes that are left before anything of that size is made. Whatever does not
fit raises WERR_INVALID_PARAMETER naming the member that was being read.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any, TypeVar

from bsv_wallet_toolbox.brc100.primitives import MAX_ITEMS, MAX_SAFE_INTEGER, MAX_UINT32
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = ["ABSENT", "WireReader", "present"]

ABSENT = b"\xff" * 9
"""An optional value that was not given: the integer -1. In one byte, for flags and codes, it is ``ff``."""

_T = TypeVar("_T")


def present(**values: Any) -> dict[str, Any]:
    """An object of the members that were given. Python evaluates them in the order they stand, which is the wire's."""
    return {key: value for key, value in values.items() if value is not None}


class WireReader:
    """A position in a frame. ``name`` is the BRC-100 member to blame."""

    __slots__ = ("_data", "_pos")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0

    @property
    def remaining(self) -> int:
        """Bytes that were not read yet."""
        return len(self._data) - self._pos

    def take(self, size: int, name: str) -> bytes:
        if size > self.remaining:
            raise WERR_INVALID_PARAMETER(name, f"complete: {size} bytes are announced, {self.remaining} are left")
        start = self._pos
        self._pos += size
        return self._data[start : self._pos]

    def rest(self) -> bytes:
        """Everything up to the end of the frame."""
        return self.take(self.remaining, "frame")

    def end(self) -> None:
        """Refuse bytes that nobody reads: they are a sign of two sides that disagree about the layout."""
        if self.remaining:
            raise WERR_INVALID_PARAMETER("frame", f"read to its end: {self.remaining} bytes follow its last member")

    def byte(self, name: str) -> int:
        return self.take(1, name)[0]

    def integer(self, name: str, maximum: int = MAX_SAFE_INTEGER) -> int:
        """A variable-length integer from 0 to ``maximum``."""
        value = self.signed(name)
        if not 0 <= value <= maximum:
            raise WERR_INVALID_PARAMETER(name, f"an integer from 0 to {maximum}")
        return value

    def uint32(self, name: str) -> int:
        return self.integer(name, MAX_UINT32)

    def signed(self, name: str) -> int:
        """A variable-length integer in its shortest form; the form of eight bytes is signed."""
        first = self.byte(name)
        if first < 0xFD:
            return first
        width = 1 << (first - 0xFC)
        value = int.from_bytes(self.take(width, name), "little", signed=width == 8)
        if abs(value) > MAX_SAFE_INTEGER:
            raise WERR_INVALID_PARAMETER(name, "an integer below 2^53")
        if 0 <= value < (0xFD if width == 2 else 1 << (width * 4)):
            raise WERR_INVALID_PARAMETER(name, "an integer in its shortest form")
        return value

    def optional(self, read: Callable[[str], _T], name: str) -> _T | None:
        """What ``read`` reads, or None where the integer -1 stands instead of it."""
        if self._data.startswith(ABSENT, self._pos):
            self._pos += len(ABSENT)
            return None
        return read(name)

    def items(self, read: Callable[[str], _T], name: str) -> list[_T]:
        """A counted list, each item of which has at least one byte."""
        count = self.integer(name)
        if count > min(self.remaining, MAX_ITEMS):
            raise WERR_INVALID_PARAMETER(name, f"a list that fits its frame, of no more than {MAX_ITEMS} elements")
        return [read(name) for _ in range(count)]

    def page(self, read: Callable[[str], _T], total: int, name: str) -> list[_T]:
        """The items of a page, which end with the frame: ``total`` may count those of other pages too."""
        found: list[_T] = []
        while self.remaining:
            if len(found) == min(total, MAX_ITEMS):
                raise WERR_INVALID_PARAMETER(name, f"no longer than the announced {total} nor than {MAX_ITEMS}")
            found.append(read(name))
        return found

    def raw(self, name: str) -> bytes:
        """Bytes after their length."""
        return self.take(self.integer(name), name)

    def string(self, name: str) -> str:
        return _text(self.raw(name), name)

    def strings(self, name: str) -> list[str]:
        return self.items(self.string, name)

    def hex(self, name: str) -> str:
        """Bytes after their length, as BRC-100 shows scripts."""
        return self.raw(name).hex()

    def base64(self, name: str) -> str:
        """Bytes after their length, as BRC-100 shows references and derivations."""
        return b64encode(self.raw(name)).decode()

    def short_string(self, name: str, maximum: int) -> str:
        """Text whose length is one byte."""
        size = self.byte(name)
        if size > maximum:
            raise WERR_INVALID_PARAMETER(name, f"no more than {maximum} length.")
        return _text(self.take(size, name), name)

    def flag(self, name: str) -> bool:
        return self.code(name, {0: False, 1: True})

    def optional_flag(self, name: str) -> bool | None:
        return self.optional_code(name, {0: False, 1: True})

    def code(self, name: str, meanings: dict[int, _T]) -> _T:
        """A byte that stands for one of ``meanings``."""
        value = self.byte(name)
        if value not in meanings:
            raise WERR_INVALID_PARAMETER(name, f"one of the codes {sorted(meanings)}, not {value}")
        return meanings[value]

    def optional_code(self, name: str, meanings: dict[int, _T]) -> _T | None:
        value = self.byte(name)
        if value == 0xFF:
            return None
        self._pos -= 1
        return self.code(name, meanings)

    def if_present(self, read: Callable[[str], _T], name: str) -> _T | None:
        """What ``read`` reads after the byte 1, None after the byte 0."""
        return read(name) if self.flag(name) else None

    def txid(self, name: str) -> str:
        """32 bytes in the order in which people see them."""
        return self.take(32, name).hex()

    def txids(self, name: str) -> list[str]:
        return self.items(self.txid, name)

    def outpoint(self, name: str) -> str:
        return f"{self.txid(name)}.{self.uint32(name)}"

    def outpoints(self, name: str) -> list[str]:
        return self.items(self.outpoint, name)


def _text(raw: bytes, name: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise WERR_INVALID_PARAMETER(name, "valid UTF-8 text") from None
