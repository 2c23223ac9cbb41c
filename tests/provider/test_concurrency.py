"""Many callers and many processes on one file: no coin is used twice, and nobody fails for a lock."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.mockchain import MockChain, MockServices, SqliteStore
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.seams import SeededEntropy
from bsv_wallet_toolbox.wallet.wallet import Wallet
from storage_adapters import TwoCommits
from wallet_file import rows, spent_twice
from wallet_world import NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

WORKER = Path(__file__).with_name("paying_worker.py")


async def two_commit_wallet(opened: OpenWallet) -> Wallet:
    scope = await opened.provider.find_user(opened.identity_key)
    storage = TwoCommits(opened.provider.for_user(scope))
    return Wallet(KeyDeriver(key_of("alice")), storage, opened.provider.services)


def assert_consistent(path: Path) -> None:
    """Every coin is spent once, by the transaction that its row names."""
    assert spent_twice(path) == []
    claimed = "SELECT count(*), count(DISTINCT outputId) FROM outputs WHERE spentBy IS NOT NULL AND spendable = 0"
    ((count, distinct),) = rows(path, claimed)
    assert count == distinct
    assert rows(path, "SELECT count(*) FROM outputs WHERE spentBy IS NOT NULL AND spendable = 1") == [0]


def want_no_change(path: Path) -> None:
    """Let an action spend no more coins than it pays out: by default it would spend some to make change of them."""
    db = apsw.Connection(str(path))
    db.execute("UPDATE output_baskets SET numberOfDesiredUTXOs = 0")
    db.close()


@pytest.mark.parametrize("delayed", [True, False])
@pytest.mark.parametrize("two_commits", [False, True])
async def test_fifty_payments_at_once(world: World, delayed: bool, two_commits: bool) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1000, count=120)
        wallet = await two_commit_wallet(alice) if two_commits else alice
        before = await alice.balance()
        args = payment_to(NOWHERE, 700, delayed=delayed)
        results = await asyncio.gather(*(wallet.create_action(args) for _ in range(50)))
        path = world.path("alice")
        assert len({result["txid"] for result in results}) == 50
        assert_consistent(path)
        (paid,) = rows(path, "SELECT sum(satoshis) FROM transactions WHERE isOutgoing = 1")
        assert await alice.balance() == before + paid
        world.assert_sound("alice")
        await alice.monitor.run_until_idle()
        world.chain.mine()
        await alice.monitor.run_until_idle()
        assert rows(path, "SELECT count(*) FROM transactions WHERE status = 'completed'") == [51]
        assert await alice.balance() == before + paid
    world.assert_sound("alice")


@pytest.mark.parametrize("two_commits", [False, True])
async def test_more_callers_than_coins(world: World, two_commits: bool) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1000, count=5)
        want_no_change(world.path("alice"))
        wallet = await two_commit_wallet(alice) if two_commits else alice
        calls = [wallet.create_action(payment_to(NOWHERE, 999)) for _ in range(20)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        assert [type(failure) for failure in failures] == [WERR_INSUFFICIENT_FUNDS] * 15
        assert_consistent(world.path("alice"))
        assert rows(world.path("alice"), "SELECT count(*) FROM transactions WHERE status = 'unsigned'") == [0]


async def test_two_wallets_of_one_file_in_one_process(world: World) -> None:
    async with world.wallet("alice") as first:
        await world.fund(first, 1000, count=40)
        want_no_change(world.path("alice"))
        async with world.wallet("alice", entropy=SeededEntropy("the other")) as second:
            args = payment_to(NOWHERE, 999)
            calls = [wallet.create_action(args) for wallet in (first, second) for _ in range(20)]
            results = await asyncio.gather(*calls)
    assert len({result["txid"] for result in results}) == 40
    assert_consistent(world.path("alice"))


@dataclass(frozen=True)
class Answers:
    txids: list[str]
    errors: list[str]


def run_workers(world: World, chain: Path, count: int, satoshis: int, mode: str, commits: str) -> Answers:
    """Four processes that start to pay at the same moment."""
    command = [sys.executable, str(WORKER), str(world.path("alice")), str(chain), str(count), str(satoshis)]
    workers = [
        subprocess.Popen([*command, mode, commits], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        answers: list[dict[str, Any]] = []
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        answers = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    return Answers(
        [txid for each in answers for txid in each["txids"]], [error for each in answers for error in each["errors"]]
    )


def shared_chain(world: World) -> Path:
    """Let the world play on a chain in a file, which the workers open too."""
    path = world.directory / "chain.sqlite"
    world.chain = MockChain(
        SqliteStore(path), clock=world.clock, entropy=SeededEntropy("chain"), deterministic=True, premine=True
    )
    world.services = MockServices(world.chain)
    return path


async def test_four_processes_find_fifty_coins_for_fifty_payments(world: World) -> None:
    chain = shared_chain(world)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1000, count=50)
    want_no_change(world.path("alice"))
    answers = run_workers(world, chain, 13, 999, "delayed", "one")
    assert answers.errors == ["WERR_INSUFFICIENT_FUNDS"] * 2
    assert len(set(answers.txids)) == 50
    path = world.path("alice")
    assert_consistent(path)
    assert rows(path, "SELECT count(*) FROM outputs WHERE spendable = 1 AND change = 1") == [0]


@pytest.mark.parametrize(("mode", "commits"), [("immediate", "one"), ("delayed", "two")])
async def test_four_processes_pay_and_all_is_mined(world: World, mode: str, commits: str) -> None:
    chain = shared_chain(world)
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1000, count=80)
        before = await alice.balance()
    answers = run_workers(world, chain, 8, 700, mode, commits)
    assert answers.errors == []
    path = world.path("alice")
    assert_consistent(path)
    assert len({(prefix, suffix) for prefix, suffix in _change_keys(path)}) == len(_change_keys(path))
    async with world.wallet("alice", entropy=SeededEntropy("afterwards")) as alice:
        world.clock.advance(10 * 365 * 86_400_000)  # past the clock of the workers, which was the real one
        await alice.monitor.run_until_idle()
        world.chain.mine()
        await alice.monitor.run_until_idle()
        (paid,) = rows(path, "SELECT sum(satoshis) FROM transactions WHERE isOutgoing = 1")
        assert rows(path, "SELECT count(*) FROM transactions WHERE status = 'completed'") == [33]
        assert await alice.balance() == before + paid
    world.assert_sound("alice")


def _change_keys(path: Path) -> list[tuple[str, str]]:
    columns = "derivationPrefix, derivationSuffix"
    return rows(path, f"SELECT {columns} FROM outputs WHERE purpose = 'change' AND senderIdentityKey IS NULL")
