"""Fees in exact integers, and the least change worth keeping."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.fee import FeeModel


@given(size=st.integers(0, 4_000_000_000), rate=st.integers(0, 10**12))
def test_fee_is_the_exact_quotient_rounded_up(size: int, rate: int) -> None:
    assert FeeModel(value=rate).fee(size) == ceil(Fraction(size, 1000) * rate)


@pytest.mark.parametrize("size", [280, 550, 560, 1090, 1100, 1110, 1120, 2180, 2200])
def test_fee_has_no_binary_rounding_error_where_floating_point_has(size: int) -> None:
    assert FeeModel(value=100).fee(size) == size // 10
    assert ceil(size / 1000 * 100) == size // 10 + 1


@pytest.mark.parametrize(("rate", "dust_floor"), [(0, 1), (1, 2), (100, 40), (50, 20), (500, 192)])
def test_dust_floor_is_twice_the_fee_of_spending_one_coin(rate: int, dust_floor: int) -> None:
    assert FeeModel(value=rate).dust_floor == dust_floor


def test_a_missing_rate_is_one_satoshi() -> None:
    assert FeeModel() == FeeModel("sat/kb", 1)


def test_another_model_is_refused() -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        FeeModel("sat/b", 1)
    assert refused.value.message == 'The StorageFeeModel.model parameter must be "sat/kb"'


@pytest.mark.parametrize("value", [-1, 1.5, True, "1", 2_100_000_000_000_001])
def test_a_rate_that_is_no_amount_of_satoshis_is_refused(value: object) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match=r"StorageFeeModel\.value"):
        FeeModel("sat/kb", value)  # type: ignore[arg-type]
