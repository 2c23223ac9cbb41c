"""Our side: a wallet and timed calls of its public methods."""

from __future__ import annotations

import asyncio
import statistics
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measurement import Measurement
from benchmarks.wallet_files import ROOT_KEY
from bsv_wallet_toolbox.interfaces.services import PostAnswer, PostOutcome
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.mockchain import MockChain, MockServices
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
)

__all__ = ["Bench", "opened_bench"]

PAYER = KeyDeriver(bytes([2]) * 32)
PREFIX = b64encode(b"bench").decode()
NOWHERE = "76a914" + "00" * 20 + "88ac"
PER_BLOCK = 1000
"""Coins of one block: their proofs have ten levels, as on a busy chain."""


@dataclass(frozen=True, slots=True)
class Payment:
    view: TransactionView
    suffixes: tuple[str, ...]
    beef: bytes

    def args(self) -> dict[str, Any]:
        return {
            "tx": self.beef,
            "description": "payment",
            "outputs": [
                {
                    "outputIndex": vout,
                    "protocol": "wallet payment",
                    "paymentRemittance": {
                        "derivationPrefix": PREFIX,
                        "derivationSuffix": suffix,
                        "senderIdentityKey": PAYER.identity_key,
                    },
                }
                for vout, suffix in enumerate(self.suffixes)
            ],
        }


class AcceptingServices(MockServices):
    """The network of a benchmark: it takes every transaction at once, as that of the npm toolbox does here."""

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        return [PostAnswer("acceptor", txid, PostOutcome.ACCEPTED_SEEN) for txid in txids]


class Bench:
    def __init__(self, wallet: OpenWallet, chain: MockChain) -> None:
        self.wallet = wallet
        self._chain = chain
        self._made = 0

    def payments(self, count: int, outputs_each: int, satoshis: int) -> list[Payment]:
        """Mined payments to the wallet, a thousand transactions in a block."""
        made: list[Payment] = []
        while len(made) < count:
            made += self._block_of_payments(min(PER_BLOCK, count - len(made)), outputs_each, satoshis)
        return made

    def _block_of_payments(self, count: int, outputs_each: int, satoshis: int) -> list[Payment]:
        total = satoshis * outputs_each + 1000
        fan_out = self._chain.fund_many([OutputSpec(total, b"\x51")] * count)
        views, suffixes = [], []
        for source in fan_out:
            names = tuple(b64encode(f"{self._made + index:012d}".encode()).decode() for index in range(outputs_each))
            self._made += outputs_each
            outputs = [OutputSpec(satoshis, brc29.lock_to(PAYER, self.wallet.identity_key, PREFIX, n)) for n in names]
            views.append(parse_transaction(build_transaction([InputSpec(source.txid, source.vout)], outputs)))
            suffixes.append(names)
            self._chain.accept(views[-1])
        self._chain.mine()
        payments = []
        for view, names in zip(views, suffixes, strict=True):
            beef = Beef()
            proof = self._chain.proof_of(view.txid)
            assert proof is not None
            beef.merge_transaction(view, proof[0].extract([view.txid]))
            payments.append(Payment(view, names, beef.to_atomic(view.txid)))
        return payments

    async def create_actions(
        self, count: int, callers: int = 1, *, satoshis: int = 100, delayed: bool = True
    ) -> Measurement:
        args: Any = {
            "description": "benchmark",
            "outputs": [{"lockingScript": NOWHERE, "satoshis": satoshis, "outputDescription": "nowhere"}],
            "options": {"acceptDelayedBroadcast": delayed},
        }
        return await self._timed(count, callers, lambda _: self.wallet.create_action(args))

    async def lengthen_chain(self, depth: int) -> None:
        """Make actions until the last one has ``depth`` unmined ancestors, itself counted, above a mined one."""
        args: Any = {
            "description": "link of a chain",
            "outputs": [{"lockingScript": NOWHERE, "satoshis": 100, "outputDescription": "nowhere"}],
        }
        length = 0
        while length <= depth:
            made = await self.wallet.create_action(args)
            length = len(Beef.parse(bytes(made["tx"])))

    async def internalize_actions(self, count: int, callers: int = 1, outputs_each: int = 1) -> Measurement:
        payments: list[Any] = [each.args() for each in self.payments(count, outputs_each, 1000)]
        return await self._timed(count, callers, lambda index: self.wallet.internalize_action(payments[index]))

    async def list(self, method: str, count: int, rows: int, args: Mapping[str, Any]) -> tuple[Measurement, int]:
        """Page after page of ``args["limit"]`` rows, from the first again when all ``rows`` have been listed.

        The second result is the total that the last page gave.
        """
        listing = getattr(self.wallet, method)
        results: list[Any] = [None]

        async def page(index: int) -> None:
            results[0] = await listing({**args, "offset": index * args["limit"] % rows})

        measured = await self._timed(count, 1, page)
        found = results[0]
        return measured, found["totalOutputs" if "totalOutputs" in found else "totalActions"]

    async def balances(self, count: int) -> Measurement:
        return await self._timed(count, 1, lambda _: self.wallet.balance())

    async def _timed(self, count: int, callers: int, call: Callable[[int], Awaitable[Any]]) -> Measurement:
        latencies: list[float] = []
        indexes = iter(range(count))

        async def caller() -> None:
            for index in indexes:
                began = time.perf_counter()
                await call(index)
                latencies.append(time.perf_counter() - began)

        engine: Any = self.wallet.provider.engine
        before, cpu, began = engine.stats, time.process_time(), time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        elapsed, cpu_used, after = time.perf_counter() - began, time.process_time() - cpu, engine.stats
        wrote = after.commits > before.commits
        return Measurement(
            count=count,
            elapsed_ms=elapsed * 1000,
            p50_ms=statistics.median(latencies) * 1000,
            cpu_ms=cpu_used * 1000 / count,
            statements=(after.statements - before.statements) / count if wrote else None,
            commits=(after.commits - before.commits) / count if wrote else None,
            commit_ms=(after.commit_seconds - before.commit_seconds) * 1000 / count if wrote else None,
        )


@asynccontextmanager
async def opened_bench(file: Path) -> AsyncIterator[Bench]:
    """A wallet file of ROOT_KEY, opened; no monitor, so that only the measured calls write."""
    services = AcceptingServices(MockChain(premine=True))
    async with open_wallet(file, StaticKey(ROOT_KEY), services, monitor=False) as wallet:
        yield Bench(wallet, services.mock)
