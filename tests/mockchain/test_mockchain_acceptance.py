"""What the mock chain takes in and what it refuses, with the words and the evidence of the refusal."""

from __future__ import annotations

import pytest
from mockchain_coins import closed_script, fingerprint, key_script, open_script, pay, signed_spend, spend

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.services import PostOutcome, RejectReason
from bsv_wallet_toolbox.mockchain import MockChain
from bsv_wallet_toolbox.mockchain.consensus import OP_TRUE, coinbase_transaction
from bsv_wallet_toolbox.transactions.hashes import txid_of
from bsv_wallet_toolbox.transactions.tx import MAX_SATOSHIS, OutputSpec, parse_transaction

Outpoint = tuple[str, int]


@pytest.fixture
def coin(chain: MockChain) -> Outpoint:
    """1000 satoshis that anyone can spend."""
    return chain.fund(open_script(0), 1000).txid, 0


def test_an_accepted_transaction_is_known_spends_and_pays(chain: MockChain, coin: Outpoint) -> None:
    raw_tx = spend([coin], [(open_script(1), 600), (open_script(2), 300)])
    acceptance = chain.accept(raw_tx)
    assert (acceptance.outcome, acceptance.txid) == (PostOutcome.ACCEPTED_SEEN, txid_of(raw_tx))
    assert chain.spender_of(*coin) == acceptance.txid
    assert not chain.is_unspent(*coin)
    assert [(utxo.vout, utxo.satoshis, utxo.height) for utxo in chain.utxos_of(open_script(2))] == [(1, 300, None)]
    assert chain.confirmations(acceptance.txid) == 0


def test_a_view_is_accepted_like_its_bytes(chain: MockChain, coin: Outpoint) -> None:
    assert chain.accept(parse_transaction(spend([coin], [(OP_TRUE, 1)]))).is_on_chain
    empty = parse_transaction(spend([], [(OP_TRUE, 0)]), allow_empty=True)
    assert chain.accept(empty).outcome == PostOutcome.REJECTED


def test_posting_twice_is_already_known_before_and_after_mining(chain: MockChain, coin: Outpoint) -> None:
    raw_tx = spend([coin], [(open_script(1), 900)])
    chain.accept(raw_tx)
    assert chain.accept(raw_tx).outcome == PostOutcome.ALREADY_KNOWN
    chain.mine()
    before = fingerprint(chain)
    assert chain.accept(raw_tx).outcome == PostOutcome.ALREADY_KNOWN
    assert fingerprint(chain) == before


@pytest.mark.parametrize("mined", [False, True])
def test_a_conflicting_spend_is_a_double_spend_that_names_the_winner(
    chain: MockChain, coin: Outpoint, mined: bool
) -> None:
    winner = pay(chain, coin, 1, 900)
    if mined:
        chain.mine()
    loser = chain.accept(spend([coin], [(open_script(2), 900)]))
    assert (loser.outcome, loser.competing_txids) == (PostOutcome.DOUBLE_SPEND, (winner,))
    assert loser.text == (
        f"The input parameter must be not be already spent. Input 0: {coin[0]}.{coin[1]} spent by {winner}"
    )


def test_every_winner_is_named_once(chain: MockChain) -> None:
    funded = chain.fund_many([OutputSpec(1000, open_script(tag)) for tag in range(3)])
    first = txid_of(raw_tx := spend([(funded[0].txid, 0), (funded[0].txid, 1)], [(OP_TRUE, 1)]))
    chain.accept(raw_tx)
    second = pay(chain, (funded[0].txid, 2), 9, 1)
    loser = chain.accept(spend([(funded[0].txid, vout) for vout in range(3)], [(OP_TRUE, 5)]))
    assert loser.competing_txids == (first, second)


def test_an_unknown_input_is_a_missing_parent(chain: MockChain, coin: Outpoint) -> None:
    absent = chain.accept(spend([("ab" * 32, 3)], [(OP_TRUE, 1)]))
    assert absent.outcome == PostOutcome.MISSING_PARENTS
    assert absent.text == (f"The input parameter must be reference a known UTXO. Input 0: {'ab' * 32}.3 not found")
    assert chain.accept(spend([(coin[0], 77)], [(OP_TRUE, 1)])).outcome == PostOutcome.MISSING_PARENTS


def test_a_conflict_outweighs_a_missing_parent(chain: MockChain, coin: Outpoint) -> None:
    winner = pay(chain, coin, 1, 900)
    loser = chain.accept(spend([("ab" * 32, 3), coin], [(OP_TRUE, 1)]))
    assert (loser.outcome, loser.competing_txids) == (PostOutcome.DOUBLE_SPEND, (winner,))


def test_rule_breakers_are_rejected_and_leave_no_trace(chain: MockChain, coin: Outpoint) -> None:
    locked = chain.fund(closed_script(), 1000)
    good = spend([coin], [(OP_TRUE, 900)])
    breakers = {
        "without inputs": spend([], [(OP_TRUE, 0)]),
        "without outputs": spend([coin], []),
        "cut off": good[:-1],
        "trailing byte": good + b"\x00",
        "nothing": b"",
        "the same input twice": spend([coin, coin], [(OP_TRUE, 1)]),
        "pays more than it takes": spend([coin], [(OP_TRUE, 1001)]),
        "pays more than exists": spend([coin], [(OP_TRUE, MAX_SATOSHIS), (OP_TRUE, 1)]),
        "a coinbase": coinbase_transaction(5000),
        "fails its script": spend([(locked.txid, 0)], [(OP_TRUE, 1)]),
        "unlocks with an OP_RETURN": spend([coin], [(OP_TRUE, 1)], unlocking_script=b"\x00\x6a"),
    }
    before = fingerprint(chain)
    for name, raw_tx in breakers.items():
        acceptance = chain.accept(raw_tx)
        assert acceptance.outcome == PostOutcome.REJECTED, name
        assert acceptance.text, name
        assert acceptance.code in (461, 462, 463, 464), name
        assert acceptance.reason == (RejectReason.MALFORMED if acceptance.code == 463 else RejectReason.RULE), name
        assert acceptance.txid == txid_of(raw_tx), name
    assert fingerprint(chain) == before
    assert chain.accept(good).is_on_chain


def test_signatures_are_checked(chain: MockChain) -> None:
    txid = chain.fund(key_script(), 1000).txid
    source = chain.output(txid, 0)
    assert source is not None
    forged = chain.accept(signed_spend(source, [(OP_TRUE, 900)], secret=b"\x08" * 32))
    assert forged.outcome == PostOutcome.REJECTED
    assert forged.text.startswith("The transaction parameter must be pass script validation: ")
    assert chain.accept(signed_spend(source, [(OP_TRUE, 900)])).is_on_chain


def test_a_lock_time_binds_only_with_a_sequence_that_is_not_final(chain: MockChain, coin: Outpoint) -> None:
    height = chain.height
    later = chain.accept(spend([coin], [(OP_TRUE, 1)], lock_time=height + 1, sequence=1))
    assert (later.outcome, later.code, later.reason) == (PostOutcome.REJECTED, 476, RejectReason.UNSTATED)
    assert chain.accept(spend([coin], [(OP_TRUE, 1)], lock_time=height + 1)).is_on_chain


def test_a_height_lock_opens_with_the_next_block(chain: MockChain, coin: Outpoint) -> None:
    raw_tx = spend([coin], [(OP_TRUE, 1)], lock_time=chain.height + 1, sequence=1)
    assert not chain.accept(raw_tx).is_on_chain
    chain.mine()
    assert chain.accept(raw_tx).is_on_chain
    chain.mine()
    assert chain.confirmations(txid_of(raw_tx)) == 1


def test_a_time_lock_is_compared_with_the_median_of_the_last_eleven_blocks(chain: MockChain, coin: Outpoint) -> None:
    raw_tx = spend([coin], [(OP_TRUE, 1)], lock_time=chain.median_time_past, sequence=1)
    assert not chain.accept(raw_tx).is_on_chain
    chain.advance_time(10_000)
    assert not chain.accept(raw_tx).is_on_chain, "the wall clock alone does not open it"
    chain.mine()
    assert chain.accept(raw_tx).is_on_chain
    boundary = spend([(txid_of(raw_tx), 0)], [(OP_TRUE, 1)], lock_time=499_999_999, sequence=1)
    assert chain.accept(boundary).outcome == PostOutcome.REJECTED, "below the threshold it is a height"


def test_eviction_takes_the_descendants_and_frees_the_inputs(chain: MockChain, coin: Outpoint) -> None:
    parent = pay(chain, coin, 1, 900)
    child = pay(chain, (parent, 0), 2, 800)
    grandchild = pay(chain, (child, 0), 3, 700)
    assert chain.evict(parent) == (parent, child, grandchild)
    assert chain.is_unspent(*coin)
    assert chain.mempool() == []
    assert chain.confirmations(child) is None
    assert pay(chain, coin, 4, 900)


def test_only_mempool_transactions_can_be_evicted(chain: MockChain, coin: Outpoint) -> None:
    for txid in (coin[0], "ab" * 32):
        with pytest.raises(WERR_INVALID_PARAMETER):
            chain.evict(txid)


def test_funding_mines_what_it_needs_and_pays_from_several_coinbases(chain: MockChain) -> None:
    script = open_script(1)
    funded = chain.fund(script, 12_000_000_000)
    (utxo,) = chain.utxos_of(script)
    assert (utxo.txid, utxo.vout, utxo.satoshis) == (funded.txid, 0, 12_000_000_000)
    assert chain.confirmations(funded.txid) == 1
    row = chain.transaction_of(funded.txid)
    assert row is not None
    assert len(parse_transaction(row.raw_tx).inputs) == 3


def test_fundings_differ_and_do_not_touch_what_others_lock_to_op_true(chain: MockChain) -> None:
    ours = chain.fund(OP_TRUE, 1000)
    again = [chain.fund(OP_TRUE, satoshis).txid for satoshis in (1000, 1000, 1000, 1000, 20_000_000_000)]
    assert len({ours.txid, *again}) == 6
    assert chain.is_unspent(ours.txid, ours.vout)


@pytest.mark.parametrize("satoshis", [-1, 5_000_000_000_001])
def test_absurd_fundings_are_refused(chain: MockChain, satoshis: int) -> None:
    before = fingerprint(chain)
    with pytest.raises(WERR_INVALID_PARAMETER):
        chain.fund(OP_TRUE, satoshis)
    with pytest.raises(WERR_INVALID_PARAMETER):
        chain.fund_many([])
    assert fingerprint(chain) == before
