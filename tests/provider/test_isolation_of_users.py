"""One store, several users: nobody reads what another has not published, and a wallet file has one owner."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_REVIEW_ACTIONS, WERR_UNAUTHORIZED
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from bsv_wallet_toolbox.provider.storage_provider import NewStore, StorageProvider
from bsv_wallet_toolbox.storage.users import UserScope
from bsv_wallet_toolbox.transactions.fee import FeeModel
from bsv_wallet_toolbox.wallet.wallet import Wallet
from caller_coins import caller_coin, spends_of, two_step
from incoming_payments import insertion_entry, internalize_args, mined_payment
from wallet_file import rows
from wallet_world import FUNDER, NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("delayed", [True, False])
async def test_the_transaction_of_another_user_is_not_known(world: World, delayed: bool) -> None:
    async with world.wallet("alice") as alice:
        await world.fund(alice, 10_000, count=2)
        txid = (await alice.create_action(payment_to(NOWHERE, 1000, delayed=delayed)))["txid"]
        owner = alice.provider.for_user(await alice.provider.find_user(alice.identity_key))
        stranger = alice.provider.for_user(await alice.provider.find_or_insert_user(FUNDER.identity_key))
        assert (await owner.beef_of(txid)).view(txid) is not None
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await stranger.beef_of(txid)
        with pytest.raises(WERR_INVALID_PARAMETER) as unknown:
            await stranger.beef_of("ab" * 32)
        assert refused.value.message.replace(txid, "") == unknown.value.message.replace("ab" * 32, "")


@pytest.mark.parametrize("attempt", range(3))
async def test_of_keys_that_make_the_same_file_at_once_one_owns_it(world: World, attempt: int) -> None:
    path = world.path(f"shared {attempt}")

    async def opens(name: str) -> bool:
        try:
            async with open_wallet(
                path, StaticKey(key_of(name)), world.services, create=True, monitor=False, clock=world.clock
            ) as wallet:
                return await wallet.balance() == 0
        except WERR_UNAUTHORIZED:
            return False

    opened = await asyncio.gather(*(opens(f"key {number}") for number in range(8)))
    assert opened.count(True) == 1
    assert rows(path, "SELECT count(*) FROM users") == [1]


async def test_of_first_users_that_come_at_once_one_is_the_first(world: World) -> None:
    """Somebody else may come between a look at the empty store and the writing of the user."""
    keys = [KeyDeriver(key_of(f"key {number}")).identity_key for number in range(32)]
    new = NewStore("02" + "11" * 32, "a store")
    fee_model = FeeModel(value=1)
    async with await StorageProvider.open(world.path("store"), world.services, fee_model=fee_model, new=new) as store:
        made = await asyncio.gather(*map(store.find_or_insert_first_user, keys), return_exceptions=True)
    assert sum(isinstance(each, UserScope) for each in made) == 1
    assert sum(isinstance(each, WERR_UNAUTHORIZED) for each in made) == len(keys) - 1
    assert rows(world.path("store"), "SELECT count(*) FROM users") == [1]


async def two_users(world: World, alice: OpenWallet) -> Wallet:
    """A wallet of bob's in alice's store, with coins of its own."""
    deriver = KeyDeriver(key_of("bob"))
    scope = await alice.provider.find_or_insert_user(deriver.identity_key)
    bob = Wallet(deriver, alice.provider.for_user(scope), world.services)
    await bob.internalize_action(internalize_args(mined_payment(world, bob, 5_000)))
    return bob


def rows_of(world: World, user_id: int) -> list[Any]:
    """Every transaction and output of a user."""
    path = world.path("alice")
    return [
        *rows(path, "SELECT * FROM transactions WHERE userId = ? ORDER BY transactionId", user_id),
        *rows(path, "SELECT * FROM outputs WHERE userId = ? ORDER BY outputId", user_id),
    ]


async def test_actions_of_another_user_can_not_be_named(world: World, alice: OpenWallet) -> None:
    """Neither signed, nor sent, nor given up, nor built on; the answers are those for what nobody has."""
    await world.fund(alice, 10_000, count=3)
    bob = await two_users(world, alice)
    held = await alice.create_action(payment_to("51", 1_000) | {"options": {"noSend": True}})
    signable, coin = await two_step(world, alice)
    before = rows_of(world, 1)
    for reference in (signable["reference"], held["txid"]):
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await bob.abort_action({"reference": reference})
        assert refused.value.parameter == "reference"
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await bob.sign_action({"reference": signable["reference"], "spends": spends_of(signable, coin)})
    assert refused.value.parameter == "reference"
    send: Any = {"description": "send it", "options": {"sendWith": [held["txid"]]}}
    assert (await bob.create_action(send))["sendWithResults"] == [{"txid": held["txid"], "status": "failed"}]
    chained: Any = payment_to(NOWHERE, 100) | {"options": {"noSend": True, "noSendChange": held["noSendChange"]}}
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await bob.create_action(chained)
    assert refused.value.parameter == "noSendChange outpoint"
    spend: Any = {
        "description": "spend it",
        "inputs": [{"outpoint": f"{held['txid']}.0", "inputDescription": "not mine", "unlockingScriptLength": 1}],
    }
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await bob.create_action(spend)
    assert refused.value.parameter == "inputBEEF"
    assert rows_of(world, 1) == before


async def test_the_same_request_key_of_two_users_is_two_requests(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 10_000)
    bob = await two_users(world, alice)
    first = await alice.create_action(payment_to(NOWHERE, 100), idempotency_key="k")
    second = await bob.create_action(payment_to(NOWHERE, 100), idempotency_key="k")
    assert first["txid"] != second["txid"]


async def test_what_one_user_spends_stays_the_others(world: World, alice: OpenWallet) -> None:
    """Both track one output. What one spends in an action that it gives up, or that fails, is still the other's."""
    await world.fund(alice, 10_000, count=2)
    bob = await two_users(world, alice)
    lock = bytes.fromhex("7551")
    coin = caller_coin(world, 700, lock)
    insertion: Any = internalize_args(coin.beef, insertion_entry(0, "shared"))
    await alice.internalize_action(insertion)
    await bob.internalize_action(insertion)
    before = rows_of(world, 2)
    spend: Any = {
        "description": "spend it",
        "inputs": [coin.input(unlockingScript="51")],
        "outputs": [{"lockingScript": NOWHERE, "satoshis": 900, "outputDescription": "what is paid"}],
        "options": {"noSend": True},
    }
    held = await alice.create_action(spend)
    await alice.abort_action({"reference": held["txid"]})
    assert rows_of(world, 2) == before
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
    with pytest.raises(WERR_REVIEW_ACTIONS):
        await alice.create_action(spend | {"options": {"acceptDelayedBroadcast": False}})
    assert rows_of(world, 2) == before
    await bob.create_action(spend | {"options": {"acceptDelayedBroadcast": False}})
