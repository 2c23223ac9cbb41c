"""Labels of listActions that select by time (BRC-114): ``action time from N`` and ``action time to N``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.storage.timestamps import iso

__all__ = ["ActionTime", "split_action_time"]

_FROM = "action time from "
_TO = "action time to "
_DIGITS = re.compile(r"[0-9]+")
_MAX_TIMESTAMP = 8_640_000_000_000_000
"""The last millisecond that a JavaScript Date can hold."""
_LAST_STORED = 253_402_300_799_999
"""The last millisecond that is written with a year of four digits, as all stored timestamps are."""


@dataclass(frozen=True, slots=True)
class ActionTime:
    """Created at ``start`` or later, and before ``end``: milliseconds since 1970 UTC, None where it is open."""

    start: int | None = None
    end: int | None = None

    def parameters(self) -> dict[str, Any]:
        return {
            "created_from": iso(min(self.start or 0, _LAST_STORED)),
            "created_before": iso(_LAST_STORED if self.end is None else min(self.end, _LAST_STORED)),
        }


def split_action_time(labels: Iterable[str]) -> tuple[ActionTime | None, tuple[str, ...]]:
    """The time that ``labels`` select, None if they don't, and the labels that say nothing about time.

    WERR_INVALID_PARAMETER for a bound given twice, one that is no timestamp, and bounds that exclude everything.
    """
    start: int | None = None
    end: int | None = None
    others = []
    for label in labels:
        if label.startswith(_FROM):
            start = _bound(label.removeprefix(_FROM), "from", start)
        elif label.startswith(_TO):
            end = _bound(label.removeprefix(_TO), "to", end)
        else:
            others.append(label)
    if start is None and end is None:
        return None, tuple(others)
    if start is not None and end is not None and start >= end:
        raise WERR_INVALID_PARAMETER("labels", "valid. action time from must be less than action time to.")
    return ActionTime(start, end), tuple(others)


def _bound(digits: str, bound: str, known: int | None) -> int:
    if known is not None:
        raise WERR_INVALID_PARAMETER("labels", f"valid. Duplicate action time {bound} label.")
    if _DIGITS.fullmatch(digits) is None or int(digits) > _MAX_TIMESTAMP:
        raise WERR_INVALID_PARAMETER("labels", f"valid. Invalid action time {bound} timestamp value.")
    return int(digits)
