"""The output by which a storage provider charges for its service: P2PKH to its public key, moved by a key offset.

An adapter of ``_bsv_native``. The offset is a random private key, one per output; with S = offset · key it moves the
provider's key by SHA-256(S), so that outputs cannot be linked without the offset.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import _bsv_native as native

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_INVALID_PUBLIC_KEY
from bsv_wallet_toolbox.seams import Entropy
from bsv_wallet_toolbox.templates import p2pkh
from bsv_wallet_toolbox.templates.base58check import decode_base58check, encode_base58check

__all__ = ["CommissionLock", "commission_lock", "new_commission_lock", "offset_private_key", "offset_public_key"]

_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")
_WIF_VERSIONS = (0x80, 0xEF)
_COMPRESSED = 0x01


@dataclass(frozen=True, slots=True)
class CommissionLock:
    """A locking script and the offset that its owner needs to redeem it: wallet import format, 52 characters."""

    script: bytes
    key_offset: str


def new_commission_lock(public_key: bytes, entropy: Entropy) -> CommissionLock:
    """A lock to the provider's compressed public key under an offset drawn from ``entropy``."""
    offset = entropy.bytes(32)
    while not native.seckey_verify(offset):
        offset = entropy.bytes(32)
    key_offset = encode_base58check(bytes((_WIF_VERSIONS[0],)) + offset + bytes((_COMPRESSED,)))
    return CommissionLock(commission_lock(public_key, key_offset), key_offset)


def commission_lock(public_key: bytes, key_offset: str) -> bytes:
    """The script for a given offset: wallet import format, or 64 hex digits."""
    return p2pkh.lock_to_public_key(offset_public_key(public_key, key_offset))


def offset_public_key(public_key: bytes, key_offset: str) -> bytes:
    """The provider's public key moved by the offset.

    Raises WERR_INVALID_PUBLIC_KEY for a key that is none, WERR_INVALID_PARAMETER for an offset that is none.
    """
    try:
        moved: bytes = native.pubkey_tweak_add(public_key, _shift(public_key, _parse_offset(key_offset)))
    except ValueError:
        raise WERR_INVALID_PUBLIC_KEY(public_key[:66].hex()) from None
    return moved


def offset_private_key(private_key: bytes, key_offset: str) -> bytes:
    """The private key that redeems a commission: the private half of :func:`offset_public_key`."""
    if len(private_key) != 32 or not native.seckey_verify(private_key):
        raise WERR_INVALID_PARAMETER("privateKey", "the 32 bytes of a secp256k1 private key")
    shift = _shift(native.pubkey_from_secret(private_key), _parse_offset(key_offset))
    moved: bytes = native.seckey_tweak_add(private_key, shift)
    return moved


def _shift(public_key: bytes, offset: bytes) -> bytes:
    return hashlib.sha256(native.pubkey_tweak_mul(public_key, offset)).digest()


def _parse_offset(key_offset: str) -> bytes:
    if isinstance(key_offset, str) and _HEX_KEY.fullmatch(key_offset):
        offset = bytes.fromhex(key_offset)
    else:
        payload = decode_base58check(key_offset, "keyOffset")
        compressed = len(payload) == 34 and payload[33] == _COMPRESSED
        if payload[0] not in _WIF_VERSIONS or not (compressed or len(payload) == 33):
            raise WERR_INVALID_PARAMETER("keyOffset", "a private key in wallet import format or 64 hexadecimal digits")
        offset = payload[1:33]
    if not native.seckey_verify(offset):
        raise WERR_INVALID_PARAMETER("keyOffset", "a valid private key")
    return offset
