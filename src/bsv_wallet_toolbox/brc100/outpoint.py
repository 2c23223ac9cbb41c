"""A reference to one output of one transaction."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER

__all__ = ["MAX_VOUT", "Outpoint"]

MAX_VOUT = 0xFFFFFFFF

_OUTPOINT = re.compile(r"([0-9a-fA-F]{64})\.(0|[1-9][0-9]{0,9})")


@dataclass(frozen=True, slots=True)
class Outpoint:
    """``txid`` in display order, lower-case hex; ``vout`` 0..2^32-1."""

    txid: str
    vout: int

    @classmethod
    def parse(cls, value: object, parameter: str = "outpoint") -> Outpoint:
        """Read ``txid.vout``. Raises WERR_INVALID_PARAMETER for anything else, also for a shortened txid."""
        match = _OUTPOINT.fullmatch(value) if isinstance(value, str) else None
        if match is None or int(match[2]) > MAX_VOUT:
            raise WERR_INVALID_PARAMETER(parameter, "txid as hex string and numeric output index joined with '.'")
        return cls(match[1].lower(), int(match[2]))

    def __str__(self) -> str:
        return f"{self.txid}.{self.vout}"

    def to_json(self) -> dict[str, str | int]:
        """The form inside the arguments that travel to storage."""
        return {"txid": self.txid, "vout": self.vout}
