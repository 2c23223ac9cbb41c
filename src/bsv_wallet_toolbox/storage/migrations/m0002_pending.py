"""Step 2: actions that wait for signAction."""

from __future__ import annotations

from sqlalchemy.schema import CreateTable

from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.storage.schema import BWT

__all__ = ["create_pending"]


def create_pending(tx: Transaction) -> None:
    tx.execute(Statement(CreateTable(BWT.pending), "create bwt_pending"))
