"""Random and mutated bytes: every parser answers with a value or a WERR_* error, and what it accepts it writes back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed_chain import chain, diamond

from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.transactions.beef import Beef, BeefVersion
from bsv_wallet_toolbox.transactions.headers import parse_header
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.spv import verify_beef
from bsv_wallet_toolbox.transactions.tx import parse_transaction
from bsv_wallet_toolbox.transactions.wire import read_varint

BEEF, TIP = diamond(2)
_, LINE = chain(3)
SAMPLES = [
    LINE[1].raw,
    MerklePath.build(5, [f"{n:064x}" for n in range(1, 20)], [f"{n:064x}" for n in (1, 4, 5, 19)]).raw,
    BEEF.to_bytes(),
    BEEF.to_bytes(BeefVersion.V1),
    BEEF.to_atomic(TIP.txid),
]


def read_beef(data: bytes) -> None:
    beef = Beef.parse(data)
    again = Beef.parse(beef.to_bytes())
    assert again.roots() == beef.roots()
    assert set(again.transactions) == set(beef.transactions)
    for txid in beef.transactions:
        verify_beef(beef, [txid], lambda root, height: True, allow_txid_only=True)


def read_transaction(data: bytes) -> None:
    tx = parse_transaction(data, allow_empty=True)
    assert tx.source_txids == tuple(spent.txid for spent in tx.inputs)
    assert len(tx.outputs) == tx.output_count
    assert all(len(midstate) == 32 for midstate in tx.midstates())


def read_path(data: bytes) -> None:
    path = MerklePath.parse(data)
    assert MerklePath.parse(path.raw) == path
    for txid in path.txids():
        assert path.compute_root(txid) == path.root


PARSERS: list[Callable[[bytes], object]] = [
    read_beef,
    read_transaction,
    read_path,
    lambda data: parse_header(data, 5),
    lambda data: read_varint(data, 0, "p"),
]


def survive(data: bytes) -> None:
    for parser in PARSERS:
        with suppress(WalletError):
            parser(data)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(["set", "cut", "insert", "copy"])):
            case "set":
                data[position : position + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del data[position : position + draw(st.integers(1, 40))]
            case "insert":
                data[position:position] = draw(
                    st.sampled_from([b"\xff", b"\xfd\xff\xff", b"\xff" * 9, b"\x00", b"\x01"])
                )
            case _:
                data[position:position] = data[position : position + draw(st.integers(1, 80))]
    return bytes(data)


@settings(max_examples=400)
@given(st.binary(max_size=300))
def test_random_bytes_never_surprise_a_parser(data: bytes) -> None:
    survive(data)


@settings(max_examples=400)
@given(
    st.sampled_from([b"\x01\x00\xbe\xef", b"\x02\x00\xbe\xef", b"\x01\x01\x01\x01" + bytes(32)]),
    st.binary(max_size=200),
)
def test_random_bytes_behind_a_magic_never_surprise_a_parser(magic: bytes, data: bytes) -> None:
    survive(magic + data)


@settings(max_examples=800, deadline=None)
@given(mutations())
def test_mutated_samples_never_surprise_a_parser(data: bytes) -> None:
    survive(data)


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_samples_themselves_are_accepted_by_one_parser_each(sample: bytes) -> None:
    accepted = 0
    for parser in PARSERS[:3]:
        try:
            parser(sample)
        except WalletError:
            continue
        accepted += 1
    assert accepted == 1
