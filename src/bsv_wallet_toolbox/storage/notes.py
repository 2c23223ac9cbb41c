"""Notes and evidence: why a row is as it is. Neither ever holds transaction bytes or secrets."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import orjson

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.storage.statements import proofs as statements
from bsv_wallet_toolbox.storage.timestamps import iso

__all__ = ["EvidenceKind", "competitors_named_for", "note", "record_evidence"]


class EvidenceKind(StrEnum):
    """What was seen. A coin is freed or written off, and a transaction ended or revived, only beside one of these."""

    ACCEPTED = "accepted"
    PROVEN = "proven"
    REJECTED = "rejected"
    DOUBLE_SPENT = "doubleSpent"
    UNSPENT = "unspent"
    SPENT = "spent"
    NEVER_SIGNED = "neverSigned"
    NOT_SENT = "notSent"
    """An action that was held back is given up, and the network does not know it."""
    ORPHANED = "orphaned"
    PARENT_FAILED = "parentFailed"


def _text(details: dict[str, Any]) -> str:
    return orjson.dumps(details, option=orjson.OPT_SORT_KEYS).decode()


def note(
    tx: Transaction, what: str, *, txid: str | None = None, transaction_id: int | None = None, **details: Any
) -> None:
    """Add a line to the history of a req (by txid) or of an action that has none yet (by transaction id)."""
    tx.execute(
        statements.INSERT_NOTE,
        txid=txid,
        transaction_id=transaction_id,
        now=iso(tx.now()),
        what=what,
        details=_text(details),
    )


def record_evidence(
    tx: Transaction, kind: EvidenceKind, txid: str, source: str, *, vout: int | None = None, **details: Any
) -> None:
    """Write down what was seen of a transaction (or of one outpoint) and who said so."""
    tx.execute(
        statements.INSERT_EVIDENCE,
        txid=txid,
        vout=vout,
        kind=kind.value,
        source=source,
        now=iso(tx.now()),
        details=_text(details),
    )


def competitors_named_for(tx: Transaction, txid: str) -> set[str]:
    """The competing txids that stand in the latest evidence of a double spend of ``txid``."""
    row = tx.one(statements.WHY_ENDED, txid=txid, kind=EvidenceKind.DOUBLE_SPENT.value)
    return set() if row is None else set(orjson.loads(row[0]).get("competingTxs", ()))
