"""Two wallets do everything a wallet can, in any order, through outages, orphaned blocks, restarts and double spends.

Hypothesis chooses the steps and, when one fails, finds the shortest way to it. ``BSV_WALLET_STATE_RUNS`` says how many
runs are made in all, ``BSV_WALLET_STATE_SEED`` from which seed; a failure prints its steps.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from coin_model import Fate, Kind, Unsigned, Wanted
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from wallet_rest import come_to_rest
from wallet_walk import MINUTE, NAMES, TOKEN, Walk, other

from bsv_wallet_toolbox.mockchain import Fault

RUNS = int(os.environ.get("BSV_WALLET_STATE_RUNS", "300"))
SEED = int(os.environ.get("BSV_WALLET_STATE_SEED", "1"))
CHUNKS = 6
STEPS = 12

OUTAGES = [
    ("post_beef", Fault.UNAVAILABLE),
    ("post_beef", Fault.REPLY_LOST),
    ("post_beef", Fault.WRONG_TXID),
    ("post_beef", Fault.REJECTED),
    ("post_beef", Fault.DOUBLE_SPEND_CLAIM),
    ("post_beef", Fault.FORGET),
    ("post_beef", Fault.FEE_TOO_LOW),
    ("post_beef", Fault.RATE_LIMITED),
    ("get_status_for_txids", Fault.TIMEOUT),
    ("get_merkle_path", Fault.HTTP_STATUS),
    ("get_merkle_path", Fault.STALE_PROOF),
    ("get_merkle_path", Fault.NO_PROOF),
    ("get_raw_tx", Fault.WRONG_TXID),
    ("get_raw_tx", Fault.UNAVAILABLE),
    ("get_utxo_status", Fault.UNAVAILABLE),
    ("is_utxo", Fault.TIMEOUT),
    ("get_beef_for_txid", Fault.UNAVAILABLE),
]

TRACKER = ["is_valid_root_for_height", "current_height", "find_tip", "find_header_for_height"]

T = TypeVar("T")

names = st.sampled_from(NAMES)
amounts = st.integers(1, 4_000)
several = st.lists(st.integers(1, 900), min_size=1, max_size=3)
picks = st.integers(0, 1_000)
delays = st.booleans()


def sent(delayed: bool) -> dict[str, Any]:
    return {"acceptDelayedBroadcast": delayed}


HELD: dict[str, Any] = {"noSend": True}


class WalletMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        shared_memory = Path("/dev/shm")
        parent = shared_memory if shared_memory.is_dir() else None
        self._directory = Path(tempfile.mkdtemp(prefix="bwt-machine-", dir=parent))
        self._runner = asyncio.Runner()
        self._is_broken = False
        self.walk = Walk(self._directory)
        self._run(self._begin())

    async def _begin(self) -> None:
        for name in NAMES:
            await self.walk.open(name)
            await self.walk.fund(name, 6_000, 5)

    def _run(self, step: Coroutine[Any, Any, T]) -> T:
        """One step, and everything must still be sound."""
        try:
            done = self._runner.run(step)
            self._runner.run(self.walk.check())
        except BaseException:
            self._is_broken = True
            raise
        return done

    def teardown(self) -> None:
        try:
            if not self._is_broken:
                self._run(come_to_rest(self.walk, abort_held=self.walk.world.chain.height % 2 == 0))
        finally:
            self._runner.run(self.walk.close_all())
            self._runner.close()
            shutil.rmtree(self._directory)

    # the world

    @rule(name=names, satoshis=st.integers(50, 20_000), count=st.integers(1, 5))
    def fund(self, name: str, satoshis: int, count: int) -> None:
        self._run(self.walk.fund(name, satoshis, count))

    @rule(count=st.integers(1, 3))
    def mine(self, count: int) -> None:
        self._run(self.walk.mine(count))

    @rule(depth=st.sampled_from([1, 2, 3, 6]), watched=st.booleans())
    def reorganise(self, depth: int, watched: bool) -> None:
        self._run(self.walk.reorganise(depth))
        if watched:
            self._run(self.walk.watch())

    @rule(outage=st.sampled_from(OUTAGES), times=st.sampled_from([1, 3, None]))
    def fail(self, outage: tuple[str, Fault], times: int | None) -> None:
        self._run(self.walk.fail(*outage, times))

    @rule(method=st.sampled_from(TRACKER), times=st.sampled_from([1, 3, None]))
    def lose_sight_of_the_chain(self, method: str, times: int | None) -> None:
        self._run(self.walk.lose_sight_of_the_chain(method, times))

    @rule()
    def recover(self) -> None:
        self._run(self.walk.recover())

    @rule(milliseconds=st.sampled_from([1_000, MINUTE, 60 * MINUTE, 25 * 60 * MINUTE, 72 * 60 * MINUTE]))
    def wait(self, milliseconds: int) -> None:
        self._run(self.walk.wait(milliseconds))

    @rule(who=st.sampled_from([NAMES, ("alice",), ("bob",)]))
    def watch(self, who: tuple[str, ...]) -> None:
        self._run(self.walk.watch(*who))

    @rule(name=names)
    def restart(self, name: str) -> None:
        self._run(self.walk.restart(name))

    @rule(name=names, satoshis=amounts)
    def spend_on_second_device(self, name: str, satoshis: int) -> None:
        self._run(self.walk.spend_on_second_device(name, satoshis))

    # paying

    @rule(payer=names, satoshis=amounts, delayed=delays, told=st.sampled_from([None, Kind.CHANGE, Kind.KEPT]))
    def pay(self, payer: str, satoshis: int, delayed: bool, told: Kind | None) -> None:
        self._run(self._pay(payer, satoshis, delayed, told))

    async def _pay(self, payer: str, satoshis: int, delayed: bool, told: Kind | None) -> None:
        payment = await self.walk.pay_other(payer, satoshis, sent(delayed))
        if payment is not None and told is not None:
            await self.walk.take(payment, told)

    @precondition(lambda self: self.walk.payments)
    @rule(pick=picks, kind=st.sampled_from([Kind.CHANGE, Kind.KEPT]))
    def take_payment(self, pick: int, kind: Kind) -> None:
        """Late, twice, or as something else than before."""
        self._run(self.walk.take(self.walk.payments[pick % len(self.walk.payments)], kind))

    @rule(name=names, satoshis=amounts, delayed=delays)
    def spend(self, name: str, satoshis: int, delayed: bool) -> None:
        self._run(self.walk.pay_nowhere(name, satoshis, sent(delayed)))

    @rule(name=names, delayed=delays)
    def remix(self, name: str, delayed: bool) -> None:
        self._run(self.walk.remix(name, sent(delayed)))

    @rule(name=names)
    def sweep(self, name: str) -> None:
        self._run(self.walk.sweep(name))

    @rule(name=names, which=picks)
    def misuse(self, name: str, which: int) -> None:
        self._run(self.walk.misuse(name, which))

    # tokens

    @rule(name=names, satoshis=several, delayed=delays, held=st.booleans())
    def make_tokens(self, name: str, satoshis: list[int], delayed: bool, held: bool) -> None:
        self._run(self.walk.make_tokens(name, satoshis, HELD if held else sent(delayed)))

    @rule(name=names)
    def list_tokens(self, name: str) -> None:
        self._run(self.walk.list_tokens(name))

    @rule(
        name=names,
        count=st.integers(1, 3),
        satoshis=st.lists(st.integers(1, 500), max_size=2),
        delayed=delays,
        held=st.booleans(),
        two_steps=st.booleans(),
    )
    def spend_tokens(
        self, name: str, count: int, satoshis: list[int], delayed: bool, held: bool, two_steps: bool
    ) -> None:
        tokens = list(self.walk.model.unspent(name, Kind.TOKEN, by=name))[:count]
        if tokens:
            options = HELD if held else sent(delayed)
            self._run(self.walk.spend_tokens(name, tokens, satoshis, options, two_steps=two_steps))

    @rule(
        name=names,
        pick=picks,
        satoshis=st.lists(st.integers(1, 500), max_size=2),
        delayed=delays,
        two_steps=st.booleans(),
    )
    def spend_foreign_token(self, name: str, pick: int, satoshis: list[int], delayed: bool, two_steps: bool) -> None:
        tokens = list(self.walk.model.unspent(other(name), Kind.TOKEN, by=name))
        if tokens:
            token = [tokens[pick % len(tokens)]]
            self._run(self.walk.spend_tokens(name, token, satoshis, sent(delayed), two_steps=two_steps))

    # held back

    @rule(name=names, satoshis=amounts, chained=st.booleans(), to_other=st.booleans())
    def hold_back(self, name: str, satoshis: int, chained: bool, to_other: bool) -> None:
        options: dict[str, Any] = dict(HELD)
        if chained:
            held = {made.txid for made in self.walk.model.held(name)}
            coins = [point for point in self.walk.model.unspent(name, Kind.CHANGE) if point[0] in held]
            options["noSendChange"] = [f"{txid}.{vout}" for txid, vout in coins[:3]]
        if to_other:
            self._run(self.walk.pay_other(name, satoshis, options))
        else:
            self._run(self.walk.pay_nowhere(name, satoshis, options))

    @precondition(lambda self: any(map(self.walk.model.held, NAMES)))
    @rule(
        name=names,
        order=st.randoms(use_true_random=False),
        count=st.integers(1, 4),
        delayed=delays,
        new=st.booleans(),
        stray=st.booleans(),
    )
    def send_held(self, name: str, order: Any, count: int, delayed: bool, new: bool, stray: bool) -> None:
        held = [made.txid for made in self.walk.model.held(name)]
        order.shuffle(held)
        txids = held[:count]
        if stray:
            own = [made.txid for made in self.walk.model.made.values() if made.maker == name and made.fate is Fate.SENT]
            txids += own[-1:]
        if txids:
            wanted = [Wanted(TOKEN, 1, name, Kind.TOKEN)] if new else []
            self._run(self.walk.send(name, txids, delayed, wanted))

    @precondition(lambda self: any(map(self.walk.model.held, NAMES)))
    @rule(name=names, pick=picks)
    def abort_held(self, name: str, pick: int) -> None:
        held = self.walk.model.held(name)
        if held:
            self._run(self.walk.abort_held(name, held[pick % len(held)]))

    # in two steps

    @rule(name=names, satoshis=amounts, delayed=delays)
    def leave_unsigned(self, name: str, satoshis: int, delayed: bool) -> None:
        wanted = [Wanted(TOKEN, satoshis, name, Kind.TOKEN)]
        options = {"signAndProcess": False, **sent(delayed)}
        self._run(self.walk.create_unsigned(name, wanted, options, {}))

    @precondition(lambda self: self.walk.model.unsigned)
    @rule(
        pick=picks,
        options=st.sampled_from([{}, {"noSend": True}, {"acceptDelayedBroadcast": False}]),
        wrongly=st.booleans(),
    )
    def sign(self, pick: int, options: dict[str, Any], wrongly: bool) -> None:
        self._run(self.walk.sign(self._unsigned(pick), options, wrongly_first=wrongly))

    @precondition(lambda self: self.walk.model.unsigned)
    @rule(pick=picks)
    def abort_unsigned(self, pick: int) -> None:
        self._run(self.walk.abort_unsigned(self._unsigned(pick)))

    def _unsigned(self, pick: int) -> Unsigned:
        waiting = list(self.walk.model.unsigned.values())
        return waiting[pick % len(waiting)]


@pytest.mark.timeout(0)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_two_wallets_do_no_satoshi_goes_astray(chunk: int) -> None:
    machine = type("WalletMachine", (WalletMachine,), {})
    run_state_machine_as_test(
        seed(SEED + chunk)(machine),
        settings=settings(
            max_examples=max(1, RUNS // CHUNKS),
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
