"""createAction and signAction on the wallet wire."""

from __future__ import annotations

from typing import Any

from bsv_wallet_toolbox.brc100.primitives import MAX_ITEMS, MAX_UINT32, Members, members, required
from bsv_wallet_toolbox.brc100.wire.codec import MethodCodec
from bsv_wallet_toolbox.brc100.wire.reader import WireReader, present
from bsv_wallet_toolbox.brc100.wire.writer import WireWriter
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = ["CREATE_ACTION", "SIGN_ACTION"]

_TRUST = {"known": 1}
_SEND_WITH = {"unproven": 1, "sending": 2, "failed": 3}
_TRUST_NAMES = {code: name for name, code in _TRUST.items()}
_SEND_WITH_NAMES = {code: name for name, code in _SEND_WITH.items()}


def _write_create_args(writer: WireWriter, args: Members) -> None:
    def write_input(value: object, name: str) -> None:
        _write_input(writer, members(value, name))

    def write_output(value: object, name: str) -> None:
        _write_output(writer, members(value, name))

    writer.string(required(args, "description"), "description")
    writer.optional(writer.raw, args.get("inputBEEF"), "inputBEEF")
    writer.optional(lambda value, name: writer.items(write_input, value, name), args.get("inputs"), "inputs")
    writer.optional(lambda value, name: writer.items(write_output, value, name), args.get("outputs"), "outputs")
    writer.optional(writer.uint32, args.get("lockTime"), "lockTime")
    writer.optional(writer.uint32, args.get("version"), "version")
    writer.optional(writer.strings, args.get("labels"), "labels")
    writer.if_present(lambda value, name: _write_options(writer, members(value, name)), args.get("options"), "options")


def _read_create_args(reader: WireReader) -> dict[str, Any]:
    return present(
        description=reader.string("description"),
        inputBEEF=reader.optional(reader.raw, "inputBEEF"),
        inputs=reader.optional(lambda name: reader.items(lambda _: _read_input(reader), name), "inputs"),
        outputs=reader.optional(lambda name: reader.items(lambda _: _read_output(reader), name), "outputs"),
        lockTime=reader.optional(reader.uint32, "lockTime"),
        version=reader.optional(reader.uint32, "version"),
        labels=reader.optional(reader.strings, "labels"),
        options=reader.if_present(lambda _: _read_options(reader), "options"),
    )


def _write_input(writer: WireWriter, body: Members) -> None:
    writer.outpoint(required(body, "outpoint"), "outpoint")
    script, length = body.get("unlockingScript"), body.get("unlockingScriptLength")
    if script is None and length is None:
        raise WERR_INVALID_PARAMETER("unlockingScript, unlockingScriptLength", "at least one valid value.")
    writer.optional(writer.hex, script, "unlockingScript")
    if script is None:
        writer.uint32(length, "unlockingScriptLength")
    writer.string(required(body, "inputDescription"), "inputDescription")
    writer.optional(writer.uint32, body.get("sequenceNumber"), "sequenceNumber")


def _read_input(reader: WireReader) -> dict[str, Any]:
    outpoint = reader.outpoint("outpoint")
    script = reader.optional(reader.hex, "unlockingScript")
    return present(
        outpoint=outpoint,
        unlockingScript=script,
        # A script says its own length, so only one of the two travels.
        unlockingScriptLength=reader.uint32("unlockingScriptLength") if script is None else None,
        inputDescription=reader.string("inputDescription"),
        sequenceNumber=reader.optional(reader.uint32, "sequenceNumber"),
    )


def _write_output(writer: WireWriter, body: Members) -> None:
    writer.hex(required(body, "lockingScript"), "lockingScript")
    writer.integer(required(body, "satoshis"), "satoshis")
    writer.string(required(body, "outputDescription"), "outputDescription")
    # Peers write an empty basket or instruction as one that was not given.
    writer.optional(writer.string, body.get("basket") or None, "basket")
    writer.optional(writer.string, body.get("customInstructions") or None, "customInstructions")
    writer.optional(writer.strings, body.get("tags"), "tags")


def _read_output(reader: WireReader) -> dict[str, Any]:
    return present(
        lockingScript=reader.hex("lockingScript"),
        satoshis=reader.integer("satoshis"),
        outputDescription=reader.string("outputDescription"),
        basket=reader.optional(reader.string, "basket"),
        customInstructions=reader.optional(reader.string, "customInstructions"),
        tags=reader.optional(reader.strings, "tags"),
    )


def _write_options(writer: WireWriter, options: Members) -> None:
    writer.optional_flag(options.get("signAndProcess"), "signAndProcess")
    writer.optional_flag(options.get("acceptDelayedBroadcast"), "acceptDelayedBroadcast")
    writer.optional_code(options.get("trustSelf"), "trustSelf", _TRUST)
    writer.optional(writer.txids, options.get("knownTxids"), "knownTxids")
    writer.optional_flag(options.get("returnTXIDOnly"), "returnTXIDOnly")
    writer.optional_flag(options.get("noSend"), "noSend")
    writer.optional(writer.outpoints, options.get("noSendChange"), "noSendChange")
    writer.optional(writer.txids, options.get("sendWith"), "sendWith")
    writer.optional_flag(options.get("randomizeOutputs"), "randomizeOutputs")


def _read_options(reader: WireReader) -> dict[str, Any]:
    return present(
        signAndProcess=reader.optional_flag("signAndProcess"),
        acceptDelayedBroadcast=reader.optional_flag("acceptDelayedBroadcast"),
        trustSelf=reader.optional_code("trustSelf", _TRUST_NAMES),
        knownTxids=reader.optional(reader.txids, "knownTxids"),
        returnTXIDOnly=reader.optional_flag("returnTXIDOnly"),
        noSend=reader.optional_flag("noSend"),
        noSendChange=reader.optional(reader.outpoints, "noSendChange"),
        sendWith=reader.optional(reader.txids, "sendWith"),
        randomizeOutputs=reader.optional_flag("randomizeOutputs"),
    )


def _write_create_result(writer: WireWriter, result: Members) -> None:
    def write_signable(value: object, name: str) -> None:
        body = members(value, name)
        writer.raw(required(body, "tx"), "tx")
        writer.base64(required(body, "reference"), "reference")

    writer.if_present(writer.txid, result.get("txid"), "txid")
    writer.if_present(writer.raw, result.get("tx"), "tx")
    writer.optional(writer.outpoints, result.get("noSendChange"), "noSendChange")
    _write_send_with_results(writer, result)
    writer.if_present(write_signable, result.get("signableTransaction"), "signableTransaction")


def _read_create_result(reader: WireReader) -> dict[str, Any]:
    def read_signable(_: str) -> dict[str, Any]:
        return present(tx=reader.raw("tx"), reference=reader.base64("reference"))

    return present(
        txid=reader.if_present(reader.txid, "txid"),
        tx=reader.if_present(reader.raw, "tx"),
        noSendChange=reader.optional(reader.outpoints, "noSendChange"),
        sendWithResults=_read_send_with_results(reader),
        signableTransaction=reader.if_present(read_signable, "signableTransaction"),
    )


def _write_send_with_results(writer: WireWriter, result: Members) -> None:
    def write_one(value: object, name: str) -> None:
        body = members(value, name)
        writer.txid(required(body, "txid"), "txid")
        writer.code(required(body, "status"), "status", _SEND_WITH)

    writer.optional(
        lambda value, name: writer.items(write_one, value, name), result.get("sendWithResults"), "sendWithResults"
    )


def _read_send_with_results(reader: WireReader) -> list[dict[str, Any]] | None:
    def read_one(_: str) -> dict[str, Any]:
        return present(txid=reader.txid("txid"), status=reader.code("status", _SEND_WITH_NAMES))

    return reader.optional(lambda name: reader.items(read_one, name), "sendWithResults")


def _write_sign_args(writer: WireWriter, args: Members) -> None:
    spends = _by_input(required(args, "spends"))
    writer.integer(len(spends), "spends")
    for index, value in sorted(spends.items()):
        body = members(value, f"spends[{index}]")
        writer.uint32(index, "spends")
        writer.hex(required(body, "unlockingScript"), "unlockingScript")
        writer.optional(writer.uint32, body.get("sequenceNumber"), "sequenceNumber")
    writer.base64(required(args, "reference"), "reference")
    writer.if_present(
        lambda value, name: _write_sign_options(writer, members(value, name)), args.get("options"), "options"
    )


def _by_input(value: object) -> dict[int, object]:
    """The spends by input index. JSON makes the keys strings, and both are accepted."""
    spends: dict[int, object] = {}
    for key, spend in members(value, "spends").items():
        index: object = key
        if isinstance(key, str) and key.isascii() and key.isdigit() and len(key) <= 10 and str(int(key)) == key:
            index = int(key)
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index <= MAX_UINT32 or index in spends:
            raise WERR_INVALID_PARAMETER("spends", "keyed by input index, one spend for each")
        spends[index] = spend
    if len(spends) > MAX_ITEMS:
        raise WERR_INVALID_PARAMETER("spends", f"an object of no more than {MAX_ITEMS} members")
    return spends


def _read_sign_args(reader: WireReader) -> dict[str, Any]:
    def read_spend(name: str) -> tuple[str, dict[str, Any]]:
        index = str(reader.uint32(name))
        return index, present(
            unlockingScript=reader.hex("unlockingScript"),
            sequenceNumber=reader.optional(reader.uint32, "sequenceNumber"),
        )

    pairs = reader.items(read_spend, "spends")
    spends = dict(pairs)
    if len(spends) != len(pairs):
        raise WERR_INVALID_PARAMETER("spends", "keyed by input index, one spend for each")
    return present(
        spends=spends,
        reference=reader.base64("reference"),
        options=reader.if_present(lambda _: _read_sign_options(reader), "options"),
    )


def _write_sign_options(writer: WireWriter, options: Members) -> None:
    writer.optional_flag(options.get("acceptDelayedBroadcast"), "acceptDelayedBroadcast")
    writer.optional_flag(options.get("returnTXIDOnly"), "returnTXIDOnly")
    writer.optional_flag(options.get("noSend"), "noSend")
    writer.optional(writer.txids, options.get("sendWith"), "sendWith")


def _read_sign_options(reader: WireReader) -> dict[str, Any]:
    return present(
        acceptDelayedBroadcast=reader.optional_flag("acceptDelayedBroadcast"),
        returnTXIDOnly=reader.optional_flag("returnTXIDOnly"),
        noSend=reader.optional_flag("noSend"),
        sendWith=reader.optional(reader.txids, "sendWith"),
    )


def _write_sign_result(writer: WireWriter, result: Members) -> None:
    writer.if_present(writer.txid, result.get("txid"), "txid")
    writer.if_present(writer.raw, result.get("tx"), "tx")
    _write_send_with_results(writer, result)


def _read_sign_result(reader: WireReader) -> dict[str, Any]:
    return present(
        txid=reader.if_present(reader.txid, "txid"),
        tx=reader.if_present(reader.raw, "tx"),
        sendWithResults=_read_send_with_results(reader),
    )


CREATE_ACTION = MethodCodec(
    "createAction", _write_create_args, _read_create_args, _write_create_result, _read_create_result
)
SIGN_ACTION = MethodCodec("signAction", _write_sign_args, _read_sign_args, _write_sign_result, _read_sign_result)
