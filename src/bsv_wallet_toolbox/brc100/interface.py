"""The wallet interface of BRC-100, in Python: 28 coroutines in snake_case."""

from __future__ import annotations

from typing import Protocol

from bsv_wallet_toolbox.brc100 import types as t

__all__ = ["WalletInterface"]


class WalletInterface(Protocol):
    """What every BRC-100 wallet answers, be it in this process or behind a wire.

    ``originator`` is the domain name of the application that asks; None is the wallet's owner. Malformed arguments
    raise WERR_INVALID_PARAMETER or WERR_MISSING_PARAMETER; what else a method raises is said where it is implemented.
    """

    async def create_action(self, args: t.CreateActionArgs, originator: str | None = None) -> t.CreateActionResult: ...

    async def sign_action(self, args: t.SignActionArgs, originator: str | None = None) -> t.SignActionResult: ...

    async def abort_action(self, args: t.AbortActionArgs, originator: str | None = None) -> t.AbortActionResult: ...

    async def list_actions(self, args: t.ListActionsArgs, originator: str | None = None) -> t.ListActionsResult: ...

    async def internalize_action(
        self, args: t.InternalizeActionArgs, originator: str | None = None
    ) -> t.InternalizeActionResult: ...

    async def list_outputs(self, args: t.ListOutputsArgs, originator: str | None = None) -> t.ListOutputsResult: ...

    async def relinquish_output(
        self, args: t.RelinquishOutputArgs, originator: str | None = None
    ) -> t.RelinquishOutputResult: ...

    async def get_public_key(self, args: t.GetPublicKeyArgs, originator: str | None = None) -> t.GetPublicKeyResult: ...

    async def reveal_counterparty_key_linkage(
        self, args: t.RevealCounterpartyKeyLinkageArgs, originator: str | None = None
    ) -> t.RevealCounterpartyKeyLinkageResult: ...

    async def reveal_specific_key_linkage(
        self, args: t.RevealSpecificKeyLinkageArgs, originator: str | None = None
    ) -> t.RevealSpecificKeyLinkageResult: ...

    async def encrypt(self, args: t.EncryptArgs, originator: str | None = None) -> t.EncryptResult: ...

    async def decrypt(self, args: t.DecryptArgs, originator: str | None = None) -> t.DecryptResult: ...

    async def create_hmac(self, args: t.CreateHmacArgs, originator: str | None = None) -> t.CreateHmacResult: ...

    async def verify_hmac(self, args: t.VerifyHmacArgs, originator: str | None = None) -> t.VerifyHmacResult: ...

    async def create_signature(
        self, args: t.CreateSignatureArgs, originator: str | None = None
    ) -> t.CreateSignatureResult: ...

    async def verify_signature(
        self, args: t.VerifySignatureArgs, originator: str | None = None
    ) -> t.VerifySignatureResult: ...

    async def acquire_certificate(
        self, args: t.AcquireCertificateArgs, originator: str | None = None
    ) -> t.WalletCertificate: ...

    async def list_certificates(
        self, args: t.ListCertificatesArgs, originator: str | None = None
    ) -> t.ListCertificatesResult: ...

    async def prove_certificate(
        self, args: t.ProveCertificateArgs, originator: str | None = None
    ) -> t.ProveCertificateResult: ...

    async def relinquish_certificate(
        self, args: t.RelinquishCertificateArgs, originator: str | None = None
    ) -> t.RelinquishCertificateResult: ...

    async def discover_by_identity_key(
        self, args: t.DiscoverByIdentityKeyArgs, originator: str | None = None
    ) -> t.DiscoverCertificatesResult: ...

    async def discover_by_attributes(
        self, args: t.DiscoverByAttributesArgs, originator: str | None = None
    ) -> t.DiscoverCertificatesResult: ...

    async def is_authenticated(
        self, args: t.NoArgs | None = None, originator: str | None = None
    ) -> t.AuthenticatedResult: ...

    async def wait_for_authentication(
        self, args: t.NoArgs | None = None, originator: str | None = None
    ) -> t.AuthenticatedResult: ...

    async def get_height(self, args: t.NoArgs | None = None, originator: str | None = None) -> t.GetHeightResult: ...

    async def get_header_for_height(
        self, args: t.GetHeaderArgs, originator: str | None = None
    ) -> t.GetHeaderResult: ...

    async def get_network(self, args: t.NoArgs | None = None, originator: str | None = None) -> t.GetNetworkResult: ...

    async def get_version(self, args: t.NoArgs | None = None, originator: str | None = None) -> t.GetVersionResult: ...
