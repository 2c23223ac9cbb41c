"""``python -m benchmarks``: createAction and internalizeAction, ours and the npm toolbox's in turns."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measurement import Comparison, Measurement
from benchmarks.ours import opened_bench
from benchmarks.peer import Peer, install_peer

WARM_UP = 5
OUR_ACTIONS, PEER_ACTIONS = 400, 40
FEW_COINS_ACTIONS = 25
FEW_COINS_SATOSHIS = 100_000
"""Change of a small pool falls to crumbs: coins this large pay for every action on both sides."""
BATCH = 500


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


async def create_actions(directory: Path, peer: Peer | None, coins: int, rounds: int) -> list[Comparison]:
    satoshis = FEW_COINS_SATOSHIS if coins < 100 else 1000
    ours: dict[int, list[Measurement]] = {1: [], 16: []}
    theirs: dict[int, list[Measurement]] = {1: [], 16: []}
    for number in range(rounds):
        async with opened_bench(directory / f"ours-{coins}-{number}.sqlite", coins, satoshis) as bench:
            if peer is not None:
                peer.open(directory / f"peer-{coins}-{number}.sqlite", coins, satoshis)
                peer.ask("createAction", count=WARM_UP)
            await bench.create_actions(WARM_UP, 1)
            for callers in (1, 16):
                if peer is not None:
                    few = min(PEER_ACTIONS, FEW_COINS_ACTIONS if coins < 100 else PEER_ACTIONS)
                    theirs[callers].append(peer.measure("createAction", few, callers))
                count = FEW_COINS_ACTIONS if coins < 100 else OUR_ACTIONS
                ours[callers].append(await bench.create_actions(count, callers))
    return [
        Comparison("createAction", coins, callers, tuple(ours[callers]), tuple(theirs[callers])) for callers in (1, 16)
    ]


async def internalize_actions(directory: Path, peer: Peer | None, coins: int, rounds: int) -> list[Comparison]:
    kinds = (("internalizeAction", 1, 100, 30), (f"internalizeAction of {BATCH}", BATCH, 4, 2))
    found: dict[str, tuple[list[Measurement], list[Measurement]]] = {name: ([], []) for name, *_ in kinds}
    for number in range(rounds):
        async with opened_bench(directory / f"ours-in-{coins}-{number}.sqlite", coins, 1000) as bench:
            if peer is not None:
                peer.open(directory / f"peer-in-{coins}-{number}.sqlite", coins, 1000)
                peer.ask("internalizeAction", count=WARM_UP)
            await bench.internalize_actions(WARM_UP, 1)
            for name, outputs, our_count, peer_count in kinds:
                if peer is not None:
                    found[name][1].append(peer.measure("internalizeAction", peer_count, 1, payments=outputs))
                found[name][0].append(await bench.internalize_actions(our_count, 1, outputs))
    return [Comparison(name, coins, 1, tuple(ours), tuple(theirs)) for name, (ours, theirs) in found.items()]


def table_of(comparisons: list[Comparison]) -> Table:
    table = Table(title="Operations per second (medians of rounds made in turns; a batch counts as one operation)")
    for heading in ("operation", "coins", "callers", "ours/s", "p50 ms", "cpu ms", "statements", "commit ms"):
        table.add_column(heading, justify="left" if heading == "operation" else "right")
    table.add_column("npm/s", justify="right")
    table.add_column("ratio (rounds)", justify="right")
    for each in comparisons:
        npm = f"{each.peer_per_second:.1f}" if each.peer_per_second is not None else "-"
        rounds = ", ".join(f"{ratio:.1f}" for ratio in each.ratios)
        table.add_row(
            each.operation,
            f"{each.coins}",
            f"{each.callers}",
            f"{each.ours_per_second:.1f}",
            f"{each.median('p50_ms'):.2f}",
            f"{each.median('cpu_ms'):.2f}",
            f"{each.median('statements'):.1f}",
            f"{each.median('commit_ms'):.2f}",
            npm,
            f"{each.ratio:.1f} ({rounds})" if each.ratio is not None else "-",
        )
    return table


async def run(arguments: argparse.Namespace) -> tuple[list[Comparison], float]:
    comparisons: list[Comparison] = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bsv-wallet-bench-")))
        flush = flush_ms(directory)
        peer = None
        if not arguments.no_peer:
            reason = install_peer()
            if reason is None:
                peer = stack.enter_context(Peer())
            else:
                print(f"without the npm toolbox: {reason}", file=sys.stderr)
        for coins in arguments.coins:
            comparisons += await create_actions(directory, peer, coins, arguments.rounds)
            print(f"createAction at {coins} coins measured", file=sys.stderr)
        comparisons += await internalize_actions(directory, peer, arguments.coins[-1], arguments.rounds)
    return comparisons, flush


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--coins", type=int, nargs="+", default=[10, 1000, 10_000], help="sizes of the coin pool")
    parser.add_argument("--rounds", type=int, default=3, help="how often both sides are measured, in turns")
    parser.add_argument("--no-peer", action="store_true", help="leave the npm toolbox out")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    comparisons, flush = asyncio.run(run(arguments))
    if arguments.json:
        print(json.dumps({"flushMs": flush, "comparisons": [asdict(each) for each in comparisons]}, indent=2))
        return
    console = Console(width=150)
    console.print(table_of(comparisons))
    console.print(f"64 KiB written and flushed to this disk: {flush:.2f} ms. All with WAL and synchronous=FULL.")
    console.print(f"Python {platform.python_version()}, {platform.python_compiler()}.")


if __name__ == "__main__":
    main()
