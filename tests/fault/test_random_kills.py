"""A wallet killed at random while it pays, receives, watches and closes: nothing that was answered is lost.

BSV_WALLET_RANDOM_KILLS says how many wallets are killed (once to three times each); ``make test-faults`` kills 1000.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import shutil
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_scenarios import MINUTE, FileWorld
from killed_process import BOUNDARY, DATABASE, LOG, Account, Journal, read_account
from recovery import assert_nothing_is_stuck
from workload import (
    COINS,
    NAME,
    SATOSHIS,
    Caller,
    create_and_die,
    create_wallet,
    incoming_txid,
    live_and_die,
    live_until_killed,
    prepare_workload,
    received,
)

from bsv_wallet_toolbox.doctor import examine
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.seams import SeededEntropy
from bsv_wallet_toolbox.transactions.tx import parse_transaction
from wallet_file import rows
from wallet_world import NOWHERE, payment_to

pytestmark = pytest.mark.anyio

KILLED = int(os.environ.get("BSV_WALLET_RANDOM_KILLS", "30"))
MOMENTS = [((DATABASE, LOG), 600), ((DATABASE, LOG), 600), ((DATABASE,), 60), ((BOUNDARY,), 150)]
"""What is counted until death comes, and the highest count; the moment is uniform in it. The file itself has a turn of
its own because it is only written when the wallet is closed."""
LONGEST_TIME = 0.6
"""Seconds, for the lives that are ended by time."""
WRITES_OF_CREATION = 180
"""To the log; a little less than there are."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("prepared")
    asyncio.run(prepare_workload(directory))
    return directory


@dataclass
class Killing:
    """One wallet, killed once to three times; then it must come to rest with everything in its place."""

    directory: Path
    seed: int
    processes: multiprocessing.context.ForkServerContext

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.journal = self.directory / "journal"
        self.deaths: list[str] = []

    def lives(self) -> int:
        return self.random.choice([1, 1, 1, 2, 2, 3])

    def live(self, number: int) -> None:
        """A process that is killed: two times in three at something counted, otherwise by time."""
        name, directory = f"seed {self.seed} life {number}", str(self.directory)
        longest = 1 if number == 0 else 0.3  # a later one is to die while it makes good what the first left
        if self.random.random() < 0.67:
            kinds, most = self.random.choice(MOMENTS)
            at = self.random.randint(1, int(longest * most))
            portion = self.random.choice([0, 1, self.random.random()])
            self._run(live_and_die, signal.SIGKILL, (directory, name, at, portion, *kinds))
        else:
            seconds = 0.001 + self.random.random() * longest * LONGEST_TIME
            self._run(live_until_killed, signal.SIGALRM, (directory, name, seconds))

    def _run(self, target: object, killer: signal.Signals, args: tuple[object, ...]) -> None:
        process = self.processes.Process(target=target, args=args)
        process.start()
        process.join(60)
        assert self.account().wrong == []
        assert process.exitcode == -killer, f"{args} ended with {process.exitcode}"
        process.close()
        account = self.account()
        by_time = f"{account.steps[-1] if account.steps else 'start'}: by time"
        self.deaths.append(account.deaths[-1] if killer is signal.SIGKILL else by_time)

    def account(self) -> Account:
        return read_account(self.journal)

    def assert_as_left(self) -> None:
        """Before anybody repairs anything: the file is sound, and what was answered stands in it."""
        account = self.account()
        if account.is_behind:
            report = examine(self.directory / f"{NAME}.sqlite")
            assert report.is_healthy, report.findings
        else:
            world = FileWorld(self.directory)
            world.assert_sound(NAME)
            world.close()
        self._assert_answers_stand(account)

    def _assert_answers_stand(self, account: Account) -> None:
        path = self.directory / f"{NAME}.sqlite"
        alive = set(rows(path, "SELECT txid FROM transactions WHERE status <> 'failed'"))
        assert {key: txids for key, txids in account.answers.items() if len(txids) > 1} == {}
        assert {txid for txids in account.answers.values() for txid in txids} <= alive
        assert {incoming_txid(self.directory, payment) for payment in account.taken} <= alive

    async def come_to_rest(self) -> None:
        world = FileWorld(self.directory, f"chain at rest {self.seed}")
        journal, account = Journal(self.journal), self.account()
        async with world.wallet(NAME, entropy=SeededEntropy("rest")) as wallet:
            caller = Caller(self.directory, wallet, journal, account)
            if self.random.random() < 0.5:  # before the claims of the dead have run out
                await asyncio.gather(*caller.again(everything=True))
            for minutes in (10, 60, 60):
                world.pass_time(minutes * MINUTE)
                await wallet.monitor.run_until_idle()
                world.chain.mine()
                await wallet.monitor.run_until_idle()
                world.assert_sound(NAME)
                await asyncio.gather(*caller.again(everything=True))
            world.chain.mine()
            await wallet.monitor.run_until_idle()
            await self._assert_rest(world, wallet, account)
        world.assert_sound(NAME)
        world.close()
        journal.close()

    async def _assert_rest(self, world: FileWorld, wallet: OpenWallet, account: Account) -> None:
        path = world.path(NAME)
        assert self.account().wrong == []
        self._assert_answers_stand(account)
        assert_nothing_is_stuck(path)
        assert rows(path, "SELECT count(*) FROM transactions WHERE status <> 'completed'") == [0]
        again = "SELECT lockingScript FROM outputs WHERE change = 1 GROUP BY lockingScript HAVING count(*) > 1"
        assert rows(path, again) == [], "no derivation is used twice"
        answered = {key: asked["satoshis"] for key, asked in account.asked.items() if account.answers[key]}
        paid = Counter(output.satoshis for output in world.chain.utxos_of(bytes.fromhex(NOWHERE)))
        assert paid == Counter(answered.values()), "every key that was answered pays once, and nothing else pays"
        outgoing = rows(
            path, "SELECT p.rawTx FROM proven_txs p JOIN transactions t USING (txid) WHERE t.isOutgoing = 1"
        )
        assert len(outgoing) == len(answered)
        assert {incoming_txid(self.directory, payment) for payment in account.taken} <= set(
            rows(path, "SELECT txid FROM transactions WHERE isOutgoing = 0")
        )
        balance = COINS * SATOSHIS + sum(received(payment) for payment in self._stored(account))
        balance -= sum(answered.values()) + sum(_fee(world, raw) for raw in outgoing)
        assert await wallet.balance() == balance
        # All of it can be spent, so no coin is held back by anything.
        await wallet.create_action(payment_to(NOWHERE, balance - 200, delayed=False))

    def _stored(self, account: Account) -> list[int]:
        """Incoming payments that are in the file, answered or not."""
        stored = set(rows(self.directory / f"{NAME}.sqlite", "SELECT txid FROM transactions"))
        return [payment for payment in account.offered if incoming_txid(self.directory, payment) in stored]


def _fee(world: FileWorld, raw: bytes) -> int:
    view = parse_transaction(raw)
    sources = [world.chain.output(each.txid, each.vout) for each in view.inputs]
    paid_in = sum(source.satoshis for source in sources if source is not None)
    return paid_in - sum(output.satoshis for output in view.outputs)


@pytest.mark.parametrize("seed", range(KILLED))
async def test_whatever_was_answered_outlives_a_kill_and_every_key_pays_once(
    seed: int,
    prepared: Path,
    processes: multiprocessing.context.ForkServerContext,
    tmp_path: Path,
) -> None:
    directory = tmp_path / "world"
    shutil.copytree(prepared, directory)
    killing = Killing(directory, seed, processes)
    try:
        for number in range(killing.lives()):
            killing.live(number)
            killing.assert_as_left()
        await killing.come_to_rest()
    except BaseException as error:
        error.add_note(f"seed {seed}, died: {killing.deaths}, steps: {', '.join(killing.account().steps[-20:])}")
        raise
    shutil.rmtree(directory)  # a thousand of them fill a disk


@pytest.mark.parametrize("seed", range(max(1, KILLED // 4)))
async def test_a_creation_that_was_killed_can_be_done_again(
    seed: int, processes: multiprocessing.context.ForkServerContext, tmp_path: Path
) -> None:
    choice = random.Random(seed)
    args = (str(tmp_path), choice.randint(1, WRITES_OF_CREATION), choice.choice([0, 1, choice.random()]))
    process = processes.Process(target=create_and_die, args=args)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, args
    process.close()
    await create_wallet(tmp_path, "another creation")
    world = FileWorld(tmp_path)
    async with world.wallet(NAME) as wallet:
        await world.fund(wallet, SATOSHIS, count=2)
        world.assert_sound(NAME)
        await wallet.create_action(payment_to(NOWHERE, 2 * SATOSHIS - 100))
    world.assert_sound(NAME)
    world.close()
