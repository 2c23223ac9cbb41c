"""createAction in storage, the reading half: choose coins and propose a transaction. Nothing is written here.

``insert_action`` writes what was planned. A local wallet does both and signs in between, in one database transaction
(no unsigned row is ever committed); a remote one commits the unsigned action, signs it at home and comes back with
processAction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.storage import (
    ActionInput,
    ActionOutput,
    ActionProposal,
    OutputPurpose,
    ProvidedBy,
)
from bsv_wallet_toolbox.storage.action_draws import ActionDraws
from bsv_wallet_toolbox.storage.action_inputs import CallerInputs, is_complete, resolve_inputs
from bsv_wallet_toolbox.storage.ancestry import (
    MAX_UNPROVEN_BYTES,
    AncestryCache,
    AncestryTooLarge,
    Room,
    beef_of,
    name_known,
)
from bsv_wallet_toolbox.storage.coins import CoinCounts, SpendableCoin, StoredCoins, count_coins
from bsv_wallet_toolbox.storage.no_send_change import NoSendChangeFirst, no_send_change
from bsv_wallet_toolbox.storage.users import Basket, UserScope, default_basket
from bsv_wallet_toolbox.templates.commission import CommissionLock
from bsv_wallet_toolbox.templates.p2pkh import LOCK_LENGTH
from bsv_wallet_toolbox.transactions.beef import BEEF_LIMITS, Beef
from bsv_wallet_toolbox.transactions.fee import FeeModel
from bsv_wallet_toolbox.transactions.funding import (
    CoinPool,
    FixedInput,
    FixedOutput,
    Funding,
    FundingRequest,
    generate_change,
    shuffle_vouts,
)
from bsv_wallet_toolbox.transactions.sizes import transaction_size

__all__ = ["ActionMeans", "ActionPolicy", "Commission", "PlannedAction", "ServiceCharge", "propose_action"]

CHANGE_UNLOCKING_LENGTH = 107
_MOST_DONE_WITHOUT = 16
_COUNTED_BEYOND_DESIRED = 16
"""Coins counted past the desired number: more would matter only to an action that spends more of them than this."""


@dataclass(frozen=True, slots=True)
class Commission:
    """What a store charges for every action: satoshis, paid to a compressed public key of its operator."""

    satoshis: int
    public_key: bytes


@dataclass(frozen=True, slots=True)
class ActionPolicy:
    """What a store demands of every action, and how long one may stay unsigned (milliseconds).

    ``unsigned_lifetime``: one that a remote one-step call left; ``signable_lifetime``: one that a person may sign.
    """

    fee_model: FeeModel
    max_output_script: int
    unsigned_lifetime: int = 5 * 60 * 1000
    signable_lifetime: int = 24 * 60 * 60 * 1000
    commission: Commission | None = None


@dataclass(frozen=True, slots=True)
class ActionMeans:
    """What a store plans its actions with."""

    policy: ActionPolicy
    cache: AncestryCache
    counts: CoinCounts


@dataclass(frozen=True, slots=True)
class ServiceCharge:
    satoshis: int
    lock: CommissionLock


class PlannedAction(NamedTuple):
    """A proposal with what is needed to write it down. ``beef`` proves everything that it spends, in full."""

    proposal: ActionProposal
    beef: Beef
    inputs: CallerInputs
    coins: tuple[SpendableCoin, ...]
    basket: Basket
    fee_rate: int
    charge: ServiceCharge | None


def propose_action(
    tx: Transaction, scope: UserScope, args: ValidCreateAction, given: Beef, draws: ActionDraws, means: ActionMeans
) -> PlannedAction:
    """Fund the requested inputs and outputs from the user's change. Writes nothing.

    ``given`` is the caller's inputBEEF, verified. Raises WERR_INSUFFICIENT_FUNDS, WERR_INVALID_PARAMETER for what can't
    be spent, WERR_REVIEW_ACTIONS for an input that an action of this wallet spends already.
    """
    basket = default_basket(tx, scope)
    inputs = resolve_inputs(tx, scope, args, given, means.cache)
    complete = is_complete(args, inputs, means.policy.fee_model)
    if complete:
        funding = _whole(args, inputs)
        beef = _ancestry(tx, args, inputs, funding, means.cache)
    else:
        work = _Funding(tx, scope, args, inputs, means, draws, basket)
        funding, beef = _fund_provably(tx, args, inputs, means.cache, work.fund)
    change = [(satoshis, draws.suffix(index)) for index, satoshis in enumerate(funding.change)]
    charge = None if complete else _charge(means.policy, draws)
    proposal = ActionProposal(
        reference=draws.reference,
        version=args.version,
        lock_time=args.lock_time,
        derivation_prefix=draws.derivation_prefix,
        inputs=_proposed_inputs(inputs, funding),
        outputs=_proposed_outputs(args, charge, funding, change, _vouts(args, charge, change, draws, complete)),
        input_beef=_shown(args, beef, funding),
        satoshis=sum(funding.change) - sum(coin.satoshis for coin in funding.inputs),
        fee=funding.fee,
    )
    return PlannedAction(proposal, beef, inputs, funding.inputs, basket, means.policy.fee_model.value, charge)


def _charge(policy: ActionPolicy, draws: ActionDraws) -> ServiceCharge | None:
    if policy.commission is None:
        return None
    return ServiceCharge(policy.commission.satoshis, draws.commission_lock(policy.commission.public_key))


def _shown(args: ValidCreateAction, beef: Beef, funding: Funding[SpendableCoin]) -> Beef | None:
    """What the caller wants to see of the ancestry."""
    if args.options.return_txid_only:
        return None
    if not args.options.known_txids:
        return beef
    shown = beef.copy()
    sources = [each.outpoint.txid for each in args.inputs] + [coin.txid for coin in funding.inputs]
    name_known(shown, args.options.known_txids, sources)
    return shown


def _whole(args: ValidCreateAction, inputs: CallerInputs) -> Funding[SpendableCoin]:
    """What a transaction needs that is the caller's own, whole: nothing."""
    size = transaction_size(
        [each.unlocking_script_length for each in args.inputs], [len(each.locking_script) for each in args.outputs]
    )
    return Funding((), (), size, inputs.satoshis - sum(each.satoshis for each in args.outputs))


def _fund_provably(
    tx: Transaction,
    args: ValidCreateAction,
    inputs: CallerInputs,
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
            return funding, _ancestry(tx, args, inputs, funding, cache)
        except AncestryTooLarge as error:
            too_large = error
            if len(without) == _MOST_DONE_WITHOUT or not funding.inputs:
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


def _ancestry(
    tx: Transaction,
    args: ValidCreateAction,
    inputs: CallerInputs,
    funding: Funding[SpendableCoin],
    cache: AncestryCache,
) -> Beef:
    """BEEF of what the action spends. Made also for a caller who wants none."""
    if funding.size > MAX_UNPROVEN_BYTES:
        must_be = f"of an action of at most {MAX_UNPROVEN_BYTES} bytes, not {funding.size}"
        raise WERR_INVALID_PARAMETER("outputs", must_be)
    room = Room()
    room.take(funding.size, 1, len(args.inputs) + len(funding.inputs) + len(args.outputs) + len(funding.change))
    if not args.inputs:
        return beef_of(tx, [coin.txid for coin in funding.inputs], cache, room)
    room.take(len(inputs.outside_bytes()), len(inputs.outside), inputs.outside.items)
    beef = beef_of(tx, [*inputs.stored, *(coin.txid for coin in funding.inputs)], cache, room)
    beef.merge(inputs.outside)
    return beef


@dataclass(frozen=True, slots=True)
class _Funding:
    """Count, choose, and when more coins were spent than were counted past the desired number, count them all."""

    tx: Transaction
    scope: UserScope
    args: ValidCreateAction
    inputs: CallerInputs
    means: ActionMeans
    draws: ActionDraws
    basket: Basket

    def fund(self, without: Collection[str]) -> Funding[SpendableCoin]:
        """Without the coins of these txids."""
        tx, scope, basket, counts = self.tx, self.scope, self.basket, self.means.counts
        is_delayed = self.args.is_delayed
        cap = basket.desired_utxos + _COUNTED_BEYOND_DESIRED
        available = counts.up_to(tx, scope, basket, is_delayed, cap)
        if available == 0 and not self.args.inputs and not self.args.options.no_send_change:
            _refuse_without_coins(self._fixed_outputs(), self.means.policy.fee_model)
        funding = self._choose(available, without)
        if available == cap and len(funding.inputs) > _COUNTED_BEYOND_DESIRED:
            funding = self._choose(count_coins(tx, scope, basket, is_delayed, 2**31), without)
        counts.spent(scope, len(funding.inputs))
        return funding

    def _choose(self, count: int, without: Collection[str]) -> Funding[SpendableCoin]:
        basket, args = self.basket, self.args
        request = FundingRequest(
            fee_model=self.means.policy.fee_model,
            change_initial_satoshis=max(1, basket.minimum_value),
            change_first_satoshis=max(1, (basket.minimum_value + 2) // 4),
            fixed_inputs=[
                FixedInput(each.satoshis, each.requested.unlocking_script_length) for each in self.inputs.inputs
            ],
            fixed_outputs=self._fixed_outputs(),
            target_net_count=basket.desired_utxos - count,
            change_unlocking_script_length=CHANGE_UNLOCKING_LENGTH,
        )
        coins: CoinPool[SpendableCoin] = StoredCoins(self.tx, self.scope, basket, args.is_delayed, without)
        if args.is_no_send and args.options.no_send_change:
            first = no_send_change(self.tx, self.scope, basket, args.options.no_send_change)
            coins = NoSendChangeFirst(first, coins)
        return generate_change(request, coins, self.draws.fractions())

    def _fixed_outputs(self) -> list[FixedOutput]:
        fixed = [FixedOutput(output.satoshis, len(output.locking_script)) for output in self.args.outputs]
        commission = self.means.policy.commission
        if commission is not None:
            fixed.append(FixedOutput(commission.satoshis, LOCK_LENGTH))
        return fixed


def _refuse_without_coins(fixed: list[FixedOutput], fee_model: FeeModel) -> None:
    size = transaction_size([], [output.locking_script_length for output in fixed])
    needed = sum(output.satoshis for output in fixed) + fee_model.fee(size)
    if needed > 0:
        raise WERR_INSUFFICIENT_FUNDS(needed, needed)


def _vouts(
    args: ValidCreateAction,
    charge: ServiceCharge | None,
    change: Sequence[tuple[int, str]],
    draws: ActionDraws,
    in_order: bool,
) -> list[int]:
    """The place of each output in the transaction: only that is shuffled, never the order of the list."""
    count = len(args.outputs) + (charge is not None) + len(change)
    if in_order or not args.options.randomize_outputs:
        return list(range(count))
    return shuffle_vouts(count, draws.fractions())


def _proposed_outputs(
    args: ValidCreateAction,
    charge: ServiceCharge | None,
    funding: Funding[SpendableCoin],
    change: Sequence[tuple[int, str]],
    vouts: Sequence[int],
) -> tuple[ActionOutput, ...]:
    """Requested outputs, the service charge, change."""
    places = iter(vouts)
    outputs = [
        ActionOutput(
            vout=next(places),
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
    if charge is not None:
        outputs.append(
            ActionOutput(
                vout=next(places),
                satoshis=charge.satoshis,
                locking_script=charge.lock.script,
                provided_by=ProvidedBy.STORAGE,
                purpose=OutputPurpose.COMMISSION,
            )
        )
    outputs += [
        ActionOutput(
            vout=next(places),
            satoshis=satoshis,
            locking_script=b"",
            provided_by=ProvidedBy.STORAGE,
            purpose=OutputPurpose.CHANGE,
            derivation_suffix=suffix,
        )
        for satoshis, suffix in change
    ]
    return tuple(outputs)


def _proposed_inputs(inputs: CallerInputs, funding: Funding[SpendableCoin]) -> tuple[ActionInput, ...]:
    """The caller's in its order, then coins in the order in which they were taken."""
    named = [each.proposed(vin) for vin, each in enumerate(inputs.inputs)]
    return (*named, *(_proposed_coin(len(named) + place, coin) for place, coin in enumerate(funding.inputs)))


def _proposed_coin(vin: int, coin: SpendableCoin) -> ActionInput:
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
