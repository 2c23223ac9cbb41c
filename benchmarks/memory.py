"""Memory of a process that has one wallet open: after opening, when its caches are full, and after more work.

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
FILLING = 40_000
"""Actions until the wallet's two caches, of 64 MiB each, are full."""
ACTIONS = 10_000
CALLERS = 16


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Resident memory in MiB."""

    wallet: str
    opened: float
    filled: float
    end: float
    peak: float


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


async def _work(bench: Bench, actions: int) -> None:
    await bench.create_actions(actions, CALLERS)
    for _ in range(5):
        await bench.list("list_outputs", 20, 1000, {"basket": "default", "limit": 100})
        await bench.list("list_actions", 20, 1000, {"labels": [], "limit": 100, "includeOutputs": True})


async def _use(file: Path, wallet: str) -> MemoryUse:
    async with opened_bench(file) as bench:
        _, opened = _resident()
        await _work(bench, FILLING)
        _, filled = _resident()
        await _work(bench, ACTIONS)
        peak, end = _resident()
    return MemoryUse(wallet, opened, filled, end, peak)


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_use(Path(sys.argv[1]), sys.argv[2])))))
