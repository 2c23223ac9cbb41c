"""The random values of one action, drawn once: when an operation runs again it finds what it drew before."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

from bsv_wallet_toolbox.seams import Entropy
from bsv_wallet_toolbox.templates.commission import CommissionLock, new_commission_lock

__all__ = ["ActionDraws"]

REFERENCE_BYTES = 12
DERIVATION_BYTES = 16


class ActionDraws:
    """Reference, derivation prefix and suffixes in the order that recorded actions fix, as base64 texts.

    Fractions come from the entropy's other stream (or from the list a test gives, in turn for ever).
    """

    def __init__(self, entropy: Entropy, fractions: tuple[float, ...] | None = None) -> None:
        self._entropy = entropy
        self._given = fractions or ()
        self._fractions: list[float] = []
        self._suffixes: list[str] = []
        self._commission_lock: CommissionLock | None = None
        self.reference = b64encode(entropy.bytes(REFERENCE_BYTES)).decode()
        self.derivation_prefix = b64encode(entropy.bytes(DERIVATION_BYTES)).decode()

    def suffix(self, index: int) -> str:
        while len(self._suffixes) <= index:
            self._suffixes.append(b64encode(self._entropy.bytes(DERIVATION_BYTES)).decode())
        return self._suffixes[index]

    def commission_lock(self, public_key: bytes) -> CommissionLock:
        """The lock of the store's service charge, under an offset that is drawn once."""
        if self._commission_lock is None:
            self._commission_lock = new_commission_lock(public_key, self._entropy)
        return self._commission_lock

    def fractions(self) -> Callable[[], float]:
        """A source of fractions that starts at the first one."""
        position = 0

        def next_fraction() -> float:
            nonlocal position
            if self._given:
                value = self._given[position % len(self._given)]
            else:
                if position == len(self._fractions):
                    self._fractions.append(self._entropy.fraction())
                value = self._fractions[position]
            position += 1
            return value

        return next_fraction
