"""Idempotency: what was asked under which key, so that the same request is carried out once."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.storage.statements import users as statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.users import UserScope

__all__ = ["Replay", "RequestKey", "find_replay", "record_request", "request_key"]

MAX_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class RequestKey:
    originator: str
    key: str
    args_hash: bytes


@dataclass(frozen=True, slots=True)
class Replay:
    """The transaction that a request made, and what was recorded of its result."""

    transaction_id: int
    result: Mapping[str, Any]


def request_key(key: object, originator: str, method: str, args: Any) -> RequestKey:
    """The key of a call with these validated arguments (plain JSON values and bytes).

    WERR_INVALID_PARAMETER unless ``key`` is a text of 1 to 255 characters.
    """
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise WERR_INVALID_PARAMETER("idempotencyKey", f"a printable text of 1 to {MAX_KEY_LENGTH} characters")
    text = orjson.dumps([method, args], option=orjson.OPT_SORT_KEYS, default=_hashable)
    return RequestKey(originator, key, hashlib.sha256(text).digest())


def _hashable(value: Any) -> Any:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def find_replay(tx: Transaction, scope: UserScope, request: RequestKey | None) -> Replay | None:
    """What the same request led to before, None for a new one.

    WERR_INVALID_PARAMETER when the key was used for other arguments.
    """
    if request is None:
        return None
    row = tx.one(statements.FIND_REQUEST, user_id=scope.user_id, originator=request.originator, key=request.key)
    if row is None:
        return None
    args_hash, transaction_id, result = row
    if not hmac.compare_digest(args_hash, request.args_hash):
        raise WERR_INVALID_PARAMETER("idempotencyKey", "one that was not used for other arguments")
    return Replay(transaction_id, orjson.loads(result))


def record_request(
    tx: Transaction, scope: UserScope, request: RequestKey | None, transaction_id: int, **result: Any
) -> None:
    """Remember a request that was carried out, with what of its result no table tells (plain JSON values)."""
    if request is None:
        return
    tx.execute(
        statements.INSERT_REQUEST,
        user_id=scope.user_id,
        originator=request.originator,
        key=request.key,
        args_hash=request.args_hash,
        transaction_id=transaction_id,
        result=orjson.dumps(result).decode(),
        now=iso(tx.now()),
    )
