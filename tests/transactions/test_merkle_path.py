from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.hashes import display, sha256d, txid_of
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath, merkle_root


def coinbase(height: int) -> str:
    """Txid of the mock chain's coinbase at a height below 128."""
    script = bytes((2, 1, height))
    return txid_of(
        bytes.fromhex("0100000001" + "00" * 32 + "ffffffff")
        + script
        + bytes.fromhex("ffffffff0100f2052a01000000015100000000")
    )


COINBASES = [coinbase(height) for height in range(5)]
TXIDS = [display(sha256d(bytes((n,)))) for n in range(40)]


def test_coinbase_txids_are_those_of_the_mock_chain() -> None:
    assert COINBASES[0] == "b2337cf450230aa173a11bd2ec4041e3579c1313f6bc88639696db180447d50a"
    assert COINBASES[2] == "d699412043852d676010abdd2cc28d5ee94116e949154974f406816aa35a50a3"
    assert coinbase(127) == "44fa7d67bb01fb776ec629cef291219a22d436f72868c89e1bfb4dbd0dab01e9"


@pytest.mark.parametrize(
    ("count", "index", "root", "path"),
    [
        (
            1,
            0,
            "b2337cf450230aa173a11bd2ec4041e3579c1313f6bc88639696db180447d50a",
            "07010100020ad5470418db96966388bcf613139c57e34140ecd21ba173a10a2350f47c33b2",
        ),
        (
            2,
            1,
            "ed9e6088e57d0d4589f91e01123d4f5064bfc369321a2438c7a3a8fe0ef818d8",
            (
                "07010200000ad5470418db96966388bcf613139c57e34140ecd21ba173a10a2350f47c33b201023c7551a04560944eedf4236788a2"
                "1b117e60adbf21111a7cc79734f853b3cde9"
            ),
        ),
        (
            3,
            2,
            "9c6620d982a1ddef6eebdf2e6bed206492e78f50e675608d5b9293e0096d55e2",
            (
                "0702020202a3505aa36a8106f474491549e91641e95e8dc22cddab1060672d8543204199d60301010000d818f80efea8a3c738241a"
                "3269c3bf64504f3d12011ef989450d7de588609eed"
            ),
        ),
        (
            5,
            4,
            "afec03711ee4ce5501ea96a45c1dd10218b3ca0117b0c28eb07d78ea11f49ed2",
            (
                "07030204025572cd3be19133a65481a57a4259c98659a6489738b7fcff5c66efb1e50d9708050101030101000021ce0eee31ceeb74"
                "822638b7b8bd1000c6e7400061f8bb7475d1a079986ee9a6"
            ),
        ),
    ],
)
def test_paths_over_mock_coinbases(count: int, index: int, root: str, path: str) -> None:
    txids = COINBASES[:count]
    built = MerklePath.build(7, txids, [txids[index]])
    parsed = MerklePath.parse(bytes.fromhex(path))
    assert built.raw.hex() == path
    assert parsed == built
    assert merkle_root(txids) == root == parsed.root == parsed.compute_root(txids[index])
    assert (parsed.block_height, parsed.index_of(txids[index]), parsed.txids()) == (7, index, (txids[index],))


def test_proofs_in_tsc_form() -> None:
    root = "ed9e6088e57d0d4589f91e01123d4f5064bfc369321a2438c7a3a8fe0ef818d8"
    assert MerklePath.from_tsc(COINBASES[2], 2, ["*", root], 7) == MerklePath.build(7, COINBASES[:3], [COINBASES[2]])
    path = MerklePath.from_tsc(COINBASES[1], 1, [COINBASES[0], "*"], 9)
    assert path.raw.hex() == (
        "09020200000ad5470418db96966388bcf613139c57e34140ecd21ba173a10a2350f47c33b201023c7551a04560944eedf4236788a21b11"
        "7e60adbf21111a7cc79734f853b3cde9010101"
    )
    assert path.root == "f31a75bbf066bc3d771c668be0cde28388869ccc27f7bf210ddff6ce64780ea8"
    path = MerklePath.from_tsc("aa" * 32, 5, ["bb" * 32, "*", "cc" * 32], 100)
    assert path.raw.hex() == "6403020400" + "bb" * 32 + "0502" + "aa" * 32 + "010301010000" + "cc" * 32
    assert path.root == "7a1e824359c84d07165853a0dfb72a2e52c0c5497300ba551ea7e95e3ba45c02"


def test_a_tsc_node_equal_to_the_transaction_stands_for_itself() -> None:
    assert MerklePath.from_tsc("aa" * 32, 0, ["aa" * 32], 3) == MerklePath.from_tsc("aa" * 32, 0, ["*"], 3)


def test_a_tsc_proof_without_nodes_is_a_block_of_one() -> None:
    path = MerklePath.from_tsc("aa" * 32, 0, [], 3)
    assert path.root == "aa" * 32
    assert path == MerklePath.build(3, ["aa" * 32], ["aa" * 32])


@pytest.mark.parametrize(
    ("index", "nodes"),
    [(1, []), (2, ["*"]), (-1, ["*"]), (1, ["*"]), (0, ["xy"]), (0, ["aa" * 32] * 65)],
)
def test_impossible_tsc_proofs_are_refused(index: int, nodes: list[str]) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER):
        MerklePath.from_tsc("bb" * 32, index, nodes, 3)


@given(st.data())
def test_every_choice_of_transactions_is_proven_and_survives_the_wire(data: st.DataObject) -> None:
    txids = TXIDS[: data.draw(st.integers(1, 40))]
    targets = data.draw(st.lists(st.sampled_from(txids), min_size=1, unique=True))
    path = MerklePath.build(5, txids, targets)
    assert MerklePath.parse(path.raw) == path
    assert path.txids() == tuple(sorted(targets, key=txids.index))
    assert {path.compute_root(txid) for txid in targets} == {merkle_root(txids)}
    assert all(path.index_of(txid) == txids.index(txid) for txid in targets)


@given(st.data())
def test_combining_and_extracting_undo_each_other(data: st.DataObject) -> None:
    txids = TXIDS[: data.draw(st.integers(2, 40))]
    targets = data.draw(st.lists(st.sampled_from(txids), min_size=2, max_size=9, unique=True))
    singles = [MerklePath.build(5, txids, [txid]) for txid in targets]
    together = MerklePath.build(5, txids, targets)
    combined = singles[0]
    for single in singles[1:]:
        combined = combined.combine(single)
    assert combined == together == MerklePath.combine_all(singles)
    assert [together.extract([txid]) for txid in targets] == singles


def test_combining_leaves_both_paths_as_they_were() -> None:
    first, second = (MerklePath.build(5, TXIDS[:8], [TXIDS[n]]) for n in (0, 5))
    before = first.raw, second.raw
    first.combine(second)
    assert (first.raw, second.raw) == before


def test_paths_of_other_blocks_cannot_be_combined() -> None:
    path = MerklePath.build(5, TXIDS[:4], TXIDS[:1])
    for other in (MerklePath.build(6, TXIDS[:4], TXIDS[:1]), MerklePath.build(5, TXIDS[:5], TXIDS[:1])):
        with pytest.raises(WERR_INVALID_PARAMETER, match="same block"):
            path.combine(other)


def test_a_transaction_that_is_not_in_the_path_has_no_root() -> None:
    path = MerklePath.build(5, TXIDS[:4], TXIDS[:1])
    assert path.contains(TXIDS[1])
    assert not path.contains(TXIDS[2])
    assert not path.contains("not hex")
    for ask in (path.compute_root, path.index_of):
        with pytest.raises(WERR_INVALID_PARAMETER):
            ask(TXIDS[2])
    with pytest.raises(WERR_INVALID_PARAMETER):
        path.extract([TXIDS[2]])
    with pytest.raises(WERR_INVALID_PARAMETER):
        path.extract([])


def test_a_leaf_can_be_flagged_later() -> None:
    path = MerklePath.build(5, TXIDS[:4], TXIDS[:1])
    assert path.flagging([TXIDS[0]]) is path
    assert not path.flags(TXIDS[1])
    assert path.flagging([TXIDS[1]]) == MerklePath.build(5, TXIDS[:4], TXIDS[:2])


def test_leaves_out_of_order_are_put_in_order() -> None:
    one, two = (bytes.fromhex(txid)[::-1] for txid in TXIDS[:2])
    shuffled = b"\x05\x01\x02\x01\x00" + two + b"\x00\x02" + one
    assert MerklePath.parse(shuffled) == MerklePath.build(5, TXIDS[:2], TXIDS[:1])


H, G = b"\xaa" * 32, b"\xbb" * 32


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (b"", "cut off"),
        (b"\x07", "cut off"),
        (b"\x07\x00", "1 to 64 levels"),
        (b"\x07\x41" + b"\x00" * 65, "1 to 64 levels"),
        (b"\x07\x01\x00", "at least one transaction"),
        (b"\x07\x01\xfd\xff\xff", "cut off"),
        (b"\x07\x01\x02\x00\x02" + H + b"\x00\x00" + G, "do not repeat"),
        (b"\x07\x01\x02\x00\x02" + H + b"\x02\x00" + G, "fit its height"),
        (b"\x07\x01\x02\x00\x02" + H + b"\x01\x04" + G, "flags 0, 1 or 2"),
        (b"\x07\x01\x02\x00\x02" + H + b"\x01\x00" + G[:31], "cut off"),
        (b"\x07\x01\x01\x01\x02" + H, "every hash"),
        (b"\x07\x02\x02\x00\x02" + H + b"\x01\x00" + G + b"\x00", "every hash"),
        (b"\x07\x02\x02\x00\x02" + H + b"\x01\x00" + G + b"\x01\x00\x00" + H, "no proof needs"),
        (b"\x07\x01\x02\x00\x01\x01\x02" + H, "every hash"),
        (b"\x07\x01\x02\x00\x01\x01\x01", "at least one transaction"),
        (b"\x07\x02\x02\x00\x02" + H + b"\x01\x00" + G + b"\x02\x01\x00" + H + b"\x00\x00" + G, "no proof needs"),
        (b"\xff" + b"\xff" * 8 + b"\x01\x01\x00\x02" + H, "height below"),
    ],
)
def test_malformed_paths_are_refused(damaged: bytes, reason: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match=reason) as caught:
        MerklePath.parse(damaged, "bump")
    assert caught.value.parameter == "bump"


def test_leaves_that_lead_to_different_roots_are_refused() -> None:
    path = MerklePath.build(5, TXIDS[:4], TXIDS[:4])
    assert path.raw.endswith(b"\x00"), "the level above needs no leaf: all are computed"
    computed = sha256d(bytes.fromhex(TXIDS[0])[::-1] + bytes.fromhex(TXIDS[1])[::-1])
    assert MerklePath.parse(path.raw[:-1] + b"\x01\x00\x00" + computed).root == path.root
    with pytest.raises(WERR_INVALID_PARAMETER, match="one root"):
        MerklePath.parse(path.raw[:-1] + b"\x01\x00\x00" + bytes(32))


def test_bytes_after_a_path_are_refused() -> None:
    path = MerklePath.build(5, TXIDS[:4], TXIDS[:1])
    with pytest.raises(WERR_INVALID_PARAMETER, match="nothing after"):
        MerklePath.parse(path.raw + b"\x00")


def test_an_empty_block_and_a_foreign_target_are_refused() -> None:
    for block, targets in (([], TXIDS[:1]), (TXIDS[:2], []), (TXIDS[:2], TXIDS[2:3])):
        with pytest.raises(WERR_INVALID_PARAMETER):
            MerklePath.build(5, block, targets)
    with pytest.raises(WERR_INVALID_PARAMETER):
        merkle_root([])


def test_a_compound_path_of_thousands_of_leaves_is_read() -> None:
    txids = [display(sha256d(n.to_bytes(4, "big"))) for n in range(5000)]
    raw = MerklePath.build(5, txids, txids[::2]).raw
    path = MerklePath.parse(raw)
    assert len(path.txids()) == 2500
