"""An action of ours that waits for a signature and comes in signed, from whoever signed it."""

from __future__ import annotations

from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
)
from caller_coins import CALLER_LOCK, Coin, caller_coin, spends_of, two_step, unsigned_of
from incoming_payments import insertion_entry, internalize_args
from wallet_file import rows, state_of
from wallet_world import World

pytestmark = pytest.mark.anyio


def finished(unsigned: TransactionView, coin: Coin, outputs: list[OutputSpec]) -> bytes:
    """AtomicBEEF of the transaction with these outputs, signed by the caller, whose coin is its only input."""
    (spent,) = unsigned.inputs
    bare = build_transaction([InputSpec(spent.txid, spent.vout, b"", spent.sequence)], outputs, unsigned.version)
    unlock = coin.unlock(parse_transaction(bare))
    beef = Beef.parse(coin.beef)
    txid = beef.merge_transaction(
        build_transaction([InputSpec(spent.txid, spent.vout, unlock, spent.sequence)], outputs, unsigned.version)
    )
    return beef.to_atomic(txid)


def outputs_of(view: TransactionView) -> list[OutputSpec]:
    return [OutputSpec(each.satoshis, each.locking_script) for each in view.outputs]


async def bring(alice: OpenWallet, beef: bytes) -> str:
    """An app shows the transaction, to have its output 0x51 kept in a basket."""
    txid = Beef.parse(beef).subject
    assert txid is not None
    view = Beef.parse(beef).view(txid)
    assert view is not None
    vout = [each.locking_script for each in view.outputs].index(b"\x51")
    await alice.internalize_action(internalize_args(beef, insertion_entry(vout)), "app.example")
    return txid


async def test_it_is_the_same_action(world: World, alice: OpenWallet) -> None:
    signable, coin = await two_step(world, alice, caller_coin(world, 20_000))
    unsigned = unsigned_of(signable)
    txid = await bring(alice, finished(unsigned, coin, outputs_of(unsigned)))
    assert rows(world.path("alice"), "SELECT reference, txid FROM transactions") == [(signable["reference"], txid)]
    assert state_of(world.path("alice"), txid) == ("unproven", "unmined", 0)
    assert await alice.balance() == 18_999
    args: Any = {"reference": signable["reference"], "spends": spends_of(signable, coin)}
    with pytest.raises(WERR_INVALID_OPERATION):
        await alice.sign_action(args)
    assert rows(world.path("alice"), "SELECT count(*) FROM bwt_pending") == [0]


async def test_with_another_script_of_the_change_it_is_not_ours(world: World, alice: OpenWallet) -> None:
    """The change would count as the wallet's, and nothing of it could be spent."""
    signable, coin = await two_step(world, alice, caller_coin(world, 20_000))
    unsigned = unsigned_of(signable)
    stolen = [
        each if each.locking_script == b"\x51" else each._replace(locking_script=CALLER_LOCK)
        for each in outputs_of(unsigned)
    ]
    txid = await bring(alice, finished(unsigned, coin, stolen))
    assert await alice.balance() == 0
    statuses = rows(world.path("alice"), "SELECT status, txid, isOutgoing FROM transactions ORDER BY isOutgoing DESC")
    assert statuses == [("unsigned", None, 1), ("unproven", txid, 0)]
    await alice.abort_action({"reference": signable["reference"]})
    assert await alice.balance() == 0
