"""createAction and internalizeAction."""

from __future__ import annotations

from benchmarks import marks
from benchmarks.measurement import Comparison, Mark
from benchmarks.turns import Contents, Rounds, Turns, Workshop

__all__ = ["CALLERS", "OUR_ACTIONS", "WARM_UP", "chains", "create_actions", "internalize_actions", "pool_of"]

WARM_UP = 5
CALLERS = (1, 16)
OUR_ACTIONS, PEER_ACTIONS = 400, 40
FEW_COINS_ACTIONS = 25
POOLS = (10, 1000, 10_000, 100_000)
MIDDLE = 10_000
"""Coins for which the marks stand, and the most that the npm toolbox gets: seeding it with more would take minutes."""
BATCH = 500
DEPTHS = (20, 200)
PEER_DEPTH = 20
CHAINED_ACTIONS = 10
LINK_SATOSHIS = 600
"""Paid from mined coins of 1 000 each, so that the change is too small to be the next coin."""


def pool_of(coins: int) -> Contents:
    """Change of a small pool falls to crumbs: its coins are so large that they pay for every action on both sides."""
    return Contents(coins, 100_000 if coins < 100 else 1000)


def _creating(ours: int, theirs: int, callers: int = 1, *, satoshis: int = 100, delayed: bool = True) -> Turns:
    return Turns(
        lambda bench: bench.create_actions(ours, callers, satoshis=satoshis, delayed=delayed),
        lambda peer: peer.measure("createAction", theirs, callers, satoshis=satoshis, delayed=delayed),
    )


def _internalizing(ours: int, theirs: int, payments: int = 1) -> Turns:
    return Turns(
        lambda bench: bench.internalize_actions(ours, 1, payments),
        lambda peer: peer.measure("internalizeAction", theirs, payments=payments),
    )


async def create_actions(shop: Workshop) -> list[Comparison]:
    found = []
    for coins in POOLS:
        found += await _create_actions(shop, coins)
    return found + await _create_actions(shop, MIDDLE, delayed=False)


async def _create_actions(shop: Workshop, coins: int, *, delayed: bool = True) -> list[Comparison]:
    ours, theirs = (FEW_COINS_ACTIONS,) * 2 if coins < 100 else (OUR_ACTIONS, PEER_ACTIONS)
    found = {callers: Rounds() for callers in CALLERS}
    for number in range(shop.rounds):
        async with shop.pair(pool_of(coins), number, with_peer=coins <= MIDDLE) as pair:
            await pair.warm_up(_creating(WARM_UP, WARM_UP, delayed=delayed))
            for callers, rounds in found.items():
                await pair.measure(rounds, _creating(ours, theirs, callers, delayed=delayed))
    name, wallet = "createAction" if delayed else "createAction, sent at once", f"{coins:,} coins".replace(",", " ")
    return [
        rounds.comparison(name, wallet, callers).aiming_at(*_marks_of_create_action(coins, callers, delayed))
        for callers, rounds in found.items()
    ]


def _marks_of_create_action(coins: int, callers: int, delayed: bool) -> tuple[Mark, ...]:
    if coins != MIDDLE:
        return ()
    if not delayed:
        return (marks.at_most_commits(2),) if callers == 1 else ()
    if callers > 1:
        return marks.times_npm(40, to_pass=True), marks.times_npm(80)
    return (
        marks.times_npm(25, to_pass=True),
        marks.at_most_commits(1),
        marks.at_most_statements(16),
        marks.times_npm(45),
        marks.at_most_milliseconds(2),
    )


async def chains(shop: Workshop) -> list[Comparison]:
    """Actions that spend what other actions made and nobody mined, beside actions that spend mined coins."""
    first, later = Rounds(), {depth: Rounds() for depth in DEPTHS}
    for number in range(shop.rounds):
        async with shop.pair(Contents(4 * CHAINED_ACTIONS, in_chains=True), number) as pair:
            await pair.warm_up(_creating(WARM_UP, WARM_UP, satoshis=LINK_SATOSHIS))
            await pair.measure(first, _creating(CHAINED_ACTIONS, CHAINED_ACTIONS, satoshis=LINK_SATOSHIS))
        async with shop.pair(Contents(1, 1_000_000, in_chains=True), number) as pair:
            for depth, rounds in later.items():
                await pair.bench.lengthen_chain(depth)
                rounds.ours.append(await pair.bench.create_actions(CHAINED_ACTIONS))
            if pair.peer is not None:
                pair.peer.measure("createAction", PEER_DEPTH)
                later[PEER_DEPTH].peer.append(pair.peer.measure("createAction", CHAINED_ACTIONS))
    aims = {DEPTHS[-1]: (marks.slowdown(2, "the time with mined coins"),)}
    name = "createAction in a chain"
    return [
        first.comparison(name, "mined coins"),
        *(
            rounds.comparison(name, f"{depth} unmined ancestors", base=first).aiming_at(*aims.get(depth, ()))
            for depth, rounds in later.items()
        ),
    ]


async def internalize_actions(shop: Workshop) -> list[Comparison]:
    single, batch = Rounds(), Rounds()
    for number in range(shop.rounds):
        async with shop.pair(pool_of(MIDDLE), number) as pair:
            await pair.warm_up(_internalizing(WARM_UP, WARM_UP))
            await pair.measure(single, _internalizing(100, 30))
            await pair.measure(batch, _internalizing(4, 2, BATCH))
    return [
        single.comparison("internalizeAction", "10 000 coins").aiming_at(
            marks.times_npm(5, to_pass=True), marks.per_second(500)
        ),
        batch.comparison(f"internalizeAction of {BATCH} payments", "10 000 coins").aiming_at(
            marks.times_npm(50, to_pass=True), marks.at_most_commits(1)
        ),
    ]
