"""A process killed, or an error raised, at every durable boundary: what is on disk is sound and nothing is stuck."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fault_scenarios import COINS, MINUTE, SATOSHIS, SCENARIOS, AtPass, FileWorld, act, act_and_die, prepare
from recovery import assert_recovers

from bsv_wallet_toolbox.errors import WERR_INTERNAL, WalletError
from bsv_wallet_toolbox.seams import Failpoint, SeededEntropy
from wallet_file import rows

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


def disturbances(passes: Counter[Failpoint]) -> Iterator[tuple[Failpoint, int]]:
    for point in Failpoint:
        for number in range(1, min(passes[point], MAX_PASSES) + 1):
            yield point, number


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
