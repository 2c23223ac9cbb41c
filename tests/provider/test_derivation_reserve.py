"""Derivation counters: none is used that the store has not durably given away to this process."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.keys.derived_entropy import DerivedEntropy
from bsv_wallet_toolbox.provider.derivations import MARGIN, DerivationReserve
from bsv_wallet_toolbox.seams import SeededEntropy
from bsv_wallet_toolbox.wallet.wallet import Wallet
from wallet_file import rows
from wallet_world import NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

STORE_ID = "02" + "ab" * 32


class WatchedEntropy(DerivedEntropy):
    """Remembers how often a counter was used at or past ``limit``."""

    limit = 0
    overruns = 0

    def bytes(self, count: int) -> bytes:
        given = super().bytes(count)
        self.overruns += self.next_counter > self.limit
        return given


def entropy_at(counter: int) -> WatchedEntropy:
    return WatchedEntropy(key_of("alice"), STORE_ID, counter, SeededEntropy("fresh"))


async def test_callers_that_were_cancelled_never_overrun_the_block(world: World) -> None:
    """Whoever went away may still draw when its turn comes; 512 of them draw more than a block holds."""
    entropy = entropy_at(0)
    release = threading.Event()
    async with world.wallet("alice") as alice:
        await world.fund(alice, 100_000)
        provider = alice.provider
        scope = await provider.find_user(alice.identity_key)

        async def reserve(count: int) -> int:
            first = await provider.reserve_derivations(scope, count)
            entropy.limit = first + count
            return first

        storage = provider.for_user(scope, DerivationReserve(entropy, reserve))
        wallet = Wallet(KeyDeriver(key_of("alice")), storage, world.services)
        await wallet.create_action(payment_to(NOWHERE, 1))
        busy = asyncio.ensure_future(provider.engine.write(lambda tx: release.wait(30)))
        for _ in range(8):
            callers = [asyncio.ensure_future(wallet.create_action(payment_to(NOWHERE, 1))) for _ in range(64)]
            for _ in range(4):
                await asyncio.sleep(0)
            for caller in callers:
                caller.cancel()
            await asyncio.wait(callers)
        release.set()
        assert await busy
        await provider.tasks.finish()
    assert entropy.next_counter > 4096, "the callers that are gone did draw"
    assert entropy.overruns == 0
    assert rows(world.path("alice"), "SELECT count(*) FROM transactions WHERE isOutgoing = 1") == [1]


@pytest.mark.parametrize("behind", [0, 1, MARGIN, 10_000])
async def test_blocks_are_taken_until_one_covers_what_comes_next(behind: int) -> None:
    """A store that is behind what was used gives blocks that are used up already."""
    entropy = entropy_at(behind)
    taken = 0

    async def reserve(count: int) -> int:
        nonlocal taken
        taken += count
        return taken - count

    await DerivationReserve(entropy, reserve).ready()
    assert entropy.next_counter >= behind
    assert entropy.next_counter + MARGIN <= taken


async def test_callers_at_the_same_time_take_one_block(world: World) -> None:
    entropy = entropy_at(0)
    given: list[int] = []

    async def reserve(count: int) -> int:
        await asyncio.sleep(0)
        given.append(count)
        return sum(given) - count

    draws = DerivationReserve(entropy, reserve)
    await asyncio.gather(*(draws.ready() for _ in range(20)))
    assert len(given) == 1
