"""Who may say what became of a transaction: whoever holds its claim, by the clock as it is now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bsv_wallet_toolbox.errors import WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.interfaces.services import PostAnswer, PostOutcome, RejectReason, UtxoStatus
from bsv_wallet_toolbox.mockchain import Fault, MockServices
from wallet_file import rows, state_of
from wallet_world import FUNDER, NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

PAYMENT = payment_to(NOWHERE, 1000, delayed=False)
PAST_THE_CLAIM = 121_000
MINUTE, HOUR = 60_000, 3_600_000
MONTH = 30 * 24 * HOUR


class SlowIndex(MockServices):
    """The first post is refused; its inputs are seen unspent, but the answer comes after the second post was taken.

    The second post is answered when ``may_answer`` is set.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world.chain)
        self.was_asked, self.was_taken, self.may_answer = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._refuses = True

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        if self._refuses:
            self._refuses = False
            too_low = RejectReason.FEE_TOO_LOW
            return [PostAnswer("one", txid, PostOutcome.REJECTED, reason=too_low) for txid in txids]
        answers = await super().post_beef(beef, txids)
        self.was_taken.set()
        await self.may_answer.wait()
        return answers

    async def is_utxo(self, txid: str, vout: int, locking_script: bytes) -> UtxoStatus:
        seen = await super().is_utxo(txid, vout, locking_script)
        self.was_asked.set()
        await self.was_taken.wait()
        return seen


async def test_a_verdict_whose_claim_ran_out_ends_nothing(world: World) -> None:
    services = SlowIndex(world)
    world.services = services
    path = world.path("alice")
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        paying = asyncio.ensure_future(alice.create_action(PAYMENT))
        await services.was_asked.wait()
        world.clock.advance(PAST_THE_CLAIM)
        watching = asyncio.ensure_future(alice.monitor.run_until_idle())
        with pytest.raises(WERR_REVIEW_ACTIONS) as told:
            await paying
        txid = str(told.value.txid)
        assert told.value.send_with_results == [{"txid": txid, "status": "sending"}]
        assert state_of(path, txid)[:2] == ("sending", "unsent"), "the monitor is still asking"
        assert rows(path, "SELECT spendable, spentBy FROM outputs WHERE transactionId = 1") == [(0, 2)]
        services.may_answer.set()
        await watching
        assert state_of(path, txid)[:2] == ("unproven", "unmined")
    world.assert_sound("alice")


async def test_a_clock_that_was_wrong_for_a_moment_stops_nothing(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        world.clock.advance(MONTH)
        await alice.provider.find_or_insert_user(FUNDER.identity_key)  # something is dated meanwhile
        world.clock.advance(-MONTH)
        world.services.faults.set("post_beef", Fault.UNAVAILABLE, times=1)
        with pytest.raises(WERR_REVIEW_ACTIONS) as told:
            await alice.create_action(PAYMENT)
        world.clock.advance(HOUR)
        await alice.monitor.run_until_idle()
        assert state_of(world.path("alice"), str(told.value.txid))[:2] == ("unproven", "unmined")
        world.chain.mine()
        world.clock.advance(HOUR)
        await alice.monitor.run_until_idle()
        assert state_of(world.path("alice"), str(told.value.txid))[:2] == ("completed", "completed")
    world.assert_sound("alice")


async def test_what_was_put_off_under_a_clock_that_was_ahead_is_due(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        world.clock.advance(12 * MONTH)
        txid = str((await alice.create_action(payment_to(NOWHERE, 1000)))["txid"])
        world.clock.advance(-12 * MONTH)
        await alice.monitor.run_until_idle()
        assert state_of(world.path("alice"), txid)[:2] == ("unproven", "unmined")


async def test_what_was_put_off_for_an_hour_is_not_due_before(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        await alice.create_action(payment_to(NOWHERE, 1000))
        world.services.faults.set("post_beef", Fault.UNAVAILABLE)
        for _ in range(5):
            world.clock.advance(HOUR)
            await alice.monitor.run_until_idle()
        posts = world.services.calls["post_beef"]
        for part in (MINUTE, HOUR - MINUTE - 1):
            world.clock.advance(part)
            await alice.monitor.run_until_idle()
        assert world.services.calls["post_beef"] == posts
        world.clock.advance(1)
        await alice.monitor.run_until_idle()
        assert world.services.calls["post_beef"] == posts + 1
