"""Hypothesis strategies for the objects of the action methods, with everything that the wallet wire can carry."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from hypothesis import strategies as st

TXID = st.binary(min_size=32, max_size=32).map(bytes.hex)
SIGNED_TXID = TXID.filter(lambda txid: txid != "00" * 32)
OUTPOINT = st.builds(lambda txid, vout: f"{txid}.{vout}", TXID, st.integers(0, 2**32 - 1))
UINT32 = st.integers(0, 2**32 - 1)
AMOUNT = st.integers(0, 2**53 - 1)
HEX = st.binary(max_size=300).map(bytes.hex)
BASE64 = st.binary(max_size=40).map(lambda raw: b64encode(raw).decode())
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = st.lists(TEXT, max_size=3)
FLAG = st.booleans()


def objects(needed: dict[str, Any], given_or_not: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(needed, optional=given_or_not)


def lists(element: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(element, max_size=3)


SEND_WITH = lists(objects({"txid": TXID, "status": st.sampled_from(["unproven", "sending", "failed"])}, {}))
INPUT = st.one_of(
    objects({"outpoint": OUTPOINT, "inputDescription": TEXT, script: value}, {"sequenceNumber": UINT32})
    for script, value in (("unlockingScript", HEX), ("unlockingScriptLength", UINT32))
)
OUTPUT = objects(
    {"lockingScript": HEX, "satoshis": AMOUNT, "outputDescription": TEXT},
    {"basket": TEXT.filter(bool), "customInstructions": TEXT.filter(bool), "tags": NAMES},
)
PAYMENT = objects(
    {
        "derivationPrefix": BASE64,
        "derivationSuffix": BASE64,
        "senderIdentityKey": st.binary(min_size=33, max_size=33).map(bytes.hex),
    },
    {},
)
INSERTION = objects({"basket": TEXT}, {"customInstructions": TEXT, "tags": NAMES.filter(bool)})
INTERNALIZED = st.one_of(
    objects({"outputIndex": UINT32, "protocol": st.just("wallet payment"), "paymentRemittance": PAYMENT}, {}),
    objects({"outputIndex": UINT32, "protocol": st.just("basket insertion"), "insertionRemittance": INSERTION}, {}),
)
SEND_OPTIONS = {"acceptDelayedBroadcast": FLAG, "returnTXIDOnly": FLAG, "noSend": FLAG, "sendWith": lists(TXID)}

ARGS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "createAction": objects(
        {"description": TEXT},
        {
            "inputBEEF": st.binary(max_size=300),
            "inputs": lists(INPUT),
            "outputs": lists(OUTPUT),
            "lockTime": UINT32,
            "version": UINT32,
            "labels": NAMES,
            "options": objects(
                {},
                SEND_OPTIONS
                | {
                    "signAndProcess": FLAG,
                    "trustSelf": st.just("known"),
                    "knownTxids": lists(TXID),
                    "noSendChange": lists(OUTPOINT),
                    "randomizeOutputs": FLAG,
                },
            ),
        },
    ),
    "signAction": objects(
        {
            "spends": st.dictionaries(
                UINT32.map(str), objects({"unlockingScript": HEX}, {"sequenceNumber": UINT32}), max_size=3
            ),
            "reference": BASE64,
        },
        {"options": objects({}, SEND_OPTIONS)},
    ),
    "abortAction": objects({"reference": BASE64}, {}),
    "listActions": objects(
        {"labels": NAMES},
        {
            "labelQueryMode": st.sampled_from(["any", "all"]),
            "includeLabels": FLAG,
            "includeInputs": FLAG,
            "includeInputSourceLockingScripts": FLAG,
            "includeInputUnlockingScripts": FLAG,
            "includeOutputs": FLAG,
            "includeOutputLockingScripts": FLAG,
            "limit": AMOUNT,
            "offset": AMOUNT,
            "seekPermission": FLAG,
        },
    ),
    "internalizeAction": objects(
        {"tx": st.binary(max_size=300), "outputs": lists(INTERNALIZED), "description": TEXT},
        {"labels": NAMES, "seekPermission": FLAG},
    ),
    "listOutputs": objects(
        {"basket": TEXT},
        {
            "tags": NAMES.filter(bool),
            "tagQueryMode": st.sampled_from(["any", "all"]),
            "include": st.sampled_from(["locking scripts", "entire transactions"]),
            "includeCustomInstructions": FLAG,
            "includeTags": FLAG,
            "includeLabels": FLAG,
            "limit": AMOUNT,
            "offset": st.integers(-(2**53 - 1), 2**53 - 1).filter(lambda offset: offset != -1),
            "seekPermission": FLAG,
        },
    ),
    "relinquishOutput": objects({"basket": TEXT, "output": OUTPOINT}, {}),
}

ACTION = objects(
    {
        "txid": st.one_of(SIGNED_TXID, st.just("")),
        "satoshis": st.integers(-(2**53 - 1), 2**53 - 1),
        "status": st.sampled_from(
            ["completed", "unprocessed", "sending", "unproven", "unsigned", "nosend", "nonfinal", "failed"]
        ),
        "isOutgoing": FLAG,
        "description": TEXT,
        "version": st.integers(-(2**31), 2**32 - 1),
        "lockTime": UINT32,
    },
    {
        "labels": NAMES,
        "inputs": lists(
            objects(
                {
                    "sourceOutpoint": OUTPOINT,
                    "sourceSatoshis": AMOUNT,
                    "inputDescription": TEXT,
                    "sequenceNumber": UINT32,
                },
                {"sourceLockingScript": HEX, "unlockingScript": HEX},
            )
        ),
        "outputs": lists(
            objects(
                {"outputIndex": UINT32, "satoshis": AMOUNT, "spendable": FLAG, "outputDescription": TEXT},
                {"lockingScript": HEX, "basket": TEXT, "tags": NAMES, "customInstructions": TEXT},
            )
        ),
    },
)
LISTED = objects(
    {"outpoint": OUTPOINT, "satoshis": AMOUNT, "spendable": st.just(True)},
    {"lockingScript": HEX, "customInstructions": TEXT, "tags": NAMES, "labels": NAMES},
)
OPTIONAL_BEEF = st.one_of(st.just({}), st.binary(max_size=300).map(lambda raw: {"BEEF": raw}))
SENT = {"txid": TXID, "tx": st.binary(max_size=300), "sendWithResults": SEND_WITH}
SIGNABLE = objects({"tx": st.binary(max_size=300), "reference": BASE64}, {})
RESULT: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "createAction": objects({}, SENT | {"noSendChange": lists(OUTPOINT), "signableTransaction": SIGNABLE}),
    "signAction": objects({}, SENT),
    "abortAction": st.just({"aborted": True}),
    "listActions": lists(ACTION).map(lambda found: {"totalActions": len(found), "actions": found}),
    "internalizeAction": st.just({"accepted": True}),
    "listOutputs": st.builds(
        lambda beef, found: {"totalOutputs": len(found), "outputs": found} | beef, OPTIONAL_BEEF, lists(LISTED)
    ),
    "relinquishOutput": st.just({"relinquished": True}),
}
