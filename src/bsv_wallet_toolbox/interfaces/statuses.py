"""The statuses that stand in the tables and travel on the wire. Who may change them: ``storage.state_machines``."""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "AVAILABLE_PARENT",
    "ENDED",
    "LISTED_OUTPUT_PARENT",
    "PROOF_WANTED",
    "RAW_TX_READABLE",
    "REQ_TERMINAL",
    "REQ_WAS_BROADCAST",
    "Chain",
    "ProvenTxReqStatus",
    "ReviewActionStatus",
    "SendWithStatus",
    "TransactionStatus",
]


class Chain(StrEnum):
    MAIN = "main"
    TEST = "test"
    TERATEST = "teratest"
    MOCK = "mock"


class TransactionStatus(StrEnum):
    COMPLETED = "completed"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"
    SENDING = "sending"
    UNPROVEN = "unproven"
    UNSIGNED = "unsigned"
    NOSEND = "nosend"
    NONFINAL = "nonfinal"
    UNFAIL = "unfail"


class ProvenTxReqStatus(StrEnum):
    SENDING = "sending"
    UNSENT = "unsent"
    NOSEND = "nosend"
    UNKNOWN = "unknown"
    NONFINAL = "nonfinal"
    UNPROCESSED = "unprocessed"
    UNMINED = "unmined"
    CALLBACK = "callback"
    UNCONFIRMED = "unconfirmed"
    COMPLETED = "completed"
    INVALID = "invalid"
    DOUBLE_SPEND = "doubleSpend"
    UNFAIL = "unfail"


class SendWithStatus(StrEnum):
    UNPROVEN = "unproven"
    SENDING = "sending"
    FAILED = "failed"


class ReviewActionStatus(StrEnum):
    SUCCESS = "success"
    DOUBLE_SPEND = "doubleSpend"
    SERVICE_ERROR = "serviceError"
    INVALID_TX = "invalidTx"


REQ_TERMINAL = frozenset({ProvenTxReqStatus.COMPLETED, ProvenTxReqStatus.INVALID, ProvenTxReqStatus.DOUBLE_SPEND})
REQ_WAS_BROADCAST = frozenset(
    {
        ProvenTxReqStatus.UNMINED,
        ProvenTxReqStatus.CALLBACK,
        ProvenTxReqStatus.UNCONFIRMED,
        ProvenTxReqStatus.COMPLETED,
    }
)
PROOF_WANTED = frozenset(
    {
        ProvenTxReqStatus.CALLBACK,
        ProvenTxReqStatus.UNMINED,
        ProvenTxReqStatus.SENDING,
        ProvenTxReqStatus.UNKNOWN,
        ProvenTxReqStatus.UNCONFIRMED,
    }
)
"""Reqs that a proof is looked for at every new block."""

RAW_TX_READABLE = frozenset(
    {
        ProvenTxReqStatus.UNSENT,
        ProvenTxReqStatus.UNMINED,
        ProvenTxReqStatus.UNCONFIRMED,
        ProvenTxReqStatus.SENDING,
        ProvenTxReqStatus.NOSEND,
        ProvenTxReqStatus.COMPLETED,
        ProvenTxReqStatus.CALLBACK,
        ProvenTxReqStatus.UNPROCESSED,
        ProvenTxReqStatus.UNFAIL,
    }
)
"""Reqs whose raw transaction may serve as a source of inputs, scripts and BEEF."""

ENDED = frozenset({TransactionStatus.FAILED, TransactionStatus.UNFAIL})
"""Transactions that spend nothing and create nothing, so that none of their outputs is spendable. All others live."""

AVAILABLE_PARENT = frozenset({TransactionStatus.COMPLETED, TransactionStatus.UNPROVEN})
"""Transactions whose change may be spent at once; a delayed action may also build on own ones that are ``sending``."""

LISTED_OUTPUT_PARENT = frozenset(
    {
        TransactionStatus.COMPLETED,
        TransactionStatus.UNPROVEN,
        TransactionStatus.NOSEND,
        TransactionStatus.SENDING,
    }
)
"""Transactions whose spendable outputs listOutputs and the balance count; ``sending`` only those of ours."""
