"""Ways to break alice's file, and what the doctor must find then."""

from __future__ import annotations

from pathlib import Path

import apsw

from bsv_wallet_toolbox.transactions.hashes import txid_of

NOW = "2023-11-14T22:13:20.000Z"
STRANGE = "ab" * 32

# Rows of alice's file: see ``wallet_past.live``.
FUNDING, PROVEN, FREED, HOLDING, UNPROVEN, SENDING, UNSIGNED = range(1, 8)
SPENT_COIN, HELD_COIN, COIN, PAYMENT, RESERVED_COIN, FAILED_OUTPUT, TOKEN = 1, 2, 3, 9, 13, 18, 45
PROVEN_REQ, FREED_REQ, _, UNPROVEN_REQ, SENDING_REQ = range(1, 6)


class Breach:
    """A name for people, the SQL that breaks the file, and the findings: (invariant, entity, id) each."""

    def __init__(self, name: str, sql: str, *findings: tuple[str, str, object]) -> None:
        self.name = name
        self.sql = sql
        self.findings = sorted((invariant, entity, str(row)) for invariant, entity, row in findings)


def change(path: Path, sql: str) -> None:
    """Write into a file behind the wallet's back."""
    db = apsw.Connection(str(path))
    try:
        db.execute(sql)
    finally:
        db.close()


BREACHES = [
    # structure
    Breach(
        "a reference to no row",
        f"UPDATE outputs SET basketId = 99 WHERE outputId = {TOKEN}",
        ("structure", "outputs", TOKEN),
    ),
    Breach(
        "a row of ours that refers to no row",
        f"INSERT INTO bwt_requests VALUES (1, 'app', 'key', x'00', 99, '{{}}', '{NOW}')",
        ("structure", "bwt_requests", "1/app/key"),
    ),
    Breach(
        "a date in SQLite's own form",
        f"UPDATE transactions SET created_at = '2023-11-14 22:13:20' WHERE transactionId = {PROVEN}",
        ("structure", "transactions", PROVEN),
    ),
    Breach(
        "a date of a row without an id",
        "UPDATE output_tags_map SET updated_at = '2023-11-14'",
        ("structure", "output_tags_map", f"1/{TOKEN}"),
    ),
    Breach(
        "an id that JavaScript can't hold",
        f"INSERT INTO monitor_events VALUES ('{NOW}', '{NOW}', 9007199254740992, 'tick', NULL)",
        ("structure", "monitor_events", 2**53),
    ),
    Breach(
        "a user without a default basket",
        f"INSERT INTO users VALUES ('{NOW}', '{NOW}', 2, '02{STRANGE}', 'store')",
        ("structure", "users", 2),
    ),
    Breach(
        "a custom output in the default basket",
        f"UPDATE outputs SET basketId = 1 WHERE outputId = {TOKEN}",
        ("structure", "outputs", TOKEN),
    ),
    Breach(
        "a status that does not exist",
        f"UPDATE proven_tx_reqs SET status = 'lost' WHERE provenTxReqId = {FREED_REQ}",
        ("structure", "proven_tx_reqs", FREED_REQ),
    ),
    Breach(
        "a transaction status that does not exist",
        f"""INSERT INTO transactions (created_at, updated_at, userId, status, reference, isOutgoing)
            VALUES ('{NOW}', '{NOW}', 1, 'lost', 'x', 1)""",
        ("structure", "transactions", 8),
    ),
    Breach(
        "an output that names another transaction",
        f"UPDATE outputs SET txid = '{STRANGE}' WHERE outputId = {PAYMENT}",
        ("structure", "outputs", PAYMENT),
    ),
    Breach(
        "an output of another user",
        f"""INSERT INTO users
            VALUES ('{NOW}', '{NOW}', 2, '02{STRANGE}', 'store');
            INSERT INTO output_baskets (created_at, updated_at, userId, name)
            VALUES ('{NOW}', '{NOW}', 2, 'default');
            UPDATE outputs SET userId = 2 WHERE outputId = {TOKEN}""",
        ("structure", "outputs", TOKEN),
    ),
    Breach(
        "one transaction twice",
        f"""INSERT INTO transactions (created_at, updated_at, userId, status, reference, isOutgoing, txid)
            SELECT created_at, updated_at, userId, status, 'again', 0, txid FROM transactions
            WHERE transactionId = {FREED}""",
        ("structure", "transactions", FREED),
    ),
    Breach(
        "two reqs of one txid",
        f"""DROP INDEX proven_tx_reqs_txid_unique;
            INSERT INTO proven_tx_reqs (created_at, updated_at, status, txid, rawTx)
            SELECT created_at, updated_at, status, txid, rawTx FROM proven_tx_reqs
            WHERE provenTxReqId = {FREED_REQ}""",
        ("structure", "proven_tx_reqs", FREED_REQ),
    ),
    Breach(
        "bytes that are gone",
        f"UPDATE proven_tx_reqs SET rawTx = NULL WHERE provenTxReqId = {SENDING_REQ}",
        ("structure", "transactions", SENDING),
    ),
    Breach(
        "bytes of another hash",
        f"UPDATE proven_tx_reqs SET rawTx = x'00' WHERE provenTxReqId = {PROVEN_REQ}",
        ("structure", "proven_tx_reqs", PROVEN_REQ),
    ),
    Breach(
        "bytes that are no transaction",
        f"""INSERT INTO proven_tx_reqs (created_at, updated_at, status, txid, rawTx)
            VALUES ('{NOW}', '{NOW}', 'invalid', '{txid_of(b"nothing")}', x'{b"nothing".hex()}')""",
        ("structure", "proven_tx_reqs", 6),
    ),
    Breach(
        "another amount than in the transaction",
        f"UPDATE outputs SET satoshis = 1001 WHERE outputId = {PAYMENT}",
        ("structure", "outputs", PAYMENT),
    ),
    Breach(
        "another script than in the transaction",
        f"UPDATE outputs SET lockingScript = x'51' WHERE outputId = {PAYMENT}",
        ("structure", "outputs", PAYMENT),
    ),
    Breach(
        "a script at another place",
        f"UPDATE outputs SET scriptOffset = scriptOffset + 1 WHERE outputId = {PAYMENT}",
        ("structure", "outputs", PAYMENT),
    ),
    Breach(
        "a script that stands nowhere",
        f"UPDATE outputs SET lockingScript = NULL, scriptOffset = NULL WHERE outputId = {PAYMENT}",
        ("structure", "outputs", PAYMENT),
    ),
    Breach(
        "an output that the transaction does not have",
        f"UPDATE outputs SET vout = 99 WHERE outputId = {PAYMENT}",
        ("structure", "outputs", PAYMENT),
    ),
    Breach(
        "a chain that does not exist",
        "UPDATE settings SET chain = 'moon', storageIdentityKey = 'the store'",
        ("structure", "settings", "the store"),
    ),
    Breach(
        "two stores in one file",
        """INSERT INTO settings SELECT created_at, updated_at, 'another', storageName, chain, dbtype, maxOutputScript
            FROM settings""",
        ("structure", "settings", ""),
    ),
    Breach(
        "two proofs of one txid",
        """DROP INDEX proven_txs_txid_unique;
            INSERT INTO proven_txs (created_at, updated_at, txid, height, "index", merklePath, blockHash, merkleRoot)
            SELECT created_at, updated_at, txid, height, "index", merklePath, blockHash, merkleRoot FROM proven_txs
            WHERE provenTxId = 2""",
        ("structure", "proven_txs", 2),
    ),
    Breach(
        "one output twice",
        f"""DROP INDEX outputs_transactionid_vout_userid_unique;
            INSERT INTO outputs (created_at, updated_at, userId, transactionId, spendable, vout, satoshis, providedBy,
                purpose, type, txid, lockingScript)
            SELECT created_at, updated_at, userId, transactionId, spendable, vout, satoshis, providedBy,
                purpose, type, txid, lockingScript FROM outputs WHERE outputId = {PAYMENT}""",
        ("structure", "outputs", PAYMENT),
    ),
    # I2
    Breach(
        "a coin that a row gives to another than its bytes",
        f"UPDATE outputs SET spentBy = {UNPROVEN} WHERE outputId = {SPENT_COIN}",
        ("I2", "outputs", SPENT_COIN),
        ("I5", "outputs", SPENT_COIN),
    ),
    # I3
    Breach(
        "a spendable coin that is spent",
        f"UPDATE outputs SET spendable = 1 WHERE outputId = {RESERVED_COIN}",
        ("I3", "outputs", RESERVED_COIN),
        ("I7", "users", 1),
        ("I7", "users", 1),
    ),
    Breach(
        "a spendable coin that the bytes of a transaction spend",
        f"UPDATE outputs SET spendable = 1, spentBy = NULL WHERE outputId = {SPENT_COIN}",
        ("I3", "outputs", SPENT_COIN),
        ("I7", "users", 1),
    ),
    Breach(
        "a spendable output of a failed transaction",
        f"UPDATE outputs SET spendable = 1 WHERE outputId = {FAILED_OUTPUT}",
        ("I3", "outputs", FAILED_OUTPUT),
    ),
    Breach(
        "a spendable coin that is held",
        f"INSERT INTO bwt_holds VALUES ({COIN}, 'awaitingEvidence', NULL, '{NOW}')",
        ("I3", "outputs", COIN),
    ),
    Breach(
        "an action built on a failed one",
        f"UPDATE outputs SET spentBy = {UNSIGNED} WHERE outputId = {FAILED_OUTPUT}",
        ("I3", "outputs", FAILED_OUTPUT),
    ),
    # I4
    Breach(
        "completed without a proof",
        f"UPDATE transactions SET provenTxId = NULL WHERE transactionId = {PROVEN}",
        ("I4", "transactions", PROVEN),
    ),
    Breach(
        "a proof of what is not completed",
        f"UPDATE transactions SET status = 'unproven' WHERE transactionId = {PROVEN}",
        ("I4", "transactions", PROVEN),
    ),
    Breach(
        "a req completed without a proof",
        f"UPDATE proven_tx_reqs SET provenTxId = NULL WHERE provenTxReqId = {PROVEN_REQ}",
        ("I4", "proven_tx_reqs", PROVEN_REQ),
    ),
    Breach(
        "the proof of another",
        f"UPDATE transactions SET provenTxId = 1 WHERE transactionId = {PROVEN}",
        ("I4", "transactions", PROVEN),
    ),
    Breach(
        "a req with the proof of another",
        f"UPDATE proven_tx_reqs SET provenTxId = 1 WHERE provenTxReqId = {PROVEN_REQ}",
        ("I4", "proven_tx_reqs", PROVEN_REQ),
    ),
    Breach(
        "a completed req of a transaction that is not",
        f"UPDATE transactions SET status = 'unproven', provenTxId = NULL WHERE transactionId = {PROVEN}",
        ("I4", "transactions", PROVEN),
    ),
    Breach(
        "a proof that is no path",
        "UPDATE proven_txs SET merklePath = x'00' WHERE provenTxId = 2",
        ("I4", "proven_txs", 2),
    ),
    Breach(
        "a proof of text",
        "UPDATE proven_txs SET merklePath = 'text' WHERE provenTxId = 2",
        ("I4", "proven_txs", 2),
    ),
    Breach(
        "the path of another",
        """UPDATE proven_txs SET merklePath = (SELECT merklePath FROM proven_txs WHERE provenTxId = 1)
            WHERE provenTxId = 2""",
        ("I4", "proven_txs", 2),
    ),
    Breach(
        "another root than the path gives",
        f"UPDATE proven_txs SET merkleRoot = '{STRANGE}' WHERE provenTxId = 2",
        ("I4", "proven_txs", 2),
    ),
    Breach(
        "another height than that of the path",
        "UPDATE proven_txs SET height = height + 1 WHERE provenTxId = 2",
        ("I4", "proven_txs", 2),
    ),
    Breach(
        "another position than that of the path",
        'UPDATE proven_txs SET "index" = "index" + 1 WHERE provenTxId = 2',
        ("I4", "proven_txs", 2),
    ),
    # I5
    Breach(
        "a coin freed without evidence",
        "DELETE FROM bwt_evidence WHERE kind = 'unspent'",
        ("I5", "outputs", HELD_COIN),
    ),
    Breach(
        "a held coin freed on evidence from before",
        f"""UPDATE outputs SET spendable = 1, spentBy = NULL WHERE outputId = {HELD_COIN};
            DELETE FROM bwt_holds""",
        ("I5", "outputs", HELD_COIN),
    ),
    Breach(
        "a coin written off without evidence",
        f"UPDATE outputs SET spendable = 0 WHERE outputId = {COIN}",
        ("I5", "outputs", COIN),
    ),
    Breach(
        "a coin neither freed nor held",
        "DELETE FROM bwt_holds",
        ("I5", "outputs", HELD_COIN),
    ),
    Breach(
        "a held coin that is spent",
        f"INSERT INTO bwt_holds VALUES ({SPENT_COIN}, 'awaitingEvidence', {PROVEN}, '{NOW}')",
        ("I5", "bwt_holds", SPENT_COIN),
    ),
    Breach(
        "a coin that nobody saw spent elsewhere",
        "UPDATE bwt_holds SET reason = 'spentElsewhere'",
        ("I5", "bwt_holds", HELD_COIN),
    ),
    Breach(
        "an action failed without evidence",
        f"""DELETE FROM bwt_evidence WHERE kind = 'rejected'
            AND txid = (SELECT txid FROM transactions WHERE transactionId = {HOLDING})""",
        ("I5", "transactions", HOLDING),
    ),
    Breach(
        "a coin that counts as spent and is not",
        f"UPDATE outputs SET spendable = 0, spentBy = {UNPROVEN} WHERE outputId = {COIN}",
        ("I5", "outputs", COIN),
        ("I7", "users", 1),
    ),
    # I6
    Breach(
        "a broadcast intended afterwards",
        f"UPDATE proven_tx_reqs SET created_at = '2999-01-01T00:00:00.000Z' WHERE provenTxReqId = {UNPROVEN_REQ}",
        ("I6", "proven_tx_reqs", UNPROVEN_REQ),
    ),
    Breach(
        "an action under way without a req",
        f"""DELETE FROM bwt_jobs WHERE provenTxReqId = {SENDING_REQ};
            DELETE FROM proven_tx_reqs WHERE provenTxReqId = {SENDING_REQ}""",
        ("I6", "transactions", SENDING),
        ("structure", "transactions", SENDING),
    ),
    Breach(
        "an action under way whose req has ended",
        f"""DELETE FROM bwt_jobs WHERE provenTxReqId = {SENDING_REQ};
            UPDATE proven_tx_reqs SET status = 'invalid' WHERE provenTxReqId = {SENDING_REQ}""",
        ("I6", "transactions", SENDING),
    ),
    Breach(
        "an action under way that no job moves",
        f"DELETE FROM bwt_jobs WHERE provenTxReqId = {SENDING_REQ}",
        ("I6", "proven_tx_reqs", SENDING_REQ),
    ),
    Breach(
        "a job of the wrong kind",
        f"UPDATE bwt_jobs SET kind = 'prove' WHERE provenTxReqId = {SENDING_REQ}",
        ("I6", "bwt_jobs", SENDING_REQ),
    ),
    Breach(
        "an unsigned action that is never given up",
        f"UPDATE bwt_actions SET abandonAt = NULL WHERE transactionId = {UNSIGNED}",
        ("I6", "transactions", UNSIGNED),
    ),
    # I7
    Breach(
        "an action that says another amount",
        f"UPDATE transactions SET satoshis = satoshis + 1 WHERE transactionId = {PROVEN}",
        ("I7", "users", 1),
    ),
    Breach(
        "change that can't be spent as change",
        f"UPDATE outputs SET derivationPrefix = NULL WHERE outputId = {COIN}",
        ("I7", "users", 1),
        ("I7", "users", 1),
    ),
]
