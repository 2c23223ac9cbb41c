from __future__ import annotations

import _bsv_native
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.hashes import sha256d
from bsv_wallet_toolbox.transactions.tx import (
    MAX_SATOSHIS,
    InputSpec,
    OutputSpec,
    build_transaction,
    parse_transaction,
    signature_hash,
    signature_preimage,
)

PAYMENT = bytes.fromhex(
    "01000000010bf94444becae59d17d2ab93ee657331e682ff87d3d2bf5c2620bb9b2cd4454d000000006b4830450221008522259247da1d90"
    "2278bfb19bf3b16a63e8f68eb9adb9fd04a76b335004b50a0220764b92015c129b976af20c3a52065136dd66d94d96c7191bafcf6646278f"
    "7a4941210268908fdf7ce5b2fc52cb828bb9d222f10fa4de7d67b0fa581ae9763ef7e89587ffffffff0184030000000000001976a914fc72"
    "50a211deddc70ee5a2738de5f07817351cef88ac00000000"
)
PAYMENT_TXID = "a4277726380f0fef86332c21f9567dc67b14f35bf71da12a4f5372d10f92c642"
SOURCE_SCRIPT = bytes.fromhex("76a91439f615435273ece138e0b75b7cf3d111e97e4ec788ac")
COINBASE_SPEND = bytes.fromhex(
    "01000000013c7551a04560944eedf4236788a21b117e60adbf21111a7cc79734f853b3cde90000000000ffffffff019cf1052a0100000001"
    "5100000000"
)

scripts = st.binary(max_size=300)
inputs = st.builds(
    InputSpec, st.binary(min_size=32, max_size=32).map(bytes.hex), st.integers(0, 2**32 - 1), scripts,
    st.integers(0, 2**32 - 1),
)  # fmt: skip
outputs = st.builds(OutputSpec, st.integers(0, MAX_SATOSHIS), scripts)
FLAGS = [base | 0x40 | anyone for base in (1, 2, 3) for anyone in (0, 0x80)]


def test_the_payment_vector_is_read_with_its_script_offsets() -> None:
    tx = parse_transaction(PAYMENT)
    assert tx.txid == PAYMENT_TXID
    assert tx.txid_bytes[::-1].hex() == PAYMENT_TXID
    assert (tx.version, tx.lock_time, tx.input_count, tx.output_count) == (1, 0, 1, 1)
    spent, paid = tx.inputs[0], tx.outputs[0]
    assert spent.txid == "4d45d42c9bbb20265cbfd2d387ff82e6317365ee93abd2179de5cabe4444f90b"
    assert (spent.vout, spent.script_offset, spent.script_length, spent.sequence) == (0, 42, 107, 0xFFFFFFFF)
    assert (paid.satoshis, paid.script_offset, paid.script_length) == (900, 163, 25)
    assert PAYMENT[163:188] == paid.locking_script
    assert tx.source_txids == (spent.txid,)
    assert tx.is_final_by_sequence


def test_the_signature_of_the_payment_vector_verifies_against_our_hash() -> None:
    tx = parse_transaction(PAYMENT)
    unlocking = tx.inputs[0].unlocking_script
    signature, public_key = unlocking[1:72], unlocking[74:]
    assert _bsv_native.ecdsa_verify(signature, signature_hash(tx, 0, 1000, SOURCE_SCRIPT), public_key)
    assert not _bsv_native.ecdsa_verify(signature, signature_hash(tx, 0, 1001, SOURCE_SCRIPT), public_key)


def test_the_spend_of_the_mock_coinbase_is_written_exactly() -> None:
    source = "e9cdb353f83497c77c1a1121bfad607e111ba2886723f4ed4e946045a051753c"
    raw = build_transaction([InputSpec(source, 0)], [OutputSpec(4999999900, b"\x51")])
    assert raw == COINBASE_SPEND
    assert parse_transaction(raw).txid == "826bfd6dada9802675ba1c90cf47c8d737920e04781aa31797b9158b130d6a7d"


@given(
    st.lists(inputs, min_size=1, max_size=4),
    st.lists(outputs, min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)
def test_parsing_undoes_building(ins: list[InputSpec], outs: list[OutputSpec], version: int, lock_time: int) -> None:
    raw = build_transaction(ins, outs, version, lock_time)
    tx = parse_transaction(raw)
    assert [InputSpec(i.txid, i.vout, i.unlocking_script, i.sequence) for i in tx.inputs] == ins
    assert [OutputSpec(o.satoshis, o.locking_script) for o in tx.outputs] == outs
    assert (tx.version, tx.lock_time) == (version, lock_time)
    assert tx.is_final_by_sequence == all(i.sequence == 0xFFFFFFFF for i in ins)
    assert all(raw[i.script_offset : i.script_offset + i.script_length] == i.unlocking_script for i in tx.inputs)
    assert all(raw[o.script_offset : o.script_offset + o.script_length] == o.locking_script for o in tx.outputs)


@given(
    st.lists(inputs, min_size=1, max_size=4),
    st.lists(outputs, min_size=1, max_size=4),
    st.integers(0, MAX_SATOSHIS),
    scripts,
    st.sampled_from(FLAGS),
)
def test_preimages_equal_those_of_the_sdk(
    ins: list[InputSpec], outs: list[OutputSpec], satoshis: int, script: bytes, flags: int
) -> None:
    tx = parse_transaction(build_transaction(ins, outs, 2, 7))
    rows = [(i.txid, i.vout, script, satoshis, i.sequence, flags) for i in tx.inputs]
    expected = _bsv_native.tx_preimages(2, 7, rows, list(tx.serialized_outputs))
    assert [signature_preimage(tx, vin, satoshis, script, flags) for vin in range(len(ins))] == expected
    assert signature_hash(tx, 0, satoshis, script, flags) == sha256d(expected[0])


@pytest.mark.parametrize("cut", range(len(PAYMENT)))
def test_every_truncation_is_refused(cut: int) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER):
        parse_transaction(PAYMENT[:cut])


def test_bytes_after_the_transaction_are_refused() -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match="nothing after its 192 bytes") as caught:
        parse_transaction(PAYMENT + b"\x00", "tx")
    assert caught.value.parameter == "tx"


@pytest.mark.parametrize(
    "damaged",
    [
        PAYMENT[:4] + b"\xff" * 9 + PAYMENT[5:],
        PAYMENT[:41] + b"\xff" * 9 + PAYMENT[42:],
        PAYMENT[:41] + b"\xfd\x6b\x00" + PAYMENT[42:],
        PAYMENT[:153] + b"\xfe\xff\xff\xff\xff" + PAYMENT[154:],
        PAYMENT[:162] + b"\xff" * 9 + PAYMENT[163:],
    ],
    ids=["inputs", "unlocking script", "overlong length", "outputs", "locking script"],
)
def test_absurd_counts_and_lengths_are_refused(damaged: bytes) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER):
        parse_transaction(damaged)


def test_an_output_above_all_satoshis_is_refused() -> None:
    raw = PAYMENT[:154] + (MAX_SATOSHIS + 1).to_bytes(8, "little") + PAYMENT[162:]
    with pytest.raises(WERR_INVALID_PARAMETER, match="satoshis"):
        parse_transaction(raw)
    parse_transaction(PAYMENT[:154] + MAX_SATOSHIS.to_bytes(8, "little") + PAYMENT[162:])


def test_a_transaction_without_inputs_or_outputs_is_read_only_when_asked_for() -> None:
    no_inputs = build_transaction([], [OutputSpec(1, b"")])
    no_outputs = build_transaction([InputSpec("11" * 32, 0)], [])
    for raw in (no_inputs, no_outputs):
        with pytest.raises(WERR_INVALID_PARAMETER, match="at least one input and one output"):
            parse_transaction(raw)
        assert parse_transaction(raw, allow_empty=True).raw == raw


def test_the_empty_transaction_is_ten_bytes() -> None:
    raw = build_transaction([], [])
    assert len(raw) == 10
    assert parse_transaction(raw, allow_empty=True).is_final_by_sequence


@pytest.mark.parametrize(
    ("spec", "parameter"),
    [
        (InputSpec("zz", 0), "inputs.txid"),
        (InputSpec("11" * 32, -1), "inputs.vout"),
        (InputSpec("11" * 32, 0, b"", 1 << 32), "inputs.sequence"),
    ],
)
def test_inputs_that_cannot_be_written_are_named(spec: InputSpec, parameter: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        build_transaction([spec], [OutputSpec(1, b"")])
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("satoshis", [-1, MAX_SATOSHIS + 1])
def test_outputs_that_cannot_be_written_are_named(satoshis: int) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        build_transaction([InputSpec("11" * 32, 0)], [OutputSpec(satoshis, b"")])
    assert caught.value.parameter == "outputs.satoshis"


@pytest.mark.parametrize(
    ("vin", "satoshis", "flags", "parameter"),
    [
        (1, 0, 0x41, "vin"),
        (-1, 0, 0x41, "vin"),
        (0, -1, 0x41, "satoshis"),
        (0, 0, 0x01, "sighash"),
        (0, 0, 0x40, "sighash"),
        (0, 0, 0x61, "sighash"),
        (0, 0, 0x141, "sighash"),
    ],
)
def test_what_cannot_be_signed_is_named(vin: int, satoshis: int, flags: int, parameter: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        signature_hash(parse_transaction(PAYMENT), vin, satoshis, b"", flags)
    assert caught.value.parameter == parameter


def test_views_of_the_same_bytes_are_equal() -> None:
    assert parse_transaction(PAYMENT) == parse_transaction(bytes(bytearray(PAYMENT)))
    assert parse_transaction(PAYMENT) != parse_transaction(COINBASE_SPEND)
    assert len({parse_transaction(PAYMENT), parse_transaction(PAYMENT)}) == 1
