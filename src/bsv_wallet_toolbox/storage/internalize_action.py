"""internalizeAction in storage: outputs of a transaction from outside become ours.

The BEEF was verified before (proofs against our headers, scripts, amounts) and payments were checked against the
wallet's keys. Here: new or merge, what the change gains, own coins that the transaction consumes.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from typing import Any

from bsv_wallet_toolbox.brc100.actions import ValidBasketInsertion, ValidInternalizeAction, ValidWalletPayment
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.events import EventKind
from bsv_wallet_toolbox.interfaces.proofs import Incoming
from bsv_wallet_toolbox.interfaces.statuses import (
    TransactionStatus,
)
from bsv_wallet_toolbox.interfaces.storage import OutputPurpose, ProvidedBy
from bsv_wallet_toolbox.seams import Entropy
from bsv_wallet_toolbox.storage.holds import HoldReason, hold_outputs, is_refused
from bsv_wallet_toolbox.storage.insert_action import signed_output_columns
from bsv_wallet_toolbox.storage.names import label_transaction, tag_outputs
from bsv_wallet_toolbox.storage.process_action import commit_internalized
from bsv_wallet_toolbox.storage.proofs import find_or_insert_proven, record_proof
from bsv_wallet_toolbox.storage.reqs import ReqRow, find_req, insert_req, status_beside
from bsv_wallet_toolbox.storage.sharing import activate, activate_ancestors, activate_shown
from bsv_wallet_toolbox.storage.statements import actions as statements
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.transactions import (
    TransactionRow,
    announce,
    find_by_id,
    find_by_txid,
    transactions_of,
)
from bsv_wallet_toolbox.storage.users import Basket, UserScope, default_basket, find_or_insert_baskets
from bsv_wallet_toolbox.transactions.tx import TransactionView

__all__ = ["Internalized", "Reference", "internalize"]

_MERGEABLE = frozenset(
    {TransactionStatus.COMPLETED, TransactionStatus.UNPROVEN, TransactionStatus.NOSEND, TransactionStatus.SENDING}
)
REFERENCE_BYTES = 7

IncomingOutput = ValidWalletPayment | ValidBasketInsertion


@dataclass(frozen=True, slots=True)
class Internalized:
    transaction_id: int
    satoshis: int
    is_merge: bool
    must_post: bool
    """No provider has accepted it as far as this store knows."""
    is_refused: bool
    """A provider refused it when it was posted before, and that is not resolved."""


@dataclass(frozen=True, slots=True)
class _OwnOutput:
    output_id: int
    is_change: bool
    in_default: bool
    spent_by: int | None


class Reference:
    """The random handle of an incoming action, drawn before the operation first runs."""

    def __init__(self, entropy: Entropy) -> None:
        self.text = b64encode(entropy.bytes(REFERENCE_BYTES)).decode()


def internalize(
    tx: Transaction,
    scope: UserScope,
    args: ValidInternalizeAction,
    incoming: Incoming,
    reference: Reference,
    max_output_script: int,
    claimed_by: str | None,
    originator: str | None,
) -> Internalized:
    """Take the named outputs in; WERR_INVALID_PARAMETER when the transaction is in no state to be merged with.

    An unsigned action of ours that comes back signed is committed, and merged with like any other. ``originator`` None
    is the owner, who alone may turn change into a custom output.
    """
    basket = default_basket(tx, scope)
    existing = find_by_txid(tx, scope, incoming.view.txid)
    is_known = existing is not None
    if existing is None:
        existing = commit_internalized(tx, scope, incoming, max_output_script, claimed_by)
    if existing is not None and incoming.proof is not None:
        record_proof(tx, incoming.proof)  # whatever was believed of it, it is mined
        existing = find_by_id(tx, existing.transaction_id)
    own: dict[int, _OwnOutput] = {}
    if existing is not None:
        if existing.status not in _MERGEABLE:
            raise WERR_INVALID_PARAMETER(
                "tx", f"target transaction of internalizeAction has invalid status {existing.status}."
            )
        rows = tx.rows(statements.OUTPUTS_OF, transaction_id=existing.transaction_id, user_id=scope.user_id)
        for output_id, vout, _, _, _, change, basket_id, _, _, spent_by in rows:
            in_default = bool(change) and basket_id == basket.basket_id
            own[vout] = _OwnOutput(output_id, bool(change), in_default, spent_by)
        _refuse_conversion_of_spent(args, own)
        if originator is not None:
            _refuse_conversion_of_change(args, own)
    gained = sum(_gain(output, incoming.view, own.get(output.output_index)) for output in args.outputs)
    if existing is None:
        transaction_id, must_post = _insert(tx, scope, args, incoming, reference, gained, claimed_by)
    else:
        transaction_id = existing.transaction_id
        must_post = not is_known and existing.status is TransactionStatus.SENDING
        _merge(tx, args, existing, gained)
    must_post = _send_held_back(tx, incoming, claimed_by) or must_post
    label_transaction(tx, scope, transaction_id, args.labels)
    _take_outputs(tx, scope, args, incoming.view, transaction_id, own, basket, max_output_script)
    refused = is_refused(tx, incoming.view.txid)
    if refused:
        hold_outputs(tx, incoming.view.txid, HoldReason.REFUSED)
        announce(tx, EventKind.HELD, find_by_id(tx, transaction_id), "refused before")
    return Internalized(transaction_id, gained, existing is not None, must_post, refused)


def _refuse_conversion_of_spent(args: ValidInternalizeAction, own: dict[int, _OwnOutput]) -> None:
    """What is spent has been counted as what it was; it can no longer become something else."""
    for output in args.outputs:
        known = own.get(output.output_index)
        if known is None or known.spent_by is None:
            continue
        if known.is_change != isinstance(output, ValidWalletPayment):
            raise WERR_INVALID_PARAMETER("outputs", f"unspent to change their protocol; {output.output_index} is spent")


def _refuse_conversion_of_change(args: ValidInternalizeAction, own: dict[int, _OwnOutput]) -> None:
    """Change belongs to the wallet: an app that was shown a transaction must not take the change out of the balance."""
    for output in args.outputs:
        known = own.get(output.output_index)
        if known is not None and known.is_change and isinstance(output, ValidBasketInsertion):
            raise WERR_INVALID_PARAMETER("outputs", f"without the wallet's own change; {output.output_index} is change")


def _gain(output: IncomingOutput, view: TransactionView, own: _OwnOutput | None) -> int:
    """What the wallet's change gains by one entry: payments add, change that becomes a custom output subtracts.

    Change that was relinquished has been counted all the same.
    """
    satoshis = view.outputs[output.output_index].satoshis
    was_change = own is not None and own.is_change
    if isinstance(output, ValidWalletPayment):
        return 0 if was_change else satoshis
    return -satoshis if was_change else 0


def _insert(
    tx: Transaction,
    scope: UserScope,
    args: ValidInternalizeAction,
    incoming: Incoming,
    reference: Reference,
    gained: int,
    claimed_by: str | None,
) -> tuple[int, bool]:
    """The new transaction's id, and whether it must be posted."""
    view = incoming.view
    req = find_req(tx, view.txid)
    status, proven_tx_id = _status_of_new(tx, incoming, req)
    consumed = _own_coins_consumed(tx, scope, view)
    satoshis = gained - sum(each.satoshis for each in consumed if each.change)
    transaction_id = tx.insert(
        statements.INSERT_TRANSACTION,
        now=iso(tx.now()),
        user_id=scope.user_id,
        proven_tx_id=proven_tx_id,
        status=status.value,
        reference=reference.text,
        is_outgoing=0,
        satoshis=satoshis,
        version=view.version,
        lock_time=view.lock_time,
        description=args.description,
        txid=view.txid,
        input_beef=None,
    )
    row = TransactionRow(transaction_id, scope.user_id, status, view.txid, reference.text, satoshis, False)
    announce(tx, EventKind.RECEIVED, row)
    _spend(tx, scope, view, consumed, transaction_id)
    if incoming.proof is not None:
        record_proof(tx, incoming.proof)
        return transaction_id, False
    insert_req(tx, view.txid, view.raw, incoming.beef.to_bytes(), transaction_id, claimed_by=claimed_by)
    return transaction_id, req is None


def _send_held_back(tx: Transaction, incoming: Incoming, claimed_by: str | None) -> bool:
    """What was made with noSend and comes in from outside has been given to others: it is held back no longer.

    Neither is what it builds on, whoever of the store made it. Answers whether the transaction itself is to be posted.
    """
    txid = incoming.view.txid
    activate_shown(tx, {*incoming.beef.ancestors(txid), *incoming.view.source_txids} - {txid})
    for row in transactions_of(tx, txid):
        activate_ancestors(tx, row)
    req = find_req(tx, txid)
    return req is not None and activate(tx, req, claimed_by)


def _status_of_new(tx: Transaction, incoming: Incoming, req: ReqRow | None) -> tuple[TransactionStatus, int | None]:
    """What is known of the transaction already, through its proof or another user's req."""
    if incoming.proof is not None:
        return TransactionStatus.COMPLETED, find_or_insert_proven(tx, incoming.proof)
    return status_beside(req)


@dataclass(frozen=True, slots=True)
class _OwnCoin:
    output_id: int
    outpoint: tuple[str, int]
    satoshis: int
    change: bool


def _own_coins_consumed(tx: Transaction, scope: UserScope, view: TransactionView) -> list[_OwnCoin]:
    """The user's unspent outputs that the transaction spends."""
    return [
        _OwnCoin(output_id, (each.txid, each.vout), satoshis, bool(change))
        for each in view.inputs
        for output_id, owner, _, spent_by, _, satoshis, change in tx.rows(
            coin_statements.OUTPUTS_BY_OUTPOINT, txid=each.txid, vout=each.vout
        )
        if owner == scope.user_id and spent_by is None
    ]


def _spend(
    tx: Transaction, scope: UserScope, view: TransactionView, consumed: list[_OwnCoin], transaction_id: int
) -> None:
    """Mark own coins spent, held or not, and remember the other outpoints: their transactions may come in later."""
    for coin in consumed:
        tx.execute(coin_statements.UNHOLD_COIN, output_id=coin.output_id)
        tx.execute(
            coin_statements.SPEND_OUTPUT, output_id=coin.output_id, transaction_id=transaction_id, now=iso(tx.now())
        )
    known = {coin.outpoint for coin in consumed}
    outpoints = dict.fromkeys((each.txid, each.vout) for each in view.inputs if not each.is_coinbase)
    tx.insert_many(
        coin_statements.INSERT_SPEND,
        [
            {"txid": txid, "vout": vout, "user_id": scope.user_id, "transaction_id": transaction_id}
            for txid, vout in outpoints
            if (txid, vout) not in known
        ],
    )


def _merge(tx: Transaction, args: ValidInternalizeAction, existing: TransactionRow, gained: int) -> None:
    tx.execute(
        statements.ADD_SATOSHIS,
        transaction_id=existing.transaction_id,
        gained=gained,
        new_description=args.description,
        now=iso(tx.now()),
    )
    announce(tx, EventKind.RECEIVED, replace(existing, satoshis=gained), "merged")


def _take_outputs(
    tx: Transaction,
    scope: UserScope,
    args: ValidInternalizeAction,
    view: TransactionView,
    transaction_id: int,
    own: dict[int, _OwnOutput],
    basket: Basket,
    max_output_script: int,
) -> None:
    insertions = [output for output in args.outputs if isinstance(output, ValidBasketInsertion)]
    baskets = find_or_insert_baskets(tx, scope, (output.basket for output in insertions))
    spenders = _known_spenders(tx, scope, view.txid)
    rows = []
    for output in args.outputs:
        role = _role(output, basket, baskets)
        known = own.get(output.output_index)
        if known is None:
            spender = spenders.get(output.output_index)
            rows.append(
                _new_row(tx, scope, view, transaction_id, output.output_index, role, spender, max_output_script)
            )
            if spender is not None and role["change"]:
                satoshis = view.outputs[output.output_index].satoshis
                tx.execute(statements.TAKE_SATOSHIS, transaction_id=spender, lost=satoshis, now=iso(tx.now()))
        elif isinstance(output, ValidBasketInsertion):
            tx.execute(statements.CONVERT_TO_CUSTOM, output_id=known.output_id, now=iso(tx.now()), **_kept(role))
        elif not known.in_default:
            tx.execute(statements.CONVERT_TO_CHANGE, output_id=known.output_id, now=iso(tx.now()), **role)
    tx.insert_many(statements.INSERT_OUTPUT, rows)
    if any(output.tags for output in insertions):
        stored = tx.rows(statements.OUTPUTS_OF, transaction_id=transaction_id, user_id=scope.user_id)
        ids = {row[1]: row[0] for row in stored}
        tag_outputs(tx, scope, {ids[output.output_index]: output.tags for output in insertions})


def _known_spenders(tx: Transaction, scope: UserScope, txid: str) -> dict[int, int]:
    """By vout, the living transaction of the user that came in before and spends an output of this one."""
    return {
        vout: transaction_id
        for vout, transaction_id, status in tx.rows(coin_statements.FIND_SPENDS, txid=txid, user_id=scope.user_id)
        if status != TransactionStatus.FAILED
    }


def _role(output: IncomingOutput, basket: Basket, baskets: dict[str, int]) -> dict[str, Any]:
    """The columns that make an output change, or a custom output in a basket."""
    if isinstance(output, ValidWalletPayment):
        return {
            "basket_id": basket.basket_id,
            "change": 1,
            "type": "P2PKH",
            "provided_by": ProvidedBy.STORAGE.value,
            "purpose": OutputPurpose.CHANGE.value,
            "sender_identity_key": output.sender_identity_key,
            "derivation_prefix": output.derivation_prefix,
            "derivation_suffix": output.derivation_suffix,
            "custom_instructions": None,
        }
    return {
        "basket_id": baskets[output.basket],
        "change": 0,
        "type": "custom",
        "provided_by": ProvidedBy.YOU.value,
        "purpose": OutputPurpose.NONE.value,
        "sender_identity_key": None,
        "derivation_prefix": None,
        "derivation_suffix": None,
        "custom_instructions": output.custom_instructions,
    }


def _kept(role: dict[str, Any]) -> dict[str, Any]:
    """The role without the derivation, which an output keeps whatever becomes of it."""
    derivation = ("sender_identity_key", "derivation_prefix", "derivation_suffix")
    return {column: value for column, value in role.items() if column not in derivation}


def _new_row(
    tx: Transaction,
    scope: UserScope,
    view: TransactionView,
    transaction_id: int,
    vout: int,
    role: dict[str, Any],
    spender: int | None,
    max_output_script: int,
) -> dict[str, Any]:
    return {
        "now": iso(tx.now()),
        "user_id": scope.user_id,
        "transaction_id": transaction_id,
        "spendable": int(spender is None),
        "spent_by": spender,
        "vout": vout,
        "satoshis": view.outputs[vout].satoshis,
        "output_description": "",
        "txid": view.txid,
        **role,
        **signed_output_columns(view.outputs[vout], max_output_script),
    }
