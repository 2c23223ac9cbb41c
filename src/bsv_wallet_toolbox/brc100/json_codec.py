"""The JSON form of BRC-100 objects: binary values travel as arrays of numbers, everything else is JSON already.

Going out, bytes are recognised by their type. Coming in, only the method says which arrays are bytes: the tables below.
The trees are what ``orjson`` reads and writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bsv_wallet_toolbox.brc100.primitives import MAX_BYTES, byte_array, members
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = ["ARGS_BYTES", "METHODS", "RESULT_BYTES", "args_from_json", "result_from_json", "to_json_value"]

METHODS = (
    "createAction",
    "signAction",
    "abortAction",
    "listActions",
    "internalizeAction",
    "listOutputs",
    "relinquishOutput",
    "getPublicKey",
    "revealCounterpartyKeyLinkage",
    "revealSpecificKeyLinkage",
    "encrypt",
    "decrypt",
    "createHmac",
    "verifyHmac",
    "createSignature",
    "verifySignature",
    "acquireCertificate",
    "listCertificates",
    "proveCertificate",
    "relinquishCertificate",
    "discoverByIdentityKey",
    "discoverByAttributes",
    "isAuthenticated",
    "waitForAuthentication",
    "getHeight",
    "getHeaderForHeight",
    "getNetwork",
    "getVersion",
)
"""The names on the wire, in the order of their call codes 1 to 28."""

_Paths = Mapping[str, tuple[tuple[str, ...], ...]]

ARGS_BYTES: _Paths = {
    "createAction": (("inputBEEF",),),
    "internalizeAction": (("tx",),),
    "encrypt": (("plaintext",),),
    "decrypt": (("ciphertext",),),
    "createHmac": (("data",),),
    "verifyHmac": (("data",), ("hmac",)),
    "createSignature": (("data",), ("hashToDirectlySign",)),
    "verifySignature": (("data",), ("hashToDirectlyVerify",), ("signature",)),
}
"""Method to the members of its arguments that are bytes, each as a path of keys."""

RESULT_BYTES: _Paths = {
    "createAction": (("tx",), ("signableTransaction", "tx")),
    "signAction": (("tx",),),
    "listOutputs": (("BEEF",),),
    "revealCounterpartyKeyLinkage": (("encryptedLinkage",), ("encryptedLinkageProof",)),
    "revealSpecificKeyLinkage": (("encryptedLinkage",), ("encryptedLinkageProof",)),
    "encrypt": (("ciphertext",),),
    "decrypt": (("plaintext",),),
    "createHmac": (("hmac",),),
    "createSignature": (("signature",),),
}
"""Method to the members of its result that are bytes, each as a path of keys."""

_NESTED = (bytes, bytearray, memoryview, dict, list, tuple)


def to_json_value(value: Any) -> Any:
    """A copy with bytes as lists of numbers and tuples as lists; scalars are kept as they are."""
    root = [value]
    pending: list[tuple[Any, Any]] = [(root, 0)]
    while pending:
        holder, key = pending.pop()
        item = holder[key]
        copy: list[Any] | dict[Any, Any]
        if isinstance(item, dict):
            copy = dict(item)
            pending.extend((copy, name) for name, member in copy.items() if isinstance(member, _NESTED))
        elif isinstance(item, list | tuple):
            copy = list(item)
            pending.extend((copy, index) for index, member in enumerate(copy) if isinstance(member, _NESTED))
        elif isinstance(item, bytes | bytearray | memoryview):
            copy = list(bytes(item))
        else:
            continue
        holder[key] = copy
    return root[0]


def args_from_json(method: str, value: object, maximum: int = MAX_BYTES) -> dict[str, Any]:
    """Arguments of ``method`` (its camelCase name) with the binary ones as bytes, at most ``maximum`` each.

    Raises WERR_INVALID_PARAMETER for an unknown method, an object that is none, or an array that holds no bytes.
    """
    return _with_bytes(members(value, "args"), _paths_of(ARGS_BYTES, method), maximum)


def result_from_json(method: str, value: object, maximum: int = MAX_BYTES) -> dict[str, Any]:
    """The result of ``method`` with its binary members as bytes; raises as :func:`args_from_json` does."""
    return _with_bytes(members(value, "result"), _paths_of(RESULT_BYTES, method), maximum)


def _paths_of(table: _Paths, method: str) -> tuple[tuple[str, ...], ...]:
    if method not in METHODS:
        raise WERR_INVALID_PARAMETER("method", "a BRC-100 method")
    return table.get(method, ())


def _with_bytes(body: dict[str, Any], paths: tuple[tuple[str, ...], ...], maximum: int) -> dict[str, Any]:
    copy = dict(body)
    for *parents, key in paths:
        holder: dict[str, Any] | None = copy
        for parent in parents:
            holder = _copied_member(holder, parent)
        if holder is not None and holder.get(key) is not None:
            holder[key] = byte_array(holder[key], key, maximum)
    return copy


def _copied_member(holder: dict[str, Any] | None, key: str) -> dict[str, Any] | None:
    """The object under ``key``, copied so that the caller's is left alone; None when it is absent."""
    if holder is None or holder.get(key) is None:
        return None
    copy: dict[str, Any] = dict(members(holder[key], key))
    holder[key] = copy
    return copy
