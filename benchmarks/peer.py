"""The npm toolbox's side: a node process that is told by lines of JSON what to time."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.measurement import Measurement

__all__ = ["Peer", "install_peer"]

INTEROP = Path(__file__).resolve().parent.parent / "interop"


def install_peer() -> str | None:
    """Make the npm toolbox ready; the reason when that can't be done here."""
    missing = [tool for tool in ("node", "npm", "make", "c++") if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not found"
    done = subprocess.run([INTEROP / "install.sh"], cwd=INTEROP, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"install.sh failed: {done.stderr.strip()[-300:]}"


class Peer:
    def __init__(self) -> None:
        self._node = subprocess.Popen(
            ["node", INTEROP / "bench_peer.mjs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self._node.stdin.flush()
        answer = json.loads(self._node.stdout.readline() or '{"ok": false, "error": "node ended"}')
        if not answer["ok"]:
            raise RuntimeError(f"the npm toolbox: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, file: Path, coins: int, satoshis: int) -> None:
        """A new file with a seeded pool, as durable as ours: WAL, synchronous=FULL."""
        self.ask("setup", file=str(file), coins=coins, satoshis=satoshis, pragmas="durable")

    def measure(self, command: str, count: int, callers: int, **arguments: Any) -> Measurement:
        result = self.ask(command, count=count, callers=callers, **arguments)
        return Measurement(
            count=count,
            elapsed_ms=result["elapsedMs"],
            p50_ms=statistics.median(result["latenciesMs"]),
            cpu_ms=result["cpuMs"] / count,
            statements=result["statementsPerOperation"],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._node.stdin is not None
        self._node.stdin.close()
        self._node.wait(30)
