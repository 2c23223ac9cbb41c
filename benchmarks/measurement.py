"""What one series of operations cost, and how two such series compare."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

__all__ = ["Comparison", "Measurement"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Times in milliseconds. ``commit_ms`` is the time inside COMMIT per operation, the flush to disk included."""

    count: int
    elapsed_ms: float
    p50_ms: float
    cpu_ms: float
    statements: float
    commits: float | None = None
    commit_ms: float | None = None

    @property
    def per_second(self) -> float:
        return self.count / self.elapsed_ms * 1000


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rounds of ours and of the peer, made in turns so that both see the machine's good and bad moments."""

    operation: str
    coins: int
    callers: int
    ours: tuple[Measurement, ...]
    peer: tuple[Measurement, ...]

    @property
    def ours_per_second(self) -> float:
        return statistics.median(each.per_second for each in self.ours)

    @property
    def peer_per_second(self) -> float | None:
        return statistics.median(each.per_second for each in self.peer) if self.peer else None

    @property
    def ratios(self) -> tuple[float, ...]:
        """Round by round."""
        return tuple(a.per_second / b.per_second for a, b in zip(self.ours, self.peer, strict=False))

    @property
    def ratio(self) -> float | None:
        return statistics.median(self.ratios) if self.peer else None

    def median(self, field: str) -> float:
        return statistics.median(getattr(each, field) or 0.0 for each in self.ours)
