"""Shared by the disk programmes: seeds that replay, and a wallet that lives through random steps."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fault_scenarios import FileWorld
from sqlalchemy import text

from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.templates import brc29
from incoming_payments import internalize_args
from wallet_world import FUNDER, NOWHERE, payment_to, remittance

RUNS = int(os.environ.get("BSV_WALLET_FAULT_RUNS", "1"))
MINUTE = 60_000
CHECKPOINT_PAGES = (25, 100, 4000)
"""4000 is a wallet's own setting; with the others a short life sees checkpoints, and flushes of the log with them."""


def seeds(count: int) -> range:
    return range(count * RUNS)


@contextmanager
def replaying(seed: int, *more: object) -> Iterator[random.Random]:
    """The chance of a seed; what goes wrong names the seed."""
    try:
        yield random.Random(f"{seed} {more}")
    except BaseException as error:
        error.add_note(f"seed {seed} {' '.join(map(str, more))}")
        raise


async def run_sql(wallet: OpenWallet, sql: str) -> None:
    """On the writer's own connection: for settings that SQLite keeps with the connection."""
    statement = Statement(text(sql), sql)
    await wallet.provider.engine.write(lambda tx: tx.rows(statement))


def copy_world(source: Path, target: Path) -> Path:
    """Chain, clock and wallet of a world that nobody has open."""
    return Path(shutil.copytree(source, target, ignore=shutil.ignore_patterns("*-shm")))


class Life:
    """Random steps of one wallet. ``acknowledged`` holds the txids whose calls returned while ``is_alive``."""

    def __init__(
        self, world: FileWorld, wallet: OpenWallet, chance: random.Random, is_alive: Callable[[], bool] = lambda: True
    ) -> None:
        self.world = world
        self.wallet = wallet
        self.acknowledged: list[str] = []
        self._chance = chance
        self._is_alive = is_alive
        self._received = 0

    async def steps(self, count: int, *, together: bool) -> None:
        """With ``together`` some callers share commits; otherwise the seed alone says what happens."""
        one = [self.pay_delayed, self.pay_delayed, self.pay_immediately, self.receive, self.watch, self.mine]
        for _ in range(count):
            if together and self._chance.random() < 0.5:
                await self.at_once(self._chance.choices([self.pay_delayed, self.pay_immediately, self.receive], k=4))
            else:
                await self._chance.choice(one)()

    async def at_once(self, steps: list[Callable[[], Awaitable[None]]]) -> None:
        results = await asyncio.gather(*(step() for step in steps), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def pay_delayed(self) -> None:
        await self._pay(delayed=True)

    async def pay_immediately(self) -> None:
        await self._pay(delayed=False)

    async def _pay(self, *, delayed: bool) -> None:
        satoshis = self._chance.randint(1, 900)
        self._acknowledge((await self.wallet.create_action(payment_to(NOWHERE, satoshis, delayed=delayed)))["txid"])

    async def receive(self) -> None:
        self._received += 1
        suffix = b64encode(f"{self._received} {self.world.clock.now()}".encode()).decode()
        lock = brc29.lock_to(FUNDER, self.wallet.identity_key, "cHJlZml4", suffix)
        funded = self.world.services.fund(lock, 3_000)
        entry = {
            "outputIndex": funded.vout,
            "protocol": "wallet payment",
            "paymentRemittance": remittance(FUNDER, "cHJlZml4", suffix),
        }
        await self.wallet.internalize_action(internalize_args(funded.beef, entry))
        self._acknowledge(funded.txid)

    async def watch(self) -> None:
        self.world.pass_time(10 * MINUTE)
        await self.wallet.monitor.run_until_idle()

    async def mine(self) -> None:
        self.world.chain.mine()

    def _acknowledge(self, txid: str) -> None:
        if self._is_alive():
            self.acknowledged.append(txid)
