"""Which status may follow which, and that nothing else can be written."""

from __future__ import annotations

from itertools import product

import pytest

from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus as Req
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus as Tx
from bsv_wallet_toolbox.storage.state_machines import (
    REQ_TRANSITIONS,
    TRANSACTION_TRANSITIONS,
    check_req,
    check_transaction,
    may_become,
)


def test_every_status_has_its_transitions() -> None:
    assert set(TRANSACTION_TRANSITIONS) == set(Tx)
    assert set(REQ_TRANSITIONS) == set(Req)


@pytest.mark.parametrize(("old", "new"), list(product(Tx, Tx)))
def test_a_transaction_goes_where_the_table_says_and_nowhere_else(old: Tx, new: Tx) -> None:
    if new in TRANSACTION_TRANSITIONS[old]:
        check_transaction(old, new)
        assert may_become(old, new)
        return
    with pytest.raises(WalletError, match=f"from {old} to {new}"):
        check_transaction(old, new)


@pytest.mark.parametrize(("old", "new"), list(product(Req, Req)))
def test_a_req_goes_where_the_table_says_and_nowhere_else(old: Req, new: Req) -> None:
    if new in REQ_TRANSITIONS[old]:
        check_req(old, new)
        return
    with pytest.raises(WalletError, match=f"from {old} to {new}"):
        check_req(old, new)


def test_nothing_becomes_what_it_is() -> None:
    assert not any(status in following for status, following in TRANSACTION_TRANSITIONS.items())
    assert not any(status in following for status, following in REQ_TRANSITIONS.items())


def test_a_signed_transaction_never_becomes_unsigned_again() -> None:
    assert not any(Tx.UNSIGNED in following for following in TRANSACTION_TRANSITIONS.values())


def test_what_failed_comes_back_only_as_known_to_the_network() -> None:
    assert TRANSACTION_TRANSITIONS[Tx.FAILED] == {Tx.UNPROVEN, Tx.COMPLETED}
    for ended in (Req.INVALID, Req.DOUBLE_SPEND):
        assert REQ_TRANSITIONS[ended] == {Req.UNFAIL, Req.UNMINED, Req.COMPLETED}


def test_every_way_on_leads_to_a_proof() -> None:
    reached = {Tx.COMPLETED}
    while more := {old for old in Tx if old not in reached and TRANSACTION_TRANSITIONS[old] & reached}:
        reached |= more
    assert reached == set(Tx)
