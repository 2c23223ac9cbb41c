"""Arguments and results of the nine BRC-100 methods on keys: public keys, linkage, encryption, HMACs, signatures."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from bsv_wallet_toolbox.brc100.types_bytes import ByteArray

__all__ = [
    "CreateHmacArgs",
    "CreateHmacResult",
    "CreateSignatureArgs",
    "CreateSignatureResult",
    "DecryptArgs",
    "DecryptResult",
    "EncryptArgs",
    "EncryptResult",
    "GetPublicKeyArgs",
    "GetPublicKeyResult",
    "ProtocolID",
    "RevealCounterpartyKeyLinkageArgs",
    "RevealCounterpartyKeyLinkageResult",
    "RevealSpecificKeyLinkageArgs",
    "RevealSpecificKeyLinkageResult",
    "VerifyHmacArgs",
    "VerifyHmacResult",
    "VerifySignatureArgs",
    "VerifySignatureResult",
]

ProtocolID = tuple[Literal[0, 1, 2], str] | list[int | str]
"""Security level and protocol name (BRC-43); JSON makes it a list."""


class _Privilege(TypedDict):
    privileged: NotRequired[bool]
    privilegedReason: NotRequired[str]


class _Key(_Privilege):
    """``counterparty``: ``self``, ``anyone`` or a compressed public key."""

    protocolID: ProtocolID
    keyID: str
    counterparty: NotRequired[str]
    seekPermission: NotRequired[bool]


class GetPublicKeyArgs(_Privilege):
    """Either ``identityKey`` is True, or ``protocolID`` and ``keyID`` are given."""

    identityKey: NotRequired[bool]
    protocolID: NotRequired[ProtocolID]
    keyID: NotRequired[str]
    counterparty: NotRequired[str]
    forSelf: NotRequired[bool]
    seekPermission: NotRequired[bool]


class GetPublicKeyResult(TypedDict):
    publicKey: str


class RevealCounterpartyKeyLinkageArgs(_Privilege):
    counterparty: str
    verifier: str


class RevealCounterpartyKeyLinkageResult(TypedDict):
    """``revelationTime``: ISO 8601 UTC with milliseconds; it is the key id of the encryption too (BRC-72)."""

    prover: str
    verifier: str
    counterparty: str
    revelationTime: str
    encryptedLinkage: bytes
    encryptedLinkageProof: bytes


class RevealSpecificKeyLinkageArgs(_Privilege):
    counterparty: str
    verifier: str
    protocolID: ProtocolID
    keyID: str


class RevealSpecificKeyLinkageResult(TypedDict):
    prover: str
    verifier: str
    counterparty: str
    protocolID: ProtocolID
    keyID: str
    encryptedLinkage: bytes
    encryptedLinkageProof: bytes
    proofType: int


class EncryptArgs(_Key):
    plaintext: ByteArray


class EncryptResult(TypedDict):
    ciphertext: bytes


class DecryptArgs(_Key):
    ciphertext: ByteArray


class DecryptResult(TypedDict):
    plaintext: bytes


class CreateHmacArgs(_Key):
    data: ByteArray


class CreateHmacResult(TypedDict):
    """``hmac``: 32 bytes."""

    hmac: bytes


class VerifyHmacArgs(_Key):
    data: ByteArray
    hmac: ByteArray


class VerifyHmacResult(TypedDict):
    """A wrong HMAC raises instead."""

    valid: Literal[True]


class CreateSignatureArgs(_Key):
    """``hashToDirectlySign`` (32 bytes) takes precedence over ``data``."""

    data: NotRequired[ByteArray]
    hashToDirectlySign: NotRequired[ByteArray]


class CreateSignatureResult(TypedDict):
    """``signature``: DER."""

    signature: bytes


class VerifySignatureArgs(_Key):
    """``hashToDirectlyVerify`` (32 bytes) takes precedence over ``data``."""

    data: NotRequired[ByteArray]
    hashToDirectlyVerify: NotRequired[ByteArray]
    signature: ByteArray
    forSelf: NotRequired[bool]


class VerifySignatureResult(TypedDict):
    """A wrong signature raises instead."""

    valid: Literal[True]
