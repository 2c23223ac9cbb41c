"""Memory of a process that has one wallet open: after opening, along a run of actions and lists, and at most.

Measured in a process of its own, ``python -m benchmarks.memory FILE``, which nothing else has filled; Linux only.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.ours import Bench, opened_bench

__all__ = ["MemoryUse", "measure_memory"]

STATUS = Path("/proc/self/status")
ACTIONS = 5000
"""Of each half of the run."""
CALLERS = 16


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Resident memory in MiB."""

    wallet: str
    opened: float
    half_way: float
    end: float
    peak: float

    @property
    def growth(self) -> float:
        """Over the second half of the run, when caches have filled."""
        return self.end - self.half_way


def measure_memory(file: Path, wallet: str) -> MemoryUse | None:
    """Run on this file, which is written to; None where the operating system does not say."""
    if not STATUS.exists():
        return None
    command = [sys.executable, "-m", "benchmarks.memory", str(file), wallet]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return MemoryUse(**json.loads(done.stdout))


def _resident() -> Iterator[float]:
    """The highest so far, then that of now."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    for name in ("VmHWM", "VmRSS"):
        yield int(lines[name].split()[0]) / 1024


async def _half(bench: Bench) -> None:
    await bench.create_actions(ACTIONS, CALLERS)
    for _ in range(5):
        await bench.list("list_outputs", 20, 1000, {"basket": "default", "limit": 100})
        await bench.list("list_actions", 20, 1000, {"labels": [], "limit": 100, "includeOutputs": True})


async def _use(file: Path, wallet: str) -> MemoryUse:
    async with opened_bench(file) as bench:
        _, opened = _resident()
        await _half(bench)
        _, half_way = _resident()
        await _half(bench)
        peak, end = _resident()
    return MemoryUse(wallet, opened, half_way, end, peak)


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_use(Path(sys.argv[1]), sys.argv[2])))))
