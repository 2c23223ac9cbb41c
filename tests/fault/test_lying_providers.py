"""Providers that lie, forget and lose their replies: no coin is written off on one provider's word, no payment is lost.

The chain is honest, and so are the headers; everything else that the network says may be made up.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from disk_worlds import MINUTE, replaying, seeds
from recovery import assert_nothing_is_stuck

from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.interfaces.services import (
    MerklePathAnswer,
    PostAnswer,
    PostOutcome,
    RawTxAnswer,
    TxNetworkStatus,
    TxStatusAnswer,
    UtxoAnswer,
    UtxoStatus,
)
from bsv_wallet_toolbox.mockchain import Fault, MockChain, MockServices
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.hashes import txid_of
from bsv_wallet_toolbox.transactions.tx import InputSpec, OutputSpec, build_transaction
from wallet_file import rows
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

COINS, SATOSHIS, STEPS = 10, 3_000, 10
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE
OUTGOING = "SELECT txid FROM transactions WHERE isOutgoing = 1"
WRITTEN_OFF = "SELECT count(*) FROM bwt_holds WHERE reason = 'spentElsewhere'"
LIES = (
    "forget",
    "lose the reply",
    "name another txid",
    "reject",
    "invent a competitor",
    "make a competitor",
    "name an innocent competitor",
    "claim a double spend",
    "spent",
    "spent by nobody knows whom",
    "status unknown",
    "status mined",
    "proof of another transaction",
    "proof of an orphan",
    "bytes of another transaction",
)
_FAULTS = {
    "forget": Fault.FORGET,
    "lose the reply": Fault.REPLY_LOST,
    "name another txid": Fault.WRONG_TXID,
    "reject": Fault.REJECTED,
    "invent a competitor": Fault.DOUBLE_SPEND_CLAIM,
}


class LyingServices(MockServices):
    """``lies`` are those that it tells now, each with a probability; in what it was not told to lie it is honest."""

    def __init__(self, mock: MockChain, chance: random.Random, probability: float = 0.7) -> None:
        super().__init__(mock)
        self.lies: set[str] = set()
        self.told: Counter[str] = Counter()
        self._chance = chance
        self._probability = probability

    def _lie(self, *known: str) -> str | None:
        for lie in known:
            if lie in self.lies and self._chance.random() < self._probability:
                self.told[lie] += 1
                return lie
        return None

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        posting = (*_FAULTS, "make a competitor", "name an innocent competitor", "claim a double spend")
        lie = self._lie(*posting)
        if lie is None:
            return await super().post_beef(beef, txids)
        if lie in _FAULTS:
            self.faults.set("post_beef", _FAULTS[lie], times=1)
            return await super().post_beef(beef, txids)
        competitor = self._competitor(lie, Beef.parse(beef, "beef"), txids[0])
        named = (txid_of(competitor),) if competitor else ()
        raws = (competitor,) if competitor else ()
        return [PostAnswer("MockServices", txid, PostOutcome.DOUBLE_SPEND, named, raws) for txid in txids]

    def _competitor(self, lie: str, beef: Beef, txid: str) -> bytes | None:
        if lie == "claim a double spend":
            return None
        if lie == "name an innocent competitor":
            return self._coinbase()
        view = beef.view(txid)
        assert view is not None
        spent = view.inputs[0]
        return build_transaction([InputSpec(spent.txid, spent.vout)], [OutputSpec(1, bytes.fromhex(NOWHERE))])

    def _coinbase(self) -> bytes:
        row = self.mock.transaction_of(self._coinbase_txid())
        assert row is not None
        return row.raw_tx

    def _coinbase_txid(self) -> str:
        header = self.mock.header_at(1)
        assert header is not None
        return header.merkle_root  # its block holds nothing else

    async def get_status_for_txids(self, txids: Sequence[str]) -> TxStatusAnswer:
        answer = await super().get_status_for_txids(txids)
        lie = self._lie("status unknown", "status mined")
        if lie is None:
            return answer
        status = TxNetworkStatus.UNKNOWN if lie == "status unknown" else TxNetworkStatus.MINED
        return replace(answer, statuses=dict.fromkeys(txids, status))

    async def get_merkle_path(self, txid: str) -> MerklePathAnswer:
        lie = self._lie("proof of another transaction", "proof of an orphan")
        if lie == "proof of an orphan":
            self.faults.set("get_merkle_path", Fault.STALE_PROOF, times=1)
        return await super().get_merkle_path(self._coinbase_txid() if lie == "proof of another transaction" else txid)

    async def get_raw_tx(self, txid: str) -> RawTxAnswer:
        if self._lie("bytes of another transaction") is not None:
            return RawTxAnswer("MockServices", txid, self._coinbase())
        return await super().get_raw_tx(txid)

    async def get_utxo_status(
        self,
        output: str,
        output_format: Literal["hashLE", "hashBE", "script"] | None = None,
        outpoint: str | None = None,
    ) -> UtxoAnswer:
        if self._lie("spent by nobody knows whom") is not None:
            return UtxoAnswer("MockServices", UtxoStatus.SPENT, spent_by="ab" * 32)
        return await super().get_utxo_status(output, output_format, outpoint)

    async def is_utxo(self, txid: str, vout: int, locking_script: bytes) -> UtxoStatus:
        if self._lie("spent") is not None:
            return UtxoStatus.SPENT
        return await super().is_utxo(txid, vout, locking_script)


class TwoOpinions(LyingServices):
    """Posts to an honest provider and to a liar, and hands out what both say; the liar answers all other questions."""

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        lying = [replace(answer, provider="liar") for answer in await super().post_beef(beef, txids)]
        honest = await MockServices.post_beef(self, beef, txids)
        return [*lying, *honest] if self._chance.random() < 0.5 else [*honest, *lying]


class Walk:
    """Random payments of one wallet while the network lies about them."""

    def __init__(self, world: World, services: LyingServices, wallet: OpenWallet, chance: random.Random) -> None:
        self.world = world
        self.services = services
        self.wallet = wallet
        self.chance = chance
        self.path = world.path("alice")
        self.paid: set[str] = set()

    async def step(self) -> None:
        self.services.lies = set(self.chance.sample(LIES, self.chance.randint(1, 6)))
        await self.chance.choice([self.pay, self.pay, self.watch, self.mine])()
        self.world.clock.advance(self.chance.choice([1_000, 10 * MINUTE, HOUR]))
        self.check()

    def check(self) -> None:
        self.world.assert_sound("alice")
        assert set(rows(self.path, OUTGOING)) == self.paid
        assert "failed" not in rows(self.path, "SELECT status FROM transactions")
        assert rows(self.path, WRITTEN_OFF) == [0]

    async def pay(self) -> None:
        args = payment_to(NOWHERE, self.chance.randint(1, 900), delayed=self.chance.random() < 0.3)
        try:
            self.paid.add((await self.wallet.create_action(args))["txid"])
        except WERR_REVIEW_ACTIONS as told:
            self.paid.add(str(told.txid))
        except WERR_INSUFFICIENT_FUNDS:  # the others wait for an answer
            await self.watch()

    async def watch(self) -> None:
        await self.wallet.monitor.run_until_idle()

    async def mine(self) -> None:
        self.world.chain.mine()
        await self.watch()

    async def come_to_rest(self) -> None:
        """Nobody lies any more, and enough blocks come for the network to be asked about everything again."""
        self.services.lies = set()
        for waiting in (HOUR, HOUR, HOUR, HOUR, DAY, DAY):
            self.world.clock.advance(waiting)
            await self.watch()
            self.world.chain.mine()
            await self.watch()
        self.world.assert_sound("alice")


async def assert_every_coin_is_there(world: World, wallet: OpenWallet) -> None:
    assert_nothing_is_stuck(world.path("alice"))
    balance = await wallet.balance()
    kept = "SELECT satoshis FROM transactions WHERE status = 'completed'"
    assert balance == sum(rows(world.path("alice"), kept))
    await wallet.create_action(payment_to(NOWHERE, balance - 90, delayed=False))
    world.assert_sound("alice")


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "bsv_wallet_toolbox")


@pytest.mark.parametrize("services", [LyingServices, TwoOpinions])
@pytest.mark.parametrize("seed", seeds(4))
async def test_whatever_providers_make_up_every_payment_is_made_once_and_every_coin_is_there(
    tmp_path: Path, seed: int, services: type[LyingServices]
) -> None:
    with replaying(seed, services.__name__) as chance:
        world = World(tmp_path)
        world.services = lying = services(world.chain, chance)
        async with world.wallet("alice") as alice:
            await world.fund(alice, SATOSHIS, count=COINS)
            walk = Walk(world, lying, alice, chance)
            for _ in range(STEPS):
                await walk.step()
            await walk.pay()
            await walk.come_to_rest()
            walk.check()
            assert lying.told.total() > 0
            assert set(rows(walk.path, f"{OUTGOING} AND status = 'completed'")) == walk.paid
            await assert_every_coin_is_there(world, alice)


@pytest.mark.parametrize("lie", [lie for lie in LIES if not lie.startswith("spent")])
async def test_one_lie_told_without_end_ends_no_payment(tmp_path: Path, lie: str) -> None:
    world = World(tmp_path)
    world.services = lying = LyingServices(world.chain, random.Random(lie), probability=1.0)
    async with world.wallet("alice") as alice:
        await world.fund(alice, SATOSHIS, count=COINS)
        walk = Walk(world, lying, alice, random.Random(lie))
        lying.lies = {lie, "invent a competitor"} if lie == "bytes of another transaction" else {lie}
        for _ in range(3):
            await walk.pay()
            for _ in range(2):
                world.clock.advance(HOUR)
                await walk.mine()
                walk.check()
        assert lying.told[lie] > 0
        await walk.come_to_rest()
        assert set(rows(walk.path, f"{OUTGOING} AND status = 'completed'")) == walk.paid
        await assert_every_coin_is_there(world, alice)


async def test_a_coin_called_spent_beside_a_refusal_comes_back_when_somebody_says_that_it_is_not(
    tmp_path: Path,
) -> None:
    """A fee that is called too low ends a payment; what becomes of its coins is not the same provider's to say."""
    world = World(tmp_path)
    world.services = lying = LyingServices(world.chain, random.Random(0), probability=1.0)
    async with world.wallet("alice") as alice:
        await world.fund(alice, SATOSHIS)
        lying.lies = {"spent"}
        lying.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
        with pytest.raises(WERR_REVIEW_ACTIONS):
            await alice.create_action(payment_to(NOWHERE, 100, delayed=False))
        world.assert_sound("alice")
        assert lying.told.total() > 0
        walk = Walk(world, lying, alice, random.Random(0))
        await walk.come_to_rest()
        assert await alice.balance() == SATOSHIS
        await assert_every_coin_is_there(world, alice)


@pytest.mark.parametrize("lie", ["proof of another transaction", "proof of an orphan"])
async def test_a_wrong_proof_proves_nothing(tmp_path: Path, lie: str) -> None:
    world = World(tmp_path)
    world.services = lying = LyingServices(world.chain, random.Random(0), probability=1.0)
    async with world.wallet("alice") as alice:
        await world.fund(alice, SATOSHIS)
        txid = (await alice.create_action(payment_to(NOWHERE, 100, delayed=False)))["txid"]
        world.chain.mine()
        lying.lies = {lie}
        for _ in range(3):
            world.clock.advance(HOUR)
            await alice.monitor.run_until_idle()
            assert rows(world.path("alice"), "SELECT status FROM transactions WHERE txid = ?", txid) == ["unproven"]
        assert lying.told.total() > 0
        lying.lies = set()
        world.clock.advance(HOUR)
        await alice.monitor.run_until_idle()
        assert rows(world.path("alice"), "SELECT status FROM transactions WHERE txid = ?", txid) == ["completed"]
