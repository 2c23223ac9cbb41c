"""A process killed, or an error raised, at every durable boundary: what is on disk is sound and nothing is stuck."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fault_scenarios import COINS, MINUTE, SATOSHIS, SCENARIOS, AtPass, FileWorld, act, act_and_die, prepare

from bsv_wallet_toolbox.errors import WERR_INTERNAL, WalletError
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.seams import Failpoint, SeededEntropy
from wallet_file import rows, spent_twice
from wallet_world import NOWHERE, payment_to

pytestmark = pytest.mark.anyio

MAX_PASSES = 3
"""Of each boundary and scenario; later passes repeat what an earlier one showed."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of a scenario as it was before the act, made once."""
    directories: dict[str, Path] = {}

    def directory_of(name: str) -> Path:
        return directories[name]

    for name, scenario in SCENARIOS.items():
        directories[name] = tmp_path_factory.mktemp(name.replace(" ", "-"))
        asyncio.run(prepare(directories[name], scenario))
    return directory_of


@pytest.fixture(scope="module")
def passes(prepared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Counter[Failpoint]]:
    """How often each scenario passes each boundary when nobody disturbs it."""
    counts: dict[str, Counter[Failpoint]] = {}
    for name, scenario in SCENARIOS.items():
        directory = tmp_path_factory.mktemp("undisturbed") / "world"
        shutil.copytree(prepared(name), directory)
        counter: Counter[Failpoint] = Counter()
        asyncio.run(act(directory, scenario, lambda point, counter=counter: counter.update([point])))
        counts[name] = counter
    return counts


@pytest.fixture(scope="module")
def processes() -> Iterator[multiprocessing.context.ForkServerContext]:
    """Processes that are forked from one which has imported everything and opened nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fault_scenarios"])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # the forking process knows no other way to ours
        yield context


def disturbances(passes: Counter[Failpoint]) -> Iterator[tuple[Failpoint, int]]:
    for point in Failpoint:
        for number in range(1, min(passes[point], MAX_PASSES) + 1):
            yield point, number


async def assert_recovers(directory: Path, *, behind_the_chain: bool) -> None:
    """Reopened, watched over and mined, everything is finished and every satoshi is where it should be.

    The file is sound before that too, unless the chain was reorganised and the wallet has not been told.
    """
    world = FileWorld(directory)
    if not behind_the_chain:
        world.assert_sound("alice")
    path = world.path("alice")
    async with world.wallet("alice", entropy=SeededEntropy("recovery")) as alice:
        await send_what_is_held_back(alice)
        for minutes in (10, 60, 24 * 60):
            world.pass_time(minutes * MINUTE)
            await alice.monitor.run_until_idle()
            world.chain.mine()
            await alice.monitor.run_until_idle()
            world.assert_sound("alice")
        assert_nothing_is_stuck(path)
        balance = await alice.balance()
        assert balance == sum(rows(path, "SELECT satoshis FROM transactions WHERE status = 'completed'"))
        if balance > 100:
            await alice.create_action(payment_to(NOWHERE, balance - 90, delayed=False))
    world.assert_sound("alice")
    world.close()


async def send_what_is_held_back(alice: OpenWallet) -> None:
    """It waits for its owner for ever; nothing else does."""
    actions = (await alice.list_actions({"labels": [], "limit": 100}))["actions"]
    held_back = [action["txid"] for action in actions if action["status"] == "nosend"]
    if held_back:
        await alice.create_action({"description": "at last", "options": {"sendWith": held_back}})


def assert_nothing_is_stuck(path: Path) -> None:
    states = set(rows(path, "SELECT DISTINCT status FROM transactions"))
    assert states <= {"completed", "failed"}
    assert set(rows(path, "SELECT DISTINCT status FROM proven_tx_reqs")) <= {"completed", "invalid"}
    assert rows(path, "SELECT count(*) FROM bwt_pending") == [0]
    assert rows(path, "SELECT count(*) FROM bwt_jobs") == [0]
    assert rows(path, "SELECT count(*) FROM bwt_holds") == [0]
    assert rows(path, "SELECT count(*) FROM bwt_suspects") == [0]
    assert spent_twice(path) == []
    stuck = """
        SELECT o.outputId FROM outputs o JOIN transactions parent USING (transactionId)
        LEFT JOIN transactions spender ON spender.transactionId = o.spentBy
        WHERE o.change = 1 AND parent.status = 'completed' AND o.spendable = 0
        AND (spender.status IS NULL OR spender.status <> 'completed')
    """
    assert rows(path, stuck) == []


def test_every_boundary_is_passed_by_a_scenario(passes: dict[str, Counter[Failpoint]]) -> None:
    assert {point for counter in passes.values() for point in counter} == set(Failpoint)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_undisturbed(name: str, prepared: Callable[[str], Path], tmp_path: Path) -> None:
    shutil.copytree(prepared(name), tmp_path / "world")
    await act(tmp_path / "world", SCENARIOS[name], lambda point: None)
    await assert_recovers(tmp_path / "world", behind_the_chain=False)


@pytest.mark.parametrize("name", SCENARIOS)
async def test_killed(
    name: str,
    prepared: Callable[[str], Path],
    passes: dict[str, Counter[Failpoint]],
    processes: multiprocessing.context.ForkServerContext,
    tmp_path: Path,
) -> None:
    for point, number in disturbances(passes[name]):
        directory = tmp_path / f"{point} {number}"
        shutil.copytree(prepared(name), directory)
        process = processes.Process(target=act_and_die, args=(str(directory), name, point.value, number))
        process.start()
        process.join(30)
        assert process.exitcode == -9, f"{name} was not killed at pass {number} of {point}"
        process.close()
        try:
            await assert_recovers(directory, behind_the_chain=name.startswith("reorganise"))
        except BaseException as error:
            error.add_note(f"{name}, killed at pass {number} of {point}")
            raise


@pytest.mark.parametrize("name", SCENARIOS)
async def test_an_error_raised(
    name: str, prepared: Callable[[str], Path], passes: dict[str, Counter[Failpoint]], tmp_path: Path
) -> None:
    def fail() -> None:
        raise WERR_INTERNAL("injected")

    for point, number in disturbances(passes[name]):
        directory = tmp_path / f"{point} {number}"
        shutil.copytree(prepared(name), directory)
        try:
            with suppress(WalletError):
                await act(directory, SCENARIOS[name], AtPass(point, number, fail))
            await assert_recovers(directory, behind_the_chain=name.startswith("reorganise"))
        except BaseException as error:
            error.add_note(f"{name}, failed at pass {number} of {point}")
            raise


@pytest.mark.parametrize("name", ["create delayed", "create immediate"])
async def test_after_a_kill_the_same_key_pays_once(
    name: str,
    prepared: Callable[[str], Path],
    passes: dict[str, Counter[Failpoint]],
    processes: multiprocessing.context.ForkServerContext,
    tmp_path: Path,
) -> None:
    for point, number in disturbances(passes[name]):
        directory = tmp_path / f"{point} {number}"
        shutil.copytree(prepared(name), directory)
        process = processes.Process(target=act_and_die, args=(str(directory), name, point.value, number))
        process.start()
        process.join(30)
        process.close()
        world = FileWorld(directory)
        world.pass_time(10 * MINUTE)
        async with world.wallet("alice", entropy=SeededEntropy("retry")) as alice:
            await alice.monitor.run_until_idle()
            await SCENARIOS[name].act(world, alice)
            assert await alice.balance() in range(COINS * SATOSHIS - 3_005, COINS * SATOSHIS - 3_000)
        assert rows(world.path("alice"), "SELECT count(*) FROM transactions WHERE isOutgoing = 1") == [1]
        world.assert_sound("alice")
        world.close()
