"""A payment that comes in again with a proof by another block, before the wallet noticed the reorganisation."""

from __future__ import annotations

import pytest

from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.spv import verify_beef
from incoming_payments import internalize_args, unmined_payment
from wallet_world import World

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("notices", [False, True], ids=["before the monitor looks", "after the monitor looked"])
async def test_what_builds_on_it_is_shown_with_the_new_proof(world: World, notices: bool) -> None:
    """The store remembers the BEEF that it showed before; the orphaned block must not be in what it shows now."""

    async def shown() -> bytes:
        return Beef.parse(await world.services.get_beef_for_txid(txid)).to_atomic(txid)

    def is_active(root: str, at: int) -> bool:
        header = world.chain.header_at(at)
        return header is not None and header.merkle_root == root

    async with world.wallet("alice") as alice:
        storage = alice.provider.for_user(await alice.provider.find_user(alice.identity_key))
        payment = unmined_payment(world, alice, 5000)
        txid = payment.view.txid
        world.chain.accept(payment.view)
        height = world.chain.mine(1)[0].height
        await alice.internalize_action(internalize_args(await shown()))
        await alice.monitor.run_until_idle()
        verify_beef(await storage.beef_of(txid), [txid], is_active)

        world.chain.reorg(height, 2, {txid: 1})
        await alice.internalize_action(internalize_args(await shown()))
        if notices:
            await alice.monitor.run_until_idle()
        verify_beef(await storage.beef_of(txid), [txid], is_active)
