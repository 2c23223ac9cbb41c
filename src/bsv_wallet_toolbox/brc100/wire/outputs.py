"""listOutputs and relinquishOutput on the wallet wire."""

from __future__ import annotations

from typing import Any

from bsv_wallet_toolbox.brc100.primitives import Members, items, members, required
from bsv_wallet_toolbox.brc100.wire.codec import MethodCodec, fixed_result
from bsv_wallet_toolbox.brc100.wire.reader import WireReader, present
from bsv_wallet_toolbox.brc100.wire.writer import WireWriter
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = ["LIST_OUTPUTS", "RELINQUISH_OUTPUT"]

# Not those of listActions: the two methods number the same words the other way round.
_TAG_MODES = {"all": 1, "any": 2}
_TAG_MODE_NAMES = {code: name for name, code in _TAG_MODES.items()}
_PARTS = {"locking scripts": 1, "entire transactions": 2}
_PART_NAMES = {code: name for name, code in _PARTS.items()}
_INCLUDES = ("includeCustomInstructions", "includeTags", "includeLabels")


def _write_list_args(writer: WireWriter, args: Members) -> None:
    writer.string(required(args, "basket"), "basket")
    writer.strings(args.get("tags"), "tags")
    writer.optional_code(args.get("tagQueryMode"), "tagQueryMode", _TAG_MODES)
    writer.optional_code(args.get("include"), "include", _PARTS)
    for key in _INCLUDES:
        writer.optional_flag(args.get(key), key)
    writer.optional(writer.integer, args.get("limit"), "limit")
    if args.get("offset") == -1:
        # On the wire this very offset is "not given", which lists from the other end.
        raise WERR_INVALID_PARAMETER("offset", "other than -1, which the binary wire can't carry")
    writer.optional(writer.signed, args.get("offset"), "offset")
    writer.optional_flag(args.get("seekPermission"), "seekPermission")


def _read_list_args(reader: WireReader) -> dict[str, Any]:
    return present(
        basket=reader.string("basket"),
        # TypeScript writes absent tags as none of them, Go as the integer -1.
        tags=reader.optional(reader.strings, "tags") or None,
        tagQueryMode=reader.optional_code("tagQueryMode", _TAG_MODE_NAMES),
        include=reader.optional_code("include", _PART_NAMES),
        **{key: reader.optional_flag(key) for key in _INCLUDES},
        limit=reader.optional(reader.integer, "limit"),
        offset=reader.optional(reader.signed, "offset"),
        seekPermission=reader.optional_flag("seekPermission"),
    )


def _write_list_result(writer: WireWriter, result: Members) -> None:
    outputs = items(required(result, "outputs"), "outputs")
    # Readers of other wallets take the total for the number of outputs that follow, so it is that number.
    writer.integer(len(outputs), "totalOutputs")
    writer.optional(writer.raw, result.get("BEEF"), "BEEF")
    for each in outputs:
        _write_output(writer, members(each, "outputs"))


def _read_list_result(reader: WireReader) -> dict[str, Any]:
    total = reader.integer("totalOutputs")
    return present(
        totalOutputs=total,
        BEEF=reader.optional(reader.raw, "BEEF"),
        outputs=reader.page(lambda _: _read_output(reader), total, "outputs"),
    )


def _write_output(writer: WireWriter, output: Members) -> None:
    writer.outpoint(required(output, "outpoint"), "outpoint")
    writer.integer(required(output, "satoshis"), "satoshis")
    writer.optional(writer.hex, output.get("lockingScript"), "lockingScript")
    writer.optional(writer.string, output.get("customInstructions"), "customInstructions")
    writer.optional(writer.strings, output.get("tags"), "tags")
    writer.optional(writer.strings, output.get("labels"), "labels")


def _read_output(reader: WireReader) -> dict[str, Any]:
    return present(
        outpoint=reader.outpoint("outpoint"),
        satoshis=reader.integer("satoshis"),
        # Only outputs that can be spent are listed, so the wire does not say it.
        spendable=True,
        lockingScript=reader.optional(reader.hex, "lockingScript"),
        customInstructions=reader.optional(reader.string, "customInstructions"),
        tags=reader.optional(reader.strings, "tags"),
        labels=reader.optional(reader.strings, "labels"),
    )


def _write_relinquish_args(writer: WireWriter, args: Members) -> None:
    writer.string(required(args, "basket"), "basket")
    writer.outpoint(required(args, "output"), "output")


def _read_relinquish_args(reader: WireReader) -> dict[str, Any]:
    return present(basket=reader.string("basket"), output=reader.outpoint("output"))


LIST_OUTPUTS = MethodCodec("listOutputs", _write_list_args, _read_list_args, _write_list_result, _read_list_result)
RELINQUISH_OUTPUT = MethodCodec(
    "relinquishOutput", _write_relinquish_args, _read_relinquish_args, *fixed_result(relinquished=True)
)
