"""Blocks of the mock chain: recorded vectors, work, times, and which transactions get in."""

from __future__ import annotations

import itertools

import pytest
from mockchain_coins import coinbase_txid, open_script, pay, spend

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.services import PostOutcome, RejectReason
from bsv_wallet_toolbox.mockchain import ChainStore, MockChain
from bsv_wallet_toolbox.mockchain.consensus import OP_TRUE, coinbase_transaction
from bsv_wallet_toolbox.seams import ManualClock
from bsv_wallet_toolbox.transactions.hashes import txid_of
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.tx import OutputSpec


@pytest.mark.parametrize(
    ("height", "script", "txid"),
    [
        (0, "020100", "b2337cf450230aa173a11bd2ec4041e3579c1313f6bc88639696db180447d50a"),
        (1, "020101", "e9cdb353f83497c77c1a1121bfad607e111ba2886723f4ed4e946045a051753c"),
        (2, "020102", "d699412043852d676010abdd2cc28d5ee94116e949154974f406816aa35a50a3"),
        (127, "02017f", "44fa7d67bb01fb776ec629cef291219a22d436f72868c89e1bfb4dbd0dab01e9"),
        (128, "03028000", "91a7bc3cc1167aac5a727450d7d04e7e25b76894e1e130d0b9780a8764c33539"),
        (256, "03020001", "75ca495b9d2f280f96893302ba0ecb68240516e7bca387819f596b97fd192fd4"),
        (65535, "0403ffff00", "669e8f80602f810c1ae6251163a3941e62fd0d320ef1aa7944d9c9f85754495f"),
    ],
)
def test_the_coinbase_of_a_height_is_the_recorded_one(height: int, script: str, txid: str) -> None:
    raw = coinbase_transaction(height)
    assert raw.hex() == "0100000001" + "00" * 32 + "ffffffff" + script + "ffffffff0100f2052a01000000015100000000"
    assert txid_of(raw) == txid


def test_deterministic_headers_are_the_recorded_ones(store: ChainStore) -> None:
    chain = MockChain(store, deterministic=True)
    (header,) = chain.mine()
    genesis = chain.header_at(0)
    assert genesis is not None
    assert genesis.hash == "27ef58ba3346a66cc9cc75ff6642a93691b3ae7bd685c956514107693ad78451"
    assert header.hash == "d3a263f710a26d3a34285714730567d359c34a7e2bb2e016c12d0e1558c59dc1"
    assert header.raw.hex() == (
        "010000005184d73a6907415156c985d67baeb39136a94266ff75ccc96ca64633ba58ef273c7551a04560944eedf4236788a21b117e60"
        "adbf21111a7cc79734f853b3cde958f35365ffff7f2001000000"
    )


def test_a_block_of_one_transaction_has_a_proof_of_one_leaf(chain: MockChain) -> None:
    txid = coinbase_txid(chain, 7)
    proof = chain.proof_of(txid)
    assert proof is not None
    path, header = proof
    assert (path.block_height, path.compute_root(txid)) == (7, header.merkle_root)
    assert header.merkle_root == txid
    assert MerklePath.parse(path.raw) == path
    assert path.raw.hex() == "0701010002" + bytes.fromhex(txid)[::-1].hex()


def test_a_new_chain_is_its_first_block(store: ChainStore) -> None:
    chain = MockChain(store)
    assert chain.height == 0
    assert chain.tip is not None
    assert chain.tip.previous_hash == "00" * 32


def test_a_premined_chain_has_a_mature_coinbase(chain: MockChain) -> None:
    assert chain.height == 100
    chain.premine()
    assert chain.height == 100
    assert chain.accept(spend([(coinbase_txid(chain, 0), 0)], [(OP_TRUE, 1)])).outcome == PostOutcome.ACCEPTED_SEEN


def test_the_recorded_spend_of_coinbase_1_is_refused_until_height_101(store: ChainStore) -> None:
    raw_tx = bytes.fromhex(
        "01000000013c7551a04560944eedf4236788a21b117e60adbf21111a7cc79734f853b3cde90000000000ffffffff"
        "019cf1052a01000000015100000000"
    )
    chain = MockChain(store)
    chain.mine()
    early = chain.accept(raw_tx)
    assert (early.outcome, early.reason) == (PostOutcome.REJECTED, RejectReason.UNSTATED)
    assert early.text == (
        "The input parameter must be not spend immature coinbase. Input 0: coinbase at height 1, current height 1, "
        "need 100 confirmations"
    )
    chain.mine(99)
    assert chain.height == 100
    assert chain.accept(raw_tx).outcome == PostOutcome.REJECTED
    chain.mine()
    accepted = chain.accept(raw_tx)
    assert accepted.outcome == PostOutcome.ACCEPTED_SEEN
    assert accepted.txid == "826bfd6dada9802675ba1c90cf47c8d737920e04781aa31797b9158b130d6a7d"


def test_headers_are_linked_and_meet_their_target(chain: MockChain) -> None:
    chain.mine(20)
    headers = [chain.header_at(height) for height in range(chain.height + 1)]
    for below, header in itertools.pairwise(headers):
        assert below is not None
        assert header is not None
        assert header.previous_hash == below.hash
        assert header.meets_target


def test_every_block_is_later_than_the_median_of_the_eleven_before_it(chain: MockChain, clock: ManualClock) -> None:
    chain.mine(30)
    chain.advance_time(5000)
    chain.mine(30)
    times = [header.time for height in range(chain.height + 1) if (header := chain.header_at(height))]
    for height in range(11, len(times)):
        assert times[height] > sorted(times[height - 11 : height])[5]
    assert times[131] == clock.now() // 1000


def test_premined_blocks_end_now_and_are_ten_minutes_apart(chain: MockChain, clock: ManualClock) -> None:
    times = [header.time for height in range(101) if (header := chain.header_at(height))]
    assert times[-1] == clock.now() // 1000
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {600}


def test_advancing_time_moves_a_manual_clock_and_shifts_any_other(store: ChainStore, clock: ManualClock) -> None:
    before = clock.now()
    MockChain(clock=clock).advance_time(60)
    assert clock.now() == before + 60_000
    chain = MockChain(store, deterministic=True)
    chain.advance_time(1000)
    assert chain.mine()[0].time == 1_700_000_000 + 600 + 1000
    with pytest.raises(WERR_INVALID_PARAMETER):
        chain.advance_time(-1)


def test_a_block_holds_the_mempool_in_order_parents_first(chain: MockChain) -> None:
    funded = chain.fund(open_script(0), 1000)
    txids = [pay(chain, (funded.txid, 0), 1, 900)]
    for tag in range(2, 6):
        txids.append(pay(chain, (txids[-1], 0), tag, 900 - tag))
    assert chain.mempool() == txids
    (header,) = chain.mine()
    assert chain.block_txids(header.height)[1:] == txids
    assert chain.mempool() == []
    assert [chain.confirmations(txid) for txid in txids] == [1] * 5
    for txid in txids:
        proof = chain.proof_of(txid)
        assert proof is not None
        assert proof[0].compute_root(txid) == header.merkle_root


def test_only_chosen_transactions_are_mined_and_never_without_their_parents(chain: MockChain) -> None:
    funded = chain.fund_many([OutputSpec(1000, open_script(1)), OutputSpec(1000, open_script(2))])
    parent = pay(chain, (funded[0].txid, 0), 3, 900)
    child = pay(chain, (parent, 0), 4, 800)
    other = pay(chain, (funded[0].txid, 1), 5, 900)
    chain.mine(only=[child, other])
    assert chain.mempool() == [parent, child]
    assert chain.confirmations(other) == 1
    chain.mine()
    assert chain.mempool() == []


@pytest.mark.parametrize("count", [0, -1, 100_001])
def test_an_absurd_number_of_blocks_is_refused(chain: MockChain, count: int) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER):
        chain.mine(count)
    assert chain.height == 100
