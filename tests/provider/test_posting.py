"""Whatever stops the first post of a committed transaction, its caller is answered with the txid."""

from __future__ import annotations

import pytest

from bsv_wallet_toolbox.database.errors import DiskFull
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.seams import Failpoint, failpoints_armed
from wallet_file import rows, state_of
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

PAST_THE_CLAIM = 121_000


async def test_a_disk_that_fills_up_while_sending_is_put_off_names_the_txid(world: World) -> None:
    """The ancestry is incomplete (a block was orphaned), and that can't be written down either."""
    path = world.path("alice")

    def fail(passed: Failpoint) -> None:
        if passed is Failpoint.BROADCAST_BEFORE_POST:
            raise WERR_INVALID_PARAMETER("inputBEEF", "complete")
        if passed is Failpoint.VERDICT_BEFORE_COMMIT:
            raise DiskFull("put off: the disk is full")

    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000)
        with failpoints_armed(fail), pytest.raises(WERR_REVIEW_ACTIONS) as told:
            await alice.create_action(payment_to(NOWHERE, 1_000, delayed=False))
        txid = str(told.value.txid)
        assert rows(path, "SELECT txid FROM transactions WHERE isOutgoing = 1") == [txid]
        assert told.value.send_with_results == [{"txid": txid, "status": "sending"}]
        world.clock.advance(PAST_THE_CLAIM)
        await alice.monitor.run_until_idle()
        assert state_of(path, txid)[:2] == ("unproven", "unmined")
    world.assert_sound("alice")
