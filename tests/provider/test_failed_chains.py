"""A transaction that ends takes along what was built on it, whatever shape that has."""

from __future__ import annotations

import pytest

from bsv_wallet_toolbox.mockchain import Fault
from wallet_file import rows, state_of
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

MINUTE = 60_000
CHANGE_OF_FIRST = """
    SELECT o.satoshis, o.spentBy FROM outputs o JOIN transactions t USING (transactionId)
    WHERE t.txid = ? AND o.change = 1 ORDER BY o.outputId
"""


async def test_a_transaction_that_spends_from_two_that_end_with_it_ends_once(world: World) -> None:
    """The last spends change of the first and of the second, and comes to the end by way of both."""
    path = world.path("alice")
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        first = (await alice.create_action(payment_to(NOWHERE, 1_000)))["txid"]
        change = [satoshis for satoshis, _ in rows(path, CHANGE_OF_FIRST, first)]
        second = (await alice.create_action(payment_to(NOWHERE, max(change[1:]) - 10)))["txid"]
        last = (await alice.create_action(payment_to(NOWHERE, await alice.balance() - 100)))["txid"]
        spenders = [spent_by for _, spent_by in rows(path, CHANGE_OF_FIRST, first)]
        assert (spenders[0], set(spenders)) == (4, {3, 4}), "the last is met first, and then by way of the second"

        world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
        world.clock.advance(MINUTE)
        await alice.monitor.run_until_idle()
        assert [state_of(path, txid)[:2] for txid in (first, second, last)] == [("failed", "invalid")] * 3
        assert await alice.balance() == 100_000
        assert alice.monitor.health()["SendWaiting"].last_error is None
    world.assert_sound("alice")
