"""The same request under the same key is carried out once, whatever happens in between."""

from __future__ import annotations

import asyncio

import apsw
import pytest

from bsv_wallet_toolbox.errors import (
    WERR_INSUFFICIENT_FUNDS,
    WERR_INVALID_MERKLE_ROOT,
    WERR_INVALID_PARAMETER,
    WERR_REVIEW_ACTIONS,
)
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.transactions.beef import Beef
from incoming_payments import internalize_args, mined_payment, unmined_payment
from wallet_file import row_counts, rows
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("delayed", [True, False])
async def test_the_same_key_pays_once_and_gives_the_same_result(world: World, alice: OpenWallet, delayed: bool) -> None:
    await world.fund(alice, 10_000, count=3)
    args = payment_to(NOWHERE, 1000, delayed=delayed)
    first = await alice.create_action(args, idempotency_key="invoice 7")
    counts, left = row_counts(world.path("alice")), await alice.balance()
    again = await alice.create_action(args, idempotency_key="invoice 7")
    assert (again["txid"], again["sendWithResults"]) == (first["txid"], first["sendWithResults"])
    assert (row_counts(world.path("alice")), await alice.balance()) == (counts, left)
    original, repeated = Beef.parse(first["tx"]), Beef.parse(again["tx"])
    assert set(original.transactions) == set(repeated.transactions)
    assert repeated.subject == first["txid"]


async def test_it_holds_after_a_restart(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, count=3)
        first = await alice.create_action(payment_to(NOWHERE, 1000), idempotency_key="invoice 7")
    async with world.wallet("alice") as alice:
        again = await alice.create_action(payment_to(NOWHERE, 1000), idempotency_key="invoice 7")
    assert again["txid"] == first["txid"]


@pytest.mark.parametrize("delayed", [True, False])
async def test_callers_at_the_same_time_pay_once(world: World, alice: OpenWallet, delayed: bool) -> None:
    await world.fund(alice, 10_000, count=20)
    args = payment_to(NOWHERE, 1000, delayed=delayed)
    results = await asyncio.gather(*(alice.create_action(args, idempotency_key="invoice 7") for _ in range(16)))
    assert len({result["txid"] for result in results}) == 1
    status = "sending" if delayed else "unproven"
    assert {each["status"] for result in results for each in result["sendWithResults"]} == {status}
    assert rows(world.path("alice"), "SELECT count(*) FROM transactions WHERE isOutgoing = 1") == [1]


async def test_other_arguments_under_the_same_key_are_an_error(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000, count=3)
    await alice.create_action(payment_to(NOWHERE, 1000), idempotency_key="invoice 7")
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.create_action(payment_to(NOWHERE, 1001), idempotency_key="invoice 7")
    assert refused.value.parameter == "idempotencyKey"


async def test_keys_of_different_apps_and_of_none_do_not_meet(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000, count=5)
    args = payment_to(NOWHERE, 1000)
    txids = {
        (await alice.create_action(args, originator, idempotency_key="1"))["txid"]
        for originator in (None, "a.example", "b.example")
    }
    txids |= {(await alice.create_action(args))["txid"] for _ in range(2)}
    assert len(txids) == 5


async def test_keys_of_different_methods_do_not_answer_each_other(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    await alice.create_action(payment_to(NOWHERE, 1000), idempotency_key="1")
    args = internalize_args(mined_payment(world, alice, 500))
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.internalize_action(args, idempotency_key="1")
    assert refused.value.parameter == "idempotencyKey"


async def test_what_failed_leaves_the_key_free(world: World, alice: OpenWallet) -> None:
    with pytest.raises(WERR_INSUFFICIENT_FUNDS):
        await alice.create_action(payment_to(NOWHERE, 1000), idempotency_key="1")
    await world.fund(alice, 10_000)
    await alice.create_action(payment_to(NOWHERE, 1000), idempotency_key="1")


async def test_after_an_outage_the_retry_does_not_pay_again(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000, count=3)
    args = payment_to(NOWHERE, 1000, delayed=False)
    world.services.faults.set("post_beef", Fault.UNAVAILABLE)
    with pytest.raises(WERR_REVIEW_ACTIONS) as told:
        await alice.create_action(args, idempotency_key="1")
    with pytest.raises(WERR_REVIEW_ACTIONS) as again:
        await alice.create_action(args, idempotency_key="1")
    assert again.value.txid == told.value.txid
    world.services.faults.clear()
    world.clock.advance(60_000)
    await alice.monitor.run_until_idle()
    result = await alice.create_action(args, idempotency_key="1")
    assert result["txid"] == told.value.txid
    assert result["sendWithResults"][0]["status"] == "unproven"


async def test_a_payment_taken_in_twice_under_one_key_counts_once(world: World, alice: OpenWallet) -> None:
    for payment in (mined_payment(world, alice, 500), unmined_payment(world, alice, 500).beef):
        args = internalize_args(payment)
        key = payment[:20].hex() + payment[-20:].hex()
        first = await alice.internalize_action(args, idempotency_key=key)
        again = await alice.internalize_action(args, idempotency_key=key)
        assert again == first
    assert await alice.balance() == 1000


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "\x00", "\ud800", 7, b"bytes", ["list"]])
async def test_a_key_is_a_short_printable_text(world: World, alice: OpenWallet, key: object) -> None:
    await world.fund(alice, 10_000)
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.create_action(payment_to(NOWHERE, 1000), idempotency_key=key)  # type: ignore[arg-type]
    assert refused.value.parameter == "idempotencyKey"
    assert await alice.balance() == 10_000


async def test_the_txid_is_given_again_also_when_it_cannot_be_proven_now(world: World) -> None:
    """Without it a caller would believe that nothing was paid, and pay again."""
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, count=3)
        first = await alice.create_action(payment_to(NOWHERE, 1000), idempotency_key="invoice 7")
    with apsw.Connection(str(world.path("alice"))) as db:
        db.execute("UPDATE proven_tx_reqs SET rawTx = NULL WHERE txid = ?", (first["txid"],))
    async with world.wallet("alice") as alice:
        again = await alice.create_action(payment_to(NOWHERE, 1000), idempotency_key="invoice 7")
    assert again == {key: value for key, value in first.items() if key != "tx"}


async def test_a_payment_taken_in_is_answered_again_after_its_block_was_orphaned(
    world: World, alice: OpenWallet
) -> None:
    args = internalize_args(mined_payment(world, alice, 700))
    first = await alice.internalize_action(args, idempotency_key="from bob")
    world.chain.reorg(world.chain.height, 2)
    with pytest.raises(WERR_INVALID_MERKLE_ROOT):
        await alice.internalize_action(args)
    assert await alice.internalize_action(args, idempotency_key="from bob") == first
    with pytest.raises(WERR_INVALID_PARAMETER):
        await alice.internalize_action(args | {"description": "another one"}, idempotency_key="from bob")
    await alice.monitor.run_until_idle()  # it learns of the other chain
