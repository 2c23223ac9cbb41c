"""Whole frames of the BRC-100 wallet wire: requests, results and errors.

A frame is as long as its transport lets it be; nothing larger is made while it is read. Objects are those of BRC-100:
camelCase keys, bytes as bytes, and what was not given is not there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from bsv_wallet_toolbox.brc100.json_codec import METHODS
from bsv_wallet_toolbox.brc100.primitives import members
from bsv_wallet_toolbox.brc100.wire.actions import ABORT_ACTION, INTERNALIZE_ACTION, LIST_ACTIONS
from bsv_wallet_toolbox.brc100.wire.codec import MethodCodec
from bsv_wallet_toolbox.brc100.wire.create_action import CREATE_ACTION, SIGN_ACTION
from bsv_wallet_toolbox.brc100.wire.outputs import LIST_OUTPUTS, RELINQUISH_OUTPUT
from bsv_wallet_toolbox.brc100.wire.reader import WireReader
from bsv_wallet_toolbox.brc100.wire.writer import WireWriter
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WalletError, error_from_json

__all__ = [
    "WIRE_METHODS",
    "WireRequest",
    "decode_args",
    "decode_request",
    "decode_result",
    "encode_args",
    "encode_error",
    "encode_request",
    "encode_result",
]

_CODECS = {
    codec.method: codec
    for codec in (
        CREATE_ACTION,
        SIGN_ACTION,
        ABORT_ACTION,
        LIST_ACTIONS,
        INTERNALIZE_ACTION,
        LIST_OUTPUTS,
        RELINQUISH_OUTPUT,
    )
}
WIRE_METHODS = tuple(_CODECS)
"""The methods that can travel, by their camelCase names."""

_MAX_ORIGINATOR = 250
_UNKNOWN_ERROR = 1
_ERROR_NAMES = {
    2: "WERR_NOT_IMPLEMENTED",
    5: "WERR_REVIEW_ACTIONS",
    6: "WERR_INVALID_PARAMETER",
    7: "WERR_INSUFFICIENT_FUNDS",
}


class WireRequest(NamedTuple):
    """A call: ``method`` is the camelCase name, ``originator`` None where the frame names nobody."""

    method: str
    originator: str | None
    args: dict[str, Any]


def encode_request(method: str, args: object, originator: str | None = None) -> bytes:
    """The frame of a call: its code, who asks, its arguments.

    Raises WERR_INVALID_PARAMETER or WERR_MISSING_PARAMETER naming what can't be written.
    """
    codec = _codec(method)
    writer = WireWriter()
    writer.byte(METHODS.index(method) + 1)
    writer.short_string(originator or "", "originator", _MAX_ORIGINATOR)
    codec.write_args(writer, members(args, "args"))
    return writer.frame()


def decode_request(frame: bytes) -> WireRequest:
    """Read a call. Arguments are of the right shape afterwards; whether they are allowed is for the wallet to say.

    Raises WERR_INVALID_PARAMETER naming what can't be read, ``call`` for a code without a method.
    """
    reader = WireReader(frame)
    call = reader.byte("call")
    method = METHODS[call - 1] if 1 <= call <= len(METHODS) else ""
    if method not in _CODECS:
        raise WERR_INVALID_PARAMETER("call", message=f"Invalid call code: {call}")
    originator = reader.short_string("originator", _MAX_ORIGINATOR)
    args = _CODECS[method].read_args(reader)
    reader.end()
    return WireRequest(method, originator or None, args)


def encode_args(method: str, args: object) -> bytes:
    """The arguments alone, for transports that name call and originator beside them. Raises as a request does."""
    writer = WireWriter()
    _codec(method).write_args(writer, members(args, "args"))
    return writer.frame()


def decode_args(method: str, payload: bytes) -> dict[str, Any]:
    """Read the arguments of ``method``; the counterpart of :func:`encode_args`."""
    reader = WireReader(payload)
    args = _codec(method).read_args(reader)
    reader.end()
    return args


def encode_result(method: str, result: object) -> bytes:
    """The frame of what ``method`` answered. Members that BRC-100 does not know stay behind.

    ``totalActions`` and ``totalOutputs`` become the number of items on this page: other readers rely on it.
    """
    codec = _codec(method)
    writer = WireWriter()
    writer.byte(0)
    codec.write_result(writer, members(result, "result"))
    return writer.frame()


def encode_error(error: WalletError) -> bytes:
    """The frame of an error: code and message. Its other fields have no place, and no stack is ever given away."""
    writer = WireWriter()
    code = error.code
    writer.byte(code if code is not None and 0 < code <= 0xFF else _UNKNOWN_ERROR)
    # Half a surrogate pair in a text that was quoted must not turn an error into another one.
    writer.string(error.message.encode(errors="replace").decode(), "message")
    writer.string("", "stack")
    return writer.frame()


def decode_result(method: str, frame: bytes) -> dict[str, Any] | WalletError:
    """Read what ``method`` answered: its result, or the error that it was.

    An error of the wallet is returned and not raised, because the caller must tell it from a frame that can't be read
    (WERR_INVALID_PARAMETER): the wallet refused in one case, and may well have paid in the other. The error is of the
    class that its code stands for, WERR_UNKNOWN for other codes; fields beside the message are lost on the wire.
    """
    codec = _codec(method)
    reader = WireReader(frame)
    code = reader.byte("code")
    if code:
        error = _error(reader, code)
        reader.end()
        return error
    result = codec.read_result(reader)
    reader.end()
    return result


def _error(reader: WireReader, code: int) -> WalletError:
    message = reader.string("message")
    reader.string("stack")
    return error_from_json({"name": _ERROR_NAMES.get(code, "WERR_UNKNOWN"), "message": message})


def _codec(method: str) -> MethodCodec:
    if method not in _CODECS:
        raise WERR_INVALID_PARAMETER("method", f"one of {', '.join(WIRE_METHODS)}")
    return _CODECS[method]
