"""What a module of methods contributes to the wire: how arguments and result of each are written and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bsv_wallet_toolbox.brc100.primitives import Members
from bsv_wallet_toolbox.brc100.wire.reader import WireReader
from bsv_wallet_toolbox.brc100.wire.writer import WireWriter

__all__ = ["MethodCodec", "Read", "Write", "fixed_result"]

Write = Callable[[WireWriter, Members], None]
Read = Callable[[WireReader], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class MethodCodec:
    """``method`` is the camelCase name. The objects are those of BRC-100, with bytes where JSON has numbers."""

    method: str
    write_args: Write
    read_args: Read
    write_result: Write
    read_result: Read


def fixed_result(**result: Any) -> tuple[Write, Read]:
    """Writer and reader of a result that says nothing but that it worked, and so has no bytes."""

    def write(_writer: WireWriter, _result: Members) -> None:
        return

    def read(_reader: WireReader) -> dict[str, Any]:
        return dict(result)

    return write, read
