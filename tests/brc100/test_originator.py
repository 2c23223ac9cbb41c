"""Originators, and the names that only the wallet's owner may use."""

from __future__ import annotations

from typing import Any

import pytest

from bsv_wallet_toolbox.brc100.originator import (
    BALANCE_ID,
    FAILED_ACTIONS_ID,
    INVALID_CHANGE_ID,
    NO_SEND_ACTIONS_ID,
    SET_CHANGE_PARAMS_ID,
    THROW_REVIEW_ACTIONS_ID,
)
from bsv_wallet_toolbox.brc100.validation import (
    validate_create_action,
    validate_internalize_action,
    validate_list_actions,
    validate_list_outputs,
    validate_originator,
    validate_relinquish_output,
)
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

APP = "app.example"
OUTPUT: dict[str, Any] = {"lockingScript": "51", "satoshis": 1, "outputDescription": "an output"}


def create_into(basket: str, originator: str | None) -> object:
    args = {"description": "abcde", "outputs": [{**OUTPUT, "basket": basket}]}
    return validate_create_action(args, originator)


def insert_into(basket: str, originator: str | None) -> object:
    output = {"outputIndex": 0, "protocol": "basket insertion", "insertionRemittance": {"basket": basket}}
    return validate_internalize_action({"tx": [1], "outputs": [output], "description": "abcde"}, originator)


def list_basket(basket: str, originator: str | None) -> object:
    return validate_list_outputs({"basket": basket}, originator)


def relinquish_from(basket: str, originator: str | None) -> object:
    return validate_relinquish_output({"basket": basket, "output": "ab" * 32 + ".0"}, originator)


def label_action(label: str, originator: str | None) -> object:
    return validate_create_action({"description": "abcde", "labels": [label]}, originator)


def label_payment(label: str, originator: str | None) -> object:
    output = {"outputIndex": 0, "protocol": "basket insertion", "insertionRemittance": {"basket": "b"}}
    args = {"tx": [1], "outputs": [output], "description": "abcde", "labels": [label]}
    return validate_internalize_action(args, originator)


def list_label(label: str, originator: str | None) -> object:
    return validate_list_actions({"labels": [label]}, originator)


@pytest.mark.parametrize(
    ("given", "normalised"),
    [(None, None), (" App.Example ", "app.example"), ("localhost:3000", "localhost:3000"), ("a" * 63, "a" * 63)],
)
def test_an_originator_is_normalised(given: str | None, normalised: str | None) -> None:
    assert validate_originator(given) == normalised


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "The originator parameter must be at least 1 length."),
        (" ", "The originator parameter must be at least 1 length."),
        ("a." * 125 + "a", "The originator parameter must be no more than 250 length."),
        ("a..b", "The originator part parameter must be at least 1 length."),
        (".a", "The originator part parameter must be at least 1 length."),
        ("a" * 64 + ".com", "The originator part parameter must be no more than 63 length."),
        ("é" * 32, "The originator part parameter must be no more than 63 length."),
        (7, "The originator parameter must be a string"),
        (b"app", "The originator parameter must be a string"),
        ("a\0b", "The originator parameter must be text without NUL characters"),
        ("a\udfff", "The originator parameter must be valid Unicode text"),
    ],
)
def test_a_bad_originator_is_refused(given: object, message: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        validate_originator(given)
    assert caught.value.message == message


@pytest.mark.parametrize("use", [create_into, insert_into])
@pytest.mark.parametrize("originator", [None, APP])
@pytest.mark.parametrize("name", ["default", " Default", "DEFAULT\t"])
def test_nobody_puts_an_output_into_the_change_basket(use: Any, originator: str | None, name: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        use(name, originator)
    assert caught.value.parameter == "basket"
    assert caught.value.message == "The basket parameter must be not 'default'"


RESERVED_BASKETS = [
    "admin",
    " Admin month",
    "administrative",
    BALANCE_ID,
    INVALID_CHANGE_ID,
    SET_CHANGE_PARAMS_ID.upper(),
]


@pytest.mark.parametrize("use", [create_into, insert_into, list_basket, relinquish_from])
@pytest.mark.parametrize("name", RESERVED_BASKETS)
def test_an_application_cannot_use_a_reserved_basket(use: Any, name: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        use(name, APP)
    assert caught.value.message == f"Basket “{name.strip().lower()}” is admin-only."
    use(name, None)


@pytest.mark.parametrize("use", [create_into, insert_into, list_basket, relinquish_from])
def test_an_application_cannot_use_the_basket_of_a_module(use: Any) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        use("P btms x", APP)
    assert caught.value.message == "Unsupported P-basket scheme: p btms"
    use("p btms x", None)
    use("padmin", APP)


@pytest.mark.parametrize("use", [list_basket, relinquish_from])
@pytest.mark.parametrize("name", ["default", " default"])
def test_the_change_basket_is_listed_and_left_by_its_owner_only(use: Any, name: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match="admin-only"):
        use(name, APP)
    use(name, None)


@pytest.mark.parametrize("name", ["balance default", "Balance admin x", f"balance {SET_CHANGE_PARAMS_ID}"])
def test_asking_for_a_balance_gives_no_more_rights_than_listing(name: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match="admin-only"):
        list_basket(name, APP)
    list_basket(name, None)
    list_basket("balance tokens", APP)


@pytest.mark.parametrize("use", [label_action, label_payment, list_label])
@pytest.mark.parametrize("label", ["admin", " Administrator", NO_SEND_ACTIONS_ID, FAILED_ACTIONS_ID])
def test_an_application_cannot_use_a_reserved_label(use: Any, label: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        use(label, APP)
    assert caught.value.parameter == "label"
    assert caught.value.message == f"Label “{label.strip().lower()}” is admin-only."
    use(label, None)


@pytest.mark.parametrize("use", [label_action, label_payment, list_label])
def test_an_application_cannot_use_the_label_of_a_module(use: Any) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        use("p invoicing invoice 2026", APP)
    assert caught.value.message == "Unsupported P-label scheme: p invoicing"


def test_an_application_may_test_how_it_takes_a_review() -> None:
    label_action(THROW_REVIEW_ACTIONS_ID, APP)
    label_payment(THROW_REVIEW_ACTIONS_ID, APP)
