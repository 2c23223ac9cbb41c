"""Wallet files with any number of outputs, written straight into the tables, and what SQLite does when they are opened.

Run as a program it makes a wallet of a million outputs (or of as many as it is told) and prints how long opening takes:

    PYTHONPATH=tests python tests/storage/million_outputs.py 1000000
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw

from bsv_wallet_toolbox.monitor.header_watch import WINDOW
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.seams import SeededEntropy
from wallet_world import World

NAME = "alice"
PER_TRANSACTION = 5
DAY = 86_400_000

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
_TXID = "printf('%08x%056x', (i * 2654435761) % 4294967296, i)"
_PROOFS = f"""{_NUMBERS} INSERT INTO proven_txs
    (created_at, updated_at, txid, height, "index", merklePath, rawTx, blockHash, merkleRoot)
    SELECT :now, :now, {_TXID}, headers.height, 1, x'00', zeroblob(200), headers.hash, headers.root
    FROM n JOIN temp.headers ON headers.height = 1 + i % (SELECT max(height) FROM temp.headers)"""
_REQS = """INSERT INTO proven_tx_reqs
    (created_at, updated_at, provenTxId, status, txid, rawTx, wasBroadcast)
    SELECT :now, :now, provenTxId, 'completed', txid, rawTx, 1 FROM proven_txs"""
_TRANSACTIONS = """INSERT INTO transactions
    (created_at, updated_at, userId, provenTxId, status, reference, isOutgoing, satoshis, description, txid)
    SELECT :now, :now, 1, provenTxId, 'completed', 'reference ' || provenTxId, 1, -1, 'a payment', txid
    FROM proven_txs"""
_OUTPUTS = f"""WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {PER_TRANSACTION - 1})
    INSERT INTO outputs (created_at, updated_at, userId, transactionId, basketId, spendable, change, vout, satoshis,
    providedBy, purpose, type, txid, derivationPrefix, derivationSuffix, scriptLength, scriptOffset, lockingScript)
    SELECT :now, :now, 1, transactionId, 1, 1, 1, i, 1000, 'storage', 'change', 'P2PKH', txid, 'cHJlZml4',
    'c3VmZml4', 25, 50, zeroblob(25) FROM transactions CROSS JOIN n"""
_NOTES = """INSERT INTO bwt_notes (txid, "when", what, details)
    SELECT txid, :now, 'status', '{}' FROM transactions"""
_ACTIONS = """INSERT INTO bwt_actions (transactionId, feeSatoshis, feeRate, originator)
    SELECT transactionId, 1, 1, '' FROM transactions"""


async def make(world: World, outputs: int) -> None:
    """A wallet with so many spendable coins, five from each of its proven transactions.

    All proofs are older than the blocks in which the monitor looks for a reorganisation.
    """
    async with world.wallet(NAME):
        pass
    values = {"count": outputs // PER_TRANSACTION, "now": "2023-11-14T22:13:20.000Z"}
    with apsw.Connection(str(world.path(NAME))) as db:
        db.execute("CREATE TEMP TABLE headers (height INTEGER PRIMARY KEY, hash, root)")
        for height in range(1, world.chain.height):
            header = world.chain.header_at(height)
            assert header is not None
            db.execute("INSERT INTO temp.headers VALUES (?, ?, ?)", (height, header.hash, header.merkle_root))
        for statement in (_PROOFS, _REQS, _TRANSACTIONS, _OUTPUTS, _NOTES, _ACTIONS):
            db.execute(statement, {name: value for name, value in values.items() if f":{name}" in statement})
        assert db.execute("SELECT count(*) FROM outputs").get == outputs
    db.close()
    world.chain.mine(WINDOW)


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[OpenWallet]:
    async with world.wallet(NAME, entropy=SeededEntropy("opening")) as wallet:
        yield wallet


@dataclass
class Work:
    """What SQLite did on all connections: each statement with its instructions, and the pages that were read."""

    statements: list[tuple[str, int]] = field(default_factory=list)
    pages: dict[int, int] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return sum(steps for _, steps in self.statements)

    @property
    def pages_read(self) -> int:
        return sum(self.pages.values())

    def heaviest(self) -> list[tuple[int, str]]:
        return sorted(((steps, sql) for sql, steps in self.statements), reverse=True)[:5]


@contextmanager
def watched() -> Iterator[Work]:
    """Count the work of every connection that is opened inside."""
    work = Work()

    def attach(connection: apsw.Connection) -> None:
        def count(event: dict[str, Any]) -> None:
            work.statements.append((event["sql"], event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]))
            work.pages[id(connection)] = connection.status(apsw.SQLITE_DBSTATUS_CACHE_MISS)[0]

        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, count)

    apsw.connection_hooks.append(attach)
    try:
        yield work
    finally:
        apsw.connection_hooks.remove(attach)


async def _main(outputs: int) -> None:
    with TemporaryDirectory() as scratch:
        world = World(Path(scratch))
        await make(world, outputs)
        print(f"{outputs} outputs, {world.path(NAME).stat().st_size / 2**20:.0f} MiB")  # noqa: T201
        for _ in range(3):
            begin = time.perf_counter()
            async with opened(world) as wallet:
                ready = time.perf_counter()
                await wallet.monitor.run_until_idle()
                idle = time.perf_counter()
            world.clock.advance(DAY)
            print(f"open {1000 * (ready - begin):.1f} ms, monitor at rest {1000 * (idle - ready):.1f} ms")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
