"""A clock that is set back and forth: nothing is held for ever, no row grows younger, no action is lost."""

from __future__ import annotations

import logging
import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from disk_worlds import MINUTE, replaying, seeds
from recovery import assert_nothing_is_stuck

from bsv_wallet_toolbox.brc100.create_action import validate_create_action
from bsv_wallet_toolbox.doctor import examine
from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.monitor import Monitor, MonitorOptions
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.provider.network_work import NetworkWork
from bsv_wallet_toolbox.seams import ManualClock, SeededEntropy
from bsv_wallet_toolbox.storage.leases import LONGEST_LEASE
from bsv_wallet_toolbox.storage.reqs import CLAIM_MILLISECONDS, LONGEST_REST
from wallet_file import rows
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

SECOND, HOUR, DAY, YEAR = 1_000, 60 * MINUTE, 24 * 60 * MINUTE, 365 * 24 * 60 * MINUTE
JUMPS = [SECOND, 90 * SECOND, HOUR, DAY, 30 * DAY, 10 * YEAR]
COINS, SATOSHIS, STEPS = 10, 3_000, 12
SLACK = 2 * MINUTE
COMPARES_TIMES = "was broadcast before it was written down that it would be"
"""The one rule of the doctor's that compares two times of one clock: set back between them, it shows nothing."""
OUTGOING = "SELECT txid FROM transactions WHERE isOutgoing = 1 AND txid IS NOT NULL"


class JumpingClock(ManualClock):
    def jump(self, milliseconds: int) -> None:
        """Forwards or backwards, but not before 1970."""
        self.advance(max(milliseconds, -self.now()))


class JumpingWorld(World):
    """The wallet's clock jumps; that of the chain stays as it is."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.clock = self.jumping = JumpingClock(self.clock.now())


def ages(path: Path) -> dict[tuple[str, int], str]:
    """``updated_at`` of every row that has one."""
    tables = rows(
        path,
        "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
        "WHERE m.type = 'table' AND c.name = 'updated_at' AND m.name NOT LIKE 'knex%'",
    )
    return {
        (table, rowid): updated_at
        for table in tables
        for rowid, updated_at in rows(path, f'SELECT rowid, updated_at FROM "{table}"')
    }


class Walk:
    """Random steps of one wallet under a clock that jumps between them, and everything it was promised."""

    def __init__(self, world: JumpingWorld, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.path = world.path("alice")
        self.paid: set[str] = set()
        self.wallet: OpenWallet
        self._stack = AsyncExitStack()
        self._opened = 0
        self._ages: dict[tuple[str, int], str] = {}

    async def open(self) -> None:
        await self._stack.aclose()
        self._opened += 1
        entropy = SeededEntropy(f"opening {self._opened}")
        self.wallet = await self._stack.enter_async_context(self.world.wallet("alice", entropy=entropy))

    async def close(self) -> None:
        await self._stack.aclose()

    async def step(self) -> None:
        steps = [self.pay, self.pay, self.fund, self.watch, self.mine, self.fail, self.recover, self.claim, self.open]
        await self.chance.choice(steps)()
        self.check()
        self.world.jumping.jump(self.chance.choice(JUMPS) * self.chance.choice([1, -1]))

    def check(self) -> None:
        now = ages(self.path)
        younger = {row: (before, now[row]) for row, before in self._ages.items() if now.get(row, before) < before}
        assert not younger
        self._ages = now
        assert self.paid <= set(rows(self.path, OUTGOING))
        report = examine(self.path, self._root)
        assert not [finding for finding in report.findings if not finding.text.endswith(COMPARES_TIMES)]
        for txid, vout in rows(self.path, "SELECT txid, vout FROM outputs WHERE spendable = 1"):
            assert self.world.chain.spender_of(txid, vout) is None

    def _root(self, height: int) -> str | None:
        header = self.world.chain.header_at(height)
        return None if header is None else header.merkle_root

    async def pay(self) -> None:
        args = payment_to(NOWHERE, self.chance.randint(1, 900), delayed=self.chance.random() < 0.5)
        try:
            self.paid.add((await self.wallet.create_action(args))["txid"])
        except WERR_REVIEW_ACTIONS as told:
            self.paid.add(str(told.txid))
        except WERR_INSUFFICIENT_FUNDS:
            await self.fund()

    async def fund(self) -> None:
        await self.world.fund(self.wallet, SATOSHIS)

    async def watch(self) -> None:
        await self.wallet.monitor.run_until_idle()

    async def mine(self) -> None:
        self.world.chain.mine()

    async def fail(self) -> None:
        method = self.chance.choice(["post_beef", "get_status_for_txids", "get_merkle_path"])
        self.world.services.faults.set(method, Fault.UNAVAILABLE, times=self.chance.choice([1, 5]))

    async def recover(self) -> None:
        self.world.services.faults.clear()

    async def claim(self) -> None:
        """A monitor takes work and a lease, and dies before it does anything with them."""
        async with self.world.wallet("alice", entropy=SeededEntropy(f"dies {self.world.clock.now()}")) as other:
            work = NetworkWork(other.provider)
            await work.claim_sends(10)
            await work.claim_proofs(10)
            await work.take_lease("NewHeader", LONGEST_LEASE)

    async def come_to_rest(self) -> None:
        """As much time as one claim and one rest last, by a clock that is right from now on."""
        self.world.services.faults.clear()
        for waiting in (0, CLAIM_MILLISECONDS + SLACK, LONGEST_REST, LONGEST_REST):
            self.world.clock.advance(waiting)
            await self.watch()
            self.world.chain.mine()
            await self.watch()
            self.check()


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "bsv_wallet_toolbox")


@pytest.mark.parametrize("seed", seeds(8))
async def test_under_a_clock_that_jumps_nothing_is_held_lost_or_made_younger(tmp_path: Path, seed: int) -> None:
    with replaying(seed) as chance:
        walk = Walk(JumpingWorld(tmp_path), chance)
        await walk.open()
        try:
            await walk.world.fund(walk.wallet, SATOSHIS, count=COINS)
            for _ in range(STEPS):
                await walk.step()
            await walk.come_to_rest()
            assert_nothing_is_stuck(walk.path)
            completed = set(rows(walk.path, f"{OUTGOING} AND status = 'completed'"))
            assert walk.paid == completed
            balance = await walk.wallet.balance()
            assert balance == sum(rows(walk.path, "SELECT satoshis FROM transactions"))
            await walk.wallet.create_action(payment_to(NOWHERE, balance - 90, delayed=False))
        finally:
            await walk.close()


@pytest.mark.parametrize("jump", [-10 * YEAR, -DAY, -HOUR, -SECOND, SECOND, HOUR, DAY, 10 * YEAR])
async def test_what_a_dead_monitor_held_before_the_clock_jumped_is_free_after_the_longest_rest(
    tmp_path: Path, jump: int
) -> None:
    world = JumpingWorld(tmp_path)
    async with world.wallet("alice") as alice:
        await world.fund(alice, SATOSHIS)
        txid = (await alice.create_action(payment_to(NOWHERE, 100)))["txid"]
        async with world.wallet("alice", entropy=SeededEntropy("dies")) as other:
            assert [job.txid for job in await NetworkWork(other.provider).claim_sends(10)] == [txid]
            assert await NetworkWork(other.provider).take_lease("NewHeader", LONGEST_LEASE) is not None
        world.jumping.jump(jump)
        world.clock.advance(LONGEST_REST + LONGEST_LEASE + SLACK)
        await alice.monitor.run_until_idle()
        assert world.chain.mempool() == [txid]
        world.chain.mine()
        await alice.monitor.run_until_idle()
        assert rows(world.path("alice"), "SELECT status FROM transactions WHERE txid = ?", txid) == ["completed"]


@pytest.mark.parametrize("jump", [-YEAR, YEAR])
async def test_a_tip_that_was_seen_before_the_clock_jumped_settles_with_the_next_one_at_the_latest(
    tmp_path: Path, jump: int
) -> None:
    """On a chain where a tip has to stand for a minute before its proofs are believed."""
    world = JumpingWorld(tmp_path)
    async with world.wallet("alice") as alice:
        monitor = Monitor(alice.provider, options=MonitorOptions(header_settle=MINUTE))
        await world.fund(alice, SATOSHIS)
        txid = (await alice.create_action(payment_to(NOWHERE, 100, delayed=False)))["txid"]
        world.chain.mine()
        await monitor.run_until_idle()
        world.jumping.jump(jump)
        world.chain.mine()
        for _ in range(2):
            await monitor.run_until_idle()
            world.clock.advance(MINUTE)
        await monitor.run_until_idle()
        assert rows(world.path("alice"), "SELECT status FROM transactions WHERE txid = ?", txid) == ["completed"]


@pytest.mark.parametrize("jump", [-HOUR, SECOND, HOUR, 30 * DAY])
async def test_an_unsigned_action_keeps_its_coins_no_longer_than_its_time_when_the_clock_goes_on(
    tmp_path: Path, jump: int
) -> None:
    world = JumpingWorld(tmp_path)
    async with world.wallet("alice") as alice:
        await world.fund(alice, SATOSHIS)
        storage = alice.provider.for_user(await alice.provider.find_user(alice.identity_key))
        await storage.create_action(validate_create_action(payment_to(NOWHERE, 100)))
        world.jumping.jump(jump)
        world.clock.advance(25 * HOUR)
        await alice.monitor.run_until_idle()
        assert await alice.balance() == SATOSHIS
        assert_nothing_is_stuck(world.path("alice"))
