from __future__ import annotations

import pytest
from signed_chain import HEIGHT, KEY, LOCK, chain, funding, proof, spend

from bsv_wallet_toolbox.errors import WERR_INVALID_MERKLE_ROOT, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.spv import needed_roots, verify_beef
from bsv_wallet_toolbox.transactions.tx import (
    MAX_SATOSHIS,
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
)

FIRST = funding()
ROOT = proof(FIRST).root


def believe(root: str, height: int) -> bool:
    return (root, height) == (ROOT, HEIGHT)


def beef_of(*unproven: TransactionView) -> Beef:
    beef = Beef()
    beef.merge_transaction(FIRST, proof(FIRST))
    for tx in unproven:
        beef.merge_transaction(tx)
    return beef


def refusal(beef: Beef, tx: TransactionView) -> str:
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        verify_beef(beef, [tx.txid], believe, parameter="inputBEEF")
    assert caught.value.parameter == "inputBEEF"
    return caught.value.message


def edited(tx: TransactionView, position: int, value: bytes) -> TransactionView:
    return parse_transaction(tx.raw[:position] + value + tx.raw[position + len(value) :])


def test_a_signed_chain_back_to_a_believed_root_is_valid_and_the_root_is_asked_for_once() -> None:
    beef, line = chain(20)
    for tx in line[:3]:
        beef.merge_transaction(tx, proof(tx))
    asked = []

    def believe_and_note(root: str, height: int) -> bool:
        asked.append((root, height))
        return True

    verify_beef(beef, [line[-1].txid], believe_and_note)
    assert asked == needed_roots(beef, line[-1].txid) == [(proof(line[2]).root, HEIGHT)]
    assert len(needed_roots(beef)) == 3


def test_a_root_that_is_not_believed() -> None:
    tx = spend([(FIRST, 0)], [999])
    with pytest.raises(WERR_INVALID_MERKLE_ROOT) as caught:
        verify_beef(beef_of(tx), [tx.txid], lambda root, height: False)
    assert (caught.value.merkle_root, caught.value.block_height, caught.value.txid) == (ROOT, HEIGHT, FIRST.txid)


def test_more_paid_out_than_taken_in() -> None:
    verify_beef(beef_of(tx := spend([(FIRST, 0)], [1_000_000])), [tx.txid], believe)
    tx = spend([(FIRST, 0)], [1_000_000, 1])
    assert "pays out at most the 1000000 it takes in, not 1000001 satoshis" in refusal(beef_of(tx), tx)


def test_a_signature_of_another_key() -> None:
    tx = spend([(FIRST, 0)], [999], key=b"\x22" * 32)
    assert "unlocks what its input 0 spends: OP_EQUALVERIFY" in refusal(beef_of(tx), tx)


def test_a_corrupted_signature() -> None:
    tx = spend([(FIRST, 0)], [999])
    byte = tx.inputs[0].script_offset + 20
    tx = edited(tx, byte, bytes((tx.raw[byte] ^ 1,)))
    assert "unlocks what its input 0 spends: OP_CHECKSIG" in refusal(beef_of(tx), tx)


def test_an_output_changed_after_signing() -> None:
    tx = spend([(FIRST, 0)], [999])
    tx = edited(tx, tx.outputs[0].script_offset - 9, b"\xe8")
    assert "OP_CHECKSIG" in refusal(beef_of(tx), tx)


def test_a_missing_unlocking_script() -> None:
    tx = parse_transaction(build_transaction([InputSpec(FIRST.txid, 0)], [OutputSpec(1, LOCK)]))
    assert "has an unlocking script on input 0" in refusal(beef_of(tx), tx)


def test_an_empty_unlocking_script_is_fine_where_the_output_needs_none() -> None:
    coin = funding(lock=b"\x51")
    tx = parse_transaction(build_transaction([InputSpec(coin.txid, 0)], [OutputSpec(1, LOCK)]))
    beef = beef_of(tx)
    beef.merge_transaction(coin, proof(coin))
    verify_beef(beef, [tx.txid], lambda root, height: True)


def test_a_missing_source() -> None:
    middle = spend([(FIRST, 0)], [999])
    tx = spend([(middle, 0)], [998])
    assert f"holds {middle.txid}, which its input 0 spends" in refusal(beef_of(tx), tx)


def test_a_source_output_that_does_not_exist() -> None:
    spent = parse_transaction(build_transaction([InputSpec(FIRST.txid, 1)], [OutputSpec(1, LOCK)]))
    assert f"spends existing outputs, not {FIRST.txid}.1" in refusal(beef_of(spent), spent)


def test_one_output_spent_twice_by_one_transaction() -> None:
    tx = spend([(FIRST, 0), (FIRST, 0)], [2_000_000])
    assert "spends no output twice" in refusal(beef_of(tx), tx)


def test_a_subject_that_is_not_there() -> None:
    assert "holds" in refusal(beef_of(), spend([(FIRST, 0)], [999]))


def test_transactions_by_txid_only_count_only_when_the_receiver_vouches_for_them() -> None:
    middle = spend([(FIRST, 0)], [999])
    tx = spend([(middle, 0), (FIRST, 0)], [500])
    beef = beef_of(middle, tx)
    beef.make_txid_only(middle.txid)
    assert f"holds {middle.txid} in full" in refusal(beef, tx)
    verify_beef(beef, [tx.txid], believe, allow_txid_only=True)
    wrong = spend([(middle, 0), (FIRST, 0)], [500], key=b"\x22" * 32)
    beef.merge_transaction(wrong)
    with pytest.raises(WERR_INVALID_PARAMETER, match="input 1"):
        verify_beef(beef, [wrong.txid], believe, allow_txid_only=True)


def test_absurd_amounts_are_refused_even_when_a_source_is_vouched_for() -> None:
    middle = spend([(FIRST, 0)], [999])
    tx = spend([(middle, 0)], [MAX_SATOSHIS, 1])
    beef = beef_of(tx)
    beef.merge_txid_only(middle.txid)
    with pytest.raises(WERR_INVALID_PARAMETER, match="pays out at most 2100000000000000"):
        verify_beef(beef, [tx.txid], believe, allow_txid_only=True)


def test_scripts_are_skipped_only_on_request() -> None:
    tx = spend([(FIRST, 0)], [999], key=b"\x22" * 32)
    verify_beef(beef_of(tx), [tx.txid], believe, run_scripts=False)
    inflated = spend([(FIRST, 0)], [1_000_001], key=KEY)
    with pytest.raises(WERR_INVALID_PARAMETER, match="pays out"):
        verify_beef(beef_of(inflated), [inflated.txid], believe, run_scripts=False)


def test_a_bad_ancestor_spoils_its_descendants() -> None:
    bad = spend([(FIRST, 0)], [999], key=b"\x22" * 32)
    tx = spend([(bad, 0)], [998])
    assert bad.txid in refusal(beef_of(bad, tx), tx)


def test_what_the_subject_does_not_rest_on_is_not_judged() -> None:
    tx = spend([(FIRST, 0)], [999])
    stranger = spend([(funding(nonce=5), 0)], [5])
    verify_beef(beef_of(tx, stranger), [tx.txid], believe)
