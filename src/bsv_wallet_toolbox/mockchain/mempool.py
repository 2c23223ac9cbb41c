"""Which transactions the mock chain takes in, which of them may stand in a block, and how one is forgotten."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bsv_wallet_toolbox.interfaces.services import PostOutcome
from bsv_wallet_toolbox.mockchain import consensus
from bsv_wallet_toolbox.mockchain.consensus import Acceptance
from bsv_wallet_toolbox.mockchain.store import ChainStore, StoredOutput, StoredTransaction
from bsv_wallet_toolbox.transactions.tx import TransactionView, parse_transaction

__all__ = ["admit", "mineable", "remove_with_descendants"]


def admit(store: ChainStore, tx: TransactionView, tip_height: int, median_time_past: int) -> Acceptance:
    """Put a transaction that follows all rules into the mempool; inside a store transaction."""
    if store.transaction_of(tx.txid) is not None:
        return Acceptance(tx.txid, PostOutcome.ALREADY_KNOWN)
    refusal = consensus.check_form(tx)
    if refusal is not None:
        return refusal
    sources = [store.output(source.txid, source.vout) for source in tx.inputs]
    known = [source for source in sources if source is not None]
    refusal = (
        consensus.check_inputs(tx, sources, tip_height)
        or consensus.check_lock_time(tx, tip_height + 1, median_time_past)
        or consensus.check_scripts(tx, known)
    )
    if refusal is not None:
        return refusal
    outputs = [
        StoredOutput(tx.txid, vout, output.satoshis, output.locking_script) for vout, output in enumerate(tx.outputs)
    ]
    store.add_transaction(tx.txid, tx.raw, outputs, None, None)
    store.spend([(source.txid, source.vout) for source in known], tx.txid)
    return Acceptance(tx.txid, PostOutcome.ACCEPTED_SEEN)


def mineable(
    store: ChainStore, height: int, median_time_past: int, only: Collection[str] | None
) -> list[StoredTransaction]:
    """Mempool transactions that may stand in the block at ``height``, parents first; the others wait."""
    chosen: list[StoredTransaction] = []
    txids: set[str] = set()
    for row in store.mempool():
        if only is not None and row.txid not in only:
            continue
        sources = store.outputs_spent_by(row.txid)
        mined = all(source.height is not None or source.txid in txids for source in sources)
        if (
            mined
            and all(consensus.is_mature(source, height) for source in sources)
            and consensus.is_final(parse_transaction(row.raw_tx), height, median_time_past)
        ):
            chosen.append(row)
            txids.add(row.txid)
    return chosen


def remove_with_descendants(store: ChainStore, txids: Iterable[str]) -> tuple[str, ...]:
    """Forget mempool transactions and all that spends them; inside a store transaction. Parents first in the result."""
    wanted, rows = list(txids), dict[str, StoredTransaction]()
    while wanted:
        row = store.transaction_of(wanted.pop())
        if row is not None and row.txid not in rows:
            rows[row.txid] = row
            wanted.extend(output.spent_by for output in store.outputs_of(row.txid) if output.spent_by is not None)
    ordered = sorted(rows.values(), key=lambda row: row.sequence)
    for row in reversed(ordered):
        store.remove_transaction(row.txid)
    return tuple(row.txid for row in ordered)
