"""The rules that single argument values obey, whichever method they belong to.

A rule takes the value as it came and the name to blame, and returns the value normalised. Lengths of text are UTF-8
bytes. None means "not given", as JSON null does between wallets. Every failure is a WERR_INVALID_PARAMETER, or a
WERR_MISSING_PARAMETER where a required value is absent.
"""

from __future__ import annotations

import re
from typing import TypeVar

from bsv_wallet_toolbox.brc100.outpoint import Outpoint
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER

__all__ = [
    "MAX_BYTES",
    "MAX_ITEMS",
    "MAX_NAMES",
    "MAX_SAFE_INTEGER",
    "MAX_SATOSHIS",
    "MAX_UINT32",
    "Members",
    "base64_text",
    "byte_array",
    "choice",
    "description",
    "flag",
    "hex_text",
    "identifier",
    "identifiers",
    "integer",
    "items",
    "members",
    "outpoints",
    "required",
    "satoshis",
    "script",
    "text",
    "txids",
]

MAX_BYTES = 10_000_000
"""Bytes of one binary argument, and of all scripts and texts of one action together."""
MAX_ITEMS = 10_000
"""Inputs, outputs, spends, outpoints or txids of one call."""
MAX_NAMES = 100
"""Labels of one action, tags of one output."""
MAX_SATOSHIS = 2_100_000_000_000_000
MAX_SAFE_INTEGER = 2**53 - 1
MAX_UINT32 = 0xFFFFFFFF

# What JavaScript's trim() removes: str.strip() would also take U+001C..U+001F and U+0085, and leave U+FEFF.
_WHITE_SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_TXID = re.compile(r"[0-9a-fA-F]{64}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")

_Choice = TypeVar("_Choice", bound=str)

Members = dict[str, object]
"""An argument object whose members are not checked yet."""


def members(value: object, parameter: str) -> Members:
    """An object; keys nobody asks for are ignored."""
    if value is None:
        raise WERR_MISSING_PARAMETER(parameter)
    if not isinstance(value, dict):
        raise WERR_INVALID_PARAMETER(parameter, "an object")
    return value


def required(args: Members, key: str) -> object:
    """The member ``key``, which must be there."""
    value = args.get(key)
    if value is None:
        raise WERR_MISSING_PARAMETER(key)
    return value


def items(value: object, parameter: str, maximum: int = MAX_ITEMS) -> list[object] | tuple[object, ...]:
    """An array of at most ``maximum`` elements; absent is empty."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise WERR_INVALID_PARAMETER(parameter, "an array")
    if len(value) > maximum:
        raise WERR_INVALID_PARAMETER(parameter, f"an array of no more than {maximum} elements")
    return value


def text(value: object, parameter: str, minimum: int, maximum: int) -> str:
    """Text of ``minimum`` to ``maximum`` UTF-8 bytes, without NUL (no database but SQLite stores it)."""
    return _sized(_string(value, parameter), parameter, minimum, maximum)


def description(args: Members, key: str) -> str:
    """A required description: 5 to 2000 bytes, as all wallets accept them (BRC-100 itself says 50)."""
    return text(required(args, key), key, 5, 2000)


def _string(value: object, parameter: str) -> str:
    if not isinstance(value, str):
        raise WERR_INVALID_PARAMETER(parameter, "a string")
    return value


def _sized(string: str, parameter: str, minimum: int, maximum: int) -> str:
    if len(string) > maximum:
        raise WERR_INVALID_PARAMETER(parameter, f"no more than {maximum} length.")
    size = len(string)
    if not string.isascii():
        try:
            size = len(string.encode())
        except UnicodeEncodeError:
            raise WERR_INVALID_PARAMETER(parameter, "valid Unicode text") from None
    if "\0" in string:
        raise WERR_INVALID_PARAMETER(parameter, "text without NUL characters")
    if size < minimum:
        raise WERR_INVALID_PARAMETER(parameter, f"at least {minimum} length.")
    if size > maximum:
        raise WERR_INVALID_PARAMETER(parameter, f"no more than {maximum} length.")
    return string


def identifier(value: object, parameter: str, maximum: int = 300) -> str:
    """The name of a basket, label or tag: trimmed, in lower case, 1 to ``maximum`` bytes."""
    return _sized(_string(value, parameter).strip(_WHITE_SPACE).lower(), parameter, 1, maximum)


def identifiers(value: object, parameter: str, element: str) -> tuple[str, ...]:
    """An array of names; a bad one is blamed as ``element``."""
    return tuple(identifier(name, element) for name in items(value, parameter, MAX_NAMES))


def flag(value: object, parameter: str, default: bool) -> bool:
    """True or False; 0 and 1 are not."""
    if value is None:
        return default
    if not isinstance(value, bool):
        raise WERR_INVALID_PARAMETER(parameter, "a boolean")
    return value


def integer(value: object, parameter: str, default: int | None, minimum: int, maximum: int) -> int:
    """An integer from ``minimum`` to ``maximum``; absent is ``default``. 1.0 and True are no integers."""
    if value is None:
        if default is None:
            raise WERR_INVALID_PARAMETER(parameter, "a valid integer")
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise WERR_INVALID_PARAMETER(parameter, "an integer")
    if value < minimum:
        raise WERR_INVALID_PARAMETER(parameter, f"at least {minimum} length.")
    if value > maximum:
        raise WERR_INVALID_PARAMETER(parameter, f"no more than {maximum} length.")
    return value


def satoshis(value: object, parameter: str = "satoshis") -> int:
    """An amount from 0 to all the coins there will ever be."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SATOSHIS:
        raise WERR_INVALID_PARAMETER(parameter, "a valid number of satoshis")
    return value


def choice(value: object, parameter: str, allowed: tuple[_Choice, ...], must_be: str) -> _Choice:
    """One of the strings ``allowed``."""
    for option in allowed:
        if isinstance(value, str) and value == option:
            return option
    raise WERR_INVALID_PARAMETER(parameter, must_be)


def hex_text(value: object, parameter: str, minimum: int, maximum: int) -> str:
    """Hexadecimal digits of whole bytes, trimmed, in lower case; ``minimum`` and ``maximum`` count characters."""
    string = _string(value, parameter).strip(_WHITE_SPACE)
    if len(string) > maximum:
        raise WERR_INVALID_PARAMETER(parameter, f"no more than {maximum} length.")
    if len(string) % 2:
        raise WERR_INVALID_PARAMETER(parameter, f"even length, not {len(string)}.")
    raw = _unhexed(string)
    if raw is None:
        raise WERR_INVALID_PARAMETER(parameter, "hexadecimal string.")
    if len(string) < minimum:
        raise WERR_INVALID_PARAMETER(parameter, f"at least {minimum} length.")
    return raw.hex()


def script(value: object, parameter: str, *, may_be_empty: bool = False) -> bytes:
    """A script given as hex. The empty one is refused unless asked for, as all wallets do."""
    if may_be_empty and value == "":
        return b""
    return bytes.fromhex(hex_text(value, parameter, 1, 2 * MAX_BYTES))


def _unhexed(string: str) -> bytes | None:
    try:
        raw = bytes.fromhex(string)
    except ValueError:
        return None
    # bytes.fromhex skips white space between bytes; an empty string holds no digits.
    return raw if raw and len(raw) * 2 == len(string) else None


def base64_text(value: object, parameter: str, minimum: int, maximum: int) -> str:
    """Base64 text, trimmed and else kept as it is; ``minimum`` and ``maximum`` count decoded bytes."""
    string = _string(value, parameter).strip(_WHITE_SPACE)
    if len(string) > maximum * 4 // 3 + 4:
        raise WERR_INVALID_PARAMETER(parameter, f"no more than {maximum} bytes")
    digits = string.rstrip("=")
    padded = len(digits) != len(string)
    if _BASE64.fullmatch(string) is None or len(digits) % 4 == 1 or (padded and len(string) % 4):
        raise WERR_INVALID_PARAMETER(parameter, "valid base64 string")
    size = len(digits) * 3 // 4
    if size < minimum:
        raise WERR_INVALID_PARAMETER(parameter, f"at least {minimum} bytes")
    if size > maximum:
        raise WERR_INVALID_PARAMETER(parameter, f"no more than {maximum} bytes")
    return string


def txids(value: object, parameter: str) -> tuple[str, ...]:
    """An array of txids, returned in lower case."""
    found = []
    for txid in items(value, parameter):
        if not isinstance(txid, str) or _TXID.fullmatch(txid) is None:
            raise WERR_INVALID_PARAMETER(parameter, "txids of 64 hexadecimal characters")
        found.append(txid.lower())
    return tuple(found)


def outpoints(value: object, parameter: str) -> tuple[Outpoint, ...]:
    """An array of outpoint strings."""
    return tuple(Outpoint.parse(outpoint, parameter) for outpoint in items(value, parameter))


def byte_array(value: object, parameter: str, maximum: int = MAX_BYTES) -> bytes:
    """Bytes, given as bytes or as a list of numbers 0..255, at most ``maximum`` of them."""
    try:
        if isinstance(value, bytes | bytearray | memoryview):
            size = value.nbytes if isinstance(value, memoryview) else len(value)
            if size <= maximum:
                return bytes(value)
        elif isinstance(value, list | tuple):
            size = len(value)
            # True would pass bytes() as 1; a set of types finds it in one pass at C speed.
            if size <= maximum and set(map(type, value)) <= {int}:
                return bytes(value)
        else:
            size = 0
    except ValueError:
        # A number outside 0..255, or a memoryview that was released.
        size = 0
    if size > maximum:
        raise WERR_INVALID_PARAMETER(parameter, f"no more than {maximum} bytes")
    raise WERR_INVALID_PARAMETER(parameter, "an array of bytes")
