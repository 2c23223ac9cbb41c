from __future__ import annotations

import pickle

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.headers import BlockHeader, parse_header, target_of, work_of

GENESIS = (
    "01000000" + "00" * 32 + "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
)
GENESIS_HASH = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
GENESIS_ROOT = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
COINBASE_0 = "b2337cf450230aa173a11bd2ec4041e3579c1313f6bc88639696db180447d50a"
COINBASE_1 = "e9cdb353f83497c77c1a1121bfad607e111ba2886723f4ed4e946045a051753c"


def test_the_genesis_header_both_ways() -> None:
    built = BlockHeader.build(1, "00" * 32, GENESIS_ROOT, 1231006505, 0x1D00FFFF, 2083236893, 0)
    assert built.raw.hex() == GENESIS
    parsed = parse_header(bytes.fromhex(GENESIS), 0)
    assert parsed == built
    assert hash(parsed) == hash(built)
    assert parsed.meets_target
    assert parsed.work == 0x100010001
    assert parsed.to_json() == {
        "version": 1,
        "previousHash": "00" * 32,
        "merkleRoot": GENESIS_ROOT,
        "time": 1231006505,
        "bits": 0x1D00FFFF,
        "nonce": 2083236893,
        "height": 0,
        "hash": GENESIS_HASH,
    }


def test_the_deterministic_mock_headers() -> None:
    first = BlockHeader.build(1, "00" * 32, COINBASE_0, 1_700_000_000, 0x207FFFFF, 0, 0)
    assert first.hash == "27ef58ba3346a66cc9cc75ff6642a93691b3ae7bd685c956514107693ad78451"
    second = BlockHeader.build(1, first.hash, COINBASE_1, 1_700_000_600, 0x207FFFFF, 1, 1)
    assert second.hash == "d3a263f710a26d3a34285714730567d359c34a7e2bb2e016c12d0e1558c59dc1"
    assert second.raw.hex() == (
        "010000005184d73a6907415156c985d67baeb39136a94266ff75ccc96ca64633ba58ef27"
        "3c7551a04560944eedf4236788a21b117e60adbf21111a7cc79734f853b3cde958f35365ffff7f2001000000"
    )


def test_one_changed_bit_no_longer_meets_the_target() -> None:
    raw = bytearray.fromhex(GENESIS)
    raw[76] ^= 1
    assert not parse_header(bytes(raw), 0).meets_target


@pytest.mark.parametrize(
    ("bits", "target"),
    [
        (0x1D00FFFF, 0xFFFF << 208),
        (0x207FFFFF, 0x7FFFFF << 232),
        (0x03123456, 0x123456),
        (0x02123456, 0x1234),
        (0x01123456, 0x12),
        (0x01003456, -1),
        (0x00000000, -1),
        (0x04923456, -1),
        (0xFF123456, -1),
        (0x217FFFFF, -1),
        (0x2100FFFF, 0xFFFF << 240),
    ],
)
def test_compact_targets(bits: int, target: int) -> None:
    assert target_of(bits) == target
    assert work_of(bits) == (0 if target < 0 else (1 << 256) // (target + 1))


def test_a_header_without_a_target_is_never_met() -> None:
    header = BlockHeader.build(1, "00" * 32, GENESIS_ROOT, 0, 0, 0, 0)
    assert not header.meets_target
    assert header.work == 0


@pytest.mark.parametrize("size", [0, 79, 81, 160])
def test_only_80_bytes_are_a_header(size: int) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        parse_header(bytes(size), 5, "headers")
    assert caught.value.parameter == "headers"


def test_a_negative_height_is_refused() -> None:
    with pytest.raises(WERR_INVALID_PARAMETER):
        parse_header(bytes(80), -1)


@pytest.mark.parametrize("name", ["time", "bits", "nonce"])
def test_fields_out_of_range_are_named(name: str) -> None:
    fields = {"time": 0, "bits": 0, "nonce": 0, name: 1 << 32}
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        BlockHeader.build(1, "00" * 32, GENESIS_ROOT, fields["time"], fields["bits"], fields["nonce"], 0)
    assert caught.value.parameter == name


def test_headers_are_immutable_and_can_be_sent_to_another_process() -> None:
    header = parse_header(bytes.fromhex(GENESIS), 7)
    with pytest.raises(AttributeError):
        header.height = 8
    assert pickle.loads(pickle.dumps(header)) == header
    assert header != parse_header(bytes.fromhex(GENESIS), 8)
