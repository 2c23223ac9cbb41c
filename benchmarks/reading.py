"""listOutputs, listActions and balance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import marks
from benchmarks.measurement import Comparison, Mark, Measurement
from benchmarks.ours import Bench
from benchmarks.peer import Peer
from benchmarks.turns import Contents, Rounds, Turns, Workshop
from benchmarks.wallet_files import HISTORY_BASKET, HISTORY_LABEL

__all__ = ["lists"]

ACTIONS = 10_000
OUTPUTS = {"basket": HISTORY_BASKET, "limit": 100}
ALL_OF_OUTPUTS = {
    **OUTPUTS,
    "include": "locking scripts",
    "includeCustomInstructions": True,
    "includeTags": True,
    "includeLabels": True,
}
ALL_OF_ACTIONS = {
    "labels": [HISTORY_LABEL],
    "limit": 100,
    "includeLabels": True,
    "includeInputs": True,
    "includeInputSourceLockingScripts": True,
    "includeInputUnlockingScripts": True,
    "includeOutputs": True,
    "includeOutputLockingScripts": True,
}
BALANCES = 200


@dataclass(frozen=True, slots=True)
class Listing:
    """One kind of list: what people call it, the method here and there, and how often each side is asked."""

    operation: str
    our_method: str
    their_method: str
    args: Mapping[str, Any]
    our_calls: int
    their_calls: int
    mark: Mark

    @property
    def turns(self) -> Turns:
        return Turns(self._measure_ours, self._measure_theirs)

    async def _measure_ours(self, bench: Bench) -> Measurement:
        return _checked(*await bench.list(self.our_method, self.our_calls, ACTIONS, self.args))

    def _measure_theirs(self, peer: Peer) -> Measurement:
        return _checked(*peer.list(self.their_method, self.their_calls, rows=ACTIONS, args=self.args))


LISTS = (
    Listing("listOutputs, 100", "list_outputs", "listOutputs", OUTPUTS, 100, 30, marks.at_most_milliseconds(3)),
    Listing(
        "listOutputs, 100 with everything",
        "list_outputs",
        "listOutputs",
        ALL_OF_OUTPUTS,
        100,
        30,
        marks.at_most_milliseconds(3),
    ),
    Listing(
        "listActions, 100 with everything",
        "list_actions",
        "listActions",
        ALL_OF_ACTIONS,
        100,
        5,
        marks.at_most_milliseconds(6),
    ),
)


def _checked(measured: Measurement, total: int | None) -> Measurement:
    if total != ACTIONS:
        raise RuntimeError(f"a list has {total} rows, not {ACTIONS}")
    return measured


async def lists(shop: Workshop) -> list[Comparison]:
    """Everything is measured twice in a round; the first time warms up."""
    found, balances = [Rounds() for _ in LISTS], Rounds()
    summing = Turns(lambda bench: bench.balances(BALANCES), lambda peer: peer.measure("balance", BALANCES))
    for number in range(shop.rounds):
        async with shop.pair(Contents(history=ACTIONS), number) as pair:
            for listing, rounds in zip(LISTS, found, strict=True):
                await pair.warm_up(listing.turns)
                await pair.measure(rounds, listing.turns)
            await pair.warm_up(summing)
            await pair.measure(balances, summing)
    return [
        *(
            rounds.comparison(listing.operation, "10 000 actions").aiming_at(listing.mark)
            for listing, rounds in zip(LISTS, found, strict=True)
        ),
        balances.comparison("balance", "10 000 coins").aiming_at(marks.at_most_milliseconds(2)),
    ]
