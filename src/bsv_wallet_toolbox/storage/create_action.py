"""createAction in storage: choose coins, propose a transaction, and write it down.

:func:`propose_action` only reads; :func:`insert_unsigned` and :func:`insert_signed` write. A local wallet does both and
signs in between, in one database transaction (no unsigned row is ever committed); a remote one commits the unsigned
action, signs it at home and comes back with processAction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_INTERNAL, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.events import EventKind, WalletEvent
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus
from bsv_wallet_toolbox.interfaces.storage import (
    ActionInput,
    ActionOutput,
    ActionProposal,
    OutputPurpose,
    ProvidedBy,
)
from bsv_wallet_toolbox.storage.action_draws import ActionDraws
from bsv_wallet_toolbox.storage.ancestry import (
    EMPTY_BEEF,
    MAX_UNPROVEN_BYTES,
    AncestryCache,
    AncestryTooLarge,
    Room,
    beef_of,
    name_known,
)
from bsv_wallet_toolbox.storage.coins import CoinCounts, SpendableCoin, StoredCoins, claim_coins, count_coins
from bsv_wallet_toolbox.storage.names import label_transaction, tag_outputs
from bsv_wallet_toolbox.storage.statements import actions as statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.users import Basket, UserScope, default_basket, find_or_insert_baskets
from bsv_wallet_toolbox.transactions.beef import BEEF_LIMITS, Beef
from bsv_wallet_toolbox.transactions.fee import FeeModel
from bsv_wallet_toolbox.transactions.funding import (
    FixedOutput,
    Funding,
    FundingRequest,
    generate_change,
    shuffle_vouts,
)
from bsv_wallet_toolbox.transactions.sizes import transaction_size
from bsv_wallet_toolbox.transactions.tx import OutputView, TransactionView

__all__ = [
    "ActionPolicy",
    "PlannedAction",
    "insert_signed",
    "insert_unsigned",
    "propose_action",
    "signed_output_columns",
]

CHANGE_UNLOCKING_LENGTH = 107
_MOST_DONE_WITHOUT = 16
_COUNTED_BEYOND_DESIRED = 16
"""Coins counted past the desired number: more would matter only to an action that spends more of them than this."""


@dataclass(frozen=True, slots=True)
class ActionPolicy:
    """What a store demands of every action, and how long a remote one may stay unsigned (milliseconds)."""

    fee_model: FeeModel
    max_output_script: int
    unsigned_lifetime: int = 5 * 60 * 1000


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """A proposal with what is needed to write it down."""

    proposal: ActionProposal
    coins: tuple[SpendableCoin, ...]
    basket: Basket
    fee_rate: int


def propose_action(
    tx: Transaction,
    scope: UserScope,
    args: ValidCreateAction,
    policy: ActionPolicy,
    draws: ActionDraws,
    cache: AncestryCache,
    counts: CoinCounts,
) -> PlannedAction:
    """Fund the requested outputs from the user's change. Raises WERR_INSUFFICIENT_FUNDS; writes nothing."""
    basket = default_basket(tx, scope)

    def fund(without: Collection[str]) -> Funding[SpendableCoin]:
        return _fund(tx, scope, args, policy, draws, basket, counts, without)

    funding, beef = _fund_provably(tx, args, cache, fund)
    outputs = _proposed_outputs(args, funding, draws)
    coins = funding.inputs
    proposal = ActionProposal(
        reference=draws.reference,
        version=args.version,
        lock_time=args.lock_time,
        derivation_prefix=draws.derivation_prefix,
        inputs=tuple(_proposed_input(vin, coin) for vin, coin in enumerate(coins)),
        outputs=outputs,
        input_beef=None if args.options.return_txid_only else beef,
        satoshis=sum(funding.change) - sum(coin.satoshis for coin in coins),
        fee=funding.fee,
    )
    return PlannedAction(proposal, coins, basket, policy.fee_model.value)


def _fund_provably(
    tx: Transaction,
    args: ValidCreateAction,
    cache: AncestryCache,
    fund: Callable[[Collection[str]], Funding[SpendableCoin]],
) -> tuple[Funding[SpendableCoin], Beef]:
    """Funding and the BEEF of what it spends: nothing that could not be sent may be committed.

    ``fund`` is told the txids whose coins to leave alone: those of transactions too large to be shown together are done
    without, heaviest first, if others suffice.
    """
    without: set[str] = set()
    too_large: AncestryTooLarge | None = None
    while True:
        try:
            funding = fund(without)
        except WERR_INSUFFICIENT_FUNDS as error:
            raise (too_large or error) from None
        try:
            return funding, _ancestry(tx, args, funding, cache)
        except AncestryTooLarge as error:
            too_large = error
            if len(without) == _MOST_DONE_WITHOUT:
                raise
            without.add(_heaviest(tx, funding, cache))


def _heaviest(tx: Transaction, funding: Funding[SpendableCoin], cache: AncestryCache) -> str:
    """The transaction of a chosen coin whose BEEF is the largest."""

    def weight(txid: str) -> int:
        room = Room()
        try:
            beef_of(tx, [txid], cache, room)
        except AncestryTooLarge:
            return BEEF_LIMITS.max_bytes + 1
        return BEEF_LIMITS.max_bytes - room.bytes

    return max(dict.fromkeys(coin.txid for coin in funding.inputs), key=weight)


def _ancestry(tx: Transaction, args: ValidCreateAction, funding: Funding[SpendableCoin], cache: AncestryCache) -> Beef:
    """BEEF of what the action spends. Made also for a caller who wants none."""
    if funding.size > MAX_UNPROVEN_BYTES:
        must_be = f"of an action of at most {MAX_UNPROVEN_BYTES} bytes, not {funding.size}"
        raise WERR_INVALID_PARAMETER("outputs", must_be)
    sources = [coin.txid for coin in funding.inputs]
    room = Room()
    room.take(funding.size, 1, len(sources) + len(args.outputs) + len(funding.change))
    beef = beef_of(tx, sources, cache, room)
    name_known(beef, args.options.known_txids, sources)
    return beef


def _fund(
    tx: Transaction,
    scope: UserScope,
    args: ValidCreateAction,
    policy: ActionPolicy,
    draws: ActionDraws,
    basket: Basket,
    counts: CoinCounts,
    without: Collection[str],
) -> Funding[SpendableCoin]:
    """Count, choose, and when more coins were spent than were counted past the desired number, count them all."""
    cap = basket.desired_utxos + _COUNTED_BEYOND_DESIRED
    available = counts.up_to(tx, scope, basket, args.is_delayed, cap)
    fixed = [FixedOutput(output.satoshis, len(output.locking_script)) for output in args.outputs]
    if available == 0:
        _refuse_without_coins(fixed, policy.fee_model)

    def choose(count: int) -> Funding[SpendableCoin]:
        request = FundingRequest(
            fee_model=policy.fee_model,
            change_initial_satoshis=max(1, basket.minimum_value),
            change_first_satoshis=max(1, (basket.minimum_value + 2) // 4),
            fixed_outputs=fixed,
            target_net_count=basket.desired_utxos - count,
            change_unlocking_script_length=CHANGE_UNLOCKING_LENGTH,
        )
        return generate_change(request, StoredCoins(tx, scope, basket, args.is_delayed, without), draws.fractions())

    funding = choose(available)
    if available == cap and len(funding.inputs) > _COUNTED_BEYOND_DESIRED:
        funding = choose(count_coins(tx, scope, basket, args.is_delayed, 2**31))
    counts.spent(scope, len(funding.inputs))
    return funding


def _refuse_without_coins(fixed: list[FixedOutput], fee_model: FeeModel) -> None:
    size = transaction_size([], [output.locking_script_length for output in fixed])
    needed = sum(output.satoshis for output in fixed) + fee_model.fee(size)
    if needed > 0:
        raise WERR_INSUFFICIENT_FUNDS(needed, needed)


def _proposed_outputs(
    args: ValidCreateAction, funding: Funding[SpendableCoin], draws: ActionDraws
) -> tuple[ActionOutput, ...]:
    """Requested outputs, then change; only the vouts are shuffled, never the order of the list."""
    count = len(args.outputs) + len(funding.change)
    vouts = shuffle_vouts(count, draws.fractions()) if args.options.randomize_outputs else list(range(count))
    requested = [
        ActionOutput(
            vout=vouts[index],
            satoshis=(
                funding.max_possible.satoshis
                if funding.max_possible is not None and funding.max_possible.fixed_output_index == index
                else output.satoshis
            ),
            locking_script=output.locking_script,
            provided_by=ProvidedBy.YOU,
        )
        for index, output in enumerate(args.outputs)
    ]
    change = [
        ActionOutput(
            vout=vouts[len(args.outputs) + index],
            satoshis=satoshis,
            locking_script=b"",
            provided_by=ProvidedBy.STORAGE,
            purpose=OutputPurpose.CHANGE,
            derivation_suffix=draws.suffix(index),
        )
        for index, satoshis in enumerate(funding.change)
    ]
    return (*requested, *change)


def _proposed_input(vin: int, coin: SpendableCoin) -> ActionInput:
    return ActionInput(
        vin=vin,
        source_txid=coin.txid,
        source_vout=coin.vout,
        source_satoshis=coin.satoshis,
        source_locking_script=coin.locking_script,
        unlocking_script_length=CHANGE_UNLOCKING_LENGTH,
        provided_by=ProvidedBy.STORAGE,
        type="P2PKH",
        derivation_prefix=coin.derivation_prefix,
        derivation_suffix=coin.derivation_suffix,
        sender_identity_key=coin.sender_identity_key,
    )


def insert_unsigned(
    tx: Transaction,
    scope: UserScope,
    args: ValidCreateAction,
    planned: PlannedAction,
    policy: ActionPolicy,
    originator: str,
) -> int:
    """First commit of a two-commit action: coins reserved, outputs known, nothing signed; the transaction id."""
    row = _transaction_row(scope, args, planned, TransactionStatus.UNSIGNED, tx.now())
    row |= {"txid": None, "input_beef": EMPTY_BEEF}
    abandon_at = iso(tx.now() + policy.unsigned_lifetime)

    def columns(output: ActionOutput) -> dict[str, Any]:
        script = output.locking_script or None
        return {"txid": None, "script_length": None, "script_offset": None, "locking_script": script}

    return _insert(tx, scope, args, planned, row, abandon_at, originator, columns)


def insert_signed(
    tx: Transaction,
    scope: UserScope,
    args: ValidCreateAction,
    planned: PlannedAction,
    policy: ActionPolicy,
    originator: str,
    signed: TransactionView,
) -> int:
    """The one commit of a local action: signed, its coins spent, on its way to the network (its req comes beside)."""
    row = _transaction_row(scope, args, planned, TransactionStatus.SENDING, tx.now())
    row |= {"txid": signed.txid, "input_beef": None}
    views = signed.outputs
    if len(views) != len(planned.proposal.outputs):
        raise WERR_INTERNAL("The signed transaction has not the outputs that were proposed.")

    def columns(output: ActionOutput) -> dict[str, Any]:
        return {"txid": signed.txid} | signed_output_columns(views[output.vout], policy.max_output_script)

    return _insert(tx, scope, args, planned, row, None, originator, columns)


def signed_output_columns(view: OutputView, max_output_script: int) -> dict[str, Any]:
    """Where the script stands in the raw transaction, and the script itself unless it is long."""
    long = view.script_length > max_output_script
    return {
        "script_length": view.script_length,
        "script_offset": view.script_offset,
        "locking_script": None if long else view.locking_script,
    }


def _transaction_row(
    scope: UserScope, args: ValidCreateAction, planned: PlannedAction, status: TransactionStatus, now: int
) -> dict[str, Any]:
    return {
        "now": iso(now),
        "user_id": scope.user_id,
        "proven_tx_id": None,
        "status": status.value,
        "reference": planned.proposal.reference,
        "is_outgoing": 1,
        "satoshis": planned.proposal.satoshis,
        "version": args.version,
        "lock_time": args.lock_time,
        "description": args.description,
    }


def _insert(
    tx: Transaction,
    scope: UserScope,
    args: ValidCreateAction,
    planned: PlannedAction,
    row: dict[str, Any],
    abandon_at: str | None,
    originator: str,
    script_columns: Callable[[ActionOutput], dict[str, Any]],
) -> int:
    transaction_id = tx.insert(statements.INSERT_TRANSACTION, **row)
    claim_coins(tx, planned.coins, transaction_id)
    label_transaction(tx, scope, transaction_id, args.labels)
    baskets = find_or_insert_baskets(tx, scope, (o.basket for o in args.outputs if o.basket is not None))
    tx.insert_many(
        statements.INSERT_OUTPUT,
        list(_output_rows(scope, args, planned, transaction_id, baskets, iso(tx.now()), script_columns)),
    )
    _tag(tx, scope, args, transaction_id)
    tx.execute(
        statements.INSERT_ACTION,
        transaction_id=transaction_id,
        fee=planned.proposal.fee,
        fee_rate=planned.fee_rate,
        originator=originator,
        abandon_at=abandon_at,
    )
    tx.announce(_created(row, transaction_id, tx.now()))
    return transaction_id


def _created(row: dict[str, Any], transaction_id: int, now: int) -> WalletEvent:
    return WalletEvent(
        EventKind.CREATED,
        row["user_id"],
        transaction_id,
        row["reference"],
        row["txid"],
        TransactionStatus(row["status"]),
        row["satoshis"],
        now,
        "to be signed" if row["txid"] is None else "signed",
    )


def _output_rows(
    scope: UserScope,
    args: ValidCreateAction,
    planned: PlannedAction,
    transaction_id: int,
    baskets: dict[str, int],
    now: str,
    script_columns: Callable[[ActionOutput], dict[str, Any]],
) -> Iterable[dict[str, Any]]:
    for index, output in enumerate(planned.proposal.outputs):
        is_change = output.purpose is OutputPurpose.CHANGE
        requested = None if is_change else args.outputs[index]
        yield {
            "now": now,
            "user_id": scope.user_id,
            "transaction_id": transaction_id,
            "basket_id": planned.basket.basket_id
            if requested is None
            else baskets.get(requested.basket)
            if requested.basket
            else None,
            "spendable": 1,
            "spent_by": None,
            "change": int(is_change),
            "vout": output.vout,
            "satoshis": output.satoshis,
            "provided_by": output.provided_by.value,
            "purpose": output.purpose.value,
            "type": "P2PKH" if is_change else "custom",
            "output_description": requested.output_description if requested else "",
            "sender_identity_key": None,
            "derivation_prefix": planned.proposal.derivation_prefix if is_change else None,
            "derivation_suffix": output.derivation_suffix,
            "custom_instructions": requested.custom_instructions if requested else None,
            **script_columns(output),
        }


def _tag(tx: Transaction, scope: UserScope, args: ValidCreateAction, transaction_id: int) -> None:
    if not any(output.tags for output in args.outputs):
        return
    rows = tx.rows(statements.OUTPUTS_OF, transaction_id=transaction_id, user_id=scope.user_id)
    requested = [output_id for output_id, *_ in rows][: len(args.outputs)]
    tag_outputs(tx, scope, {id_: output.tags for id_, output in zip(requested, args.outputs, strict=True)})
