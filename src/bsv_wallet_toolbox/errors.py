"""Every error of the toolbox, with its BRC-100 name and JSON form.

WalletError
├── WERR_UNKNOWN
├── WERR_NOT_IMPLEMENTED
├── WERR_INTERNAL
├── WERR_INVALID_OPERATION
│   └── IllegalTransition            a status change that the state machines do not know
├── WERR_BROADCAST_UNAVAILABLE
├── WERR_INVALID_PARAMETER           names the parameter and what it must be
│   └── WERR_INVALID_PUBLIC_KEY
├── WERR_MISSING_PARAMETER
├── WERR_INVALID_MERKLE_ROOT
├── WERR_BAD_REQUEST
├── WERR_NETWORK_CHAIN
├── WERR_UNAUTHORIZED
├── WERR_NOT_ACTIVE
├── WERR_INSUFFICIENT_FUNDS
└── WERR_REVIEW_ACTIONS

The class names are the names on the wire, so they are not in Python's usual case. ``name`` is the wire name (a subclass
of ours answers its parent's), ``code`` the numeric code of the BRC-100 HTTP interface where one is assigned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

__all__ = [
    "WERR_BAD_REQUEST",
    "WERR_BROADCAST_UNAVAILABLE",
    "WERR_INSUFFICIENT_FUNDS",
    "WERR_INTERNAL",
    "WERR_INVALID_MERKLE_ROOT",
    "WERR_INVALID_OPERATION",
    "WERR_INVALID_PARAMETER",
    "WERR_INVALID_PUBLIC_KEY",
    "WERR_MISSING_PARAMETER",
    "WERR_NETWORK_CHAIN",
    "WERR_NOT_ACTIVE",
    "WERR_NOT_IMPLEMENTED",
    "WERR_REVIEW_ACTIONS",
    "WERR_UNAUTHORIZED",
    "WERR_UNKNOWN",
    "IllegalTransition",
    "WalletError",
    "error_from_json",
]


class WalletError(Exception):
    """Base of all errors: ``message`` is meant for people, ``name`` and the extra fields for programs."""

    name: ClassVar[str] = "WERR_UNKNOWN"
    code: ClassVar[int | None] = None
    fields: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of (attribute, JSON key) written after the message; attributes that are None are left out."""
    default_message: ClassVar[str] = "An unknown error has occurred."

    def __init__(self, message: str | None = None) -> None:
        self.message = message if message is not None else self.default_message
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross process boundaries whole, whatever their constructor takes."""
        return _restore, (type(self), self.__dict__)

    def to_json(self) -> dict[str, Any]:
        """The wire object: isError, name, message, code if there is one, then the extra fields (key order is fixed)."""
        body: dict[str, Any] = {"isError": True, "name": self.name, "message": self.message}
        if self.code is not None:
            body["code"] = self.code
        for attribute, key in self.fields:
            value = getattr(self, attribute)
            if value is not None:
                body[key] = _json_value(value)
        return body


_MAX_TEXT = 10_000


def _restore(cls: type[WalletError], state: dict[str, Any]) -> WalletError:
    error = cls.__new__(cls, state["message"])
    error.__dict__.update(state)
    return error


def _json_value(value: Any) -> Any:
    """Bytes travel as arrays of numbers; everything else in an error is JSON already."""
    if isinstance(value, bytes | bytearray):
        return list(value)
    if isinstance(value, Mapping):
        return {key: _json_value(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_json_value(item) for item in value]
    return value


class WERR_UNKNOWN(WalletError):
    name = "WERR_UNKNOWN"


class WERR_NOT_IMPLEMENTED(WalletError):
    name = "WERR_NOT_IMPLEMENTED"
    default_message = "Not implemented."


class WERR_INTERNAL(WalletError):
    name = "WERR_INTERNAL"
    default_message = "An internal error has occurred."


class WERR_INVALID_OPERATION(WalletError):
    name = "WERR_INVALID_OPERATION"
    default_message = "An invalid operation was requested."


class IllegalTransition(WERR_INVALID_OPERATION):
    """A status change outside the tables of the state machines."""


class WERR_BROADCAST_UNAVAILABLE(WalletError):
    name = "WERR_BROADCAST_UNAVAILABLE"
    default_message = "Unable to broadcast transaction at this time."


class WERR_INVALID_PARAMETER(WalletError):
    """``parameter`` names the argument, ``must_be`` completes the sentence "The … parameter must be …"."""

    name = "WERR_INVALID_PARAMETER"
    code: ClassVar[int | None] = 6
    fields = (("parameter", "parameter"),)

    def __init__(self, parameter: str, must_be: str | None = None, *, message: str | None = None) -> None:
        self.parameter: str | None = parameter
        super().__init__(message or f"The {parameter} parameter must be {must_be or 'valid.'}")


class WERR_INVALID_PUBLIC_KEY(WERR_INVALID_PARAMETER):
    """The key is quoted on mainnet only."""

    name = "WERR_INVALID_PUBLIC_KEY"
    code: ClassVar[int | None] = None
    fields = (("key", "key"),)

    def __init__(self, key: str, network: str = "mainnet", *, message: str | None = None) -> None:
        self.key = key
        quoted = f' "{key}"' if network == "mainnet" else ""
        text = message or f"The provided public key{quoted} is invalid or malformed."
        super().__init__("publicKey", message=text)


class WERR_MISSING_PARAMETER(WalletError):
    name = "WERR_MISSING_PARAMETER"
    fields = (("parameter", "parameter"),)

    def __init__(self, parameter: str, *, message: str | None = None) -> None:
        self.parameter = parameter
        super().__init__(message or f"The required {parameter} parameter is missing.")


class WERR_INVALID_MERKLE_ROOT(WalletError):
    """A proof whose root is not the one of our header at that height. Hashes are display-order hex."""

    name = "WERR_INVALID_MERKLE_ROOT"
    code = 8
    fields = (
        ("block_hash", "blockHash"),
        ("block_height", "blockHeight"),
        ("merkle_root", "merkleRoot"),
        ("txid", "txid"),
    )

    def __init__(
        self,
        block_hash: str,
        block_height: int,
        merkle_root: str,
        txid: str | None = None,
        *,
        message: str | None = None,
    ) -> None:
        self.block_hash = block_hash
        self.block_height = block_height
        self.merkle_root = merkle_root
        self.txid = txid
        suffix = f" for txid {txid}" if txid else ""
        super().__init__(
            message or f"Invalid merkleRoot {merkle_root} for block {block_hash} at height {block_height}{suffix}."
        )


class WERR_BAD_REQUEST(WalletError):
    name = "WERR_BAD_REQUEST"
    default_message = "The request is invalid."


class WERR_NETWORK_CHAIN(WalletError):
    name = "WERR_NETWORK_CHAIN"
    default_message = "Configured network chain is invalid or does not match across services."


class WERR_UNAUTHORIZED(WalletError):
    name = "WERR_UNAUTHORIZED"
    default_message = "Access is denied due to an authorization error."


class WERR_NOT_ACTIVE(WalletError):
    name = "WERR_NOT_ACTIVE"
    default_message = (
        "WalletStorageManager is not accessing user's active storage or there are conflicting active stores configured."
    )


class WERR_INSUFFICIENT_FUNDS(WalletError):
    """Satoshis needed in all and satoshis missing."""

    name = "WERR_INSUFFICIENT_FUNDS"
    code = 7
    fields = (
        ("total_satoshis_needed", "totalSatoshisNeeded"),
        ("more_satoshis_needed", "moreSatoshisNeeded"),
    )

    def __init__(self, total_satoshis_needed: int, more_satoshis_needed: int, *, message: str | None = None) -> None:
        self.total_satoshis_needed = total_satoshis_needed
        self.more_satoshis_needed = more_satoshis_needed
        super().__init__(
            message
            or "Insufficient funds in the available inputs to cover the cost of the required outputs and the "
            f"transaction fee ({more_satoshis_needed} more satoshis are needed, for a total of "
            f"{total_satoshis_needed}), plus whatever would be required in order to pay the fee to unlock and spend "
            "the outputs used to provide the additional satoshis."
        )


class WERR_REVIEW_ACTIONS(WalletError):
    """The action exists but did not reach the network as asked; ``txid`` is always given once it is known.

    ``review_action_results``: ``{txid, status, competingTxs?, competingBeef?}`` each, status one of success,
    doubleSpend, serviceError, invalidTx. ``send_with_results``: ``{txid, status}``, status one of unproven, sending,
    failed. ``tx`` is an AtomicBEEF.
    """

    name = "WERR_REVIEW_ACTIONS"
    code = 5
    fields = (
        ("review_action_results", "reviewActionResults"),
        ("send_with_results", "sendWithResults"),
        ("txid", "txid"),
        ("tx", "tx"),
        ("no_send_change", "noSendChange"),
    )
    default_message = "Undelayed createAction or signAction results require review."

    def __init__(
        self,
        review_action_results: Sequence[Mapping[str, Any]],
        send_with_results: Sequence[Mapping[str, Any]],
        txid: str | None = None,
        tx: bytes | None = None,
        no_send_change: Sequence[str] | None = None,
        *,
        message: str | None = None,
    ) -> None:
        self.review_action_results = list(review_action_results)
        self.send_with_results = list(send_with_results)
        self.txid = txid
        self.tx = tx
        self.no_send_change = list(no_send_change) if no_send_change is not None else None
        super().__init__(message)


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value[:_MAX_TEXT] if isinstance(value, str) else ""


def _number(body: Mapping[str, Any], key: str) -> int:
    value = body.get(key)
    return value if type(value) is int and abs(value) < 2**53 else 0


def _objects(body: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = body.get(key)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _bytes(body: Mapping[str, Any], key: str) -> bytes | None:
    value = body.get(key)
    if isinstance(value, list) and all(type(each) is int and 0 <= each <= 255 for each in value):
        return bytes(value)
    return value if isinstance(value, bytes) else None


def _of_name(body: Mapping[str, Any], message: str | None) -> WalletError | None:
    """The classes whose constructor takes more than a message. A field of the wrong kind is as good as absent."""
    match body.get("name"):
        case "WERR_INVALID_PARAMETER":
            return WERR_INVALID_PARAMETER(_text(body, "parameter"), message=message)
        case "WERR_INVALID_PUBLIC_KEY":
            return WERR_INVALID_PUBLIC_KEY(_text(body, "key"), message=message)
        case "WERR_MISSING_PARAMETER":
            return WERR_MISSING_PARAMETER(_text(body, "parameter"), message=message)
        case "WERR_INSUFFICIENT_FUNDS":
            total, more = _number(body, "totalSatoshisNeeded"), _number(body, "moreSatoshisNeeded")
            return WERR_INSUFFICIENT_FUNDS(total, more, message=message)
        case "WERR_INVALID_MERKLE_ROOT":
            return WERR_INVALID_MERKLE_ROOT(
                _text(body, "blockHash"),
                _number(body, "blockHeight"),
                _text(body, "merkleRoot"),
                _text(body, "txid") or None,
                message=message,
            )
        case "WERR_REVIEW_ACTIONS":
            change = body.get("noSendChange")
            return WERR_REVIEW_ACTIONS(
                _objects(body, "reviewActionResults"),
                _objects(body, "sendWithResults"),
                _text(body, "txid") or None,
                _bytes(body, "tx"),
                [each for each in change if isinstance(each, str)] if isinstance(change, list) else None,
                message=message,
            )
    return None


_PLAIN: dict[str, type[WalletError]] = {
    cls.name: cls
    for cls in (
        WERR_UNKNOWN,
        WERR_NOT_IMPLEMENTED,
        WERR_INTERNAL,
        WERR_INVALID_OPERATION,
        WERR_BROADCAST_UNAVAILABLE,
        WERR_BAD_REQUEST,
        WERR_NETWORK_CHAIN,
        WERR_UNAUTHORIZED,
        WERR_NOT_ACTIVE,
    )
}


def error_from_json(body: Mapping[str, Any]) -> WalletError:
    """Rebuild an error from its wire object, whatever a peer put into it.

    An unknown name gives WERR_UNKNOWN that keeps name and text. The caller has bounded the size of ``body``.
    """
    message = _text(body, "message")
    error = _of_name(body, message or None)
    if error is not None:
        return error
    name = _text(body, "name")
    cls = _PLAIN.get(name)
    return cls(message) if cls is not None else WERR_UNKNOWN(f"{name}: {message}" if name else message)
