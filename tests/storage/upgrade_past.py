"""Wallet files of every schema version: how one is made, and how a test goes on with it.

A past is a wallet's file with an action in every state that its version could make, the chain it lived on, and what the
wallet said of itself. Before a migration is added, keep the past of the version that it ends:

    PYTHONPATH=tests python tests/storage/upgrade_past.py
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import pytest
from sql_dump import dump, restore
from sqlalchemy import text

from bsv_wallet_toolbox.brc100.create_action import validate_create_action
from bsv_wallet_toolbox.database.migrations import Migration, migrate
from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INTERNAL, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.mockchain import Fault, MockChain, MockServices, SqliteStore
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from bsv_wallet_toolbox.seams import Failpoint, ManualClock, SeededEntropy, failpoints_armed
from bsv_wallet_toolbox.storage.migrations import MIGRATIONS
from incoming_payments import insertion_entry, internalize_args, payment_entry, unmined_payment
from wallet_world import NOWHERE, World, key_of, payment_to

DATA = Path(__file__).parents[1] / "data"
NEWEST = len(MIGRATIONS)
MINUTE = 60_000
NAME = "alice"
SAID = "said.json"
KEY, APP = "invoice 7", "app.example"
KEYED = payment_to(NOWHERE, 1_100, labels=["rent"])


def directory_of(version: int) -> Path:
    return DATA / f"schema_{version}"


class PastWorld(World):
    """A world whose chain and clock stand in the directory, so that a past can be kept and gone on with."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        kept = directory / "chain.sqlite"
        is_new = not kept.exists()
        if (directory / SAID).exists():
            self.clock.advance(self.said["clock"] - self.clock.now())
            self._names.add(NAME)
        seed = "chain" if is_new else "chain after the upgrade"
        self.chain = MockChain(
            SqliteStore(kept), clock=self.clock, entropy=SeededEntropy(seed), deterministic=True, premine=is_new
        )
        self.services = MockServices(self.chain)

    @property
    def said(self) -> dict[str, Any]:
        """What the wallet of the past said of itself before it was closed."""
        found: dict[str, Any] = json.loads((self.directory / SAID).read_text())
        return found

    def chain_balance(self) -> int:
        """What chain and mempool hold under the scripts of the wallet's change."""
        _, scripts = self._coins(NAME)
        return sum(output.satoshis for script in scripts for output in self.chain.utxos_of(script))


async def say(wallet: OpenWallet) -> dict[str, Any]:
    """What an upgrade must not change."""
    actions = await wallet.list_actions({"labels": [], "includeLabels": True, "includeOutputs": True, "limit": 1000})
    tokens = await wallet.list_outputs({"basket": "tokens", "includeTags": True, "includeCustomInstructions": True})
    change = await wallet.list_outputs({"basket": "default", "limit": 1})
    of_output = ("outputIndex", "satoshis", "spendable", "outputDescription", "basket", "tags")
    of_action = ("txid", "satoshis", "status", "isOutgoing", "description", "labels")
    return {
        "balance": await wallet.balance(),
        "change": change["totalOutputs"],
        "tokens": _only(tokens["outputs"], "outpoint", "satoshis", "spendable", "customInstructions", "tags"),
        "actions": [
            {**each, "outputs": _only(action["outputs"], *of_output)}
            for action, each in zip(actions["actions"], _only(actions["actions"], *of_action), strict=True)
        ],
    }


def _only(rows: Sequence[Any], *names: str) -> list[dict[str, Any]]:
    """Named fields of each row, since later versions may say more."""
    return [{name: row.get(name) for name in names} for row in rows]


async def build(directory: Path) -> None:
    """Live a past with the code of today; afterwards the directory holds its files."""
    world = PastWorld(directory)
    await _lose_a_coin_to_a_rival(world)
    async with world.wallet(NAME) as wallet:
        late = await _receive(world, wallet)
        await _lose_the_last_block(world, wallet)
        await _be_refused(world, wallet)
        await _leave_unfinished(world, wallet, late)
        said = await say(wallet)
        said["keyed"] = (await wallet.create_action(KEYED, APP, idempotency_key=KEY))["txid"]
    world.assert_sound(NAME)
    (directory / SAID).write_text(json.dumps({"clock": world.clock.now(), **said}, indent=1, sort_keys=True) + "\n")
    world.chain.close()


async def _lose_a_coin_to_a_rival(world: PastWorld) -> None:
    """A copy of the file spends a coin; the payment with it fails, one input is free again, one spent elsewhere."""
    async with world.wallet(NAME) as wallet:
        await world.fund(wallet, 4_000)
        await world.fund(wallet, 3_000)
    kept = world.path(NAME).read_bytes()
    async with world.wallet(NAME, derive_from_key=False, entropy=SeededEntropy("rival")) as rival:
        await rival.create_action(payment_to(NOWHERE, 2_500, delayed=False))
    world.path(NAME).write_bytes(kept)
    world.chain.mine()
    world.clock.advance(MINUTE)
    async with world.wallet(NAME) as wallet:
        await _refused(wallet, payment_to(NOWHERE, 6_000, delayed=False))


async def _receive(world: PastWorld, wallet: OpenWallet) -> list[bytes]:
    """Proven payments, outputs in baskets, one completed action; BEEFs of payments that are not mined, for later."""
    await world.fund(wallet, 10_000, 12)
    late = [unmined_payment(world, wallet, satoshis).beef for satoshis in (700, 800)]
    token = {"lockingScript": "51", "satoshis": 10, "outputDescription": "a token", "basket": "tokens"}
    token |= {"tags": ["red", "round"], "customInstructions": "keep it"}
    args = {"description": "a token", "outputs": [token], "labels": ["tokens"]}
    await wallet.create_action({**args, "options": {"acceptDelayedBroadcast": False}})
    mined = world.services.fund(bytes.fromhex("52"), 600).beef
    entry = insertion_entry(basket="tokens", tags=["found"], customInstructions="from outside")
    await wallet.internalize_action(internalize_args(mined, entry), idempotency_key="taken in")
    await wallet.monitor.run_until_idle()
    return late


async def _lose_the_last_block(world: PastWorld, wallet: OpenWallet) -> None:
    """An own payment and an incoming one lose the block that proved them."""
    await wallet.create_action(payment_to(NOWHERE, 1_700, delayed=False, labels=["rent"]))
    await world.fund(wallet, 900)
    await wallet.monitor.run_until_idle()
    world.chain.reorg(world.chain.height, 2)
    world.services.faults.set("get_raw_tx", Fault.UNAVAILABLE)
    world.services.faults.set("get_beef_for_txid", Fault.UNAVAILABLE)
    world.clock.advance(MINUTE)
    await wallet.monitor.run_until_idle()


async def _be_refused(world: PastWorld, wallet: OpenWallet) -> None:
    """One refused payment freed its coins, one holds them until they are seen unspent, one is held itself."""
    faults = world.services.faults
    faults.set("post_beef", Fault.FEE_TOO_LOW)
    await _refused(wallet, payment_to(NOWHERE, 5_000, delayed=False))
    faults.set("is_utxo", Fault.UNAVAILABLE)
    await _refused(wallet, payment_to(NOWHERE, 6_000, delayed=False))
    faults.clear("post_beef")
    faults.set("post_beef", Fault.REJECTED)
    faults.set("get_status_for_txids", Fault.UNAVAILABLE)
    await _refused(wallet, payment_to(NOWHERE, 3_300, delayed=False))
    faults.clear()


async def _leave_unfinished(world: PastWorld, wallet: OpenWallet, late: list[bytes]) -> None:
    """Payments in and out without a proof, in and out without an acceptance, and one without a signature."""
    await wallet.internalize_action(internalize_args(late[0], payment_entry()))
    await wallet.create_action(payment_to(NOWHERE, 1_900, delayed=False))
    world.services.faults.set("post_beef", Fault.UNAVAILABLE)
    with suppress(WERR_REVIEW_ACTIONS):
        await wallet.internalize_action(internalize_args(late[1], payment_entry()))
    world.services.faults.clear()
    with failpoints_armed(_stop_before_posting):
        await _refused(wallet, payment_to(NOWHERE, 1_300, delayed=False))
    await wallet.create_action(KEYED, APP, idempotency_key=KEY)
    scope = await wallet.provider.find_user(wallet.identity_key)
    await wallet.provider.for_user(scope).create_action(validate_create_action(payment_to(NOWHERE, 300)))


def _stop_before_posting(point: Failpoint) -> None:
    """Leaves what a process leaves that dies there: a job that is claimed."""
    if point is Failpoint.BROADCAST_BEFORE_POST:
        raise WERR_INTERNAL("stopped before posting")


async def _refused(wallet: OpenWallet, args: dict[str, Any]) -> None:
    with pytest.raises(WERR_REVIEW_ACTIONS):
        await wallet.create_action(args)


def keep(source: Path, target: Path) -> None:
    """Write the past in ``source`` as text into ``target``."""
    target.mkdir(parents=True, exist_ok=True)
    with apsw.Connection(str(source / "chain.sqlite")) as chain:
        # The chain's rows carry the time of the machine, which would make every text another.
        for table in ("mockchain_block_headers", "mockchain_transactions", "mockchain_utxos"):
            chain.execute(f"UPDATE {table} SET created_at = '2023-11-14 22:13:20'")
        chain.execute("UPDATE knex_migrations_mockchain SET migration_time = 1700000000000")
    for name in (NAME, "chain"):
        (target / f"{name}.sql").write_text(dump(source / f"{name}.sqlite"))
    (target / SAID).write_bytes((source / SAID).read_bytes())


def bring_back(version: int, target: Path) -> None:
    """The files of a kept past."""
    source = directory_of(version)
    for name in (NAME, "chain"):
        restore((source / f"{name}.sql").read_text(), target / f"{name}.sqlite")
    (target / SAID).write_bytes((source / SAID).read_bytes())


async def open_once(directory: str) -> None:
    """Open the wallet, make it where it is not whole yet, and leave it."""
    world = PastWorld(Path(directory))
    entropy = SeededEntropy("opening")
    path, key = world.path(NAME), StaticKey(key_of(NAME))
    options: dict[str, Any] = {"clock": world.clock, "entropy": entropy, "create": True, "monitor": False}
    async with open_wallet(path, key, world.services, **options):
        pass
    world.chain.close()


def open_and_die(directory: str, point: str, number: int) -> None:
    """What a process does that is to be killed at the ``number``-th pass of a boundary, counted from 1."""
    passed = 0

    def count(at: Failpoint) -> None:
        nonlocal passed
        passed += at == point
        if at == point and passed == number:
            os.kill(os.getpid(), signal.SIGKILL)

    with failpoints_armed(count):
        asyncio.run(open_once(directory))


def half_a_step(tx: Transaction) -> None:
    """The first half of a migration that there is not."""
    tx.execute(Statement(text("CREATE TABLE bwt_next AS SELECT outputId, satoshis FROM outputs"), "make a table"))
    tx.execute(Statement(text("UPDATE outputs SET satoshis = satoshis + 1"), "change rows"))


def upgrade_and_die(directory: str) -> None:
    """What a process does that is to be killed in the middle of a migration."""

    def step(tx: Transaction) -> None:
        half_a_step(tx)
        os.kill(os.getpid(), signal.SIGKILL)

    async def upgrade() -> None:
        async with SqliteEngine.open(Path(directory) / f"{NAME}.sqlite", clock=ManualClock()) as engine:
            await migrate(engine, (*MIGRATIONS, Migration(NEWEST + 1, "dies", step)))

    asyncio.run(upgrade())


if __name__ == "__main__":
    with TemporaryDirectory() as scratch:
        asyncio.run(build(Path(scratch)))
        keep(Path(scratch), directory_of(NEWEST))
