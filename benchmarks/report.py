"""What was measured, as a table for the terminal, as the block of the documentation page, and as JSON."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
from rich.console import Console
from rich.table import Table

from benchmarks.measurement import Comparison, Mark
from benchmarks.memory import MemoryUse

__all__ = ["BEGIN", "END", "Report", "flush_ms", "renew_page"]

BEGIN = "<!-- figures: written by the command below, not by hand -->"
END = "<!-- end of figures -->"
_HEADINGS = (
    "operation",
    "wallet",
    "callers",
    "ours/s",
    "p50 ms",
    "cpu ms",
    "statements",
    "commits",
    "commit ms",
    "npm/s",
    "npm p50 ms",
    "times npm (rounds)",
    "mark",
    "goal",
)
_TEXT_COLUMNS = ("operation", "wallet", "mark", "goal", "memory, MiB")
_MEMORY_HEADINGS = ("memory, MiB", "after opening", "after 40 000 actions", "after 50 000", "at most")
_NONE = "-"


def flush_ms(directory: Path) -> float:
    """Median time of writing 64 KiB and flushing it to disk: what no durable commit can beat here."""
    times = []
    with (directory / "flush").open("wb", buffering=0) as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(os.urandom(65536))
            os.fdatasync(file.fileno()) if hasattr(os, "fdatasync") else os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return sorted(times)[len(times) // 2]


@dataclass(frozen=True, slots=True)
class Report:
    """``peer``: see Peer.facts; empty when the npm toolbox was left out."""

    command: str
    rounds: int
    flush_ms: float
    peer: Mapping[str, str]
    comparisons: Sequence[Comparison]
    memory: Sequence[MemoryUse]

    def print(self, console: Console) -> None:
        if self.comparisons:
            console.print(_table(_HEADINGS, map(_row, self.comparisons)))
        if self.memory:
            console.print(_table(_MEMORY_HEADINGS, map(_memory_row, self.memory)))
        for fact in self._facts():
            console.print(fact, highlight=False)

    def markdown(self) -> str:
        """The block between the markers of the page, markers included."""
        parts = [BEGIN, "", f"`{self.command}`", "", *(f"- {fact}" for fact in self._facts())]
        if self.comparisons:
            parts += ["", *_markdown_table(_HEADINGS, map(_row, self.comparisons))]
        if self.memory:
            parts += ["", *_markdown_table(_MEMORY_HEADINGS, map(_memory_row, self.memory))]
        return "\n".join([*parts, "", END])

    def to_json(self) -> dict[str, Any]:
        return {
            "facts": list(self._facts()),
            "comparisons": [_json(each) for each in self.comparisons],
            "memory": [asdict(each) for each in self.memory],
        }

    def _facts(self) -> Iterable[str]:
        yield f"{datetime.now(UTC):%Y-%m-%d}, medians of {self.rounds} round{'s' if self.rounds > 1 else ''}"
        yield f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}, {os.cpu_count()} cores"
        if "node" in self.peer:
            yield (
                f"@bsv/wallet-toolbox {self.peer['toolbox']} on node {self.peer['node']}, SQLite {self.peer['sqlite']}"
            )
        yield f"64 KiB written and flushed to this disk: {self.flush_ms:.2f} ms; both with WAL and synchronous=FULL"


def renew_page(page: Path, block: str) -> None:
    """Put the block where the markers stand; ValueError when the page has none."""
    text = page.read_text()
    before, after = text.index(BEGIN), text.index(END) + len(END)
    page.write_text(text[:before] + block + text[after:])


def _number(value: float | None, digits: int) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"


def _row(found: Comparison) -> tuple[str, ...]:
    rounds = f" ({', '.join(f'{ratio:.1f}' for ratio in found.ratios)})" if len(found.ratios) > 1 else ""
    return (
        found.operation,
        found.wallet,
        f"{found.callers}",
        _number(found.ours_per_second, 1),
        _number(found.median("p50_ms"), 2),
        _number(found.median("cpu_ms"), 2),
        _number(found.median("statements"), 1),
        _number(found.median("commits"), 2),
        _number(found.median("commit_ms"), 2),
        _number(found.peer_per_second, 1),
        _number(found.peer_median("p50_ms"), 1),
        _number(found.ratio, 1) + rounds,
        _verdicts(found, (mark for mark in found.marks if mark.to_pass)),
        _verdicts(found, (mark for mark in found.marks if not mark.to_pass)),
    )


def _verdicts(found: Comparison, marks: Iterable[Mark]) -> str:
    return "\n".join(f"{mark.text}: {_verdict(found, mark)}" for mark in marks) or _NONE


def _verdict(found: Comparison, mark: Mark) -> str:
    figure = mark.figure(found)
    if figure is None:
        return "not measured"
    return f"{figure:.4g}, {'reached' if mark.is_reached(found) else 'MISSED'}"


def _memory_row(use: MemoryUse) -> tuple[str, ...]:
    return use.wallet, *(f"{each:.0f}" for each in (use.opened, use.filled, use.end, use.peak))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table()
    for heading in headings:
        table.add_column(heading, justify="left" if heading in _TEXT_COLUMNS else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'|'.join('---' if heading in _TEXT_COLUMNS else '---:' for heading in headings)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |".replace("\n", "<br>")


def _json(found: Comparison) -> dict[str, Any]:
    return {
        "operation": found.operation,
        "wallet": found.wallet,
        "callers": found.callers,
        **{side: [asdict(each) for each in getattr(found, side)] for side in ("ours", "peer", "base")},
        "marks": [
            {
                "text": mark.text,
                "toPass": mark.to_pass,
                "figure": mark.figure(found),
                "reached": mark.is_reached(found),
            }
            for mark in found.marks
        ],
    }
