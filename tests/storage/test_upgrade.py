"""Files of every schema version so far open with today's code, keep what they hold, and go on to the last satoshi."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sql_dump import dump
from upgrade_past import (
    APP,
    DATA,
    KEY,
    KEYED,
    MINUTE,
    NAME,
    NEWEST,
    PastWorld,
    bring_back,
    build,
    half_a_step,
    open_and_die,
    open_once,
    say,
    upgrade_and_die,
)

from bsv_wallet_toolbox.database.migrations import Migration, migrate
from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INTERNAL
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.seams import Failpoint, ManualClock
from bsv_wallet_toolbox.storage.migrations import MIGRATIONS
from wallet_file import rows
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

KEPT = {int(found[1]): path for path in DATA.iterdir() if (found := re.fullmatch(r"schema_(\d+)", path.name))}
PASTS = [*sorted(KEPT), "lived today"]

STATES: dict[str, set[Any]] = {
    "SELECT status, isOutgoing FROM transactions": {
        ("completed", 0),
        ("completed", 1),
        ("unproven", 0),
        ("unproven", 1),
        ("sending", 0),
        ("sending", 1),
        ("failed", 1),
        ("unsigned", 1),
    },
    "SELECT status FROM proven_tx_reqs": {"completed", "unmined", "unsent", "invalid", "doubleSpend"},
    "SELECT reason FROM bwt_holds": {"awaitingEvidence", "proofInDoubt", "refused", "spentElsewhere"},
    "SELECT kind, claimedBy IS NULL FROM bwt_jobs": {("send", 0), ("send", 1), ("prove", 1)},
    "SELECT originator FROM bwt_requests": {"", APP},
}
"""What every past holds at least."""

FILLED = {"bwt_evidence", "bwt_notes", "bwt_suspects", "bwt_spends", "bwt_leases", "output_tags_map", "tx_labels_map"}


@pytest.fixture(scope="module")
def lived_today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("past")
    asyncio.run(build(directory))
    return directory


@pytest.fixture(params=PASTS)
def past(request: pytest.FixtureRequest, lived_today: Path, tmp_path: Path) -> Path:
    """The directory of a past, for one test alone."""
    directory = tmp_path / "world"
    if request.param == "lived today":
        shutil.copytree(lived_today, directory)
    else:
        directory.mkdir()
        bring_back(request.param, directory)
    return directory


def file_of(past: Path) -> Path:
    return past / f"{NAME}.sqlite"


def schema_of(path: Path) -> dict[tuple[str, str], str | None]:
    return {(kind, name): sql for kind, name, sql in rows(path, "SELECT type, name, sql FROM sqlite_schema")}


def test_a_past_of_every_earlier_version_is_kept() -> None:
    assert set(range(1, NEWEST)) <= set(KEPT) <= set(range(1, NEWEST + 1))


@pytest.mark.parametrize("version", sorted(KEPT))
def test_a_kept_past_is_of_its_version(version: int, tmp_path: Path) -> None:
    bring_back(version, tmp_path)
    assert rows(file_of(tmp_path), "SELECT number FROM bwt_migrations ORDER BY number") == list(range(1, version + 1))
    for name in (NAME, "chain"):
        assert dump(tmp_path / f"{name}.sqlite") == (KEPT[version] / f"{name}.sql").read_text()


def test_a_past_holds_an_action_in_every_state(past: Path) -> None:
    for query, states in STATES.items():
        assert states <= set(rows(file_of(past), query)), query
    assert [table for table in FILLED if rows(file_of(past), f"SELECT count(*) FROM {table}") == [0]] == []


async def test_an_upgraded_file_has_the_schema_of_a_new_one(past: Path, tmp_path: Path) -> None:
    await open_once(str(past))
    async with World(tmp_path).wallet("new"):
        pass
    assert schema_of(file_of(past)) == schema_of(tmp_path / "new.sqlite")
    applied = rows(file_of(past), "SELECT number, name FROM bwt_migrations ORDER BY number")
    assert applied == [(step.number, step.name) for step in MIGRATIONS]


async def test_an_upgraded_file_says_what_it_said_and_goes_on(past: Path) -> None:
    world = PastWorld(past)
    said = world.said
    async with world.wallet(NAME) as wallet:
        world.assert_sound(NAME)
        assert await say(wallet) == {name: said[name] for name in ("balance", "change", "tokens", "actions")}
        again = await wallet.create_action(KEYED, APP, idempotency_key=KEY)
        assert again["txid"] == said["keyed"]
        await come_to_rest(world, wallet)
        await pay_everything_out(world, wallet)
    world.assert_sound(NAME)
    world.chain.close()


async def come_to_rest(world: PastWorld, wallet: OpenWallet) -> None:
    for minutes in (1, 10, 60, 25 * 60):
        world.clock.advance(minutes * MINUTE)
        await wallet.monitor.run_until_idle()
        world.assert_sound(NAME)
        world.chain.mine()
        await wallet.monitor.run_until_idle()
        world.assert_sound(NAME)
    path = world.path(NAME)
    assert set(rows(path, "SELECT DISTINCT status FROM transactions")) == {"completed", "failed"}
    assert set(rows(path, "SELECT reason FROM bwt_holds")) == {"spentElsewhere"}
    for table in ("bwt_jobs", "bwt_suspects"):
        assert rows(path, f"SELECT count(*) FROM {table}") == [0], table


async def pay_everything_out(world: PastWorld, wallet: OpenWallet) -> None:
    balance = await wallet.balance()
    assert balance == world.chain_balance(), "every coin on the chain counts again"
    await wallet.create_action(payment_to(NOWHERE, balance - 90, delayed=False))
    world.chain.mine()
    await wallet.monitor.run_until_idle()
    assert await wallet.balance() < 90
    assert rows(world.path(NAME), "SELECT count(*) FROM transactions WHERE status NOT IN ('completed', 'failed')") == [
        0
    ]


# Interrupted migrations


async def test_a_migration_that_fails_in_the_middle_changes_nothing(past: Path) -> None:
    def fail(tx: Transaction) -> None:
        half_a_step(tx)
        raise WERR_INTERNAL("in the middle")

    await open_once(str(past))
    before = dump(file_of(past))
    async with SqliteEngine.open(file_of(past), clock=ManualClock()) as engine:
        with pytest.raises(WERR_INTERNAL, match="in the middle"):
            await migrate(engine, (*MIGRATIONS, Migration(NEWEST + 1, "fails", fail)))
    assert dump(file_of(past)) == before
    await assert_opens(past)


async def test_a_process_that_dies_in_the_middle_of_a_migration_leaves_the_file_as_it_was(
    past: Path, processes: multiprocessing.context.ForkServerContext
) -> None:
    await open_once(str(past))
    before = dump(file_of(past))
    assert died(processes, upgrade_and_die, str(past))
    await assert_opens(past)
    assert dump(file_of(past)) == before


@pytest.mark.parametrize("point", [Failpoint.ENGINE_BEFORE_COMMIT, Failpoint.ENGINE_AFTER_COMMIT])
async def test_a_process_that_dies_while_it_opens_a_file_leaves_one_that_opens(
    past: Path, processes: multiprocessing.context.ForkServerContext, tmp_path: Path, point: Failpoint
) -> None:
    kills = 0
    while True:
        directory = shutil.copytree(past, tmp_path / f"killed {kills}")
        if not died(processes, open_and_die, str(directory), point.value, kills + 1):
            break
        kills += 1
        await assert_opens(directory)
    assert kills >= 1 + NEWEST - len(rows(file_of(past), "SELECT number FROM bwt_migrations"))


@pytest.mark.parametrize("point", [Failpoint.ENGINE_BEFORE_COMMIT, Failpoint.ENGINE_AFTER_COMMIT])
async def test_a_process_that_dies_while_it_makes_a_file_leaves_one_that_can_be_made(
    processes: multiprocessing.context.ForkServerContext, tmp_path: Path, point: Failpoint
) -> None:
    kills = 0
    while True:
        directory = tmp_path / f"killed {kills}"
        directory.mkdir()
        if not died(processes, open_and_die, str(directory), point.value, kills + 1):
            break
        kills += 1
        await open_once(str(directory))
        world = PastWorld(directory)
        async with world.wallet(NAME) as wallet:
            await world.fund(wallet, 1_000)
            await wallet.create_action(payment_to(NOWHERE, 900, delayed=False))
        world.assert_sound(NAME)
        world.chain.close()
    assert kills > NEWEST


@pytest.fixture(scope="module")
def processes() -> Iterator[multiprocessing.context.ForkServerContext]:
    """Processes that are forked from one which has imported everything and opened nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["upgrade_past"])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # the forking process knows no other way to ours
        yield context


def died(processes: multiprocessing.context.ForkServerContext, target: Callable[..., None], *args: str | int) -> bool:
    """Whether a process that runs the target was killed; otherwise it ended well."""
    process = processes.Process(target=target, args=args)
    process.start()
    process.join(60)
    code = process.exitcode
    process.close()
    assert code in (0, -9)
    return code == -9


async def assert_opens(past: Path) -> None:
    world = PastWorld(past)
    said = world.said
    async with world.wallet(NAME) as wallet:
        assert await say(wallet) == {name: said[name] for name in ("balance", "change", "tokens", "actions")}
    world.assert_sound(NAME)
    world.chain.close()
