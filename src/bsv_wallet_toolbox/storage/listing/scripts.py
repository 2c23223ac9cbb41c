"""Scripts in listings. A locking script too long for its row stands in the raw transaction only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.interfaces.statuses import RAW_TX_READABLE
from bsv_wallet_toolbox.storage.statements import listing as statements

__all__ = ["locking_scripts", "raw_transactions"]

_READABLE = sorted(RAW_TX_READABLE)
_BATCH = 100
"""Raw transactions in memory at once: up to a megabyte and more each."""


def locking_scripts(tx: Transaction, output_ids: Collection[int]) -> Mapping[int, bytes]:
    """Locking scripts by output id. Absent: change not signed yet, or one whose raw transaction is not here."""
    if not output_ids:
        return {}
    scripts: dict[int, bytes] = {}
    elsewhere: dict[str, list[tuple[int, int, int]]] = {}
    for output_id, script, length, offset, txid in tx.rows(statements.LOCKING_SCRIPTS, ids=output_ids):
        if script is not None:
            scripts[output_id] = script
        if length and offset and txid and (script is None or len(script) != length):
            elsewhere.setdefault(txid, []).append((output_id, offset, offset + length))
    for txid, raw_tx in raw_transactions(tx, elsewhere):
        for output_id, start, end in elsewhere[txid]:
            if end <= len(raw_tx):
                scripts[output_id] = raw_tx[start:end]
    return scripts


def raw_transactions(tx: Transaction, txids: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """(txid, raw transaction) of those that the store has, proven or not, read batch by batch."""
    wanted = list(txids)
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        yield from dict(tx.rows(statements.RAW_TRANSACTIONS, txids=batch, readable=_READABLE)).items()
