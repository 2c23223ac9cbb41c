"""Arguments and results of the 28 BRC-100 methods as TypedDicts, gathered under one name; here the six status methods.

Keys are the camelCase names of BRC-100. Binary values are ``bytes`` in results; arguments also take a list of numbers
0..255, which is what JSON carries. Scripts, txids and public keys are lower-case hex, an outpoint is ``txid.vout``.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from bsv_wallet_toolbox.brc100.types_actions import (
    AbortActionArgs,
    AbortActionResult,
    ActionStatus,
    BasketInsertionRemittance,
    CreateActionArgs,
    CreateActionInput,
    CreateActionOptions,
    CreateActionOutput,
    CreateActionResult,
    InternalizeActionArgs,
    InternalizeActionResult,
    InternalizeOutput,
    ListActionsArgs,
    ListActionsResult,
    ListOutputsArgs,
    ListOutputsResult,
    PaymentRemittance,
    RelinquishOutputArgs,
    RelinquishOutputResult,
    SendWithResult,
    SignableTransaction,
    SignActionArgs,
    SignActionOptions,
    SignActionResult,
    SignActionSpend,
    WalletAction,
    WalletActionInput,
    WalletActionOutput,
    WalletOutput,
)
from bsv_wallet_toolbox.brc100.types_bytes import ByteArray
from bsv_wallet_toolbox.brc100.types_certificates import (
    AcquireCertificateArgs,
    DiscoverByAttributesArgs,
    DiscoverByIdentityKeyArgs,
    DiscoverCertificatesResult,
    IdentityCertificate,
    IdentityCertifier,
    ListCertificatesArgs,
    ListCertificatesResult,
    ListedCertificate,
    PartialCertificate,
    ProveCertificateArgs,
    ProveCertificateResult,
    RelinquishCertificateArgs,
    RelinquishCertificateResult,
    WalletCertificate,
)
from bsv_wallet_toolbox.brc100.types_keys import (
    CreateHmacArgs,
    CreateHmacResult,
    CreateSignatureArgs,
    CreateSignatureResult,
    DecryptArgs,
    DecryptResult,
    EncryptArgs,
    EncryptResult,
    GetPublicKeyArgs,
    GetPublicKeyResult,
    ProtocolID,
    RevealCounterpartyKeyLinkageArgs,
    RevealCounterpartyKeyLinkageResult,
    RevealSpecificKeyLinkageArgs,
    RevealSpecificKeyLinkageResult,
    VerifyHmacArgs,
    VerifyHmacResult,
    VerifySignatureArgs,
    VerifySignatureResult,
)

__all__ = [
    "AbortActionArgs",
    "AbortActionResult",
    "AcquireCertificateArgs",
    "ActionStatus",
    "AuthenticatedResult",
    "BasketInsertionRemittance",
    "ByteArray",
    "CreateActionArgs",
    "CreateActionInput",
    "CreateActionOptions",
    "CreateActionOutput",
    "CreateActionResult",
    "CreateHmacArgs",
    "CreateHmacResult",
    "CreateSignatureArgs",
    "CreateSignatureResult",
    "DecryptArgs",
    "DecryptResult",
    "DiscoverByAttributesArgs",
    "DiscoverByIdentityKeyArgs",
    "DiscoverCertificatesResult",
    "EncryptArgs",
    "EncryptResult",
    "GetHeaderArgs",
    "GetHeaderResult",
    "GetHeightResult",
    "GetNetworkResult",
    "GetPublicKeyArgs",
    "GetPublicKeyResult",
    "GetVersionResult",
    "IdentityCertificate",
    "IdentityCertifier",
    "InternalizeActionArgs",
    "InternalizeActionResult",
    "InternalizeOutput",
    "ListActionsArgs",
    "ListActionsResult",
    "ListCertificatesArgs",
    "ListCertificatesResult",
    "ListOutputsArgs",
    "ListOutputsResult",
    "ListedCertificate",
    "NoArgs",
    "PartialCertificate",
    "PaymentRemittance",
    "ProtocolID",
    "ProveCertificateArgs",
    "ProveCertificateResult",
    "RelinquishCertificateArgs",
    "RelinquishCertificateResult",
    "RelinquishOutputArgs",
    "RelinquishOutputResult",
    "RevealCounterpartyKeyLinkageArgs",
    "RevealCounterpartyKeyLinkageResult",
    "RevealSpecificKeyLinkageArgs",
    "RevealSpecificKeyLinkageResult",
    "SendWithResult",
    "SignActionArgs",
    "SignActionOptions",
    "SignActionResult",
    "SignActionSpend",
    "SignableTransaction",
    "VerifyHmacArgs",
    "VerifyHmacResult",
    "VerifySignatureArgs",
    "VerifySignatureResult",
    "WalletAction",
    "WalletActionInput",
    "WalletActionOutput",
    "WalletCertificate",
    "WalletOutput",
]


class NoArgs(TypedDict):
    """The argument object of methods that take none: ``{}``."""


class AuthenticatedResult(TypedDict):
    """``waitForAuthentication`` answers only with True."""

    authenticated: bool


class GetHeightResult(TypedDict):
    height: int


class GetHeaderArgs(TypedDict):
    height: int


class GetHeaderResult(TypedDict):
    """``header``: 80 bytes as hex."""

    header: str


class GetNetworkResult(TypedDict):
    network: Literal["mainnet", "testnet"]


class GetVersionResult(TypedDict):
    version: str
