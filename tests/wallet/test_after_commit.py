"""Once a payment is committed, whatever goes wrong reaches the caller with its txid, and nobody pays again for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bsv_wallet_toolbox.database.errors import DiskFull
from bsv_wallet_toolbox.errors import WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.interfaces.services import PostAnswer, RawTxAnswer, TxStatusAnswer, UtxoStatus
from bsv_wallet_toolbox.mockchain import Fault, MockServices
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.seams import Failpoint, SeededEntropy, failpoints_armed
from wallet_file import rows, state_of
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

PAYMENT = payment_to(NOWHERE, 1000, delayed=False)
PAST_THE_CLAIM = 121_000
OUTGOING = "SELECT txid FROM transactions WHERE isOutgoing = 1"


class BrokenServices(MockServices):
    """Raise what no service may raise, from the method named in ``broken``."""

    broken = ""

    def _break(self, method: str) -> None:
        if method == self.broken:
            raise KeyError("a bug in a provider")

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        self._break("post_beef")
        return await super().post_beef(beef, txids)

    async def get_status_for_txids(self, txids: Sequence[str]) -> TxStatusAnswer:
        self._break("get_status_for_txids")
        return await super().get_status_for_txids(txids)

    async def get_raw_tx(self, txid: str) -> RawTxAnswer:
        self._break("get_raw_tx")
        return await super().get_raw_tx(txid)

    async def is_utxo(self, txid: str, vout: int, locking_script: bytes) -> UtxoStatus:
        self._break("is_utxo")
        return await super().is_utxo(txid, vout, locking_script)


async def told_of(wallet: OpenWallet, args: dict[str, Any] = PAYMENT) -> WERR_REVIEW_ACTIONS:
    with pytest.raises(WERR_REVIEW_ACTIONS) as told:
        await wallet.create_action(args, idempotency_key="invoice")
    return told.value


async def assert_finished_by_the_monitor(world: World, wallet: OpenWallet, txid: str) -> None:
    """Once the claim of the caller has run out, it is sent and mined; asking again still pays nothing."""
    path = world.path("alice")
    world.clock.advance(PAST_THE_CLAIM)
    await wallet.monitor.run_until_idle()
    assert state_of(path, txid)[:2] == ("unproven", "unmined")
    again = await wallet.create_action(PAYMENT, idempotency_key="invoice")
    assert (again["txid"], again["sendWithResults"][0]["status"]) == (txid, "unproven")
    world.chain.mine()
    await wallet.monitor.run_until_idle()
    assert state_of(path, txid)[:2] == ("completed", "completed")
    assert rows(path, OUTGOING) == [txid]
    assert len(world.chain.utxos_of(bytes.fromhex(NOWHERE))) == 1


@pytest.mark.parametrize("error", [DiskFull("record verdict: the disk is full"), RuntimeError("a bug")], ids=repr)
@pytest.mark.parametrize(
    "point", [Failpoint.BROADCAST_BEFORE_POST, Failpoint.BROADCAST_AFTER_POST, Failpoint.VERDICT_BEFORE_COMMIT]
)
async def test_an_error_on_our_side_leaves_the_rest_to_the_monitor(
    world: World, alice: OpenWallet, point: Failpoint, error: Exception
) -> None:
    await world.fund(alice, 10_000, count=5)

    def fail(passed: Failpoint) -> None:
        if passed is point:
            raise error

    with failpoints_armed(fail):
        told = await told_of(alice)
    assert rows(world.path("alice"), OUTGOING) == [told.txid]
    assert told.send_with_results == [{"txid": told.txid, "status": "sending"}]
    assert told.tx is not None
    assert (await told_of(alice)).txid == told.txid
    await assert_finished_by_the_monitor(world, alice, str(told.txid))


@pytest.mark.parametrize(
    ("broken", "answer"),
    [
        ("post_beef", None),
        ("get_status_for_txids", Fault.REJECTED),
        ("get_raw_tx", Fault.DOUBLE_SPEND_CLAIM),
    ],
)
async def test_a_service_that_raises_has_told_nothing(world: World, broken: str, answer: Fault | None) -> None:
    services = BrokenServices(world.chain)
    world.services = services
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, count=5)
        services.broken = broken
        if answer is not None:
            services.faults.set("post_beef", answer)
        told = await told_of(alice)
        assert state_of(world.path("alice"), str(told.txid)) == ("sending", "unsent", 1)
        assert (await told_of(alice)).txid == told.txid
        services.broken = ""
        services.faults.clear()
        await assert_finished_by_the_monitor(world, alice, str(told.txid))
    world.assert_sound("alice")


async def test_inputs_are_held_when_the_index_raises(world: World) -> None:
    services = BrokenServices(world.chain)
    world.services = services
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        services.broken = "is_utxo"
        services.faults.set("post_beef", Fault.FEE_TOO_LOW)
        told = await told_of(alice)
        assert state_of(world.path("alice"), str(told.txid))[:2] == ("failed", "invalid")
        assert rows(world.path("alice"), "SELECT reason FROM bwt_holds") == ["awaitingEvidence"]
    world.assert_sound("alice")


async def test_a_failed_payment_is_told_again_after_a_restart(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        world.services.faults.set("post_beef", Fault.FEE_TOO_LOW)
        told = await told_of(alice)
    async with world.wallet("alice", entropy=SeededEntropy("after the restart")) as alice:
        world.services.faults.clear()
        again = await told_of(alice)
        assert again.txid == told.txid
        assert again.send_with_results == [{"txid": told.txid, "status": "failed"}]
        assert rows(world.path("alice"), OUTGOING) == [told.txid]
    world.assert_sound("alice")
