"""The argument and result objects of the universal BRC-100 vectors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bsv_wallet_toolbox.brc100.json_codec import METHODS, args_from_json, result_from_json, to_json_value
from bsv_wallet_toolbox.brc100.validation import (
    Outpoint,
    ValidBasketInsertion,
    validate_abort_action,
    validate_create_action,
    validate_get_header_for_height,
    validate_internalize_action,
    validate_list_actions,
    validate_list_outputs,
    validate_relinquish_output,
    validate_sign_action,
)
from bsv_wallet_toolbox.brc100.wire.frames import WIRE_METHODS, decode_request

_DATA = os.environ.get("BSV_WALLET_TEST_DATA")
pytestmark = pytest.mark.skipif(not _DATA, reason="BSV_WALLET_TEST_DATA names no directory of vectors")

PAIRS = ("1-out", "no-signAndProcess", "simple", "issuance", "full")


def directory() -> Path:
    return Path(_DATA or "") / "vectors" / "universal"


def load(name: str) -> dict[str, Any]:
    body: dict[str, Any] = read(name)["json"]
    return body


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory() / f"{name}.json").read_text())
    return found


VALIDATED: list[tuple[str, Callable[[Any], Any]]] = [
    ("createAction-1-out", validate_create_action),
    ("createAction-no-signAndProcess", validate_create_action),
    ("signAction-simple", validate_sign_action),
    ("abortAction-simple", validate_abort_action),
    ("internalizeAction-simple", validate_internalize_action),
    ("listActions-simple", validate_list_actions),
    ("listOutputs-simple", validate_list_outputs),
    ("relinquishOutput-simple", validate_relinquish_output),
    ("getHeaderForHeight-simple", validate_get_header_for_height),
]


@pytest.mark.parametrize(("name", "validate"), VALIDATED)
def test_the_arguments_are_valid(name: str, validate: Callable[[Any], Any]) -> None:
    args = load(f"{name}-args")
    assert validate(args_from_json(name.split("-")[0], args)) == validate(args)


@pytest.mark.parametrize(("name", "validate"), [row for row in VALIDATED if row[0].split("-")[0] in WIRE_METHODS])
def test_the_arguments_mean_the_same_in_both_forms(name: str, validate: Callable[[Any], Any]) -> None:
    vector = read(f"{name}-args")
    assert validate(decode_request(bytes.fromhex(vector["wire"])).args) == validate(vector["json"])


def test_a_one_output_action_keeps_what_was_asked() -> None:
    args = load("createAction-1-out-args")
    body = validate_create_action(args).to_json()
    assert {key: body["outputs"][0][key] for key in args["outputs"][0]} == args["outputs"][0]
    assert body["labels"] == args["labels"]
    assert body["isSignAction"] is False
    unsigned = validate_create_action(load("createAction-no-signAndProcess-args"))
    assert unsigned.is_sign_action is True


def test_an_insertion_keeps_what_was_asked() -> None:
    valid = validate_internalize_action(load("internalizeAction-simple-args"))
    assert valid.outputs[1] == ValidBasketInsertion(1, "test-basket", "instruction", ("tag1", "tag2"))
    assert valid.tx == b"\x01\x02\x03\x04"


def test_an_outpoint_keeps_its_display_order() -> None:
    valid = validate_relinquish_output(load("relinquishOutput-simple-args"))
    assert valid.output == Outpoint("abcdef1234567890" * 4, 2)


@pytest.mark.parametrize("method", METHODS)
def test_every_vector_survives_the_codec(method: str) -> None:
    names = [name for pair in PAIRS if (directory() / f"{(name := f'{method}-{pair}')}-args.json").exists()]
    assert names
    for name in names:
        args, result = load(f"{name}-args"), load(f"{name}-result")
        assert to_json_value(args_from_json(method, args)) == args
        assert to_json_value(result_from_json(method, result)) == result
