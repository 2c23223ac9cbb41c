"""``python -m benchmarks``: the main operations, ours and the npm toolbox's in turns, beside what is aimed at.

With BIG=1 in the environment also a wallet of a million coins, which takes some minutes to fill.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from benchmarks.large import LARGE, large_wallet
from benchmarks.measurement import Comparison
from benchmarks.memory import MemoryUse, measure_memory
from benchmarks.peer import Peer, install_peer
from benchmarks.reading import lists
from benchmarks.report import Report, flush_ms, renew_page
from benchmarks.turns import Workshop
from benchmarks.writing import MIDDLE, chains, create_actions, internalize_actions, pool_of

SERIES: dict[str, Callable[[Workshop], Awaitable[list[Comparison]]]] = {
    "createAction": create_actions,
    "chain": chains,
    "internalizeAction": internalize_actions,
    "lists": lists,
    "large": large_wallet,
}
MEMORY = "memory"
WIDTH = 220


async def measure(shop: Workshop, chosen: list[str]) -> tuple[list[Comparison], list[MemoryUse]]:
    comparisons: list[Comparison] = []
    for name, series in SERIES.items():
        if name in chosen:
            comparisons += await series(shop)
            print(f"{name} measured", file=sys.stderr)
    pools = [pool_of(MIDDLE)] if MEMORY in chosen else []
    if pools and "large" in chosen:
        pools.append(LARGE)
    # Written to in place: nothing else is measured on these files any more.
    used = [measure_memory(await shop.file(pool), f"{pool.coins:,} coins".replace(",", " ")) for pool in pools]
    return comparisons, [use for use in used if use is not None]


def run(arguments: argparse.Namespace) -> Report:
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
        comparisons, memory = asyncio.run(measure(Workshop(directory, peer, arguments.rounds), arguments.only))
        facts = peer.facts if peer is not None else {}
    return Report(_command(arguments), arguments.rounds, flush, facts, comparisons, memory)


def _command(arguments: argparse.Namespace) -> str:
    """What measures the same again."""
    big = "BIG=1 " if os.environ.get("BIG") == "1" else ""
    only = "" if arguments.only == _everything() else f" --only {','.join(arguments.only)}"
    return f"{big}python -m benchmarks --rounds {arguments.rounds}{only}{' --no-peer' if arguments.no_peer else ''}"


def _everything() -> list[str]:
    return [name for name in (*SERIES, MEMORY) if name != "large" or os.environ.get("BIG") == "1"]


def _chosen(names: str) -> list[str]:
    chosen = names.split(",")
    unknown = set(chosen) - {*SERIES, MEMORY}
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", type=_chosen, default=_everything(), help=f"some of {','.join((*SERIES, MEMORY))}", metavar="SERIES"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often both sides are measured, in turns")
    parser.add_argument("--no-peer", action="store_true", help="leave the npm toolbox out")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON instead of a table")
    output.add_argument("--markdown", action="store_true", help="print the block of docs/reference/benchmarks.md")
    output.add_argument("--renew", type=Path, metavar="PAGE", help="also put the block into this page")
    arguments = parser.parse_args()
    report = run(arguments)
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    elif arguments.markdown:
        print(report.markdown())
    else:
        report.print(Console(width=WIDTH))
    if arguments.renew is not None:
        renew_page(arguments.renew, report.markdown())


if __name__ == "__main__":
    main()
