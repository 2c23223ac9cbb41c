"""Where time, randomness and crashes enter the toolbox, so that a test can hold all three.

A Clock answers milliseconds since 1970 UTC. An Entropy answers bytes (in an order fixed per action) and, from a stream
of its own, fractions for shuffles. Every durable boundary passes :func:`failpoint`, where a test may kill, fail or
delay.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol

__all__ = [
    "Clock",
    "Entropy",
    "Failpoint",
    "ManualClock",
    "SeededEntropy",
    "SystemClock",
    "SystemEntropy",
    "failpoint",
    "failpoints_armed",
]


class Clock(Protocol):
    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def advance(self, milliseconds: int) -> None:
        self._now += milliseconds


class Entropy(Protocol):
    """Both methods may be called from any thread."""

    def bytes(self, count: int) -> bytes:
        """``count`` fresh bytes fit for keys."""

    def fraction(self) -> float:
        """A number in [0, 1) made of 32 bits, from a stream that :meth:`bytes` does not advance."""


class SystemEntropy:
    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def fraction(self) -> float:
        return secrets.randbits(32) / 2**32


class SeededEntropy:
    """Reproducible entropy for tests and recorded vectors: blocks SHA-256(SHA-256(seed) ‖ counter, 8 bytes big-endian).

    A request takes whole blocks; what is left of the last one is never reused.
    """

    def __init__(self, seed: str) -> None:
        self._bytes_key = hashlib.sha256(seed.encode()).digest()
        self._fraction_key = hashlib.sha256(b"fractions:" + seed.encode()).digest()
        self._bytes_counter = 0
        self._fraction_counter = 0
        self._lock = threading.Lock()

    def bytes(self, count: int) -> bytes:
        with self._lock:
            start = self._bytes_counter
            self._bytes_counter += -(-count // 32)
            end = self._bytes_counter
        return b"".join(_block(self._bytes_key, counter) for counter in range(start, end))[:count]

    def fraction(self) -> float:
        with self._lock:
            counter = self._fraction_counter
            self._fraction_counter += 1
        return int.from_bytes(_block(self._fraction_key, counter)[:4], "big") / 2**32


def _block(key: bytes, counter: int) -> bytes:
    return hashlib.sha256(key + counter.to_bytes(8, "big")).digest()


class Failpoint(StrEnum):
    """Every durable boundary. Fault tests walk this list, so a new boundary is tested once it is named here."""

    CREATE_BEFORE_COMMIT = "createAction.beforeCommit"
    CREATE_AFTER_COMMIT = "createAction.afterCommit"
    PROCESS_BEFORE_COMMIT = "processAction.beforeCommit"
    PROCESS_AFTER_COMMIT = "processAction.afterCommit"
    SHARE_BEFORE_COMMIT = "sendWith.beforeCommit"
    SHARE_AFTER_COMMIT = "sendWith.afterCommit"
    ABORT_BEFORE_COMMIT = "abortAction.beforeCommit"
    ABORT_AFTER_COMMIT = "abortAction.afterCommit"
    INTERNALIZE_BEFORE_COMMIT = "internalizeAction.beforeCommit"
    INTERNALIZE_AFTER_COMMIT = "internalizeAction.afterCommit"
    BROADCAST_BEFORE_POST = "broadcast.beforePost"
    BROADCAST_AFTER_POST = "broadcast.afterPost"
    VERDICT_BEFORE_COMMIT = "verdict.beforeCommit"
    VERDICT_AFTER_COMMIT = "verdict.afterCommit"
    PROOF_BEFORE_COMMIT = "proof.beforeCommit"
    PROOF_AFTER_COMMIT = "proof.afterCommit"
    REORG_BEFORE_COMMIT = "reorg.beforeCommit"
    REORG_AFTER_COMMIT = "reorg.afterCommit"
    ABANDON_BEFORE_COMMIT = "failAbandoned.beforeCommit"
    ABANDON_AFTER_COMMIT = "failAbandoned.afterCommit"
    ENGINE_BEFORE_COMMIT = "engine.beforeCommit"
    ENGINE_AFTER_COMMIT = "engine.afterCommit"


_handler: Callable[[Failpoint], None] | None = None
"""Process-wide on purpose: a boundary is passed on threads that share no context with the test that watches it."""


def failpoint(point: Failpoint) -> None:
    """Pass a durable boundary. Does nothing unless a test armed a handler."""
    if _handler is not None:
        _handler(point)


@contextmanager
def failpoints_armed(handler: Callable[[Failpoint], None]) -> Iterator[None]:
    """Call ``handler`` at every boundary, on the thread that passes it; it may raise, sleep or end the process."""
    global _handler
    previous, _handler = _handler, handler
    try:
        yield
    finally:
        _handler = previous
