"""Entropy that the root key alone can compute again."""

import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.keys.derived_entropy import DerivedEntropy
from bsv_wallet_toolbox.seams import Entropy, SeededEntropy

ROOT = b"\x11" * 32


def entropy(store_id: str = "store", next_counter: int = 0, root_key: bytes = ROOT) -> DerivedEntropy:
    return DerivedEntropy(root_key, store_id, next_counter, SeededEntropy("shuffles"))


def test_it_is_an_entropy_and_fractions_come_from_the_fresh_one() -> None:
    source: Entropy = entropy()
    assert source.fraction() == SeededEntropy("shuffles").fraction()
    assert entropy().next_counter == 0


def test_the_bytes_are_the_documented_function_of_key_store_and_counter() -> None:
    """Fixed for ever: coins found again years later depend on it."""
    domain = b"bsv-wallet-toolbox derivation entropy 1\0store"
    subkey = hmac.new(ROOT, domain, hashlib.sha256).digest()
    block = hmac.new(subkey, (7).to_bytes(8, "big"), hashlib.sha256).digest()
    assert entropy(next_counter=7).bytes(16) == block[:16]
    assert entropy().bytes(16).hex() == "30314c16fd721162e4485905606cad18"


def test_every_request_starts_at_a_counter_of_its_own() -> None:
    source = entropy()
    reference, prefix, suffix = source.bytes(12), source.bytes(16), source.bytes(16)
    assert source.next_counter == 3
    assert len({reference[:12], prefix[:12], suffix[:12]}) == 3
    long = source.bytes(65)
    assert source.next_counter == 6
    assert len(long) == 65
    assert source.bytes(0) == b""
    assert source.next_counter == 6
    again = entropy()
    assert [again.recall(0, 12), again.recall(1, 16), again.recall(2, 16), again.recall(3, 65)] == [
        reference,
        prefix,
        suffix,
        long,
    ]
    assert again.next_counter == 0


def test_a_reopened_store_goes_on_where_it_stopped() -> None:
    whole = entropy()
    drawn = [whole.bytes(16) for _ in range(4)]
    first = entropy()
    before = [first.bytes(16) for _ in range(2)]
    second = entropy(next_counter=first.next_counter)
    assert before + [second.bytes(16) for _ in range(2)] == drawn


def test_stores_and_keys_have_streams_of_their_own() -> None:
    streams = [entropy(), entropy("other"), entropy("stor"), entropy(root_key=b"\x12" * 32)]
    assert len({stream.bytes(16) for stream in streams}) == 4


def test_a_store_that_may_be_behind_skips_ahead_and_never_back() -> None:
    source = entropy(next_counter=5)
    source.skip_to(1000)
    source.skip_to(7)
    assert source.next_counter == 1000


def test_threads_never_get_the_same_bytes() -> None:
    source = entropy()
    with ThreadPoolExecutor(8) as threads:
        drawn = list(threads.map(lambda _: source.bytes(16), range(500)))
    assert len(set(drawn)) == 500
    assert source.next_counter == 500


def test_the_repr_shows_no_secret() -> None:
    assert repr(entropy("file 1", 9)) == "DerivedEntropy(store_id='file 1', next_counter=9)"


@pytest.mark.parametrize(
    ("root_key", "store_id", "counter"),
    [
        (bytes(32), "store", 0),
        (ROOT, "", 0),
        (ROOT, "s" * 1001, 0),
        (ROOT, "\ud800", 0),
        (ROOT, 5, 0),
        (ROOT, "store", -1),
        (ROOT, "store", 2**53),
        (ROOT, "store", 1.0),
    ],
)
def test_arguments_out_of_range_are_refused(root_key: Any, store_id: Any, counter: Any) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER):
        DerivedEntropy(root_key, store_id, counter, SeededEntropy("x"))


def test_the_sequence_ends_rather_than_wraps() -> None:
    source = entropy(next_counter=2**53 - 1)
    for _ in range(2):
        with pytest.raises(WERR_INVALID_PARAMETER):
            source.bytes(16)
    with pytest.raises(WERR_INVALID_PARAMETER):
        source.bytes(-1)
    with pytest.raises(WERR_INVALID_PARAMETER):
        source.bytes(10**9)
