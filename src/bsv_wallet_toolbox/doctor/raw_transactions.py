"""The stored bytes against the rows: hashes, outputs, and what every transaction really spends.

Rows say which action spends a coin; only the bytes prove it. Each stored transaction is read once. To find two that
spend the same outpoint without keeping all outpoints, eight bytes of each are kept, and only the transactions whose
eight bytes collide are read again.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from bsv_wallet_toolbox.database.transaction import Row, Transaction
from bsv_wallet_toolbox.doctor.report import FindingLog, Invariant
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import ENDED, TransactionStatus
from bsv_wallet_toolbox.storage.statements import actions as action_statements
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.statements import examination as statements
from bsv_wallet_toolbox.transactions.hashes import txid_of
from bsv_wallet_toolbox.transactions.tx import InputView, TransactionView, parse_transaction

__all__ = ["check_raw_transactions"]

MAX_COLLISIONS = 10_000
"""Colliding outpoints looked into; a file with more is broken beyond what a list of them would tell."""

_MIX = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class _Stored:
    """``repeated``: a req whose bytes stand beside the proof as well."""

    entity: str
    row_id: int
    txid: str
    raw_tx: bytes
    repeated: bool


@dataclass(frozen=True, slots=True)
class _Action:
    """One user's row of a stored transaction."""

    transaction_id: int
    user_id: int
    status: str
    txid: str
    is_outgoing: bool

    @property
    def is_alive(self) -> bool:
        return self.status not in ENDED


def check_raw_transactions(tx: Transaction, log: FindingLog) -> None:
    marks = array("Q")
    for stored in _stored(tx):
        log.looked(Invariant.STRUCTURE)
        view = _view(stored, log)
        if view is None or stored.repeated:
            continue
        _check_outputs(tx, view, log)
        actions = _actions(tx, view.txid)
        if any(action.is_alive for action in actions):
            marks.extend(_mark(each) for each in view.inputs if not each.is_coinbase)
        for action in actions:
            _check_inputs(tx, action, view, log)
    log.looked(Invariant.I2, len(marks))
    _check_collisions(tx, _repeated(marks), log)


def _stored(tx: Transaction) -> Iterator[_Stored]:
    after = 0
    while (row := tx.one(statements.NEXT_PROVEN, after=after)) is not None:
        after = int(row[0])
        if row[6] is not None:
            yield _Stored("proven_txs", after, row[1], row[6], repeated=False)
    after = 0
    while (row := tx.one(statements.NEXT_REQ, after=after)) is not None:
        after = int(row[0])
        yield _Stored("proven_tx_reqs", after, row[1], row[2], repeated=bool(row[3]))


def _view(stored: _Stored, log: FindingLog) -> TransactionView | None:
    found = txid_of(stored.raw_tx)
    if found != stored.txid:
        text = f"the bytes of {stored.txid} hash to {found}"
        log.find(Invariant.STRUCTURE, stored.entity, stored.row_id, text)
        return None
    try:
        return parse_transaction(stored.raw_tx)
    except WERR_INVALID_PARAMETER as error:
        log.find(Invariant.STRUCTURE, stored.entity, stored.row_id, f"{stored.txid} can not be read: {error.message}")
        return None


def _actions(tx: Transaction, txid: str) -> list[_Action]:
    rows = tx.rows(action_statements.FIND_ALL_OF_TXID, txid=txid)
    return [_Action(row[0], row[1], row[2], txid, bool(row[6])) for row in rows]


def _check_outputs(tx: Transaction, view: TransactionView, log: FindingLog) -> None:
    for output_id, vout, satoshis, length, offset, script in tx.rows(statements.OUTPUTS_OF_TXID, txid=view.txid):
        wrong = _wrong_with_output(view, vout, satoshis, length, offset, script)
        if wrong is not None:
            log.find(Invariant.STRUCTURE, "outputs", output_id, f"{view.txid}.{vout} {wrong}")


def _wrong_with_output(
    view: TransactionView, vout: int, satoshis: int, length: int | None, offset: int | None, script: bytes | None
) -> str | None:
    if not 0 <= vout < view.output_count:
        return f"does not exist: the transaction has {view.output_count} outputs"
    output = view.outputs[vout]
    if satoshis != output.satoshis:
        return f"has {satoshis} satoshis in the row, {output.satoshis} in the transaction"
    if script is not None and script != output.locking_script:
        return "has another locking script in the row than in the transaction"
    if script is None and offset is None:
        return "has neither its locking script nor where that stands"
    if (length or output.script_length, offset or output.script_offset) != (
        output.script_length,
        output.script_offset,
    ):
        return "has its locking script at another place in the row than in the transaction"
    return None


# What a transaction spends, as its owner's rows tell it


def _check_inputs(tx: Transaction, action: _Action, view: TransactionView, log: FindingLog) -> None:
    log.looked(Invariant.I3, view.input_count)
    log.looked(Invariant.I5, view.input_count)
    for each in view.inputs:
        for row in tx.rows(coin_statements.OUTPUTS_BY_OUTPOINT, txid=each.txid, vout=each.vout):
            if row[1] == action.user_id:
                check = _check_spent if action.is_alive else _check_freed
                check(tx, action, each, row, log)
    if action.is_alive:
        _check_claims(tx, action, view, log)


def _check_spent(tx: Transaction, action: _Action, each: InputView, row: Row, log: FindingLog) -> None:
    """A living transaction spends a coin of its owner: the coin's row must say so."""
    output_id, _, spendable, spent_by, *_ = row
    outpoint = f"{each.txid}.{each.vout}"
    if spent_by is None and spendable:
        text = f"{outpoint} is spendable although the bytes of {action.txid} spend it"
        log.find(Invariant.I3, "outputs", output_id, text)
    elif spent_by is not None and spent_by != action.transaction_id:
        spender = tx.one(action_statements.FIND_BY_ID, transaction_id=spent_by)
        if spender is not None and spender[2] not in ENDED:
            text = f"{outpoint} is spent by transaction {spent_by}, but the bytes of {action.txid} spend it too"
            log.find(Invariant.I2, "outputs", output_id, text)


def _check_freed(tx: Transaction, action: _Action, each: InputView, row: Row, log: FindingLog) -> None:
    """A failed transaction had spent a coin of its owner: freed, or given to a later action, on evidence only."""
    output_id, _, spendable, spent_by, *_ = row
    given_on = spent_by is not None and action.is_outgoing and spent_by > action.transaction_id
    if action.status != TransactionStatus.FAILED or not (spendable or given_on):
        return
    if tx.one(statements.SEEN_UNSPENT, txid=each.txid, vout=each.vout, ended_txid=action.txid) is None:
        text = f"{each.txid}.{each.vout} was freed from {action.txid}, but nobody has said since that it is unspent"
        log.find(Invariant.I5, "outputs", output_id, text)


def _check_claims(tx: Transaction, action: _Action, view: TransactionView, log: FindingLog) -> None:
    """A coin that counts as spent by a transaction whose bytes do not spend it is lost to its owner."""
    claimed = tx.rows(coin_statements.COINS_SPENT_BY, transaction_id=action.transaction_id)
    spent = {(each.txid, each.vout) for each in view.inputs} if claimed else set()
    for output_id, txid, vout, _, _ in claimed:
        if (txid, vout) not in spent:
            text = f"{txid}.{vout} counts as spent by {action.txid}, whose bytes do not spend it"
            log.find(Invariant.I5, "outputs", output_id, text)


# Two living transactions with an input in common


def _mark(each: InputView) -> int:
    return int.from_bytes(each.txid_bytes[:8], "little") ^ (each.vout * _MIX & _MASK)


def _repeated(marks: array[int]) -> frozenset[int]:
    found = {one for one, next_one in pairwise(sorted(marks)) if one == next_one}
    return frozenset(sorted(found)[:MAX_COLLISIONS])


def _check_collisions(tx: Transaction, repeated: frozenset[int], log: FindingLog) -> None:
    if not repeated:
        return
    spenders: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for stored in _stored(tx):
        view = _view(stored, FindingLog()) if not stored.repeated else None
        if view is None or not any(action.is_alive for action in _actions(tx, view.txid)):
            continue
        for each in view.inputs:
            if _mark(each) in repeated:
                spenders[each.txid, each.vout].append(view.txid)
    for (txid, vout), by in spenders.items():
        if len(by) > 1:
            log.find(Invariant.I2, "transactions", by[0], f"{txid}.{vout} is spent by {' and by '.join(by)}")
