"""listActions with the label ``unfail``: failed actions that a person wants looked at, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from monitor_world import COMPLETED, TEN_MINUTES, UNPROVEN, MonitorWorld, change, query, raw_of, status_of

from bsv_wallet_toolbox.brc100.actions import validate_list_actions
from bsv_wallet_toolbox.brc100.originator import FAILED_ACTIONS_ID, NO_SEND_ACTIONS_ID
from bsv_wallet_toolbox.doctor import examine
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.monitor import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.review_failed import ReviewFailed
from bsv_wallet_toolbox.monitor.trigger import Trigger
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.provider.network_work import NetworkWork
from bsv_wallet_toolbox.storage.reqs import ReqRow, status_beside
from wallet_world import FUNDER, NOWHERE, payment_to

pytestmark = pytest.mark.anyio

LOST = (TransactionStatus.FAILED, ProvenTxReqStatus.INVALID)
ASKED = (TransactionStatus.FAILED, ProvenTxReqStatus.UNFAIL)
UNFAIL = {"labels": [FAILED_ACTIONS_ID, "unfail"], "includeOutputs": True}


async def lose(world: MonitorWorld, wallet: OpenWallet, satoshis: int = 4_000) -> str:
    """A provider swears that the fee of a payment is too low."""
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
    txid = await world.pay_nowhere(wallet, satoshis)
    await world.idle(wallet)
    assert await status_of(wallet, txid) == LOST
    return txid


async def unfail(wallet: OpenWallet, **more: Any) -> list[tuple[str, str]]:
    result = await wallet.list_actions({**UNFAIL, **more})
    assert not any(output["spendable"] for action in result["actions"] for output in action["outputs"])
    return [(action["txid"], action["status"]) for action in result["actions"]]


@pytest.mark.parametrize("mined", [False, True])
async def test_what_the_network_has_comes_back(world: MonitorWorld, mined: bool) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        txid = await lose(world, alice)
        world.chain.accept(await raw_of(alice, txid))
        assert await unfail(alice) == [(txid, "failed")]
        assert await status_of(alice, txid) == ASKED
        assert examine(world.path("alice")).is_healthy
        if mined:
            world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, txid) == (COMPLETED if mined else UNPROVEN)
        assert 5_990 < await alice.balance() < 6_000
        assert await unfail(alice) == []
    world.assert_sound("alice")


async def test_what_the_network_does_not_know_is_lost_again(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        txid = await lose(world, alice)
        await unfail(alice)
        await world.idle(alice)
        assert await status_of(alice, txid) == LOST
        assert await alice.balance() == 10_000
        assert await query(
            alice, f"SELECT count(*) FROM bwt_notes WHERE txid = '{txid}' AND what = 'unfailUnknown'"
        ) == [(1,)]
    world.assert_sound("alice")


async def test_what_nobody_can_answer_is_asked_again(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        txid = await lose(world, alice)
        world.chain.accept(await raw_of(alice, txid))
        world.services.faults.set("get_status_for_txids", Fault.UNAVAILABLE)
        await unfail(alice)
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, txid) == ASKED
        world.services.faults.clear()
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, txid) == UNPROVEN
    world.assert_sound("alice")


async def test_only_the_actions_of_the_page_are_asked_about(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        txids = [await lose(world, alice, 4_000 + number) for number in range(3)]
        assert await unfail(alice, limit=1, offset=1) == [(txids[1], "failed")]
        assert [await status_of(alice, txid) for txid in txids] == [LOST, ASKED, LOST]
        assert [txid for txid, _ in await unfail(alice)] == txids
        assert [await status_of(alice, txid) for txid in txids] == [ASKED] * 3


async def test_more_than_one_question_holds_are_all_answered(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        txid = await lose(world, alice)
        await change(
            alice,
            "INSERT INTO proven_tx_reqs"
            " (created_at, updated_at, status, attempts, notified, txid, history, notify, rawTx)"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 45)"
            " SELECT '2026', '2026', 'unfail', 0, 0, printf('%064x', i), '{}', '{}', x'00' FROM n",
        )
        await unfail(alice)
        world.services.asked.clear()
        await world.idle(alice)
        assert await query(alice, "SELECT DISTINCT status FROM proven_tx_reqs") == [("invalid",)]
        assert max(world.services.asked) == 20
        assert await status_of(alice, txid) == LOST


async def test_the_monitor_is_told_only_when_there_is_something_to_ask(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        told: list[str] = []
        alice.provider.when_review_is_wanted(lambda: told.append("told"))
        await world.fund(alice, 10_000, 2)
        assert await unfail(alice) == []
        reference = await world.propose_unsigned(alice)
        await change(alice, f"UPDATE transactions SET status = 'failed' WHERE reference = '{reference}'")
        assert await unfail(alice) == [("", "failed")], "it was never signed: nobody can have it"
        assert told == []
        await change(alice, f"UPDATE transactions SET status = 'unsigned' WHERE reference = '{reference}'")
        await lose(world, alice)
        await unfail(alice)
        assert told == ["told"]
        await unfail(alice)
        assert told == ["told"], "it is asked about already"


async def test_the_task_runs_at_once_when_it_is_told(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        task = ReviewFailed(
            NetworkWork(alice.provider), MonitorOptions(), Trigger(1), alice.provider.when_review_is_wanted
        )
        task.listen()
        task.trigger.began(world.clock.now())
        assert task.trigger.wait(world.clock.now()) == TEN_MINUTES
        alice.provider.review_wanted()
        assert task.trigger.wait(world.clock.now()) == 0
        task.trigger.began(world.clock.now())
        task.unlisten()
        alice.provider.review_wanted()
        assert task.trigger.wait(world.clock.now()) == TEN_MINUTES


async def test_apps_may_not_and_other_users_have_other_actions(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        txid = await lose(world, alice)
        with pytest.raises(WERR_INVALID_PARAMETER, match="admin-only"):
            await alice.list_actions(UNFAIL, "app.example.com")
        other = alice.provider.for_user(await alice.provider.find_or_insert_user(FUNDER.identity_key))
        assert (await other.list_actions(validate_list_actions(UNFAIL))).to_result()["totalActions"] == 0
        assert await status_of(alice, txid) == LOST


async def test_nothing_is_built_on_a_transaction_that_is_asked_about() -> None:
    """To whoever else brings it, it is lost until the network says otherwise."""
    req = ReqRow(1, "ab" * 32, ProvenTxReqStatus.UNFAIL, None, b"", None, "{}")
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        status_beside(req)
    assert refused.value.parameter == "tx"


async def test_an_action_that_was_given_up_and_sent_by_its_receiver_all_the_same_comes_back(
    world: MonitorWorld,
) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        created = await alice.create_action({**payment_to(NOWHERE, 4_000), "options": {"noSend": True}})
        txid = created["txid"]
        raw_tx = await raw_of(alice, txid)
        await alice.list_actions({"labels": [NO_SEND_ACTIONS_ID, "abort"]})
        assert await status_of(alice, txid) == LOST
        assert await alice.balance() == 10_000
        world.chain.accept(raw_tx)
        assert await unfail(alice) == [(txid, "failed")]
        await world.idle(alice)
        assert await status_of(alice, txid) == UNPROVEN
        assert 5_990 < await alice.balance() < 6_000
    world.assert_sound("alice")
