"""Double SHA-256 and the two orders of a hash: natural digest order in bytes, display order (reversed) in hex."""

from __future__ import annotations

import hashlib
import re

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = ["display", "is_txid", "natural", "sha256d", "txid_of"]

_sha256 = hashlib.sha256
_TXID = re.compile(r"[0-9a-f]{64}\Z")


def sha256d(data: bytes) -> bytes:
    """SHA-256 of the SHA-256 of ``data``, in natural digest order."""
    return _sha256(_sha256(data).digest()).digest()


def txid_of(raw: bytes) -> str:
    """Display hex of the hash of a raw transaction. ``raw`` is not looked at; see ``tx.parse_transaction``."""
    return sha256d(raw)[::-1].hex()


def display(hash_bytes: bytes) -> str:
    """Natural digest order to display hex."""
    return hash_bytes[::-1].hex()


def natural(txid: str, parameter: str = "txid") -> bytes:
    """Display hex to the 32 bytes in natural digest order; WERR_INVALID_PARAMETER if it is not :func:`is_txid`."""
    if not is_txid(txid):
        raise WERR_INVALID_PARAMETER(parameter, "a hash of 64 lower-case hexadecimal digits")
    return bytes.fromhex(txid)[::-1]


def is_txid(text: object) -> bool:
    """True for 64 lower-case hexadecimal digits (arguments are lower-cased when they are validated)."""
    return isinstance(text, str) and _TXID.match(text) is not None
