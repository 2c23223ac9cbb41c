"""What stands in a wallet's file, read beside the wallet by a connection of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

from bsv_wallet_toolbox.transactions.tx import parse_transaction


def rows(path: Path, sql: str, *values: Any) -> list[Any]:
    """All rows; single columns come without their tuple."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        db.set_busy_timeout(10_000)
        found = list(db.execute(sql, values))
        return [row[0] for row in found] if found and len(found[0]) == 1 else found
    finally:
        db.close()


def row_counts(path: Path) -> dict[str, int]:
    """How many rows every table holds."""
    tables = rows(path, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return {table: rows(path, f'SELECT count(*) FROM "{table}"')[0] for table in tables}


def state_of(path: Path, txid: str) -> tuple[str, str, int]:
    """Status of the transaction, status and attempts of its req."""
    found = rows(
        path,
        "SELECT t.status, r.status, r.attempts FROM transactions t JOIN proven_tx_reqs r USING (txid) WHERE txid = ?",
        txid,
    )
    assert len(found) == 1
    return tuple(found[0])


def coins_of(path: Path) -> set[tuple[int, int, int | None]]:
    """(outputId, spendable, spentBy) of every output."""
    return set(rows(path, "SELECT outputId, spendable, spentBy FROM outputs"))


def spent_twice(path: Path) -> list[tuple[str, int]]:
    """Outpoints that more than one transaction that has not failed spends, by the bytes of the transactions."""
    seen: set[tuple[str, int]] = set()
    twice = []
    live = "SELECT DISTINCT rawTx FROM proven_tx_reqs WHERE status NOT IN ('invalid', 'doubleSpend')"
    for raw_tx in rows(path, live):
        for each in parse_transaction(raw_tx).inputs:
            outpoint = (each.txid, each.vout)
            if outpoint in seen:
                twice.append(outpoint)
            seen.add(outpoint)
    return twice
