from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from signed_chain import LOCK, chain, diamond, funding, proof, spend

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.beef import EMPTY, Beef, BeefLimits, BeefVersion
from bsv_wallet_toolbox.transactions.hashes import natural
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.spv import verify_beef
from bsv_wallet_toolbox.transactions.tx import TransactionView
from bsv_wallet_toolbox.transactions.wire import write_varint

VERSIONS = [BeefVersion.V1, BeefVersion.V2]


def txids(beef: Beef) -> set[str]:
    return set(beef.transactions)


def v1(paths: list[MerklePath], entries: list[tuple[TransactionView, int | None]]) -> bytes:
    """A BEEF V1 written here by hand from BRC-62."""
    body = b"\x01\x00\xbe\xef" + write_varint(len(paths)) + b"".join(path.raw for path in paths)
    body += write_varint(len(entries))
    for tx, bump in entries:
        body += tx.raw + (b"\x00" if bump is None else b"\x01" + write_varint(bump))
    return body


def v2(paths: list[MerklePath], entries: list[tuple[TransactionView | str, int | None]]) -> bytes:
    """A BEEF V2 written here by hand from BRC-96; a txid stands for a txid-only entry."""
    body = b"\x02\x00\xbe\xef" + write_varint(len(paths)) + b"".join(path.raw for path in paths)
    body += write_varint(len(entries))
    for tx, bump in entries:
        if isinstance(tx, str):
            body += b"\x02" + natural(tx)
        else:
            body += (b"\x00" if bump is None else b"\x01" + write_varint(bump)) + tx.raw
    return body


def test_the_empty_beef_both_ways() -> None:
    assert Beef().to_bytes() == EMPTY == bytes.fromhex("0200beef0000")
    assert len(Beef.parse(EMPTY)) == 0


def test_both_versions_and_atomic_beef_over_both_hold_the_same() -> None:
    first = funding()
    second = spend([(first, 0)], [999_000])
    path = proof(first)
    plain = [v1([path], [(first, 0), (second, None)]), v2([path], [(first, 0), (second, None)])]
    atomic = [b"\x01\x01\x01\x01" + second.txid_bytes + body for body in plain]
    for data in plain + atomic:
        beef = Beef.parse(data)
        assert list(beef.transactions) == [first.txid, second.txid]
        assert beef.roots() == {(path.block_height, path.root)}
        assert beef.merkle_path(first.txid) == path
        assert beef.merkle_path(second.txid) is None
        assert beef.view(second.txid) == second
    assert [Beef.parse(data).subject for data in plain + atomic] == [None, None, second.txid, second.txid]
    assert [Beef.parse(data).version for data in plain] == VERSIONS
    beef = Beef.parse(plain[0])
    assert [beef.to_bytes(version) for version in VERSIONS] == plain
    assert [beef.to_atomic(second.txid, version) for version in VERSIONS] == atomic


def test_real_payments_from_main_net_are_read_verified_and_written_byte_for_byte(test_data: Path) -> None:
    data: dict[str, Any] = json.loads((test_data / "data" / "mainnet_payments.json").read_text())
    believed = {(root, int(height)) for height, root in data["merkleRoots"].items()}
    assert data["payments"]
    for payment in data["payments"]:
        raw = bytes.fromhex(payment["atomicBeef"])
        beef = Beef.parse(raw)
        assert beef.subject == payment["txid"]
        subject = beef.view(payment["txid"])
        assert subject is not None
        assert subject.outputs[payment["outputIndex"]].satoshis == payment["satoshis"]
        verify_beef(beef, [payment["txid"]], lambda root, height: (root, height) in believed)
        assert beef.to_atomic(payment["txid"], BeefVersion.V1) == raw
        again = Beef.parse(beef.to_atomic(payment["txid"]))
        assert (txids(again), again.roots()) == (txids(beef), beef.roots())


def test_the_sdk_reads_what_we_write() -> None:
    from bsv.transaction.beef import new_beef_from_bytes, parse_beef_ex

    beef, line = chain(6)
    beef.merge_txid_only("ab" * 32)
    theirs = new_beef_from_bytes(beef.to_bytes())
    assert set(theirs.txs) == txids(beef)
    assert len(theirs.bumps) == 1
    assert theirs.is_valid(True)
    atomic, subject, _ = parse_beef_ex(beef.to_atomic(line[-1].txid))
    assert subject == line[-1].txid
    assert set(atomic.txs) == {tx.txid for tx in line}


def test_we_read_what_the_sdk_writes() -> None:
    from bsv.transaction.beef import new_beef_from_bytes

    beef, line = chain(4)
    theirs = new_beef_from_bytes(beef.to_bytes()).to_binary()
    again = Beef.parse(bytes(theirs))
    assert txids(again) == {tx.txid for tx in line}
    assert again.roots() == beef.roots()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_truncation_is_refused(version: BeefVersion) -> None:
    beef, line = chain(2)
    data = beef.to_atomic(line[-1].txid, version)
    for cut in range(len(data)):
        with pytest.raises(WERR_INVALID_PARAMETER):
            Beef.parse(data[:cut])


def test_bytes_after_a_beef_are_refused() -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match="nothing after its 6 bytes") as caught:
        Beef.parse(EMPTY + b"\x00", "inputBEEF")
    assert caught.value.parameter == "inputBEEF"


FIRST = funding()
SECOND = spend([(FIRST, 0)], [999_000])
PATH = proof(FIRST)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x03\x00\xbe\xef\x00\x00", "version 1 or 2"),
        (b"\x01\x01\x01\x01" * 2 + bytes(60), "version 1 or 2|cut off"),
        (v1([PATH], [(FIRST, 0), (FIRST, 0)]), "once"),
        (v2([PATH], [(FIRST, 0), (FIRST, None)]), "once"),
        (v1([PATH], [(FIRST, 1)]), "below 1, not 1"),
        (v2([], [(FIRST, 0)]), "below 0, not 0"),
        (v1([PATH], [(SECOND, 0)]), "holds"),
        (v2([PATH], [(SECOND, 0)]), "holds"),
        (v1([PATH], [(FIRST, 0)])[:-2] + b"\x02\x00", "flag of 0 or 1"),
        (b"\x02\x00\xbe\xef\x00\x01\x03" + bytes(32), "formats 0, 1 or 2"),
        (b"\x01\x01\x01\x01" + SECOND.txid_bytes + v2([PATH], [(FIRST, 0)]), "valid AtomicBEEF"),
        (b"\x01\x01\x01\x01" + SECOND.txid_bytes + v2([], [(SECOND.txid, None)]), "valid AtomicBEEF"),
        (b"\x02\x00\xbe\xef\x00\xfe\xff\xff\xff\xff", "at most 5000 transactions"),
        (b"\x02\x00\xbe\xef\xfe\xff\xff\xff\xff\x00", "at most 5000 BUMPs"),
    ],
)
def test_malformed_beefs_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match=reason):
        Beef.parse(data)


def test_limits_on_bytes_transactions_and_paths() -> None:
    data = v2([PATH], [(FIRST, 0), (SECOND, None)])
    count = sum(view.input_count + view.output_count for view in (FIRST, SECOND))
    exact = BeefLimits(len(data), 2, 1, count)
    Beef.parse(data, limits=exact)
    fields = ("max_bytes", "max_transactions", "max_bumps", "max_inputs_and_outputs")
    for limits in (replace(exact, **{field: getattr(exact, field) - 1}) for field in fields):
        with pytest.raises(WERR_INVALID_PARAMETER, match="at most"):
            Beef.parse(data, limits=limits)


def test_a_txid_only_entry_beside_the_full_transaction_adds_nothing() -> None:
    beef = Beef.parse(v2([PATH], [(FIRST.txid, None), (FIRST, 0), (FIRST.txid, None)]))
    assert len(beef) == 1
    assert beef.merkle_path(FIRST.txid) == PATH


def test_a_path_that_forgot_to_flag_its_transaction_is_mended() -> None:
    block = [FIRST.txid, SECOND.txid]
    careless = MerklePath.build(9, block, [FIRST.txid])
    beef = Beef.parse(v2([careless], [(FIRST, 0), (SECOND, 0)]))
    path = beef.merkle_path(SECOND.txid)
    assert path == MerklePath.build(9, block, block)
    assert beef.to_atomic(SECOND.txid) == b"\x01\x01\x01\x01" + SECOND.txid_bytes + v2(
        [MerklePath.build(9, block, [SECOND.txid])], [(SECOND, 0)]
    )


def test_transactions_come_out_parents_first_whatever_the_order_they_came_in() -> None:
    beef, line = chain(9)
    backwards = Beef()
    for tx in reversed(line):
        backwards.merge_transaction(tx, beef.merkle_path(tx.txid))
    assert list(Beef.parse(backwards.to_bytes()).transactions) == [tx.txid for tx in line]
    assert backwards.to_bytes() == beef.to_bytes()


def test_atomic_beef_of_a_proven_subject_holds_nothing_else() -> None:
    beef, line = chain(5)
    block = [tx.txid for tx in line[:3]]
    for tx in line[:3]:
        beef.merge_transaction(tx, MerklePath.build(7, block, [tx.txid]))
    atomic = Beef.parse(beef.to_atomic(line[1].txid))
    assert txids(atomic) == {line[1].txid}
    assert atomic.merkle_path(line[1].txid) == MerklePath.build(7, block, [line[1].txid])


def test_atomic_beef_leaves_out_what_the_subject_does_not_need() -> None:
    beef, line = chain(3)
    stranger = funding(nonce=1)
    beef.merge_transaction(stranger, proof(stranger, height=200))
    beef.merge_transaction(spend([(stranger, 0)], [5]))
    atomic = Beef.parse(beef.to_atomic(line[-1].txid))
    assert txids(atomic) == {tx.txid for tx in line}
    assert len(atomic.roots()) == 1
    assert len(beef.roots()) == 2


def test_ancestors_are_parents_first_and_stop_at_proofs() -> None:
    beef, line = chain(5)
    assert beef.ancestors(line[3].txid) == [tx.txid for tx in line[:4]]
    beef.merge_transaction(line[2], proof(line[2], height=101))
    assert beef.ancestors(line[3].txid) == [line[2].txid, line[3].txid]
    beef.prune([line[3].txid])
    assert txids(beef) == {line[2].txid, line[3].txid}
    assert beef.roots() == {(101, proof(line[2], height=101).root)}


@pytest.mark.parametrize("ask", [Beef.ancestors, Beef.to_atomic, lambda beef, txid: beef.prune([txid])])
def test_asking_for_an_absent_transaction_is_an_error(ask: Any) -> None:
    beef, _ = chain(2)
    with pytest.raises(WERR_INVALID_PARAMETER):
        ask(beef, "ab" * 32)
    assert len(beef) == 2


def test_full_beats_txid_only_and_proven_beats_unproven_whichever_comes_first() -> None:
    known, full, proven = Beef(), Beef(), Beef()
    known.merge_txid_only(FIRST.txid)
    full.merge_transaction(FIRST.raw)
    proven.merge_transaction(FIRST.raw, PATH)
    for order in ([known, full, proven], [proven, full, known], [full, known, proven], [proven, known, full]):
        beef = Beef()
        for part in order:
            beef.merge(part)
        assert beef.merkle_path(FIRST.txid) == PATH
        assert beef.to_bytes() == proven.to_bytes()
    assert known.is_txid_only(FIRST.txid)
    assert not full.is_txid_only(FIRST.txid)


def test_merging_keeps_a_proof_and_an_explicit_proof_replaces_it() -> None:
    mine, theirs = Beef(), Beef()
    mine.merge_transaction(FIRST, PATH)
    theirs.merge_transaction(FIRST, proof(FIRST, height=101))
    mine.merge(theirs)
    assert mine.merkle_path(FIRST.txid) == PATH
    mine.merge_transaction(FIRST)
    assert mine.merkle_path(FIRST.txid) == PATH
    mine.merge_transaction(FIRST, proof(FIRST, height=101))
    assert mine.roots() == {(101, PATH.root)}


def test_a_proof_of_another_transaction_is_refused() -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        Beef().merge_transaction(SECOND, PATH)
    assert caught.value.parameter == "merklePath"


def test_proofs_of_one_block_become_one_path() -> None:
    coins = [funding(nonce=nonce) for nonce in range(300)]
    block = [tx.txid for tx in coins]
    beef = Beef()
    for tx in coins:
        part = Beef()
        part.merge_transaction(tx, MerklePath.build(7, block, [tx.txid]))
        beef.merge(part)
    assert len(beef.roots()) == 1
    again = Beef.parse(beef.to_bytes())
    assert again.merkle_path(block[5]) == MerklePath.build(7, block, block)


def test_reducing_to_txid_only() -> None:
    beef, line = chain(3)
    beef.make_txid_only(line[0].txid)
    beef.make_txid_only("ab" * 32)
    assert beef.is_txid_only(line[0].txid)
    assert (beef.view(line[0].txid), beef.merkle_path(line[0].txid), beef.roots()) == (None, None, frozenset())
    again = Beef.parse(beef.to_bytes())
    assert again.is_txid_only(line[0].txid)
    assert "ab" * 32 not in again
    with pytest.raises(WERR_INVALID_PARAMETER, match="V2"):
        beef.to_bytes(BeefVersion.V1)
    with pytest.raises(WERR_INVALID_PARAMETER):
        beef.to_atomic(line[0].txid)


def test_a_malformed_txid_cannot_become_an_entry() -> None:
    with pytest.raises(WERR_INVALID_PARAMETER):
        Beef().merge_txid_only("AB" * 32)


def test_a_copy_is_independent() -> None:
    beef, line = chain(3)
    before = beef.to_bytes()
    twin = beef.copy()
    twin.make_txid_only(line[0].txid)
    twin.merge_transaction(funding(nonce=9), proof(funding(nonce=9)))
    assert beef.to_bytes() == before


def test_entries_cannot_be_changed_from_outside() -> None:
    beef, line = chain(2)
    with pytest.raises(TypeError):
        beef.transactions[line[0].txid] = None  # type: ignore[index]


def test_a_diamond_of_sixty_levels_takes_linear_time() -> None:
    start = time.perf_counter()
    beef, tip = diamond(60)
    data = beef.to_bytes()
    merged = Beef()
    merged.merge(Beef.parse(data))
    atomic = Beef.parse(merged.to_atomic(tip.txid))
    verify_beef(atomic, [tip.txid], lambda root, height: True)
    assert time.perf_counter() - start < 2
    assert len(atomic) == 182


def test_a_chain_of_five_thousand_is_loaded_merged_written_and_verified() -> None:
    beef, line = chain(5000)
    data = beef.to_bytes(BeefVersion.V1)
    start = time.perf_counter()
    merged = Beef()
    merged.merge(Beef.parse(data))
    atomic = Beef.parse(merged.to_atomic(line[-1].txid))
    verify_beef(atomic, [line[-1].txid], lambda root, height: True)
    assert time.perf_counter() - start < 2
    assert len(atomic) == 5000
    assert LOCK in data


def test_a_path_of_many_unflagged_leaves_costs_no_quadratic_time() -> None:
    coins = [funding(nonce=nonce) for nonce in range(2000)]
    block = [tx.txid for tx in coins]
    bare = MerklePath.build(7, block, block).raw.replace(b"\x02" + coins[1].txid_bytes, b"\x00" + coins[1].txid_bytes)
    for tx in coins:
        bare = bare.replace(b"\x02" + tx.txid_bytes, b"\x00" + tx.txid_bytes)
    data = v2([MerklePath.parse(bare)], [(tx, 0) for tx in coins])
    start = time.perf_counter()
    beef = Beef.parse(data)
    assert len(beef.to_bytes()) == len(data)
    assert time.perf_counter() - start < 2
