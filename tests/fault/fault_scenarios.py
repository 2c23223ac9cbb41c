"""What a wallet is doing when it is killed: scenarios over files, so that a process can die in the middle of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from bsv_wallet_toolbox.brc100.create_action import validate_create_action
from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.mockchain import Fault, MockChain, MockServices, SqliteStore
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.provider.user_storage import UserStorage
from bsv_wallet_toolbox.seams import Failpoint, SeededEntropy, failpoints_armed
from bsv_wallet_toolbox.wallet.wallet import Wallet
from incoming_payments import internalize_args, mined_payment, unmined_payment
from storage_adapters import TwoCommits
from wallet_world import NOWHERE, World, key_of, payment_to

MINUTE = 60_000
COINS, SATOSHIS = 6, 2_000


class FileWorld(World):
    """A world whose chain and clock outlive the process: both stand in files beside the wallet's."""

    def __init__(self, directory: Path, chain_seed: str = "chain") -> None:
        """``chain_seed``: another one for every process that mines, or two blocks may be the same."""
        super().__init__(directory)
        stored = directory / "clock"
        if stored.exists():
            self.clock.advance(int(stored.read_text()) - self.clock.now())
        self.chain = MockChain(
            SqliteStore(directory / "chain.sqlite"),
            clock=self.clock,
            entropy=SeededEntropy(chain_seed),
            deterministic=True,
            premine=not (directory / "chain.sqlite").exists(),
        )
        self.services = MockServices(self.chain)

    def pass_time(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)
        written = self.directory / "clock.new"
        written.write_text(str(self.clock.now()))
        written.replace(self.directory / "clock")  # whole or not at all: the process may be killed between

    def close(self) -> None:
        self.chain.close()


Step = Callable[[FileWorld, OpenWallet], Awaitable[object]]


@dataclass(frozen=True)
class Scenario:
    """``prepare`` runs undisturbed, ``act`` is what dies. Both get the wallet open."""

    prepare: Step
    act: Step


async def fund(world: FileWorld, wallet: OpenWallet) -> None:
    await world.fund(wallet, SATOSHIS, count=COINS)


async def pay_delayed(world: FileWorld, wallet: OpenWallet) -> None:
    await wallet.create_action(payment_to(NOWHERE, 3_000), idempotency_key="payment")


async def pay_immediate(world: FileWorld, wallet: OpenWallet) -> None:
    await wallet.create_action(payment_to(NOWHERE, 3_000, delayed=False), idempotency_key="payment")


async def pay_in_two_commits(world: FileWorld, wallet: OpenWallet) -> None:
    far = Wallet(KeyDeriver(wallet_key()), TwoCommits(await _storage(wallet)), world.services)
    await far.create_action(payment_to(NOWHERE, 3_000, delayed=False))


async def pay_too_little(world: FileWorld, wallet: OpenWallet) -> None:
    world.services.faults.set("post_beef", Fault.FEE_TOO_LOW, times=1)
    with suppress(WalletError):
        await wallet.create_action(payment_to(NOWHERE, 3_000, delayed=False))


def wallet_key() -> bytes:
    return key_of("alice")


async def _storage(wallet: OpenWallet) -> UserStorage:
    return wallet.provider.for_user(await wallet.provider.find_user(wallet.identity_key))


async def receive_proven(world: FileWorld, wallet: OpenWallet) -> None:
    await wallet.internalize_action(internalize_args((world.directory / "incoming").read_bytes()))


async def offer_proven(world: FileWorld, wallet: OpenWallet) -> None:
    (world.directory / "incoming").write_bytes(mined_payment(world, wallet, 700))


async def offer_unproven(world: FileWorld, wallet: OpenWallet) -> None:
    (world.directory / "incoming").write_bytes(unmined_payment(world, wallet, 700).beef)


async def watch(world: FileWorld, wallet: OpenWallet) -> None:
    await wallet.monitor.run_until_idle()


async def fund_and_pay_delayed(world: FileWorld, wallet: OpenWallet) -> None:
    await fund(world, wallet)
    await pay_delayed(world, wallet)


async def fund_pay_and_mine(world: FileWorld, wallet: OpenWallet) -> None:
    await fund(world, wallet)
    await pay_immediate(world, wallet)
    world.chain.mine()


async def lose_the_block_of_a_payment(world: FileWorld, wallet: OpenWallet) -> None:
    await fund_pay_and_mine(world, wallet)
    await wallet.monitor.run_until_idle()
    world.chain.reorg(world.chain.height, 2)
    world.pass_time(MINUTE)


async def lose_the_block_of_the_funding(world: FileWorld, wallet: OpenWallet) -> None:
    await fund(world, wallet)
    await wallet.monitor.run_until_idle()
    world.chain.reorg(world.chain.height, 2)
    world.pass_time(MINUTE)


async def lose_the_block_below_a_payment(world: FileWorld, wallet: OpenWallet) -> None:
    await offer_unproven(world, wallet)
    await receive_proven(world, wallet)
    await wallet.monitor.run_until_idle()
    world.chain.reorg(world.chain.height, 2)
    world.pass_time(MINUTE)


async def leave_an_action_unsigned(world: FileWorld, wallet: OpenWallet) -> None:
    await fund(world, wallet)
    await (await _storage(wallet)).create_action(validate_create_action(payment_to(NOWHERE, 3_000)))
    world.pass_time(60 * MINUTE)


TOKEN = "51"
"""A lock that an empty script opens."""


async def fund_and_leave_to_be_signed(world: FileWorld, wallet: OpenWallet) -> None:
    await fund(world, wallet)
    outputs = [{"lockingScript": TOKEN, "satoshis": 500, "outputDescription": "a token", "basket": "tokens"}]
    made = await wallet.create_action(
        {"description": "a token", "outputs": outputs, "options": {"randomizeOutputs": False}}
    )
    inputs = [{"outpoint": f"{made['txid']}.0", "inputDescription": "the token", "unlockingScriptLength": 0}]
    args: Any = {"description": "spend the token", "inputs": inputs}
    waiting = await wallet.create_action(args)
    (world.directory / "reference").write_text(waiting["signableTransaction"]["reference"])


async def sign(world: FileWorld, wallet: OpenWallet) -> None:
    reference = (world.directory / "reference").read_text()
    spends = {0: {"unlockingScript": ""}}
    args: Any = {"reference": reference, "spends": spends, "options": {"acceptDelayedBroadcast": False}}
    await wallet.sign_action(args)


async def abort_unsigned(world: FileWorld, wallet: OpenWallet) -> None:
    await wallet.abort_action({"reference": (world.directory / "reference").read_text()})


async def fund_and_hold_back(world: FileWorld, wallet: OpenWallet) -> None:
    """Two actions, the second built on the first, neither sent."""
    await fund(world, wallet)
    args = payment_to(NOWHERE, 300)
    args["options"] = {"noSend": True}
    first = await wallet.create_action(args)
    args["options"] = {"noSend": True, "noSendChange": first["noSendChange"]}
    second = await wallet.create_action(args)
    (world.directory / "held back").write_text(second["txid"])


async def send_held_back(world: FileWorld, wallet: OpenWallet) -> None:
    send_with = [(world.directory / "held back").read_text()]
    args: Any = {"description": "send both", "options": {"sendWith": send_with, "acceptDelayedBroadcast": False}}
    await wallet.create_action(args)


async def abort_held_back(world: FileWorld, wallet: OpenWallet) -> None:
    """The later one first: what others build on is not given up."""
    held = await wallet.list_actions({"labels": [], "limit": 100})
    txids = [action["txid"] for action in held["actions"] if action["status"] == "nosend"]
    for txid in reversed(txids):
        await wallet.abort_action({"reference": txid})


async def abort_both_and_pay(world: FileWorld, wallet: OpenWallet) -> None:
    await abort_held_back(world, wallet)
    await pay_immediate(world, wallet)


SCENARIOS: dict[str, Scenario] = {
    "sign": Scenario(fund_and_leave_to_be_signed, sign),
    "abort unsigned": Scenario(fund_and_leave_to_be_signed, abort_unsigned),
    "send held back": Scenario(fund_and_hold_back, send_held_back),
    "abort held back": Scenario(fund_and_hold_back, abort_both_and_pay),
    "create delayed": Scenario(fund, pay_delayed),
    "create immediate": Scenario(fund, pay_immediate),
    "create in two commits": Scenario(fund, pay_in_two_commits),
    "create refused by the network": Scenario(fund, pay_too_little),
    "internalize proven": Scenario(offer_proven, receive_proven),
    "internalize unproven": Scenario(offer_unproven, receive_proven),
    "send": Scenario(fund_and_pay_delayed, watch),
    "prove": Scenario(fund_pay_and_mine, watch),
    "reorganise": Scenario(lose_the_block_of_a_payment, watch),
    "reorganise a funding": Scenario(lose_the_block_of_the_funding, watch),
    "reorganise an ancestry": Scenario(lose_the_block_below_a_payment, watch),
    "abandon": Scenario(leave_an_action_unsigned, watch),
}


async def prepare(directory: Path, scenario: Scenario) -> None:
    world = FileWorld(directory)
    async with world.wallet("alice") as alice:
        await scenario.prepare(world, alice)
    world.pass_time(0)
    world.close()


async def act(directory: Path, scenario: Scenario, handler: Callable[[Failpoint], None]) -> None:
    """Open what was prepared and run the scenario with ``handler`` at every durable boundary."""
    world = FileWorld(directory)
    async with world.wallet("alice", entropy=SeededEntropy("act")) as alice:
        with failpoints_armed(handler):
            await scenario.act(world, alice)
    world.close()


class AtPass:
    """Does something at the ``number``-th pass of a boundary, counted from 1."""

    def __init__(self, point: Failpoint, number: int, happen: Callable[[], None]) -> None:
        self._point = point
        self._left = number
        self._happen = happen

    def __call__(self, point: Failpoint) -> None:
        if point is self._point:
            self._left -= 1
            if self._left == 0:
                self._happen()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def act_and_die(directory: str, name: str, point: str, number: int) -> None:
    """What a process does that is to be killed; it comes back only when the boundary was not passed so often."""
    handler = AtPass(Failpoint(point), number, die)

    async def main() -> None:
        await act(Path(directory), SCENARIOS[name], handler)

    anyio.run(main)
