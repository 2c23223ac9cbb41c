"""Failed transactions that may not be lost: asked about again, and restored when the network has them.

Evidence that ends a transaction can be wrong. A proof under our headers restores it whatever was believed
(``proofs.record_proof``); that a provider knows it restores it like an acceptance would, unless something that lives or
is held elsewhere contradicts it: then it waits for a proof.
"""

from __future__ import annotations

from collections.abc import Iterable

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.interfaces.events import EventKind
from bsv_wallet_toolbox.interfaces.statuses import ENDED, ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.storage.notes import EvidenceKind, note, record_evidence
from bsv_wallet_toolbox.storage.proofs import take_inputs_back
from bsv_wallet_toolbox.storage.reqs import JobKind, find_req, move_req, schedule
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.transactions import (
    TransactionRow,
    announce,
    find_by_id,
    find_by_reference,
    move_transaction,
    transactions_of,
)
from bsv_wallet_toolbox.storage.users import UserScope
from bsv_wallet_toolbox.transactions.tx import parse_transaction

__all__ = ["ask_again", "record_known", "record_still_unknown"]

_LOST = frozenset({ProvenTxReqStatus.INVALID, ProvenTxReqStatus.DOUBLE_SPEND})


def ask_again(tx: Transaction, scope: UserScope, references: Iterable[str]) -> int:
    """Have the network asked about failed actions of the user; how many reqs were marked for it.

    The actions stay failed until it answers. One that was never signed, or is not failed any more, stays as it is.
    """
    marked = 0
    for reference in references:
        row = find_by_reference(tx, scope, reference)
        if row is None or row.status is not TransactionStatus.FAILED or row.txid is None:
            continue
        req = find_req(tx, row.txid)
        if req is not None and req.status in _LOST:
            move_req(tx, req, ProvenTxReqStatus.UNFAIL)
            marked += 1
    return marked


def record_known(tx: Transaction, txid: str, source: str) -> bool:
    """``source`` says that the network has a transaction that was believed lost: it waits for its proof again.

    What it spends is spent again; what it made is held until it is seen unspent. False, and nothing changes, when it
    came back meanwhile, and when it can't be there as far as this store knows: an action of ours that was signed spends
    the same, or what it spends was never created.
    """
    req = find_req(tx, txid)
    if req is None or req.status not in _LOST | {ProvenTxReqStatus.UNFAIL} or req.raw_tx is None:
        return False
    failed = [row for row in transactions_of(tx, txid) if row.status in ENDED]
    if any(_contradicts(tx, row, req.raw_tx) for row in failed):
        return False
    record_evidence(tx, EvidenceKind.ACCEPTED, txid, source)
    move_req(tx, req, ProvenTxReqStatus.UNMINED)
    schedule(tx, req.req_id, JobKind.PROVE, at=tx.now())
    for row in failed:
        move_transaction(tx, row, TransactionStatus.UNPROVEN)
        announce(tx, EventKind.ACCEPTED, row, source, status=TransactionStatus.UNPROVEN)
        take_inputs_back(tx, row, req.raw_tx, source)
    return True


def record_still_unknown(tx: Transaction, txid: str, source: str) -> bool:
    """``source`` says that the network does not have a transaction that was asked about again: it stays lost."""
    req = find_req(tx, txid)
    if req is None or req.status is not ProvenTxReqStatus.UNFAIL:
        return False
    note(tx, "unfailUnknown", txid=txid, name=source)
    move_req(tx, req, ProvenTxReqStatus.INVALID)
    return True


def _contradicts(tx: Transaction, row: TransactionRow, raw_tx: bytes) -> bool:
    for each in parse_transaction(raw_tx).inputs:
        for _, owner, _, spent_by, made_by, *_ in tx.rows(
            coin_statements.OUTPUTS_BY_OUTPOINT, txid=each.txid, vout=each.vout
        ):
            if owner != row.user_id:
                continue
            if find_by_id(tx, made_by).status in ENDED:
                return True
            if spent_by in (None, row.transaction_id):
                continue
            spender = find_by_id(tx, spent_by)
            if spender.txid is not None and spender.status not in ENDED:
                return True
    return False
