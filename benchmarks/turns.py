"""Ours and the npm toolbox on wallets of the same contents, measured in turns."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmarks.measurement import Comparison, Measurement
from benchmarks.ours import Bench, opened_bench
from benchmarks.peer import Peer
from benchmarks.wallet_files import fill_history, fill_pool, use_one_change_output

__all__ = ["Contents", "Pair", "Rounds", "Turns", "Workshop"]


class Turns(NamedTuple):
    """One operation as each side is asked for it."""

    ours: Callable[[Bench], Awaitable[Measurement]]
    theirs: Callable[[Peer], Measurement]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a wallet holds: ``coins`` of ``satoshis`` each, or ``history`` mined actions.

    With ``in_chains`` an action makes one output of change, so that the next one spends it.
    """

    coins: int = 0
    satoshis: int = 1000
    history: int = 0
    in_chains: bool = False

    @property
    def file_name(self) -> str:
        return f"{self.coins}-{self.satoshis}-{self.history}-{int(self.in_chains)}.sqlite"


@dataclass(slots=True)
class Rounds:
    """The measurements of one operation, round by round."""

    ours: list[Measurement] = field(default_factory=list)
    peer: list[Measurement] = field(default_factory=list)

    def comparison(self, operation: str, wallet: str, callers: int = 1, base: Rounds | None = None) -> Comparison:
        easier = tuple(base.ours) if base is not None else ()
        return Comparison(operation, wallet, callers, tuple(self.ours), tuple(self.peer), easier)


class Pair:
    """Both sides with their wallets open. Who is measured first changes from round to round."""

    def __init__(self, bench: Bench, peer: Peer | None, *, peer_first: bool) -> None:
        self.bench = bench
        self.peer = peer
        self._peer_first = peer_first

    async def measure(self, rounds: Rounds, turns: Turns) -> None:
        if self._peer_first:
            self._measure_peer(rounds, turns)
        rounds.ours.append(await turns.ours(self.bench))
        if not self._peer_first:
            self._measure_peer(rounds, turns)

    async def warm_up(self, turns: Turns) -> None:
        await self.measure(Rounds(), turns)

    def _measure_peer(self, rounds: Rounds, turns: Turns) -> None:
        if self.peer is not None:
            rounds.peer.append(turns.theirs(self.peer))


class Workshop:
    """A directory where wallets are filled once and copied for every round."""

    def __init__(self, directory: Path, peer: Peer | None, rounds: int) -> None:
        self.directory = directory
        self.peer = peer
        self.rounds = rounds

    @asynccontextmanager
    async def pair(self, contents: Contents, number: int, *, with_peer: bool = True) -> AsyncIterator[Pair]:
        """Fresh wallets for round ``number``; they are removed afterwards."""
        peer = self.peer if with_peer else None
        their_file = self.directory / "their-round.sqlite"
        if peer is not None:
            shutil.copyfile(self._peer_file(peer, contents), their_file)
            peer.open(their_file)
        async with self.bench(contents) as bench:
            yield Pair(bench, peer, peer_first=number % 2 == 0)
        if peer is not None:
            peer.ask("close")
        _remove(their_file)

    @asynccontextmanager
    async def bench(self, contents: Contents) -> AsyncIterator[Bench]:
        """A fresh wallet of ours alone; it is removed afterwards."""
        file = self.directory / f"round-{contents.file_name}"
        shutil.copyfile(await self.file(contents), file)
        async with opened_bench(file) as bench:
            yield bench
        _remove(file)

    async def file(self, contents: Contents) -> Path:
        """Our file with these contents, filled when it is first asked for and not to be written to."""
        file = self.directory / f"ours-{contents.file_name}"
        if not file.exists():
            if contents.history:
                await fill_history(file, contents.history)
            else:
                await fill_pool(file, contents.coins, contents.satoshis)
            if contents.in_chains:
                async with opened_bench(file) as bench:
                    await use_one_change_output(bench.wallet)
        return file

    def _peer_file(self, peer: Peer, contents: Contents) -> Path:
        file = self.directory / f"theirs-{contents.file_name}"
        if not file.exists():
            what = {"history": contents.history} if contents.history else {"coins": contents.coins}
            change = {"changeOutputs": 1} if contents.in_chains else {}
            peer.seed(file, satoshis=contents.satoshis, **what, **change)
        return file


def _remove(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
