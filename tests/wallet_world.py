"""A small world for tests: one mock chain, one clock, wallets in files, and the check that no satoshi is missing."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bsv_wallet_toolbox.database.sqlite import read_file
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.doctor import CoinsReport, change_scripts, coins_report, examine
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.mockchain import MockChain, MockServices
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from bsv_wallet_toolbox.seams import ManualClock, SeededEntropy
from bsv_wallet_toolbox.storage.users import find_user
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.tx import OutputSpec

FUNDER = KeyDeriver(hashlib.sha256(b"the one who funds").digest())
NOWHERE = "76a914" + "00" * 20 + "88ac"


def key_of(name: str) -> bytes:
    return hashlib.sha256(f"root key of {name}".encode()).digest()


def remittance(sender: KeyDeriver, prefix: str, suffix: str) -> dict[str, str]:
    return {"derivationPrefix": prefix, "derivationSuffix": suffix, "senderIdentityKey": sender.identity_key}


def payment_to(script: str, satoshis: int, *, delayed: bool = True, **extra: Any) -> dict[str, Any]:
    """createAction arguments that pay one output."""
    return {
        "description": "a payment",
        "outputs": [{"lockingScript": script, "satoshis": satoshis, "outputDescription": "what is paid"}],
        "options": {"acceptDelayedBroadcast": delayed},
        **extra,
    }


class World:
    """Deterministic: manual clock, seeded entropy, a deterministic chain."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = ManualClock()
        self.chain = MockChain(clock=self.clock, entropy=SeededEntropy("chain"), deterministic=True, premine=True)
        self.services = MockServices(self.chain)
        self._funded = 0
        self._names: set[str] = set()
        self._paid: defaultdict[str, set[bytes]] = defaultdict(set)
        """Scripts under which each identity was paid and took the payment in."""

    def path(self, name: str) -> Path:
        return self.directory / f"{name}.sqlite"

    @asynccontextmanager
    async def wallet(self, name: str, *, monitor: bool = False, **options: Any) -> AsyncIterator[OpenWallet]:
        """The wallet of ``name``, made when it is not there; its monitor runs only when asked for."""
        self._names.add(name)
        options.setdefault("entropy", SeededEntropy(f"wallet {name} {self.clock.now()}"))
        async with open_wallet(
            self.path(name),
            StaticKey(key_of(name)),
            self.services,
            create=not self.path(name).exists(),
            monitor=monitor,
            clock=self.clock,
            **options,
        ) as wallet:
            yield wallet

    async def fund(self, wallet: OpenWallet, satoshis: int, count: int = 1) -> str:
        """Give a wallet ``count`` proven coins of ``satoshis`` each; the txid that holds them."""
        self._funded += 1
        prefix = b64encode(f"funding {self._funded}".encode()).decode()
        suffixes = [b64encode(f"coin {index}".encode()).decode() for index in range(count)]
        outputs = [
            OutputSpec(satoshis, brc29.lock_to(FUNDER, wallet.identity_key, prefix, suffix)) for suffix in suffixes
        ]
        funded = self.services.fund_many(outputs)
        result = await wallet.internalize_action(
            {
                "tx": funded[0].beef,
                "description": "funding",
                "outputs": [
                    {
                        "outputIndex": each.vout,
                        "protocol": "wallet payment",
                        "paymentRemittance": remittance(FUNDER, prefix, suffix),
                    }
                    for each, suffix in zip(funded, suffixes, strict=True)
                ],
            }
        )
        assert result["accepted"]
        self._paid[wallet.identity_key].update(output.locking_script for output in outputs)
        return funded[0].txid

    async def pay(self, payer: str, payee: OpenWallet, by: OpenWallet, satoshis: int, *, delayed: bool = False) -> str:
        """The wallet ``by``, whose name is ``payer``, pays ``payee`` by BRC-29; the txid."""
        sender = KeyDeriver(key_of(payer))
        self._funded += 1
        prefix, suffix = b64encode(f"payment {self._funded}".encode()).decode(), b64encode(b"first").decode()
        script = brc29.lock_to(sender, payee.identity_key, prefix, suffix)
        args = payment_to(script.hex(), satoshis, delayed=delayed)
        args["options"]["randomizeOutputs"] = False
        created = await by.create_action(args)
        await payee.internalize_action(
            {
                "tx": created["tx"],
                "description": f"from {payer}",
                "outputs": [
                    {
                        "outputIndex": 0,
                        "protocol": "wallet payment",
                        "paymentRemittance": remittance(sender, prefix, suffix),
                    }
                ],
            }
        )
        self._paid[payee.identity_key].add(script)
        return created["txid"]

    def coins(self, name: str) -> CoinsReport:
        """Where the coins of a wallet are by its file, which it may have open."""
        report, _ = self._coins(name)
        return report

    def assert_sound(self, *names: str) -> None:
        """Every invariant holds in the files of these wallets (all, when none is named), and no satoshi is missing.

        Proofs are compared with the headers of the chain.
        I1: what chain and mempool hold under the wallet's scripts is its balance plus what is reserved, in flight and
        held. The scripts come from the file; those that the world paid to must be among them.
        """
        for name in names or sorted(self._names):
            report = examine(self.path(name), self._root)
            assert report.is_healthy, f"{name}: {report.findings}"
            coins, scripts = self._coins(name)
            unknown = self._paid[_identity(name)] - scripts
            assert not unknown, f"{name} does not know {len(unknown)} scripts that it was paid under"
            on_chain = sum(output.satoshis for script in scripts for output in self.chain.utxos_of(script))
            expected = coins.expected_on_network(
                lambda txid: self.chain.transaction_of(txid) is not None,
                lambda txid, vout: self.chain.spender_of(txid, vout) is not None,
            )
            assert on_chain == expected, f"{name}: {on_chain} satoshis on the chain, {expected} by {coins}"

    async def check(self) -> None:
        """:meth:`assert_sound` of every wallet, beside the event loop. Nothing may be under way meanwhile."""
        await asyncio.to_thread(self.assert_sound)

    def _root(self, height: int) -> str | None:
        header = self.chain.header_at(height)
        return header.merkle_root if header is not None else None

    def _coins(self, name: str) -> tuple[CoinsReport, frozenset[bytes]]:
        def read(tx: Transaction) -> tuple[CoinsReport, frozenset[bytes]]:
            scope = find_user(tx, _identity(name))
            return coins_report(tx, scope), change_scripts(tx, scope)

        return read_file(self.path(name), read)


def _identity(name: str) -> str:
    return KeyDeriver(key_of(name)).identity_key
