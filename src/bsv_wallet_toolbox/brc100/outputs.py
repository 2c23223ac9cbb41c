"""Arguments of listOutputs and relinquishOutput, validated."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bsv_wallet_toolbox.brc100.actions import QueryMode, query_mode
from bsv_wallet_toolbox.brc100.originator import check_basket, check_listed_basket
from bsv_wallet_toolbox.brc100.outpoint import Outpoint
from bsv_wallet_toolbox.brc100.primitives import (
    MAX_SAFE_INTEGER,
    MAX_SATOSHIS,
    flag,
    identifier,
    identifiers,
    integer,
    members,
    required,
)
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = [
    "ChangeParameters",
    "ValidListOutputs",
    "ValidRelinquishOutput",
    "change_parameters",
    "validate_list_outputs",
    "validate_relinquish_output",
]

_MOST_DESIRED_UTXOS = 10_000
_DECIMAL = re.compile(r"[0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class ValidListOutputs:
    """A negative ``offset`` lists newest first from ``-offset - 1``. ``known_txids`` is for the wallet to set: these
    transactions may stand in the BEEF by their txid alone."""

    basket: str
    tags: tuple[str, ...]
    tag_query_mode: QueryMode
    include_locking_scripts: bool
    include_transactions: bool
    include_custom_instructions: bool
    include_tags: bool
    include_labels: bool
    limit: int
    offset: int
    seek_permission: bool
    known_txids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeParameters:
    """``minimum_value`` is in satoshis."""

    desired_utxos: int
    minimum_value: int


@dataclass(frozen=True, slots=True)
class ValidRelinquishOutput:
    basket: str
    output: Outpoint


def validate_list_outputs(args: object, originator: str | None = None) -> ValidListOutputs:
    """Check listOutputs arguments (BRC-100). ``originator`` is normalised; None is the owner.

    An ``include`` that is no known word includes neither scripts nor transactions, as peers have it.
    """
    body = members(args, "args")
    basket = identifier(required(body, "basket"), "basket")
    check_listed_basket(basket, originator)
    tags = identifiers(body.get("tags"), "tags", "tag")
    mode = query_mode(body, "tagQueryMode")
    include = body.get("include")
    if include is not None and not isinstance(include, str):
        raise WERR_INVALID_PARAMETER("include", "'locking scripts' or 'entire transactions'")
    return ValidListOutputs(
        basket=basket,
        tags=tags,
        tag_query_mode=mode,
        include_locking_scripts=include == "locking scripts",
        include_transactions=include == "entire transactions",
        include_custom_instructions=flag(body.get("includeCustomInstructions"), "includeCustomInstructions", False),
        include_tags=flag(body.get("includeTags"), "includeTags", False),
        include_labels=flag(body.get("includeLabels"), "includeLabels", False),
        limit=integer(body.get("limit"), "limit", 10, 1, 10_000),
        offset=integer(body.get("offset"), "offset", 0, -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER),
        seek_permission=flag(body.get("seekPermission"), "seekPermission", True),
    )


def change_parameters(tags: tuple[str, ...]) -> ChangeParameters:
    """What the two tags of the basket SET_CHANGE_PARAMS_ID say: number of outputs (0..10 000), least value (1..all).

    Both are decimal; WERR_INVALID_PARAMETER for anything else.
    """
    if len(tags) == 2 and all(_DECIMAL.fullmatch(tag) for tag in tags):
        desired_utxos, minimum_value = map(int, tags)
        if desired_utxos <= _MOST_DESIRED_UTXOS and 1 <= minimum_value <= MAX_SATOSHIS:
            return ChangeParameters(desired_utxos, minimum_value)
    raise WERR_INVALID_PARAMETER("numberOfDesiredUTXOs and minimumDesiredUTXOValue", "valid")


def validate_relinquish_output(args: object, originator: str | None = None) -> ValidRelinquishOutput:
    """Check relinquishOutput arguments (BRC-100). ``originator`` is normalised; None is the owner."""
    body = members(args, "args")
    basket = identifier(required(body, "basket"), "basket")
    check_basket(basket, originator)
    return ValidRelinquishOutput(basket, Outpoint.parse(required(body, "output"), "output"))
