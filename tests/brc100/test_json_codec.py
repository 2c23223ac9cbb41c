"""The JSON form of BRC-100 objects."""

from __future__ import annotations

import typing
from typing import Any

import orjson
import pytest

from bsv_wallet_toolbox.brc100 import types
from bsv_wallet_toolbox.brc100.interface import WalletInterface
from bsv_wallet_toolbox.brc100.json_codec import (
    ARGS_BYTES,
    METHODS,
    RESULT_BYTES,
    args_from_json,
    result_from_json,
    to_json_value,
)
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER


def snake(method: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in method)


def test_the_interface_has_the_28_methods() -> None:
    assert len(METHODS) == 28
    assert [name for name in vars(WalletInterface) if not name.startswith("_")] != []
    assert {name for name in vars(WalletInterface) if not name.startswith("_")} == {snake(name) for name in METHODS}


def byte_paths(shape: Any) -> set[tuple[str, ...]]:
    """The members of a TypedDict that are bytes, by its annotations: an independent reading of the codec's tables."""
    paths: set[tuple[str, ...]] = set()
    for key, annotation in typing.get_type_hints(shape).items():
        if annotation in (bytes, types.ByteArray):
            paths.add((key,))
        elif typing.is_typeddict(annotation):
            paths |= {(key, *rest) for rest in byte_paths(annotation)}
    return paths


@pytest.mark.parametrize("method", METHODS)
def test_the_tables_agree_with_the_types(method: str) -> None:
    hints = typing.get_type_hints(getattr(WalletInterface, snake(method)))
    arguments = [hint for hint in (hints["args"], *typing.get_args(hints["args"])) if typing.is_typeddict(hint)]
    assert byte_paths(arguments[0]) == set(ARGS_BYTES.get(method, ()))
    assert byte_paths(hints["return"]) == set(RESULT_BYTES.get(method, ()))


def test_a_result_goes_out_and_comes_back() -> None:
    result = {"signableTransaction": {"tx": b"\x00\xff", "reference": "dGVzdA=="}, "noSendChange": ("a.0",)}
    text = orjson.dumps(to_json_value(result))
    assert text == b'{"signableTransaction":{"tx":[0,255],"reference":"dGVzdA=="},"noSendChange":["a.0"]}'
    assert result_from_json("createAction", orjson.loads(text)) == {
        "signableTransaction": {"tx": b"\x00\xff", "reference": "dGVzdA=="},
        "noSendChange": ["a.0"],
    }


def test_values_that_are_json_already_stay_as_they_are() -> None:
    for value in (None, True, 5, "text", [], {}, [1, [2, {"a": None}]]):
        assert to_json_value(value) == value


def test_neither_direction_touches_what_it_was_given() -> None:
    result = {"signableTransaction": {"tx": b"\x01"}}
    to_json_value(result)
    assert result == {"signableTransaction": {"tx": b"\x01"}}
    received = {"signableTransaction": {"tx": [1]}}
    result_from_json("createAction", received)
    assert received == {"signableTransaction": {"tx": [1]}}


def test_depth_does_not_matter() -> None:
    value: Any = b"\x01"
    for _ in range(100_000):
        value = [value]
    copy = to_json_value(value)
    for _ in range(100_000):
        copy = copy[0]
    assert copy == [1]


def test_arrays_that_are_no_bytes_by_their_method_stay_arrays() -> None:
    args = {"description": "abcde", "labels": ["x"], "outputs": [], "inputBEEF": [1, 2]}
    assert args_from_json("createAction", args) == {**args, "inputBEEF": b"\x01\x02"}
    assert args_from_json("listActions", {"tx": [1]}) == {"tx": [1]}


def test_absent_binary_members_stay_absent() -> None:
    assert result_from_json("createAction", {"txid": "aa"}) == {"txid": "aa"}
    assert result_from_json("createAction", {"tx": None, "signableTransaction": None})["tx"] is None


@pytest.mark.parametrize(
    ("method", "value", "parameter"),
    [
        ("createAction", {"tx": "AQ=="}, "tx"),
        ("createAction", {"signableTransaction": {"tx": [256]}}, "tx"),
        ("createAction", {"signableTransaction": [1]}, "signableTransaction"),
        ("createAction", [], "result"),
        ("dropTables", {}, "method"),
        ("encrypt", {"ciphertext": [0] * 11}, "ciphertext"),
    ],
)
def test_a_bad_result_is_blamed_by_name(method: str, value: object, parameter: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        result_from_json(method, value, maximum=10)
    assert caught.value.parameter == parameter


def test_missing_arguments_are_missing() -> None:
    with pytest.raises(WERR_MISSING_PARAMETER):
        args_from_json("encrypt", None)
