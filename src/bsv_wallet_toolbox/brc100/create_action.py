"""Arguments of createAction, validated: what the wallet works with and what travels to storage."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from bsv_wallet_toolbox.brc100.originator import THROW_REVIEW_ACTIONS_ID, check_labels, check_new_basket
from bsv_wallet_toolbox.brc100.outpoint import Outpoint
from bsv_wallet_toolbox.brc100.primitives import (
    MAX_BYTES,
    MAX_SATOSHIS,
    MAX_UINT32,
    byte_array,
    choice,
    description,
    flag,
    identifier,
    identifiers,
    integer,
    items,
    members,
    outpoints,
    required,
    satoshis,
    script,
    text,
    txids,
)
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.funding import MAX_POSSIBLE_SATOSHIS

__all__ = [
    "MAX_CUSTOM_INSTRUCTIONS",
    "MAX_TAGS",
    "ValidCreateAction",
    "ValidCreateActionInput",
    "ValidCreateActionOptions",
    "ValidCreateActionOutput",
    "validate_create_action",
]

MAX_CUSTOM_INSTRUCTIONS = 2500
"""Bytes; the width of the column that peers keep them in."""
_MAX_VERSION = 0x7FFFFFFF
"""Nodes read the version as a signed integer."""
MAX_TAGS = 10_000
"""Tags of all outputs of one call: each is a row that is written under the lock that every other writer waits for."""


class ValidCreateActionInput(NamedTuple):
    """``unlocking_script_length`` (bytes) is that of the script when there is one."""

    outpoint: Outpoint
    input_description: str
    unlocking_script: bytes | None
    unlocking_script_length: int
    sequence_number: int

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"outpoint": self.outpoint.to_json(), "inputDescription": self.input_description}
        if self.unlocking_script is not None:
            body["unlockingScript"] = self.unlocking_script.hex()
        body["unlockingScriptLength"] = self.unlocking_script_length
        body["sequenceNumber"] = self.sequence_number
        return body


class ValidCreateActionOutput(NamedTuple):
    locking_script: bytes
    satoshis: int
    output_description: str
    basket: str | None
    custom_instructions: str | None
    tags: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "lockingScript": self.locking_script.hex(),
            "satoshis": self.satoshis,
            "outputDescription": self.output_description,
        }
        if self.basket is not None:
            body["basket"] = self.basket
        if self.custom_instructions is not None:
            body["customInstructions"] = self.custom_instructions
        body["tags"] = list(self.tags)
        return body


class ValidCreateActionOptions(NamedTuple):
    sign_and_process: bool = True
    accept_delayed_broadcast: bool = True
    trust_self: Literal["known"] | None = None
    known_txids: tuple[str, ...] = ()
    return_txid_only: bool = False
    no_send: bool = False
    no_send_change: tuple[Outpoint, ...] = ()
    send_with: tuple[str, ...] = ()
    randomize_outputs: bool = True

    def to_json(self) -> dict[str, Any]:
        """``trustSelf`` is written when it was given: peers drop it, and with it the trust."""
        body: dict[str, Any] = {
            "signAndProcess": self.sign_and_process,
            "acceptDelayedBroadcast": self.accept_delayed_broadcast,
        }
        if self.trust_self is not None:
            body["trustSelf"] = self.trust_self
        body["knownTxids"] = list(self.known_txids)
        body["returnTXIDOnly"] = self.return_txid_only
        body["noSend"] = self.no_send
        body["noSendChange"] = [outpoint.to_json() for outpoint in self.no_send_change]
        body["sendWith"] = list(self.send_with)
        body["randomizeOutputs"] = self.randomize_outputs
        return body


class ValidCreateAction(NamedTuple):
    """The flags are derived from the arguments once, here, because they travel to storage beside them.

    ``is_remix_change``: neither inputs nor outputs nor ``sendWith``, spend change into new change.
    ``is_sign_action``: the transaction is handed out unsigned and finished by signAction.
    ``include_all_source_transactions`` and ``random_vals`` (fractions in [0, 1) for tests) are set by the wallet.
    """

    description: str
    input_beef: bytes | None
    inputs: tuple[ValidCreateActionInput, ...]
    outputs: tuple[ValidCreateActionOutput, ...]
    lock_time: int
    version: int
    labels: tuple[str, ...]
    options: ValidCreateActionOptions
    is_send_with: bool
    is_delayed: bool
    is_no_send: bool
    is_new_tx: bool
    is_remix_change: bool
    is_sign_action: bool
    is_test_werr_review_actions: bool
    include_all_source_transactions: bool = False
    random_vals: tuple[float, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """The object that travels to storage; its keys and their order are those of the reference wallet."""
        body: dict[str, Any] = {"description": self.description}
        if self.input_beef is not None:
            body["inputBEEF"] = list(self.input_beef)
        body["inputs"] = [each.to_json() for each in self.inputs]
        body["outputs"] = [each.to_json() for each in self.outputs]
        body["lockTime"] = self.lock_time
        body["version"] = self.version
        body["labels"] = list(self.labels)
        body["options"] = self.options.to_json()
        body["isSendWith"] = self.is_send_with
        body["isDelayed"] = self.is_delayed
        body["isNoSend"] = self.is_no_send
        body["isNewTx"] = self.is_new_tx
        body["isRemixChange"] = self.is_remix_change
        body["isSignAction"] = self.is_sign_action
        if self.random_vals is not None:
            body["randomVals"] = list(self.random_vals)
        body["includeAllSourceTransactions"] = self.include_all_source_transactions
        body["isTestWerrReviewActions"] = self.is_test_werr_review_actions
        return body

    def without_unlocking_scripts(self) -> ValidCreateAction:
        """For storage, which needs the lengths only. The flags stay what the scripts made them."""
        return self._replace(inputs=tuple(each._replace(unlocking_script=None) for each in self.inputs))


_NO_OPTIONS = ValidCreateActionOptions()


def validate_create_action(args: object, originator: str | None = None) -> ValidCreateAction:
    """Check and normalise createAction arguments (BRC-100). ``originator`` is normalised; None is the owner.

    Raises WERR_INVALID_PARAMETER or WERR_MISSING_PARAMETER, whatever ``args`` is.
    """
    body = members(args, "args")
    action_description = description(body, "description")
    raw_beef = body.get("inputBEEF")
    input_beef = None if raw_beef is None else byte_array(raw_beef, "inputBEEF")
    inputs = _inputs(body.get("inputs"))
    outputs = _outputs(body.get("outputs"), originator)
    lock_time = integer(body.get("lockTime"), "lockTime", 0, 0, MAX_UINT32)
    version = integer(body.get("version"), "version", 1, 0, _MAX_VERSION)
    labels = identifiers(body.get("labels"), "labels", "label")
    check_labels(labels, originator)
    options = _options(body.get("options"))

    is_send_with = bool(options.send_with)
    is_remix_change = not is_send_with and not inputs and not outputs
    is_new_tx = is_remix_change or bool(inputs) or bool(outputs)
    if is_new_tx and is_send_with and options.no_send:
        # Sending others with a transaction that is itself held back: peers fail on it after coins were reserved.
        raise WERR_INVALID_PARAMETER("noSend", "false when sendWith is given with a new transaction")
    return ValidCreateAction(
        description=action_description,
        input_beef=input_beef,
        inputs=inputs,
        outputs=outputs,
        lock_time=lock_time,
        version=version,
        labels=labels,
        options=options,
        is_send_with=is_send_with,
        is_delayed=options.accept_delayed_broadcast,
        is_no_send=options.no_send,
        is_new_tx=is_new_tx,
        is_remix_change=is_remix_change,
        is_sign_action=is_new_tx
        and (not options.sign_and_process or any(each.unlocking_script is None for each in inputs)),
        is_test_werr_review_actions=THROW_REVIEW_ACTIONS_ID in labels,
    )


def _inputs(value: object) -> tuple[ValidCreateActionInput, ...]:
    inputs = []
    seen: set[Outpoint] = set()
    size = 0
    for index, element in enumerate(items(value, "inputs")):
        valid = _input(members(element, f"inputs[{index}]"))
        if valid.outpoint in seen:
            raise WERR_INVALID_PARAMETER("inputs", "unique outpoints")
        seen.add(valid.outpoint)
        size += valid.unlocking_script_length + len(valid.input_description)
        if size > MAX_BYTES:
            raise WERR_INVALID_PARAMETER("inputs", f"no more than {MAX_BYTES} bytes of scripts and text")
        inputs.append(valid)
    return tuple(inputs)


def _input(body: dict[str, object]) -> ValidCreateActionInput:
    outpoint = Outpoint.parse(required(body, "outpoint"))
    input_description = description(body, "inputDescription")
    raw_script, raw_length = body.get("unlockingScript"), body.get("unlockingScriptLength")
    if raw_script is None and raw_length is None:
        raise WERR_INVALID_PARAMETER("unlockingScript, unlockingScriptLength", "at least one valid value.")
    unlocking_script = None if raw_script is None else script(raw_script, "unlockingScript")
    script_length = 0 if unlocking_script is None else len(unlocking_script)
    length = integer(raw_length, "unlockingScriptLength", script_length, 0, MAX_BYTES)
    if unlocking_script is not None and length != script_length:
        raise WERR_INVALID_PARAMETER("unlockingScriptLength", "length unlockingScript if both valid.")
    sequence_number = integer(body.get("sequenceNumber"), "sequenceNumber", MAX_UINT32, 0, MAX_UINT32)
    return ValidCreateActionInput(outpoint, input_description, unlocking_script, length, sequence_number)


def _outputs(value: object, originator: str | None) -> tuple[ValidCreateActionOutput, ...]:
    outputs = []
    size = tags = total = 0
    for index, element in enumerate(items(value, "outputs")):
        valid = _output(members(element, f"outputs[{index}]"), originator)
        size += len(valid.locking_script) + len(valid.output_description) + len(valid.custom_instructions or "")
        size += sum(map(len, valid.tags))
        if size > MAX_BYTES:
            raise WERR_INVALID_PARAMETER("outputs", f"no more than {MAX_BYTES} bytes of scripts and text")
        tags += len(valid.tags)
        if tags > MAX_TAGS:
            raise WERR_INVALID_PARAMETER("outputs.tags", f"no more than {MAX_TAGS} in all")
        total += 0 if valid.satoshis == MAX_POSSIBLE_SATOSHIS else valid.satoshis
        if total > MAX_SATOSHIS:
            raise WERR_INVALID_PARAMETER("outputs.satoshis", f"no more than {MAX_SATOSHIS} in all")
        outputs.append(valid)
    return tuple(outputs)


def _output(body: dict[str, object], originator: str | None) -> ValidCreateActionOutput:
    locking_script = script(required(body, "lockingScript"), "lockingScript")
    amount = satoshis(required(body, "satoshis"))
    output_description = description(body, "outputDescription")
    raw_basket, raw_instructions = body.get("basket"), body.get("customInstructions")
    basket = None
    if raw_basket is not None:
        basket = identifier(raw_basket, "basket")
        check_new_basket(basket, originator)
    instructions = None
    if raw_instructions is not None:
        instructions = text(raw_instructions, "customInstructions", 0, MAX_CUSTOM_INSTRUCTIONS)
    tags = identifiers(body.get("tags"), "tags", "tag")
    return ValidCreateActionOutput(locking_script, amount, output_description, basket, instructions, tags)


def _options(value: object) -> ValidCreateActionOptions:
    if value is None:
        return _NO_OPTIONS
    body = members(value, "options")
    trust_self = body.get("trustSelf")
    known: tuple[Literal["known"], ...] = ("known",)
    return ValidCreateActionOptions(
        sign_and_process=flag(body.get("signAndProcess"), "signAndProcess", True),
        accept_delayed_broadcast=flag(body.get("acceptDelayedBroadcast"), "acceptDelayedBroadcast", True),
        trust_self=None if trust_self is None else choice(trust_self, "trustSelf", known, "undefined or 'known'"),
        known_txids=txids(body.get("knownTxids"), "knownTxids"),
        return_txid_only=flag(body.get("returnTXIDOnly"), "returnTXIDOnly", False),
        no_send=flag(body.get("noSend"), "noSend", False),
        no_send_change=outpoints(body.get("noSendChange"), "noSendChange"),
        send_with=txids(body.get("sendWith"), "sendWith"),
        randomize_outputs=flag(body.get("randomizeOutputs"), "randomizeOutputs", True),
    )
