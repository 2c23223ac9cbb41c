"""BRC-29 payments: P2PKH locks to keys that payer and payee derive from each other's identity keys.

Prefix and suffix are base64 texts and go into the key id as they are. A wallet's own change is a payment to itself.
Every function raises what :class:`~bsv_wallet_toolbox.keys.derivation.KeyDeriver` raises, and WERR_INVALID_PARAMETER
for an empty prefix or suffix.
"""

from __future__ import annotations

from typing import Final

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.keys.derivation import SELF, KeyDeriver, Protocol
from bsv_wallet_toolbox.templates import p2pkh

__all__ = [
    "BRC29_PROTOCOL",
    "key_id",
    "lock_for_self",
    "lock_from",
    "lock_to",
    "unlocking_key",
    "unlocking_public_key",
]

BRC29_PROTOCOL: Final[Protocol] = (2, "3241645161d8")


def key_id(prefix: str, suffix: str) -> str:
    """``prefix suffix``, one space between."""
    if not prefix or not isinstance(prefix, str):
        raise WERR_INVALID_PARAMETER("derivationPrefix", "a non-empty base64 text")
    if not suffix or not isinstance(suffix, str):
        raise WERR_INVALID_PARAMETER("derivationSuffix", "a non-empty base64 text")
    return f"{prefix} {suffix}"


def lock_to(deriver: KeyDeriver, recipient: str, prefix: str, suffix: str) -> bytes:
    """The script by which we pay ``recipient`` (an identity key in hex)."""
    return p2pkh.lock_to_public_key(deriver.derive_public_key(BRC29_PROTOCOL, key_id(prefix, suffix), recipient))


def lock_for_self(deriver: KeyDeriver, prefix: str, suffix: str) -> bytes:
    """The script of our own change."""
    return lock_to(deriver, SELF, prefix, suffix)


def lock_from(deriver: KeyDeriver, sender: str | None, prefix: str, suffix: str) -> bytes:
    """The script that ``sender`` (an identity key in hex; None for ourselves) must have used to pay us."""
    return p2pkh.lock_to_public_key(unlocking_public_key(deriver, sender, prefix, suffix))


def unlocking_key(deriver: KeyDeriver, sender: str | None, prefix: str, suffix: str) -> bytes:
    """The 32 byte private key that spends what ``sender`` (None for ourselves) paid us."""
    return deriver.derive_private_key(BRC29_PROTOCOL, key_id(prefix, suffix), SELF if sender is None else sender)


def unlocking_public_key(deriver: KeyDeriver, sender: str | None, prefix: str, suffix: str) -> bytes:
    """The 33 byte public key of :func:`unlocking_key`."""
    counterparty = SELF if sender is None else sender
    return deriver.derive_public_key(BRC29_PROTOCOL, key_id(prefix, suffix), counterparty, for_self=True)
