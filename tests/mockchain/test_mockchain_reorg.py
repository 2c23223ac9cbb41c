"""Reorganisations: where transactions go, which proofs stay true, what is told; a refused one changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from mockchain_coins import coinbase_txid, fingerprint, open_script, pay, spend

from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.services import PostOutcome
from bsv_wallet_toolbox.mockchain import ChainStore, MockChain
from bsv_wallet_toolbox.mockchain.consensus import OP_TRUE
from bsv_wallet_toolbox.mockchain.store import script_hash_of
from bsv_wallet_toolbox.transactions.hashes import txid_of
from bsv_wallet_toolbox.transactions.headers import BlockHeader


@pytest.fixture
def mined(chain: MockChain) -> str:
    """A transaction in the block at the tip, with one block mined on top of it."""
    txid = pay(chain, (chain.fund(open_script(0), 1000).txid, 0), 1, 900)
    chain.mine(2)
    assert chain.confirmations(txid) == 2
    return txid


def height_of(chain: MockChain, txid: str) -> int:
    row = chain.transaction_of(txid)
    assert row is not None
    assert row.height is not None
    return row.height


def assert_proven(chain: MockChain, txid: str, height: int) -> None:
    proof = chain.proof_of(txid)
    assert proof is not None
    path, header = proof
    assert (path.block_height, header.height) == (height, height)
    assert header == chain.header_at(height)
    assert path.compute_root(txid) == header.merkle_root


@pytest.mark.parametrize(("offset", "blocks"), [(0, 2), (1, 2), (2, 3)])
def test_a_transaction_is_mined_again_where_the_placement_says(
    chain: MockChain, mined: str, offset: int, blocks: int
) -> None:
    height, old_tip = height_of(chain, mined), chain.tip
    stale = chain.proof_of(mined)
    result = chain.reorg(height, blocks, {mined: offset})
    assert result.old_tip == old_tip
    assert result.new_tip == chain.tip
    assert [header.height for header in result.deactivated] == [height + 1, height]
    assert [header.height for header in result.activated] == list(range(height, height + blocks))
    assert (result.unmined, result.dropped) == ((), ())
    assert_proven(chain, mined, height + offset)
    assert stale is not None
    assert chain.header_of(stale[1].hash) is None
    replaced = chain.header_at(height)
    assert replaced is not None
    assert replaced.hash != stale[1].hash


def test_the_replacing_headers_are_linked_to_the_blocks_below(chain: MockChain, mined: str) -> None:
    height = height_of(chain, mined)
    chain.reorg(height, 3)
    for at in range(height, chain.height + 1):
        header, below = chain.header_at(at), chain.header_at(at - 1)
        assert header is not None
        assert below is not None
        assert header.previous_hash == below.hash
        assert header.meets_target


def test_an_unplaced_transaction_waits_in_the_mempool_and_can_be_mined_again(chain: MockChain, mined: str) -> None:
    height = height_of(chain, mined)
    result = chain.reorg(height, 2)
    assert result.unmined == (mined,)
    assert chain.confirmations(mined) == 0
    assert chain.proof_of(mined) is None
    chain.mine()
    assert_proven(chain, mined, height + 2)


def test_a_transaction_lost_in_a_reorg_can_lose_its_inputs_to_another(chain: MockChain, mined: str) -> None:
    row = chain.transaction_of(mined)
    assert row is not None
    (source,) = chain.outputs_locked_by(script_hash_of(open_script(0)))
    chain.reorg(height_of(chain, mined), 2)
    assert chain.evict(mined) == (mined,)
    rival = pay(chain, (source.txid, source.vout), 7, 500)
    chain.mine()
    again = chain.accept(row.raw_tx)
    assert (again.outcome, again.competing_txids) == (PostOutcome.DOUBLE_SPEND, (rival,))


def test_a_mempool_transaction_may_be_placed_too(chain: MockChain, mined: str) -> None:
    waiting = pay(chain, (mined, 0), 5, 800)
    height = height_of(chain, mined)
    result = chain.reorg(height, 2, {mined: 0, waiting: 0})
    assert chain.block_txids(height)[1:] == [mined, waiting]
    assert result.unmined == ()


def test_what_descends_from_an_orphaned_coinbase_is_dropped(chain: MockChain, mined: str) -> None:
    coinbase = next(utxo.txid for utxo in chain.utxos_of(OP_TRUE) if utxo.is_coinbase)
    start = height_of(chain, coinbase)
    raw_tx = spend([(coinbase, 0), (mined, 0)], [(open_script(4), 1000)])
    assert chain.accept(raw_tx).is_on_chain
    child = pay(chain, (txid_of(raw_tx), 0), 5, 900)
    chain.mine()
    in_blocks = [txid for height in range(start, chain.height + 1) for txid in chain.block_txids(height)[1:]]
    result = chain.reorg(start, chain.height - start + 1)
    assert result.dropped == (txid_of(raw_tx), child)
    assert sorted(in_blocks) == sorted(result.dropped + result.unmined)
    assert chain.confirmations(child) is None
    assert chain.is_unspent(mined, 0)
    assert chain.confirmations(mined) == 0


def test_spends_of_a_surviving_coinbase_wait_until_it_is_mature_again(chain: MockChain) -> None:
    txid = txid_of(raw_tx := spend([(coinbase_txid(chain, 0), 0)], [(OP_TRUE, 1)]))
    assert chain.accept(raw_tx).is_on_chain
    chain.mine()
    result = chain.reorg(50, 10, allow_shorter=True)
    assert result.unmined == (txid,)
    assert chain.height == 59
    chain.mine(40)
    assert chain.mempool() == [txid]
    chain.mine()
    assert_proven(chain, txid, 100)


def test_a_shorter_chain_is_refused_unless_asked_for(chain: MockChain, mined: str) -> None:
    height = height_of(chain, mined)
    before = fingerprint(chain)
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        chain.reorg(height, 1)
    assert caught.value.parameter == "numBlocks"
    assert fingerprint(chain) == before
    assert chain.reorg(height, 1, allow_shorter=True).new_tip == chain.tip
    assert chain.height == height


@pytest.mark.parametrize("start", [-1, 10**9])
def test_a_start_outside_the_chain_is_refused(chain: MockChain, start: int) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        chain.reorg(start, 1)
    assert caught.value.message == f"The startingHeight parameter must be <= current tip height {chain.height}"


def test_a_chain_can_be_emptied_and_started_again(store: ChainStore) -> None:
    chain = MockChain(store)
    told: list[object] = []
    chain.subscribe(told.append, lambda deactivated, tip: told.append(deactivated))
    assert chain.reorg(0, 0, allow_shorter=True).new_tip is None
    assert (chain.height, chain.tip, chain.unspent(), chain.median_time_past) == (-1, None, [], 0)
    assert told == []
    with pytest.raises(WERR_INVALID_OPERATION, match="Cannot reorg empty chain"):
        chain.reorg(0, 1)
    assert [header.height for header in chain.mine()] == [0]


def test_a_placement_that_breaks_a_rule_changes_nothing(chain: MockChain) -> None:
    funded = chain.fund(open_script(0), 1000)
    parent = pay(chain, (funded.txid, 0), 1, 900)
    chain.mine()
    child = pay(chain, (parent, 0), 2, 800)
    locked = txid_of(raw_tx := spend([(child, 0)], [(OP_TRUE, 1)], lock_time=chain.height, sequence=0))
    chain.mine()
    assert chain.accept(raw_tx).is_on_chain
    chain.mine()
    start = height_of(chain, parent)
    before = fingerprint(chain)
    told: list[object] = []
    chain.subscribe(told.append, lambda deactivated, tip: told.append(tip))
    for placement in (
        {parent: 1, child: 0},
        {child: 0},
        {parent: 0, child: 0, locked: 0},
        {"ab" * 32: 0},
        {parent: 3},
        {parent: -1},
    ):
        with pytest.raises(WERR_INVALID_PARAMETER) as caught:
            chain.reorg(start, 3, placement)
        assert caught.value.parameter == "placement"
        assert fingerprint(chain) == before
    assert told == []
    chain.reorg(start, 3, {parent: 0, child: 0, locked: 2})
    assert_proven(chain, locked, start + 2)


def test_a_deterministic_chain_never_repeats_an_orphaned_block(store: ChainStore) -> None:
    chain = MockChain(store, deterministic=True)
    chain.mine(3)
    hashes = {header.hash for height in range(4) if (header := chain.header_at(height))}
    for _ in range(3):
        fresh = {header.hash for header in chain.reorg(2, 2).activated}
        assert not fresh & hashes
        hashes |= fresh


def test_reorgs_are_told_before_their_headers_and_in_order(chain: MockChain) -> None:
    told: list[tuple[str, int]] = []

    def on_header(header: BlockHeader) -> None:
        assert chain.header_of(header.hash) == header, "told after it is durable"
        told.append(("header", header.height))

    def on_reorg(deactivated: Sequence[BlockHeader], tip: BlockHeader) -> None:
        told.extend(("gone", header.height) for header in deactivated)
        told.append(("tip", tip.height))

    unsubscribe = chain.subscribe(on_header, on_reorg)
    chain.mine(2)
    chain.reorg(101, 3)
    assert told == [
        ("header", 101),
        ("header", 102),
        ("gone", 102),
        ("gone", 101),
        ("tip", 103),
        ("header", 101),
        ("header", 102),
        ("header", 103),
    ]
    unsubscribe()
    unsubscribe()
    chain.fund(OP_TRUE, 1)
    assert len(told) == 8


def test_funding_tells_its_block_and_a_listener_may_mine(chain: MockChain) -> None:
    heights: list[int] = []

    def on_header(header: BlockHeader) -> None:
        heights.append(header.height)
        if header.height == 101:
            chain.mine()

    chain.subscribe(on_header, lambda deactivated, tip: None)
    chain.fund(OP_TRUE, 1)
    assert heights == [101, 102]


def test_the_stale_proof_is_that_of_the_orphaned_block(chain: MockChain, mined: str) -> None:
    old = chain.proof_of(mined)
    chain.reorg(height_of(chain, mined), 2, {mined: 1})
    assert chain.stale_proof_of(mined) == old
    assert chain.stale_proof_of("ab" * 32) is None


def test_a_stale_proof_can_be_made_up_without_a_reorg(chain: MockChain, mined: str) -> None:
    proof = chain.stale_proof_of(mined)
    assert proof is not None
    path, header = proof
    assert path.compute_root(mined) == header.merkle_root
    assert header.meets_target
    assert chain.header_of(header.hash) is None
