"""The fee of a transaction of a given size, in exact integers."""

from __future__ import annotations

from dataclasses import dataclass

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.sizes import transaction_size

__all__ = ["MAX_SATOSHIS", "FeeModel"]

MAX_SATOSHIS = 2_100_000_000_000_000
"""All the satoshis there will ever be."""

_ONE_IN_ONE_OUT = transaction_size([107], [25])


@dataclass(frozen=True, slots=True)
class FeeModel:
    """``value`` satoshis per 1000 bytes, rounded up to a whole satoshi per transaction.

    Peers that compute in binary floating point ask one satoshi more at a few sizes (280 bytes at rate 100, for one).

    Raises WERR_INVALID_PARAMETER for another model than ``sat/kb`` or a value that is no integer of satoshis.
    """

    model: str = "sat/kb"
    value: int = 1

    def __post_init__(self) -> None:
        if self.model != "sat/kb":
            raise WERR_INVALID_PARAMETER("StorageFeeModel.model", '"sat/kb"')
        if type(self.value) is not int or not 0 <= self.value <= MAX_SATOSHIS:
            raise WERR_INVALID_PARAMETER("StorageFeeModel.value", "a valid number of satoshis")

    def fee(self, size: int) -> int:
        """Satoshis to pay for ``size`` bytes."""
        return -(-size * self.value // 1000)

    @property
    def dust_floor(self) -> int:
        """The least satoshis worth keeping as change: twice what it costs to spend one coin into one output."""
        return max(1, 2 * self.fee(_ONE_IN_ONE_OUT))
