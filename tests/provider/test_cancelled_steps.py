"""A caller that goes away while it makes, signs, sends or gives up an action: what is repeated is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.seams import Failpoint, SeededEntropy, failpoints_armed
from caller_coins import Coin, caller_coin, output, spending, spends_of, two_step
from wallet_file import rows, state_of
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

Call = Callable[[OpenWallet], Awaitable[Any]]
TURNS = range(14)


async def cancelled_after(world: World, turns: int, call: Call) -> None:
    """Let the loop turn so often while the call is under way, cancel it, and close the wallet."""
    async with world.wallet("alice", entropy=SeededEntropy(f"turns {turns}")) as alice:
        task = asyncio.ensure_future(call(alice))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])


async def cancelled_at(world: World, point: Failpoint, call: Call) -> None:
    loop = asyncio.get_running_loop()
    async with world.wallet("alice", entropy=SeededEntropy("cancelled")) as alice:
        task = asyncio.ensure_future(call(alice))
        reached = []

        def cancel(passed: Failpoint) -> None:
            if passed is point:
                reached.append(passed)
                loop.call_soon_threadsafe(task.cancel)

        with failpoints_armed(cancel):
            await asyncio.wait([task])
            await alice.provider.close()
        assert reached


def actions(world: World) -> list[str]:
    return rows(world.path("alice"), "SELECT status FROM transactions WHERE isOutgoing = 1 ORDER BY transactionId")


class Waiting:
    """A wallet in whose file an action waits to be signed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.signable: dict[str, Any] = {}
        self.coin: Coin | None = None

    async def prepare(self) -> None:
        async with self.world.wallet("alice") as alice:
            await self.world.fund(alice, 5_000)
            self.signable, self.coin = await two_step(self.world, alice, caller_coin(self.world, 300))

    async def sign(self, alice: OpenWallet) -> Any:
        assert self.coin is not None
        args: Any = {
            "reference": self.signable["reference"],
            "spends": spends_of(self.signable, self.coin),
            "options": {"acceptDelayedBroadcast": False},
        }
        return await alice.sign_action(args, idempotency_key="s")

    async def assert_signed_once(self) -> None:
        """Whatever had become of the first call, a repeated one gives its result."""
        assert actions(self.world) in (["unsigned"], ["sending"], ["unproven"])
        async with self.world.wallet("alice") as alice:
            self.world.clock.advance(300_000)
            await alice.monitor.run_until_idle()
            signed = await self.sign(alice)
            assert state_of(self.world.path("alice"), signed["txid"])[0] == "unproven"
            assert await alice.balance() == 5_000 + 300 - 1_000 - 1
        assert actions(self.world) == ["unproven"]
        self.world.assert_sound()


@pytest.mark.parametrize("turns", TURNS)
async def test_signing_is_cancelled_after_each_turn_of_the_loop(world: World, turns: int) -> None:
    waiting = Waiting(world)
    await waiting.prepare()
    await cancelled_after(world, turns, waiting.sign)
    await waiting.assert_signed_once()


@pytest.mark.parametrize(
    "point",
    [
        Failpoint.PROCESS_BEFORE_COMMIT,
        Failpoint.PROCESS_AFTER_COMMIT,
        Failpoint.BROADCAST_BEFORE_POST,
        Failpoint.BROADCAST_AFTER_POST,
        Failpoint.VERDICT_BEFORE_COMMIT,
        Failpoint.VERDICT_AFTER_COMMIT,
    ],
)
async def test_signing_is_cancelled_at_each_durable_boundary(world: World, point: Failpoint) -> None:
    waiting = Waiting(world)
    await waiting.prepare()
    await cancelled_at(world, point, waiting.sign)
    assert actions(world) == ["unproven"], "past its last check it is carried through"
    await waiting.assert_signed_once()


@pytest.mark.parametrize("turns", TURNS)
async def test_making_a_signable_action_is_cancelled_after_each_turn_of_the_loop(world: World, turns: int) -> None:
    coin = caller_coin(world, 300)
    args: Any = spending(coin, outputs=[output(NOWHERE, 1_000)])
    async with world.wallet("alice") as alice:
        await world.fund(alice, 5_000)
    await cancelled_after(world, turns, lambda alice: alice.create_action(args, idempotency_key="k"))
    assert actions(world) in ([], ["unsigned"])
    async with world.wallet("alice") as alice:
        assert await alice.balance() == (0 if actions(world) else 5_000)
        signable: Any = (await alice.create_action(args, idempotency_key="k"))["signableTransaction"]
        assert actions(world) == ["unsigned"]
        await alice.sign_action({"reference": signable["reference"], "spends": spends_of(signable, coin)})
    world.assert_sound()


async def held_back(world: World) -> str:
    """The txid of a payment that waits to be sent."""
    held: Any = payment_to(NOWHERE, 100) | {"options": {"noSend": True}}
    async with world.wallet("alice") as alice:
        await world.fund(alice, 5_000)
        return str((await alice.create_action(held))["txid"])


@pytest.mark.parametrize("turns", TURNS)
async def test_sending_what_was_held_back_is_cancelled_after_each_turn_of_the_loop(world: World, turns: int) -> None:
    txid = await held_back(world)
    send: Any = {"description": "send it", "options": {"sendWith": [txid], "acceptDelayedBroadcast": False}}
    await cancelled_after(world, turns, lambda alice: alice.create_action(send))
    assert actions(world) in (["nosend"], ["unproven"]), "once it is shared it is carried through"
    async with world.wallet("alice") as alice:
        assert (await alice.create_action(send))["sendWithResults"] == [{"txid": txid, "status": "unproven"}]
        assert world.services.calls["post_beef"] == 1
    world.assert_sound()


@pytest.mark.parametrize("turns", TURNS)
async def test_giving_up_is_cancelled_after_each_turn_of_the_loop(world: World, turns: int) -> None:
    txid = await held_back(world)
    await cancelled_after(world, turns, lambda alice: alice.abort_action({"reference": txid}))
    assert actions(world) in (["nosend"], ["failed"])
    async with world.wallet("alice") as alice:
        with suppress(WERR_INVALID_PARAMETER):  # given up before
            await alice.abort_action({"reference": txid})
        assert actions(world) == ["failed"]
        assert await alice.balance() == 5_000
    world.assert_sound()
