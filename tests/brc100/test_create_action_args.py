"""createAction arguments: normalisation, flags, messages, and the object that travels to storage."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bsv_wallet_toolbox.brc100.originator import THROW_REVIEW_ACTIONS_ID
from bsv_wallet_toolbox.brc100.validation import Outpoint, validate_create_action
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER

TXID = "ab" * 32
LOCK = "76a914d7be415bf5f4d4a41d49c6a44ad5eea51bd2ac7288ac"
OUTPUT: dict[str, Any] = {"lockingScript": LOCK, "satoshis": 1000, "outputDescription": "an output"}
INPUT: dict[str, Any] = {"outpoint": f"{TXID}.0", "inputDescription": "an input", "unlockingScriptLength": 107}

MINIMAL_JSON = (
    '{"description":"abcde","inputs":[],"outputs":[],"lockTime":0,"version":1,"labels":[],'
    '"options":{"signAndProcess":true,"acceptDelayedBroadcast":true,"knownTxids":[],"returnTXIDOnly":false,'
    '"noSend":false,"noSendChange":[],"sendWith":[],"randomizeOutputs":true},'
    '"isSendWith":false,"isDelayed":true,"isNoSend":false,"isNewTx":true,"isRemixChange":true,"isSignAction":false,'
    '"includeAllSourceTransactions":false,"isTestWerrReviewActions":false}'
)


def action(**members: Any) -> dict[str, Any]:
    return {"description": "abcde", **members}


def with_output(**members: Any) -> dict[str, Any]:
    return action(outputs=[{**OUTPUT, **members}])


def with_input(**members: Any) -> dict[str, Any]:
    return action(inputs=[{key: value for key, value in {**INPUT, **members}.items() if value is not ...}])


def compact(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))


def test_the_minimal_action_travels_to_storage_character_for_character() -> None:
    assert compact(validate_create_action({"description": "abcde"}).to_json()) == MINIMAL_JSON


def test_every_member_given_travels_to_storage() -> None:
    args = action(
        inputBEEF=b"\x01\x02",
        inputs=[
            {"outpoint": f"{TXID.upper()}.1", "inputDescription": "an input", "unlockingScript": "51AC"},
            {**INPUT, "outpoint": f"{TXID}.0", "sequenceNumber": 7},
        ],
        outputs=[{**OUTPUT, "basket": "  My Basket ", "customInstructions": "ci", "tags": [" TAG "]}],
        lockTime=5,
        version=2,
        labels=["  LaBel"],
        options={"trustSelf": "known", "knownTxids": [TXID.upper()], "noSendChange": [f"{TXID}.4294967295"]},
    )
    assert compact(validate_create_action(args).to_json()) == (
        '{"description":"abcde","inputBEEF":[1,2],'
        f'"inputs":[{{"outpoint":{{"txid":"{TXID}","vout":1}},"inputDescription":"an input","unlockingScript":"51ac",'
        '"unlockingScriptLength":2,"sequenceNumber":4294967295},'
        f'{{"outpoint":{{"txid":"{TXID}","vout":0}},"inputDescription":"an input","unlockingScriptLength":107,'
        '"sequenceNumber":7}],'
        f'"outputs":[{{"lockingScript":"{LOCK}","satoshis":1000,"outputDescription":"an output","basket":"my basket",'
        '"customInstructions":"ci","tags":["tag"]}],"lockTime":5,"version":2,"labels":["label"],'
        f'"options":{{"signAndProcess":true,"acceptDelayedBroadcast":true,"trustSelf":"known","knownTxids":["{TXID}"],'
        f'"returnTXIDOnly":false,"noSend":false,"noSendChange":[{{"txid":"{TXID}","vout":4294967295}}],"sendWith":[],'
        '"randomizeOutputs":true},"isSendWith":false,"isDelayed":true,"isNoSend":false,"isNewTx":true,'
        '"isRemixChange":false,"isSignAction":true,"includeAllSourceTransactions":false,'
        '"isTestWerrReviewActions":false}'
    )


def test_names_and_scripts_are_normalised() -> None:
    args = with_output(basket="  My Basket ", tags=[" TAG "], lockingScript=LOCK.upper())
    valid = validate_create_action({**args, "labels": ["  LaBel", "\ufeffx\u00a0"]})
    assert valid.outputs[0].basket == "my basket"
    assert valid.outputs[0].tags == ("tag",)
    assert valid.outputs[0].locking_script == bytes.fromhex(LOCK)
    assert valid.labels == ("label", "x")


def test_lengths_are_counted_in_utf8_bytes() -> None:
    assert validate_create_action({"description": "ééa"}).description == "ééa"
    with pytest.raises(WERR_INVALID_PARAMETER, match=r"at least 5 length\."):
        validate_create_action({"description": "éé"})
    with pytest.raises(WERR_INVALID_PARAMETER, match=r"no more than 2000 length\."):
        validate_create_action({"description": "é" * 1001})


def test_storage_is_told_the_byte_length_of_a_script_and_not_the_script() -> None:
    valid = validate_create_action(with_input(unlockingScript="00" * 107))
    sent = valid.without_unlocking_scripts()
    assert sent.inputs[0].unlocking_script is None
    assert sent.inputs[0].unlocking_script_length == 107
    assert sent.is_sign_action is False


@pytest.mark.parametrize(
    ("args", "flags"),
    [
        (action(), {"is_new_tx", "is_delayed", "is_remix_change"}),
        (with_output(), {"is_new_tx", "is_delayed"}),
        (with_input(), {"is_new_tx", "is_delayed", "is_sign_action"}),
        (with_input(unlockingScript="51", unlockingScriptLength=1), {"is_new_tx", "is_delayed"}),
        (action(options={"signAndProcess": False}), {"is_new_tx", "is_delayed", "is_remix_change", "is_sign_action"}),
        (action(options={"acceptDelayedBroadcast": False}), {"is_new_tx", "is_remix_change"}),
        (action(options={"noSend": True}), {"is_new_tx", "is_remix_change", "is_delayed", "is_no_send"}),
        (action(options={"sendWith": [TXID]}), {"is_delayed", "is_send_with"}),
        (action(options={"sendWith": [TXID], "signAndProcess": False}), {"is_delayed", "is_send_with"}),
        (action(options={"sendWith": [TXID], "noSend": True}), {"is_delayed", "is_send_with", "is_no_send"}),
        (action(labels=[THROW_REVIEW_ACTIONS_ID.upper()]), {"is_new_tx", "is_delayed", "is_remix_change", "test"}),
    ],
)
def test_flags_follow_from_the_arguments(args: dict[str, Any], flags: set[str]) -> None:
    valid = validate_create_action(args, "app.example")
    names = {"is_send_with", "is_delayed", "is_no_send", "is_new_tx", "is_remix_change", "is_sign_action"}
    raised = {name for name in names if getattr(valid, name)}
    if valid.is_test_werr_review_actions:
        raised.add("test")
    assert raised == flags


def test_flags_at_the_top_level_are_ignored_like_any_unknown_member() -> None:
    valid = validate_create_action({**action(), "noSend": True, "acceptDelayedBroadcast": False, "": object()})
    assert valid.is_no_send is False
    assert valid.is_delayed is True


BAD = [
    ({"description": "abcd"}, "description", "The description parameter must be at least 5 length."),
    ({"description": "a" * 2001}, "description", "The description parameter must be no more than 2000 length."),
    (with_output(lockingScript="abc"), "lockingScript", "The lockingScript parameter must be even length, not 3."),
    (with_output(lockingScript="fred"), "lockingScript", "The lockingScript parameter must be hexadecimal string."),
    (with_output(lockingScript=""), "lockingScript", "The lockingScript parameter must be hexadecimal string."),
    (with_output(lockingScript="a b c "), "lockingScript", "The lockingScript parameter must be even length, not 5."),
    (with_output(lockingScript="ab cd e"), "lockingScript", "The lockingScript parameter must be even length, not 7."),
    (with_output(lockingScript="ab  cd"), "lockingScript", "The lockingScript parameter must be hexadecimal string."),
    (with_output(satoshis=-1), "satoshis", "The satoshis parameter must be a valid number of satoshis"),
    (with_output(satoshis=2100000000000001), "satoshis", "The satoshis parameter must be a valid number of satoshis"),
    (with_output(satoshis=1.0), "satoshis", "The satoshis parameter must be a valid number of satoshis"),
    (with_output(satoshis=True), "satoshis", "The satoshis parameter must be a valid number of satoshis"),
    (with_output(satoshis=float("nan")), "satoshis", "The satoshis parameter must be a valid number of satoshis"),
    (with_output(satoshis="1"), "satoshis", "The satoshis parameter must be a valid number of satoshis"),
    (with_output(outputDescription="abcd"), "outputDescription", None),
    (with_output(basket=" "), "basket", "The basket parameter must be at least 1 length."),
    (action(version=0x80000000), "version", "The version parameter must be no more than 2147483647 length."),
    (
        action(outputs=[{**OUTPUT, "satoshis": 2_100_000_000_000_000}, {**OUTPUT, "satoshis": 1}]),
        "outputs.satoshis",
        "The outputs.satoshis parameter must be no more than 2100000000000000 in all",
    ),
    (with_output(basket="a" * 301), "basket", "The basket parameter must be no more than 300 length."),
    (with_output(basket=" Default"), "basket", "The basket parameter must be not 'default'"),
    (with_output(tags=["a", ""]), "tag", "The tag parameter must be at least 1 length."),
    (with_output(tags="a"), "tags", "The tags parameter must be an array"),
    (with_output(tags=["a"] * 101), "tags", "The tags parameter must be an array of no more than 100 elements"),
    (
        action(outputs=[{**OUTPUT, "tags": [str(number) for number in range(100)]}] * 101),
        "outputs.tags",
        "The outputs.tags parameter must be no more than 10000 in all",
    ),
    (with_output(customInstructions="a" * 2501), "customInstructions", None),
    (with_output(customInstructions="a\0b"), "customInstructions", None),
    (with_output(customInstructions="a\ud800b"), "customInstructions", None),
    (with_output(customInstructions=7), "customInstructions", "The customInstructions parameter must be a string"),
    (
        with_input(unlockingScriptLength=...),
        "unlockingScript, unlockingScriptLength",
        "The unlockingScript, unlockingScriptLength parameter must be at least one valid value.",
    ),
    (
        with_input(unlockingScript="5151", unlockingScriptLength=4),
        "unlockingScriptLength",
        "The unlockingScriptLength parameter must be length unlockingScript if both valid.",
    ),
    (with_input(unlockingScriptLength=1.5), "unlockingScriptLength", None),
    (with_input(unlockingScriptLength=-1), "unlockingScriptLength", None),
    (with_input(unlockingScriptLength=10**30), "unlockingScriptLength", None),
    (with_input(sequenceNumber=2**32), "sequenceNumber", None),
    (with_input(inputDescription="abcd"), "inputDescription", None),
    (action(inputs=[INPUT, INPUT]), "inputs", "The inputs parameter must be unique outpoints"),
    (action(inputs=[None]), "inputs[0]", "The required inputs[0] parameter is missing."),
    (action(inputs=[INPUT, 5]), "inputs[1]", "The inputs[1] parameter must be an object"),
    (action(outputs={}), "outputs", "The outputs parameter must be an array"),
    (action(outputs=[OUTPUT] * 10_001), "outputs", None),
    (action(lockTime=-1), "lockTime", "The lockTime parameter must be at least 0 length."),
    (action(lockTime=2**32), "lockTime", "The lockTime parameter must be no more than 4294967295 length."),
    (action(lockTime=1.0), "lockTime", "The lockTime parameter must be an integer"),
    (action(version=True), "version", "The version parameter must be an integer"),
    (action(labels=["x" * 301]), "label", "The label parameter must be no more than 300 length."),
    (action(labels=[1]), "label", "The label parameter must be a string"),
    (action(inputBEEF="0100"), "inputBEEF", "The inputBEEF parameter must be an array of bytes"),
    (action(inputBEEF=[256]), "inputBEEF", "The inputBEEF parameter must be an array of bytes"),
    (action(inputBEEF=bytes(10_000_001)), "inputBEEF", "The inputBEEF parameter must be no more than 10000000 bytes"),
    (action(options=[]), "options", "The options parameter must be an object"),
    (action(options={"noSend": 1}), "noSend", "The noSend parameter must be a boolean"),
    (action(options={"trustSelf": "unknown"}), "trustSelf", "The trustSelf parameter must be undefined or 'known'"),
    (action(options={"sendWith": ["x"]}), "sendWith", None),
    (action(options={"knownTxids": [TXID[:-1]]}), "knownTxids", None),
    (with_output() | {"options": {"noSend": True, "sendWith": [TXID]}}, "noSend", None),
    (None, "args", "The required args parameter is missing."),
    ([], "args", "The args parameter must be an object"),
    ({}, "description", "The required description parameter is missing."),
    ({"description": None}, "description", "The required description parameter is missing."),
    ({"description": b"abcde"}, "description", "The description parameter must be a string"),
    (action(outputs=[{}]), "lockingScript", "The required lockingScript parameter is missing."),
]


@pytest.mark.parametrize(("args", "parameter", "message"), BAD)
def test_bad_arguments_are_blamed_by_name(args: object, parameter: str, message: str | None) -> None:
    with pytest.raises((WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER)) as caught:
        validate_create_action(args)
    assert caught.value.parameter == parameter
    assert message is None or caught.value.message == message
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "outpoint",
    [
        "x",
        "ab.0",
        f"{TXID}",
        f"{TXID}.",
        f"{TXID}.-1",
        f"{TXID}.4294967296",
        f"{TXID}.0.0",
        f"{TXID}.1e3",
        f"{TXID}.01",
    ],
)
@pytest.mark.parametrize("place", ["outpoint", "noSendChange"])
def test_a_loose_outpoint_is_refused(outpoint: str, place: str) -> None:
    args = with_input(outpoint=outpoint) if place == "outpoint" else action(options={"noSendChange": [outpoint]})
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        validate_create_action(args)
    expected = "must be txid as hex string and numeric output index joined with '.'"
    assert caught.value.message == f"The {place} parameter {expected}"


def test_the_first_fault_in_argument_order_is_reported() -> None:
    args = {"description": "abcd", "outputs": 5, "labels": 5, "options": 5}
    for parameter, repair in (("description", "abcde"), ("outputs", []), ("labels", []), ("options", {})):
        with pytest.raises(WERR_INVALID_PARAMETER) as caught:
            validate_create_action(args)
        assert caught.value.parameter == parameter
        args[parameter] = repair
    assert validate_create_action(args).is_remix_change


def test_an_action_is_bounded_as_a_whole() -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match="bytes of scripts and text"):
        validate_create_action(action(outputs=[{**OUTPUT, "lockingScript": "00" * 4_000_000}] * 3))
    inputs = [{**INPUT, "outpoint": f"{TXID}.{vout}", "unlockingScriptLength": 6_000_000} for vout in range(2)]
    with pytest.raises(WERR_INVALID_PARAMETER, match="bytes of scripts and text"):
        validate_create_action(action(inputs=inputs))


def test_none_means_not_given() -> None:
    names = ("inputBEEF", "inputs", "outputs", "lockTime", "version", "labels", "options")
    assert validate_create_action({"description": "abcde", **dict.fromkeys(names)}) == validate_create_action(action())
    options = ("signAndProcess", "trustSelf", "knownTxids", "noSend", "noSendChange", "sendWith", "randomizeOutputs")
    assert validate_create_action(action(options=dict.fromkeys(options))) == validate_create_action(action())


def test_limits_themselves_are_accepted() -> None:
    valid = validate_create_action(
        with_output(satoshis=2_100_000_000_000_000, basket="b" * 300, tags=["t" * 300] * 100)
        | {"description": "a" * 2000, "lockTime": 2**32 - 1}
    )
    assert valid.outputs[0].satoshis == 2_100_000_000_000_000
    assert validate_create_action(with_output(satoshis=0)).outputs[0].satoshis == 0
    no_script = validate_create_action(with_input(unlockingScriptLength=0))
    assert no_script.inputs[0].unlocking_script_length == 0
    assert no_script.inputs[0].outpoint == Outpoint(TXID, 0)
