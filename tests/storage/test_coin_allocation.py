"""Which coin is chosen, in which order, and what may never be chosen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bsv_wallet_toolbox.database.migrations import migrate
from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.interfaces.statuses import ENDED, Chain, TransactionStatus
from bsv_wallet_toolbox.seams import ManualClock
from bsv_wallet_toolbox.storage.coins import CoinsLost, StoredCoins, balance, claim_coins, count_coins
from bsv_wallet_toolbox.storage.migrations import MIGRATIONS
from bsv_wallet_toolbox.storage.statements import actions as statements
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.users import (
    UserScope,
    create_settings,
    default_basket,
    find_or_insert_baskets,
    find_or_insert_user,
)

pytestmark = pytest.mark.anyio

NEVER_FUNDING = ("nosend", "unsigned", "unprocessed", "failed", "nonfinal", "unfail")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[SqliteEngine]:
    async with SqliteEngine.open(tmp_path / "wallet.sqlite", clock=ManualClock(), create=True) as made:
        await migrate(made, MIGRATIONS)
        yield made


def add_transaction(tx: Transaction, scope: UserScope, status: str, number: int, *, is_outgoing: bool = True) -> int:
    return tx.insert(
        statements.INSERT_TRANSACTION,
        now=iso(tx.now()),
        user_id=scope.user_id,
        proven_tx_id=None,
        status=status,
        reference=f"reference {scope.user_id} {number}",
        is_outgoing=int(is_outgoing),
        satoshis=0,
        version=1,
        lock_time=0,
        description="coins for a test",
        txid=f"{scope.user_id}{number:063}",
        input_beef=None,
    )


def add_output(tx: Transaction, scope: UserScope, transaction_id: int, satoshis: int, **changed: Any) -> int:
    row: dict[str, Any] = {
        "now": iso(tx.now()),
        "user_id": scope.user_id,
        "transaction_id": transaction_id,
        "basket_id": default_basket(tx, scope).basket_id,
        "spendable": 1,
        "change": 1,
        "vout": changed.pop("vout", 0),
        "satoshis": satoshis,
        "provided_by": "storage",
        "purpose": "change",
        "type": "P2PKH",
        "output_description": "",
        "txid": f"{scope.user_id}{transaction_id:063}",
        "sender_identity_key": None,
        "derivation_prefix": "cHJlZml4",
        "derivation_suffix": "c3VmZml4",
        "custom_instructions": None,
        "spent_by": None,
        "script_length": None,
        "script_offset": None,
        "locking_script": b"\x51",
    }
    return tx.insert(statements.INSERT_OUTPUT, **(row | changed))


def make_user(tx: Transaction, key: str = "02" + "11" * 32) -> UserScope:
    return find_or_insert_user(tx, key, create_settings(tx, "03" + "22" * 32, "store", Chain.MOCK))


def seven_coins(tx: Transaction) -> UserScope:
    """1:100 2:300 3:300 4:500 5:1000 completed, 6:450 unproven, 7:460 sending, and 455 in every other status; those of
    ended transactions are not spendable, as everywhere."""
    scope = make_user(tx)
    completed = add_transaction(tx, scope, "completed", 1)
    for vout, satoshis in enumerate((100, 300, 300, 500, 1000)):
        add_output(tx, scope, completed, satoshis, vout=vout)
    add_output(tx, scope, add_transaction(tx, scope, "unproven", 2), 450)
    add_output(tx, scope, add_transaction(tx, scope, "sending", 3), 460)
    for number, status in enumerate(NEVER_FUNDING, 4):
        add_output(tx, scope, add_transaction(tx, scope, status, number), 455, spendable=int(status not in ENDED))
    return scope


def take(tx: Transaction, scope: UserScope, target: int, exact: int | None, include_sending: bool) -> str | None:
    """One coin, claimed at once, as ``id:satoshis``."""
    coin = StoredCoins(tx, scope, default_basket(tx, scope), include_sending).take(target, exact)
    if coin is None:
        return None
    claim_coins(tx, [coin], 1)
    return f"{coin.output_id}:{coin.satoshis}"


async def test_among_coins_of_the_same_worth_a_proven_one_is_taken_first(engine: SqliteEngine) -> None:
    def allocate(tx: Transaction) -> list[str | None]:
        scope = make_user(tx)
        add_output(tx, scope, add_transaction(tx, scope, "unproven", 1), 300)
        add_output(tx, scope, add_transaction(tx, scope, "unproven", 2), 200)
        add_output(tx, scope, add_transaction(tx, scope, "completed", 3), 300)
        add_output(tx, scope, add_transaction(tx, scope, "completed", 4), 310)
        calls = [(250, None, False), (250, None, False), (100, None, False)]
        return [take(tx, scope, *call) for call in calls]

    assert await engine.write(allocate) == ["3:300", "1:300", "2:200"]


async def test_coins_are_taken_in_the_order_of_the_reference(engine: SqliteEngine) -> None:
    def allocate(tx: Transaction) -> list[str | None]:
        scope = seven_coins(tx)
        calls = [
            (250, 300, False),
            (455, None, False),
            (455, None, True),
            (455, None, False),
            (5000, None, False),
            (50, 60, False),
            (1, None, False),
            (1, None, True),
        ]
        return [take(tx, scope, *call) for call in calls]

    assert await engine.write(allocate) == ["2:300", "4:500", "7:460", "5:1000", "6:450", "1:100", "3:300", None]


async def test_a_pool_that_claims_later_takes_the_same_coins(engine: SqliteEngine) -> None:
    def allocate(tx: Transaction) -> list[int]:
        scope = seven_coins(tx)
        pool = StoredCoins(tx, scope, default_basket(tx, scope), include_sending=True)
        targets = [(250, 300), (455, None), (455, None), (5000, None), (5000, None), (50, 60), (1, None), (1, None)]
        coins = [pool.take(*each) for each in targets]
        return [coin.satoshis if coin else 0 for coin in coins]

    assert await engine.write(allocate) == [300, 460, 500, 1000, 450, 100, 300, 0]


async def test_a_coin_given_back_can_be_taken_again(engine: SqliteEngine) -> None:
    def allocate(tx: Transaction) -> tuple[int, int, int]:
        scope = seven_coins(tx)
        pool = StoredCoins(tx, scope, default_basket(tx, scope), include_sending=False)
        first = pool.take(900, None)
        assert first is not None
        pool.give_back(first)
        second, third = pool.take(900, None), pool.take(900, None)
        assert second is not None
        assert third is not None
        return first.output_id, second.output_id, third.output_id

    assert await engine.write(allocate) == (5, 5, 4)


async def test_equal_coins_lowest_id_from_above_highest_from_below(engine: SqliteEngine) -> None:
    def allocate(tx: Transaction) -> tuple[str | None, str | None]:
        scope = make_user(tx)
        parent = add_transaction(tx, scope, "completed", 1)
        for vout in range(4):
            add_output(tx, scope, parent, 300, vout=vout)
        return take(tx, scope, 200, None, False), take(tx, scope, 400, None, False)

    assert await engine.write(allocate) == ("1:300", "4:300")


async def test_counts_and_sums(engine: SqliteEngine) -> None:
    def count(tx: Transaction) -> tuple[int, int, int, int]:
        scope = seven_coins(tx)
        basket = default_basket(tx, scope)
        excluded = count_coins(tx, scope, basket, include_sending=False, cap=1000)
        included = count_coins(tx, scope, basket, include_sending=True, cap=1000)
        capped = count_coins(tx, scope, basket, include_sending=True, cap=3)
        return excluded, included, capped, balance(tx, scope, basket)

    assert await engine.write(count) == (6, 7, 3, 3110 + 455)  # nosend counts in the balance


async def test_what_comes_in_funds_nothing_before_a_provider_has_accepted_it(engine: SqliteEngine) -> None:
    def allocate(tx: Transaction) -> list[object]:
        scope = make_user(tx)
        basket = default_basket(tx, scope)
        add_output(tx, scope, add_transaction(tx, scope, "sending", 1, is_outgoing=False), 500)
        before = [take(tx, scope, 1, exact, True) for exact in (500, None)]
        before += [count_coins(tx, scope, basket, True, 10), balance(tx, scope, basket)]
        add_output(tx, scope, add_transaction(tx, scope, "unproven", 2, is_outgoing=False), 400)
        counted = count_coins(tx, scope, basket, True, 10), count_coins(tx, scope, basket, False, 10)
        return [*before, *counted, balance(tx, scope, basket), take(tx, scope, 1, 500, False)]

    assert await engine.write(allocate) == [None, None, 0, 0, 1, 1, 400, "2:400"]


@pytest.mark.parametrize("status", sorted(ENDED))
async def test_an_output_of_an_ended_transaction_is_never_made_spendable(engine: SqliteEngine, status: str) -> None:
    """A hold of it may be resolved, or its spender fail, after its own transaction has ended."""

    def free(tx: Transaction) -> list[object]:
        scope = make_user(tx)
        ended, spender = add_transaction(tx, scope, status, 1), add_transaction(tx, scope, "sending", 2)
        spent = add_output(tx, scope, ended, 500, spendable=0, spent_by=spender)
        held = add_output(tx, scope, ended, 500, spendable=0, vout=1)
        now = iso(tx.now())
        tx.execute(coin_statements.FREE_COIN, output_id=spent, transaction_id=spender, now=now)
        tx.execute(coin_statements.MARK_SPENDABLE, output_id=held, spendable=1, now=now)
        return [take(tx, scope, 1, 500, True), balance(tx, scope, default_basket(tx, scope))]

    assert await engine.write(free) == [None, 0]


@pytest.mark.parametrize(
    "changed",
    [
        {"change": 0},
        {"type": "custom"},
        {"derivation_prefix": None},
        {"spendable": 0},
        {"basket_id": None},
    ],
)
async def test_what_is_no_change_of_ours_never_funds(engine: SqliteEngine, changed: dict[str, Any]) -> None:
    def allocate(tx: Transaction) -> tuple[str | None, int, int]:
        scope = make_user(tx)
        add_output(tx, scope, add_transaction(tx, scope, "completed", 1), 500, **changed)
        basket = default_basket(tx, scope)
        return take(tx, scope, 1, 500, True), count_coins(tx, scope, basket, True, 10), balance(tx, scope, basket)

    assert await engine.write(allocate) == (None, 0, 0)


async def test_coins_of_other_users_and_baskets_are_out_of_reach(engine: SqliteEngine) -> None:
    def allocate(tx: Transaction) -> str | None:
        mine, other = make_user(tx), make_user(tx, "02" + "33" * 32)
        add_output(tx, other, add_transaction(tx, other, "completed", 1), 500)
        savings = find_or_insert_baskets(tx, mine, ["savings"])["savings"]
        add_output(tx, mine, add_transaction(tx, mine, "completed", 2), 500, basket_id=savings)
        return take(tx, mine, 1, 500, True)

    assert await engine.write(allocate) is None


async def test_a_coin_that_another_action_took_undoes_the_whole_claim(engine: SqliteEngine) -> None:
    def claim_twice(tx: Transaction) -> None:
        scope = seven_coins(tx)
        pool = StoredCoins(tx, scope, default_basket(tx, scope), include_sending=True)
        coins = [coin for coin in (pool.take(1, None), pool.take(1, None)) if coin is not None]
        claim_coins(tx, coins[:1], 1)
        claim_coins(tx, coins, 2)

    with pytest.raises(CoinsLost):
        await engine.write(claim_twice)


def test_every_status_of_the_vector_is_a_status() -> None:
    assert {"completed", "unproven", "sending", *NEVER_FUNDING} == {status.value for status in TransactionStatus}
