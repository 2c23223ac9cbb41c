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


KEYS = {
    "outputs": "outputId",
    "proven_tx_reqs": "provenTxReqId",
    "proven_txs": "provenTxId",
    "transactions": "transactionId",
}
SECOND_USER = f"INSERT INTO users VALUES ('{NOW}', '{NOW}', 2, '02{STRANGE}', 'store')"
NO_JOB = f"DELETE FROM bwt_jobs WHERE provenTxReqId = {SENDING_REQ}"


def changed(table: str, row: int, values: str) -> str:
    return f"UPDATE {table} SET {values} WHERE {KEYS[table]} = {row}"


def doubled(table: str, row: int, unique: str, columns: str) -> str:
    """A second row with the same ``columns``, which the index of the ``unique`` ones forbids."""
    return f"""DROP INDEX {table}_{unique}_unique;
        INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} WHERE {KEYS[table]} = {row}"""


# One row is changed, and one finding is about that row.
CHANGED_ROWS = [
    ("structure", "a reference to no row", "outputs", TOKEN, "basketId = 99"),
    ("structure", "a date in SQLite's own form", "transactions", PROVEN, "created_at = '2023-11-14 22:13:20'"),
    ("structure", "a custom output in the default basket", "outputs", TOKEN, "basketId = 1"),
    ("structure", "a status that does not exist", "proven_tx_reqs", FREED_REQ, "status = 'lost'"),
    ("structure", "an output that names another transaction", "outputs", PAYMENT, f"txid = '{STRANGE}'"),
    ("structure", "bytes of another hash", "proven_tx_reqs", PROVEN_REQ, "rawTx = x'00'"),
    ("structure", "another amount than in the transaction", "outputs", PAYMENT, "satoshis = 1001"),
    ("structure", "another script than in the transaction", "outputs", PAYMENT, "lockingScript = x'51'"),
    ("structure", "a script at another place", "outputs", PAYMENT, "scriptOffset = scriptOffset + 1"),
    ("structure", "a script that stands nowhere", "outputs", PAYMENT, "lockingScript = NULL, scriptOffset = NULL"),
    ("structure", "an output that the transaction does not have", "outputs", PAYMENT, "vout = 99"),
    ("I3", "a spendable output of a failed transaction", "outputs", FAILED_OUTPUT, "spendable = 1"),
    ("I3", "an action built on a failed one", "outputs", FAILED_OUTPUT, f"spentBy = {UNSIGNED}"),
    ("I4", "completed without a proof", "transactions", PROVEN, "provenTxId = NULL"),
    ("I4", "a proof of what is not completed", "transactions", PROVEN, "status = 'unproven'"),
    ("I4", "a req completed without a proof", "proven_tx_reqs", PROVEN_REQ, "provenTxId = NULL"),
    ("I4", "the proof of another", "transactions", PROVEN, "provenTxId = 1"),
    ("I4", "a req with the proof of another", "proven_tx_reqs", PROVEN_REQ, "provenTxId = 1"),
    (
        "I4",
        "a completed req of a transaction that is not",
        "transactions",
        PROVEN,
        "status = 'unproven', provenTxId = NULL",
    ),
    ("I4", "a proof that is no path", "proven_txs", 2, "merklePath = x'00'"),
    ("I4", "a proof of text", "proven_txs", 2, "merklePath = 'text'"),
    (
        "I4",
        "the path of another",
        "proven_txs",
        2,
        "merklePath = (SELECT merklePath FROM proven_txs WHERE provenTxId = 1)",
    ),
    ("I4", "another root than the path gives", "proven_txs", 2, f"merkleRoot = '{STRANGE}'"),
    ("I4", "another height than that of the path", "proven_txs", 2, "height = height + 1"),
    ("I4", "another position than that of the path", "proven_txs", 2, '"index" = "index" + 1'),
    ("I5", "a coin written off without evidence", "outputs", COIN, "spendable = 0"),
    (
        "I6",
        "a broadcast intended afterwards",
        "proven_tx_reqs",
        UNPROVEN_REQ,
        "created_at = '2999-01-01T00:00:00.000Z'",
    ),
]

BREACHES = [
    *(
        Breach(name, changed(table, row, values), (invariant, table, row))
        for invariant, name, table, row, values in CHANGED_ROWS
    ),
    # structure
    Breach(
        "a row of ours that refers to no row",
        f"INSERT INTO bwt_requests VALUES (1, 'app', 'key', x'00', 99, '{{}}', '{NOW}')",
        ("structure", "bwt_requests", "1/app/key"),
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
    Breach("a user without a default basket", SECOND_USER, ("structure", "users", 2)),
    Breach(
        "a transaction status that does not exist",
        f"""INSERT INTO transactions (created_at, updated_at, userId, status, reference, isOutgoing)
            VALUES ('{NOW}', '{NOW}', 1, 'lost', 'x', 1)""",
        ("structure", "transactions", 8),
    ),
    Breach(
        "an output of another user",
        f"""{SECOND_USER};
            INSERT INTO output_baskets (created_at, updated_at, userId, name)
            VALUES ('{NOW}', '{NOW}', 2, 'default');
            {changed("outputs", TOKEN, "userId = 2")}""",
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
        doubled("proven_tx_reqs", FREED_REQ, "txid", "created_at, updated_at, status, txid, rawTx"),
        ("structure", "proven_tx_reqs", FREED_REQ),
    ),
    Breach(
        "bytes that are gone",
        changed("proven_tx_reqs", SENDING_REQ, "rawTx = NULL"),
        ("structure", "transactions", SENDING),
    ),
    Breach(
        "bytes that are no transaction",
        f"""INSERT INTO proven_tx_reqs (created_at, updated_at, status, txid, rawTx)
            VALUES ('{NOW}', '{NOW}', 'invalid', '{txid_of(b"nothing")}', x'{b"nothing".hex()}')""",
        ("structure", "proven_tx_reqs", 6),
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
        doubled(
            "proven_txs",
            2,
            "txid",
            'created_at, updated_at, txid, height, "index", merklePath, blockHash, merkleRoot',
        ),
        ("structure", "proven_txs", 2),
    ),
    Breach(
        "one output twice",
        doubled(
            "outputs",
            PAYMENT,
            "transactionid_vout_userid",
            """created_at, updated_at, userId, transactionId, spendable, vout, satoshis, providedBy, purpose, type,
                txid, lockingScript""",
        ),
        ("structure", "outputs", PAYMENT),
    ),
    # I2
    Breach(
        "a coin that a row gives to another than its bytes",
        changed("outputs", SPENT_COIN, f"spentBy = {UNPROVEN}"),
        ("I2", "outputs", SPENT_COIN),
        ("I5", "outputs", SPENT_COIN),
    ),
    # I3
    Breach(
        "a spendable coin that is spent",
        changed("outputs", RESERVED_COIN, "spendable = 1"),
        ("I3", "outputs", RESERVED_COIN),
        ("I7", "users", 1),
    ),
    Breach(
        "a spendable coin that the bytes of a transaction spend",
        changed("outputs", SPENT_COIN, "spendable = 1, spentBy = NULL"),
        ("I3", "outputs", SPENT_COIN),
        ("I7", "users", 1),
    ),
    Breach(
        "a spendable coin that is held",
        f"INSERT INTO bwt_holds VALUES ({COIN}, 'awaitingEvidence', NULL, '{NOW}')",
        ("I3", "outputs", COIN),
    ),
    # I5
    Breach(
        "a coin freed without evidence",
        "DELETE FROM bwt_evidence WHERE kind = 'unspent'",
        ("I5", "outputs", HELD_COIN),
    ),
    Breach(
        "a held coin freed on evidence from before",
        changed("outputs", HELD_COIN, "spendable = 1, spentBy = NULL") + "; DELETE FROM bwt_holds",
        ("I5", "outputs", HELD_COIN),
    ),
    Breach("a coin neither freed nor held", "DELETE FROM bwt_holds", ("I5", "outputs", HELD_COIN)),
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
        changed("outputs", COIN, f"spendable = 0, spentBy = {UNPROVEN}"),
        ("I5", "outputs", COIN),
        ("I7", "users", 1),
    ),
    # I6
    Breach(
        "an action under way without a req",
        f"{NO_JOB}; DELETE FROM proven_tx_reqs WHERE provenTxReqId = {SENDING_REQ}",
        ("I6", "transactions", SENDING),
        ("structure", "transactions", SENDING),
    ),
    Breach(
        "an action under way whose req has ended",
        f"{NO_JOB}; " + changed("proven_tx_reqs", SENDING_REQ, "status = 'invalid'"),
        ("I6", "transactions", SENDING),
    ),
    Breach(
        "an action under way that no job moves",
        f"DELETE FROM bwt_jobs WHERE provenTxReqId = {UNPROVEN_REQ}",
        ("I6", "proven_tx_reqs", UNPROVEN_REQ),
    ),
    Breach(
        "a job of the wrong kind",
        f"INSERT OR REPLACE INTO bwt_jobs VALUES ({SENDING_REQ}, 'prove', '2030-01-01T00:00:00.000Z', 0, NULL, NULL)",
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
        changed("transactions", PROVEN, "satoshis = satoshis + 1"),
        ("I7", "users", 1),
    ),
    Breach(
        "change that can't be spent as change",
        changed("outputs", COIN, "derivationPrefix = NULL"),
        ("I7", "users", 1),
    ),
]
