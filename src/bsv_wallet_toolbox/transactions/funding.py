"""Which coins pay for a transaction and what change comes back: a pure function over a pool of coins.

:func:`generate_change` knows satoshis and script lengths only. It asks a :class:`CoinPool` for one coin at a time, so
a pool can be a list in memory (:class:`SortedCoins`), a table or a device. The coins and the change it arrives at are
those of the TypeScript toolbox for the same pool and the same random numbers; it differs only where that one gives up
although the coins suffice, and not even there when the request says ``reference_compatible``.

>>> from bsv_wallet_toolbox.transactions.fee import FeeModel
>>> @dataclass(frozen=True)
... class Row:
...     output_id: int
...     satoshis: int
>>> request = FundingRequest(
...     fee_model=FeeModel(value=100), fixed_outputs=[FixedOutput(1000, 25)], target_net_count=0,
...     change_initial_satoshis=32, change_first_satoshis=8,
... )
>>> funding = generate_change(request, SortedCoins([Row(1, 700), Row(2, 900), Row(3, 5000)]), lambda: 0.5)
>>> [coin.output_id for coin in funding.inputs], funding.change, funding.fee
([3], (3977,), 23)
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, NamedTuple, NoReturn, Protocol, TypeVar

from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_INTERNAL, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.fee import MAX_SATOSHIS, FeeModel
from bsv_wallet_toolbox.transactions.sizes import EMPTY_TRANSACTION_BYTES, input_size, output_size, varint_size

__all__ = [
    "MAX_CHANGE_OUTPUTS",
    "MAX_POSSIBLE_SATOSHIS",
    "Coin",
    "CoinPool",
    "FixedInput",
    "FixedOutput",
    "Funding",
    "FundingRequest",
    "MaxPossibleAdjustment",
    "SortedCoins",
    "generate_change",
    "shuffle_vouts",
]

MAX_POSSIBLE_SATOSHIS = 2_099_999_999_999_999
"""An output of exactly this many satoshis asks for whatever the coins leave after everything else is paid."""

MAX_CHANGE_OUTPUTS = 8

_MAX_SCRIPT_LENGTH = 0xFFFF_FFFF


class Coin(Protocol):
    """What funding sees of a coin; a pool hands out objects of its own that also carry its row."""

    @property
    def output_id(self) -> int: ...

    @property
    def satoshis(self) -> int: ...


CoinT = TypeVar("CoinT", bound=Coin)


class CoinPool(Protocol[CoinT]):
    """Coins that nobody else can take while they are taken from here."""

    def take(self, target: int, exact: int | None) -> CoinT | None:
        """Take one coin out of the pool, None when it is empty.

        The order of preference: exactly ``exact`` satoshis if given, lowest id first; at least ``target`` satoshis,
        fewest first, then lowest id; less than ``target``, most first, then highest id.
        """

    def give_back(self, coin: CoinT) -> None:
        """Put a coin back that :meth:`take` handed out."""


class SortedCoins(Generic[CoinT]):
    """A pool in memory: one list in the order of preference, searched by bisection."""

    def __init__(self, coins: Iterable[CoinT]) -> None:
        self._coins = sorted(coins, key=_by_value)

    def __len__(self) -> int:
        return len(self._coins)

    def take(self, target: int, exact: int | None = None) -> CoinT | None:
        coins = self._coins
        if exact is not None:
            index = bisect_left(coins, (exact,), key=_by_value)
            if index < len(coins) and coins[index].satoshis == exact:
                return coins.pop(index)
        if not coins:
            return None
        return coins.pop(min(bisect_left(coins, (target,), key=_by_value), len(coins) - 1))

    def give_back(self, coin: CoinT) -> None:
        insort(self._coins, coin, key=_by_value)


_by_value: Callable[[Coin], Any] = attrgetter("satoshis", "output_id")


@dataclass(frozen=True, slots=True)
class FixedInput:
    """An input the caller brings, with the bytes its unlocking script has or will have."""

    satoshis: int
    unlocking_script_length: int


@dataclass(frozen=True, slots=True)
class FixedOutput:
    """An output the caller asked for (or a commission), with the bytes of its locking script."""

    satoshis: int
    locking_script_length: int


@dataclass(frozen=True, slots=True)
class FundingRequest:
    """What to fund. All amounts are satoshis, all lengths bytes.

    ``change_first_satoshis`` is the least the first change output starts with, ``change_initial_satoshis`` every
    other. ``target_net_count`` is how many change outputs the transaction should make beyond the coins it spends:
    positive splits value into more coins, zero or negative gathers it, None makes one output at most and looks for a
    coin that fits exactly. With ``reference_compatible`` a transaction whose coins suffice but leave too little for
    the change output that was meant raises WERR_INSUFFICIENT_FUNDS, as the TypeScript toolbox does.

    Raises WERR_INVALID_PARAMETER for an amount or length out of range.
    """

    fee_model: FeeModel
    change_initial_satoshis: int
    change_first_satoshis: int
    fixed_inputs: Sequence[FixedInput] = ()
    fixed_outputs: Sequence[FixedOutput] = ()
    target_net_count: int | None = None
    change_locking_script_length: int = 25
    change_unlocking_script_length: int = 107
    max_change_outputs: int = MAX_CHANGE_OUTPUTS
    reference_compatible: bool = False

    def __post_init__(self) -> None:
        sweep: int | None = None
        for index, fixed_input in enumerate(self.fixed_inputs):
            _check_satoshis(f"fixedInputs[{index}].satoshis", fixed_input.satoshis)
            _check_length(f"fixedInputs[{index}].unlockingScriptLength", fixed_input.unlocking_script_length)
        for index, fixed_output in enumerate(self.fixed_outputs):
            parameter = f"fixedOutputs[{index}].satoshis"
            _check_satoshis(parameter, fixed_output.satoshis)
            _check_length(f"fixedOutputs[{index}].lockingScriptLength", fixed_output.locking_script_length)
            if fixed_output.satoshis == MAX_POSSIBLE_SATOSHIS:
                if sweep is not None:
                    raise WERR_INVALID_PARAMETER(
                        parameter, "valid satoshis amount. Only one 'maxPossibleSatoshis' output allowed."
                    )
                sweep = index
        _check_satoshis("changeInitialSatoshis", self.change_initial_satoshis, minimum=1)
        _check_satoshis("changeFirstSatoshis", self.change_first_satoshis, minimum=1)
        _check_length("changeLockingScriptLength", self.change_locking_script_length)
        _check_length("changeUnlockingScriptLength", self.change_unlocking_script_length)
        if self.target_net_count is not None and type(self.target_net_count) is not int:
            raise WERR_INVALID_PARAMETER("targetNetCount", "an integer")
        if type(self.max_change_outputs) is not int or self.max_change_outputs < 1:
            raise WERR_INVALID_PARAMETER("maxChangeOutputs", "an integer of at least 1")


@dataclass(frozen=True, slots=True)
class MaxPossibleAdjustment:
    """What the fixed output that asked for as much as possible gets."""

    fixed_output_index: int
    satoshis: int


class Funding(NamedTuple, Generic[CoinT]):
    """The coins in the order they were taken, the satoshis of each change output, and the transaction's size and fee.

    ``fee`` is what is really paid: the fee of ``size``, or up to a dust output more when no change output could be
    made.
    """

    inputs: tuple[CoinT, ...]
    change: tuple[int, ...]
    size: int
    fee: int
    max_possible: MaxPossibleAdjustment | None = None


def generate_change(request: FundingRequest, coins: CoinPool[CoinT], fraction: Callable[[], float]) -> Funding[CoinT]:
    """Take coins from the pool until inputs = outputs + change + fee, exactly.

    ``fraction`` gives numbers in [0, 1); it is asked only when more than one change output shares what is left over.
    On any error every coin is back in the pool.

    Raises WERR_INSUFFICIENT_FUNDS when the pool cannot pay, with what outputs and fee need in all and what is missing.
    """
    draft = _Draft(request, coins)
    try:
        draft.seed_change()
        draft.take_coins()
        adjustment = draft.settle_shortage()
        surplus = draft.settle_without_change()
        draft.distribute(fraction)
        return draft.finished(surplus, adjustment)
    except BaseException:
        draft.give_all_back()
        raise


class _Draft(Generic[CoinT]):
    """The transaction being funded. Sums and sizes are kept as running totals, so a step costs the same at any
    length.
    """

    __slots__ = (
        "_change_bytes",
        "_coin_bytes",
        "_dust_floor",
        "_fixed_bytes",
        "_fixed_inputs",
        "_fixed_outputs",
        "_pool",
        "_request",
        "_spending",
        "_taken_ids",
        "_target",
        "_unspent",
        "change",
        "coins",
    )

    def __init__(self, request: FundingRequest, pool: CoinPool[CoinT]) -> None:
        self._request = request
        self._pool = pool
        self._coin_bytes = input_size(request.change_unlocking_script_length)
        self._change_bytes = output_size(request.change_locking_script_length)
        self._fixed_bytes = (
            EMPTY_TRANSACTION_BYTES
            + sum(input_size(fixed.unlocking_script_length) for fixed in request.fixed_inputs)
            + sum(output_size(fixed.locking_script_length) for fixed in request.fixed_outputs)
        )
        self._fixed_inputs, self._fixed_outputs = len(request.fixed_inputs), len(request.fixed_outputs)
        self._dust_floor = request.fee_model.dust_floor
        self._target = min(request.target_net_count or 0, request.max_change_outputs)
        self._spending = sum(fixed.satoshis for fixed in request.fixed_outputs)
        # Fixed inputs and coins, less fixed outputs and change; the fee has yet to come out of it.
        self._unspent = sum(fixed.satoshis for fixed in request.fixed_inputs) - self._spending
        self._taken_ids: set[int] = set()
        self.coins: list[CoinT] = []
        self.change: list[int] = []

    def size(self, more_coins: int = 0, more_change: int = 0) -> int:
        coins = len(self.coins) + more_coins
        change = len(self.change) + more_change
        inputs, outputs = self._fixed_inputs + coins, self._fixed_outputs + change
        # Asked for several times per action, and nearly always with counts of one byte.
        counts = 2 if inputs <= 0xFC and outputs <= 0xFC else varint_size(inputs) + varint_size(outputs)
        return self._fixed_bytes + counts + coins * self._coin_bytes + change * self._change_bytes

    def fee(self, more_coins: int = 0, more_change: int = 0) -> int:
        return self._request.fee_model.fee(self.size(more_coins, more_change))

    def excess(self, more_coins: int = 0, more_change: int = 0) -> int:
        """Satoshis left over (negative: missing) once the fee is paid."""
        return self._unspent - self.fee(more_coins, more_change)

    def seed_change(self) -> None:
        """Plan the change outputs that the target asks for, or one if the fixed inputs leave something over."""
        while len(self.change) < self._request.max_change_outputs and (
            self._wants_change() or (not self.change and self.excess() > 0)
        ):
            self._add_change(self._least_change())

    def take_coins(self) -> None:
        """Take coins until nothing is missing; when the pool runs dry, give up change outputs and take them anew."""
        may_add_change = True
        while True:
            self.give_all_back()
            while (is_short := self.excess() < 0) and self._take_coin(may_add_change):
                pass
            if not is_short or not self.change:
                return
            may_add_change = False
            while self.change and self.excess() < 0:
                self._drop_change()
            if self.excess() < 0:
                return
            self._drop_churn()

    def settle_shortage(self) -> MaxPossibleAdjustment | None:
        """What is missing comes out of the output that asked for as much as possible; without one, funding fails."""
        missing = -self.excess()
        if missing <= 0:
            return None
        for index, fixed in enumerate(self._request.fixed_outputs):
            if fixed.satoshis == MAX_POSSIBLE_SATOSHIS:
                satoshis = fixed.satoshis - missing
                if satoshis < 1:
                    needed = self._spending - fixed.satoshis + self.fee() + 1
                    raise WERR_INSUFFICIENT_FUNDS(needed, 1 - satoshis)
                self._unspent += missing
                return MaxPossibleAdjustment(index, satoshis)
        raise WERR_INSUFFICIENT_FUNDS(self._spending + self.fee(), missing)

    def settle_without_change(self) -> int:
        """Satoshis beyond the fee that the miner gets, because they are too few to come back as change."""
        if self.change or self.excess() == 0:
            return 0
        if self._request.reference_compatible:
            self.give_all_back()
            raise WERR_INSUFFICIENT_FUNDS(self._spending + self.fee(), self._request.change_first_satoshis)
        change = self.excess(0, 1)
        if change < self._dust_floor:
            return self.excess()
        self._add_change(change)
        return 0

    def distribute(self, fraction: Callable[[], float]) -> None:
        """Hand out what is left over: all to a single output, else random shares to random outputs."""
        if not self.change:
            return
        left = self.excess()
        if len(self.change) == 1:
            self._top_up(0, left)
            return
        while left > 0:
            below = self._request.change_initial_satoshis - self.change[0]
            if below > 0:
                share, index = min(below, left), 0
            else:
                share = max(1, _draw(fraction, 2500, 5000) * left // 10_000)
                index = _draw(fraction, 0, len(self.change) - 1)
            self._top_up(index, share)
            left -= share

    def finished(self, surplus: int, adjustment: MaxPossibleAdjustment | None) -> Funding[CoinT]:
        size = self.size()
        paid, required = self._unspent, self._request.fee_model.fee(size) + surplus
        if paid != required:
            raise WERR_INTERNAL(f"generateChange error: fee of {paid} satoshis paid, {required} required")
        if any(satoshis < self._dust_floor for satoshis in self.change):
            raise WERR_INTERNAL(f"generateChange error: a change output is below {self._dust_floor} satoshis")
        return Funding(tuple(self.coins), tuple(self.change), size, paid, adjustment)

    def give_all_back(self) -> None:
        while self.coins:
            coin = self.coins.pop()
            self._unspent -= coin.satoshis
            self._taken_ids.discard(coin.output_id)
            self._pool.give_back(coin)

    def _wants_change(self, more_coins: int = 0) -> bool:
        """True while the net count, were ``more_coins`` spent, would be below the target."""
        if self._request.target_net_count is None:
            return False
        return len(self.change) - len(self.coins) - more_coins < self._target

    def _least_change(self) -> int:
        request = self._request
        return max(self._dust_floor, request.change_initial_satoshis if self.change else request.change_first_satoshis)

    def _take_coin(self, may_add_change: bool) -> bool:
        """Take one coin, and plan a change output to go with it where that helps. False: the pool is empty."""
        request = self._request
        room = len(self.change) < request.max_change_outputs
        with_change = room and self._wants_change(more_coins=1)
        exact = -self.excess(1, 0) if request.target_net_count is None and not self.change else None
        target = -self.excess(1, 1 if with_change else 0)
        if with_change:
            target += 2 * request.change_initial_satoshis
        elif not self.change:
            target += self._dust_floor + self.fee(0, 1) - self.fee()
        coin = self._pool.take(target, exact)
        if coin is None:
            return False
        if coin.output_id in self._taken_ids:
            _refuse_second_take(coin.output_id)
        self._taken_ids.add(coin.output_id)
        self.coins.append(coin)
        self._unspent += coin.satoshis
        if may_add_change and room and (with_change or not self.change):
            change = min(self.excess(), self._least_change())
            if change >= self._dust_floor:
                self._add_change(change)
        return True

    def _drop_churn(self) -> None:
        """Drop pairs of a coin and a change output no smaller than it: they only cost a fee.

        The coins are taken anew afterwards; here they only say how many change outputs are worth making.
        """
        coins = [coin.satoshis for coin in self.coins]
        while len(coins) > 1 and len(self.change) > 1:
            last = self.change[-1]
            index = next((index for index, satoshis in enumerate(coins) if satoshis <= last), None)
            if index is None:
                return
            del coins[index]
            self._drop_change()

    def _add_change(self, satoshis: int) -> None:
        self.change.append(satoshis)
        self._unspent -= satoshis

    def _drop_change(self) -> None:
        self._unspent += self.change.pop()

    def _top_up(self, index: int, satoshis: int) -> None:
        self.change[index] += satoshis
        self._unspent -= satoshis


def shuffle_vouts(count: int, fraction: Callable[[], float]) -> list[int]:
    """A permutation of 0..count-1: entry i is the vout of output i. One fraction is drawn per output."""
    vouts = list(range(count))
    for left in range(count, 0, -1):
        chosen = int(fraction() * left)
        vouts[left - 1], vouts[chosen] = vouts[chosen], vouts[left - 1]
    return vouts


def _draw(fraction: Callable[[], float], lowest: int, highest: int) -> int:
    """An integer in lowest..highest, both included."""
    return int(fraction() * (highest - lowest + 1)) + lowest


def _refuse_second_take(output_id: int) -> NoReturn:
    raise WERR_INTERNAL(f"generateChange error: the pool handed out output {output_id} twice")


def _check_satoshis(parameter: str, satoshis: int, minimum: int = 0) -> None:
    if type(satoshis) is not int or not 0 <= satoshis <= MAX_SATOSHIS:
        raise WERR_INVALID_PARAMETER(parameter, "a valid number of satoshis")
    if satoshis < minimum:
        raise WERR_INVALID_PARAMETER(parameter, f"at least {minimum} satoshis.")


def _check_length(parameter: str, length: int) -> None:
    if type(length) is not int or not 0 <= length <= _MAX_SCRIPT_LENGTH:
        raise WERR_INVALID_PARAMETER(parameter, "a valid script length in bytes")
