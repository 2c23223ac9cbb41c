"""noSend, noSendChange and sendWith: actions that are made now and brought to the network later."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.transactions.beef import Beef
from wallet_file import coins_of, row_counts, rows, state_of
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio


def held(satoshis: int = 100, **options: Any) -> Any:
    """createAction arguments with noSend."""
    return payment_to(NOWHERE, satoshis) | {"options": {"noSend": True, **options}}


def sending(*txids: str, delayed: bool = False) -> Any:
    """createAction arguments that only send others."""
    return {"description": "send them", "options": {"sendWith": list(txids), "acceptDelayedBroadcast": delayed}}


async def chain_of(alice: OpenWallet, count: int) -> list[str]:
    """Txids of held back actions, each built on the change of the one before."""
    change: list[str] = []
    txids = []
    for _ in range(count):
        made = await alice.create_action(held(noSendChange=change))
        change = made["noSendChange"]
        txids.append(made["txid"])
    return txids


def statuses(world: World, *txids: str) -> list[str]:
    return [state_of(world.path("alice"), txid)[0] for txid in txids]


async def test_it_is_signed_and_kept(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    for delayed in (True, False):
        made = await alice.create_action(held(acceptDelayedBroadcast=delayed))
        assert sorted(made) == ["noSendChange", "sendWithResults", "tx", "txid"]
        assert made["sendWithResults"] == []
        assert Beef.parse(made["tx"]).subject == made["txid"]
        assert state_of(world.path("alice"), made["txid"]) == ("nosend", "nosend", 0)
        change = rows(world.path("alice"), "SELECT vout FROM outputs WHERE txid = ? AND change = 1", made["txid"])
        assert sorted(made["noSendChange"]) == sorted(f"{made['txid']}.{vout}" for vout in change)
        await world.fund(alice, 5_000)
    world.clock.advance(7 * 24 * 60 * 60 * 1000)
    await alice.monitor.run_until_idle()
    assert world.services.calls["post_beef"] == 0
    assert await alice.balance() == 15_000 - 2 * 101


async def test_its_change_funds_nothing_but_its_own_chain(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    made = await alice.create_action(held())
    for options in ({}, {"acceptDelayedBroadcast": False}, {"noSend": True}):
        with pytest.raises(Exception, match="Insufficient funds"):
            await alice.create_action(payment_to(NOWHERE, 100) | {"options": options})
    with pytest.raises(Exception, match="Insufficient funds"):  # without noSend it is not looked at
        await alice.create_action(payment_to(NOWHERE, 100) | {"options": {"noSendChange": made["noSendChange"]}})
    second = await alice.create_action(held(noSendChange=made["noSendChange"]))
    view = Beef.parse(second["tx"]).view(second["txid"])
    assert view is not None
    assert set(view.source_txids) == {made["txid"]}


async def test_change_is_taken_from_the_end_and_no_more_than_needed_or_given(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    made = await alice.create_action(held())
    change = made["noSendChange"]
    assert len(change) > 1
    second = await alice.create_action(held(1, noSendChange=change))
    view = Beef.parse(second["tx"]).view(second["txid"])
    assert view is not None
    spent = [f"{each.txid}.{each.vout}" for each in view.inputs]
    assert spent == change[::-1][: len(spent)]


@pytest.mark.parametrize("case", ["twice", "unknown", "payment", "ordinary", "aborted", "sent", "spent", "foreign"])
async def test_what_is_no_change_of_a_held_back_action_is_refused(world: World, alice: OpenWallet, case: str) -> None:
    await world.fund(alice, 20_000, count=4)
    made = await alice.create_action(held(randomizeOutputs=False))
    change, txid = made["noSendChange"], made["txid"]
    given = {"twice": [change[0], change[0]], "unknown": ["ab" * 32 + ".0"], "payment": [f"{txid}.0"]}.get(case, change)
    if case == "ordinary":
        sent = await alice.create_action(payment_to(NOWHERE, 100))
        (vout, *_) = rows(world.path("alice"), "SELECT vout FROM outputs WHERE txid = ? AND change", sent["txid"])
        given = [f"{sent['txid']}.{vout}"]
    elif case == "aborted":
        await alice.abort_action({"reference": txid})
    elif case == "sent":
        await alice.create_action(sending(txid))
    elif case == "spent":
        await alice.create_action(held(15_000, noSendChange=change))
    elif case == "foreign":
        async with world.wallet("bob") as bob:
            await world.fund(bob, 5_000)
            given = (await bob.create_action(held()))["noSendChange"]
    before = (row_counts(world.path("alice")), coins_of(world.path("alice")))
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.create_action(held(noSendChange=given))
    assert refused.value.parameter == "noSendChange outpoint"
    if case == "twice":
        assert refused.value.message.endswith("unique. Duplicates are not allowed.")
    assert (row_counts(world.path("alice")), coins_of(world.path("alice"))) == before


async def test_a_chain_is_sent_in_one_batch_in_any_order(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    first, second, third = await chain_of(alice, 3)
    result = await alice.create_action(sending(third, first, second))
    assert result == {"sendWithResults": [{"txid": txid, "status": "unproven"} for txid in (third, first, second)]}
    assert statuses(world, first, second, third) == ["unproven"] * 3
    batches = rows(world.path("alice"), "SELECT DISTINCT batch FROM proven_tx_reqs")
    assert [len(batch) for batch in batches] == [24]
    assert world.services.calls["post_beef"] == 1
    world.chain.mine()
    await alice.monitor.run_until_idle()
    assert statuses(world, first, second, third) == ["completed"] * 3


async def test_the_last_of_a_chain_brings_the_others(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    first, second, third = await chain_of(alice, 3)
    result = await alice.create_action(sending(second))
    assert result["sendWithResults"] == [{"txid": second, "status": "unproven"}]
    assert statuses(world, first, second, third) == ["unproven", "unproven", "nosend"]


async def test_delayed_it_is_the_monitors_to_send(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    txids = await chain_of(alice, 2)
    result = await alice.create_action(sending(*txids, delayed=True))
    assert result["sendWithResults"] == [{"txid": txid, "status": "sending"} for txid in txids]
    assert (statuses(world, *txids), world.services.calls["post_beef"]) == (["sending"] * 2, 0)
    await alice.monitor.run_until_idle()
    assert statuses(world, *txids) == ["unproven"] * 2


async def test_unknown_txids_are_told_one_by_one(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    (txid,) = await chain_of(alice, 1)
    unknown = "ab" * 32
    delayed = await alice.create_action(sending(unknown, delayed=True))
    assert delayed["sendWithResults"] == [{"txid": unknown, "status": "failed"}]
    assert await alice.create_action(sending(unknown)) == delayed  # nothing was posted that could need a look
    with pytest.raises(WERR_REVIEW_ACTIONS) as told:
        await alice.create_action(sending(unknown, txid))
    assert told.value.send_with_results == [
        {"txid": unknown, "status": "failed"},
        {"txid": txid, "status": "unproven"},
    ]
    assert told.value.review_action_results == [{"txid": txid, "status": "success"}]
    assert statuses(world, txid) == ["unproven"]


async def test_sending_again_changes_nothing(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    (txid,) = await chain_of(alice, 1)
    first = await alice.create_action(sending(txid))
    assert await alice.create_action(sending(txid)) == first
    world.chain.mine()
    await alice.monitor.run_until_idle()
    assert await alice.create_action(sending(txid)) == first
    assert world.services.calls["post_beef"] == 1


async def test_many_who_send_a_chain_at_once_post_it_once(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    txids = await chain_of(alice, 3)
    answers = await asyncio.gather(*(alice.create_action(sending(*txids)) for _ in range(10)))
    assert world.services.calls["post_beef"] == 1
    assert statuses(world, *txids) == ["unproven"] * 3
    for answer in answers:
        told = answer["sendWithResults"]
        assert [each["txid"] for each in told] == txids
        assert {each["status"] for each in told} <= {"unproven", "sending"}


async def test_in_an_outage_the_batch_is_put_off_together(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    txids = await chain_of(alice, 2)
    world.services.faults.set("post_beef", Fault.UNAVAILABLE, times=1)
    with pytest.raises(WERR_REVIEW_ACTIONS) as told:
        await alice.create_action(sending(*txids))
    assert told.value.send_with_results == [{"txid": txid, "status": "sending"} for txid in txids]
    assert [each["status"] for each in told.value.review_action_results] == ["serviceError"] * 2
    world.clock.advance(60_000)
    await alice.monitor.run_until_idle()
    assert statuses(world, *txids) == ["unproven"] * 2


async def test_what_builds_on_one_that_is_refused_ends_with_it(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    txids = await chain_of(alice, 2)
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
    with pytest.raises(WERR_REVIEW_ACTIONS) as told:
        await alice.create_action(sending(*txids))
    assert told.value.send_with_results == [{"txid": txid, "status": "failed"} for txid in txids]
    assert statuses(world, *txids) == ["failed"] * 2
    assert await alice.balance() == 5_000
    delayed = await alice.create_action(sending(*txids, delayed=True))
    assert {each["status"] for each in delayed["sendWithResults"]} == {"failed"}


class TestWithANewAction:
    async def test_it_goes_with_those_it_names(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000, count=2)
        (txid,) = await chain_of(alice, 1)
        args = payment_to(NOWHERE, 200) | {"options": {"sendWith": [txid], "acceptDelayedBroadcast": False}}
        made = await alice.create_action(args)
        assert made["sendWithResults"] == [{"txid": each, "status": "unproven"} for each in (txid, made["txid"])]
        assert world.services.calls["post_beef"] == 1
        assert len(rows(world.path("alice"), "SELECT DISTINCT batch FROM proven_tx_reqs")) == 1

    async def test_sent_already_and_new_have_results_both(self, world: World, alice: OpenWallet) -> None:
        """Peers lose the new txid here, after it was sent."""
        await world.fund(alice, 5_000, count=2)
        before = await alice.create_action(payment_to(NOWHERE, 100, delayed=False))
        args = payment_to(NOWHERE, 200) | {"options": {"sendWith": [before["txid"]], "acceptDelayedBroadcast": False}}
        made = await alice.create_action(args)
        assert made["sendWithResults"] == [
            {"txid": before["txid"], "status": "unproven"},
            {"txid": made["txid"], "status": "unproven"},
        ]

    async def test_an_unknown_one_does_not_stop_it(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000, count=2)
        args = payment_to(NOWHERE, 200) | {"options": {"sendWith": ["ab" * 32], "acceptDelayedBroadcast": False}}
        with pytest.raises(WERR_REVIEW_ACTIONS) as told:
            await alice.create_action(args)
        txid = told.value.txid
        assert txid is not None
        assert told.value.tx is not None
        assert told.value.send_with_results == [
            {"txid": "ab" * 32, "status": "failed"},
            {"txid": txid, "status": "unproven"},
        ]
        assert world.chain.confirmations(txid) == 0

    async def test_delayed_all_are_the_monitors(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000, count=2)
        (txid,) = await chain_of(alice, 1)
        made = await alice.create_action(payment_to(NOWHERE, 200) | {"options": {"sendWith": [txid]}})
        assert made["sendWithResults"] == [{"txid": each, "status": "sending"} for each in (txid, made["txid"])]
        await alice.monitor.run_until_idle()
        assert statuses(world, txid, made["txid"]) == ["unproven"] * 2

    async def test_held_back_itself_it_can_not_send_others(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000, count=2)
        (txid,) = await chain_of(alice, 1)
        before = row_counts(world.path("alice"))
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await alice.create_action(held(sendWith=[txid]))
        assert refused.value.parameter == "noSend"
        assert row_counts(world.path("alice")) == before

    async def test_a_repeated_request_tells_of_all_again(self, world: World, alice: OpenWallet) -> None:
        await world.fund(alice, 5_000, count=2)
        (txid,) = await chain_of(alice, 1)
        args: Any = payment_to(NOWHERE, 200) | {"options": {"sendWith": [txid], "acceptDelayedBroadcast": False}}
        first = await alice.create_action(args, idempotency_key="k")
        again = await alice.create_action(args, idempotency_key="k")
        assert (again["txid"], again["sendWithResults"]) == (first["txid"], first["sendWithResults"])
        made = await alice.create_action(held(noSendChange=[]) | {"outputs": []}, idempotency_key="h")
        repeated = await alice.create_action(held(noSendChange=[]) | {"outputs": []}, idempotency_key="h")
        assert (repeated["noSendChange"], repeated["sendWithResults"]) == (made["noSendChange"], [])
