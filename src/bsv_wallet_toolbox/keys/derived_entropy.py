"""Entropy that can be computed again from the root key, for the names under which coins are derived.

Every derivation prefix, suffix and reference that a wallet makes is one number of a sequence fixed by the root key and
the store: whoever holds the key can walk the sequence and find the coins again without a backup. To anybody else it
looks random.
"""

from __future__ import annotations

import threading

import _bsv_native as native

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.keys.derivation import checked_root_key
from bsv_wallet_toolbox.seams import Entropy

__all__ = ["DerivedEntropy"]

_DOMAIN = b"bsv-wallet-toolbox derivation entropy 1"
_BLOCK_BYTES = 32
_MAX_STORE_ID = 1000
_MAX_COUNT = 1_000_000
_MAX_COUNTER = 2**53 - 1


class DerivedEntropy:
    """An Entropy whose bytes are HMAC-SHA256(subkey, counter as 8 bytes big-endian), each counter used once.

    The subkey is HMAC-SHA256(root key, domain ‖ 0 ‖ store id): it differs per store, gives away nothing of the root
    key, and BRC-42 never uses the root key as an HMAC key. A request takes whole blocks of 32 bytes; what is left of
    the last is never used.

    :attr:`next_counter` must be stored with (or before) whatever uses the bytes, and a store that may be behind must
    :meth:`skip_to` a counter past any possible use: a counter used twice gives the same bytes twice. For that reason
    nonces and one-time keys do not come from here.

    Raises WERR_INVALID_PARAMETER for a root key, store id or counter out of range.
    """

    __slots__ = ("_fresh", "_lock", "_next_counter", "_store_id", "_subkey")

    def __init__(self, root_key: bytes, store_id: str, next_counter: int, fresh: Entropy) -> None:
        if not isinstance(store_id, str) or not 0 < len(store_id) <= _MAX_STORE_ID:
            raise WERR_INVALID_PARAMETER("storeId", f"a text of 1 to {_MAX_STORE_ID} characters")
        try:
            store_bytes = store_id.encode()
        except UnicodeEncodeError:
            raise WERR_INVALID_PARAMETER("storeId", "well-formed Unicode text") from None
        self._subkey = native.hmac_sha256(checked_root_key(root_key), _DOMAIN + b"\0" + store_bytes)
        self._store_id = store_id
        self._next_counter = _checked_counter(next_counter)
        self._fresh = fresh
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"DerivedEntropy(store_id={self._store_id!r}, next_counter={self._next_counter})"

    @property
    def next_counter(self) -> int:
        """The first counter that was never used."""
        return self._next_counter

    def fraction(self) -> float:
        """From the fresh entropy: shuffles and shares of change need not be found again."""
        return self._fresh.fraction()

    def recall(self, counter: int, count: int) -> bytes:
        """The ``count`` bytes that the request which started at ``counter`` was given. Moves nothing."""
        start = _checked_counter(counter)
        return _between(self._subkey, start, start + _blocks(count))[:count]

    def skip_to(self, counter: int) -> None:
        """Never use a counter below ``counter``; a lower one than the present changes nothing."""
        with self._lock:
            self._next_counter = max(self._next_counter, _checked_counter(counter))

    # Last, because below it ``bytes`` in an annotation would no longer be the type.
    def bytes(self, count: int) -> bytes:
        """The next ``count`` bytes; moves :attr:`next_counter` by one per 32 bytes or part of them."""
        blocks = _blocks(count)
        with self._lock:
            start = self._next_counter
            self._next_counter = _checked_counter(start + blocks)
        return _between(self._subkey, start, start + blocks)[:count]


def _between(subkey: bytes, start: int, end: int) -> bytes:
    return b"".join(native.hmac_sha256(subkey, counter.to_bytes(8, "big")) for counter in range(start, end))


def _blocks(count: int) -> int:
    if type(count) is not int or not 0 <= count <= _MAX_COUNT:
        raise WERR_INVALID_PARAMETER("count", f"an integer from 0 to {_MAX_COUNT}")
    return -(-count // _BLOCK_BYTES)


def _checked_counter(counter: int) -> int:
    if type(counter) is not int or not 0 <= counter <= _MAX_COUNTER:
        raise WERR_INVALID_PARAMETER("counter", "an integer from 0 to 2^53 - 1")
    return counter
