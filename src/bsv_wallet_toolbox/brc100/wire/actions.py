"""abortAction, listActions and internalizeAction on the wallet wire."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from bsv_wallet_toolbox.brc100.primitives import Members, items, members, required
from bsv_wallet_toolbox.brc100.wire.codec import MethodCodec, fixed_result
from bsv_wallet_toolbox.brc100.wire.reader import WireReader, present
from bsv_wallet_toolbox.brc100.wire.writer import WireWriter, base64_bytes
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = ["ABORT_ACTION", "INTERNALIZE_ACTION", "LIST_ACTIONS"]

# Not those of listOutputs: the two methods number the same words the other way round.
_LABEL_MODES = {"any": 1, "all": 2}
_LABEL_MODE_NAMES = {code: name for name, code in _LABEL_MODES.items()}
_INCLUDES = (
    "includeLabels",
    "includeInputs",
    "includeInputSourceLockingScripts",
    "includeInputUnlockingScripts",
    "includeOutputs",
    "includeOutputLockingScripts",
)
_STATUSES = {
    "completed": 1,
    "unprocessed": 2,
    "sending": 3,
    "unproven": 4,
    "unsigned": 5,
    "nosend": 6,
    "nonfinal": 7,
    "failed": 8,
}
_STATUS_NAMES = {code: name for name, code in _STATUSES.items()}
_PAYMENT, _INSERTION = "wallet payment", "basket insertion"
_PROTOCOLS = {_PAYMENT: 1, _INSERTION: 2}
_PROTOCOL_NAMES = {code: name for name, code in _PROTOCOLS.items()}
_PUBLIC_KEY_BYTES = 33
_NO_TXID = "00" * 32
"""What stands for the txid of an action that is not signed yet, which in the object is the empty string."""


def _write_abort_args(writer: WireWriter, args: Members) -> None:
    writer.fixed(base64_bytes(required(args, "reference"), "reference"))


def _read_abort_args(reader: WireReader) -> dict[str, Any]:
    return {"reference": b64encode(reader.rest()).decode()}


def _write_list_args(writer: WireWriter, args: Members) -> None:
    writer.strings(args.get("labels"), "labels")
    writer.optional_code(args.get("labelQueryMode"), "labelQueryMode", _LABEL_MODES)
    for key in _INCLUDES:
        writer.optional_flag(args.get(key), key)
    writer.optional(writer.integer, args.get("limit"), "limit")
    writer.optional(writer.integer, args.get("offset"), "offset")
    writer.optional_flag(args.get("seekPermission"), "seekPermission")


def _read_list_args(reader: WireReader) -> dict[str, Any]:
    return present(
        labels=reader.strings("labels"),
        labelQueryMode=reader.optional_code("labelQueryMode", _LABEL_MODE_NAMES),
        **{key: reader.optional_flag(key) for key in _INCLUDES},
        limit=reader.optional(reader.integer, "limit"),
        offset=reader.optional(reader.integer, "offset"),
        seekPermission=reader.optional_flag("seekPermission"),
    )


def _write_list_result(writer: WireWriter, result: Members) -> None:
    actions = items(required(result, "actions"), "actions")
    # Readers of other wallets take the total for the number of actions that follow, so it is that number.
    writer.integer(len(actions), "totalActions")
    for each in actions:
        _write_action(writer, members(each, "actions"))


def _read_list_result(reader: WireReader) -> dict[str, Any]:
    total = reader.integer("totalActions")
    return {"totalActions": total, "actions": reader.page(lambda _: _read_action(reader), total, "actions")}


def _write_action(writer: WireWriter, action: Members) -> None:
    def write_inputs(value: object, name: str) -> None:
        writer.items(lambda each, _: _write_action_input(writer, members(each, name)), value, name)

    def write_outputs(value: object, name: str) -> None:
        writer.items(lambda each, _: _write_action_output(writer, members(each, name)), value, name)

    status = required(action, "status")
    writer.txid(required(action, "txid") or _NO_TXID, "txid")
    writer.signed(required(action, "satoshis"), "satoshis")
    # The wire has no code for a failed action that is looked at again, and one that readers do not know ends the list.
    writer.code("failed" if status == "unfail" else status, "status", _STATUSES)
    writer.flag(required(action, "isOutgoing"), "isOutgoing")
    writer.string(required(action, "description"), "description")
    writer.optional(writer.strings, action.get("labels"), "labels")
    writer.signed(required(action, "version"), "version")
    writer.uint32(required(action, "lockTime"), "lockTime")
    writer.optional(write_inputs, action.get("inputs"), "inputs")
    writer.optional(write_outputs, action.get("outputs"), "outputs")


def _read_action(reader: WireReader) -> dict[str, Any]:
    txid = reader.txid("txid")
    return present(
        txid="" if txid == _NO_TXID else txid,
        satoshis=reader.signed("satoshis"),
        status=reader.code("status", _STATUS_NAMES),
        isOutgoing=reader.flag("isOutgoing"),
        description=reader.string("description"),
        labels=reader.optional(reader.strings, "labels"),
        version=reader.signed("version"),
        lockTime=reader.uint32("lockTime"),
        inputs=reader.optional(lambda name: reader.items(lambda _: _read_action_input(reader), name), "inputs"),
        outputs=reader.optional(lambda name: reader.items(lambda _: _read_action_output(reader), name), "outputs"),
    )


def _write_action_input(writer: WireWriter, body: Members) -> None:
    writer.outpoint(required(body, "sourceOutpoint"), "sourceOutpoint")
    writer.integer(required(body, "sourceSatoshis"), "sourceSatoshis")
    writer.optional(writer.hex, body.get("sourceLockingScript"), "sourceLockingScript")
    writer.optional(writer.hex, body.get("unlockingScript"), "unlockingScript")
    writer.string(required(body, "inputDescription"), "inputDescription")
    writer.uint32(required(body, "sequenceNumber"), "sequenceNumber")


def _read_action_input(reader: WireReader) -> dict[str, Any]:
    return present(
        sourceOutpoint=reader.outpoint("sourceOutpoint"),
        sourceSatoshis=reader.integer("sourceSatoshis"),
        sourceLockingScript=reader.optional(reader.hex, "sourceLockingScript"),
        unlockingScript=reader.optional(reader.hex, "unlockingScript"),
        inputDescription=reader.string("inputDescription"),
        sequenceNumber=reader.uint32("sequenceNumber"),
    )


def _write_action_output(writer: WireWriter, body: Members) -> None:
    writer.uint32(required(body, "outputIndex"), "outputIndex")
    writer.integer(required(body, "satoshis"), "satoshis")
    writer.optional(writer.hex, body.get("lockingScript"), "lockingScript")
    writer.flag(required(body, "spendable"), "spendable")
    writer.string(required(body, "outputDescription"), "outputDescription")
    writer.optional(writer.string, body.get("basket"), "basket")
    writer.optional(writer.strings, body.get("tags"), "tags")
    writer.optional(writer.string, body.get("customInstructions"), "customInstructions")


def _read_action_output(reader: WireReader) -> dict[str, Any]:
    return present(
        outputIndex=reader.uint32("outputIndex"),
        satoshis=reader.integer("satoshis"),
        lockingScript=reader.optional(reader.hex, "lockingScript"),
        spendable=reader.flag("spendable"),
        outputDescription=reader.string("outputDescription"),
        basket=reader.optional(reader.string, "basket"),
        tags=reader.optional(reader.strings, "tags"),
        customInstructions=reader.optional(reader.string, "customInstructions"),
    )


def _write_internalize_args(writer: WireWriter, args: Members) -> None:
    writer.raw(required(args, "tx"), "tx")
    writer.items(
        lambda value, name: _write_internalized(writer, members(value, name)), required(args, "outputs"), "outputs"
    )
    writer.optional(writer.strings, args.get("labels"), "labels")
    writer.string(required(args, "description"), "description")
    writer.optional_flag(args.get("seekPermission"), "seekPermission")


def _read_internalize_args(reader: WireReader) -> dict[str, Any]:
    return present(
        tx=reader.raw("tx"),
        outputs=reader.items(lambda _: _read_internalized(reader), "outputs"),
        labels=reader.optional(reader.strings, "labels"),
        description=reader.string("description"),
        seekPermission=reader.optional_flag("seekPermission"),
    )


def _write_internalized(writer: WireWriter, output: Members) -> None:
    protocol = required(output, "protocol")
    writer.uint32(required(output, "outputIndex"), "outputIndex")
    writer.code(protocol, "protocol", _PROTOCOLS)
    if protocol == _PAYMENT:
        payment = members(output.get("paymentRemittance"), "paymentRemittance")
        writer.fixed(_public_key(required(payment, "senderIdentityKey")))
        writer.base64(required(payment, "derivationPrefix"), "derivationPrefix")
        writer.base64(required(payment, "derivationSuffix"), "derivationSuffix")
        return
    insertion = members(output.get("insertionRemittance"), "insertionRemittance")
    writer.string(required(insertion, "basket"), "basket")
    writer.optional(writer.string, insertion.get("customInstructions"), "customInstructions")
    writer.strings(insertion.get("tags"), "tags")


def _read_internalized(reader: WireReader) -> dict[str, Any]:
    output: dict[str, Any] = {
        "outputIndex": reader.uint32("outputIndex"),
        "protocol": reader.code("protocol", _PROTOCOL_NAMES),
    }
    if output["protocol"] == _PAYMENT:
        output["paymentRemittance"] = present(
            senderIdentityKey=reader.take(_PUBLIC_KEY_BYTES, "senderIdentityKey").hex(),
            derivationPrefix=reader.base64("derivationPrefix"),
            derivationSuffix=reader.base64("derivationSuffix"),
        )
    else:
        output["insertionRemittance"] = present(
            basket=reader.string("basket"),
            customInstructions=reader.optional(reader.string, "customInstructions"),
            # TypeScript writes absent tags as none of them, Go as the integer -1.
            tags=reader.optional(reader.strings, "tags") or None,
        )
    return output


def _public_key(value: object) -> bytes:
    try:
        key = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        key = b""
    if len(key) != _PUBLIC_KEY_BYTES:
        raise WERR_INVALID_PARAMETER("senderIdentityKey", "a compressed public key of 66 hexadecimal characters")
    return key


ABORT_ACTION = MethodCodec("abortAction", _write_abort_args, _read_abort_args, *fixed_result(aborted=True))
LIST_ACTIONS = MethodCodec("listActions", _write_list_args, _read_list_args, _write_list_result, _read_list_result)
INTERNALIZE_ACTION = MethodCodec(
    "internalizeAction", _write_internalize_args, _read_internalize_args, *fixed_result(accepted=True)
)
