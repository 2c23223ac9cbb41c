"""One store, several users: nobody reads what another has not published, and a wallet file has one owner."""

from __future__ import annotations

import asyncio

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_UNAUTHORIZED
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.opening import open_wallet
from bsv_wallet_toolbox.provider.storage_provider import NewStore, StorageProvider
from bsv_wallet_toolbox.storage.users import UserScope
from bsv_wallet_toolbox.transactions.fee import FeeModel
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
