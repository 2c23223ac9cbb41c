"""What the monitor remembers of the chain between two looks at it: pure values, kept as the cursor of a lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson

from bsv_wallet_toolbox.transactions.headers import BlockHeader

__all__ = ["WINDOW", "HeaderWatch", "Tip"]

WINDOW = 144
"""Blocks below the tip that a reorganisation is looked for in."""


@dataclass(frozen=True, slots=True)
class Tip:
    height: int
    block_hash: str

    @classmethod
    def of(cls, header: BlockHeader) -> Tip:
        return cls(header.height, header.hash)


@dataclass(frozen=True, slots=True)
class HeaderWatch:
    """``candidate`` has been the tip since ``since``; ``settled`` stood long enough and was announced.

    ``recent`` holds block hashes by height, as far as they were looked at, all below ``candidate`` or its own.
    """

    settled: Tip | None = None
    candidate: Tip | None = None
    since: int = 0
    recent: Mapping[int, str] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        return self.candidate == self.settled

    def settle(self) -> HeaderWatch:
        return replace(self, settled=self.candidate)

    def gone_after(self, fresh: Mapping[int, str]) -> set[str]:
        """Hashes remembered as active that can't be, ``fresh`` being all heights down to where both agree."""
        lowest = min(fresh)
        return {known for height, known in self.recent.items() if height >= lowest} - set(fresh.values())

    def move_to(self, tip: Tip, fresh: Mapping[int, str], now: int) -> HeaderWatch:
        """The watch once ``tip`` is the tip and ``fresh`` was read from it downwards."""
        lowest = min(fresh)
        kept = {height: known for height, known in self.recent.items() if tip.height - WINDOW < height < lowest}
        return HeaderWatch(self.settled, tip, now, {**kept, **fresh})

    def to_text(self) -> str:
        body = {
            "settled": _tip_json(self.settled),
            "candidate": _tip_json(self.candidate),
            "since": self.since,
            "recent": {str(height): known for height, known in sorted(self.recent.items())},
        }
        return orjson.dumps(body).decode()

    @classmethod
    def from_text(cls, text: str | None) -> HeaderWatch:
        """The watch that :meth:`to_text` wrote; an empty one of None."""
        if text is None:
            return cls()
        body = orjson.loads(text)
        return cls(
            _tip_of(body["settled"]),
            _tip_of(body["candidate"]),
            body["since"],
            {int(height): known for height, known in body["recent"].items()},
        )


def _tip_json(tip: Tip | None) -> list[int | str] | None:
    return None if tip is None else [tip.height, tip.block_hash]


def _tip_of(value: list[int | str] | None) -> Tip | None:
    return None if value is None else Tip(int(value[0]), str(value[1]))
