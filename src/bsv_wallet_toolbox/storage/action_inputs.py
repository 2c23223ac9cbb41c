"""The inputs that the caller of createAction names: outputs of its own baskets, or of anybody, shown by ``inputBEEF``.

What an input is worth comes from the wallet's own row, or from the bytes of a transaction that was verified or that the
store knows; never from the caller's word.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction, ValidCreateActionInput
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus
from bsv_wallet_toolbox.interfaces.storage import ActionInput, ProvidedBy
from bsv_wallet_toolbox.storage.ancestry import EMPTY_BEEF, AncestryCache, beef_of
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.statements import proofs as proof_statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.transactions import find_by_id, find_by_txid
from bsv_wallet_toolbox.storage.users import UserScope
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.fee import FeeModel
from bsv_wallet_toolbox.transactions.sizes import transaction_size

__all__ = ["NO_INPUTS", "CallerInputs", "claim_inputs", "is_complete", "resolve_inputs"]


@dataclass(frozen=True, slots=True)
class CallerInput:
    """``output_id`` None: an output that this wallet has no row of."""

    requested: ValidCreateActionInput
    satoshis: int
    locking_script: bytes
    type: str
    provided_by: ProvidedBy
    output_id: int | None

    def proposed(self, vin: int) -> ActionInput:
        outpoint = self.requested.outpoint
        return ActionInput(
            vin=vin,
            source_txid=outpoint.txid,
            source_vout=outpoint.vout,
            source_satoshis=self.satoshis,
            source_locking_script=self.locking_script,
            unlocking_script_length=self.requested.unlocking_script_length,
            provided_by=self.provided_by,
            type=self.type,
        )


@dataclass(frozen=True, slots=True)
class CallerInputs:
    """``outside``: what of their ancestry has no rows here. ``stored``: ancestors that are shown from the tables."""

    inputs: tuple[CallerInput, ...]
    outside: Beef
    stored: tuple[str, ...]

    @property
    def satoshis(self) -> int:
        return sum(each.satoshis for each in self.inputs)

    def outside_bytes(self) -> bytes:
        """For the row of the action's req."""
        return self.outside.to_bytes() if len(self.outside) else EMPTY_BEEF


NO_INPUTS = CallerInputs((), Beef(), ())


def resolve_inputs(
    tx: Transaction, scope: UserScope, args: ValidCreateAction, given: Beef, cache: AncestryCache
) -> CallerInputs:
    """Find out what the named inputs are worth. ``given`` is the caller's BEEF, verified, txid-only entries open.

    Raises WERR_INVALID_PARAMETER for inputs that are not provable, no outputs, change, or not spendable, and
    WERR_REVIEW_ACTIONS with the txid of an action of this wallet that spends one already.
    """
    if not args.inputs:
        return NO_INPUTS
    sources = list(dict.fromkeys(each.outpoint.txid for each in args.inputs))
    stored = [txid for txid in (*given.transactions, *sources) if given.view(txid) is None]
    for txid in dict.fromkeys(stored):
        if not _is_known(tx, scope, txid):
            raise WERR_INVALID_PARAMETER(
                "inputBEEF",
                f"valid and contain proof data for possibly known {txid}"
                if txid in sources
                else f"valid and contain complete proof data for unknown {txid}",
            )
    known = beef_of(tx, dict.fromkeys(stored), cache) if stored else Beef()
    inputs = tuple(_resolve(tx, scope, vin, each, given, known, cache) for vin, each in enumerate(args.inputs))
    outside = given.copy()
    outside.merge(known)
    outside.prune([txid for txid in sources if given.view(txid) is not None])
    return CallerInputs(inputs, outside, tuple(dict.fromkeys(txid for txid in stored if txid in sources)))


def _is_known(tx: Transaction, scope: UserScope, txid: str) -> bool:
    """Whether the store can show a transaction to this user: a mined one, or one of the user's own."""
    if tx.one(proof_statements.FIND_PROVEN, txid=txid) is not None:
        return True
    row = find_by_txid(tx, scope, txid)
    return row is not None and row.status is not TransactionStatus.FAILED


def _resolve(
    tx: Transaction,
    scope: UserScope,
    vin: int,
    requested: ValidCreateActionInput,
    given: Beef,
    known: Beef,
    cache: AncestryCache,
) -> CallerInput:
    outpoint = requested.outpoint
    view = given.view(outpoint.txid) or known.view(outpoint.txid)
    if view is None:
        raise WERR_INVALID_PARAMETER("inputBEEF", f"valid and contain proof data for {outpoint.txid}")
    if outpoint.vout >= view.output_count:
        raise WERR_INVALID_PARAMETER(str(outpoint), "valid outpoint")
    output = view.outputs[outpoint.vout]
    row = tx.one(coin_statements.OWN_OUTPUT, user_id=scope.user_id, txid=outpoint.txid, vout=outpoint.vout)
    if row is None:
        _refuse_spent_elsewhere(tx, scope, requested, cache)
        return CallerInput(requested, output.satoshis, output.locking_script, "custom", ProvidedBy.YOU, None)
    output_id, spendable, spent_by, change, kind, provided_by = row
    if change:
        raise WERR_INVALID_PARAMETER(f"inputs[{vin}]", "an unmanaged input. Change outputs are managed by your wallet.")
    if spent_by is not None:
        _refuse_double_spend(tx, spent_by, cache)
    if not spendable or spent_by is not None:
        raise WERR_INVALID_PARAMETER(
            f"inputs[{vin}]",
            f"spendable output. output {outpoint.txid}:{outpoint.vout} appears to have been spent (spendable=false).",
        )
    by = ProvidedBy.YOU_AND_STORAGE if provided_by == ProvidedBy.STORAGE else ProvidedBy.YOU
    return CallerInput(requested, output.satoshis, output.locking_script, kind, by, output_id)


def _refuse_spent_elsewhere(
    tx: Transaction, scope: UserScope, requested: ValidCreateActionInput, cache: AncestryCache
) -> None:
    """An output without a row: a living transaction of this wallet may spend it all the same."""
    outpoint = requested.outpoint
    for vout, transaction_id, status in tx.rows(coin_statements.FIND_SPENDS, txid=outpoint.txid, user_id=scope.user_id):
        if vout == outpoint.vout and status != TransactionStatus.FAILED:
            _refuse_double_spend(tx, transaction_id, cache)
            raise WERR_INVALID_PARAMETER("inputs", f"unspent; an unsigned action spends {outpoint} already")


def _refuse_double_spend(tx: Transaction, transaction_id: int, cache: AncestryCache) -> None:
    """Name the signed transaction of this wallet that spends the output; return for one that has no txid yet."""
    txid = find_by_id(tx, transaction_id).txid
    if txid is None:
        return
    review: dict[str, object] = {"txid": "", "status": "doubleSpend", "competingTxs": [txid]}
    with suppress(WERR_INVALID_PARAMETER):  # not provable at this time; its txid says enough
        review["competingBeef"] = beef_of(tx, [txid], cache).to_bytes()
    raise WERR_REVIEW_ACTIONS([review], [])


def claim_inputs(tx: Transaction, scope: UserScope, inputs: Sequence[CallerInput], transaction_id: int) -> None:
    """Mark rows spent by the action, and remember the outpoints that have none: their outputs may come in later."""
    now = iso(tx.now())
    for each in inputs:
        if each.output_id is not None:
            claimed = tx.execute(
                coin_statements.CLAIM_INPUT,
                output_id=each.output_id,
                transaction_id=transaction_id,
                description=each.requested.input_description,
                now=now,
            )
            if claimed != 1:
                raise WERR_INVALID_PARAMETER("inputs", f"spendable outputs, which {each.requested.outpoint} is not")
    foreign = [each.requested.outpoint for each in inputs if each.output_id is None]
    tx.insert_many(
        coin_statements.INSERT_SPEND,
        [
            {"txid": each.txid, "vout": each.vout, "user_id": scope.user_id, "transaction_id": transaction_id}
            for each in foreign
        ],
    )


def is_complete(args: ValidCreateAction, inputs: CallerInputs, fee_model: FeeModel) -> bool:
    """Whether the action is the caller's whole transaction: every script given and the fee paid.

    It is broadcast as it is. Anything added would make the signatures void, whatever they leave open. Without outputs
    it would be no transaction: then what the inputs are worth becomes change.
    """
    if not args.inputs or not args.outputs or args.is_sign_action:
        return False
    size = transaction_size(
        [each.unlocking_script_length for each in args.inputs], [len(each.locking_script) for each in args.outputs]
    )
    return inputs.satoshis - sum(each.satoshis for each in args.outputs) >= fee_model.fee(size)
