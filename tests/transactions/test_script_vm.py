from __future__ import annotations

import resource
import time

import _bsv_native
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed_chain import KEY, PUBLIC_KEY, funding, push, spend

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.script_vm import MAX_SCRIPT_BYTES, verify_input
from bsv_wallet_toolbox.transactions.tx import (
    MAX_SATOSHIS,
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
    signature_hash,
)

PAY_TO_KEY = push(PUBLIC_KEY) + b"\xac"
SOURCE = "aa" * 32


def transaction(unlock: bytes, version: int = 1, inputs: int = 1) -> TransactionView:
    specs = [InputSpec(SOURCE, vout, unlock) for vout in range(inputs)]
    return parse_transaction(build_transaction(specs, [OutputSpec(900, b"\x51"), OutputSpec(1, b"\x6a")], version))


def signed(lock: bytes, version: int = 1, sighash: int = 0x41, code: bytes | None = None) -> TransactionView:
    digest = signature_hash(transaction(b"", version), 0, 1000, lock if code is None else code, sighash)
    return transaction(push(_bsv_native.ecdsa_sign(digest, KEY) + bytes((sighash,))), version)


def run(unlock: str, lock: str, version: int = 1) -> str | None:
    return verify_input(transaction(bytes.fromhex(unlock), version), 0, 1000, bytes.fromhex(lock))


@pytest.mark.parametrize("sighash", [base | 0x40 | anyone for base in (1, 2, 3) for anyone in (0, 0x80)])
def test_signatures_with_every_flag_verify(sighash: int) -> None:
    tx = signed(PAY_TO_KEY, sighash=sighash)
    assert verify_input(tx, 0, 1000, PAY_TO_KEY) is None
    assert "OP_CHECKSIG failed" in str(verify_input(tx, 0, 999, PAY_TO_KEY))


def test_every_input_of_a_large_transaction_is_checked_at_its_own_index() -> None:
    coins = [funding(nonce=nonce) for nonce in range(40)]
    tx = spend([(coin, 0) for coin in coins], [5])
    assert [verify_input(tx, vin, 1_000_000, coins[vin].outputs[0].locking_script) for vin in range(40)] == [None] * 40
    with pytest.raises(WERR_INVALID_PARAMETER):
        verify_input(tx, 40, 1_000_000, b"\x51")


@pytest.mark.parametrize(
    "tail", ["6a", "6a00", "6a0102", "6a02aabb", "6a4c0102", "6a4c05aa", "6a6a6b", "6a4effffffff01"]
)
def test_data_behind_a_return_is_signed_as_it_stands_and_never_run(tail: str) -> None:
    lock = PAY_TO_KEY + bytes.fromhex(tail)
    assert verify_input(signed(lock), 0, 1000, lock) is None
    assert verify_input(signed(lock, code=PAY_TO_KEY), 0, 1000, lock) is not None


@pytest.mark.parametrize(
    ("unlock", "lock"),
    [
        ("", "51"),
        ("51", ""),
        ("51", "7551"),
        ("5152", "935387"),
        ("51", "63516752" + "68"),
        ("00", "63ff6851"),
        ("", "516a4c"),
    ],
)
def test_scripts_that_succeed(unlock: str, lock: str) -> None:
    assert run(unlock, lock) is None


@pytest.mark.parametrize(
    ("unlock", "lock", "reason"),
    [
        ("", "", "clean stack"),
        ("", "00", "truthy"),
        ("51", "51", "clean stack"),
        ("6151", "", "push operations"),
        ("", "ff", "Invalid opcode"),
        ("", "5163", "OP_IF"),
        ("51", "4c05aa", "past the end"),
        ("05aa", "51", "past the end"),
        ("51", "634c05aa68", "past the end"),
        ("51", "636a4c05aa", "past the end"),
    ],
)
def test_scripts_that_fail_give_a_short_reason(unlock: str, lock: str, reason: str) -> None:
    answer = run(unlock, lock)
    assert answer is not None
    assert reason in answer
    assert "\n" not in answer
    assert "Script evaluation error" not in answer


@pytest.mark.parametrize("prefix", ["4c01aa75", "010275", "00634c02aabb68"])
def test_signatures_over_pushes_that_the_interpreter_would_rewrite_are_refused(prefix: str) -> None:
    lock = bytes.fromhex(prefix) + PAY_TO_KEY
    rewritten = {"4c01aa75": "01aa75", "010275": "5275", "00634c02aabb68": "006302aabb68"}[prefix]
    for code in (lock, bytes.fromhex(rewritten) + PAY_TO_KEY):
        assert "not minimally encoded" in str(verify_input(signed(lock, 2, code=code), 0, 1000, lock))


@pytest.mark.parametrize(
    "lock", [PAY_TO_KEY, bytes.fromhex("02aabb02ccdd7e75") + PAY_TO_KEY], ids=["native", "bounded"]
)
def test_extreme_fields_of_a_transaction_get_a_verdict(lock: bytes) -> None:
    specs = [InputSpec("ff" * 32, 0xFFFFFFFF, b"", 0), InputSpec("00" * 32, 0xFFFFFFFE, b"", 0x80000000)]
    outputs = [OutputSpec(MAX_SATOSHIS, b""), OutputSpec(0, b"\xff" * 70000)]

    def extreme(unlock: bytes, version: int) -> TransactionView:
        first = InputSpec("ff" * 32, 0xFFFFFFFF, unlock, 0)
        return parse_transaction(build_transaction([first, *specs[1:]], outputs, version, 0xFFFFFFFF))

    for version in (0, 1, 2, 0x7FFFFFFF):
        digest = signature_hash(extreme(b"", version), 0, MAX_SATOSHIS, lock)
        tx = extreme(push(_bsv_native.ecdsa_sign(digest, KEY) + b"\x41"), version)
        assert verify_input(tx, 0, MAX_SATOSHIS, lock) is None
        assert verify_input(tx, 1, MAX_SATOSHIS, lock) is not None
    for version in (0x80000000, 0xFFFFFFFF):
        assert "version" in str(verify_input(extreme(b"", version), 0, 0, b"\x51"))


def test_an_oversized_script_is_not_run() -> None:
    assert "larger than" in str(verify_input(transaction(b""), 0, 1000, b"\x61" * (MAX_SCRIPT_BYTES + 1)))


@pytest.mark.parametrize(
    "lock",
    [
        "0004ffffff7f80",
        "0004ffffff7f8077",
        "0005ffffffff7f80",
        "51" + "767e" * 40,
        "02ff7f" + "7695" * 30,
        "5104ffffff7fb6",
        "5109ffffffffffffffff7fb6",
        "4e40420f00" + "aa" * 1_000_000 + "76" * 3000,
    ],
    ids=["num2bin", "num2bin nip", "num2bin wide", "cat", "mul", "lshift", "lshift wide", "large dup"],
)
def test_scripts_that_ask_for_gigabytes_are_stopped(lock: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    assert run("", lock, 1) is not None
    assert time.perf_counter() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000


@pytest.mark.parametrize(
    ("unlock", "lock"),
    [
        ("", "02aabb02ccdd7e04aabbccdd87"),
        ("", "5154800401000000" + "87"),
        ("", "52539556" + "87"),
        ("", "575395011587"),
        ("", "5153b6" + "5887"),
        ("", "57539652" + "87"),
        ("", "5753975187"),
        ("", "02aabb" + "767e" * 20 + "76" * 2000 + "75" * 2000),
    ],
    ids=["cat", "num2bin", "mul", "mul again", "lshiftnum", "div", "mod", "many copies"],
)
def test_growing_operations_within_bounds_still_work(unlock: str, lock: str) -> None:
    assert run(unlock, lock) is None


def test_a_size_may_be_padded_where_numbers_need_not_be_minimal() -> None:
    assert run("", "51516080805187", 2) is None
    assert "non-minimally" in str(run("", "51516080805187", 1))


def test_a_signature_check_beside_a_growing_operation() -> None:
    lock = bytes.fromhex("02aabb02ccdd7e75") + PAY_TO_KEY + bytes.fromhex("6a4c05aa")
    assert verify_input(signed(lock), 0, 1000, lock) is None
    assert "OP_CHECKSIG failed" in str(verify_input(signed(lock), 0, 999, lock))


def test_the_size_of_the_transaction_bounds_the_number_of_signature_checks() -> None:
    outputs = [OutputSpec(1, bytes(1_000_000))]
    tx = parse_transaction(build_transaction([InputSpec(SOURCE, 0, b"\x00")], outputs))
    lock = (b"\x00" + push(PUBLIC_KEY) + b"\xac\x75") * 2100 + b"\x51"
    assert "limits" in str(verify_input(tx, 0, 1000, lock))


@settings(max_examples=300)
@given(st.binary(max_size=8), st.binary(max_size=24), st.sampled_from([1, 2]))
def test_any_script_gives_a_verdict(unlock: bytes, lock: bytes, version: int) -> None:
    verdict = verify_input(transaction(unlock, version), 0, 1000, lock)
    assert verdict is None or verdict


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([0x00, 0x51, 0x52, 0x4F, 0x60]), max_size=6).map(bytes),
    st.lists(
        st.sampled_from([0x51, 0x76, 0x78, 0x7E, 0x7F, 0x80, 0x81, 0x95, 0x96, 0x97, 0xB6, 0xB7, 0x98]), max_size=9
    ).map(bytes),
)
def test_both_interpreters_agree_on_growing_operations_within_the_limits(unlock: bytes, lock: bytes) -> None:
    tx = transaction(unlock, 2)
    chunks = _bsv_native.parse_script_chunks
    rows = (2, SOURCE, 0, 0, 0, 0xFFFFFFFF, 1000, [], list(tx.serialized_outputs))
    try:
        native = _bsv_native.spend_validate(chunks(unlock), chunks(lock), *rows)
    except RuntimeError:
        native = False
    verdict = verify_input(tx, 0, 1000, lock)
    assert (verdict is None) == native or (native and "limits of this verifier" in str(verdict))
