"""Arguments and results of the six BRC-100 methods on identity certificates (BRC-52)."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

__all__ = [
    "AcquireCertificateArgs",
    "DiscoverByAttributesArgs",
    "DiscoverByIdentityKeyArgs",
    "DiscoverCertificatesResult",
    "IdentityCertificate",
    "IdentityCertifier",
    "ListCertificatesArgs",
    "ListCertificatesResult",
    "ListedCertificate",
    "PartialCertificate",
    "ProveCertificateArgs",
    "ProveCertificateResult",
    "RelinquishCertificateArgs",
    "RelinquishCertificateResult",
    "WalletCertificate",
]


class WalletCertificate(TypedDict):
    """``type`` and ``serialNumber`` are base64 of 32 bytes, ``fields`` base64 ciphertexts, ``signature`` hex DER."""

    type: str
    serialNumber: str
    subject: str
    certifier: str
    revocationOutpoint: str
    signature: str
    fields: dict[str, str]


class AcquireCertificateArgs(TypedDict):
    """``direct`` needs serialNumber, revocationOutpoint, signature, keyringRevealer and keyringForSubject, ``issuance``
    needs certifierUrl; neither allows the other's."""

    type: str
    certifier: str
    acquisitionProtocol: Literal["direct", "issuance"]
    fields: dict[str, str]
    serialNumber: NotRequired[str]
    revocationOutpoint: NotRequired[str]
    signature: NotRequired[str]
    certifierUrl: NotRequired[str]
    keyringRevealer: NotRequired[str]
    keyringForSubject: NotRequired[dict[str, str]]
    privileged: NotRequired[bool]
    privilegedReason: NotRequired[str]


class ListCertificatesArgs(TypedDict):
    certifiers: list[str]
    types: list[str]
    limit: NotRequired[int]
    offset: NotRequired[int]
    privileged: NotRequired[bool]
    privilegedReason: NotRequired[str]


class ListedCertificate(WalletCertificate):
    keyring: NotRequired[dict[str, str]]
    verifier: NotRequired[str]


class ListCertificatesResult(TypedDict):
    totalCertificates: int
    certificates: list[ListedCertificate]


class PartialCertificate(TypedDict):
    type: NotRequired[str]
    serialNumber: NotRequired[str]
    subject: NotRequired[str]
    certifier: NotRequired[str]
    revocationOutpoint: NotRequired[str]
    signature: NotRequired[str]
    fields: NotRequired[dict[str, str]]


class ProveCertificateArgs(TypedDict):
    certificate: PartialCertificate
    fieldsToReveal: list[str]
    verifier: str
    privileged: NotRequired[bool]
    privilegedReason: NotRequired[str]


class ProveCertificateResult(TypedDict):
    """Field name to base64 field key, encrypted for the verifier."""

    keyringForVerifier: dict[str, str]


class RelinquishCertificateArgs(TypedDict):
    type: str
    serialNumber: str
    certifier: str


class RelinquishCertificateResult(TypedDict):
    relinquished: Literal[True]


class DiscoverByIdentityKeyArgs(TypedDict):
    identityKey: str
    limit: NotRequired[int]
    offset: NotRequired[int]
    seekPermission: NotRequired[bool]


class DiscoverByAttributesArgs(TypedDict):
    attributes: dict[str, str]
    limit: NotRequired[int]
    offset: NotRequired[int]
    seekPermission: NotRequired[bool]


class IdentityCertifier(TypedDict):
    name: str
    iconUrl: str
    description: str
    trust: int


class IdentityCertificate(WalletCertificate):
    certifierInfo: IdentityCertifier
    publiclyRevealedKeyring: dict[str, str]
    decryptedFields: dict[str, str]


class DiscoverCertificatesResult(TypedDict):
    totalCertificates: int
    certificates: list[IdentityCertificate]
