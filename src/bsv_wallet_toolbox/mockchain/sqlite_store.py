"""The mock chain in an SQLite file, in the tables of the npm toolbox's mock chain.

Adapter module: the only one of the mock chain that talks to SQLite (apsw). The file is for the chain alone; wallets
keep theirs in other files. WAL with synchronous=NORMAL: it survives a killed process; a power cut may
take the last blocks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apsw

from bsv_wallet_toolbox.errors import WERR_INTERNAL, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.mockchain.store import StoredOutput, StoredTransaction, script_hash_of
from bsv_wallet_toolbox.transactions.headers import BlockHeader

__all__ = ["SqliteStore"]

MIGRATION = "2026-01-01-001 initial mockchain tables"

SCHEMA = """
CREATE TABLE knex_migrations_mockchain (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name VARCHAR(255), batch INTEGER, migration_time DATETIME);
CREATE TABLE knex_migrations_mockchain_lock ("index" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, is_locked INTEGER);
INSERT INTO knex_migrations_mockchain_lock ("index", is_locked) VALUES (1, 0);
CREATE TABLE mockchain_block_headers (
    height INTEGER NOT NULL PRIMARY KEY, hash VARCHAR(64) NOT NULL UNIQUE, previousHash VARCHAR(64) NOT NULL,
    merkleRoot VARCHAR(64) NOT NULL, version INTEGER NOT NULL DEFAULT 1, time INTEGER NOT NULL, bits INTEGER NOT NULL,
    nonce INTEGER NOT NULL, coinbaseTxid VARCHAR(64) NOT NULL, created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE mockchain_transactions (
    txid VARCHAR(64) NOT NULL PRIMARY KEY, rawTx BLOB NOT NULL, blockHeight INTEGER, blockIndex INTEGER,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE INDEX mockchain_transactions_block ON mockchain_transactions (blockHeight, blockIndex);
CREATE TABLE mockchain_utxos (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, txid VARCHAR(64) NOT NULL, vout INTEGER NOT NULL,
    lockingScript BLOB NOT NULL, satoshis BIGINT NOT NULL, scriptHash VARCHAR(64) NOT NULL, spentByTxid VARCHAR(64),
    isCoinbase BOOLEAN NOT NULL DEFAULT 0, blockHeight INTEGER,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE UNIQUE INDEX mockchain_utxos_txid_vout_unique ON mockchain_utxos (txid, vout);
CREATE INDEX mockchain_utxos_scripthash_index ON mockchain_utxos (scriptHash);
CREATE INDEX mockchain_utxos_spentbytxid_index ON mockchain_utxos (spentByTxid);
"""

HEADER = "SELECT version, previousHash, merkleRoot, time, bits, nonce, height FROM mockchain_block_headers"
TRANSACTION = "SELECT txid, rawTx, rowid, blockHeight, blockIndex FROM mockchain_transactions"
OUTPUT = "SELECT txid, vout, satoshis, lockingScript, isCoinbase, blockHeight, spentByTxid FROM mockchain_utxos"


class SqliteStore:
    """A ChainStore in the file at ``path``, made when absent. WERR_INVALID_PARAMETER when it is not a mock chain."""

    def __init__(self, path: str | os.PathLike[str], *, busy_timeout_ms: int = 10_000) -> None:
        self._lock = threading.RLock()
        try:
            self._connection = apsw.Connection(os.fspath(path))
            self._connection.set_busy_timeout(busy_timeout_ms)
            self._connection.execute("SELECT count(*) FROM sqlite_master")
        except apsw.Error as error:
            raise WERR_INVALID_PARAMETER("path", f"an SQLite file that can be opened ({error})") from error
        try:
            self._migrate()
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "trusted_schema=OFF", "temp_store=MEMORY"):
                self._run(f"PRAGMA {pragma}")
        except BaseException:
            self._connection.close()
            raise

    def _migrate(self) -> None:
        with self.transaction():
            tables = {name for (name,) in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not tables:
                self._run(SCHEMA)
                self._run(
                    "INSERT INTO knex_migrations_mockchain (name, batch, migration_time)"
                    " VALUES (?, 1, CAST(unixepoch('subsec') * 1000 AS INTEGER))",
                    MIGRATION,
                )
            elif "knex_migrations_mockchain" not in tables:
                raise WERR_INVALID_PARAMETER("path", "the file of a mock chain")
            elif self._rows("SELECT name FROM knex_migrations_mockchain") != [(MIGRATION,)]:
                raise WERR_INVALID_PARAMETER("path", "a mock chain file with the migrations known to this version")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._lock:
            self._run("BEGIN IMMEDIATE")
            try:
                yield
                self._run("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._run("ROLLBACK")
                raise

    def tip(self) -> BlockHeader | None:
        return self._header(f"{HEADER} ORDER BY height DESC LIMIT 1")

    def headers(self, first: int, count: int) -> list[BlockHeader]:
        rows = self._rows(f"{HEADER} WHERE height >= ? AND height < ? ORDER BY height", first, first + count)
        return [_header_of_row(row) for row in rows]

    def header_of(self, block_hash: str) -> BlockHeader | None:
        return self._header(f"{HEADER} WHERE hash = ?", block_hash)

    def append_header(self, header: BlockHeader, coinbase_txid: str) -> None:
        self._run(
            "INSERT INTO mockchain_block_headers (height, hash, previousHash, merkleRoot, version, time, bits, nonce,"
            " coinbaseTxid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(header.height, header.hash, header.previous_hash, header.merkle_root),
            *(header.version, header.time, header.bits, header.nonce, coinbase_txid),
        )

    def remove_tip(self) -> None:
        self._run(
            "DELETE FROM mockchain_block_headers WHERE height = (SELECT max(height) FROM mockchain_block_headers)"
        )

    def transaction_of(self, txid: str) -> StoredTransaction | None:
        rows = self._rows(f"{TRANSACTION} WHERE txid = ?", txid)
        return StoredTransaction(*rows[0]) if rows else None

    def mempool(self) -> list[StoredTransaction]:
        rows = self._rows(f"{TRANSACTION} WHERE blockHeight IS NULL ORDER BY rowid")
        return [StoredTransaction(*row) for row in rows]

    def block_txids(self, height: int) -> list[str]:
        rows = self._rows("SELECT txid FROM mockchain_transactions WHERE blockHeight = ? ORDER BY blockIndex", height)
        return [txid for (txid,) in rows]

    def add_transaction(
        self, txid: str, raw_tx: bytes, outputs: Sequence[StoredOutput], height: int | None, index: int | None
    ) -> None:
        self._run(
            "INSERT INTO mockchain_transactions (txid, rawTx, blockHeight, blockIndex) VALUES (?, ?, ?, ?)",
            *(txid, raw_tx, height, index),
        )
        for output in outputs:
            self._run(
                "INSERT INTO mockchain_utxos (txid, vout, lockingScript, satoshis, scriptHash, spentByTxid, isCoinbase,"
                " blockHeight) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                *(txid, output.vout, output.locking_script, output.satoshis, script_hash_of(output.locking_script)),
                *(output.spent_by, int(output.is_coinbase), height),
            )

    def remove_transaction(self, txid: str) -> None:
        self._run("UPDATE mockchain_utxos SET spentByTxid = NULL WHERE spentByTxid = ?", txid)
        self._run("DELETE FROM mockchain_utxos WHERE txid = ?", txid)
        self._run("DELETE FROM mockchain_transactions WHERE txid = ?", txid)

    def place(self, txid: str, height: int | None, index: int | None) -> None:
        self._run(
            "UPDATE mockchain_transactions SET blockHeight = ?, blockIndex = ? WHERE txid = ?", height, index, txid
        )
        self._run("UPDATE mockchain_utxos SET blockHeight = ? WHERE txid = ?", height, txid)

    def spend(self, outpoints: Sequence[tuple[str, int]], by: str) -> None:
        for txid, vout in outpoints:
            self._run("UPDATE mockchain_utxos SET spentByTxid = ? WHERE txid = ? AND vout = ?", by, txid, vout)

    def output(self, txid: str, vout: int) -> StoredOutput | None:
        outputs = self._outputs("WHERE txid = ? AND vout = ?", txid, vout)
        return outputs[0] if outputs else None

    def outputs_of(self, txid: str) -> list[StoredOutput]:
        return self._outputs("WHERE txid = ? ORDER BY vout", txid)

    def outputs_spent_by(self, txid: str) -> list[StoredOutput]:
        return self._outputs("WHERE spentByTxid = ? ORDER BY id", txid)

    def outputs_locked_by(self, script_hash: str) -> list[StoredOutput]:
        return self._outputs("WHERE scriptHash = ? ORDER BY id", script_hash)

    def unspent_locked_by(self, script_hash: str) -> list[StoredOutput]:
        return self._outputs("WHERE scriptHash = ? AND spentByTxid IS NULL ORDER BY id", script_hash)

    def unspent_coinbases(self, highest: int, limit: int) -> list[StoredOutput]:
        return self._outputs(
            "WHERE isCoinbase = 1 AND spentByTxid IS NULL AND blockHeight <= ? ORDER BY blockHeight LIMIT ?",
            *(highest, limit),
        )

    def unspent(self) -> list[StoredOutput]:
        return self._outputs("WHERE spentByTxid IS NULL ORDER BY id")

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except apsw.Error as error:
                raise WERR_INTERNAL(f"The mock chain's file failed: {error}") from error

    def _run(self, sql: str, *values: Any) -> None:
        self._rows(sql, *values)

    def _header(self, sql: str, *values: Any) -> BlockHeader | None:
        rows = self._rows(sql, *values)
        return _header_of_row(rows[0]) if rows else None

    def _outputs(self, where: str, *values: Any) -> list[StoredOutput]:
        return [
            StoredOutput(txid, vout, satoshis, script, bool(is_coinbase), height, spent_by)
            for txid, vout, satoshis, script, is_coinbase, height, spent_by in self._rows(f"{OUTPUT} {where}", *values)
        ]


def _header_of_row(row: Any) -> BlockHeader:
    version, previous_hash, merkle_root, time, bits, nonce, height = row
    return BlockHeader.build(version, previous_hash, merkle_root, time, bits, nonce, height)
