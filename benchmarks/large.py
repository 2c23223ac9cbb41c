"""A wallet of a million coins: opening it, paying from it, asking it. Ours alone: seeding the other takes hours."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks import marks
from benchmarks.measurement import Comparison, Measurement
from benchmarks.ours import Bench, opened_bench
from benchmarks.turns import Rounds, Workshop
from benchmarks.writing import CALLERS, OUR_ACTIONS, WARM_UP, pool_of

__all__ = ["LARGE", "large_wallet"]

LARGE = pool_of(1_000_000)
SMALL = pool_of(1000)
OUTPUTS = {"basket": "default", "limit": 100}


async def large_wallet(shop: Workshop) -> list[Comparison]:
    """Rounds in turns with a wallet of 1 000 coins. The large file is written to in place, it is not copied."""
    began = time.perf_counter()
    file = await shop.file(LARGE)
    print(f"a wallet of 1 000 000 coins was filled in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    opening, listing, balance = Rounds(), Rounds(), Rounds()
    small = {callers: Rounds() for callers in CALLERS}
    large = {callers: Rounds() for callers in CALLERS}
    for number in range(shop.rounds):
        opening.ours.append(await _opened(file))
        async with shop.bench(SMALL) as few, opened_bench(file) as many:
            for bench in (few, many):
                await bench.create_actions(WARM_UP)
            for callers in CALLERS:
                sides = [(few, small), (many, large)]
                for bench, found in sides if number % 2 else reversed(sides):
                    found[callers].ours.append(await bench.create_actions(OUR_ACTIONS, callers))
            listing.ours.append(await _listed(many))
            balance.ours.append(await many.balances(3))
    wallet = "1 000 000 coins"
    return [
        *(
            large[callers]
            .comparison("createAction", wallet, callers, small[callers])
            .aiming_at(marks.slowdown(1.3, "the time with 1 000 coins"))
            for callers in CALLERS
        ),
        opening.comparison("opening", wallet),
        listing.comparison("listOutputs, 100", wallet),
        balance.comparison("balance", wallet),
    ]


async def _opened(file: Path) -> Measurement:
    """open_wallet alone, until the wallet can be called."""
    began, cpu = time.perf_counter(), time.process_time()
    async with opened_bench(file):
        elapsed, cpu_used = (time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000
    return Measurement(1, elapsed, elapsed, cpu_used)


async def _listed(bench: Bench) -> Measurement:
    return (await bench.list("list_outputs", 5, 1000, OUTPUTS))[0]
