"""Keys derived from a root key: BRC-42 mathematics under BRC-43 invoice numbers, on raw bytes.

An adapter of ``_bsv_native`` (libsecp256k1). Private keys are 32 bytes big-endian, public keys 33 bytes compressed.

Which result of two parties X and Y under one protocol and key id equals which:
X's public key for Y is the public key of Y's private key for X; their symmetric keys are the same.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from functools import lru_cache

import _bsv_native as native

from bsv_wallet_toolbox.errors import (
    WERR_INTERNAL,
    WERR_INVALID_OPERATION,
    WERR_INVALID_PARAMETER,
    WERR_INVALID_PUBLIC_KEY,
)

__all__ = ["ANYONE", "SELF", "Counterparty", "KeyDeriver", "Protocol", "checked_root_key", "invoice_number"]

Protocol = tuple[int, str]
"""Security level (0 silent, 1 permission per app, 2 per app and counterparty) and protocol name."""

Counterparty = str
"""``self``, ``anyone`` or a compressed public key as 66 hex digits."""

SELF: Counterparty = "self"
ANYONE: Counterparty = "anyone"

_ANYONE_POINT = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
"""The generator: the public key of private key 1."""

_CACHE_SIZE = 1000
_LINKAGE_PREFIX = "specific linkage revelation "
_PUBLIC_KEY_HEX = re.compile(r"[0-9a-fA-F]+")
_PROTOCOL_NAME = re.compile(r"[a-z0-9 ]+")
_MAX_PADDED_NAME = 1000
_JAVASCRIPT_SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What JavaScript's ``trim`` removes; Python's ``strip`` removes more."""


def checked_root_key(root_key: bytes) -> bytes:
    """``root_key`` as bytes if it is a private key; WERR_INVALID_PARAMETER (which does not quote it) if not."""
    if not isinstance(root_key, bytes | bytearray) or len(root_key) != 32 or not native.seckey_verify(bytes(root_key)):
        raise WERR_INVALID_PARAMETER("rootKey", "the 32 bytes of a secp256k1 private key")
    return bytes(root_key)


def invoice_number(protocol: Protocol, key_id: str) -> bytes:
    """The BRC-43 invoice number ``level-name-keyID`` in UTF-8; the name is lower-cased and trimmed, the key id taken
    as is.

    Raises WERR_INVALID_PARAMETER (``protocolID`` or ``keyID``). Lengths count UTF-16 units, as the TypeScript peers do.
    """
    try:
        level, name = protocol
    except (TypeError, ValueError):
        raise WERR_INVALID_PARAMETER("protocolID", "a security level and a protocol name") from None
    if type(level) is not int or not 0 <= level <= 2:
        raise _refusal("protocolID", "Protocol security level must be 0, 1, or 2")
    key_bytes = _key_id_bytes(key_id)
    if not isinstance(name, str):
        raise WERR_INVALID_PARAMETER("protocolID", "a security level and a protocol name")
    if len(name) > _MAX_PADDED_NAME:
        raise _refusal("protocolID", "Protocol names must be 400 characters or less")
    return b"%d-%s-%s" % (level, _normalised_name(name), key_bytes)


class KeyDeriver:
    """Derives every key of one root key. May be used from several threads at once.

    Shared secrets, public keys and symmetric keys are remembered (1000 of each, least recently used go first). Private
    keys and specific secrets are computed anew: with the shared secret at hand that takes microseconds, and keeping
    them would only keep secrets.

    Every method raises WERR_INVALID_PARAMETER for a protocol, key id or counterparty of the wrong form and
    WERR_INVALID_PUBLIC_KEY for a counterparty that is no point of the curve.
    """

    __slots__ = ("_parties", "_public_keys", "_root_key", "_symmetric_keys", "identity_key", "identity_key_bytes")

    identity_key: str
    """The root public key as hex: who this wallet is."""

    def __init__(self, root_key: bytes) -> None:
        self._root_key = checked_root_key(root_key)
        self.identity_key_bytes: bytes = native.pubkey_from_secret(self._root_key)
        self.identity_key = self.identity_key_bytes.hex()
        self._parties: Callable[[Counterparty], tuple[bytes, bytes]] = lru_cache(_CACHE_SIZE)(self._meet)
        self._public_keys: Callable[[bytes, Counterparty, bool], bytes] = lru_cache(_CACHE_SIZE)(self._public_key)
        self._symmetric_keys: Callable[[bytes, Counterparty], bytes] = lru_cache(_CACHE_SIZE)(self._symmetric_key)

    def __repr__(self) -> str:
        return f"KeyDeriver(identity_key={self.identity_key!r})"

    def __reduce__(self) -> str:
        raise WERR_INVALID_OPERATION("A KeyDeriver holds a root key and cannot be copied or pickled.")

    def derive_private_key(self, protocol: Protocol, key_id: str, counterparty: Counterparty) -> bytes:
        return self._private_key(invoice_number(protocol, key_id), counterparty)

    def derive_public_key(
        self, protocol: Protocol, key_id: str, counterparty: Counterparty, for_self: bool = False
    ) -> bytes:
        """The key the counterparty can find the private half of; with ``for_self``, the one we can.

        For ``self`` the two are one key.
        """
        ours = bool(for_self) or counterparty == SELF
        return self._public_keys(invoice_number(protocol, key_id), _known_form(counterparty), ours)

    def derive_symmetric_key(self, protocol: Protocol, key_id: str, counterparty: Counterparty) -> bytes:
        """The 32 byte key both parties can find. For ``anyone`` it is no secret: our identity key is enough to find
        it.
        """
        return self._symmetric_keys(invoice_number(protocol, key_id), _known_form(counterparty))

    def reveal_specific_secret(self, protocol: Protocol, key_id: str, counterparty: Counterparty) -> bytes:
        """The 32 bytes that link one derived key to the two parties (BRC-69): what was added to the root key."""
        return self._tweak(invoice_number(protocol, key_id), counterparty)

    def reveal_counterparty_secret(self, counterparty: Counterparty) -> bytes:
        """The 33 bytes of the secret shared with a counterparty (BRC-69): it links every key derived between the two.

        Refused for ``self`` and the own identity key with WERR_INVALID_PARAMETER: it would give away every key of our
        own. For ``anyone`` it is our identity key.
        """
        point, secret = self._parties(_known_form(counterparty))
        if point == self.identity_key_bytes:
            raise _refusal("counterparty", "Counterparty secrets cannot be revealed for counterparty=self.")
        return secret

    def _meet(self, counterparty: Counterparty) -> tuple[bytes, bytes]:
        """The counterparty's point and the secret shared with it."""
        if counterparty == ANYONE:
            return _ANYONE_POINT, self.identity_key_bytes
        point = self.identity_key_bytes if counterparty == SELF else _parse_public_key(counterparty)
        return point, _multiply(point, self._root_key)

    def _tweak(self, invoice: bytes, counterparty: Counterparty) -> bytes:
        tweak: bytes = native.hmac_sha256(self._parties(_known_form(counterparty))[1], invoice)
        return tweak

    def _private_key(self, invoice: bytes, counterparty: Counterparty) -> bytes:
        return _native_result(native.seckey_tweak_add, self._root_key, self._tweak(invoice, counterparty))

    def _public_key(self, invoice: bytes, counterparty: Counterparty, for_self: bool) -> bytes:
        if for_self:
            public_key: bytes = native.pubkey_from_secret(self._private_key(invoice, counterparty))
            return public_key
        point, _ = self._parties(counterparty)
        return _native_result(native.pubkey_tweak_add, point, self._tweak(invoice, counterparty))

    def _symmetric_key(self, invoice: bytes, counterparty: Counterparty) -> bytes:
        public_key = self._public_keys(invoice, counterparty, False)
        return _multiply(public_key, self._private_key(invoice, counterparty))[1:]


def _native_result(operation: Callable[[bytes, bytes], bytes], left: bytes, right: bytes) -> bytes:
    """One HMAC in 2^128 is no scalar, or leads to the point at infinity."""
    try:
        return operation(left, right)
    except ValueError:
        raise WERR_INTERNAL("This key cannot be derived; use another key id.") from None


def _multiply(point: bytes, secret: bytes) -> bytes:
    """``secret`` times ``point``, compressed.

    The native multiplication takes a time that depends on the scalar, and counterparties choose the point. So the
    secret is split into two random parts: (secret + blind)·P - blind·P.
    """
    blind = secrets.token_bytes(32)
    blinded = _native_result(native.pubkey_tweak_mul, point, _native_result(native.seckey_tweak_add, secret, blind))
    offset = _native_result(native.pubkey_tweak_mul, point, blind)
    product: bytes = native.pubkey_combine([blinded, bytes((offset[0] ^ 1,)) + offset[1:]])
    return product


def _known_form(counterparty: Counterparty) -> Counterparty:
    """Refuse what is no text before it reaches a cache, where it might not even be hashable."""
    if not isinstance(counterparty, str) or not counterparty:
        raise _refusal("counterparty", "counterparty must be self, anyone or a public key!")
    return counterparty


def _parse_public_key(text: str) -> bytes:
    quoted = text[:132]
    if _PUBLIC_KEY_HEX.fullmatch(quoted) is None:
        raise WERR_INVALID_PUBLIC_KEY(quoted, message="Invalid hex string")
    if len(text) != 66:
        raise WERR_INVALID_PUBLIC_KEY(quoted)
    try:
        point: bytes = native.pubkey_parse(bytes.fromhex(text))
    except ValueError:
        raise WERR_INVALID_PUBLIC_KEY(quoted) from None
    return point


def _key_id_bytes(key_id: str) -> bytes:
    if not isinstance(key_id, str):
        raise WERR_INVALID_PARAMETER("keyID", "a string")
    if len(key_id) > 800 or _utf16_length(key_id) > 800:
        raise _refusal("keyID", "Key IDs must be 800 characters or less")
    if not key_id:
        raise _refusal("keyID", "Key IDs must be 1 character or more")
    try:
        return key_id.encode()
    except UnicodeEncodeError:
        raise WERR_INVALID_PARAMETER("keyID", "well-formed Unicode text") from None


@lru_cache(_CACHE_SIZE)
def _normalised_name(name: str) -> bytes:
    """Remembered because a wallet uses few protocols; a name that is refused is not kept."""
    normalised = name.lower().strip(_JAVASCRIPT_SPACE)
    length = _utf16_length(normalised)
    refused: str | None = None
    if length > 400:
        if not normalised.startswith(_LINKAGE_PREFIX):
            refused = "Protocol names must be 400 characters or less"
        elif length > 430:
            refused = "Specific linkage revelation protocol names must be 430 characters or less"
    if refused is None:
        if length < 5:
            refused = "Protocol names must be 5 characters or more"
        elif "  " in normalised:
            refused = 'Protocol names cannot contain multiple consecutive spaces ("  ")'
        elif _PROTOCOL_NAME.fullmatch(normalised) is None:
            refused = "Protocol names can only contain letters, numbers and spaces"
        elif normalised.endswith(" protocol"):
            refused = 'No need to end your protocol name with " protocol"'
    if refused is not None:
        raise _refusal("protocolID", refused)
    return normalised.encode()


def _utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _refusal(parameter: str, message: str) -> WERR_INVALID_PARAMETER:
    return WERR_INVALID_PARAMETER(parameter, message=message)
