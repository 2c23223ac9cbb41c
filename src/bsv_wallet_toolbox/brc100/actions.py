"""Arguments of signAction, abortAction, internalizeAction and listActions, validated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from bsv_wallet_toolbox.brc100.create_action import MAX_TAGS, ValidCreateActionOptions
from bsv_wallet_toolbox.brc100.originator import THROW_REVIEW_ACTIONS_ID, check_labels, check_new_basket
from bsv_wallet_toolbox.brc100.primitives import (
    MAX_BYTES,
    MAX_ITEMS,
    MAX_SAFE_INTEGER,
    MAX_UINT32,
    Members,
    base64_text,
    byte_array,
    choice,
    description,
    flag,
    hex_text,
    identifier,
    identifiers,
    integer,
    items,
    members,
    required,
    script,
    text,
    txids,
)
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = [
    "QueryMode",
    "ValidAbortAction",
    "ValidBasketInsertion",
    "ValidInternalizeAction",
    "ValidListActions",
    "ValidSignAction",
    "ValidSignActionOptions",
    "ValidSpend",
    "ValidWalletPayment",
    "query_mode",
    "validate_abort_action",
    "validate_internalize_action",
    "validate_list_actions",
    "validate_sign_action",
]

QueryMode = Literal["any", "all"]

_QUERY_MODES: tuple[QueryMode, ...] = ("any", "all")
_INPUT_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


@dataclass(frozen=True, slots=True)
class ValidSpend:
    """``sequence_number`` None keeps the one that createAction was given."""

    unlocking_script: bytes
    sequence_number: int | None


@dataclass(frozen=True, slots=True)
class ValidSignActionOptions:
    accept_delayed_broadcast: bool = True
    return_txid_only: bool = False
    no_send: bool = False
    send_with: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ValidSignAction:
    """``spends`` by input index; ``options`` are complete, ``given`` names those that the caller stated."""

    spends: Mapping[int, ValidSpend]
    reference: str
    options: ValidSignActionOptions
    given: frozenset[str]

    @property
    def is_send_with(self) -> bool:
        return bool(self.options.send_with)

    @property
    def is_delayed(self) -> bool:
        return self.options.accept_delayed_broadcast

    @property
    def is_no_send(self) -> bool:
        return self.options.no_send

    def inheriting(self, created: ValidCreateActionOptions) -> ValidSignAction:
        """Options the caller did not state are those of createAction; a stated False or ``[]`` stands.

        Raises WERR_INVALID_PARAMETER when the two together ask to hold back a transaction that others are sent with.
        """
        own = self.options
        options = ValidSignActionOptions(
            accept_delayed_broadcast=own.accept_delayed_broadcast
            if "acceptDelayedBroadcast" in self.given
            else created.accept_delayed_broadcast,
            return_txid_only=own.return_txid_only if "returnTXIDOnly" in self.given else created.return_txid_only,
            no_send=own.no_send if "noSend" in self.given else created.no_send,
            send_with=own.send_with if "sendWith" in self.given else created.send_with,
        )
        _check_no_send(options)
        return replace(self, options=options)


@dataclass(frozen=True, slots=True)
class ValidAbortAction:
    """``reference`` is the action's base64 handle or its txid (64 hex characters are base64 text too)."""

    reference: str


@dataclass(frozen=True, slots=True)
class ValidWalletPayment:
    """An output locked to us by BRC-29. Derivation texts are base64, ``sender_identity_key`` 66 hex characters that
    may still name no point of the curve."""

    output_index: int
    derivation_prefix: str
    derivation_suffix: str
    sender_identity_key: str


@dataclass(frozen=True, slots=True)
class ValidBasketInsertion:
    output_index: int
    basket: str
    custom_instructions: str | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValidInternalizeAction:
    """``tx`` are bytes that nobody has parsed yet. Output indexes are unique."""

    tx: bytes
    outputs: tuple[ValidWalletPayment | ValidBasketInsertion, ...]
    description: str
    labels: tuple[str, ...]
    seek_permission: bool

    @property
    def is_test_werr_review_actions(self) -> bool:
        return THROW_REVIEW_ACTIONS_ID in self.labels


@dataclass(frozen=True, slots=True)
class ValidListActions:
    labels: tuple[str, ...]
    label_query_mode: QueryMode
    include_labels: bool
    include_inputs: bool
    include_input_source_locking_scripts: bool
    include_input_unlocking_scripts: bool
    include_outputs: bool
    include_output_locking_scripts: bool
    limit: int
    offset: int
    seek_permission: bool


def validate_sign_action(args: object) -> ValidSignAction:
    """Check signAction arguments (BRC-100). Whether the spends fit the action is for the wallet to see."""
    body = members(args, "args")
    spends = _spends(required(body, "spends"))
    # A handle of a foreign storage need not be ours in form, so any short text is looked up.
    reference = text(required(body, "reference"), "reference", 1, 300)
    raw_options = body.get("options")
    raw = {} if raw_options is None else members(raw_options, "options")
    options = ValidSignActionOptions(
        accept_delayed_broadcast=flag(raw.get("acceptDelayedBroadcast"), "acceptDelayedBroadcast", True),
        return_txid_only=flag(raw.get("returnTXIDOnly"), "returnTXIDOnly", False),
        no_send=flag(raw.get("noSend"), "noSend", False),
        send_with=txids(raw.get("sendWith"), "sendWith"),
    )
    _check_no_send(options)
    names = ("acceptDelayedBroadcast", "returnTXIDOnly", "noSend", "sendWith")
    return ValidSignAction(
        spends=spends,
        reference=reference,
        options=options,
        given=frozenset(name for name in names if raw.get(name) is not None),
    )


def _check_no_send(options: ValidSignActionOptions) -> None:
    if options.no_send and options.send_with:
        raise WERR_INVALID_PARAMETER("noSend", "false when sendWith is given with a new transaction")


def _spends(value: object) -> Mapping[int, ValidSpend]:
    if not isinstance(value, dict):
        raise WERR_INVALID_PARAMETER("spends", "an object")
    if len(value) > MAX_ITEMS:
        raise WERR_INVALID_PARAMETER("spends", f"an object of no more than {MAX_ITEMS} members")
    spends: dict[int, ValidSpend] = {}
    size = 0
    for key, element in value.items():
        vin = _input_index(key)
        body = members(element, f"spends[{vin}]")
        unlocking_script = script(required(body, "unlockingScript"), "unlockingScript", may_be_empty=True)
        raw_sequence = body.get("sequenceNumber")
        sequence = None if raw_sequence is None else integer(raw_sequence, "sequenceNumber", None, 0, MAX_UINT32)
        size += len(unlocking_script)
        if vin in spends or size > MAX_BYTES:
            raise WERR_INVALID_PARAMETER("spends", f"one per input and no more than {MAX_BYTES} bytes in all")
        spends[vin] = ValidSpend(unlocking_script, sequence)
    return MappingProxyType(spends)


def _input_index(key: object) -> int:
    if isinstance(key, str) and _INPUT_INDEX.fullmatch(key) is not None:
        key = int(key)
    if not isinstance(key, int) or isinstance(key, bool) or not 0 <= key <= MAX_UINT32:
        raise WERR_INVALID_PARAMETER(
            "args", "spend does not correspond to prior input with valid unlockingScriptLength."
        )
    return key


def validate_abort_action(args: object) -> ValidAbortAction:
    """Check abortAction arguments (BRC-100)."""
    body = members(args, "args")
    return ValidAbortAction(base64_text(required(body, "reference"), "reference", 1, 300))


def validate_internalize_action(args: object, originator: str | None = None) -> ValidInternalizeAction:
    """Check internalizeAction arguments (BRC-100). ``originator`` is normalised; None is the owner."""
    body = members(args, "args")
    tx = byte_array(required(body, "tx"), "tx")
    outputs = _internalized_outputs(body.get("outputs"), originator)
    action_description = description(body, "description")
    labels = identifiers(body.get("labels"), "labels", "label")
    check_labels(labels, originator)
    return ValidInternalizeAction(
        tx, outputs, action_description, labels, flag(body.get("seekPermission"), "seekPermission", True)
    )


def _internalized_outputs(
    value: object, originator: str | None
) -> tuple[ValidWalletPayment | ValidBasketInsertion, ...]:
    outputs: dict[int, ValidWalletPayment | ValidBasketInsertion] = {}
    size = tags = 0
    for index, element in enumerate(items(value, "outputs")):
        valid = _internalized(members(element, f"outputs[{index}]"), originator)
        if valid.output_index in outputs:
            raise WERR_INVALID_PARAMETER("outputs", "unique outputIndex values")
        outputs[valid.output_index] = valid
        if isinstance(valid, ValidBasketInsertion):
            size += len(valid.custom_instructions or "") + sum(map(len, valid.tags))
            tags += len(valid.tags)
        if size > MAX_BYTES:
            raise WERR_INVALID_PARAMETER("outputs", f"no more than {MAX_BYTES} bytes of text")
        if tags > MAX_TAGS:
            raise WERR_INVALID_PARAMETER("outputs.tags", f"no more than {MAX_TAGS} in all")
    if not outputs:
        raise WERR_INVALID_PARAMETER("outputs", "at least one output to internalize from the transaction")
    return tuple(outputs.values())


def _internalized(body: Members, originator: str | None) -> ValidWalletPayment | ValidBasketInsertion:
    index = integer(body.get("outputIndex"), "outputIndex", 0, 0, MAX_UINT32)
    protocols = ("basket insertion", "wallet payment")
    protocol = choice(body.get("protocol"), "protocol", protocols, "'basket insertion' or 'wallet payment'")
    payment, insertion = body.get("paymentRemittance"), body.get("insertionRemittance")
    if protocol == "wallet payment":
        if payment is None or insertion is not None:
            raise WERR_INVALID_PARAMETER(protocol, "valid paymentRemittance and no insertionRemittance")
        return _payment(index, members(payment, "paymentRemittance"))
    if insertion is None or payment is not None:
        raise WERR_INVALID_PARAMETER(protocol, "valid insertionRemittance and no paymentRemittance")
    return _insertion(index, members(insertion, "insertionRemittance"), originator)


def _payment(index: int, body: Members) -> ValidWalletPayment:
    return ValidWalletPayment(
        output_index=index,
        derivation_prefix=_derivation(body, "derivationPrefix"),
        derivation_suffix=_derivation(body, "derivationSuffix"),
        sender_identity_key=hex_text(required(body, "senderIdentityKey"), "senderIdentityKey", 66, 66),
    )


def _derivation(body: Members, key: str) -> str:
    # 150 bytes are 200 characters: the width of the column, and with two of them half of what a key id may be.
    return base64_text(required(body, key), key, 1, 150)


def _insertion(index: int, body: Members, originator: str | None) -> ValidBasketInsertion:
    basket = identifier(required(body, "basket"), "basket")
    check_new_basket(basket, originator)
    raw_instructions = body.get("customInstructions")
    instructions = None if raw_instructions is None else text(raw_instructions, "customInstructions", 0, 1000)
    return ValidBasketInsertion(index, basket, instructions, identifiers(body.get("tags"), "tags", "tag"))


def validate_list_actions(args: object, originator: str | None = None) -> ValidListActions:
    """Check listActions arguments (BRC-100). ``originator`` is normalised; None is the owner."""
    body = members(args, "args")
    labels = identifiers(body.get("labels"), "labels", "label")
    check_labels(labels, originator)
    return ValidListActions(
        labels=labels,
        label_query_mode=query_mode(body, "labelQueryMode"),
        include_labels=flag(body.get("includeLabels"), "includeLabels", False),
        include_inputs=flag(body.get("includeInputs"), "includeInputs", False),
        include_input_source_locking_scripts=flag(
            body.get("includeInputSourceLockingScripts"), "includeInputSourceLockingScripts", False
        ),
        include_input_unlocking_scripts=flag(
            body.get("includeInputUnlockingScripts"), "includeInputUnlockingScripts", False
        ),
        include_outputs=flag(body.get("includeOutputs"), "includeOutputs", False),
        include_output_locking_scripts=flag(
            body.get("includeOutputLockingScripts"), "includeOutputLockingScripts", False
        ),
        limit=integer(body.get("limit"), "limit", 10, 1, 10_000),
        offset=integer(body.get("offset"), "offset", 0, 0, MAX_SAFE_INTEGER),
        seek_permission=flag(body.get("seekPermission"), "seekPermission", True),
    )


def query_mode(args: Members, key: str) -> QueryMode:
    """Whether any or all of the names must match; absent is ``any``."""
    value = args.get(key)
    if value is None:
        return "any"
    return choice(value, key, _QUERY_MODES, "undefined, 'any', or 'all'")
