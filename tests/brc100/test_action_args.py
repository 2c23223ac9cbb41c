"""Arguments of signAction, abortAction, internalizeAction and listActions."""

from __future__ import annotations

from typing import Any

import pytest

from bsv_wallet_toolbox.brc100.originator import THROW_REVIEW_ACTIONS_ID
from bsv_wallet_toolbox.brc100.validation import (
    ValidBasketInsertion,
    ValidCreateActionOptions,
    ValidSignActionOptions,
    ValidWalletPayment,
    validate_abort_action,
    validate_internalize_action,
    validate_list_actions,
    validate_sign_action,
)
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER

TXID = "ab" * 32
SENDER = "03b106dae20ae8fca0f4e8983d974c4b583054573eecdcdcfad261c035415ce1ee"
REMITTANCE = {"derivationPrefix": "cHJlZml4", "derivationSuffix": "c3VmZml4", "senderIdentityKey": SENDER}
PAYMENT: dict[str, Any] = {"outputIndex": 0, "protocol": "wallet payment", "paymentRemittance": REMITTANCE}
INSERTION: dict[str, Any] = {
    "outputIndex": 1,
    "protocol": "basket insertion",
    "insertionRemittance": {"basket": " Tokens "},
}


def sign(**members: Any) -> dict[str, Any]:
    return {"spends": {}, "reference": "dGVzdA==", **members}


def internalize(*outputs: Any, **members: Any) -> dict[str, Any]:
    return {"tx": [1, 2, 3, 4], "outputs": list(outputs), "description": "a payment", **members}


def pay(**members: Any) -> dict[str, Any]:
    return internalize({**PAYMENT, "paymentRemittance": {**REMITTANCE, **members}})


def insert(**members: Any) -> dict[str, Any]:
    return internalize({**INSERTION, "insertionRemittance": {"basket": "tokens", **members}})


def blamed(validate: Any, args: object) -> WERR_INVALID_PARAMETER | WERR_MISSING_PARAMETER:
    with pytest.raises((WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER)) as caught:
        validate(args)
    error = caught.value
    assert isinstance(error, WERR_INVALID_PARAMETER | WERR_MISSING_PARAMETER)
    return error


def test_sign_action_takes_spends_by_number_or_text() -> None:
    spends: dict[Any, Any] = {"0": {"unlockingScript": "51AC"}, 1: {"unlockingScript": "", "sequenceNumber": 0}}
    valid = validate_sign_action(sign(spends=spends))
    assert valid.spends[0].unlocking_script == b"\x51\xac"
    assert valid.spends[0].sequence_number is None
    assert valid.spends[1].unlocking_script == b""
    assert valid.spends[1].sequence_number == 0


@pytest.mark.parametrize("key", ["", "-1", "01", "1.0", "x", "4294967296", -1, True, 1.0, None, (1,), "1" * 5000])
def test_a_spend_of_no_input_index_is_refused(key: object) -> None:
    error = blamed(validate_sign_action, sign(spends={key: {"unlockingScript": "51"}}))
    assert error.parameter == "args"
    assert error.message == (
        "The args parameter must be spend does not correspond to prior input with valid unlockingScriptLength."
    )


@pytest.mark.parametrize(
    ("args", "parameter"),
    [
        (sign(spends={"0": {"unlockingScript": "51"}, 0: {"unlockingScript": "51"}}), "spends"),
        (sign(spends={"0": {}}), "unlockingScript"),
        (sign(spends={"0": {"unlockingScript": "5"}}), "unlockingScript"),
        (sign(spends={"0": {"unlockingScript": "51", "sequenceNumber": -1}}), "sequenceNumber"),
        (sign(spends={"0": None}), "spends[0]"),
        (sign(spends=[]), "spends"),
        (sign(spends={index: {"unlockingScript": "51"} for index in range(10_001)}), "spends"),
        ({"reference": "dGVzdA=="}, "spends"),
        ({"spends": {}}, "reference"),
        (sign(reference=""), "reference"),
        (sign(reference=b"x"), "reference"),
        (sign(options=0), "options"),
        (sign(options={"noSend": "yes"}), "noSend"),
        (sign(options={"sendWith": [7]}), "sendWith"),
        (sign(options={"sendWith": [TXID], "noSend": True}), "noSend"),
    ],
)
def test_bad_sign_action_arguments_are_blamed_by_name(args: object, parameter: str) -> None:
    assert blamed(validate_sign_action, args).parameter == parameter


def test_sign_action_inherits_what_it_does_not_state() -> None:
    created = ValidCreateActionOptions(
        accept_delayed_broadcast=False, return_txid_only=True, no_send=False, send_with=(TXID,)
    )
    assert validate_sign_action(sign()).options == ValidSignActionOptions()
    inherited = validate_sign_action(sign()).inheriting(created)
    assert inherited.options == ValidSignActionOptions(False, True, False, (TXID,))
    assert (inherited.is_delayed, inherited.is_no_send, inherited.is_send_with) == (False, False, True)


def test_a_stated_false_or_empty_option_wins_over_the_inherited_one() -> None:
    created = ValidCreateActionOptions(
        accept_delayed_broadcast=False, return_txid_only=True, no_send=True, send_with=()
    )
    stated = {"acceptDelayedBroadcast": True, "returnTXIDOnly": False, "noSend": False, "sendWith": []}
    valid = validate_sign_action(sign(options=stated)).inheriting(created)
    assert valid.options == ValidSignActionOptions(True, False, False, ())


def test_sign_action_cannot_send_others_with_an_action_that_is_held_back() -> None:
    valid = validate_sign_action(sign(options={"sendWith": [TXID]}))
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        valid.inheriting(ValidCreateActionOptions(no_send=True))
    assert caught.value.parameter == "noSend"


@pytest.mark.parametrize("reference", ["dGVzdA==", " dGVzdA== ", TXID, "dGVzdA"])
def test_abort_action_takes_base64_and_a_txid(reference: str) -> None:
    assert validate_abort_action({"reference": reference}).reference == reference.strip()


@pytest.mark.parametrize(
    "reference", ["", "ab=c", "abc==", "a===", "=", "dGVz\ndA==", "dGV-", "abcde", "é", "ab==cd=="]
)
def test_abort_action_refuses_what_is_no_base64(reference: str) -> None:
    error = blamed(validate_abort_action, {"reference": reference})
    assert error.message == "The reference parameter must be valid base64 string"


def test_internalize_action_tells_payments_from_insertions() -> None:
    args = internalize(PAYMENT, INSERTION, labels=[" L1 "])
    valid = validate_internalize_action(args)
    assert valid.tx == b"\x01\x02\x03\x04"
    assert valid.outputs == (
        ValidWalletPayment(0, "cHJlZml4", "c3VmZml4", SENDER),
        ValidBasketInsertion(1, "tokens", None, ()),
    )
    assert valid.labels == ("l1",)
    assert valid.seek_permission is True
    assert valid.is_test_werr_review_actions is False
    assert validate_internalize_action(args | {"labels": [THROW_REVIEW_ACTIONS_ID]}).is_test_werr_review_actions


@pytest.mark.parametrize("tx", [b"\x01\xff", bytearray(b"\x01\xff"), memoryview(b"\x01\xff"), [1, 255], (1, 255)])
def test_bytes_may_come_in_any_form(tx: object) -> None:
    assert validate_internalize_action({**internalize(PAYMENT), "tx": tx}).tx == b"\x01\xff"


def test_an_absent_output_index_is_the_first_output() -> None:
    output = {key: value for key, value in PAYMENT.items() if key != "outputIndex"}
    assert validate_internalize_action(internalize(output)).outputs[0].output_index == 0


@pytest.mark.parametrize(
    ("args", "parameter", "must_be"),
    [
        (internalize(), "outputs", "at least one output to internalize from the transaction"),
        ({"tx": [1], "description": "abcde"}, "outputs", "at least one output to internalize from the transaction"),
        (internalize({**PAYMENT, "protocol": "x"}), "protocol", "'basket insertion' or 'wallet payment'"),
        (internalize({**PAYMENT, "protocol": ["x"]}), "protocol", "'basket insertion' or 'wallet payment'"),
        (internalize({**PAYMENT, "outputIndex": -1}), "outputIndex", "at least 0 length."),
        (internalize({**PAYMENT, "outputIndex": 0.5}), "outputIndex", "an integer"),
        (
            internalize({**PAYMENT, "insertionRemittance": {"basket": "b"}}),
            "wallet payment",
            "valid paymentRemittance and no insertionRemittance",
        ),
        (
            internalize({"outputIndex": 0, "protocol": "wallet payment"}),
            "wallet payment",
            "valid paymentRemittance and no insertionRemittance",
        ),
        (
            internalize({**INSERTION, "paymentRemittance": REMITTANCE}),
            "basket insertion",
            "valid insertionRemittance and no paymentRemittance",
        ),
        (internalize(PAYMENT, {**INSERTION, "outputIndex": 0}), "outputs", "unique outputIndex values"),
        (pay(derivationPrefix="***"), "derivationPrefix", "valid base64 string"),
        (pay(derivationSuffix="A" * 204), "derivationSuffix", "no more than 150 bytes"),
        (pay(senderIdentityKey=SENDER[:-2]), "senderIdentityKey", "at least 66 length."),
        (pay(senderIdentityKey=SENDER + "00"), "senderIdentityKey", "no more than 66 length."),
        (pay(senderIdentityKey="zz" * 33), "senderIdentityKey", "hexadecimal string."),
        (insert(basket="DEFAULT "), "basket", "not 'default'"),
        (insert(basket=""), "basket", "at least 1 length."),
        (insert(customInstructions="x" * 1001), "customInstructions", "no more than 1000 length."),
        (insert(tags=[None]), "tag", "a string"),
        (
            internalize(
                *(
                    {**INSERTION, "outputIndex": vout, "insertionRemittance": {"basket": "b", "tags": ["t"] * 100}}
                    for vout in range(101)
                )
            ),
            "outputs.tags",
            "no more than 10000 in all",
        ),
        (internalize(PAYMENT, description="abcd"), "description", "at least 5 length."),
        (internalize(PAYMENT, labels={}), "labels", "an array"),
        (internalize(PAYMENT, seekPermission=0), "seekPermission", "a boolean"),
        (internalize(PAYMENT, tx="beef"), "tx", "an array of bytes"),
        (internalize(PAYMENT, tx=[True]), "tx", "an array of bytes"),
        (internalize(PAYMENT, tx=[-1]), "tx", "an array of bytes"),
        (internalize(PAYMENT, tx=[1.0]), "tx", "an array of bytes"),
        (internalize(PAYMENT, tx=[10**40]), "tx", "an array of bytes"),
        (internalize(PAYMENT, tx=[0] * 10_000_001), "tx", "no more than 10000000 bytes"),
        (internalize(PAYMENT, tx=10**12), "tx", "an array of bytes"),
    ],
)
def test_bad_internalize_arguments_are_blamed_by_name(args: object, parameter: str, must_be: str) -> None:
    error = blamed(validate_internalize_action, args)
    assert (error.parameter, error.message) == (parameter, f"The {parameter} parameter must be {must_be}")


def test_list_actions_defaults() -> None:
    valid = validate_list_actions({})
    assert valid.labels == ()
    assert valid.label_query_mode == "any"
    assert (valid.limit, valid.offset, valid.seek_permission) == (10, 0, True)
    assert not any(getattr(valid, name) for name in valid.__slots__ if name.startswith("include"))


@pytest.mark.parametrize(
    "flag",
    [
        "includeLabels",
        "includeInputs",
        "includeInputSourceLockingScripts",
        "includeInputUnlockingScripts",
        "includeOutputs",
        "includeOutputLockingScripts",
    ],
)
def test_each_list_actions_flag_sets_its_own_field(flag: str) -> None:
    valid = validate_list_actions({flag: True})
    snake = "".join("_" + letter.lower() if letter.isupper() else letter for letter in flag)
    assert [name for name in valid.__slots__ if name.startswith("include") and getattr(valid, name)] == [snake]


@pytest.mark.parametrize(
    ("args", "parameter", "must_be"),
    [
        ({"labelQueryMode": "some"}, "labelQueryMode", "undefined, 'any', or 'all'"),
        ({"labelQueryMode": {}}, "labelQueryMode", "undefined, 'any', or 'all'"),
        ({"limit": 0}, "limit", "at least 1 length."),
        ({"limit": 10_001}, "limit", "no more than 10000 length."),
        ({"limit": float("inf")}, "limit", "an integer"),
        ({"offset": -1}, "offset", "at least 0 length."),
        ({"offset": 2**53}, "offset", "no more than 9007199254740991 length."),
        ({"labels": [" "]}, "label", "at least 1 length."),
        ({"includeInputs": "true"}, "includeInputs", "a boolean"),
    ],
)
def test_bad_list_actions_arguments_are_blamed_by_name(args: object, parameter: str, must_be: str) -> None:
    error = blamed(validate_list_actions, args)
    assert (error.parameter, error.message) == (parameter, f"The {parameter} parameter must be {must_be}")
