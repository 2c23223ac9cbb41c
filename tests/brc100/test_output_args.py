"""Arguments of listOutputs, relinquishOutput and getHeaderForHeight."""

from __future__ import annotations

from typing import Any

import pytest

from bsv_wallet_toolbox.brc100.validation import (
    Outpoint,
    validate_get_header_for_height,
    validate_list_outputs,
    validate_relinquish_output,
)
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER

TXID = "cd" * 32


def test_list_outputs_defaults() -> None:
    valid = validate_list_outputs({"basket": " Tokens"})
    assert (valid.basket, valid.tags, valid.tag_query_mode) == ("tokens", (), "any")
    assert (valid.limit, valid.offset, valid.seek_permission, valid.known_txids) == (10, 0, True, ())
    assert not any(getattr(valid, name) for name in valid.__slots__ if name.startswith("include"))


@pytest.mark.parametrize(
    ("include", "scripts", "transactions"),
    [("locking scripts", True, False), ("entire transactions", False, True), ("everything", False, False)],
)
def test_include_becomes_two_flags(include: str, scripts: bool, transactions: bool) -> None:
    valid = validate_list_outputs({"basket": "b", "include": include})
    assert (valid.include_locking_scripts, valid.include_transactions) == (scripts, transactions)


def test_a_negative_offset_counts_from_the_newest() -> None:
    assert validate_list_outputs({"basket": "b", "offset": -3, "tags": []}).offset == -3


@pytest.mark.parametrize(
    ("args", "parameter", "must_be"),
    [
        ({"basket": ""}, "basket", "at least 1 length."),
        ({"basket": 3}, "basket", "a string"),
        ({"basket": "b", "include": ["locking scripts"]}, "include", "'locking scripts' or 'entire transactions'"),
        ({"basket": "b", "tagQueryMode": "none"}, "tagQueryMode", "undefined, 'any', or 'all'"),
        ({"basket": "b", "limit": 10_001}, "limit", "no more than 10000 length."),
        ({"basket": "b", "offset": 1.0}, "offset", "an integer"),
        ({"basket": "b", "tags": ["x" * 301]}, "tag", "no more than 300 length."),
        ({"basket": "b", "includeTags": 1}, "includeTags", "a boolean"),
        ({"basket": "balance p mod x"}, "basket", None),
    ],
)
def test_bad_list_outputs_arguments_are_blamed_by_name(args: object, parameter: str, must_be: str | None) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        validate_list_outputs(args)
    assert caught.value.parameter == parameter
    assert must_be is None or caught.value.message == f"The {parameter} parameter must be {must_be}"


def test_list_outputs_needs_a_basket() -> None:
    with pytest.raises(WERR_MISSING_PARAMETER, match=r"^The required basket parameter is missing\.$"):
        validate_list_outputs({})


def test_relinquish_output_reads_the_outpoint() -> None:
    valid = validate_relinquish_output({"basket": "Tokens", "output": f"{TXID.upper()}.7"})
    assert valid.basket == "tokens"
    assert valid.output == Outpoint(TXID, 7)
    assert str(valid.output) == f"{TXID}.7"


@pytest.mark.parametrize("output", ["invalid-outpoint", "ab.0", f"{TXID}.-1", 5, [TXID, 0], f"{TXID}.٣", f"{TXID}.0\n"])
def test_relinquish_output_refuses_a_loose_outpoint(output: object) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        validate_relinquish_output({"basket": "tokens", "output": output})
    assert caught.value.message == (
        "The output parameter must be txid as hex string and numeric output index joined with '.'"
    )


def test_a_height_is_an_integer_from_zero() -> None:
    assert validate_get_header_for_height({"height": 0}) == 0
    assert validate_get_header_for_height({"height": 850_000}) == 850_000


@pytest.mark.parametrize(
    ("args", "must_be"),
    [
        ({}, "a valid integer"),
        ({"height": "1"}, "an integer"),
        ({"height": -1}, "at least 0 length."),
        ({"height": 2**32}, "no more than 4294967295 length."),
    ],
)
def test_a_bad_height_is_refused(args: Any, must_be: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        validate_get_header_for_height(args)
    assert caught.value.message == f"The height parameter must be {must_be}"
