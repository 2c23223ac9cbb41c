"""Two wallets pay each other at random, through outages, restarts and reorganisations, and no satoshi goes astray.

The model beside them knows nothing of the wallets but what each call answered: what was paid, and the fee by the bytes.
"""

from __future__ import annotations

import random
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_INVALID_PARAMETER, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.seams import SeededEntropy
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.beef import Beef
from wallet_world import NOWHERE, World, key_of, payment_to, remittance

pytestmark = pytest.mark.anyio

NAMES = ("alice", "bob")
RUNS, STEPS = 60, 12
MINUTE = 60_000
OUTAGES = [
    ("post_beef", Fault.UNAVAILABLE),
    ("post_beef", Fault.REPLY_LOST),
    ("post_beef", Fault.WRONG_TXID),
    ("post_beef", Fault.REJECTED),
    ("post_beef", Fault.DOUBLE_SPEND_CLAIM),
    ("get_status_for_txids", Fault.TIMEOUT),
    ("get_merkle_path", Fault.HTTP_STATUS),
    ("get_merkle_path", Fault.STALE_PROOF),
]


class Walk:
    """One random run: the world, the wallets that are open, and what they should own."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.world = World(directory)
        self.random = random.Random(seed)
        self.expected: Counter[str] = Counter()
        self.wallets: dict[str, OpenWallet] = {}
        self.history: list[str] = []
        self._stacks: dict[str, AsyncExitStack] = {}
        self._opened = 0

    async def open(self, name: str) -> None:
        self._opened += 1
        self._stacks[name] = AsyncExitStack()
        entropy = SeededEntropy(f"opening {self._opened}")
        self.wallets[name] = await self._stacks[name].enter_async_context(self.world.wallet(name, entropy=entropy))

    async def close(self, name: str) -> None:
        await self._stacks.pop(name).aclose()

    async def step(self) -> None:
        steps = [self.fund, self.pay, self.pay, self.pay, self.spend, self.mine, self.reorganise]
        steps += [self.fail, self.recover, self.watch, self.restart, self.wait]
        chosen = self.random.choice(steps)
        self.history.append(chosen.__name__)
        await chosen()
        self.world.assert_sound(*NAMES)

    def anybody(self) -> str:
        return self.random.choice(NAMES)

    async def fund(self) -> None:
        name, satoshis, count = self.anybody(), self.random.randint(50, 20_000), self.random.randint(1, 5)
        await self.world.fund(self.wallets[name], satoshis, count=count)
        self.expected[name] += satoshis * count

    async def pay(self) -> None:
        """BRC-29 from one to the other, who is told of it even when nobody could send it yet."""
        payer = self.anybody()
        payee = NAMES[1 - NAMES.index(payer)]
        self._opened += 1
        prefix, suffix = b64encode(f"prefix {self._opened}".encode()).decode(), "c3VmZml4"
        sender = KeyDeriver(key_of(payer))
        script = brc29.lock_to(sender, self.wallets[payee].identity_key, prefix, suffix)
        satoshis = self.random.randint(1, 5_000)
        beef = await self._create(payer, script.hex(), satoshis)
        if beef is None:
            return
        remitted = remittance(sender, prefix, suffix)
        entry = {"outputIndex": 0, "protocol": "wallet payment", "paymentRemittance": remitted}
        args = {"tx": beef, "description": "from the other", "outputs": [entry]}
        with suppress(WERR_REVIEW_ACTIONS):  # refused for now; come_to_rest sees it accepted
            await self.wallets[payee].internalize_action(args)
        self.expected[payee] += satoshis

    async def spend(self) -> None:
        await self._create(self.anybody(), NOWHERE, self.random.randint(1, 5_000))

    async def _create(self, payer: str, script: str, satoshis: int) -> bytes | None:
        args = payment_to(script, satoshis, delayed=self.random.random() < 0.5)
        args["options"]["randomizeOutputs"] = False
        before = await self.wallets[payer].balance()
        try:
            beef = await self._create_or_wait(payer, args)
        except WERR_INSUFFICIENT_FUNDS:
            assert await self.wallets[payer].balance() == before
            return None
        self.expected[payer] -= satoshis + _fee(beef)
        return beef

    async def _create_or_wait(self, payer: str, args: dict[str, Any]) -> bytes:
        """The BEEF of a new action; one that is refused for an orphaned block is possible once services answer."""
        try:
            return await self._create_action(payer, args)
        except WERR_INVALID_PARAMETER as refused:
            if "was orphaned" not in refused.message:
                raise
        self.world.services.faults.clear("get_status_for_txids")
        self.world.clock.advance(60 * MINUTE)
        await self.watch()
        return await self._create_action(payer, args)

    async def _create_action(self, payer: str, args: dict[str, Any]) -> bytes:
        try:
            return bytes((await self.wallets[payer].create_action(args))["tx"])
        except WERR_REVIEW_ACTIONS as told:
            return _still_sending(told)

    async def mine(self) -> None:
        self.world.chain.mine(self.random.randint(1, 3))
        self.world.clock.advance(10 * MINUTE)

    async def reorganise(self) -> None:
        depth = self.random.randint(1, 3)
        self.world.chain.reorg(self.world.chain.height - depth + 1, depth + 1)
        await self.watch()

    async def fail(self) -> None:
        method, fault = self.random.choice(OUTAGES)
        self.world.services.faults.set(method, fault, times=self.random.choice([None, 1, 3]))

    async def recover(self) -> None:
        self.world.services.faults.clear()

    async def watch(self) -> None:
        for wallet in self.wallets.values():
            await wallet.monitor.run_until_idle()

    async def restart(self) -> None:
        name = self.anybody()
        await self.close(name)
        await self.open(name)

    async def wait(self) -> None:
        self.world.clock.advance(self.random.choice([1_000, MINUTE, 60 * MINUTE, 24 * 60 * MINUTE]))

    async def come_to_rest(self) -> None:
        """Everything works again, and enough blocks come for everything to be sent and proven."""
        self.world.services.faults.clear()
        for _ in range(6):
            self.world.clock.advance(60 * MINUTE)
            await self.watch()
            self.world.chain.mine()
            await self.watch()
        self.world.assert_sound(*NAMES)
        for name, wallet in self.wallets.items():
            assert await wallet.balance() == self.expected[name], name
            actions = await wallet.list_actions({"labels": [], "limit": 1_000})
            assert {action["status"] for action in actions["actions"]} <= {"completed"}, name


def _still_sending(told: WERR_REVIEW_ACTIONS) -> bytes:
    """The BEEF of a payment that nobody refused for good."""
    assert [each["status"] for each in told.send_with_results] == ["sending"]
    assert told.tx is not None
    return told.tx


def _fee(beef: bytes) -> int:
    parsed = Beef.parse(beef)
    view = parsed.view(str(parsed.subject))
    assert view is not None
    paid_in = 0
    for each in view.inputs:
        source = parsed.view(each.txid)
        assert source is not None
        paid_in += source.outputs[each.vout].satoshis
    return paid_in - sum(output.satoshis for output in view.outputs)


@asynccontextmanager
async def walking(directory: Path, seed: int) -> AsyncIterator[Walk]:
    walk = Walk(directory, seed)
    for name in NAMES:
        await walk.open(name)
    try:
        yield walk
    except BaseException as error:
        error.add_note(f"seed {seed}: {', '.join(walk.history)}")
        raise
    finally:
        for name in NAMES:
            await walk.close(name)


@pytest.mark.parametrize("seed", range(RUNS))
async def test_a_random_walk_ends_with_every_satoshi_in_its_place(tmp_path: Path, seed: int) -> None:
    async with walking(tmp_path, seed) as walk:
        await walk.fund()
        for _ in range(STEPS):
            await walk.step()
        await walk.come_to_rest()
