"""Coins kept back: unspendable, with a row that says why, until evidence says what became of them."""

from __future__ import annotations

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.statements import proofs as proof_statements
from bsv_wallet_toolbox.storage.timestamps import iso

__all__ = ["HoldReason", "hold_outputs", "is_refused", "release_outputs"]


class HoldReason:
    AWAITING_EVIDENCE = "awaitingEvidence"
    """An input of a failed transaction that nobody could say anything about yet."""
    SPENT_ELSEWHERE = "spentElsewhere"
    """An input of a failed transaction that somebody else was seen to spend: kept back, and asked about now and then.

    Final only while the spender is proven: a mempool forgets, a block may be orphaned.
    """
    PROOF_IN_DOUBT = "proofInDoubt"
    """An output whose transaction is known by a proof of an orphaned block only."""
    REFUSED = "refused"
    """An output of a transaction that a provider refused without proof that it is lost."""


def hold_outputs(tx: Transaction, txid: str, reason: str) -> None:
    """Hold every spendable output of a transaction, whoever it belongs to."""
    now = iso(tx.now())
    for (output_id,) in tx.rows(proof_statements.SPENDABLE_OUTPUTS_OF_TXID, txid=txid):
        tx.execute(coin_statements.MARK_SPENDABLE, output_id=output_id, spendable=0, now=now)
        tx.execute(coin_statements.HOLD_COIN, output_id=output_id, reason=reason, transaction_id=None, now=now)


def is_refused(tx: Transaction, txid: str) -> bool:
    """Whether a provider refused the transaction and nothing has been seen since that accepts or ends it."""
    return bool(tx.rows(coin_statements.HELD_OF_TXID, txid=txid, reason=HoldReason.REFUSED))


def release_outputs(tx: Transaction, txid: str, reason: str) -> None:
    """Release the outputs of a transaction that were held for this reason; the caller has recorded the evidence."""
    now = iso(tx.now())
    for (output_id,) in tx.rows(coin_statements.HELD_OF_TXID, txid=txid, reason=reason):
        tx.execute(coin_statements.UNHOLD_COIN, output_id=output_id)
        tx.execute(coin_statements.MARK_SPENDABLE, output_id=output_id, spendable=1, now=now)
