"""Derivation counters taken in blocks, so that a key alone can find its coins and no counter is ever used twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bsv_wallet_toolbox.keys.derived_entropy import DerivedEntropy

__all__ = ["DerivationReserve"]

BLOCK = 4096
MARGIN = 1024
"""More than all calls in flight can draw: at most 10 each, at most 64 at once."""


class DerivationReserve:
    """Keeps an entropy inside counters that the store has durably given away to this process alone."""

    def __init__(self, entropy: DerivedEntropy, reserve: Callable[[int], Awaitable[int]]) -> None:
        self._entropy = entropy
        self._reserve = reserve
        self._limit = 0
        self._lock = asyncio.Lock()

    @property
    def entropy(self) -> DerivedEntropy:
        return self._entropy

    async def ready(self) -> None:
        """Return when the next action's draws are covered by a committed reservation."""
        if self._entropy.next_counter + MARGIN <= self._limit:
            return
        async with self._lock:
            while self._entropy.next_counter + MARGIN > self._limit:
                first = await self._reserve(BLOCK)
                self._entropy.skip_to(first)
                self._limit = first + BLOCK
