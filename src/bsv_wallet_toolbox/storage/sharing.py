"""Which transactions a call brings to the network: those named in sendWith, the new one, and what they build on.

An action that is held back (noSend) has no job. Naming it gives it one, and so does anything that spends its outputs on
its way to the network: nobody could take the child without the parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.interfaces.statuses import (
    REQ_TERMINAL,
    REQ_WAS_BROADCAST,
    ProvenTxReqStatus,
    SendWithStatus,
    TransactionStatus,
)
from bsv_wallet_toolbox.storage.ancestry import EMPTY_BEEF
from bsv_wallet_toolbox.storage.reqs import JobKind, ReqRow, claim_job, find_req, move_req, schedule
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.statements import proofs as statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.transactions import (
    TransactionRow,
    find_by_id,
    find_by_txid,
    move_transaction,
    transactions_of,
)
from bsv_wallet_toolbox.storage.users import UserScope
from bsv_wallet_toolbox.transactions.beef import Beef

__all__ = ["Shared", "activate", "activate_ancestors", "activate_shown", "share", "statuses_of"]


class Shared(NamedTuple):
    """``to_post``: those that the caller has claimed, parents first; ``known``: what is known of the others named."""

    to_post: tuple[str, ...]
    known: dict[str, SendWithStatus]


def share(tx: Transaction, scope: UserScope, txids: Sequence[str], claimed_by: str | None, batch: str) -> Shared:
    """Put the user's actions with these txids on their way; ``claimed_by`` None leaves the posting to the monitor.

    More than one that is sent at once bears the name ``batch``. A txid that is no action of the user is ``failed``.
    """
    ready: dict[str, ReqRow] = {}
    known: dict[str, SendWithStatus] = {}
    for txid in dict.fromkeys(txids):
        row = find_by_txid(tx, scope, txid)
        status = _status_of(tx, row)
        if row is None or status is not SendWithStatus.SENDING:
            known[txid] = status
            continue
        for each in (*_held_back_ancestors(tx, row), txid):
            req = find_req(tx, each)
            if req is not None and each not in ready:
                ready[each] = req
                if req.input_beef not in (None, EMPTY_BEEF):
                    activate_shown(tx, Beef.parse(req.input_beef).transactions.keys() - {each})
    to_post = []
    for txid, req in ready.items():
        if activate(tx, req, claimed_by) or (claimed_by is not None and claim_job(tx, req.req_id, claimed_by)):
            to_post.append(txid)
        else:
            known[txid] = SendWithStatus.SENDING
        if len(ready) > 1:
            tx.execute(statements.SET_BATCH, req_id=req.req_id, new_batch=batch, now=iso(tx.now()))
    if claimed_by is None:
        known |= dict.fromkeys(to_post, SendWithStatus.SENDING)
        to_post = []
    return Shared(tuple(to_post), known)


def activate(tx: Transaction, req: ReqRow, claimed_by: str | None) -> bool:
    """Let a transaction that was held back go to the network, for every user who has it; False for any other."""
    if req.status is not ProvenTxReqStatus.NOSEND:
        return False
    move_req(tx, req, ProvenTxReqStatus.UNSENT)
    for row in transactions_of(tx, req.txid):
        if row.status is TransactionStatus.NOSEND:
            move_transaction(tx, row, TransactionStatus.SENDING)
    schedule(tx, req.req_id, JobKind.SEND, at=tx.now(), claimed_by=claimed_by)
    return True


def activate_ancestors(tx: Transaction, row: TransactionRow) -> None:
    """Let what was held back and an action builds on go to the network, since the action has gone."""
    for txid in _held_back_ancestors(tx, row):
        req = find_req(tx, txid)
        if req is not None:
            activate(tx, req, None)


def activate_shown(tx: Transaction, txids: Iterable[str]) -> None:
    """As :func:`activate_ancestors`, for those of ``txids`` that are held back: somebody else brings them to us."""
    for (txid,) in tx.rows(statements.HELD_BACK_AMONG, txids=list(txids)):
        for row in transactions_of(tx, txid):
            activate_ancestors(tx, row)
        req = find_req(tx, txid)
        if req is not None:
            activate(tx, req, None)


def statuses_of(tx: Transaction, scope: UserScope, txids: Sequence[str]) -> dict[str, SendWithStatus]:
    """Where the user's actions with these txids are, without doing anything to them."""
    return {txid: _status_of(tx, find_by_txid(tx, scope, txid)) for txid in txids}


def _status_of(tx: Transaction, row: TransactionRow | None) -> SendWithStatus:
    """``sending`` for one that is still to be sent."""
    if row is None or row.status is TransactionStatus.FAILED:
        return SendWithStatus.FAILED
    req = find_req(tx, row.txid) if row.txid is not None else None
    if req is None:
        return SendWithStatus.UNPROVEN if row.status is TransactionStatus.COMPLETED else SendWithStatus.FAILED
    if req.status in REQ_WAS_BROADCAST:
        return SendWithStatus.UNPROVEN
    if req.status in REQ_TERMINAL or req.status is ProvenTxReqStatus.UNFAIL:
        return SendWithStatus.FAILED
    return SendWithStatus.SENDING


def _held_back_ancestors(tx: Transaction, row: TransactionRow) -> list[str]:
    """Txids of the held back transactions that an action builds on, parents before children."""
    ordered: list[str] = []
    seen: set[int] = set()
    pending = [(row.transaction_id, False)]
    while pending:
        transaction_id, are_parents_done = pending.pop()
        if are_parents_done:
            txid = find_by_id(tx, transaction_id).txid
            if txid is not None and txid != row.txid:
                ordered.append(txid)
        elif transaction_id not in seen:
            seen.add(transaction_id)
            pending.append((transaction_id, True))
            parents = tx.rows(coin_statements.PARENTS, transaction_id=transaction_id)
            pending += [(parent, False) for parent, status in parents if status == TransactionStatus.NOSEND]
    return ordered
