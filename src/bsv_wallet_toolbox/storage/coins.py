"""Coins as funding sees them: candidates chosen by index, claimed by conditional update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INTERNAL
from bsv_wallet_toolbox.storage.statements import coins as statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.users import Basket, UserScope

__all__ = ["CoinCounts", "SpendableCoin", "StoredCoins", "balance", "claim_coins", "count_coins"]

_MANY_UNAVAILABLE = 500
"""From here on coins are counted one by one."""

_COUNTED_AHEAD = 500
"""So many coins can be spent before they are counted again."""


@dataclass(frozen=True, slots=True)
class SpendableCoin:
    """A change output with what is needed to spend it."""

    output_id: int
    satoshis: int
    txid: str
    vout: int
    locking_script: bytes
    """Empty in rows that another toolbox wrote; the wallet knows its own locks."""
    derivation_prefix: str
    derivation_suffix: str
    sender_identity_key: str | None


class StoredCoins:
    """The CoinPool of a user's default basket: each call asks the index for the best coin that is not taken yet.

    Nothing is written: the coins taken are claimed by :func:`claim_coins` in the same transaction.
    """

    def __init__(self, tx: Transaction, scope: UserScope, basket: Basket, include_sending: bool) -> None:
        self._tx = tx
        self._statements = _statements_for(include_sending)
        self._where = {"user_id": scope.user_id, "basket_id": basket.basket_id}
        self._taken: set[int] = set()

    def take(self, target: int, exact: int | None) -> SpendableCoin | None:
        """``exact`` first if given; else the smallest of at least ``target``, lowest id; else the largest below."""
        coin = None
        if exact is not None:
            coin = self._best(self._statements.of_exactly, exact)
        if coin is None:
            coin = self._best(self._statements.at_least, target) or self._best(self._statements.below, target)
        if coin is not None:
            self._taken.add(coin.output_id)
        return coin

    def give_back(self, coin: SpendableCoin) -> None:
        self._taken.discard(coin.output_id)

    def _best(self, statement: Statement, target: int) -> SpendableCoin | None:
        for row in self._tx.rows(statement, target=target, count=len(self._taken) + 1, **self._where):
            if row[0] not in self._taken:
                output_id, satoshis, txid, vout, script, *derivation = row
                return SpendableCoin(output_id, satoshis, txid, vout, script or b"", *derivation)
        return None


def _statements_for(include_sending: bool) -> statements.CoinStatements:
    """A delayed action may build on what is not sent yet, an immediate one may not."""
    return statements.DELAYED if include_sending else statements.IMMEDIATE


def count_coins(tx: Transaction, scope: UserScope, basket: Basket, include_sending: bool, cap: int) -> int:
    """How many coins could fund an action, counted no further than ``cap``."""
    chosen = _statements_for(include_sending)
    where = {"user_id": scope.user_id, "basket_id": basket.basket_id}
    unavailable = int(tx.scalar(chosen.count_unavailable, cap=_MANY_UNAVAILABLE, **where))
    if unavailable == _MANY_UNAVAILABLE:
        return int(tx.scalar(chosen.count_available, cap=cap, **where))
    return int(tx.scalar(chosen.count_any, cap=cap + unavailable, **where)) - unavailable


class CoinCounts:
    """How many coins a user has at least, remembered so that a wallet with plenty need not count for every action.

    Other processes are not heard of; a bound that is too high only makes an action split its change less than it might.
    """

    def __init__(self) -> None:
        self._at_least: dict[tuple[int, bool], int] = {}

    def up_to(self, tx: Transaction, scope: UserScope, basket: Basket, include_sending: bool, cap: int) -> int:
        """As :func:`count_coins`, counted anew only when what is remembered has been spent."""
        key = scope.user_id, include_sending
        if self._at_least.get(key, 0) < cap:
            self._at_least[key] = count_coins(tx, scope, basket, include_sending, cap + _COUNTED_AHEAD)
        return min(cap, self._at_least[key])

    def spent(self, scope: UserScope, count: int) -> None:
        for include_sending in (False, True):
            key = scope.user_id, include_sending
            if key in self._at_least:
                self._at_least[key] -= count


def claim_coins(tx: Transaction, coins: Sequence[SpendableCoin], transaction_id: int) -> None:
    """Give the coins to a transaction; all of them or an error that undoes the operation."""
    if not coins:
        return
    claimed = tx.execute(
        statements.CLAIM_COINS, ids=[coin.output_id for coin in coins], transaction_id=transaction_id, now=iso(tx.now())
    )
    if claimed != len(coins):
        raise CoinsLost(f"{len(coins) - claimed} of {len(coins)} chosen coins were taken by another action")


class CoinsLost(WERR_INTERNAL):
    """Between choosing and claiming another writer took a coin; the whole operation is run again."""


def balance(tx: Transaction, scope: UserScope, basket: Basket) -> int:
    """Satoshis of all change that is not spent, whether or not it is on the chain yet."""
    row = tx.one(statements.BALANCE, user_id=scope.user_id, basket_id=basket.basket_id)
    assert row is not None  # an aggregate always answers one row
    return int(row[0])
