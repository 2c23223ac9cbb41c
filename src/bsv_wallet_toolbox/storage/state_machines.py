"""Which status may follow which, for transactions and for reqs: the only place that knows.

Every change is a compare-and-set on the old status, and every change writes a note.
"""

from __future__ import annotations

from collections.abc import Mapping

from bsv_wallet_toolbox.errors import IllegalTransition
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus as Req
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus as Tx

__all__ = ["REQ_TRANSITIONS", "TRANSACTION_TRANSITIONS", "check_req", "check_transaction", "may_become"]

TRANSACTION_TRANSITIONS: Mapping[Tx, frozenset[Tx]] = {
    Tx.UNSIGNED: frozenset({Tx.UNPROCESSED, Tx.SENDING, Tx.NOSEND, Tx.FAILED}),
    Tx.UNPROCESSED: frozenset({Tx.SENDING, Tx.UNPROVEN, Tx.COMPLETED, Tx.NOSEND, Tx.FAILED}),
    Tx.NOSEND: frozenset({Tx.SENDING, Tx.UNPROVEN, Tx.COMPLETED, Tx.FAILED}),
    Tx.NONFINAL: frozenset({Tx.SENDING, Tx.FAILED}),
    Tx.SENDING: frozenset({Tx.UNPROVEN, Tx.COMPLETED, Tx.FAILED}),
    Tx.UNPROVEN: frozenset({Tx.COMPLETED, Tx.SENDING, Tx.FAILED}),
    Tx.COMPLETED: frozenset({Tx.UNPROVEN, Tx.SENDING, Tx.FAILED}),
    Tx.FAILED: frozenset({Tx.UNPROVEN, Tx.COMPLETED}),
    Tx.UNFAIL: frozenset({Tx.FAILED, Tx.UNPROVEN, Tx.COMPLETED}),
}
"""``completed`` is left only when its block left the active chain, ``failed`` only on evidence that it is known."""

_WAITING = frozenset({Req.UNSENT, Req.SENDING, Req.UNPROCESSED, Req.NOSEND, Req.NONFINAL, Req.UNKNOWN})

REQ_TRANSITIONS: Mapping[Req, frozenset[Req]] = {
    **{
        status: frozenset({Req.UNSENT, Req.SENDING, Req.UNMINED, Req.COMPLETED, Req.INVALID, Req.DOUBLE_SPEND})
        - {status}
        for status in _WAITING
    },
    **{
        status: frozenset({Req.UNMINED, Req.COMPLETED, Req.UNSENT, Req.DOUBLE_SPEND, Req.INVALID}) - {status}
        for status in (Req.UNMINED, Req.CALLBACK, Req.UNCONFIRMED)
    },
    Req.COMPLETED: frozenset({Req.UNMINED, Req.UNSENT, Req.DOUBLE_SPEND, Req.INVALID}),
    Req.INVALID: frozenset({Req.UNFAIL, Req.UNMINED, Req.COMPLETED}),
    Req.DOUBLE_SPEND: frozenset({Req.UNFAIL, Req.UNMINED, Req.COMPLETED}),
    Req.UNFAIL: frozenset({Req.UNMINED, Req.COMPLETED, Req.INVALID}),
}


def may_become(old: Tx, new: Tx) -> bool:
    return new in TRANSACTION_TRANSITIONS[old]


def check_transaction(old: Tx, new: Tx) -> None:
    """Raise IllegalTransition unless a transaction may go from ``old`` to ``new``."""
    if not may_become(old, new):
        raise IllegalTransition(f"a transaction may not go from {old} to {new}")


def check_req(old: Req, new: Req) -> None:
    """Raise IllegalTransition unless a req may go from ``old`` to ``new``."""
    if new not in REQ_TRANSITIONS[old]:
        raise IllegalTransition(f"a proven_tx_req may not go from {old} to {new}")
