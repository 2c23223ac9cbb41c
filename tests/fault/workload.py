"""What a wallet does all day, at random: the life of a process that will be killed in the middle of it.

A seed fixes what is asked in which order. Which calls share a commit depends on the machine, so the same seed and the
same number of writes may hit another call of the same burst.
"""

from __future__ import annotations

import asyncio
import random
import signal
from base64 import b64encode
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault_scenarios import MINUTE, FileWorld
from killed_process import BOUNDARY, LOG, Account, Death, Journal, MortalDisk, read_account

from bsv_wallet_toolbox.errors import (
    WERR_INSUFFICIENT_FUNDS,
    WERR_INVALID_MERKLE_ROOT,
    WERR_INVALID_PARAMETER,
    WERR_REVIEW_ACTIONS,
)
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from bsv_wallet_toolbox.seams import SeededEntropy, failpoints_armed
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import OutputSpec
from incoming_payments import PREFIX, internalize_args, payment_entry, spend_purse
from wallet_world import FUNDER, NOWHERE, key_of, payment_to

NAME = "alice"
COINS, SATOSHIS = 12, 3_000
PAYMENTS = 24
"""That wait outside to be taken in; every other one is mined."""
OPENINGS = 50
"""Of one life: far more than any that is killed sees."""


def received(payment: int) -> int:
    """What an incoming payment brings."""
    return 500 + payment


def incoming(directory: Path, payment: int) -> bytes:
    """The AtomicBEEF of an incoming payment."""
    return (directory / f"incoming {payment}").read_bytes()


def incoming_txid(directory: Path, payment: int) -> str:
    return str(Beef.parse(incoming(directory, payment)).subject)


async def prepare_workload(directory: Path) -> None:
    world = FileWorld(directory)
    async with world.wallet(NAME) as wallet:
        await world.fund(wallet, SATOSHIS, count=COINS)
        await wallet.monitor.run_until_idle()
        for payment in range(PAYMENTS):
            lock = brc29.lock_to(FUNDER, wallet.identity_key, PREFIX, _suffix(payment))
            if payment % 2:
                beef = world.services.fund(lock, received(payment)).beef
            else:
                beef = spend_purse(world, [OutputSpec(received(payment), lock)]).beef
            (directory / f"incoming {payment}").write_bytes(beef)
        await wallet.monitor.run_until_idle()
    world.pass_time(MINUTE)
    world.close()


def _suffix(payment: int) -> str:
    return b64encode(f"incoming {payment}".encode()).decode()


@dataclass
class Caller:
    """Calls the wallet as its user would, and notes in the journal what it asks and what it is told."""

    directory: Path
    wallet: OpenWallet
    journal: Journal
    account: Account

    async def ask(self, key: str, satoshis: int, delayed: bool) -> None:
        """A new payment."""
        self.account.asked[key] = {"satoshis": satoshis, "delayed": delayed}
        self.journal.note(fact="asked", key=key, satoshis=satoshis, delayed=delayed)
        await self.pay(key)

    async def pay(self, key: str) -> None:
        """A payment that was asked for, perhaps before: the same arguments under the same key."""
        asked = self.account.asked[key]
        args = payment_to(NOWHERE, asked["satoshis"], delayed=asked["delayed"])
        try:
            txid = (await self.wallet.create_action(args, idempotency_key=key))["txid"]
        except WERR_INSUFFICIENT_FUNDS:
            return
        except WERR_REVIEW_ACTIONS as told:  # made, and not at the network yet
            if [each["status"] for each in told.send_with_results] != ["sending"]:
                self.journal.note(fact="wrong", text=f"{key}: {told.send_with_results}")
            txid = str(told.txid)
        except WERR_INVALID_PARAMETER as refused:
            if "was orphaned" not in refused.message:
                raise
            return  # coins whose block is gone; they can be spent again once the monitor has been through
        self.account.answers[key].add(txid)
        self.journal.note(fact="answered", key=key, txid=txid)

    async def take(self, payment: int, key: str | None) -> None:
        """An incoming payment, perhaps once more."""
        self.account.offered.setdefault(payment, key)
        self.journal.note(fact="offered", payment=payment, key=key)
        args = internalize_args(incoming(self.directory, payment), payment_entry(suffix=_suffix(payment)))
        with suppress(WERR_INVALID_MERKLE_ROOT):  # its block was orphaned: who paid must come with another proof
            done: dict[str, Any] = dict(await self.wallet.internalize_action(args, idempotency_key=key))
            if done["accepted"] is not True:
                self.journal.note(fact="wrong", text=f"payment {payment}: {done}")
            self.account.taken.add(payment)
            self.journal.note(fact="taken", payment=payment)

    def again(self, *, everything: bool) -> list[Awaitable[None]]:
        """The calls that were never answered, or all that were ever made."""
        calls: list[Awaitable[None]] = [
            self.pay(key) for key in self.account.asked if everything or not self.account.answers[key]
        ]
        for payment, key in self.account.offered.items():
            if everything or payment not in self.account.taken:
                calls.append(self.take(payment, key))
        return calls


class Life:
    """Random steps, one after the other; what one of them does, it may do at once."""

    def __init__(self, world: FileWorld, caller: Caller, choice: random.Random) -> None:
        self.world = world
        self.caller = caller
        self.random = choice

    async def step(self) -> None:
        steps = [self.burst] * 6 + [self.burst_while_watching, self.watch, self.watch, self.mine, self.mine]
        steps += [self.reorganise, self.wait, self.fail]
        chosen = self.random.choice(steps)
        self.caller.journal.note(fact="step", name=chosen.__name__)
        await chosen()

    async def burst(self) -> None:
        await asyncio.gather(*self._calls())

    async def burst_while_watching(self) -> None:
        await asyncio.gather(*self._calls(), self.watch())

    def _calls(self) -> list[Awaitable[None]]:
        calls: list[Awaitable[None]] = []
        for _ in range(self.random.randint(1, 5)):
            kind = self.random.random()
            asked = self.caller.account.asked
            if kind < 0.2 and asked:
                calls.append(self.caller.pay(self.random.choice(list(asked))))
            elif kind < 0.45:
                payment = self.random.randrange(PAYMENTS)
                key = self.caller.account.offered.get(payment, self.random.choice([None, f"incoming {payment}"]))
                calls.append(self.caller.take(payment, key))
            else:
                calls.extend(self._payment())
        return calls

    def _payment(self) -> list[Awaitable[None]]:
        """One, or the same one twice at once. No two of a life, or of all lives of a file, pay the same amount."""
        number = len(self.caller.account.asked) + 1
        key, satoshis, delayed = f"payment {number}", 100 + number, self.random.random() < 0.5
        first = self.caller.ask(key, satoshis, delayed)
        self.caller.account.asked[key] = {"satoshis": satoshis, "delayed": delayed}
        return [first, self.caller.pay(key)] if self.random.random() < 0.1 else [first]

    async def watch(self) -> None:
        await self.caller.wallet.monitor.run_until_idle()
        self.caller.journal.note(fact="watched")

    async def mine(self) -> None:
        self.world.chain.mine(self.random.randint(1, 2))
        self.world.pass_time(10 * MINUTE)

    async def reorganise(self) -> None:
        depth = self.random.randint(1, 3)
        self.world.chain.reorg(self.world.chain.height - depth + 1, depth + 1)
        self.world.pass_time(MINUTE)

    async def wait(self) -> None:
        self.world.pass_time(self.random.choice([1_000, MINUTE, 60 * MINUTE]))

    async def fail(self) -> None:
        self.world.services.faults.set("post_beef", self.random.choice([Fault.UNAVAILABLE, Fault.REPLY_LOST]), times=1)


async def live(directory: Path, name: str, journal: Journal) -> None:
    """Open, call again what was not answered to the life before, do this and that, close, and so on until killed.

    ``name`` (seed and number of the life) fixes what is done.
    """
    choice = random.Random(name)
    world = FileWorld(directory, f"chain {name}")
    account = read_account(directory / "journal")
    journal.note(fact="step", name="open")
    for opening in range(OPENINGS):
        async with world.wallet(NAME, entropy=SeededEntropy(f"{name}, opening {opening}")) as wallet:
            caller = Caller(directory, wallet, journal, account)
            journal.note(fact="step", name="again")
            if choice.random() < 0.7:
                await asyncio.gather(*caller.again(everything=False))
            life = Life(world, caller, choice)
            for _ in range(choice.randint(3, 10)):
                await life.step()
            journal.note(fact="step", name="close")
        journal.note(fact="step", name="open")


async def create_wallet(directory: Path, seed: str) -> None:
    world = FileWorld(directory)
    async with open_wallet(
        world.path(NAME),
        StaticKey(key_of(NAME)),
        world.services,
        create=True,
        monitor=False,
        clock=world.clock,
        entropy=SeededEntropy(seed),
    ):
        pass
    world.close()


def create_and_die(directory: str, writes: int, portion: float) -> None:
    """A creation that ends at a write to the log of the new file; it comes back only when there are not so many."""
    journal = Journal(Path(directory) / "journal")
    journal.note(fact="step", name="create")
    disk = MortalDisk(f"{NAME}.sqlite", Death(writes, portion, journal, LOG))
    asyncio.run(create_wallet(Path(directory), "creation"))
    del disk


def live_and_die(directory: str, name: str, number: int, portion: float, *kinds: str) -> None:
    """A life that ends at a write to the wallet's file or log, or at a durable boundary; see ``Death``."""
    path = Path(directory)
    journal = Journal(path / "journal")
    death = Death(number, portion, journal, *kinds)
    # SQLite uses the disk for as long as it is held here.
    disk = MortalDisk(f"{NAME}.sqlite", death)
    with failpoints_armed(lambda point: death.pass_by(BOUNDARY, point)):
        _live(path, name, journal)
    del disk


def live_until_killed(directory: str, name: str, seconds: float) -> None:
    """A life that ends when the time has come, whatever it is doing then, on the file system as it is."""
    # Nobody handles the signal, so the system ends the process as it does for SIGKILL.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    path = Path(directory)
    _live(path, name, Journal(path / "journal"))


def _live(directory: Path, name: str, journal: Journal) -> None:
    try:
        asyncio.run(live(directory, name, journal))
    except BaseException as error:
        journal.note(fact="wrong", text=repr(error))
        raise
