"""The errors' names, texts and JSON form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bsv_wallet_toolbox import errors
from bsv_wallet_toolbox.errors import (
    WERR_BAD_REQUEST,
    WERR_BROADCAST_UNAVAILABLE,
    WERR_INSUFFICIENT_FUNDS,
    WERR_INTERNAL,
    WERR_INVALID_MERKLE_ROOT,
    WERR_INVALID_OPERATION,
    WERR_INVALID_PARAMETER,
    WERR_INVALID_PUBLIC_KEY,
    WERR_MISSING_PARAMETER,
    WERR_NETWORK_CHAIN,
    WERR_NOT_ACTIVE,
    WERR_NOT_IMPLEMENTED,
    WERR_REVIEW_ACTIONS,
    WERR_UNAUTHORIZED,
    WERR_UNKNOWN,
    IllegalTransition,
    WalletError,
    error_from_json,
)

FUNDS = (
    "Insufficient funds in the available inputs to cover the cost of the required outputs and the transaction fee "
    "(1 more satoshis are needed, for a total of 1001), plus whatever would be required in order to pay the fee to "
    "unlock and spend the outputs used to provide the additional satoshis."
)

WIRE: list[tuple[WalletError, str]] = [
    (
        WERR_INSUFFICIENT_FUNDS(1001, 1),
        (
            f'{{"isError":true,"name":"WERR_INSUFFICIENT_FUNDS","message":"{FUNDS}","code":7,"totalSatoshisNeeded":1001,'
            '"moreSatoshisNeeded":1}'
        ),
    ),
    (
        WERR_INVALID_PARAMETER("x", "y"),
        (
            '{"isError":true,"name":"WERR_INVALID_PARAMETER","message":"The x parameter must be y","code":6,'
            '"parameter":"x"}'
        ),
    ),
    (
        WERR_REVIEW_ACTIONS(
            [{"txid": "aa", "status": "doubleSpend", "competingTxs": ["bb"], "competingBeef": [1]}],
            [{"txid": "aa", "status": "failed"}],
            "aa",
            b"\x01",
            ["aa.0"],
        ),
        (
            '{"isError":true,"name":"WERR_REVIEW_ACTIONS",'
            '"message":"Undelayed createAction or signAction results require review.","code":5,'
            '"reviewActionResults":[{"txid":"aa","status":"doubleSpend","competingTxs":["bb"],"competingBeef":[1]}],'
            '"sendWithResults":[{"txid":"aa","status":"failed"}],"txid":"aa","tx":[1],"noSendChange":["aa.0"]}'
        ),
    ),
    (
        WERR_INVALID_MERKLE_ROOT("h", 1, "r", "t"),
        (
            '{"isError":true,"name":"WERR_INVALID_MERKLE_ROOT",'
            '"message":"Invalid merkleRoot r for block h at height 1 for txid t.","code":8,"blockHash":"h",'
            '"blockHeight":1,"merkleRoot":"r","txid":"t"}'
        ),
    ),
    (
        WERR_MISSING_PARAMETER("q"),
        (
            '{"isError":true,"name":"WERR_MISSING_PARAMETER","message":"The required q parameter is missing.",'
            '"parameter":"q"}'
        ),
    ),
    (WERR_INTERNAL(), '{"isError":true,"name":"WERR_INTERNAL","message":"An internal error has occurred."}'),
    (
        WERR_INVALID_PUBLIC_KEY("02"),
        (
            '{"isError":true,"name":"WERR_INVALID_PUBLIC_KEY",'
            '"message":"The provided public key \\"02\\" is invalid or malformed.","key":"02"}'
        ),
    ),
    (WERR_UNKNOWN("str"), '{"isError":true,"name":"WERR_UNKNOWN","message":"str"}'),
]


def compact(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))


@pytest.mark.parametrize(("error", "wire"), WIRE, ids=lambda value: getattr(value, "name", ""))
def test_an_error_is_written_character_for_character(error: WalletError, wire: str) -> None:
    assert compact(error.to_json()) == wire


@pytest.mark.parametrize(("error", "wire"), WIRE, ids=lambda value: getattr(value, "name", ""))
def test_an_error_is_rebuilt_from_its_wire_form(error: WalletError, wire: str) -> None:
    rebuilt = error_from_json(json.loads(wire))
    assert type(rebuilt) is type(error)
    assert rebuilt.message == error.message
    assert str(rebuilt) == error.message
    assert compact(rebuilt.to_json()) == wire


def test_bytes_inside_review_results_travel_as_numbers() -> None:
    error = WERR_REVIEW_ACTIONS([{"txid": "aa", "status": "doubleSpend", "competingBeef": b"\x01\xff"}], [], "aa")
    assert error.to_json()["reviewActionResults"][0]["competingBeef"] == [1, 255]


def test_absent_fields_are_left_out() -> None:
    assert list(WERR_REVIEW_ACTIONS([], []).to_json()) == [
        "isError",
        "name",
        "message",
        "code",
        "reviewActionResults",
        "sendWithResults",
    ]
    assert "txid" not in WERR_INVALID_MERKLE_ROOT("h", 1, "r").to_json()
    assert WERR_INVALID_MERKLE_ROOT("h", 1, "r").message == "Invalid merkleRoot r for block h at height 1."


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (WERR_NOT_IMPLEMENTED(), "Not implemented."),
        (WERR_INTERNAL(), "An internal error has occurred."),
        (WERR_INVALID_OPERATION(), "An invalid operation was requested."),
        (WERR_BROADCAST_UNAVAILABLE(), "Unable to broadcast transaction at this time."),
        (WERR_INVALID_PARAMETER("x"), "The x parameter must be valid."),
        (WERR_BAD_REQUEST(), "The request is invalid."),
        (WERR_NETWORK_CHAIN(), "Configured network chain is invalid or does not match across services."),
        (WERR_UNAUTHORIZED(), "Access is denied due to an authorization error."),
        (
            WERR_NOT_ACTIVE(),
            (
                "WalletStorageManager is not accessing user's active storage or there are conflicting active stores "
                "configured."
            ),
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_default_messages(error: WalletError, message: str) -> None:
    assert error.message == message
    rebuilt = error_from_json(error.to_json())
    assert type(rebuilt) is type(error)
    assert rebuilt.message == message


def test_a_message_of_its_own_survives_the_wire() -> None:
    body = {"name": "WERR_INVALID_PARAMETER", "message": "Basket “x” is admin-only.", "parameter": "basket"}
    rebuilt = error_from_json(body)
    assert isinstance(rebuilt, WERR_INVALID_PARAMETER)
    assert (rebuilt.message, rebuilt.parameter) == ("Basket “x” is admin-only.", "basket")


def test_off_mainnet_a_public_key_is_not_quoted() -> None:
    error = WERR_INVALID_PUBLIC_KEY("02", "testnet")
    assert error.message == "The provided public key is invalid or malformed."
    assert error.to_json()["key"] == "02"


def test_an_unknown_name_is_kept_in_the_text() -> None:
    rebuilt = error_from_json({"isError": True, "name": "SqliteError", "message": "no such table"})
    assert type(rebuilt) is WERR_UNKNOWN
    assert rebuilt.message == "SqliteError: no such table"
    assert error_from_json({"message": "plain"}).message == "plain"


def test_every_error_answers_a_wire_name_and_a_numeric_code_or_none() -> None:
    for name in errors.__all__:
        cls = getattr(errors, name)
        if isinstance(cls, type) and issubclass(cls, WalletError):
            assert cls.name.startswith("WERR_")
            assert cls.code is None or type(cls.code) is int
            if name.startswith("WERR_"):
                assert cls.name == name


def test_an_illegal_transition_is_an_invalid_operation_on_the_wire() -> None:
    error = IllegalTransition("completed may not become unsigned")
    assert isinstance(error, WERR_INVALID_OPERATION)
    assert error.to_json()["name"] == "WERR_INVALID_OPERATION"
