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
    """``facts``: its version as ``toolbox``, and once a file was opened those of ``node`` and ``sqlite``."""

    def __init__(self) -> None:
        package = json.loads((INTEROP / "package.json").read_text())
        self.facts: dict[str, str] = {"toolbox": package["dependencies"]["@bsv/wallet-toolbox"]}
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

    def seed(self, file: Path, **contents: int) -> None:
        """Make a new file and close it; ``contents`` are arguments of ``setup``, see interop/README.md."""
        self.ask("setup", file=str(file), **contents)
        self.ask("close")

    def open(self, file: Path) -> None:
        """Open a seeded file, as durable as ours: WAL, synchronous=FULL."""
        said = self.ask("setup", file=str(file), keep=True, pragmas="durable")
        self.facts |= {name: str(said[name]) for name in ("node", "sqlite")}

    def measure(self, command: str, count: int, callers: int = 1, **arguments: Any) -> Measurement:
        return self.list(command, count, callers, **arguments)[0]

    def list(self, command: str, count: int, callers: int = 1, **arguments: Any) -> tuple[Measurement, int | None]:
        """As :meth:`measure`, with the total that the last page gave."""
        result = self.ask(command, count=count, callers=callers, **arguments)
        measured = Measurement(
            count=count,
            elapsed_ms=result["elapsedMs"],
            p50_ms=statistics.median(result["latenciesMs"]),
            cpu_ms=result["cpuMs"] / count,
            statements=result["statementsPerOperation"],
        )
        return measured, result.get("total")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._node.stdin is not None
        self._node.stdin.close()
        self._node.wait(30)
