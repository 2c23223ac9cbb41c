"""The power goes at any moment and takes any part of what was not flushed: what was acknowledged is still there."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from pathlib import Path

import pytest
from disk_worlds import CHECKPOINT_PAGES, Life, copy_world, replaying, run_sql, seeds
from fault_scenarios import SATOSHIS, FileWorld
from faulty_vfs import Call, Disk, Loss, faulty_disk
from recovery import assert_recovers

from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_INTERNAL, WalletError
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.opening import open_wallet
from bsv_wallet_toolbox.seams import Failpoint, SeededEntropy, failpoints_armed
from wallet_file import rows
from wallet_world import NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

COINS, STEPS, LONGEST = 12, 8, 700
"""A life of so many steps changes the disk up to about ``LONGEST`` times."""
FIRST_CALLS, NEW_FILE_CALLS = 9, 199


@pytest.fixture(scope="module")
def funded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("funded")

    async def fund() -> None:
        world = FileWorld(directory)
        async with world.wallet("alice") as alice:
            await world.fund(alice, SATOSHIS, count=COINS)
        world.pass_time(0)
        world.close()

    asyncio.run(fund())
    return directory


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """A dead disk makes the wallet say so a hundred times."""
    caplog.set_level(logging.CRITICAL, "bsv_wallet_toolbox")


async def live_until_the_cut(directory: Path, disk: Disk, chance: random.Random, *, together: bool) -> list[str]:
    """What was acknowledged before the power went. It goes at the end where it did not before."""

    def no_network_without_power(point: Failpoint) -> None:
        if disk.lost_power:
            raise WERR_INTERNAL("the machine is off")

    world = FileWorld(directory)
    acknowledged: list[str] = []
    with failpoints_armed(no_network_without_power), suppress(WalletError):
        async with world.wallet("alice", vfs=disk.vfs, entropy=SeededEntropy("life")) as alice:
            await run_sql(alice, f"PRAGMA wal_autocheckpoint={chance.choice(CHECKPOINT_PAGES)}")
            life = Life(world, alice, chance, lambda: not disk.lost_power)
            acknowledged = life.acknowledged
            try:
                await life.steps(STEPS, together=together)
            except WERR_INSUFFICIENT_FUNDS:
                assert not disk.lost_power
            except WalletError:
                assert disk.lost_power
    disk.cut_now()
    world.pass_time(0)
    world.close()
    return acknowledged


@pytest.mark.parametrize("seed", seeds(12))
async def test_a_power_cut_takes_nothing_that_was_acknowledged(funded: Path, tmp_path: Path, seed: int) -> None:
    with replaying(seed) as chance, faulty_disk() as disk:
        disk.cut_at = chance.randint(1, LONGEST)
        living = copy_world(funded, tmp_path / "living")
        acknowledged = await live_until_the_cut(living, disk, chance, together=seed % 4 == 3)
        for loss in chance.sample(list(Loss), 2):
            with replaying(seed, loss, disk.cut_at) as losing:
                directory = copy_world(living, tmp_path / loss)
                disk.left_after(directory, loss, losing)
                path = directory / "alice.sqlite"
                assert set(acknowledged) <= set(rows(path, "SELECT txid FROM transactions"))
                await assert_recovers(directory, behind_the_chain=False)
                unfinished = set(rows(path, "SELECT txid FROM transactions WHERE status <> 'completed'"))
                assert not unfinished & set(acknowledged)


@pytest.mark.parametrize("seed", seeds(FIRST_CALLS + 3))
async def test_a_power_cut_while_a_wallet_is_made_leaves_a_file_that_can_be_opened(tmp_path: Path, seed: int) -> None:
    with replaying(seed) as chance, faulty_disk() as disk:
        # The first calls give the file its log: each of them once, then any.
        disk.cut_at = seed + 1 if seed < FIRST_CALLS else chance.randint(1, NEW_FILE_CALLS)
        (tmp_path / "living").mkdir()
        world = World(tmp_path / "living")
        with suppress(WalletError):
            async with world.wallet("alice", vfs=disk.vfs):
                assert disk.calls < disk.cut_at
        for loss in Loss:
            with replaying(seed, loss, disk.cut_at) as losing:
                (tmp_path / loss).mkdir()
                disk.left_after(tmp_path / loss, loss, losing)
                again = World(tmp_path / loss)
                key, path = StaticKey(key_of("alice")), again.path("alice")
                async with open_wallet(
                    path, key, again.services, create=True, monitor=False, clock=again.clock
                ) as alice:
                    await again.fund(alice, 1_000)
                    await alice.create_action(payment_to(NOWHERE, 500, delayed=False))
                again.assert_sound("alice")


@pytest.mark.parametrize("loss", Loss)
async def test_a_payment_that_failed_for_its_flush_is_not_made_by_a_later_power_cut(tmp_path: Path, loss: Loss) -> None:
    """Its commit stands whole in the log, and whoever reads the log would take it for committed."""
    (tmp_path / "living").mkdir()
    (tmp_path / "left").mkdir()
    with faulty_disk() as disk:
        world = World(tmp_path / "living")
        async with world.wallet("alice", vfs=disk.vfs) as alice:
            await world.fund(alice, 2_000)
            await alice.create_action(payment_to(NOWHERE, 100))
            disk.fail(Call.SYNC)
            with pytest.raises(WalletError):
                await alice.create_action(payment_to(NOWHERE, 200))
            disk.left_after(tmp_path / "left", loss, random.Random(1))
    count = "SELECT count(*) FROM transactions WHERE isOutgoing = 1"
    assert rows(tmp_path / "left" / "alice.sqlite", count) == [1]


async def test_a_payment_that_failed_for_its_flush_is_not_made_by_a_close_that_fails(tmp_path: Path) -> None:
    """The disk fails until the wallet closes, and for its last checkpoint again: the log is left as it is."""
    with faulty_disk() as disk:
        world = World(tmp_path)
        async with world.wallet("alice", vfs=disk.vfs) as alice:
            await world.fund(alice, 2_000)
            disk.fail(Call.SYNC, times=1_000)
            with pytest.raises(WalletError, match="may turn out to have been written after all"):
                await alice.create_action(payment_to(NOWHERE, 200))
            disk.repair()
            disk.fail(Call.WRITE, suffix=".sqlite", times=1_000)
    assert (tmp_path / "alice.sqlite-wal").exists()
    assert rows(tmp_path / "alice.sqlite", "SELECT count(*) FROM transactions WHERE isOutgoing = 1") == [0]
