"""Step 1: TypeScript's tables, indexes and migration history as data, and our own tables."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.schema import CreateIndex, CreateTable

from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.storage.schema import BWT_INDEXES, BWT_TABLES, PEER_INDEXES, PEER_TABLES

__all__ = ["KNEX_MIGRATIONS", "create_initial_schema"]

KNEX_MIGRATIONS: tuple[str, ...] = (
    "2024-12-26-001 initial migration",
    "2025-01-21-001 add activeStorage to users",
    "2025-02-22-001 nonNULL activeStorage",
    "2025-02-28-001 derivations to 200",
    "2025-03-01-001 reset req history",
    "2025-03-03-001 descriptions to 2000",
    "2025-05-13-001 add monitor events event index",
    "2025-09-06-001 add proven txs blockHash index",
    "2025-10-13-001 add outputs spendable index",
    "2025-10-18-001 add transactions txid index",
    "2025-10-18-002 add proven_tx_reqs txid index",
    "2026-02-27-001 add listOutputs path indexes",
    "2026-02-27-002 add createAction path indexes",
    "2026-04-30-001 add wasBroadcast and rebroadcastAttempts to proven_tx_reqs",
)
"""What the TypeScript toolbox finds in a file of its own at 2.1.26; without it, it would create the tables again."""

_ADDED_LATER = frozenset({"bwt_pending"})
"""Tables of ours that later steps create."""

_KNEX_TABLES = (
    """CREATE TABLE knex_migrations
    (id integer not null primary key autoincrement, name varchar(255), batch integer, migration_time datetime)""",
    'CREATE TABLE knex_migrations_lock ("index" integer not null primary key autoincrement, is_locked integer)',
)

_INSERT_HISTORY = Statement(
    text("INSERT INTO knex_migrations (name, batch, migration_time) VALUES (:name, 1, :now)"), "insert knex history"
)


def create_initial_schema(tx: Transaction) -> None:
    for ddl in _KNEX_TABLES:
        tx.execute(Statement(text(ddl), "create knex table"))
    for table in PEER_TABLES + BWT_TABLES:
        if table.name in _ADDED_LATER:
            continue
        tx.execute(Statement(CreateTable(table), f"create {table.name}"))
    for index in PEER_INDEXES + BWT_INDEXES:
        tx.execute(Statement(CreateIndex(index), f"create {index.name}"))
    now = tx.now()
    for name in KNEX_MIGRATIONS:
        tx.execute(_INSERT_HISTORY, name=name, now=now)
    tx.execute(Statement(text("INSERT INTO knex_migrations_lock (is_locked) VALUES (0)"), "insert knex lock"))
