"""Random histories: no satoshi appears or vanishes, proofs stay true, both stores tell the same story."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mockchain_coins import open_script, spend

from bsv_wallet_toolbox.interfaces.services import PostOutcome
from bsv_wallet_toolbox.mockchain import MockChain, SqliteStore
from bsv_wallet_toolbox.mockchain.consensus import SUBSIDY
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.spv import verify_beef
from bsv_wallet_toolbox.transactions.tx import OutputSpec, parse_transaction

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pay", "pay", "pay", "conflict", "mine", "reorg", "deep", "evict", "fund"]),
        st.integers(0, 2**16),
        st.integers(0, 2**16),
    ),
    max_size=25,
)


def take_step(chain: MockChain, step: tuple[str, int, int]) -> None:
    kind, left, right = step
    coins = [utxo for utxo in chain.unspent() if not utxo.is_coinbase and utxo.satoshis > 10]
    if kind == "fund" or not coins:
        chain.fund_many([OutputSpec(1000, open_script(left)), OutputSpec(2000, open_script(right))])
    elif kind in ("pay", "conflict"):
        picked = list(dict.fromkeys((coins[left % len(coins)], coins[right % len(coins)])))
        total = sum(coin.satoshis for coin in picked)
        fee = right % 5
        outputs = [(open_script(left), total // 2), (open_script(right), total - total // 2 - fee)]
        sources = [(coin.txid, coin.vout) for coin in picked]
        assert chain.accept(spend(sources, outputs)).outcome == PostOutcome.ACCEPTED_SEEN
        if kind == "conflict":
            loser = chain.accept(spend(sources, [(open_script(left), 1)]))
            assert loser.outcome == PostOutcome.DOUBLE_SPEND
    elif kind == "mine":
        chain.mine(1 + left % 3)
    elif kind == "evict" and chain.mempool():
        chain.evict(chain.mempool()[left % len(chain.mempool())])
    elif kind in ("reorg", "deep"):
        reorganise(chain, 1 + left % (4 if kind == "reorg" else chain.height), right)


def reorganise(chain: MockChain, depth: int, seed: int) -> None:
    start = chain.height + 1 - depth
    unmined = [txid for height in range(start, chain.height + 1) for txid in chain.block_txids(height)[1:]]
    known = set(unmined) | set(chain.mempool())
    result = chain.reorg(start, depth + seed % 2)
    assert set(result.dropped) | set(result.unmined) <= known
    assert set(chain.mempool()) == known - set(result.dropped)


def assert_value_is_conserved(chain: MockChain) -> None:
    """The unspent outputs are worth the coinbases minus the fees of every transaction that is known."""
    fees, seen = 0, set(chain.mempool())
    for height in range(chain.height + 1):
        seen.update(chain.block_txids(height)[1:])
    for txid in seen:
        row = chain.transaction_of(txid)
        assert row is not None
        view = parse_transaction(row.raw_tx)
        sources = [chain.output(source.txid, source.vout) for source in view.inputs]
        assert all(source is not None and source.spent_by == txid for source in sources)
        paid = sum(source.satoshis for source in sources if source is not None)
        fees += paid - sum(output.satoshis for output in view.outputs)
    assert sum(utxo.satoshis for utxo in chain.unspent()) == SUBSIDY * (chain.height + 1) - fees


def assert_proofs_are_true(chain: MockChain) -> None:
    def is_valid_root(root: str, height: int) -> bool:
        header = chain.header_at(height)
        return header is not None and header.merkle_root == root

    for height in range(chain.height + 1):
        header = chain.header_at(height)
        assert header is not None
        for index, txid in enumerate(chain.block_txids(height)):
            proof = chain.proof_of(txid)
            assert proof is not None
            path, proven_by = proof
            assert proven_by == header
            assert (path.compute_root(txid), path.index_of(txid)) == (header.merkle_root, index)
    for txid in chain.mempool():
        verify_beef(Beef.parse(chain.beef_of(txid).to_bytes()), [txid], is_valid_root)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_any_history_conserves_value_keeps_proofs_true_and_is_the_same_in_both_stores(
    steps: list[tuple[str, int, int]],
) -> None:
    chains = [
        MockChain(deterministic=True, premine=True),
        MockChain(SqliteStore(":memory:"), deterministic=True, premine=True),
    ]
    for step in steps:
        for chain in chains:
            take_step(chain, step)
        assert chains[0].tip == chains[1].tip
    for chain in chains:
        assert_value_is_conserved(chain)
        assert_proofs_are_true(chain)
    assert chains[0].unspent() == chains[1].unspent()
    assert chains[0].mempool() == chains[1].mempool()
    chains[1].close()
