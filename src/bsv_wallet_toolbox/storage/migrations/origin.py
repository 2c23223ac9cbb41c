"""Whose database a file is, asked before anything is written into it."""

from __future__ import annotations

from sqlalchemy import text

from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION

__all__ = ["refuse_strangers"]

_TABLES = Statement(
    text("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"), "names of tables"
)
_OURS = "bwt_migrations"
_PEERS = "knex_migrations"


def refuse_strangers(tx: Transaction, create: bool) -> None:
    """Return for a wallet of this toolbox and, with ``create``, for an empty database.

    Raises WERR_INVALID_OPERATION for any other: tables of ours have no place among those of somebody else.
    """
    names = {name for (name,) in tx.rows(_TABLES)}
    if _OURS in names or (create and not names):
        return
    if _PEERS in names:
        raise WERR_INVALID_OPERATION("The file was made by the TypeScript toolbox. This version does not adopt it.")
    raise WERR_INVALID_OPERATION("The file holds no wallet.")
