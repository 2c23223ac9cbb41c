"""Proofs: recorded when found, doubted when their block leaves the active chain, replaced when found again.

Callers verify a proof against our headers before they come here: nothing is stored on a provider's word.
"""

from __future__ import annotations

from dataclasses import dataclass

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.interfaces.events import EventKind
from bsv_wallet_toolbox.interfaces.proofs import Proof
from bsv_wallet_toolbox.interfaces.services import UtxoStatus
from bsv_wallet_toolbox.interfaces.statuses import ENDED, ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.storage.ancestry import move_proof_epoch
from bsv_wallet_toolbox.storage.holds import HoldReason, hold_outputs, release_outputs
from bsv_wallet_toolbox.storage.notes import EvidenceKind, note, record_evidence
from bsv_wallet_toolbox.storage.reqs import JobKind, ReqRow, find_req, insert_req, move_req, notify_also, schedule
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.statements import proofs as statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.transactions import (
    TransactionRow,
    announce,
    fail_transaction,
    fail_unsigned,
    find_by_id,
    move_transaction,
    transactions_of,
)
from bsv_wallet_toolbox.transactions.tx import parse_transaction

__all__ = [
    "Suspect",
    "delay_suspect",
    "demote_suspect",
    "doubt_block",
    "due_suspects",
    "find_or_insert_proven",
    "record_proof",
    "reopen_suspect",
    "take_inputs_back",
]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A stored proof whose block is no longer on the active chain."""

    proven_tx_id: int
    txid: str
    block_hash: str
    height: int
    tries: int
    raw_tx: bytes | None
    has_req: bool
    """False when it came with its proof only, so that nothing but that proof could show it."""


def find_or_insert_proven(tx: Transaction, proof: Proof) -> int:
    """The proven_txs row of a txid; one whose proof differs is brought to this one."""
    columns = {
        "index_in_block": proof.merkle_path.index_of(proof.txid),
        "merkle_path": proof.merkle_path.extract([proof.txid]).raw,
        "block_hash": proof.header.hash,
        "merkle_root": proof.header.merkle_root,
        "now": iso(tx.now()),
    }
    row = tx.one(statements.FIND_PROVEN, txid=proof.txid)
    if row is None:
        return tx.insert(
            statements.INSERT_PROVEN, txid=proof.txid, raw_tx=proof.raw_tx, height=proof.header.height, **columns
        )
    proven_tx_id = int(row[0])
    if row[2] != proof.header.hash:
        tx.execute(statements.REPLACE_PROOF, proven_tx_id=proven_tx_id, new_height=proof.header.height, **columns)
        move_proof_epoch(tx)
        _announce_moved(tx, proof, proven_tx_id)
    return proven_tx_id


def _announce_moved(tx: Transaction, proof: Proof, proven_tx_id: int) -> None:
    """Its proof was not in doubt yet: nobody had noticed that the block is another one."""
    if tx.one(statements.IS_SUSPECT, proven_tx_id=proven_tx_id) is not None:
        return
    for row in transactions_of(tx, proof.txid):
        if row.status is TransactionStatus.COMPLETED:
            announce(tx, EventKind.REORGANISED, row, f"proven at height {proof.header.height} instead")


def record_proof(tx: Transaction, proof: Proof) -> bool:
    """Complete the req and every user's transaction of a txid; idempotent. False when there was nothing to do.

    A failed transaction that is proven after all comes back by the same way.
    """
    proven_tx_id = find_or_insert_proven(tx, proof)
    in_doubt = changed = tx.execute(statements.DELETE_SUSPECT, proven_tx_id=proven_tx_id) > 0
    if in_doubt:
        release_outputs(tx, proof.txid, HoldReason.PROOF_IN_DOUBT)
    release_outputs(tx, proof.txid, HoldReason.REFUSED)
    req = find_req(tx, proof.txid)
    if req is not None and req.status is not ProvenTxReqStatus.COMPLETED:
        move_req(tx, req, ProvenTxReqStatus.COMPLETED, proven_tx_id=proven_tx_id)
        schedule(tx, req.req_id, None)
        changed = True
    height = f"height {proof.header.height}"
    for row in transactions_of(tx, proof.txid):
        if row.status is not TransactionStatus.COMPLETED or in_doubt:
            announce(tx, EventKind.PROVEN, row, height, status=TransactionStatus.COMPLETED)
        if row.status is TransactionStatus.COMPLETED:
            continue
        revived = row.status in ENDED
        move_transaction(tx, row, TransactionStatus.COMPLETED, proven_tx_id=proven_tx_id)
        if revived:
            take_inputs_back(tx, row, proof.raw_tx, "headers")
        note(tx, "notifyTxOfProof", txid=proof.txid, transaction_id=row.transaction_id)
        changed = True
    if changed:
        record_evidence(
            tx, EvidenceKind.PROVEN, proof.txid, "headers", height=proof.header.height, blockHash=proof.header.hash
        )
        move_proof_epoch(tx)
    return changed


def take_inputs_back(tx: Transaction, row: TransactionRow, raw_tx: bytes, source: str) -> None:
    """A failed transaction is back, says ``source``: what it spends is spent, whatever was believed before.

    What it made is held until somebody says that it is still there. An action of ours that lives and spends the same
    can never be mined; it ends.
    """
    now = iso(tx.now())
    txid = parse_transaction(raw_tx).txid
    made = tx.rows(coin_statements.UNSPENT_OUTPUTS, transaction_id=row.transaction_id)
    for (output_id,) in made:
        tx.execute(
            coin_statements.HOLD_COIN,
            output_id=output_id,
            reason=HoldReason.AWAITING_EVIDENCE,
            transaction_id=None,
            now=now,
        )
    if made:
        detail = f"outputs: {len(made)} {HoldReason.AWAITING_EVIDENCE}"
        announce(tx, EventKind.HELD, row, detail, status=find_by_id(tx, row.transaction_id).status)
    for each in parse_transaction(raw_tx).inputs:
        for output_id, owner, _, spent_by, *_ in tx.rows(
            coin_statements.OUTPUTS_BY_OUTPOINT, txid=each.txid, vout=each.vout
        ):
            if owner != row.user_id:
                continue
            if spent_by not in (None, row.transaction_id):
                _end_rival(tx, find_by_id(tx, spent_by), (each.txid, each.vout), txid, source)
            tx.execute(coin_statements.UNHOLD_COIN, output_id=output_id)
            tx.execute(
                coin_statements.SPEND_OUTPUT_AFTER_ALL,
                output_id=output_id,
                transaction_id=row.transaction_id,
                now=now,
            )


def _end_rival(tx: Transaction, rival: TransactionRow, outpoint: tuple[str, int], winner: str, source: str) -> None:
    if rival.status is TransactionStatus.FAILED:
        return
    if rival.txid is None:
        fail_unsigned(tx, rival, source)
        return
    record_evidence(tx, EvidenceKind.DOUBLE_SPENT, rival.txid, source, competingTxs=[winner])
    req = find_req(tx, rival.txid)
    if req is not None:
        move_req(tx, req, ProvenTxReqStatus.DOUBLE_SPEND)
        schedule(tx, req.req_id, None)
    for row in transactions_of(tx, rival.txid):
        spent = {outpoint: (UtxoStatus.SPENT, source)}
        fail_transaction(tx, row, spent, source, f"{winner} spends the same and is back ({source})")


def doubt_block(tx: Transaction, block_hash: str) -> list[str]:
    """A block left the active chain: its proofs are doubted from now on. Answers their txids.

    A transaction that has a req can still be shown with its ancestors; one that came with its proof can not, so its
    coins are held until it is proven again or its ancestry is found.
    """
    txids = []
    for proven_tx_id, txid, height, _ in tx.rows(statements.PROVEN_IN_BLOCK, block_hash=block_hash):
        if tx.one(statements.IS_SUSPECT, proven_tx_id=proven_tx_id) is not None:
            continue
        tx.execute(
            statements.INSERT_SUSPECT,
            proven_tx_id=proven_tx_id,
            block_hash=block_hash,
            height=height,
            now=iso(tx.now()),
        )
        record_evidence(tx, EvidenceKind.ORPHANED, txid, "headers", blockHash=block_hash, height=height)
        note(tx, "reorgInvalidatedProof", txid=txid, blockHash=block_hash)
        bare = find_req(tx, txid) is None
        if bare:
            hold_outputs(tx, txid, HoldReason.PROOF_IN_DOUBT)
        for row in transactions_of(tx, txid):
            announce(tx, EventKind.REORGANISED, row, f"block {block_hash} at height {height} was orphaned")
            if bare:
                announce(tx, EventKind.HELD, row, f"outputs: {HoldReason.PROOF_IN_DOUBT}")
        txids.append(txid)
    if txids:
        move_proof_epoch(tx)
    return txids


def due_suspects(tx: Transaction, count: int) -> list[Suspect]:
    rows = tx.rows(statements.DUE_SUSPECTS, now=iso(tx.now()), count=count)
    return [
        Suspect(proven_tx_id, txid, block_hash, height, tries, raw_tx, bool(has_req))
        for proven_tx_id, txid, block_hash, height, tries, raw_tx, has_req in rows
    ]


def delay_suspect(tx: Transaction, suspect: Suspect, delay: int) -> None:
    tx.execute(
        statements.DELAY_SUSPECT,
        proven_tx_id=suspect.proven_tx_id,
        next_attempt_at=iso(tx.now() + delay),
    )


def reopen_suspect(tx: Transaction, suspect: Suspect, ancestry: bytes, source: str) -> bool:
    """``source`` says that the network has it: it waits for a new proof as if it had never been mined.

    ``ancestry`` is verified BEEF of a transaction without a req; with it, what descends from it can be shown again, so
    its coins are released. False when it was proven, or got a req, meanwhile.
    """
    rows = _doubted_rows(tx, suspect)
    if suspect.raw_tx is None or not rows or find_req(tx, suspect.txid) is not None:
        return False
    record_evidence(tx, EvidenceKind.ACCEPTED, suspect.txid, source)
    req = _insert_req(tx, suspect.txid, suspect.raw_tx, ancestry, rows)
    move_req(tx, req, ProvenTxReqStatus.UNMINED)
    schedule(tx, req.req_id, JobKind.PROVE, at=tx.now())
    _reopen(tx, suspect, rows, TransactionStatus.UNPROVEN)
    return True


def demote_suspect(tx: Transaction, suspect: Suspect, ancestry: bytes | None) -> bool:
    """The network no longer has it: it is sent again as if it had never been mined.

    A coinbase can't come back, nor can what spends it: those end here. A transaction without a req needs its
    ``ancestry`` (verified BEEF), or it stays as it is. False when nothing changed.
    """
    rows = _doubted_rows(tx, suspect)
    if suspect.raw_tx is None or not rows:
        return False
    if parse_transaction(suspect.raw_tx).inputs[0].is_coinbase or any(_spends_failed(tx, row) for row in rows):
        _end_suspect(tx, suspect, rows)
        return True
    req = find_req(tx, suspect.txid)
    if req is not None:
        move_req(tx, req, ProvenTxReqStatus.UNSENT)
        schedule(tx, req.req_id, JobKind.SEND, at=tx.now())
    elif ancestry is not None:
        _insert_req(tx, suspect.txid, suspect.raw_tx, ancestry, rows)
    else:
        return False
    _reopen(tx, suspect, rows, TransactionStatus.SENDING)
    return True


def _doubted_rows(tx: Transaction, suspect: Suspect) -> list[TransactionRow]:
    """Every user's transaction that is completed by a proof which is in doubt still."""
    if tx.one(statements.IS_SUSPECT, proven_tx_id=suspect.proven_tx_id) is None:
        return []
    return [row for row in transactions_of(tx, suspect.txid) if row.status is TransactionStatus.COMPLETED]


def _insert_req(tx: Transaction, txid: str, raw_tx: bytes, ancestry: bytes, rows: list[TransactionRow]) -> ReqRow:
    insert_req(tx, txid, raw_tx, ancestry, rows[0].transaction_id, claimed_by=None)
    for row in rows[1:]:
        notify_also(tx, _req_of(tx, txid), row.transaction_id)
    return _req_of(tx, txid)


def _req_of(tx: Transaction, txid: str) -> ReqRow:
    req = find_req(tx, txid)
    assert req is not None  # inserted just now
    return req


def _reopen(tx: Transaction, suspect: Suspect, rows: list[TransactionRow], status: TransactionStatus) -> None:
    for row in rows:
        move_transaction(tx, row, status)
        announce(tx, EventKind.REORGANISED, row, "its proof is gone; it waits for another one", status=status)
    release_outputs(tx, suspect.txid, HoldReason.PROOF_IN_DOUBT)
    move_proof_epoch(tx)


def _spends_failed(tx: Transaction, row: TransactionRow) -> bool:
    coins = tx.rows(coin_statements.COINS_SPENT_BY, transaction_id=row.transaction_id)
    return any(parent_status == TransactionStatus.FAILED for *_, parent_status in coins)


def _end_suspect(tx: Transaction, suspect: Suspect, rows: list[TransactionRow]) -> None:
    req = find_req(tx, suspect.txid)
    if req is not None:
        move_req(tx, req, ProvenTxReqStatus.INVALID)
        schedule(tx, req.req_id, None)
    for (output_id,) in tx.rows(coin_statements.HELD_OF_TXID, txid=suspect.txid, reason=HoldReason.PROOF_IN_DOUBT):
        tx.execute(coin_statements.UNHOLD_COIN, output_id=output_id)
    for row in rows:
        fail_transaction(tx, row, {}, "headers", "its block was orphaned and it can't be mined again")
    tx.execute(statements.DELETE_SUSPECT, proven_tx_id=suspect.proven_tx_id)
    move_proof_epoch(tx)
