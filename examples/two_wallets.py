"""Two wallets in two files fund themselves, pay each other, see their payments mined and proven, and survive a reorg.

Run it with ``make demo``. Everything is real but the network, which is a mock chain in this process: consensus checks,
blocks with proof of work, Merkle proofs, reorganisations.
"""

from __future__ import annotations

import asyncio
import tempfile
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from secrets import token_bytes

from rich.console import Console
from rich.table import Table

from bsv_wallet_toolbox import MockChain, MockServices, OpenWallet, StaticKey, fund_wallet, open_wallet
from bsv_wallet_toolbox.brc100.types import PaymentRemittance
from bsv_wallet_toolbox.doctor import examine
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.tx import parse_transaction

console = Console(width=118)
SECONDS_TO_WAIT = 20.0


class Person:
    """Somebody with a key and a wallet file."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.file = directory / f"{name}.sqlite"
        self.root_key = token_bytes(32)
        self.keys = KeyDeriver(self.root_key)
        self.wallet: OpenWallet


def remittance(sender: KeyDeriver, prefix: str, suffix: str) -> PaymentRemittance:
    """What the payee must know to find the key of an output (BRC-29)."""
    return {"derivationPrefix": prefix, "derivationSuffix": suffix, "senderIdentityKey": sender.identity_key}


def fresh_names() -> tuple[str, str]:
    return b64encode(token_bytes(8)).decode(), b64encode(token_bytes(8)).decode()


async def receive(payee: Person, tx: bytes, vout: int, sender: KeyDeriver, prefix: str, suffix: str, why: str) -> None:
    await payee.wallet.internalize_action(
        {
            "tx": tx,
            "description": why,
            "outputs": [
                {
                    "outputIndex": vout,
                    "protocol": "wallet payment",
                    "paymentRemittance": remittance(sender, prefix, suffix),
                }
            ],
        }
    )


async def pay(payer: Person, payee: Person, satoshis: int) -> str:
    """The payer makes an action and hands its AtomicBEEF to the payee, as a message would carry it."""
    prefix, suffix = fresh_names()
    script = brc29.lock_to(payer.keys, payee.keys.identity_key, prefix, suffix)
    action = await payer.wallet.create_action(
        {
            "description": f"to {payee.name}",
            "outputs": [{"lockingScript": script.hex(), "satoshis": satoshis, "outputDescription": "payment"}],
            "options": {"randomizeOutputs": False},
        },
        idempotency_key=f"{prefix} {suffix}",
    )
    await receive(payee, action["tx"], 0, payer.keys, prefix, suffix, f"from {payer.name}")
    return action["txid"]


async def until(what: str, holds: Callable[[], Awaitable[bool]]) -> None:
    """The monitors work by themselves; here we only look whether they are done."""
    deadline = asyncio.get_running_loop().time() + SECONDS_TO_WAIT
    while not await holds():
        if asyncio.get_running_loop().time() > deadline:
            raise SystemExit(f"waited {SECONDS_TO_WAIT:.0f} s in vain until {what}")
        await asyncio.sleep(0.02)


async def statuses(person: Person) -> dict[str, str]:
    listed = await person.wallet.list_actions({"labels": [], "limit": 100})
    return {action["txid"]: action["status"] for action in listed["actions"]}


def all_are(people: list[Person], wanted: set[str]) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return all([set((await statuses(person)).values()) <= wanted for person in people])

    return holds


def block_of(txid: str, chain: MockChain) -> str:
    stored = chain.transaction_of(txid)
    return str(stored.height) if stored is not None and stored.height is not None else "-"


async def show(title: str, people: list[Person], chain: MockChain) -> None:
    balances = Table(title=f"{title} (height {chain.height})", title_justify="left", title_style="bold")
    for heading in ("wallet", "balance", "action", "satoshis", "status", "block", "txid"):
        balances.add_column(heading, justify="right" if heading in ("balance", "satoshis", "block") else "left")
    for person in people:
        listed = await person.wallet.list_actions({"labels": [], "limit": 100})
        balance = f"{await person.wallet.balance():,}"
        for action in listed["actions"]:
            balances.add_row(
                person.name,
                balance,
                action["description"],
                f"{action['satoshis']:,}",
                action["status"],
                block_of(action["txid"], chain),
                f"{action['txid'][:16]}…",
            )
        balances.add_section()
    console.print(balances)


def root_at(chain: MockChain) -> Callable[[int], str | None]:
    """The headers by which the doctor judges proofs: the Merkle root of the active block at a height."""

    def root(height: int) -> str | None:
        header = chain.header_at(height)
        return header.merkle_root if header is not None else None

    return root


def all_sound(people: list[Person], chain: MockChain) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        reports = [examine(person.file, root_at(chain)) for person in people]
        return all(report.is_healthy and not report.warnings for report in reports)

    return holds


def fees_paid(txids: set[str], chain: MockChain) -> int:
    """What the miner got, counted on the chain: inputs less outputs of every transaction."""
    fees = 0
    for txid in txids:
        stored = chain.transaction_of(txid)
        assert stored is not None
        view = parse_transaction(stored.raw_tx)
        sources = [chain.output(each.txid, each.vout) for each in view.inputs]
        fees += sum(source.satoshis for source in sources if source is not None)
        fees -= sum(output.satoshis for output in view.outputs)
    return fees


async def check_no_satoshi_is_missing(people: list[Person], paid: set[str], chain: MockChain, put_in: int) -> None:
    believed = sum([await person.wallet.balance() for person in people])
    fees = fees_paid(paid, chain)
    console.print(f"\nput in {put_in:,} = in the wallets {believed:,} + fees {fees:,}")
    if put_in != believed + fees:
        raise SystemExit("satoshis are missing")
    for person in people:
        report = examine(person.file, root_at(chain))
        console.print(f"bsv-wallet doctor {person.file.name}: {sum(report.checked.values())} checks, healthy")
        if not report.is_healthy:
            raise SystemExit(f"the doctor found something: {report.findings}")


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="two-wallets-") as directory:
        chain = MockChain(premine=True)
        services = MockServices(chain)
        alice, bob = Person("alice", Path(directory)), Person("bob", Path(directory))
        people = [alice, bob]
        async with AsyncExitStack() as stack:
            for person in people:
                person.wallet = await stack.enter_async_context(
                    open_wallet(person.file, StaticKey(person.root_key), services, create=True)
                )
            await fund_wallet(services, alice.wallet, 100_000)
            await fund_wallet(services, bob.wallet, 50_000)
            await show("1. Both wallets are funded", people, chain)

            paid = {await pay(alice, bob, 1_000), await pay(bob, alice, 250), await pay(alice, bob, 4_321)}
            await until("all payments are sent", all_are(people, {"unproven", "completed"}))
            await show("2. They pay each other; the monitors sent everything", people, chain)

            chain.mine()
            await until("all payments are proven", all_are(people, {"completed"}))
            await show("3. A block was mined; every payment is proven", people, chain)

            forked_at = chain.height
            chain.reorg(forked_at, 2, placement=dict.fromkeys(chain.block_txids(forked_at)[1:], 1))
            await until("all payments are proven again", all_are(people, {"completed"}))
            await until("all proofs stand", all_sound(people, chain))
            await show("4. A reorg moved them one block up; they are proven again", people, chain)

            await check_no_satoshi_is_missing(people, paid, chain, 150_000)
    console.print("[bold green]no satoshi is missing[/]")


if __name__ == "__main__":
    asyncio.run(main())
