"""The binary frames of the action methods: recorded ones both ways, what must be refused, and round trips."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_objects import ARGS, RESULT, TEXT

from bsv_wallet_toolbox.brc100.json_codec import METHODS, args_from_json, result_from_json, to_json_value
from bsv_wallet_toolbox.brc100.wire.frames import (
    WIRE_METHODS,
    decode_args,
    decode_request,
    decode_result,
    encode_args,
    encode_error,
    encode_request,
    encode_result,
)
from bsv_wallet_toolbox.errors import (
    WERR_INSUFFICIENT_FUNDS,
    WERR_INVALID_MERKLE_ROOT,
    WERR_INVALID_PARAMETER,
    WERR_MISSING_PARAMETER,
    WERR_NOT_IMPLEMENTED,
    WERR_REVIEW_ACTIONS,
    WERR_UNKNOWN,
    WalletError,
)

PAIRS = (
    "abortAction-simple",
    "createAction-1-out",
    "createAction-no-signAndProcess",
    "internalizeAction-simple",
    "listActions-simple",
    "listOutputs-simple",
    "relinquishOutput-simple",
    "signAction-simple",
)

ONES, TWOS = "11" * 32, "22" * 32
NONE = "ff" * 9

REQUESTS: list[tuple[str, str | None, dict[str, Any], str]] = [
    ("listActions", None, {"labels": [], "labelQueryMode": "all"}, "04000002" + "ff" * 6 + NONE * 2 + "ff"),
    ("listOutputs", None, {"basket": "b1"}, "060002623100" + "ff" * 5 + NONE * 2 + "ff"),
    (
        "signAction",
        None,
        {
            "spends": {"0": {"unlockingScript": "52"}, "1": {"unlockingScript": "51", "sequenceNumber": 5}},
            "reference": "dGVzdA==",
            "options": {"acceptDelayedBroadcast": True, "sendWith": [ONES]},
        },
        "020002000152" + NONE + "0101510504746573740101ffff01" + ONES,
    ),
    (
        "createAction",
        None,
        {
            "description": "hello world",
            "inputBEEF": b"\x01\x02\x03",
            "inputs": [
                {
                    "outpoint": f"{ONES}.1",
                    "unlockingScriptLength": 107,
                    "inputDescription": "input one",
                    "sequenceNumber": 0xFFFFFFFF,
                },
                {"outpoint": f"{TWOS}.300", "unlockingScript": "51", "inputDescription": "input two"},
            ],
            "lockTime": 0,
            "version": 1,
            "options": {
                "trustSelf": "known",
                "knownTxids": [ONES],
                "returnTXIDOnly": False,
                "noSend": True,
                "noSendChange": [f"{ONES}.0"],
                "sendWith": [TWOS],
                "randomizeOutputs": False,
            },
        },
        (
            "01000b68656c6c6f20776f726c6403010203"
            f"02{ONES}01{NONE}6b09696e707574206f6e65feffffffff{TWOS}fd2c01015109696e7075742074776f{NONE}"
            f"{NONE}0001{NONE}01ffff0101{ONES}000101{ONES}0001{TWOS}00"
        ),
    ),
    ("abortAction", "app.example.com", {"reference": "dGVzdA=="}, "030f6170702e6578616d706c652e636f6d74657374"),
    ("listOutputs", None, {"basket": "b1", "offset": -2}, f"060002623100{'ff' * 5}{NONE}fffeffffffffffffffff"),
]
"""Recorded with the SDK of the reference wallet, but for the last two."""

RESULTS: list[tuple[str, dict[str, Any], str]] = [
    (
        "createAction",
        {
            "txid": ONES,
            "noSendChange": [f"{ONES}.2"],
            "sendWithResults": [{"txid": TWOS, "status": "failed"}],
        },
        f"0001{ONES}0001{ONES}0201{TWOS}0300",
    ),
    (
        "listActions",
        {
            "totalActions": 1,
            "actions": [
                {
                    "txid": ONES,
                    "satoshis": -1001,
                    "status": "nosend",
                    "isOutgoing": True,
                    "description": "desc one",
                    "labels": ["l1"],
                    "version": 1,
                    "lockTime": 0,
                    "inputs": [
                        {
                            "sourceOutpoint": f"{TWOS}.0",
                            "sourceSatoshis": 2000,
                            "inputDescription": "in",
                            "sequenceNumber": 0xFFFFFFFF,
                        }
                    ],
                    "outputs": [],
                }
            ],
        },
        f"0001{ONES}ff17fcffffffffffff06010864657363206f6e6501026c31010001{TWOS}00fdd007{NONE * 2}02696efeffffffff00",
    ),
]


def vector(test_data: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((test_data / "vectors" / "universal" / f"{name}.json").read_text())
    return found


@pytest.mark.parametrize("name", PAIRS)
def test_universal_vectors_both_ways(test_data: Path, name: str) -> None:
    method = name.split("-")[0]
    args, result = vector(test_data, f"{name}-args"), vector(test_data, f"{name}-result")
    frame = bytes.fromhex(args["wire"])
    assert decode_request(frame) == (method, None, args_from_json(method, args["json"]))
    assert encode_request(method, args["json"]) == frame
    frame = bytes.fromhex(result["wire"])
    read = decode_result(method, frame)
    assert read == result_from_json(method, result["json"])
    assert to_json_value(read) == result["json"]
    assert encode_result(method, result["json"]) == frame


@pytest.mark.parametrize(("method", "originator", "args", "wire"), REQUESTS)
def test_requests_both_ways(method: str, originator: str | None, args: dict[str, Any], wire: str) -> None:
    frame = bytes.fromhex(wire)
    assert encode_request(method, args, originator) == frame
    assert decode_request(frame) == (method, originator, args)
    payload = frame[2 + len(originator or "") :]
    assert encode_args(method, args) == payload
    assert decode_args(method, payload) == args


@pytest.mark.parametrize(("method", "result", "wire"), RESULTS)
def test_results_both_ways(method: str, result: dict[str, Any], wire: str) -> None:
    assert encode_result(method, result).hex() == wire
    assert decode_result(method, bytes.fromhex(wire)) == result


def test_the_codes_are_the_places_of_the_methods() -> None:
    assert [METHODS.index(method) + 1 for method in WIRE_METHODS] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "args",
    [
        {"description": "plain"},
        {"description": "plain", "inputs": [], "outputs": [], "labels": [], "options": {}},
        {"description": "plain", "lockTime": 0, "version": 1},
        {
            "description": "plain",
            "options": {"signAndProcess": True, "knownTxids": [], "noSendChange": [], "sendWith": []},
        },
    ],
)
def test_what_was_not_given_is_not_the_default(args: dict[str, Any]) -> None:
    assert decode_request(encode_request("createAction", args)).args == args


def test_what_go_writes_for_absent_tags_is_understood() -> None:
    written = encode_args("listOutputs", {"basket": "b1"})
    assert decode_args("listOutputs", written.replace(b"b1\x00", b"b1" + b"\xff" * 9)) == {"basket": "b1"}
    insertion = {"outputIndex": 0, "protocol": "basket insertion", "insertionRemittance": {"basket": "b1"}}
    args = {"tx": b"\x01", "outputs": [insertion], "description": "plain"}
    tagless = b"b1" + b"\xff" * 9
    written = encode_args("internalizeAction", args)
    assert tagless + b"\x00" in written
    assert decode_args("internalizeAction", written.replace(tagless + b"\x00", tagless + b"\xff" * 9)) == args


def test_an_empty_basket_is_written_as_absent() -> None:
    output = {"lockingScript": "51", "satoshis": 1, "outputDescription": "plain"}
    empty = {"basket": "", "customInstructions": ""}
    with_empty = {"description": "plain", "outputs": [output | empty]}
    assert decode_args("createAction", encode_args("createAction", with_empty))["outputs"] == [output]


def test_the_total_of_a_page_is_what_is_on_it() -> None:
    output = {"outpoint": f"{ONES}.0", "satoshis": 7, "spendable": True}
    frame = encode_result("listOutputs", {"totalOutputs": 500, "outputs": [output]})
    assert decode_result("listOutputs", frame) == {"totalOutputs": 1, "outputs": [output]}
    # TypeScript writes the whole total; its pages end with the frame.
    assert decode_result("listOutputs", b"\x00\x64" + frame[2:]) == {"totalOutputs": 100, "outputs": [output]}
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        decode_result("listOutputs", b"\x00\x00" + frame[2:])
    assert refused.value.parameter == "outputs"


def listed(**changes: Any) -> dict[str, Any]:
    action = {
        "txid": ONES,
        "satoshis": 1,
        "status": "completed",
        "isOutgoing": False,
        "description": "",
        "version": 1,
        "lockTime": 0,
    }
    return {"totalActions": 1, "actions": [action | changes]}


def test_an_action_without_a_txid_does_not_shift_what_follows() -> None:
    result = listed(txid="", status="unsigned")
    assert decode_result("listActions", encode_result("listActions", result)) == result


def test_an_action_that_is_looked_at_again_travels_as_failed() -> None:
    read = decode_result("listActions", encode_result("listActions", listed(status="unfail")))
    assert read == listed(status="failed")


@pytest.mark.parametrize("version", [0, 1, 0xFFFFFFFF, -1, -(2**31)])
def test_a_version_of_either_sign_travels(version: int) -> None:
    assert decode_result("listActions", encode_result("listActions", listed(version=version))) == listed(
        version=version
    )


@pytest.mark.parametrize(
    ("error", "wire"),
    [
        (WERR_INVALID_PARAMETER("basket", message="bad key"), "0607626164206b657900"),
        (WERR_UNKNOWN("bad"), "010362616400"),
        (WERR_INSUFFICIENT_FUNDS(10, 5, message="few"), "070366657700"),
        (WERR_REVIEW_ACTIONS([], [], message="look"), "05046c6f6f6b00"),
        (WERR_INVALID_MERKLE_ROOT("00", 1, "00", message="root"), "0804726f6f7400"),
        (WERR_UNKNOWN("half \ud800"), "010668616c66203f00"),
    ],
)
def test_an_error_travels_as_its_code_and_message(error: WalletError, wire: str) -> None:
    assert encode_error(error).hex() == wire


@pytest.mark.parametrize(
    ("wire", "kind", "message"),
    [
        ("0607626164206b65790153", WERR_INVALID_PARAMETER, "bad key"),
        ("010362616400", WERR_UNKNOWN, "bad"),
        ("020362616400", WERR_NOT_IMPLEMENTED, "bad"),
        ("050362616400", WERR_REVIEW_ACTIONS, "bad"),
        ("070362616400", WERR_INSUFFICIENT_FUNDS, "bad"),
        ("ff0362616400", WERR_UNKNOWN, "bad"),
    ],
)
def test_an_error_of_the_wallet_is_an_answer(wire: str, kind: type[WalletError], message: str) -> None:
    for method in WIRE_METHODS:
        answer = decode_result(method, bytes.fromhex(wire))
        assert type(answer) is kind
        assert answer.message == message


@pytest.mark.parametrize("wire", ["63007061796c6f6164", "0000", "1c00"])
def test_an_unknown_call_is_refused(wire: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        decode_request(bytes.fromhex(wire))
    assert (refused.value.parameter, refused.value.message) == ("call", f"Invalid call code: {int(wire[:2], 16)}")


@pytest.mark.parametrize(
    ("wire", "parameter"),
    [
        ("", "call"),
        ("03", "originator"),
        ("030561", "originator"),
        ("0301ff", "originator"),
        ("03fb" + "61" * 251, "originator"),
        ("0100fe00e1f505", "description"),
        ("010002c328", "description"),
        ("010001", "description"),
        ("0100fd010061", "description"),
        ("0100fefc0000", "description"),
        ("06000000" + "ff" * 5 + NONE + "ff0000000000002000ff", "offset"),
        ("06000000" + "ff" * 5 + NONE + "ff000000000000e0ffff", "offset"),
        ("06000000" + "ff" * 5 + NONE + "ffffffffff00000000ff", "offset"),
        ("010000ffffffffffffff7f00", "inputBEEF"),
        ("010000" + NONE + "fe00000001", "inputs"),
        ("010000" + NONE + "fd0100", "inputs"),
        ("010000" + NONE * 2 + "01" + "00" + "ffffffffffffffff7f", "satoshis"),
        ("010000" + NONE * 2 + "01" + "00" + "ffffffffffffffefff", "satoshis"),
        ("010000" + NONE * 3 + "ff0000000001000000", "lockTime"),
        ("010000" + NONE * 6 + "02", "options"),
        ("010000" + NONE * 6 + "0102", "signAndProcess"),
        ("010000" + NONE * 6 + "01ffff00", "trustSelf"),
        ("010000" + NONE * 6 + "0000", "frame"),
        ("02000201" + "00" + NONE + "0100" + NONE + "0000", "spends"),
        ("040000", "labelQueryMode"),
        ("0400000102", "includeLabels"),
        ("05000100010003", "protocol"),
        ("0500010001000102", "senderIdentityKey"),
        ("06000003", "tags"),
        ("0600000003", "tagQueryMode"),
        ("060000000103", "include"),
        ("070000" + "11" * 31, "output"),
        ("070000" + ONES + "ff0000000001000000", "output"),
        ("070000" + ONES + "0100", "frame"),
    ],
)
def test_a_malformed_request_is_refused_by_name(wire: str, parameter: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        decode_request(bytes.fromhex(wire))
    assert refused.value.parameter == parameter


@pytest.mark.parametrize(
    ("method", "wire", "parameter"),
    [
        ("createAction", "", "code"),
        ("createAction", "0002", "txid"),
        ("createAction", f"000000{NONE}01{ONES}0400", "status"),
        ("createAction", f"000000{NONE}{NONE}0201", "signableTransaction"),
        ("signAction", f"000000{NONE}00", "frame"),
        ("abortAction", "0000", "frame"),
        ("listActions", f"0001{ONES}0009", "status"),
        ("listActions", f"0001{ONES}00ff", "status"),
        ("listActions", f"0001{ONES}000102", "isOutgoing"),
        ("listActions", "00" + NONE, "totalActions"),
        ("listOutputs", f"0001{NONE}{ONES}", "outpoint"),
        ("listOutputs", f"0001{NONE}{ONES}0000feffffffff", "lockingScript"),
        ("internalizeAction", "06056261", "message"),
        ("relinquishOutput", "0603626164", "stack"),
        ("relinquishOutput", "060362616400ff", "frame"),
    ],
)
def test_a_malformed_result_is_refused_by_name(method: str, wire: str, parameter: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        decode_result(method, bytes.fromhex(wire))
    assert refused.value.parameter == parameter


@pytest.mark.parametrize(("method", "originator", "args", "wire"), [row for row in REQUESTS if row[0] != "abortAction"])
def test_a_frame_that_was_cut_off_is_refused(
    method: str, originator: str | None, args: dict[str, Any], wire: str
) -> None:
    frame = bytes.fromhex(wire)
    for size in range(len(frame)):
        with pytest.raises(WERR_INVALID_PARAMETER):
            decode_request(frame[:size])


@pytest.mark.parametrize("announced", ["fdffff", "feffffffff", "ffffffffffffff1f00"])
@pytest.mark.parametrize("before", ["0100", "010000", "010000" + NONE, "0200", "0400", "0500", "060000"])
def test_what_a_frame_announces_is_not_allocated(before: str, announced: str) -> None:
    frame = bytes.fromhex(before + announced) + bytes(100)
    tracemalloc.start()
    try:
        with pytest.raises(WERR_INVALID_PARAMETER):
            decode_request(frame)
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("method", "args", "parameter"),
    [
        ("createAction", {"description": 5}, "description"),
        ("createAction", {"description": "\ud800"}, "description"),
        ("createAction", {"description": "plain", "version": True}, "version"),
        ("createAction", {"description": "plain", "lockTime": 2**32}, "lockTime"),
        ("createAction", {"description": "plain", "inputBEEF": "00"}, "inputBEEF"),
        ("createAction", {"description": "plain", "labels": "l1"}, "labels"),
        (
            "createAction",
            {"description": "plain", "inputs": [{"outpoint": f"{ONES}.0", "inputDescription": "plain"}]},
            "unlockingScript, unlockingScriptLength",
        ),
        ("createAction", {"description": "plain", "outputs": [5]}, "outputs"),
        ("createAction", {"description": "plain", "options": {"noSend": 1}}, "noSend"),
        ("createAction", {"description": "plain", "options": {"trustSelf": "all"}}, "trustSelf"),
        ("createAction", {"description": "plain", "options": {"knownTxids": ["11"]}}, "knownTxids"),
        ("signAction", {"spends": {"00": {"unlockingScript": ""}}, "reference": ""}, "spends"),
        ("signAction", {"spends": {"0": {"unlockingScript": ""}, 0: {"unlockingScript": ""}}}, "spends"),
        ("signAction", {"spends": {"0": {"unlockingScript": "51 51"}}}, "unlockingScript"),
        ("abortAction", {"reference": "dGVzdA"}, "reference"),
        ("abortAction", {"reference": "dGVzdB=="}, "reference"),
        ("listActions", {"labels": [], "labelQueryMode": "some"}, "labelQueryMode"),
        ("listActions", {"labels": [], "offset": -1}, "offset"),
        ("listOutputs", {"basket": "b1", "offset": -1}, "offset"),
        ("listOutputs", {"basket": "b1", "offset": -(2**53)}, "offset"),
        ("relinquishOutput", {"basket": "b1", "output": "x"}, "output"),
        ("getVersion", {}, "method"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(method: str, args: dict[Any, Any], parameter: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        encode_args(method, args)
    assert refused.value.parameter == parameter


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"senderIdentityKey": "02"}, "senderIdentityKey"),
        ({"senderIdentityKey": "zz" * 33}, "senderIdentityKey"),
        ({"derivationPrefix": "cHJlZml4LQ"}, "derivationPrefix"),
        ({"derivationSuffix": "c3VmZml4\n"}, "derivationSuffix"),
    ],
)
def test_a_derivation_is_written_only_as_it_will_be_read(change: dict[str, str], parameter: str) -> None:
    """The text is part of the key: another spelling of the same bytes locks another coin."""
    remittance = {"senderIdentityKey": "02" * 33, "derivationPrefix": "cHJlZml4", "derivationSuffix": "c3VmZml4"}
    output = {"outputIndex": 0, "protocol": "wallet payment", "paymentRemittance": remittance}
    args = {"tx": b"\x01", "outputs": [output], "description": "plain"}
    assert decode_args("internalizeAction", encode_args("internalizeAction", args)) == args
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        encode_args("internalizeAction", args | {"outputs": [output | {"paymentRemittance": remittance | change}]})
    assert refused.value.parameter == parameter


@pytest.mark.parametrize(
    ("method", "args", "parameter"),
    [
        ("createAction", {}, "description"),
        ("signAction", {"spends": {}}, "reference"),
        ("abortAction", {}, "reference"),
        ("internalizeAction", {"outputs": [], "description": "plain"}, "tx"),
        ("listOutputs", {}, "basket"),
        ("createAction", {"description": "plain", "labels": [None]}, "labels"),
        ("createAction", None, "args"),
    ],
)
def test_what_is_missing_is_named(method: str, args: dict[str, Any], parameter: str) -> None:
    with pytest.raises(WERR_MISSING_PARAMETER) as refused:
        encode_args(method, args)
    assert refused.value.parameter == parameter


@pytest.mark.parametrize("method", WIRE_METHODS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_arguments_and_results_come_back_as_they_went(method: str, data: st.DataObject) -> None:
    args, result = data.draw(ARGS[method]), data.draw(RESULT[method])
    originator = data.draw(st.none() | TEXT.filter(bool))
    assert decode_request(encode_request(method, args, originator)) == (method, originator, args)
    assert decode_result(method, encode_result(method, result)) == result


def unless_refused(read: Callable[..., Any], *args: Any) -> Any:
    """What ``read`` returns, or None when it refuses the frame and says which member is to blame."""
    try:
        return read(*args)
    except WERR_INVALID_PARAMETER as refused:
        if not refused.parameter:
            pytest.fail("nothing is named")
        return None


def check_what_can_be_read(method: str, frame: bytes) -> None:
    """A frame is refused by name, or what it says can be written and read again as the same."""
    answer = unless_refused(decode_result, method, frame)
    if isinstance(answer, dict):
        again: Any = decode_result(method, encode_result(method, answer))
        assert again == answer | {key: again[key] for key in ("totalActions", "totalOutputs") if key in answer}
    request = unless_refused(decode_request, frame)
    if request is not None:
        again = decode_request(encode_request(request.method, request.args, request.originator))
        assert without_empty_names(again) == without_empty_names(request)


def without_empty_names(request: Any) -> Any:
    """Empty baskets and instructions of new outputs are the one thing that is not written as it was read."""
    for output in request.args.get("outputs", ()):
        for key in ("basket", "customInstructions"):
            if not output.get(key, True):
                del output[key]
    return request


@settings(max_examples=300, deadline=None)
@given(method=st.sampled_from(WIRE_METHODS), code=st.integers(0, 8), noise=st.binary(max_size=200))
def test_noise_is_refused_by_name(method: str, code: int, noise: bytes) -> None:
    check_what_can_be_read(method, noise)
    check_what_can_be_read(method, bytes([code, 0]) + noise)


@pytest.mark.parametrize("method", WIRE_METHODS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_frame_is_refused_or_still_means_something(method: str, data: st.DataObject) -> None:
    for frame in (
        encode_request(method, data.draw(ARGS[method])),
        encode_result(method, data.draw(RESULT[method])),
    ):
        damaged = bytearray(frame)
        position = data.draw(st.integers(0, len(frame) - 1))
        end = position + data.draw(st.integers(0, 9))
        damaged[position:end] = data.draw(st.binary(max_size=9))
        check_what_can_be_read(method, bytes(damaged))
