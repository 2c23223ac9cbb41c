"""A disk with no room left: a clear error, no coin lost, and everything works again once there is room."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from disk_worlds import replaying, run_sql, seeds
from fault_scenarios import SATOSHIS

from bsv_wallet_toolbox.database.errors import DatabaseUnavailable, DiskFull
from bsv_wallet_toolbox.errors import WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.opening import OpenWallet
from wallet_file import rows
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

COINS = 24
PAGE = 4096
LIMITED_STEPS = 16
SMALL_CHECKPOINT = 20
OUTGOING = "SELECT txid FROM transactions WHERE isOutgoing = 1"


async def assert_all_is_there(world: World, alice: OpenWallet, paid: set[str]) -> None:
    """Room again: a payment works, everything is sent and proven, and of the refused ones there is no trace."""
    paid.add((await alice.create_action(payment_to(NOWHERE, 10, delayed=False)))["txid"])
    assert set(rows(world.path("alice"), OUTGOING)) == paid
    world.assert_sound("alice")
    world.clock.advance(3_600_000)
    await alice.monitor.run_until_idle()
    world.chain.mine()
    await alice.monitor.run_until_idle()
    assert set(rows(world.path("alice"), "SELECT status FROM transactions")) == {"completed"}
    world.assert_sound("alice")


@pytest.mark.parametrize("seed", seeds(6))
async def test_a_file_that_may_not_grow_refuses_payments_until_it_may(tmp_path: Path, seed: int) -> None:
    with replaying(seed) as chance:
        world = World(tmp_path)
        async with world.wallet("alice") as alice:
            await world.fund(alice, SATOSHIS, count=COINS)
            (pages,) = rows(world.path("alice"), "PRAGMA page_count")
            await run_sql(alice, f"PRAGMA max_page_count={pages + chance.randint(0, 6)}")
            paid: set[str] = set()
            refused = 0
            while not refused and len(paid) < COINS * 4:
                try:
                    args = payment_to(NOWHERE, chance.randint(1, 300), delayed=chance.random() < 0.5)
                    paid.add((await alice.create_action(args))["txid"])
                except WERR_REVIEW_ACTIONS as told:
                    paid.add(str(told.txid))
                except DiskFull:
                    refused += 1
            assert refused
            before = await alice.balance()
            with pytest.raises(DiskFull):
                await alice.create_action(payment_to(NOWHERE, 1, outputs=several_outputs()))
            assert await alice.balance() == before
            world.assert_sound("alice")
            await run_sql(alice, "PRAGMA max_page_count=1000000")
            await assert_all_is_there(world, alice, paid)


def several_outputs() -> list[dict[str, object]]:
    """More than fits between what is left of the last pages."""
    return [{"lockingScript": NOWHERE, "satoshis": 1, "outputDescription": "one of many"} for _ in range(200)]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond ``size`` bytes: a write that would fails, as on a disk with a quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def pay_under_limits(directory: Path, checkpoint_pages: int) -> Counter[str]:
    """Payments while the log, or the file, may only grow by so many bytes; how they ended."""
    world = World(directory)
    path = world.path("alice")
    log = Path(f"{path}-wal")
    ends: Counter[str] = Counter()
    paid: set[str] = set()
    async with world.wallet("alice") as alice:
        await world.fund(alice, SATOSHIS, count=COINS)
    async with world.wallet("alice") as alice:  # the log is empty now, and the file larger than the log will be
        await run_sql(alice, f"PRAGMA wal_autocheckpoint={checkpoint_pages}")
        for step in range(LIMITED_STEPS):
            args = payment_to(NOWHERE, 10 + step, delayed=step % 2 == 0)
            size = log.stat().st_size + step * PAGE * 2 + step % 3 * 1_000
            with largest_file(path.stat().st_size if checkpoint_pages == SMALL_CHECKPOINT else size):
                try:
                    paid.add((await alice.create_action(args))["txid"])
                    ends["paid"] += 1
                except WERR_REVIEW_ACTIONS as told:
                    paid.add(str(told.txid))
                    ends["told"] += 1
                except DatabaseUnavailable:  # what Linux calls a file that is too large; a full disk is DiskFull
                    ends["refused"] += 1
            ends["log"] = max(ends["log"], log.stat().st_size // PAGE)
            world.assert_sound("alice")
        await assert_all_is_there(world, alice, paid)
    return ends


def pay_under_limits_and_report(directory: str, checkpoint_pages: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    ends = asyncio.run(pay_under_limits(Path(directory), checkpoint_pages))
    (Path(directory) / "ends").write_text(json.dumps(ends))


@pytest.mark.parametrize("checkpoint_pages", [SMALL_CHECKPOINT, 4000])
def test_a_log_or_a_file_that_may_not_grow_loses_nothing(tmp_path: Path, checkpoint_pages: int) -> None:
    """With small checkpoints it is the file that can't grow: then the log just keeps what is not copied yet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fault_scenarios"])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # the forking process knows no other way to ours
        process = context.Process(target=pay_under_limits_and_report, args=(str(tmp_path), checkpoint_pages))
        process.start()
    process.join(60)
    assert process.exitcode == 0
    process.close()
    ends = json.loads((tmp_path / "ends").read_text())
    assert ends["paid"] > 0
    if checkpoint_pages == SMALL_CHECKPOINT:
        assert ends["log"] > 4 * SMALL_CHECKPOINT, "every checkpoint was carried out"
    else:
        assert ends["refused"] > 0
    assert ends["paid"] + ends.get("refused", 0) + ends.get("told", 0) == LIMITED_STEPS
