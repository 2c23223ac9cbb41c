"""A caller that goes away at any moment: the payment exists once or not at all, and the wallet is sound."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Generator
from pathlib import Path
from typing import Any

import anyio
import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.seams import Failpoint, SeededEntropy, failpoints_armed
from incoming_payments import internalize_args, unmined_payment
from wallet_file import coins_of, rows
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

PASSED_BY_A_PAYMENT = [
    Failpoint.CREATE_BEFORE_COMMIT,
    Failpoint.CREATE_AFTER_COMMIT,
    Failpoint.ENGINE_BEFORE_COMMIT,
    Failpoint.ENGINE_AFTER_COMMIT,
    Failpoint.BROADCAST_BEFORE_POST,
    Failpoint.BROADCAST_AFTER_POST,
    Failpoint.VERDICT_BEFORE_COMMIT,
    Failpoint.VERDICT_AFTER_COMMIT,
]


class CancelledAtAwait:
    """Awaits something, and is cancelled when it waits for the ``number``-th time (counted from 0)."""

    def __init__(self, inner: Awaitable[Any], number: int) -> None:
        self._inner = inner
        self._number = number
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._inner.__await__()
        try:
            waited_for = next(steps)
            while True:
                if self.waits == self._number:
                    task = asyncio.current_task()
                    assert task is not None
                    task.cancel()
                self.waits += 1
                try:
                    yield waited_for
                except BaseException as error:
                    waited_for = steps.throw(error)
                else:
                    waited_for = next(steps)
        except StopIteration as end:
            return end.value


def outgoing(path: Path) -> int:
    return int(rows(path, "SELECT count(*) FROM transactions WHERE isOutgoing = 1")[0])


async def settle(world: World, payments: int, key: str | None, args: dict[str, Any]) -> None:
    """Reopen, pay again under the same key, let everything be mined: ``payments`` in all, and nothing is missing."""
    path = world.path("alice")
    async with world.wallet("alice", entropy=SeededEntropy(f"settling {payments} {key}")) as alice:
        world.clock.advance(300_000)
        await alice.monitor.run_until_idle()
        if key is not None:
            await alice.create_action(args, idempotency_key=key)
        await alice.monitor.run_until_idle()
        world.chain.mine()
        await alice.monitor.run_until_idle()
        unfinished = rows(path, "SELECT status FROM transactions WHERE status <> 'completed'")
        assert unfinished == []
        assert outgoing(path) == payments
        assert await alice.balance() == sum(rows(path, "SELECT satoshis FROM transactions"))
    world.assert_sound("alice")


@pytest.mark.parametrize("delayed", [True, False])
async def test_cancelled_at_each_await_of_the_caller(world: World, delayed: bool) -> None:
    args = payment_to(NOWHERE, 500, delayed=delayed)
    path = world.path("alice")
    async with world.wallet("alice") as alice:
        await world.fund(alice, 2_000, count=60)
    for number in range(50):
        before, coins = outgoing(path), coins_of(path)
        async with world.wallet("alice", entropy=SeededEntropy(f"run {number}")) as alice:
            call = CancelledAtAwait(alice.create_action(args, idempotency_key=f"key {number}"), number)
            task = asyncio.ensure_future(_finish(call))
            await asyncio.wait([task])
        if not task.cancelled():
            break
        if outgoing(path) == before:
            assert coins_of(path) == coins
        assert outgoing(path) <= before + 1
        await settle(world, before + 1, f"key {number}", args)
    assert number >= 1, "the call waits at least once"
    await settle(world, number + 1, None, args)


async def _finish(call: CancelledAtAwait) -> Any:
    return await call


@pytest.mark.parametrize("delayed", [True, False])
async def test_cancelled_after_each_turn_of_the_loop(world: World, delayed: bool) -> None:
    args = payment_to(NOWHERE, 500, delayed=delayed)
    path = world.path("alice")
    async with world.wallet("alice") as alice:
        await world.fund(alice, 2_000, count=100)
    for turns in range(12):
        before = outgoing(path)
        async with world.wallet("alice", entropy=SeededEntropy(f"turns {turns}")) as alice:
            task = asyncio.ensure_future(alice.create_action(args, idempotency_key=f"key {turns}"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert before <= outgoing(path) <= before + 1
        await settle(world, before + 1, f"key {turns}", args)


@pytest.mark.parametrize("point", PASSED_BY_A_PAYMENT)
async def test_cancelled_at_each_durable_boundary(world: World, point: Failpoint) -> None:
    args = payment_to(NOWHERE, 500, delayed=False)
    path = world.path("alice")
    async with world.wallet("alice") as alice:
        await world.fund(alice, 2_000, count=10)
        await alice.create_action(args)  # reserves derivation counters, which passes the engine's boundaries too
    loop = asyncio.get_running_loop()
    async with world.wallet("alice", entropy=SeededEntropy("cancelled")) as alice:
        task = asyncio.ensure_future(alice.create_action(args, idempotency_key="key"))
        reached: list[Failpoint] = []

        def cancel(passed: Failpoint) -> None:
            if passed is point:
                reached.append(passed)
                loop.call_soon_threadsafe(task.cancel)

        with failpoints_armed(cancel):
            await asyncio.wait([task])
            await alice.provider.close()
        assert reached
    assert 1 <= outgoing(path) <= 2
    if point not in (Failpoint.ENGINE_BEFORE_COMMIT, Failpoint.ENGINE_AFTER_COMMIT):
        assert outgoing(path) == 2, "past its last check the payment is carried through"
        posted = rows(path, "SELECT count(*) FROM proven_tx_reqs WHERE status = 'unmined'")
        assert posted == [2], "what was committed was sent and its verdict recorded"
    await settle(world, 2, "key", args)


async def test_cancelled_before_its_turn_it_leaves_nothing(world: World) -> None:
    release = threading.Event()
    async with world.wallet("alice") as alice:
        await world.fund(alice, 2_000, count=3)
        await alice.create_action(payment_to(NOWHERE, 500))  # reserves derivation counters
        path = world.path("alice")
        before, coins = outgoing(path), coins_of(path)
        busy = asyncio.ensure_future(alice.provider.engine.write(lambda tx: release.wait(30)))
        task = asyncio.ensure_future(alice.create_action(payment_to(NOWHERE, 500)))
        for _ in range(10):
            await asyncio.sleep(0)  # it waits for the engine's thread by now
        task.cancel()
        await asyncio.wait([task])
        release.set()
        assert await busy
    assert (outgoing(path), coins_of(path)) == (before, coins)


async def test_callers_of_one_commit_do_not_take_each_other_down(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 2_000, count=40)
        args = payment_to(NOWHERE, 500)
        tasks = [asyncio.ensure_future(alice.create_action(args)) for _ in range(20)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.wait(tasks)
        kept = {task.result()["txid"] for task in tasks[1::2]}
        assert len(kept) == 10
    stored = set(rows(world.path("alice"), "SELECT txid FROM transactions WHERE isOutgoing = 1"))
    assert kept <= stored
    world.assert_sound("alice")


async def test_a_cancelled_internalize_counts_once(world: World) -> None:
    for turns in range(8):
        async with world.wallet("alice", entropy=SeededEntropy(f"turns {turns}")) as alice:
            before = await alice.balance()
            args = internalize_args(unmined_payment(world, alice, 500).beef)
            task = asyncio.ensure_future(alice.internalize_action(args))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        async with world.wallet("alice", entropy=SeededEntropy(f"again {turns}")) as alice:
            await alice.internalize_action(args)
            assert await alice.balance() == before + 500
        world.assert_sound("alice")


async def test_leaving_a_cancelled_block_releases_the_file(world: World) -> None:
    threads = set(threading.enumerate())
    async with world.wallet("alice") as alice:
        await world.fund(alice, 2_000, count=3)
    with anyio.CancelScope() as scope:
        async with (
            world.wallet("alice", entropy=SeededEntropy("cancelled")) as alice,
            anyio.create_task_group() as group,
        ):
            for _ in range(3):
                group.start_soon(_pay_ignoring_the_end, alice)
            await anyio.sleep(0)
            scope.cancel()
    assert scope.cancelled_caught
    left = [thread.name for thread in set(threading.enumerate()) - threads if thread.name.startswith("bsv-wallet")]
    assert left == []
    world.assert_sound("alice")


async def _pay_ignoring_the_end(wallet: OpenWallet) -> None:
    await wallet.create_action(payment_to(NOWHERE, 500))


async def test_a_closed_wallet_says_so(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 2_000)
    with pytest.raises(WERR_INVALID_OPERATION):
        await alice.create_action(payment_to(NOWHERE, 500))
