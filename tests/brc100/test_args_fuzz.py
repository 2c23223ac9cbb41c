"""Whatever arrives as arguments, validation answers with a dataclass or with a WERR_* that names a parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bsv_wallet_toolbox.brc100.validation import (
    validate_abort_action,
    validate_create_action,
    validate_get_header_for_height,
    validate_internalize_action,
    validate_list_actions,
    validate_list_outputs,
    validate_originator,
    validate_relinquish_output,
    validate_sign_action,
)
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER

TXID = "ab" * 32
KEY = "03b106dae20ae8fca0f4e8983d974c4b583054573eecdcdcfad261c035415ce1ee"

TEMPLATES: list[tuple[Callable[..., Any], dict[str, Any], bool]] = [
    (
        validate_create_action,
        {
            "description": "abcde",
            "inputBEEF": [1],
            "inputs": [
                {
                    "outpoint": f"{TXID}.0",
                    "inputDescription": "abcde",
                    "unlockingScript": "51",
                    "unlockingScriptLength": 1,
                    "sequenceNumber": 0,
                }
            ],
            "outputs": [
                {
                    "lockingScript": "51",
                    "satoshis": 1,
                    "outputDescription": "abcde",
                    "basket": "b",
                    "customInstructions": "c",
                    "tags": ["t"],
                }
            ],
            "lockTime": 0,
            "version": 1,
            "labels": ["l"],
            "options": {
                "signAndProcess": True,
                "acceptDelayedBroadcast": True,
                "trustSelf": "known",
                "knownTxids": [TXID],
                "returnTXIDOnly": False,
                "noSend": False,
                "noSendChange": [f"{TXID}.1"],
                "sendWith": [TXID],
                "randomizeOutputs": True,
            },
        },
        True,
    ),
    (
        validate_sign_action,
        {
            "spends": {"0": {"unlockingScript": "51", "sequenceNumber": 1}},
            "reference": "dGVzdA==",
            "options": {"acceptDelayedBroadcast": True, "returnTXIDOnly": True, "noSend": False, "sendWith": [TXID]},
        },
        False,
    ),
    (validate_abort_action, {"reference": "dGVzdA=="}, False),
    (
        validate_internalize_action,
        {
            "tx": [1, 2],
            "outputs": [
                {
                    "outputIndex": 0,
                    "protocol": "wallet payment",
                    "paymentRemittance": {
                        "derivationPrefix": "QUJD",
                        "derivationSuffix": "QUJD",
                        "senderIdentityKey": KEY,
                    },
                },
                {
                    "outputIndex": 1,
                    "protocol": "basket insertion",
                    "insertionRemittance": {"basket": "b", "customInstructions": "c", "tags": ["t"]},
                },
            ],
            "description": "abcde",
            "labels": ["l"],
            "seekPermission": True,
        },
        True,
    ),
    (
        validate_list_actions,
        {"labels": ["l"], "labelQueryMode": "all", "includeLabels": True, "limit": 1, "offset": 0},
        True,
    ),
    (
        validate_list_outputs,
        {"basket": "b", "tags": ["t"], "tagQueryMode": "any", "include": "locking scripts", "limit": 1, "offset": -1},
        True,
    ),
    (validate_relinquish_output, {"basket": "b", "output": f"{TXID}.0"}, True),
    (validate_get_header_for_height, {"height": 1}, False),
]

any_text = st.text(st.characters(exclude_categories=()), max_size=12)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**32, 2**53, 2**64, 10**400, -1, 21 * 10**14, 21 * 10**14 + 1]),
    st.floats(),
    any_text,
    st.sampled_from(["default", "admin", "p ", "p", "\0", "\ud800", " ", "=", "0" * 64, "0" * 64 + ".0", "x" * 3000]),
    st.binary(max_size=4),
    st.binary(max_size=4).map(bytearray),
    st.just(object()),
)
keys = st.one_of(any_text, st.integers(-2, 5), st.booleans(), st.none(), st.floats(), st.tuples(st.integers()))
junk = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.tuples(inner), st.dictionaries(keys, inner, max_size=4), st.sets(any_text)
    ),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, member in members for place in places(member, (*path, key)))]


def with_change(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = with_change(value[path[0]], path[1:], new)
    return copy


def answers_or_blames(validate: Callable[..., Any], *args: Any) -> None:
    try:
        validate(*args)
    except (WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER) as error:
        blame = error
    else:
        return
    assert blame.parameter
    assert blame.message.encode()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template[0].__name__)
def test_the_templates_themselves_are_valid(template: tuple[Callable[..., Any], dict[str, Any], bool]) -> None:
    validate, args, named = template
    validate(args, "app.example") if named else validate(args)


PLACES = [(template, path) for template in TEMPLATES for path in places(template[1])]


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(50_000):
        value = [value]
    return value


NASTY: list[Any] = [
    *(None, True, False, 0, -1, 1.0, 1.5, 2**32, 2**53, 10**400, float("nan"), float("inf"), 1j),
    *("", " ", "\0", "abc\0de", "\ud800", "abcde\udfff", "default", "admin", "p ", "p", "é" * 2000, "x" * 5000),
    *("ab.0", "ab=c", "5", "zz", "0x51", b"", b"abcde", bytearray(b"1"), memoryview(b"1")),
    *((), [], {}, set(), [None], [[]], [{}], {"": None}, {1: 2}, {None: None}, {"a": {"b": {}}}, object(), deep()),
]


@pytest.mark.parametrize("originator", [None, "app.example"])
def test_every_member_replaced_by_every_nasty_value(originator: str | None) -> None:
    for (validate, args, named), path in PLACES:
        for new in NASTY:
            answers_or_blames(validate, with_change(args, path, new), *([originator] if named else []))


@settings(max_examples=1500, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(PLACES), min_size=6, max_size=6), junk, st.sampled_from([None, "app.example"]))
def test_a_member_replaced_by_junk(
    changes: list[tuple[tuple[Callable[..., Any], dict[str, Any], bool], tuple[Any, ...]]],
    new: Any,
    originator: str | None,
) -> None:
    """Six validations an example, since making the junk is what takes the time."""
    for (validate, args, named), path in changes:
        answers_or_blames(validate, with_change(args, path, new), *([originator] if named else []))


@settings(max_examples=700, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(TEMPLATES), st.data())
def test_objects_made_of_known_names_and_junk(
    template: tuple[Callable[..., Any], dict[str, Any], bool], data: st.DataObject
) -> None:
    validate, args, named = template
    body = data.draw(st.dictionaries(st.one_of(st.sampled_from(sorted(args)), keys), junk, max_size=4))
    answers_or_blames(validate, args | body, *(["app.example"] if named else []))


@settings(max_examples=300, derandomize=True, deadline=None)
@given(junk)
def test_originators_made_of_junk(originator: Any) -> None:
    answers_or_blames(validate_originator, originator)
