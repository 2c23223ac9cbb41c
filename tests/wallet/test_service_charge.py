"""What a store charges for an action: paid only where the user agreed, written down, redeemable by its operator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.provider.storage_provider import NewStore, StorageProvider
from bsv_wallet_toolbox.storage.create_action import Commission
from bsv_wallet_toolbox.templates import p2pkh
from bsv_wallet_toolbox.templates.commission import commission_lock, offset_private_key, offset_public_key
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.fee import FeeModel
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
    signature_hash,
)
from bsv_wallet_toolbox.wallet.signer import SigningLimits
from bsv_wallet_toolbox.wallet.wallet import Wallet
from caller_coins import caller_coin, output, spending, spends_of, whole_transaction
from incoming_payments import internalize_args, mined_payment
from storage_adapters import TwoCommits
from wallet_file import row_counts, rows
from wallet_world import NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

OPERATOR_KEY = bytes(31) + b"\x05"
OPERATOR = bytes.fromhex(KeyDeriver(OPERATOR_KEY).identity_key)
CHARGE = 70


@asynccontextmanager
async def charged_wallet(
    world: World, *, agreed: int = CHARGE, remote: bool = False
) -> AsyncIterator[tuple[Wallet, StorageProvider]]:
    """A wallet with 5000 satoshis in a store that charges 70 for an action, whose file is alice's."""
    async with await StorageProvider.open(
        world.path("alice"),
        world.services,
        fee_model=FeeModel(value=1),
        new=NewStore("02" + "11" * 32, "a store"),
        clock=world.clock,
        commission=Commission(CHARGE, OPERATOR),
    ) as store:
        deriver = KeyDeriver(key_of("alice"))
        user = store.for_user(await store.find_or_insert_user(deriver.identity_key))
        storage: Any = TwoCommits(user) if remote else user
        limits = SigningLimits(max_service_charge=agreed)
        wallet = Wallet(deriver, storage, world.services, limits=limits)
        await wallet.internalize_action(internalize_args(mined_payment(world, wallet, 5_000)))
        yield wallet, store
    world.assert_sound("alice")


def made(created: Any) -> TransactionView:
    view = Beef.parse(created["tx"]).view(created["txid"])
    assert view is not None
    return view


def charges(world: World) -> list[tuple[int, bytes, str, int, int]]:
    columns = "satoshis, lockingScript, keyOffset, isRedeemed, transactionId"
    return rows(world.path("alice"), f"SELECT {columns} FROM commissions")


@pytest.mark.parametrize("remote", [False, True])
async def test_it_is_paid_and_written_down(world: World, remote: bool) -> None:
    async with charged_wallet(world, remote=remote) as (wallet, _):
        created = await wallet.create_action(payment_to(NOWHERE, 1_000, delayed=False))
        ((satoshis, script, key_offset, redeemed, transaction_id),) = charges(world)
        assert (satoshis, redeemed, transaction_id) == (CHARGE, 0, 2)
        assert commission_lock(OPERATOR, key_offset) == script
        view = made(created)
        assert [each.locking_script for each in view.outputs if each.satoshis == CHARGE].count(script) == 1
        assert await wallet.balance() == 5_000 - 1_000 - CHARGE - 1
        row = "SELECT spendable, change, purpose, providedBy, basketId FROM outputs WHERE satoshis = ?"
        assert rows(world.path("alice"), row, CHARGE) == [(0, 0, "storage-commission", "storage", None)]


async def test_the_operator_redeems_it(world: World) -> None:
    async with charged_wallet(world) as (wallet, _):
        created = await wallet.create_action(payment_to(NOWHERE, 1_000, delayed=False))
        ((_, script, key_offset, _, _),) = charges(world)
        vout = [each.locking_script for each in made(created).outputs].index(script)
        outputs = [OutputSpec(CHARGE - 1, bytes.fromhex(NOWHERE))]
        bare = parse_transaction(build_transaction([InputSpec(created["txid"], vout)], outputs))
        unlock = p2pkh.unlock(
            signature_hash(bare, 0, CHARGE, script),
            offset_private_key(OPERATOR_KEY, key_offset),
            offset_public_key(OPERATOR, key_offset),
        )
        redeemed = parse_transaction(build_transaction([InputSpec(created["txid"], vout, unlock)], outputs))
        assert world.chain.accept(redeemed).is_on_chain


async def test_every_charge_has_a_lock_of_its_own(world: World) -> None:
    async with charged_wallet(world) as (wallet, _):
        for _ in range(3):
            await wallet.create_action(payment_to(NOWHERE, 100))
        assert len({script for _, script, *_ in charges(world)}) == 3


@pytest.mark.parametrize("agreed", [0, CHARGE - 1])
async def test_more_than_the_user_agreed_to_is_not_signed(world: World, agreed: int) -> None:
    async with charged_wallet(world, agreed=agreed) as (wallet, _):
        before = row_counts(world.path("alice"))
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await wallet.create_action(payment_to(NOWHERE, 1_000))
        assert refused.value.parameter == "storage service charge"
        assert (row_counts(world.path("alice")), await wallet.balance()) == (before, 5_000)


async def test_it_is_asked_for_in_what_an_action_needs(world: World) -> None:
    async with charged_wallet(world) as (wallet, _):
        with pytest.raises(WERR_INSUFFICIENT_FUNDS) as error:
            await wallet.create_action(payment_to(NOWHERE, 4_950))
        assert error.value.total_satoshis_needed == 4_950 + CHARGE + 1
        assert charges(world) == []


async def test_in_two_steps_it_is_in_what_is_signed(world: World) -> None:
    async with charged_wallet(world) as (wallet, _):
        coin = caller_coin(world, 500)
        args = spending(coin, outputs=[output(NOWHERE, 1_000)])
        signable: Any = (await wallet.create_action(args))["signableTransaction"]
        signed = await wallet.sign_action({"reference": signable["reference"], "spends": spends_of(signable, coin)})
        ((_, script, *_),) = charges(world)
        assert script in [each.locking_script for each in made(signed).outputs]


async def test_a_transaction_that_is_the_callers_whole_is_not_charged_for(world: World) -> None:
    async with charged_wallet(world, agreed=0) as (wallet, _):
        args = whole_transaction(caller_coin(world, 200), [output(NOWHERE, 199)])
        assert made(await wallet.create_action(args)).output_count == 1
        assert charges(world) == []
