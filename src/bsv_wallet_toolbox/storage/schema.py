"""The tables: TypeScript's sixteen under their exact names, and ours, all named ``bwt_*``.

This one description drives DDL, statements and row codecs. Columns keep the camelCase names of the wire. Timestamps are
ISO-8601 text in milliseconds and UTC, always supplied by us; booleans are 0 or 1; hashes are display-order hex. We
never add a column, trigger or view to a table of TypeScript's: its toolbox copies whole rows (ADR-0003).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.ext.compiler import compiles

__all__ = ["BWT", "BWT_INDEXES", "BWT_TABLES", "PEER_INDEXES", "PEER_TABLES", "Timestamp", "metadata"]

metadata = MetaData()


class Timestamp(Text):
    """ISO-8601 text; declared ``datetime`` as TypeScript's migrations do."""


@compiles(Timestamp)
def _declared(type_: Timestamp, compiler: Any, **kw: Any) -> str:
    return "DATETIME"


_UINT32 = BigInteger().with_variant(Integer, "sqlite")


def _stamps() -> list[Column[Any]]:
    now = text("CURRENT_TIMESTAMP")
    return [
        Column("created_at", Timestamp, nullable=False, server_default=now),
        Column("updated_at", Timestamp, nullable=False, server_default=now),
    ]


def _id(name: str) -> Column[Any]:
    return Column(name, Integer, primary_key=True, autoincrement=True)


def _refers(name: str, target: str, *, null: bool = False) -> Column[Any]:
    return Column(name, Integer, ForeignKey(target), nullable=null)


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False, server_default=text("'0'"))


def _peer(name: str, *columns: Any) -> Table:
    return Table(name, metadata, *_stamps(), *columns, sqlite_autoincrement=True)


proven_txs = _peer(
    "proven_txs",
    _id("provenTxId"),
    Column("txid", String(64), nullable=False),
    Column("height", Integer, nullable=False),
    Column("index", Integer, nullable=False),
    Column("merklePath", LargeBinary, nullable=False),
    Column("rawTx", LargeBinary),
    Column("blockHash", String(64), nullable=False),
    Column("merkleRoot", String(64), nullable=False),
)

proven_tx_reqs = _peer(
    "proven_tx_reqs",
    _id("provenTxReqId"),
    _refers("provenTxId", "proven_txs.provenTxId", null=True),
    Column("status", String(16), nullable=False, server_default=text("'unknown'")),
    Column("attempts", Integer, nullable=False, server_default=text("'0'")),
    _flag("notified"),
    Column("txid", String(64), nullable=False),
    Column("batch", String(64)),
    Column("history", Text, nullable=False, server_default=text("'{}'")),
    Column("notify", Text, nullable=False, server_default=text("'{}'")),
    Column("rawTx", LargeBinary),
    Column("inputBEEF", LargeBinary),
    _flag("wasBroadcast"),
    Column("rebroadcastAttempts", Integer, nullable=False, server_default=text("'0'")),
)

users = _peer(
    "users",
    _id("userId"),
    Column("identityKey", String(130), nullable=False),
    Column("activeStorage", String(255), nullable=False),
)

certificates = _peer(
    "certificates",
    _id("certificateId"),
    _refers("userId", "users.userId"),
    Column("serialNumber", String(100), nullable=False),
    Column("type", String(100), nullable=False),
    Column("certifier", String(100), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("verifier", String(100)),
    Column("revocationOutpoint", String(100), nullable=False),
    Column("signature", String(255), nullable=False),
    _flag("isDeleted"),
)

certificate_fields = _peer(
    "certificate_fields",
    _refers("userId", "users.userId"),
    _refers("certificateId", "certificates.certificateId"),
    Column("fieldName", String(100), nullable=False),
    Column("fieldValue", String(255).with_variant(Text, "postgresql", "mysql"), nullable=False),
    Column("masterKey", String(255), nullable=False, server_default=text("''")),
)

output_baskets = _peer(
    "output_baskets",
    _id("basketId"),
    _refers("userId", "users.userId"),
    Column("name", String(300), nullable=False),
    Column("numberOfDesiredUTXOs", Integer, nullable=False, server_default=text("'6'")),
    Column("minimumDesiredUTXOValue", Integer, nullable=False, server_default=text("'10000'")),
    _flag("isDeleted"),
)

transactions = _peer(
    "transactions",
    _id("transactionId"),
    _refers("userId", "users.userId"),
    _refers("provenTxId", "proven_txs.provenTxId", null=True),
    Column("status", String(64), nullable=False),
    Column("reference", String(64), nullable=False),
    Column("isOutgoing", Boolean, nullable=False),
    Column("satoshis", BigInteger, nullable=False, server_default=text("'0'")),
    Column("version", _UINT32),
    Column("lockTime", _UINT32),
    Column("description", String(2048)),
    Column("txid", String(64)),
    Column("inputBEEF", LargeBinary),
    Column("rawTx", LargeBinary),
)

commissions = _peer(
    "commissions",
    _id("commissionId"),
    _refers("userId", "users.userId"),
    _refers("transactionId", "transactions.transactionId"),
    Column("satoshis", Integer, nullable=False),
    Column("keyOffset", String(130), nullable=False),
    _flag("isRedeemed"),
    Column("lockingScript", LargeBinary, nullable=False),
)

outputs = _peer(
    "outputs",
    _id("outputId"),
    _refers("userId", "users.userId"),
    _refers("transactionId", "transactions.transactionId"),
    _refers("basketId", "output_baskets.basketId", null=True),
    _flag("spendable"),
    _flag("change"),
    Column("vout", Integer, nullable=False),
    Column("satoshis", BigInteger, nullable=False),
    Column("providedBy", String(130), nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("type", String(50), nullable=False),
    Column("outputDescription", String(2048)),
    Column("txid", String(64)),
    Column("senderIdentityKey", String(130)),
    Column("derivationPrefix", String(200)),
    Column("derivationSuffix", String(200)),
    Column("customInstructions", String(2500)),
    _refers("spentBy", "transactions.transactionId", null=True),
    Column("sequenceNumber", _UINT32),
    Column("spendingDescription", String(2048)),
    Column("scriptLength", BigInteger),
    Column("scriptOffset", BigInteger),
    Column("lockingScript", LargeBinary),
)

output_tags = _peer(
    "output_tags",
    _id("outputTagId"),
    _refers("userId", "users.userId"),
    Column("tag", String(150), nullable=False),
    _flag("isDeleted"),
)

output_tags_map = _peer(
    "output_tags_map",
    _refers("outputTagId", "output_tags.outputTagId"),
    _refers("outputId", "outputs.outputId"),
    _flag("isDeleted"),
)

tx_labels = _peer(
    "tx_labels",
    _id("txLabelId"),
    _refers("userId", "users.userId"),
    Column("label", String(300), nullable=False),
    _flag("isDeleted"),
)

tx_labels_map = _peer(
    "tx_labels_map",
    _refers("txLabelId", "tx_labels.txLabelId"),
    _refers("transactionId", "transactions.transactionId"),
    _flag("isDeleted"),
)

monitor_events = _peer(
    "monitor_events",
    _id("id"),
    Column("event", String(64), nullable=False),
    Column("details", Text),
)

settings = _peer(
    "settings",
    Column("storageIdentityKey", String(130), nullable=False),
    Column("storageName", String(128), nullable=False),
    Column("chain", String(10), nullable=False),
    Column("dbtype", String(10), nullable=False),
    Column("maxOutputScript", Integer, nullable=False),
)

sync_states = _peer(
    "sync_states",
    _id("syncStateId"),
    _refers("userId", "users.userId"),
    Column("storageIdentityKey", String(130), nullable=False, server_default=text("''")),
    Column("storageName", String(255), nullable=False),
    Column("status", String(255), nullable=False, server_default=text("'unknown'")),
    _flag("init"),
    Column("refNum", String(100), nullable=False),
    Column("syncMap", Text, nullable=False),
    Column("when", Timestamp),
    Column("satoshis", BigInteger),
    Column("errorLocal", Text),
    Column("errorOther", Text),
)

PEER_TABLES: tuple[Table, ...] = tuple(metadata.sorted_tables)


def _bwt(name: str, *columns: Any, fresh_ids: bool = False) -> Table:
    return Table(f"bwt_{name}", metadata, *columns, sqlite_autoincrement=fresh_ids)


class BWT:
    """Our own tables. They refer to TypeScript's by id, without foreign keys: its migrations may rebuild its tables."""

    settings = _bwt("settings", Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

    counters = _bwt(
        "counters",
        Column("userId", Integer, primary_key=True, autoincrement=False),
        Column("name", String(32), primary_key=True),
        Column("value", BigInteger, nullable=False),
    )
    """Next free derivation counter of a user: always past every number that may have been used."""

    requests = _bwt(
        "requests",
        Column("userId", Integer, primary_key=True, autoincrement=False),
        Column("originator", String(255), primary_key=True),
        Column("key", String(255), primary_key=True),
        Column("argsHash", LargeBinary, nullable=False),
        Column("transactionId", Integer, nullable=False),
        Column("result", Text, nullable=False),
        Column("created_at", Timestamp, nullable=False),
    )
    """What was asked under which idempotency key, so that the same request is carried out once."""

    actions = _bwt(
        "actions",
        Column("transactionId", Integer, primary_key=True, autoincrement=False),
        Column("feeSatoshis", BigInteger, nullable=False),
        Column("feeRate", Integer, nullable=False),
        Column("originator", String(255), nullable=False),
        Column("abandonAt", Timestamp),
    )
    """What TypeScript's row of an outgoing action has no column for; ``abandonAt`` bounds an unsigned one."""

    pending = _bwt(
        "pending",
        Column("transactionId", Integer, primary_key=True, autoincrement=False),
        Column("prepared", Text, nullable=False),
    )
    """Actions that wait for signAction: the unsigned transaction with what is needed to finish it, as JSON."""

    jobs = _bwt(
        "jobs",
        Column("provenTxReqId", Integer, primary_key=True, autoincrement=False),
        Column("kind", String(16), nullable=False),
        Column("nextAttemptAt", Timestamp, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("claimedBy", String(64)),
        Column("claimUntil", Timestamp),
    )
    """Work due on a req: ``send`` until a provider accepted it, then ``prove`` until its proof is stored."""

    leases = _bwt(
        "leases",
        Column("task", String(64), primary_key=True),
        Column("owner", String(64), nullable=False),
        Column("expiresAt", Timestamp, nullable=False),
        Column("fencing", BigInteger, nullable=False),
        Column("cursor", Text),
        Column("lastRunAt", Timestamp),
    )

    holds = _bwt(
        "holds",
        Column("outputId", Integer, primary_key=True, autoincrement=False),
        Column("reason", String(32), nullable=False),
        Column("transactionId", Integer),
        Column("created_at", Timestamp, nullable=False),
    )
    """Coins kept back (``spendable=0``) until evidence says what became of them."""

    spends = _bwt(
        "spends",
        Column("txid", String(64), primary_key=True),
        Column("vout", Integer, primary_key=True, autoincrement=False),
        Column("userId", Integer, primary_key=True, autoincrement=False),
        Column("transactionId", Integer, primary_key=True, autoincrement=False),
    )
    """Outpoints that an incoming transaction spends and nobody had a row for: one may come to be ours later."""

    suspects = _bwt(
        "suspects",
        Column("provenTxId", Integer, primary_key=True, autoincrement=False),
        Column("blockHash", String(64), nullable=False),
        Column("height", Integer, nullable=False),
        Column("tries", Integer, nullable=False),
        Column("nextAttemptAt", Timestamp, nullable=False),
    )
    """Proofs whose block left the active chain; BEEF is built without them until they are proven again."""

    notes = _bwt(
        "notes",
        _id("noteId"),
        Column("txid", String(64)),
        Column("transactionId", Integer),
        Column("when", Timestamp, nullable=False),
        Column("what", String(64), nullable=False),
        Column("details", Text, nullable=False),
        fresh_ids=True,
    )
    """One row for every status change and every answer of the network: the history of a req or an action."""

    evidence = _bwt(
        "evidence",
        _id("evidenceId"),
        Column("txid", String(64), nullable=False),
        Column("vout", Integer),
        Column("kind", String(32), nullable=False),
        Column("source", String(64), nullable=False),
        Column("when", Timestamp, nullable=False),
        Column("details", Text, nullable=False),
        fresh_ids=True,
    )
    """What was seen that justifies freeing a coin, writing it off, or ending a transaction."""


BWT_TABLES: tuple[Table, ...] = tuple(table for table in metadata.sorted_tables if table.name.startswith("bwt_"))


def _named(suffix: str, table: Table, *columns: str, unique: bool = False) -> Index:
    """An index under the name that knex makes of table and columns."""
    name = f"{table.name}_{'_'.join(columns)}_{suffix}".lower()
    return Index(name, *(table.c[column] for column in columns), unique=unique)


def _unique(table: Table, *columns: str) -> Index:
    return _named("unique", table, *columns, unique=True)


def _plain(table: Table, *columns: str) -> Index:
    return _named("index", table, *columns)


def _idx(name: str, table: Table, *columns: str) -> Index:
    return Index(f"idx_{name}", *(table.c[column] for column in columns))


PEER_INDEXES: tuple[Index, ...] = (
    _unique(users, "identityKey"),
    _unique(proven_txs, "txid"),
    _plain(proven_txs, "blockHash"),
    _unique(proven_tx_reqs, "txid"),
    _plain(proven_tx_reqs, "txid"),
    _plain(proven_tx_reqs, "status"),
    _plain(proven_tx_reqs, "batch"),
    _unique(certificates, "userId", "type", "certifier", "serialNumber"),
    _unique(certificate_fields, "fieldName", "certificateId"),
    _unique(output_baskets, "name", "userId"),
    _unique(transactions, "reference"),
    _plain(transactions, "status"),
    _plain(transactions, "txid"),
    _unique(commissions, "transactionId"),
    _plain(commissions, "transactionId"),
    _unique(outputs, "transactionId", "vout", "userId"),
    _plain(outputs, "spendable"),
    _idx("outputs_user_spendable_outputid", outputs, "userId", "spendable", "outputId"),
    _idx("outputs_user_basket_spendable_outputid", outputs, "userId", "basketId", "spendable", "outputId"),
    _idx("outputs_user_basket_spendable_satoshis", outputs, "userId", "basketId", "spendable", "satoshis"),
    _idx("outputs_spentby", outputs, "spentBy"),
    _unique(output_tags, "tag", "userId"),
    _unique(output_tags_map, "outputTagId", "outputId"),
    _plain(output_tags_map, "outputId"),
    _idx("output_tags_map_output_deleted_tag", output_tags_map, "outputId", "isDeleted", "outputTagId"),
    _unique(tx_labels, "label", "userId"),
    _unique(tx_labels_map, "txLabelId", "transactionId"),
    _plain(tx_labels_map, "transactionId"),
    _idx("tx_labels_map_tx_deleted", tx_labels_map, "transactionId", "isDeleted"),
    _plain(monitor_events, "event"),
    _unique(sync_states, "refNum"),
    _plain(sync_states, "refNum"),
    _plain(sync_states, "status"),
)
"""TypeScript's indexes under the names knex gave them: its later migrations drop them by name."""

BWT_INDEXES: tuple[Index, ...] = (
    Index(
        "bwt_outputs_coins",
        outputs.c.userId,
        outputs.c.basketId,
        outputs.c.type,
        outputs.c.satoshis,
        outputs.c.outputId,
        sqlite_where=text('spendable = 1 AND change = 1 AND "derivationPrefix" IS NOT NULL'),
    ),
    Index("bwt_transactions_user_status", transactions.c.userId, transactions.c.status, transactions.c.transactionId),
    Index(
        "bwt_transactions_proven",
        transactions.c.provenTxId,
        sqlite_where=text('"provenTxId" IS NOT NULL'),
    ),
    Index("bwt_proven_txs_height", proven_txs.c.height),
    Index("bwt_labels_map", tx_labels_map.c.txLabelId, tx_labels_map.c.isDeleted, tx_labels_map.c.transactionId),
    Index("bwt_tags_map", output_tags_map.c.outputTagId, output_tags_map.c.isDeleted, output_tags_map.c.outputId),
    Index("bwt_jobs_due", BWT.jobs.c.kind, BWT.jobs.c.nextAttemptAt, BWT.jobs.c.provenTxReqId),
    Index("bwt_notes_txid", BWT.notes.c.txid, BWT.notes.c.noteId),
    Index("bwt_evidence_txid", BWT.evidence.c.txid, BWT.evidence.c.vout),
    Index("bwt_requests_transaction", BWT.requests.c.transactionId),
)
