"""Pay to public key hash: locks, addresses and signatures.

An adapter of ``_bsv_native`` (libsecp256k1 signs deterministically after RFC 6979 and answers the lower of the two S).
"""

from __future__ import annotations

import hashlib

import _bsv_native as native

from bsv_wallet_toolbox.errors import WERR_INTERNAL, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.templates.base58check import decode_base58check, encode_base58check

__all__ = [
    "LOCK_LENGTH",
    "SIGHASH_ALL_FORKID",
    "UNLOCK_LENGTH_ESTIMATE",
    "address",
    "hash160",
    "is_p2pkh",
    "lock",
    "lock_to_address",
    "lock_to_public_key",
    "public_key_hash",
    "unlock",
]

LOCK_LENGTH = 25

UNLOCK_LENGTH_ESTIMATE = 107
"""Never less than the real length: a push of at most 72 bytes of signature and one of a 33 byte public key."""

SIGHASH_ALL_FORKID = 0x41

_PREFIX = bytes.fromhex("76a914")
_SUFFIX = bytes.fromhex("88ac")
_MAIN_VERSION = 0x00
_TEST_VERSION = 0x6F
_HALF_ORDER = 0x7FFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_5D576E73_57A4501D_DFE92F46_681B20A0


try:
    _RIPEMD160 = hashlib.new("ripemd160", usedforsecurity=False)
except ValueError:
    # OpenSSL 3 without its legacy provider has none; bsv-sdk brings this library with it.
    from Cryptodome.Hash import RIPEMD160

    def _ripemd160(data: bytes) -> bytes:
        return RIPEMD160.new(data).digest()

else:

    def _ripemd160(data: bytes) -> bytes:
        copy = _RIPEMD160.copy()  # OpenSSL takes five times as long to find a hash by its name
        copy.update(data)
        return copy.digest()


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256, 20 bytes."""
    return _ripemd160(hashlib.sha256(data).digest())


def lock(key_hash: bytes) -> bytes:
    """The 25 byte script that pays to the hash160 of a public key."""
    if len(key_hash) != 20:
        raise WERR_INVALID_PARAMETER("publicKeyHash", message="P2PKH hash length must be 20 bytes")
    return _PREFIX + key_hash + _SUFFIX


def lock_to_public_key(public_key: bytes) -> bytes:
    """The script that pays to a compressed public key; the caller vouches that it is one."""
    if len(public_key) != 33:
        raise WERR_INVALID_PARAMETER("publicKey", "a compressed public key of 33 bytes")
    return _PREFIX + hash160(public_key) + _SUFFIX


def lock_to_address(text: str, chain: Chain | None = None) -> bytes:
    """The script that pays to an address of the main net or a test net; given a chain, of that chain only.

    Raises WERR_INVALID_PARAMETER for a text that is no such address.
    """
    payload = decode_base58check(text, "address")
    if len(payload) != 21 or payload[0] not in (_MAIN_VERSION, _TEST_VERSION):
        raise WERR_INVALID_PARAMETER("address", message="only P2PKH is supported")
    if chain is not None and payload[0] != _version(chain):
        raise WERR_INVALID_PARAMETER("address", f"an address of the {chain} chain")
    return lock(payload[1:])


def address(key_hash: bytes, chain: Chain = Chain.MAIN) -> str:
    """The address of the hash160 of a public key."""
    if len(key_hash) != 20:
        raise WERR_INVALID_PARAMETER("publicKeyHash", message="P2PKH hash length must be 20 bytes")
    return encode_base58check(bytes((_version(chain),)) + key_hash)


def public_key_hash(script: bytes) -> bytes | None:
    """The 20 bytes that a P2PKH lock pays to; None for any other script."""
    return script[3:23] if is_p2pkh(script) else None


def is_p2pkh(script: bytes) -> bool:
    return len(script) == LOCK_LENGTH and script.startswith(_PREFIX) and script.endswith(_SUFFIX)


def unlock(signature_hash: bytes, private_key: bytes, public_key: bytes, scope: int = SIGHASH_ALL_FORKID) -> bytes:
    """The script that spends a P2PKH output: push of signature ‖ scope, push of the public key.

    ``signature_hash`` is the 32 byte digest of the input under ``scope``. ``public_key`` must be that of
    ``private_key``; it is asked for because the caller has it, and deriving it costs as much as the signature.
    """
    if len(signature_hash) != 32 or len(private_key) != 32 or len(public_key) != 33:
        raise WERR_INVALID_PARAMETER("signature", "made of a 32 byte digest, a 32 byte key and its 33 byte public key")
    try:
        signature: bytes = native.ecdsa_sign(signature_hash, private_key)
    except ValueError:
        raise WERR_INVALID_PARAMETER("privateKey", "the 32 bytes of a secp256k1 private key") from None
    if not _has_low_s(signature):
        raise WERR_INTERNAL("The signature has a high S: miners would refuse it.")
    return b"%c%s%c%c%s" % (len(signature) + 1, signature, scope, len(public_key), public_key)


def _has_low_s(signature: bytes) -> bool:
    """DER: 30 length, 02 length r, 02 length s."""
    start = 4 + signature[3]
    return int.from_bytes(signature[start + 2 :], "big") <= _HALF_ORDER


def _version(chain: Chain) -> int:
    return _MAIN_VERSION if chain == Chain.MAIN else _TEST_VERSION
