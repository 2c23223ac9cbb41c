"""Large amounts of work: many coins in one action, many signature checks in one payment."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

import pytest

from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Row, Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.provider.incoming import verify_incoming
from bsv_wallet_toolbox.storage.ancestry import MAX_UNPROVEN_BYTES, AncestryTooLarge
from bsv_wallet_toolbox.storage.coins import StoredCoins
from bsv_wallet_toolbox.storage.users import default_basket, find_user
from bsv_wallet_toolbox.templates import brc29, p2pkh
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    build_transaction,
    parse_transaction,
    signature_hash,
)
from incoming_payments import PREFIX, PURSE_KEY, PURSE_PUBLIC_KEY, SUFFIX, internalize_args, spend_purse
from wallet_file import coins_of, rows
from wallet_world import FUNDER, NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

DUST = 100
MOST_COINS = 2_000
CHECK_AND_FORGET = bytes.fromhex("6eac75")
"""OP_2DUP OP_CHECKSIG OP_DROP"""


class CountedRows:
    """A Transaction for StoredCoins that counts the rows it reads."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.count = 0

    def rows(self, statement: Statement, /, **parameters: Any) -> list[Row]:
        found = self._tx.rows(statement, **parameters)
        self.count += len(found)
        return found


async def sweep(alice: OpenWallet, satoshis: int) -> int:
    """Pay from coins of dust; how many statements that took."""
    args = payment_to(NOWHERE, satoshis, options={"returnTXIDOnly": True})
    before = alice.provider.engine.stats.statements  # type: ignore[attr-defined]
    await alice.create_action(args)
    return int(alice.provider.engine.stats.statements - before)  # type: ignore[attr-defined]


def rows_read_for(tx: Transaction, identity_key: str, coins: int) -> int:
    """How many rows are read to choose ``coins`` coins, one after the other."""
    scope = find_user(tx, identity_key)
    counted = CountedRows(tx)
    pool = StoredCoins(cast(Transaction, counted), scope, default_basket(tx, scope), include_sending=False)
    chosen = {coin.output_id for left in range(coins, 0, -1) if (coin := pool.take(left * DUST, None)) is not None}
    assert len(chosen) == coins
    return counted.count


async def test_the_work_of_a_sweep_grows_no_faster_than_its_coins(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, DUST, count=900)
        read = partial(rows_read_for, identity_key=alice.identity_key)
        few, many = [await alice.provider.engine.read(partial(read, coins=coins)) for coins in (50, 800)]
        assert many / 800 < 1.5 * few / 50
        await sweep(alice, DUST)  # reserves derivation counters
        small, large = await sweep(alice, 100 * DUST), await sweep(alice, 700 * DUST)
        assert large / 700 < 1.1 * small / 100
    world.assert_sound("alice")


async def test_an_action_spends_at_most_two_thousand_coins(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, DUST, count=MOST_COINS + 20)
        before = coins_of(world.path("alice"))
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await sweep(alice, MOST_COINS * DUST)  # and the fee, so one coin more at least
        assert refused.value.parameter == "outputs"
        assert coins_of(world.path("alice")) == before
        await sweep(alice, MOST_COINS * DUST - 400)
        (spent,) = rows(world.path("alice"), "SELECT count(*) FROM outputs WHERE spentBy IS NOT NULL")
        assert MOST_COINS - 5 < spent <= MOST_COINS
    world.assert_sound("alice")


def payment_with_checks(world: World, count: int, *, valid: bool = True) -> tuple[str, bytes]:
    """(txid, AtomicBEEF) of an unmined transaction whose one input checks ``count`` signatures."""
    lock = CHECK_AND_FORGET * count + bytes.fromhex("6d51" if valid else "6d00")
    source = world.services.fund(lock, 1000)
    outputs = [OutputSpec(900, p2pkh.lock_to_public_key(PURSE_PUBLIC_KEY))]
    unsigned = parse_transaction(build_transaction([InputSpec(source.txid, source.vout)], outputs))
    unlock = p2pkh.unlock(signature_hash(unsigned, 0, 1000, lock), PURSE_KEY, PURSE_PUBLIC_KEY)
    view = parse_transaction(build_transaction([InputSpec(source.txid, source.vout, unlock)], outputs))
    beef = Beef.parse(source.beef)
    beef.merge_transaction(view)
    return view.txid, beef.to_atomic(view.txid)


class TurnsOfTheLoop:
    """Counts how often the event loop comes round inside ``async with``."""

    async def __aenter__(self) -> TurnsOfTheLoop:
        self.count = 0
        self._task = asyncio.ensure_future(self._turn())
        await asyncio.sleep(0)
        self.count = 0
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _turn(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0.001)


async def test_thousands_of_signature_checks_leave_the_event_loop_to_others(world: World) -> None:
    txid, raw = payment_with_checks(world, 3_000)
    async with TurnsOfTheLoop() as turns:
        incoming = await verify_incoming(raw, world.services.get_chain_tracker())
    assert incoming.view.txid == txid
    assert turns.count >= 5


async def test_what_is_verified_elsewhere_is_refused_as_it_would_be_here(world: World) -> None:
    messages = []
    for checks in (1, 3_000):
        txid, raw = payment_with_checks(world, checks, valid=False)
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await verify_incoming(raw, world.services.get_chain_tracker())
        assert refused.value.parameter == "tx"
        messages.append(refused.value.message.replace(txid, "it"))
    assert messages[0] == messages[1]


async def test_an_action_that_could_not_be_sent_is_refused_before_it_costs_anything(world: World) -> None:
    script = "006a" + "00" * MAX_UNPROVEN_BYTES
    async with world.wallet("alice") as alice:
        await world.fund(alice, 200_000)
        before = coins_of(world.path("alice"))
        with pytest.raises(WERR_INVALID_PARAMETER, match="at most") as refused:
            await alice.create_action(payment_to(script, 0, options={"returnTXIDOnly": True}))
        assert refused.value.parameter == "outputs"
        assert coins_of(world.path("alice")) == before


async def test_a_payment_too_large_to_be_sent_on_is_taken_when_it_is_mined(world: World) -> None:
    async with world.wallet("alice") as alice:
        lock = brc29.lock_to(FUNDER, alice.identity_key, PREFIX, SUFFIX)
        outputs = [OutputSpec(1000, lock), OutputSpec(0, b"\x6a" + bytes(MAX_UNPROVEN_BYTES))]
        large = spend_purse(world, outputs, purse=10_000_000)
        with pytest.raises(WERR_INVALID_PARAMETER, match="mined, or at most") as refused:
            await alice.internalize_action(internalize_args(large.beef))
        assert refused.value.parameter == "tx"
        assert await alice.balance() == 0
        accepted = world.chain.accept(large.view)
        assert accepted.is_on_chain
        world.chain.mine()
        mined = world.chain.beef_of(large.view.txid).to_atomic(large.view.txid)
        await alice.internalize_action(internalize_args(mined))
        assert await alice.balance() == 1000


async def test_coins_too_large_to_be_shown_together_are_done_without_if_others_suffice(world: World) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 5_000, count=4)
        lock = brc29.lock_to(FUNDER, alice.identity_key, PREFIX, SUFFIX)
        for _ in range(2):
            outputs = [OutputSpec(16_000, lock), OutputSpec(0, b"\x6a" + bytes(6_000_000))]
            large = spend_purse(world, outputs, purse=10_000_000)
            assert world.chain.accept(large.view).is_on_chain
            world.chain.mine()
            mined = world.chain.beef_of(large.view.txid).to_atomic(large.view.txid)
            await alice.internalize_action(internalize_args(mined))
        with pytest.raises(AncestryTooLarge):
            await alice.create_action(payment_to(NOWHERE, 40_000))
        for satoshis in (25_000, 15_000):
            created = await alice.create_action(payment_to(NOWHERE, satoshis))
            assert Beef.parse(created["tx"]).subject == created["txid"]
    world.assert_sound("alice")
