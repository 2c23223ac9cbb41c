"""A disk that fails for a while: whoever meets it is told, nothing is half done, and then all goes on as before."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

import pytest
from disk_worlds import Life, replaying, seeds
from fault_scenarios import SATOSHIS, FileWorld
from faulty_vfs import Call, Disk, disk_full, faulty_disk, io_error
from recovery import assert_recovers

from bsv_wallet_toolbox.database.errors import DatabaseError, DatabaseUnavailable, DiskFull
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_INTERNAL, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from wallet_file import rows
from wallet_world import NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

COINS, STEPS, CALLERS = 24, 8, 16
KINDS = [
    (Call.SYNC, "-wal", io_error),
    (Call.WRITE, "-wal", io_error),
    (Call.WRITE, "-wal", disk_full),
    (Call.READ, "", io_error),
]
OUTGOING = "SELECT txid FROM transactions WHERE isOutgoing = 1"


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """A failing disk makes the wallet say so a hundred times."""
    caplog.set_level(logging.CRITICAL, "bsv_wallet_toolbox")


async def step_or_be_told(life: Life, chance: random.Random, told: set[str]) -> None:
    """One step. A payment that was committed before the disk failed is told of by its txid, others not at all."""
    try:
        await life.steps(1, together=False)
    except WERR_REVIEW_ACTIONS as error:
        told.add(str(error.txid))
    except (WERR_INTERNAL, WERR_INSUFFICIENT_FUNDS):  # DatabaseError is one; so is a monitor that finds no rest
        pass


@pytest.mark.parametrize("seed", seeds(12))
async def test_what_a_failing_disk_refused_was_not_done_and_the_rest_was(tmp_path: Path, seed: int) -> None:
    with replaying(seed) as chance, faulty_disk() as disk:
        world = FileWorld(tmp_path)
        told: set[str] = set()
        async with world.wallet("alice", vfs=disk.vfs) as alice:
            await world.fund(alice, SATOSHIS, count=COINS)
            life = Life(world, alice, chance)
            call, suffix, error = KINDS[seed % len(KINDS)]
            for _ in range(STEPS):
                disk.fail(call, suffix=suffix, skip=chance.randint(0, 12), times=chance.choice([1, 3, 40]), error=error)
                await step_or_be_told(life, chance, told)
                disk.repair()
            await life.pay_immediately()
            done = set(rows(world.path("alice"), OUTGOING))
            paid = told | set(life.acknowledged)
            assert done <= paid
            assert paid <= set(rows(world.path("alice"), "SELECT txid FROM transactions"))
        world.pass_time(0)
        world.close()
        await assert_recovers(tmp_path, behind_the_chain=False)


class Held:
    """An operation that holds the engine's thread until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    def __call__(self, tx: Transaction) -> None:
        self.entered.set()
        assert self.released.wait(30)


async def pay_together(disk: Disk, alice: OpenWallet, failing: int) -> list[object]:
    """Sixteen payments that wait while the engine is held, so that they share commits; ``failing`` flushes fail."""
    hold = Held()
    holder = asyncio.ensure_future(alice.provider.engine.write(hold))
    await asyncio.to_thread(hold.entered.wait)
    payments = [asyncio.ensure_future(alice.create_action(payment_to(NOWHERE, 100 + n))) for n in range(CALLERS)]
    await asyncio.sleep(0)
    disk.fail(Call.SYNC, suffix="-wal", times=failing)
    hold.released.set()
    results: list[object] = list(await asyncio.gather(*payments, return_exceptions=True))
    await asyncio.gather(holder, return_exceptions=True)
    disk.repair()
    return results


@pytest.mark.parametrize(("failing", "fewest", "most"), [(1, 0, 0), (3, 0, 3), (10_000, CALLERS, CALLERS)])
async def test_of_payments_that_share_a_commit_only_those_fail_that_fail_alone(
    tmp_path: Path, failing: int, fewest: int, most: int
) -> None:
    with faulty_disk() as disk:
        world = World(tmp_path)
        async with world.wallet("alice", vfs=disk.vfs) as alice:
            await world.fund(alice, SATOSHIS, count=COINS)
            await alice.create_action(payment_to(NOWHERE, 50))  # derivations are reserved
            before = alice.provider.engine.stats.reruns
            results = await pay_together(disk, alice, failing)
            errors = [result for result in results if isinstance(result, BaseException)]
            assert fewest <= len(errors) <= most
            assert {type(error) for error in errors} <= {DatabaseUnavailable}
            assert disk.failed >= min(failing, CALLERS)
            assert alice.provider.engine.stats.reruns > before
            paid = {result["txid"] for result in results if isinstance(result, dict)}
            assert len(paid) == CALLERS - len(errors)
            assert paid < set(rows(world.path("alice"), OUTGOING))
            assert len(rows(world.path("alice"), OUTGOING)) == 1 + len(paid)
            world.assert_sound()
            await alice.create_action(payment_to(NOWHERE, 60, delayed=False))
            world.assert_sound()


@pytest.mark.parametrize(
    ("call", "error", "raised"),
    [
        (Call.SYNC, io_error, DatabaseUnavailable),
        (Call.WRITE, io_error, DatabaseUnavailable),
        (Call.WRITE, disk_full, DiskFull),
    ],
)
async def test_the_error_says_what_the_disk_did(
    tmp_path: Path, call: Call, error: type, raised: type[DatabaseError]
) -> None:
    with faulty_disk() as disk:
        world = World(tmp_path)
        async with world.wallet("alice", vfs=disk.vfs) as alice:
            await world.fund(alice, 2_000)
            await alice.create_action(payment_to(NOWHERE, 100))
            balance = await alice.balance()
            disk.fail(call, suffix="-wal", error=error)
            with pytest.raises(DatabaseError) as told:
                await alice.create_action(payment_to(NOWHERE, 100))
            assert type(told.value) is raised
            assert await alice.balance() == balance
            await alice.create_action(payment_to(NOWHERE, 100))
            assert await alice.balance() < balance


@pytest.mark.parametrize("seed", seeds(6))
async def test_a_read_that_fails_is_told_and_the_next_one_works(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 2_000, count=3)
        await alice.create_action(payment_to(NOWHERE, 100))
        expected = await alice.balance()
    with replaying(seed) as chance, faulty_disk() as disk:
        async with world.wallet("alice", vfs=disk.vfs) as alice:
            told = 0
            for ask in (
                alice.balance,
                lambda: alice.list_actions({"labels": []}),
                lambda: alice.list_outputs({"basket": "default"}),
            ):
                disk.fail(Call.READ, skip=chance.randint(0, 2))
                try:
                    await ask()
                except DatabaseUnavailable:
                    told += 1
                disk.repair()
                await ask()
            assert told == disk.failed
            assert told > 0
            assert await alice.balance() == expected


async def test_a_disk_that_can_not_be_read_while_a_wallet_opens_leaves_it_as_it_was(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 2_000)
    failures = 0
    for number in range(100):
        with faulty_disk() as disk:
            disk.fail(Call.READ, skip=number)
            with suppress(DatabaseError):
                async with world.wallet("alice", vfs=disk.vfs) as alice:
                    assert await alice.balance() == 2_000
            if disk.failed == 0:
                break
            failures += 1
    assert 0 < failures < 100
    async with world.wallet("alice") as alice:
        assert await alice.balance() == 2_000
    world.assert_sound()


@pytest.mark.parametrize(("call", "step"), [(Call.WRITE, 31), (Call.SYNC, 1)])
async def test_a_wallet_whose_making_failed_is_made_by_trying_again(tmp_path: Path, call: Call, step: int) -> None:
    failures = 0
    for number in range(0, 200, step):
        (tmp_path / str(number)).mkdir()
        world = World(tmp_path / str(number))
        with faulty_disk() as disk:
            disk.fail(call, skip=number)
            with suppress(DatabaseError):
                async with made(world, disk.vfs):
                    pass
            if disk.failed == 0:
                break
            failures += 1
            async with made(world, disk.vfs) as alice:
                await world.fund(alice, 2_000)
                await alice.create_action(payment_to(NOWHERE, 500, delayed=False))
            world.assert_sound("alice")
    assert failures > 1


def made(world: World, vfs: str) -> AbstractAsyncContextManager[OpenWallet]:
    """The wallet of "alice", made when it is not there: a file may be there that holds none."""
    key = StaticKey(key_of("alice"))
    return open_wallet(world.path("alice"), key, world.services, create=True, monitor=False, clock=world.clock, vfs=vfs)
