"""Clock, entropy and failpoints."""

from __future__ import annotations

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bsv_wallet_toolbox.seams import (
    Failpoint,
    ManualClock,
    SeededEntropy,
    SystemClock,
    SystemEntropy,
    failpoint,
    failpoints_armed,
)

SEED = "wallet.brc100.createaction-funded.1"


def test_seeded_entropy_gives_the_recorded_derivations() -> None:
    entropy = SeededEntropy(SEED)
    assert entropy.bytes(12).hex().startswith("485c789b7eaf370c")
    assert base64.b64encode(entropy.bytes(16)) == b"v0L5q+NNboCjsmtUEE82mg=="
    assert base64.b64encode(entropy.bytes(16)) == b"1+dPrCwRh4UQMPFKGEk/cg=="


def entropy_block(index: int) -> str:
    return SeededEntropy(SEED).bytes(32 * (index + 1))[32 * index :].hex()


def test_a_request_takes_whole_blocks() -> None:
    entropy = SeededEntropy(SEED)
    assert entropy.bytes(33).hex() == entropy_block(0) + entropy_block(1)[:2]
    assert entropy.bytes(1).hex() == entropy_block(2)[:2]
    assert entropy.bytes(0) == b""
    assert entropy.bytes(32).hex() == entropy_block(3)


def test_fractions_do_not_advance_the_bytes() -> None:
    plain, mixed = SeededEntropy("seed"), SeededEntropy("seed")
    fractions = [mixed.fraction() for _ in range(100)]
    assert mixed.bytes(64) == plain.bytes(64)
    assert all(0 <= fraction < 1 for fraction in fractions)
    assert len(set(fractions)) == 100
    assert fractions == [plain.fraction() for _ in range(100)]


def test_no_two_threads_are_given_the_same_bytes() -> None:
    entropy = SeededEntropy("threads")
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda _: entropy.bytes(40), range(2000)))
    assert len(set(drawn)) == 2000


def test_system_entropy_is_fresh() -> None:
    entropy = SystemEntropy()
    assert len(entropy.bytes(32)) == 32
    assert entropy.bytes(32) != entropy.bytes(32)
    assert 0 <= entropy.fraction() < 1


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(5)
    assert (clock.now(), clock.now()) == (5, 5)
    clock.advance(10)
    assert clock.now() == 15


def test_the_system_clock_counts_milliseconds() -> None:
    assert abs(SystemClock().now() - time.time() * 1000) < 60_000


def test_a_failpoint_does_nothing_until_it_is_armed() -> None:
    passed: list[Failpoint] = []
    failpoint(Failpoint.CREATE_BEFORE_COMMIT)
    with failpoints_armed(passed.append):
        failpoint(Failpoint.CREATE_AFTER_COMMIT)
    failpoint(Failpoint.CREATE_BEFORE_COMMIT)
    assert passed == [Failpoint.CREATE_AFTER_COMMIT]


def test_a_handler_may_raise_and_is_disarmed_all_the_same() -> None:
    def fail(point: Failpoint) -> None:
        raise OSError(point)

    with pytest.raises(OSError, match=r"broadcast\.beforePost"), failpoints_armed(fail):
        failpoint(Failpoint.BROADCAST_BEFORE_POST)
    failpoint(Failpoint.BROADCAST_BEFORE_POST)


def test_an_inner_handler_gives_way_to_the_outer_one() -> None:
    outer: list[Failpoint] = []
    inner: list[Failpoint] = []
    with failpoints_armed(outer.append):
        with failpoints_armed(inner.append):
            failpoint(Failpoint.PROOF_BEFORE_COMMIT)
        failpoint(Failpoint.PROOF_AFTER_COMMIT)
    assert (inner, outer) == ([Failpoint.PROOF_BEFORE_COMMIT], [Failpoint.PROOF_AFTER_COMMIT])


def test_a_boundary_passed_on_another_thread_is_seen() -> None:
    seen: list[tuple[Failpoint, int]] = []
    with failpoints_armed(lambda point: seen.append((point, threading.get_ident()))):
        worker = threading.Thread(target=failpoint, args=(Failpoint.ENGINE_BEFORE_COMMIT,))
        worker.start()
        worker.join()
    assert [point for point, _ in seen] == [Failpoint.ENGINE_BEFORE_COMMIT]
    assert seen[0][1] != threading.get_ident()


def test_failpoints_come_in_pairs_around_every_boundary() -> None:
    befores = {point.value.partition(".")[0] for point in Failpoint if ".before" in point}
    afters = {point.value.partition(".")[0] for point in Failpoint if ".after" in point}
    assert befores == afters
    assert len(Failpoint) == 2 * len(befores)
