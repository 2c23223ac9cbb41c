"""The kinds of marks, as people write them."""

# ruff: noqa: RUF001

from __future__ import annotations

from collections.abc import Callable

from benchmarks.measurement import Comparison, Mark

__all__ = ["at_most_commits", "at_most_milliseconds", "at_most_statements", "per_second", "slowdown", "times_npm"]


def times_npm(factor: float, *, to_pass: bool = False) -> Mark:
    return Mark(f"≥ {factor:g} × npm", lambda found: found.ratio, lambda ratio: ratio >= factor, to_pass)


def per_second(count: float) -> Mark:
    return Mark(f"≥ {count:g}/s", lambda found: found.ours_per_second, lambda found: found >= count)


def at_most_milliseconds(most: float) -> Mark:
    return Mark(f"p50 ≤ {most:g} ms", _median_of("p50_ms"), lambda found: found <= most)


def at_most_statements(most: int) -> Mark:
    return Mark(f"≤ {most} statements", _median_of("statements"), lambda found: found <= most)


def at_most_commits(most: int) -> Mark:
    """One action in some thousands also reserves derivations, in a commit of its own: that is rounded away."""
    text = f"{most} commit{'s' if most > 1 else ''} each"
    return Mark(text, _median_of("commits"), lambda found: round(found, 1) <= most)


def slowdown(factor: float, than: str) -> Mark:
    return Mark(f"≤ {factor:g} × {than}", lambda found: found.slowdown, lambda found: found <= factor)


def _median_of(field: str) -> Callable[[Comparison], float | None]:
    return lambda found: found.median(field)
