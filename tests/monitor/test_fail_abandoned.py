"""Actions that nobody signed in time give their coins back; nothing that was signed is ever touched."""

from __future__ import annotations

import pytest
from monitor_world import SENDING, MonitorWorld, change, events, query, status_of

from bsv_wallet_toolbox.brc100.create_action import validate_create_action
from bsv_wallet_toolbox.errors import WERR_BAD_REQUEST, WERR_INVALID_OPERATION
from bsv_wallet_toolbox.interfaces.storage import ProcessActionArgs
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.seams import Failpoint, failpoints_armed
from bsv_wallet_toolbox.wallet.signer import prepare, sign
from wallet_world import NOWHERE, key_of, payment_to

pytestmark = pytest.mark.anyio

LIFETIME = 5 * 60_000


async def test_an_unsigned_action_ends_after_its_lifetime_and_its_coins_are_free(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1_000)
        await world.propose_unsigned(alice)
        await world.idle(alice, later=LIFETIME)
        assert await query(alice, "SELECT status FROM transactions WHERE isOutgoing") == [("unsigned",)]
        await world.idle(alice, later=1)
        assert await query(alice, "SELECT status FROM transactions WHERE isOutgoing") == [("failed",)]
        assert await query(alice, "SELECT satoshis, spendable, spentBy FROM outputs WHERE spendable") == [
            (1_000, 1, None)
        ]
        assert await query(alice, "SELECT kind, vout FROM bwt_evidence WHERE kind = 'neverSigned'") == [
            ("neverSigned", 0)
        ]
        await world.pay_nowhere(alice, 500)


async def test_250_abandoned_actions_end_in_one_run(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, 250)
        for _ in range(250):
            await world.propose_unsigned(alice, 9_000)
        assert await query(alice, "SELECT count(*) FROM outputs WHERE spendable AND txid IS NOT NULL") == [(0,)]
        await world.idle(alice, later=LIFETIME + 1)
        assert await query(alice, "SELECT count(*) FROM transactions WHERE status = 'failed'") == [(250,)]
        assert await query(alice, "SELECT count(*) FROM outputs WHERE spendable AND spentBy IS NULL") == [(250,)]
        assert await events(alice, "FailAbandoned") == ["250 abandoned actions ended"]


async def test_a_signed_action_is_never_touched_however_old(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1_000)
        txid = await world.pay_nowhere(alice, 500)
        await change(alice, "UPDATE bwt_actions SET abandonAt = '2001-01-01T00:00:00.000Z'")
        world.services.faults.set("post_beef", Fault.UNAVAILABLE)
        await world.idle(alice, later=LIFETIME * 100)
        assert await status_of(alice, txid) == SENDING


async def test_one_action_that_cannot_be_ended_does_not_stop_the_others(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, 3)
        for _ in range(3):
            await world.propose_unsigned(alice, 9_000)
        await change(
            alice,
            "CREATE TRIGGER broken BEFORE UPDATE ON transactions WHEN old.transactionId = 2 "
            "BEGIN SELECT raise(ABORT, 'broken'); END",
        )
        await world.idle(alice, later=LIFETIME + 1)
        statuses = await query(alice, "SELECT status FROM transactions WHERE isOutgoing ORDER BY transactionId")
        assert statuses == [("unsigned",), ("failed",), ("failed",)]
        assert alice.monitor.health()["FailAbandoned"].consecutive_errors == 1


async def test_signing_after_the_end_is_refused(world: MonitorWorld) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1_000)
        scope = await alice.provider.find_user(alice.identity_key)
        storage = alice.provider.for_user(scope)
        args = validate_create_action(payment_to(NOWHERE, 500))
        proposal = await storage.create_action(args)
        deriver = KeyDeriver(key_of("alice"))
        signed = sign(deriver, prepare(deriver, args, proposal))
        await world.idle(alice, later=LIFETIME + 1)
        with pytest.raises((WERR_INVALID_OPERATION, WERR_BAD_REQUEST)):
            await storage.process_action(ProcessActionArgs(proposal.reference, signed.txid, signed.raw, True))
        await world.idle(alice)
        assert world.services.posted == []


@pytest.mark.parametrize("point", [Failpoint.ABANDON_BEFORE_COMMIT, Failpoint.ABANDON_AFTER_COMMIT])
async def test_a_failure_around_the_commit_leaves_all_or_nothing(world: MonitorWorld, point: Failpoint) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1_000)
        await world.propose_unsigned(alice)

        def fail(at: Failpoint) -> None:
            if at is point:
                raise OSError("the disk went away")

        with failpoints_armed(fail):
            await world.idle(alice, later=LIFETIME + 1)
        committed = point is Failpoint.ABANDON_AFTER_COMMIT
        status, free = ("failed", 1) if committed else ("unsigned", 0)
        assert await query(alice, "SELECT status FROM transactions WHERE isOutgoing") == [(status,)]
        assert await query(alice, "SELECT spendable FROM outputs WHERE satoshis = 1000") == [(free,)]
        await world.idle(alice, later=LIFETIME)
        assert await query(alice, "SELECT spendable FROM outputs WHERE satoshis = 1000") == [(1,)]


async def test_an_unsigned_action_made_under_a_clock_that_was_ahead_is_given_up_when_it_is_right(
    world: MonitorWorld,
) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 1000)
        storage = alice.provider.for_user(await alice.provider.find_user(alice.identity_key))
        await storage.create_action(validate_create_action(payment_to(NOWHERE, 500)))
        world.clock.advance(-30 * 24 * 60 * 60_000)
        await world.idle(alice, later=10 * 60_000)
        assert await alice.balance() == 1000
    world.assert_sound("alice")
