"""Outputs that are believed unspent, for somebody to ask the network about, and what becomes of those seen spent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bsv_wallet_toolbox.database.transaction import Row, Transaction
from bsv_wallet_toolbox.storage.holds import HoldReason
from bsv_wallet_toolbox.storage.listing.scripts import locking_scripts
from bsv_wallet_toolbox.storage.notes import EvidenceKind, record_evidence
from bsv_wallet_toolbox.storage.statements import baskets as basket_statements
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.statements import listing as statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.users import UserScope, default_basket

__all__ = ["BelievedUnspent", "baskets_to_review", "believed_unspent", "write_off_spent"]


@dataclass(frozen=True, slots=True)
class BelievedUnspent:
    """A spendable output of a transaction that the network accepted. ``row`` is what a page of outputs shows."""

    output_id: int
    txid: str
    vout: int
    locking_script: bytes | None
    """None when neither its row nor a raw transaction has it."""
    row: Row


def baskets_to_review(tx: Transaction, scope: UserScope, *, every: bool) -> list[int]:
    """Ids of the basket that holds change, or of all that the user has."""
    if every:
        return [basket_id for (basket_id,) in tx.rows(basket_statements.BASKETS_OF_USER, user_id=scope.user_id)]
    return [default_basket(tx, scope).basket_id]


def believed_unspent(
    tx: Transaction, scope: UserScope, basket_id: int, after: int, count: int
) -> list[BelievedUnspent]:
    """Up to ``count`` of a basket above output id ``after``, lowest first.

    Left out is what the network need not know: outputs of transactions that no provider has accepted.
    """
    rows = tx.rows(statements.UNSPENT_IN_BASKET, user_id=scope.user_id, basket_id=basket_id, after=after, count=count)
    scripts = locking_scripts(tx, [row[0] for row in rows])
    return [BelievedUnspent(row[0], row[2], row[3], scripts.get(row[0]), row) for row in rows]


def write_off_spent(tx: Transaction, scope: UserScope, output_ids: Collection[int], source: str) -> list[int]:
    """Put outputs that ``source`` saw spent out of use, with that evidence; the ids of those that were.

    One that was spent or held meanwhile, or whose transaction is accepted no more, stays as it is. They are held, so
    that they come back when they are seen unspent.
    """
    now = iso(tx.now())
    written_off = []
    for output_id, txid, vout in tx.rows(statements.STILL_UNSPENT, ids=list(output_ids), user_id=scope.user_id):
        if tx.execute(coin_statements.MARK_SPENDABLE, output_id=output_id, spendable=0, now=now) == 0:
            continue
        record_evidence(tx, EvidenceKind.SPENT, txid, source, vout=vout)
        reason = HoldReason.SPENT_ELSEWHERE
        tx.execute(coin_statements.HOLD_COIN, output_id=output_id, reason=reason, transaction_id=None, now=now)
        written_off.append(output_id)
    return written_off
