"""Choice of coins and change: recorded cases, an independent reading of the algorithm, and what must always hold."""

import doctest
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsv_wallet_toolbox.errors import WERR_INSUFFICIENT_FUNDS, WERR_INTERNAL, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions import funding as funding_module
from bsv_wallet_toolbox.transactions.fee import FeeModel
from bsv_wallet_toolbox.transactions.funding import (
    MAX_POSSIBLE_SATOSHIS,
    FixedInput,
    FixedOutput,
    Funding,
    FundingRequest,
    MaxPossibleAdjustment,
    SortedCoins,
    generate_change,
    shuffle_vouts,
)
from bsv_wallet_toolbox.transactions.sizes import transaction_size


@dataclass(frozen=True)
class Row:
    output_id: int
    satoshis: int


def rows(*satoshis: int) -> list[Row]:
    return [Row(output_id, value) for output_id, value in enumerate(satoshis, start=1)]


def cyclic(*values: float) -> Callable[[], float]:
    remaining = list(values)

    def draw() -> float:
        remaining.append(remaining.pop(0))
        return remaining[-1]

    return draw


def no_draw() -> float:
    raise AssertionError("no random number is needed here")


def request_for(**changes: Any) -> FundingRequest:
    plain = FundingRequest(fee_model=FeeModel(value=1), change_initial_satoshis=32, change_first_satoshis=8)
    return replace(plain, **changes)


def pay(satoshis: int, **changes: Any) -> FundingRequest:
    return request_for(fixed_outputs=[FixedOutput(satoshis, 25)], **changes)


@dataclass
class WatchedPool:
    """A pool that remembers what it was asked."""

    coins: SortedCoins[Row]
    asked: list[tuple[int, int | None]] = field(default_factory=list)
    out: set[int] = field(default_factory=set)

    def take(self, target: int, exact: int | None) -> Row | None:
        self.asked.append((target, exact))
        coin = self.coins.take(target, exact)
        if coin is not None:
            assert coin.output_id not in self.out
            self.out.add(coin.output_id)
        return coin

    def give_back(self, coin: Row) -> None:
        self.out.remove(coin.output_id)
        self.coins.give_back(coin)


@pytest.mark.parametrize(
    ("request_", "coins", "draws", "inputs", "change", "size", "fee"),
    [
        (pay(1000, target_net_count=143), [100_000], [0.5], [1], [32, 32, 32, 32, 98775, 32, 32, 32], 464, 1),
        (
            pay(1000, target_net_count=143, fee_model=FeeModel(value=100)),
            [100_000],
            [0.5],
            [1],
            [40, 40, 40, 40, 98673, 40, 40, 40],
            464,
            47,
        ),
        (
            pay(1000, target_net_count=143),
            [100_000],
            [0.1, 0.9, 0.3],
            [1],
            [31344, 32, 30922, 32, 32, 32, 32, 36573],
            464,
            1,
        ),
        (pay(1000, target_net_count=0), [500, 600, 2000], [], [3], [999], 226, 1),
        (pay(1000), [1001, 1000, 5000], [], [1], [], 192, 1),
        (pay(MAX_POSSIBLE_SATOSHIS, target_net_count=140), [500, 400], [], [1, 2], [], 340, 1),
        (
            pay(1000, target_net_count=1, fixed_inputs=[FixedInput(5000, 107)]),
            [],
            [],
            [],
            [3999],
            226,
            1,
        ),
        (request_for(target_net_count=3), [1000], [0.5], [1], [32, 32, 903, 32], 294, 1),
        (
            pay(
                1000,
                target_net_count=-5,
                fee_model=FeeModel(value=100),
                change_initial_satoshis=1,
                change_first_satoshis=1,
            ),
            [973] * 5,
            [],
            [5, 1],
            [908],
            374,
            38,
        ),
        (pay(1000, target_net_count=0, fixed_inputs=[FixedInput(1001, 107)]), [], [], [], [], 192, 1),
    ],
    ids=["A", "B", "M", "C", "D", "F", "G", "H", "I", "L"],
)
@pytest.mark.parametrize("reference_compatible", [True, False])
def test_recorded_funding(
    request_: FundingRequest,
    coins: list[int],
    draws: list[float],
    inputs: list[int],
    change: list[int],
    size: int,
    fee: int,
    reference_compatible: bool,
) -> None:
    request_ = replace(request_, reference_compatible=reference_compatible)
    result = generate_change(request_, SortedCoins(rows(*coins)), cyclic(*draws) if draws else no_draw)
    assert [coin.output_id for coin in result.inputs] == inputs
    assert list(result.change) == change
    assert (result.size, result.fee) == (size, fee)


def test_an_output_that_asks_for_as_much_as_possible_gets_the_rest() -> None:
    pool = WatchedPool(SortedCoins(rows(500, 400)))
    result = generate_change(pay(MAX_POSSIBLE_SATOSHIS, target_net_count=140), pool, no_draw)
    assert result.max_possible == MaxPossibleAdjustment(0, 899)
    assert [target for target, _ in pool.asked][:3] == [2100000000000232, 2099999999999732, 2099999999999332]


@pytest.mark.parametrize("reference_compatible", [True, False])
def test_an_output_that_asks_for_as_much_as_possible_never_goes_below_one_satoshi(reference_compatible: bool) -> None:
    outputs = [FixedOutput(MAX_POSSIBLE_SATOSHIS, 25), FixedOutput(950, 25)]
    request = request_for(fixed_outputs=outputs, target_net_count=0, reference_compatible=reference_compatible)
    coins = SortedCoins(rows(500, 400))
    with pytest.raises(WERR_INSUFFICIENT_FUNDS) as refused:
        generate_change(request, coins, no_draw)
    assert (refused.value.total_satoshis_needed, refused.value.more_satoshis_needed) == (952, 52)
    assert len(coins) == 2


@pytest.mark.parametrize(
    ("request_", "coins", "asked"),
    [
        (pay(1000, target_net_count=0), [500, 600, 2000], [1065]),
        (
            pay(
                1000,
                target_net_count=-5,
                fee_model=FeeModel(value=100),
                change_initial_satoshis=1,
                change_first_satoshis=1,
            ),
            [973] * 5,
            [1063, 104],
        ),
    ],
)
def test_the_pool_is_asked_for_what_the_reference_asks(
    request_: FundingRequest, coins: list[int], asked: list[int]
) -> None:
    pool = WatchedPool(SortedCoins(rows(*coins)))
    generate_change(request_, pool, no_draw)
    assert pool.asked == [(target, None) for target in asked]


def test_coins_that_do_not_suffice_are_an_error_that_tells_what_is_missing() -> None:
    pool = WatchedPool(SortedCoins(rows(500, 400)))
    with pytest.raises(WERR_INSUFFICIENT_FUNDS) as refused:
        generate_change(pay(1000, target_net_count=140), pool, no_draw)
    assert (refused.value.total_satoshis_needed, refused.value.more_satoshis_needed) == (1001, 101)
    assert [target for target, _ in pool.asked][:3] == [1233, 733, 333]
    assert not pool.out


def test_reference_mode_gives_up_on_one_satoshi_too_many() -> None:
    coins = SortedCoins(rows(1001))
    with pytest.raises(WERR_INSUFFICIENT_FUNDS) as refused:
        generate_change(pay(999, target_net_count=0, reference_compatible=True), coins, no_draw)
    assert (refused.value.total_satoshis_needed, refused.value.more_satoshis_needed) == (1000, 8)
    assert len(coins) == 1


def test_what_is_too_little_for_change_goes_to_the_fee() -> None:
    result = generate_change(pay(999, target_net_count=0), SortedCoins(rows(1001)), no_draw)
    assert (result.change, result.size, result.fee) == ((), 192, 2)


def test_what_is_enough_for_change_comes_back_although_less_than_was_meant() -> None:
    """The reference refuses: it gave up its change of 250 and may not make a smaller one."""
    request = pay(1000, target_net_count=143, change_initial_satoshis=1000, change_first_satoshis=250)
    with pytest.raises(WERR_INSUFFICIENT_FUNDS):
        generate_change(replace(request, reference_compatible=True), SortedCoins(rows(1100)), no_draw)
    result = generate_change(request, SortedCoins(rows(1100)), no_draw)
    assert (result.change, result.fee) == ((99,), 1)


@pytest.mark.parametrize("reference_compatible", [True, False])
def test_coins_are_not_spent_only_to_come_back_as_change(reference_compatible: bool) -> None:
    """The pool runs dry before all the change is covered; each further coin of 300 would only feed a change of 400."""
    request = pay(100, target_net_count=8, change_initial_satoshis=400, change_first_satoshis=8)
    request = replace(request, reference_compatible=reference_compatible)
    result = generate_change(request, SortedCoins(rows(*[300] * 5)), no_draw)
    assert [coin.output_id for coin in result.inputs] == [5]
    assert (result.change, result.fee) == ((199,), 1)


def test_the_pool_gets_everything_back_when_it_fails_half_way() -> None:
    class BreaksOnThird(WatchedPool):
        def take(self, target: int, exact: int | None) -> Row | None:
            if len(self.asked) == 2:
                raise WERR_INTERNAL("the disk is full")
            return super().take(target, exact)

    pool = BreaksOnThird(SortedCoins(rows(10, 20, 30, 40)))
    with pytest.raises(WERR_INTERNAL, match="the disk is full"):
        generate_change(pay(1000, target_net_count=0), pool, no_draw)
    assert not pool.out
    assert len(pool.coins) == 4


def test_a_pool_that_hands_out_a_coin_twice_is_refused() -> None:
    class Generous:
        returned = 0

        def take(self, target: int, exact: int | None) -> Row | None:
            return Row(7, 500)

        def give_back(self, coin: Row) -> None:
            self.returned += 1

    pool = Generous()
    with pytest.raises(WERR_INTERNAL, match="output 7 twice"):
        generate_change(pay(1000, target_net_count=0), pool, no_draw)
    assert pool.returned == 1


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"fixed_inputs": [FixedInput(1, 1), FixedInput(-1, 1)]}, "fixedInputs[1].satoshis"),
        ({"fixed_inputs": [FixedInput(1, -1)]}, "fixedInputs[0].unlockingScriptLength"),
        ({"fixed_inputs": [FixedInput(1, 2**32)]}, "fixedInputs[0].unlockingScriptLength"),
        ({"fixed_outputs": [FixedOutput(2_100_000_000_000_001, 1)]}, "fixedOutputs[0].satoshis"),
        ({"fixed_outputs": [FixedOutput(True, 1)]}, "fixedOutputs[0].satoshis"),
        ({"fixed_outputs": [FixedOutput(1, 1.0)]}, "fixedOutputs[0].lockingScriptLength"),  # type: ignore[arg-type]
        ({"change_first_satoshis": 0}, "changeFirstSatoshis"),
        ({"change_initial_satoshis": 0}, "changeInitialSatoshis"),
        ({"change_locking_script_length": -1}, "changeLockingScriptLength"),
        ({"change_unlocking_script_length": -1}, "changeUnlockingScriptLength"),
        ({"target_net_count": 1.5}, "targetNetCount"),
        ({"max_change_outputs": 0}, "maxChangeOutputs"),
    ],
)
def test_a_request_out_of_range_is_refused(changes: dict[str, Any], parameter: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        request_for(**changes)
    assert refused.value.parameter == parameter


def test_only_one_output_may_ask_for_as_much_as_possible() -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        request_for(fixed_outputs=[FixedOutput(MAX_POSSIBLE_SATOSHIS, 25)] * 2)
    assert refused.value.message == (
        "The fixedOutputs[1].satoshis parameter must be valid satoshis amount. "
        "Only one 'maxPossibleSatoshis' output allowed."
    )


@pytest.mark.parametrize(
    ("target", "exact", "output_id"),
    [
        (100, None, 3),
        (101, None, 1),
        (99, None, 3),
        (1000, None, 6),
        (1000, 100, 3),
        (60, 77, 3),
        (50, 77, 2),
        (0, None, 2),
    ],
)
def test_sorted_coins_prefer_exact_then_smallest_enough_then_largest(
    target: int, exact: int | None, output_id: int
) -> None:
    pool = SortedCoins([Row(9, 100), Row(6, 300), Row(3, 100), Row(2, 50), Row(5, 300), Row(4, 50), Row(1, 300)])
    chosen = pool.take(target, exact)
    assert chosen is not None
    assert chosen.output_id == output_id


@given(
    satoshis=st.lists(st.integers(1, 40), max_size=12),
    asks=st.lists(st.tuples(st.integers(0, 45), st.none() | st.integers(1, 40), st.booleans()), max_size=20),
)
def test_sorted_coins_choose_as_a_search_through_all_would(
    satoshis: list[int], asks: list[tuple[int, int | None, bool]]
) -> None:
    held = rows(*satoshis)
    pool = SortedCoins(reversed(held))
    for target, exact, returned in asks:
        order = (
            sorted((row for row in held if row.satoshis == exact), key=lambda row: row.output_id)
            + sorted((row for row in held if row.satoshis >= target), key=lambda row: (row.satoshis, row.output_id))
            + sorted((row for row in held if row.satoshis < target), key=lambda row: (-row.satoshis, -row.output_id))
        )
        chosen = pool.take(target, exact)
        assert chosen == (order[0] if order else None)
        if chosen is None:
            continue
        if returned:
            pool.give_back(chosen)
        else:
            held.remove(chosen)
        assert len(pool) == len(held)


def naive_funding(request: FundingRequest, coins: Sequence[Row], draw: Callable[[], float]) -> Any:
    """The reference algorithm read again, re-summing everything at every step: slow, short of no detail."""
    fee_model, dust = request.fee_model, request.fee_model.dust_floor
    pool = SortedCoins(coins)
    taken: list[Row] = []
    change: list[int] = []
    fixed_in = [fixed.unlocking_script_length for fixed in request.fixed_inputs]
    fixed_out = [fixed.locking_script_length for fixed in request.fixed_outputs]
    spending = sum(fixed.satoshis for fixed in request.fixed_outputs)
    given_target = request.target_net_count is not None
    target = min(request.target_net_count or 0, 8)

    def need(more_in: int = 0, more_out: int = 0) -> int:
        sizes_in = fixed_in + [107] * (len(taken) + more_in)
        return fee_model.fee(transaction_size(sizes_in, fixed_out + [25] * (len(change) + more_out)))

    def excess(more_in: int = 0, more_out: int = 0) -> int:
        funds = sum(fixed.satoshis for fixed in request.fixed_inputs) + sum(row.satoshis for row in taken)
        return funds - spending - sum(change) - need(more_in, more_out)

    def least() -> int:
        return max(dust, request.change_initial_satoshis if change else request.change_first_satoshis)

    while len(change) < 8 and ((given_target and target > len(change) - len(taken)) or (not change and excess() > 0)):
        change.append(least())
    removing = False
    while True:
        while taken:
            pool.give_back(taken.pop())
        while excess() < 0:
            exact = -excess(1, 0) if not given_target and not change else None
            extra = int(given_target and len(change) < 8 and len(change) - len(taken) - 1 < target)
            ask = -excess(1, extra) + 2 * request.change_initial_satoshis * extra
            if not change and not extra:
                ask += dust + need(0, 1) - need()
            coin = pool.take(ask, exact)
            if coin is None:
                break
            taken.append(coin)
            if not removing and excess() > 0 and (extra or not change) and len(change) < 8:
                share = min(excess(), least())
                if share >= dust:
                    change.append(share)
        if excess() >= 0 or not change:
            break
        removing = True
        while change and excess() < 0:
            change.pop()
        if excess() < 0:
            break
        copy = [row.satoshis for row in taken]
        while len(copy) > 1 and len(change) > 1 and any(value <= change[-1] for value in copy):
            copy.remove(next(value for value in copy if value <= change[-1]))
            change.pop()
    if excess() < 0:
        return "insufficient", spending + need(), -excess()
    if not change and excess() > 0:
        while taken:
            taken.pop()
        return "insufficient", spending + need(), request.change_first_satoshis
    while change and (left := excess()) > 0:
        if len(change) == 1:
            change[0] += left
        elif change[0] < request.change_initial_satoshis:
            change[0] += min(left, request.change_initial_satoshis - change[0])
        else:
            share = max(1, int(draw() * 2501 + 2500) * left // 10000)
            change[int(draw() * len(change))] += share
    return [row.output_id for row in taken], change, need()


amounts = st.integers(0, 3000)
requests = st.builds(
    FundingRequest,
    fee_model=st.builds(FeeModel, value=st.sampled_from([0, 1, 50, 100, 500])),
    change_initial_satoshis=st.integers(1, 400),
    change_first_satoshis=st.integers(1, 400),
    fixed_inputs=st.lists(st.builds(FixedInput, amounts, st.integers(0, 300)), max_size=3),
    fixed_outputs=st.lists(st.builds(FixedOutput, amounts, st.integers(0, 300)), max_size=3),
    target_net_count=st.none() | st.integers(-10, 12),
)

coin_lists = (st.lists(st.integers(1, 1500), max_size=14) | st.lists(st.integers(200, 400), max_size=8)).map(
    lambda values: rows(*values)
)


@settings(max_examples=400, deadline=None)
@given(request=requests, coins=coin_lists, seed=st.integers(0, 1000))
def test_reference_mode_agrees_with_an_independent_reading(
    request: FundingRequest, coins: list[Row], seed: int
) -> None:
    expected = naive_funding(request, coins, random.Random(seed).random)
    try:
        result = generate_change(
            replace(request, reference_compatible=True), SortedCoins(coins), random.Random(seed).random
        )
    except WERR_INSUFFICIENT_FUNDS as error:
        got: Any = ("insufficient", error.total_satoshis_needed, error.more_satoshis_needed)
    else:
        got = ([coin.output_id for coin in result.inputs], list(result.change), result.fee)
    assert got == expected


def check_balanced(request: FundingRequest, result: Funding[Row]) -> None:
    paid_in = sum(fixed.satoshis for fixed in request.fixed_inputs) + sum(coin.satoshis for coin in result.inputs)
    paid_out = sum(fixed.satoshis for fixed in request.fixed_outputs) + sum(result.change)
    if result.max_possible is not None:
        paid_out += result.max_possible.satoshis - MAX_POSSIBLE_SATOSHIS
        assert result.max_possible.satoshis > 0
    size = transaction_size(
        [fixed.unlocking_script_length for fixed in request.fixed_inputs] + [107] * len(result.inputs),
        [fixed.locking_script_length for fixed in request.fixed_outputs] + [25] * len(result.change),
    )
    required, dust = request.fee_model.fee(size), request.fee_model.dust_floor
    assert paid_in == paid_out + result.fee
    assert result.size == size
    if result.change or result.max_possible is not None:
        assert result.fee == required
    else:
        assert required <= result.fee < request.fee_model.fee(size + 36) + dust
    assert all(satoshis >= dust for satoshis in result.change)
    assert len(result.change) <= request.max_change_outputs


@settings(max_examples=400, deadline=None)
@given(request=requests, coins=coin_lists, sweep=st.booleans(), seed=st.integers(0, 1000))
def test_what_goes_in_comes_out_and_every_coin_is_accounted_for(
    request: FundingRequest, coins: list[Row], sweep: bool, seed: int
) -> None:
    if sweep:
        request = replace(request, fixed_outputs=[*request.fixed_outputs, FixedOutput(MAX_POSSIBLE_SATOSHIS, 25)])
    pool = WatchedPool(SortedCoins(coins))
    result: Funding[Row] | None
    missing = 0
    try:
        result = generate_change(request, pool, random.Random(seed).random)
    except WERR_INSUFFICIENT_FUNDS as error:
        missing, result = error.more_satoshis_needed, None
    if result is None:
        assert missing > 0
        assert not pool.out
        assert len(pool.coins) == len(coins)
        return
    assert {coin.output_id for coin in result.inputs} == pool.out
    assert len(result.inputs) == len(pool.out)
    assert len(pool.coins) == len(coins) - len(result.inputs)
    check_balanced(request, result)


@settings(max_examples=200, deadline=None)
@given(request=requests, coins=coin_lists, seed=st.integers(0, 1000))
def test_default_mode_differs_only_where_the_reference_gives_up(
    request: FundingRequest, coins: list[Row], seed: int
) -> None:
    try:
        reference = generate_change(
            replace(request, reference_compatible=True), SortedCoins(coins), random.Random(seed).random
        )
    except WERR_INSUFFICIENT_FUNDS:
        return
    assert generate_change(request, SortedCoins(coins), random.Random(seed).random) == reference


def test_a_payment_may_need_nearly_twenty_thousand_coins() -> None:
    pool = SortedCoins(rows(*[100] * 20_000))
    result = generate_change(pay(1_900_000, target_net_count=-20_000), pool, no_draw)
    assert len(result.inputs) > 19_000


@pytest.mark.parametrize(
    ("count", "draws", "vouts"),
    [(5, [0.5], [0, 3, 1, 4, 2]), (4, [0.1, 0.9, 0.3], [1, 3, 2, 0]), (3, [0.0], [1, 2, 0]), (0, [0.5], [])],
)
def test_recorded_shuffles(count: int, draws: list[float], vouts: list[int]) -> None:
    assert shuffle_vouts(count, cyclic(*draws)) == vouts


@given(count=st.integers(0, 200), seed=st.integers(0, 1000))
def test_a_shuffle_is_a_permutation(count: int, seed: int) -> None:
    assert sorted(shuffle_vouts(count, random.Random(seed).random)) == list(range(count))


def test_the_example_in_the_documentation_runs() -> None:
    outcome = doctest.testmod(funding_module)
    assert outcome.attempted > 0
    assert outcome.failed == 0
