"""Which payments are verified beside the callers and which in a process of their own: by the scripts that must run."""

from __future__ import annotations

import pytest

from bsv_wallet_toolbox.mockchain import MockChain
from bsv_wallet_toolbox.provider.incoming import INLINE_CHECKS, is_cheap
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
)

P2PKH = bytes.fromhex("76a914" + "ac" * 20 + "88ac")
"""The hash is made of the opcode of OP_CHECKSIG."""
UNLOCK = b"\x48" + b"\xac" * 72 + b"\x21" + b"\x02" + b"\xac" * 32


def payment(sources: list[OutputSpec], unlock: bytes, outputs: int = 1) -> tuple[Beef, TransactionView]:
    """An unmined transaction that spends mined outputs, each by ``unlock``."""
    chain = MockChain(premine=True)
    beef = Beef()
    spent = []
    for source in chain.fund_many(sources):
        beef.merge(chain.beef_of(source.txid))
        spent.append(InputSpec(source.txid, source.vout, unlock))
    view = parse_transaction(build_transaction(spent, [OutputSpec(1, P2PKH)] * outputs))
    beef.merge_transaction(view)
    return beef, view


def test_what_a_payment_pays_to_costs_nothing() -> None:
    beef, view = payment([OutputSpec(10_000, P2PKH)], UNLOCK, outputs=500)
    assert is_cheap(beef, [view.txid])


def test_one_signature_is_counted_for_each_spent_p2pkh_output() -> None:
    beef, view = payment([OutputSpec(1000, P2PKH)] * INLINE_CHECKS, UNLOCK)
    assert is_cheap(beef, [view.txid])
    beef, view = payment([OutputSpec(1000, P2PKH)] * (INLINE_CHECKS + 1), UNLOCK)
    assert not is_cheap(beef, [view.txid])


@pytest.mark.parametrize(
    "unlock",
    [
        b"\xac" * 107,
        b"\x48" + b"\xac" * 107,
        b"\x48" + b"\x00" * 72 + b"\xac" * 34,
        b"\xac" + b"\x00" * 172 + b"\x21" + b"\xac" * 33,
        b"\x00" + b"\xac" * 60,
    ],
)
def test_other_unlocking_scripts_are_counted_by_every_byte_that_may_check(unlock: bytes) -> None:
    count = 1 + INLINE_CHECKS // (unlock.count(b"\xac") + 21)
    beef, view = payment([OutputSpec(1000, P2PKH)] * count, unlock)
    assert not is_cheap(beef, [view.txid])


def test_an_empty_unlocking_script_is_counted_by_the_lock() -> None:
    beef, view = payment([OutputSpec(1000, b"\xad" * INLINE_CHECKS)], b"")
    assert is_cheap(beef, [view.txid])
    beef, view = payment([OutputSpec(1000, b"\xad" * (INLINE_CHECKS + 1))], b"")
    assert not is_cheap(beef, [view.txid])


def test_a_mined_transaction_runs_no_script() -> None:
    chain = MockChain(premine=True)
    source = chain.fund_many([OutputSpec(1000, b"\x51")])[0]
    view = parse_transaction(
        build_transaction([InputSpec(source.txid, source.vout)], [OutputSpec(1, b"\xac" * 300_000)])
    )
    chain.accept(view)
    chain.mine()
    assert is_cheap(chain.beef_of(view.txid), [view.txid])
