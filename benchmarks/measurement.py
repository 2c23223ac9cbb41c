"""What one series of operations cost, how two such series compare, and whether that is what was aimed at."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

__all__ = ["Comparison", "Mark", "Measurement"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Times in milliseconds. ``commit_ms`` is the time inside COMMIT per operation, the flush to disk included.

    What ours counts only when it writes is None for reads.
    """

    count: int
    elapsed_ms: float
    p50_ms: float
    cpu_ms: float
    statements: float | None = None
    commits: float | None = None
    commit_ms: float | None = None

    @property
    def per_second(self) -> float:
        return self.count / self.elapsed_ms * 1000


@dataclass(frozen=True, slots=True)
class Mark:
    """What is aimed at; ``to_pass`` when it is a gate and not only a goal."""

    text: str
    figure: Callable[[Comparison], float | None]
    is_enough: Callable[[float], bool]
    to_pass: bool = False

    def is_reached(self, found: Comparison) -> bool | None:
        """None when what it asks about was not measured."""
        figure = self.figure(found)
        return None if figure is None else self.is_enough(figure)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rounds of ours and of the peer, made in turns so that both see the machine's good and bad moments.

    ``base`` are rounds of ours under easier conditions, in turns with them too: what a slowdown is measured against.
    """

    operation: str
    wallet: str
    """What the wallet holds, for people."""
    callers: int
    ours: tuple[Measurement, ...]
    peer: tuple[Measurement, ...] = ()
    base: tuple[Measurement, ...] = ()
    marks: tuple[Mark, ...] = ()

    def aiming_at(self, *marks: Mark) -> Comparison:
        return replace(self, marks=marks)

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

    @property
    def slowdown(self) -> float | None:
        """How many times longer than under easier conditions, by the median times of each round."""
        if not self.base:
            return None
        return statistics.median(a.p50_ms / b.p50_ms for a, b in zip(self.ours, self.base, strict=True))

    def median(self, field: str) -> float | None:
        """Of our rounds; None where it is not known."""
        return _median(self.ours, field)

    def peer_median(self, field: str) -> float | None:
        return _median(self.peer, field)


def _median(rounds: tuple[Measurement, ...], field: str) -> float | None:
    values = [value for each in rounds if (value := getattr(each, field)) is not None]
    return statistics.median(values) if values else None
