"""After a reorganisation everything can still be shown: ancestry is found again where only a lost proof stood."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from monitor_world import COMPLETED, HOUR, SENDING, TEN_MINUTES, UNPROVEN, MonitorWorld, events, query, status_of

from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_INVALID_MERKLE_ROOT, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.monitor import Monitor, MonitorOptions
from bsv_wallet_toolbox.monitor.ancestry_review import AncestryWatch
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.provider.ancestry_search import AncestrySearch
from bsv_wallet_toolbox.seams import Failpoint, failpoints_armed
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.spv import verify_beef
from bsv_wallet_toolbox.transactions.tx import parse_transaction
from incoming_payments import internalize_args, unmined_payment
from wallet_world import NOWHERE, payment_to

pytestmark = pytest.mark.anyio

ORPHANED = "was orphaned"


async def shown(world: MonitorWorld, wallet: OpenWallet, txid: str) -> Beef:
    """The BEEF of a transaction, verified under the headers that are active now."""
    scope = await wallet.provider.find_user(wallet.identity_key)
    beef: Beef = await wallet.provider.for_user(scope).beef_of(txid)
    verify_beef(beef, [txid], lambda root, height: is_active(world, root, height))
    return beef


def is_active(world: MonitorWorld, root: str, height: int) -> bool:
    header = world.chain.header_at(height)
    return header is not None and header.merkle_root == root


async def can_be_shown(world: MonitorWorld, wallet: OpenWallet, txid: str) -> bool:
    try:
        await shown(world, wallet, txid)
    except WERR_INVALID_MERKLE_ROOT:
        return False
    return True


async def held(wallet: OpenWallet) -> int:
    return int((await query(wallet, "SELECT count(*) FROM bwt_holds"))[0][0])


async def suspects(wallet: OpenWallet) -> int:
    return int((await query(wallet, "SELECT count(*) FROM bwt_suspects"))[0][0])


async def comes_to_rest(world: MonitorWorld, wallet: OpenWallet, *txids: str) -> None:
    """Once mined again, everything is proven, nothing is held, and no satoshi is missing."""
    for _ in range(2):
        world.chain.mine(1)
        await world.idle(wallet, later=TEN_MINUTES)
    for txid in txids:
        assert await status_of(wallet, txid) == COMPLETED
    assert (await held(wallet), await suspects(wallet)) == (0, 0)
    await world.check()


# what came with its proof only


@asynccontextmanager
async def funded(world: MonitorWorld) -> AsyncIterator[tuple[OpenWallet, str, int]]:
    """A wallet, the funding that it has a proof of and nothing else, and the height of that proof's block."""
    async with world.wallet("alice") as alice:
        txid = await world.fund(alice, 100_000)
        height = world.chain.height
        await world.idle(alice)
        yield alice, txid, height


async def test_a_funding_that_waits_in_the_mempool_can_be_spent_and_shown(world: MonitorWorld) -> None:
    async with funded(world) as (alice, funding, height):
        world.chain.reorg(height, 2)
        await world.idle(alice)
        assert await status_of(alice, funding) == UNPROVEN
        assert await held(alice) == 0
        assert await query(alice, f"SELECT provenTxId FROM transactions WHERE txid = '{funding}'") == [(None,)]
        seen = await query(alice, f"SELECT kind, source FROM bwt_evidence WHERE txid = '{funding}' ORDER BY evidenceId")
        assert seen[-2:] == [("orphaned", "headers"), ("accepted", "MockServices")]
        await world.check()
        child = await world.pay_nowhere(alice, delayed=False)
        assert (await shown(world, alice, child)).merkle_path(funding) is None
        await comes_to_rest(world, alice, funding, child)


async def test_change_that_descends_from_it_can_be_spent_and_shown(world: MonitorWorld) -> None:
    async with funded(world) as (alice, funding, height):
        first = await world.pay_nowhere(alice)
        await world.idle(alice)
        world.chain.reorg(height, 2)
        await world.idle(alice)
        second = await world.pay_nowhere(alice, 90_000)
        await shown(world, alice, second)
        await comes_to_rest(world, alice, funding, first, second)


async def test_a_funding_whose_ancestors_lost_their_blocks_too_is_shown_down_to_a_block_that_stands(
    world: MonitorWorld,
) -> None:
    async with world.wallet("alice") as alice:
        payment = unmined_payment(world, alice, 5_000)
        height = world.chain.height
        world.chain.accept(payment.view)
        world.chain.mine(1)
        txid = payment.view.txid
        await alice.internalize_action(internalize_args(world.chain.beef_of(txid).to_atomic(txid)))
        await world.idle(alice)
        world.chain.reorg(height, 3)
        await world.idle(alice)
        beef = await shown(world, alice, txid)
        assert beef.merkle_path(txid) is None
        assert beef.merkle_path(payment.view.inputs[0].txid) is None
        await comes_to_rest(world, alice, txid)


async def test_an_outage_leaves_it_held_and_is_told_to_whoever_builds_on_it(world: MonitorWorld) -> None:
    async with funded(world) as (alice, funding, height):
        await world.pay_nowhere(alice)
        await world.idle(alice)
        world.services.faults.set("get_beef_for_txid", Fault.UNAVAILABLE)
        world.chain.reorg(height, 2)
        await world.idle(alice)
        assert (await status_of(alice, funding)) == (TransactionStatus.COMPLETED, None)
        balance = await alice.balance()
        with pytest.raises(WERR_INVALID_PARAMETER, match=ORPHANED):
            await alice.create_action(payment_to(NOWHERE, 90_000))
        assert await alice.balance() == balance
        await world.check()
        asked_at = []
        for minute in range(5, 4 * 60, 5):
            before = world.services.calls["get_beef_for_txid"]
            await world.idle(alice, later=HOUR // 12)
            if world.services.calls["get_beef_for_txid"] > before:
                asked_at.append(minute)
        assert asked_at == [10, 30, 70, 130, 190]
        world.services.faults.clear()
        await world.idle(alice, later=HOUR)
        assert await status_of(alice, funding) == UNPROVEN
        await shown(world, alice, await world.pay_nowhere(alice, 90_000))


async def test_a_funding_is_held_while_nobody_has_its_ancestors_and_freed_by_a_new_proof(world: MonitorWorld) -> None:
    async with funded(world) as (alice, funding, height):
        world.services.faults.set("get_beef_for_txid", Fault.UNAVAILABLE)
        world.chain.reorg(height, 1)
        await world.idle(alice)
        assert await held(alice) == 1
        with pytest.raises(WERR_INSUFFICIENT_FUNDS):
            await world.pay_nowhere(alice)
        world.chain.mine(1)
        await world.idle(alice)
        assert await held(alice) == 0
        assert await status_of(alice, funding) == (TransactionStatus.COMPLETED, None)
        await shown(world, alice, await world.pay_nowhere(alice))


async def test_nothing_is_reopened_while_nobody_says_whether_the_network_has_it(world: MonitorWorld) -> None:
    async with funded(world) as (alice, funding, height):
        world.services.faults.set("get_status_for_txids", Fault.TIMEOUT)
        world.chain.reorg(height, 5)
        await world.idle(alice)
        assert await status_of(alice, funding) == (TransactionStatus.COMPLETED, None)
        assert await held(alice) == 1
        world.services.faults.clear()
        await world.idle(alice, later=TEN_MINUTES)
        assert await status_of(alice, funding) == UNPROVEN


async def test_a_funding_that_the_network_lost_is_sent_again_with_its_ancestors(world: MonitorWorld) -> None:
    async with funded(world) as (alice, funding, height):
        world.chain.reorg(height, 2)
        world.chain.evict(funding)
        await world.idle(alice)
        assert await status_of(alice, funding) == (TransactionStatus.COMPLETED, None)
        world.services.faults.set("get_beef_for_txid", Fault.UNAVAILABLE)
        world.chain.mine(2)
        await world.idle(alice)
        assert await status_of(alice, funding) == (TransactionStatus.COMPLETED, None)
        assert await held(alice) == 1
        world.services.faults.clear()
        world.services.faults.set("post_beef", Fault.UNAVAILABLE, times=1)
        world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, funding) == SENDING
        assert await held(alice) == 0
        await world.check()
        await world.idle(alice, later=10_000)
        assert await status_of(alice, funding) == UNPROVEN
        assert world.services.posted == [funding] * 2
        await comes_to_rest(world, alice, funding)


async def test_a_provider_that_still_shows_the_lost_block_is_not_believed(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        payment = unmined_payment(world, alice, 5_000)
        height, source = world.chain.height, payment.view.inputs[0].txid
        world.chain.accept(payment.view)
        world.chain.mine(1)
        txid = payment.view.txid
        await alice.internalize_action(internalize_args(world.chain.beef_of(txid).to_atomic(txid)))
        await world.idle(alice)
        stale = world.chain.beef_of(source).to_bytes()
        world.services.shown_for[source] = stale
        world.chain.reorg(height, 3)
        await world.idle(alice)
        assert await status_of(alice, txid) == (TransactionStatus.COMPLETED, None)
        assert await held(alice) == 1
        world.services.shown_for[source] = Beef().to_bytes()
        await world.idle(alice, later=TEN_MINUTES)
        assert await held(alice) == 1
        world.services.shown_for.clear()
        await world.idle(alice, later=HOUR)
        assert await status_of(alice, txid) == UNPROVEN


async def test_scripts_of_a_found_ancestry_are_run(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        payment = unmined_payment(world, alice, 5_000).view
    search = AncestrySearch(world.services, world.chain.height)
    assert Beef.parse(await search.renew(payment, Beef())).view(payment.txid) is not None
    unlock = payment.inputs[0].unlocking_script
    forged = parse_transaction(payment.raw.replace(unlock, unlock[:10] + bytes(1) + unlock[11:]))
    with pytest.raises(WERR_INVALID_PARAMETER, match="unlocks what its input 0 spends"):
        await search.renew(forged, Beef())


async def test_new_proofs_count_only_up_to_the_settled_height(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        payment = unmined_payment(world, alice, 5_000).view
    with pytest.raises(WERR_INVALID_PARAMETER, match="up to height"):
        await AncestrySearch(world.services, world.chain.height - 1).renew(payment, Beef())
    await AncestrySearch(world.services, world.chain.height).renew(payment, Beef())


async def test_a_block_is_said_to_be_orphaned_once(world: MonitorWorld) -> None:
    async with funded(world) as (alice, _, height):
        world.chain.reorg(height, 2)
        for _ in range(4):
            await world.idle(alice, later=TEN_MINUTES)
            world.chain.mine(1, only=())
        assert await suspects(alice) == 1
        assert sum("left the active chain" in line for line in await events(alice, "NewHeader")) == 1


# payments that came unproven, with their ancestry


@asynccontextmanager
async def paid_unproven(
    world: MonitorWorld, *, watched: bool = True
) -> AsyncIterator[tuple[OpenWallet, str, str, int]]:
    """A wallet, a payment it took in unproven, what that spends, and the height of the block that proves this."""
    async with world.wallet("alice") as alice:
        await world.idle(alice)
        payment = unmined_payment(world, alice, 20_000)
        if watched:
            await world.idle(alice)
        await alice.internalize_action(internalize_args(payment.beef))
        yield alice, payment.view.txid, payment.view.inputs[0].txid, world.chain.height


@pytest.mark.parametrize("watched", [True, False], ids=["block was seen", "block was never seen"])
@pytest.mark.parametrize("mined", [True, False], ids=["mined elsewhere", "in the mempool"])
async def test_the_ancestry_of_a_payment_is_renewed(world: MonitorWorld, watched: bool, mined: bool) -> None:
    async with paid_unproven(world, watched=watched) as (alice, payment, source, height):
        world.chain.reorg(height, 2, {source: 1} if mined else {})
        assert not await can_be_shown(world, alice, payment)
        await world.idle(alice)
        beef = await shown(world, alice, payment)
        assert (beef.merkle_path(source) is not None) == mined
        assert await status_of(alice, payment) == UNPROVEN
        child = await world.pay_nowhere(alice, delayed=False)
        await shown(world, alice, child)
        await comes_to_rest(world, alice, payment, child)


async def test_a_payment_that_comes_between_two_looks_is_looked_at_once(world: MonitorWorld) -> None:
    async with paid_unproven(world) as (alice, payment, source, height):
        await world.idle(alice)
        before = world.services.calls["get_merkle_path"] + world.services.calls["get_beef_for_txid"]
        for _ in range(3):
            world.chain.mine(1, only=())
            await world.idle(alice, later=TEN_MINUTES)
        assert world.services.calls["get_merkle_path"] + world.services.calls["get_beef_for_txid"] == before
        world.chain.reorg(height, 5)
        await world.idle(alice)
        assert (await shown(world, alice, payment)).merkle_path(source) is None


async def test_an_ancestry_is_renewed_before_the_new_tip_has_settled(world: MonitorWorld) -> None:
    async with paid_unproven(world) as (alice, payment, _, height):
        monitor = Monitor(alice.provider, options=MonitorOptions(header_poll=5_000, header_settle=60_000))
        await monitor.run_until_idle()
        world.chain.reorg(height, 2)
        world.clock.advance(5_000)
        await monitor.run_once()
        await shown(world, alice, payment)


async def test_an_outage_throws_no_ancestry_away_and_is_made_good_after_a_delay(world: MonitorWorld) -> None:
    stored = "SELECT inputBEEF FROM proven_tx_reqs"
    async with paid_unproven(world) as (alice, payment, _, height):
        before = await query(alice, stored)
        world.services.faults.set("get_beef_for_txid", Fault.UNAVAILABLE)
        world.services.faults.set("get_merkle_path", Fault.TIMEOUT)
        world.chain.reorg(height, 2)
        await world.idle(alice)
        await world.idle(alice, later=TEN_MINUTES // 2)
        assert await query(alice, stored) == before
        assert world.services.calls["get_beef_for_txid"] == 1
    async with world.wallet("alice") as alice:
        await world.idle(alice, later=TEN_MINUTES // 2)
        assert world.services.calls["get_beef_for_txid"] == 2
        world.services.faults.clear()
        await world.idle(alice, later=2 * TEN_MINUTES)
        await shown(world, alice, payment)
        assert "1 ancestries renewed, 0 can't be yet" in (await events(alice, "Reorg"))[-1]
        await comes_to_rest(world, alice, payment)


async def test_headers_that_can_not_be_asked_leave_an_ancestry_as_it_is(world: MonitorWorld) -> None:
    async with paid_unproven(world) as (alice, payment, _, height):
        world.services.faults.set("is_valid_root_for_height", Fault.UNAVAILABLE)
        world.chain.reorg(height, 2)
        await world.idle(alice)
        assert not await can_be_shown(world, alice, payment)
        world.services.faults.clear()
        await world.idle(alice, later=TEN_MINUTES)
        await shown(world, alice, payment)


async def test_a_proven_payment_that_loses_its_block_and_that_of_its_parent_can_be_shown(world: MonitorWorld) -> None:
    async with paid_unproven(world) as (alice, payment, source, height):
        world.chain.mine(1)
        await world.idle(alice)
        assert await status_of(alice, payment) == COMPLETED
        world.chain.reorg(height, 3)
        await world.idle(alice)
        beef = await shown(world, alice, payment)
        assert (beef.merkle_path(payment), beef.merkle_path(source)) == (None, None)
        await comes_to_rest(world, alice, payment)


async def test_an_ancestry_is_renewed_as_often_as_the_chain_turns_over(world: MonitorWorld) -> None:
    async with paid_unproven(world) as (alice, payment, source, height):
        for offset in (1, None, 0, 2, None):
            found_again = {} if offset is None else {source: offset}
            world.chain.reorg(height, world.chain.height - height + 2, found_again)
            await world.idle(alice)
            await shown(world, alice, payment)
        await comes_to_rest(world, alice, payment)


@pytest.mark.parametrize("point", [Failpoint.REORG_BEFORE_COMMIT, Failpoint.REORG_AFTER_COMMIT])
async def test_a_failure_around_every_commit_is_made_good(world: MonitorWorld, point: Failpoint) -> None:
    async with paid_unproven(world) as (alice, payment, _, height):
        funding = await world.fund(alice, 100_000)
        await world.idle(alice)
        world.chain.reorg(height, 4)
        for number in range(4):
            passed = 0

            def fail(at: Failpoint, number: int = number) -> None:
                nonlocal passed
                if at is point:
                    passed += 1
                    if passed == 1 + number:
                        raise OSError("the disk went away")

            with failpoints_armed(fail):
                await world.idle(alice, later=HOUR)
        await world.idle(alice, later=HOUR)
        await shown(world, alice, payment)
        await shown(world, alice, funding)
        await comes_to_rest(world, alice, payment, funding)


# how far the review has come


@given(st.builds(AncestryWatch, *[st.integers(0, 2**53)] * 5))
def test_a_watch_is_read_as_it_was_written(watch: AncestryWatch) -> None:
    assert AncestryWatch.from_text(watch.to_text()) == watch


def test_a_review_is_due_at_a_new_header_at_an_orphaned_block_and_when_a_failed_one_has_rested() -> None:
    quiet = AncestryWatch(orphanings=1, through=9, settled=100)
    assert not quiet.is_due(1, 100, now=10**15)
    assert quiet.is_due(1, 101, now=0)
    assert quiet.is_due(2, 100, now=0)
    failed = AncestryWatch(orphanings=1, through=9, settled=100, tries=1, again=5_000)
    assert [failed.is_due(1, 100, now) for now in (4_999, 5_000)] == [False, True]
