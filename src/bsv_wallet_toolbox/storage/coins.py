"""Coins as funding sees them: candidates chosen by index, claimed by conditional update."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Row, Transaction
from bsv_wallet_toolbox.errors import WERR_INTERNAL, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.storage.statements import coins as statements
from bsv_wallet_toolbox.storage.statements.listing import UNTAGGED
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.users import Basket, UserScope

__all__ = ["CoinCounts", "SpendableCoin", "StoredCoins", "balance", "claim_coins", "count_coins"]

MAX_INPUTS = 2_000
"""Coins of one action: more make a transaction that is costly to sign, to verify and to show."""

_MANY_UNAVAILABLE = 500
"""From here on coins are counted one by one."""

_FIRST_PAGE = 2
"""One coin as a rule, and whether the next is worth the same."""

_LOOKED_AHEAD = 16
"""Coins behind the best one among which one of the same worth is looked for that is proven."""

_COUNTED_AHEAD = 500
"""So many coins can be spent before they are counted again."""


class SpendableCoin(NamedTuple):
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
    is_proven: bool
    """Its transaction is mined: what spends it needs no more than that to be shown."""

    @classmethod
    def of_row(cls, row: Row) -> SpendableCoin:
        output_id, satoshis, txid, vout, script, prefix, suffix, sender, is_proven = row
        return cls(output_id, satoshis, txid, vout, script or b"", prefix, suffix, sender, bool(is_proven))


class _Page:
    """The best rows of one statement from one target on, read further when they are used up."""

    def __init__(self, tx: Transaction, statement: Statement, where: dict[str, Any], target: int) -> None:
        self._tx = tx
        self._statement = statement
        self._where = where
        self._target = target
        self._coins: list[SpendableCoin] = []
        self._is_all = False
        self._start = 0

    def best(self, fits: Callable[[SpendableCoin], bool], taken: set[int]) -> SpendableCoin | None:
        """The first coin that fits and is not taken, or a proven one of the same worth close behind it.

        ``fits`` never asks for more than the page was read for.
        """
        position = self._first_untaken(taken)
        while True:
            while position < len(self._coins):
                coin = self._coins[position]
                if coin.output_id not in taken and fits(coin):
                    return coin if coin.is_proven else self._proven_alike(position, coin, fits, taken)
                position += 1
            if self._is_all:
                return None
            self._read(max(_FIRST_PAGE, 4 * len(self._coins)))

    def _proven_alike(
        self, position: int, coin: SpendableCoin, fits: Callable[[SpendableCoin], bool], taken: set[int]
    ) -> SpendableCoin:
        behind = self._coins[position + 1 : position + 2]
        if behind and behind[0].satoshis != coin.satoshis:
            return coin
        if len(self._coins) <= position + _LOOKED_AHEAD and not self._is_all:
            self._read(position + _LOOKED_AHEAD + 1)
        for other in self._coins[position + 1 : position + 1 + _LOOKED_AHEAD]:
            if other.satoshis != coin.satoshis:
                break
            if other.is_proven and other.output_id not in taken and fits(other):
                return other
        return coin

    def _first_untaken(self, taken: set[int]) -> int:
        while self._start < len(self._coins) and self._coins[self._start].output_id in taken:
            self._start += 1
        return self._start

    def _read(self, count: int) -> None:
        rows = self._tx.rows(self._statement, target=self._target, count=count, **self._where)
        self._coins = [SpendableCoin.of_row(row) for row in rows]
        self._is_all = len(rows) < count

    def rewind(self) -> None:
        self._start = 0


class StoredCoins:
    """The CoinPool of a user's default basket: each call asks the index for the best coin that is not taken yet.

    Nothing is written: the coins taken are claimed by :func:`claim_coins` in the same transaction. Rows are read in
    growing pages, so an action that spends thousands of coins reads each a few times, not once per coin.
    """

    def __init__(
        self, tx: Transaction, scope: UserScope, basket: Basket, include_sending: bool, without: Collection[str] = ()
    ) -> None:
        """``without``: txids whose outputs are not to be taken."""
        self._tx = tx
        self._statements = _statements_for(include_sending)
        self._where = {"user_id": scope.user_id, "basket_id": basket.basket_id}
        self._taken: set[int] = set()
        self._without = without
        self._up: tuple[int, _Page] | None = None
        self._down: tuple[int, _Page] | None = None

    def take(self, target: int, exact: int | None) -> SpendableCoin | None:
        """``exact`` first if given; else the smallest of at least ``target``, lowest id; else the largest below.

        WERR_INVALID_PARAMETER when the action would spend more coins than a transaction should have inputs.
        """
        if len(self._taken) >= MAX_INPUTS:
            raise WERR_INVALID_PARAMETER(
                "outputs", f"payable from at most {MAX_INPUTS} coins; gather small ones in several actions first"
            )
        coin = self._exactly(exact) if exact is not None else None
        coin = coin or self._at_least(target) or self._below(target)
        if coin is not None:
            self._taken.add(coin.output_id)
        return coin

    def give_back(self, coin: SpendableCoin) -> None:
        self._taken.discard(coin.output_id)
        for kept in (self._up, self._down):
            if kept is not None:
                kept[1].rewind()

    def _exactly(self, satoshis: int) -> SpendableCoin | None:
        page = self._page(self._statements.of_exactly, satoshis)
        return page.best(lambda coin: coin.txid not in self._without, self._taken)

    def _at_least(self, target: int) -> SpendableCoin | None:
        if self._up is None or self._up[0] > target:
            self._up = target, self._page(self._statements.at_least, target)
        return self._up[1].best(lambda coin: coin.satoshis >= target and coin.txid not in self._without, self._taken)

    def _below(self, target: int) -> SpendableCoin | None:
        if self._down is None or self._down[0] < target:
            self._down = target, self._page(self._statements.below, target)
        return self._down[1].best(lambda coin: coin.satoshis < target and coin.txid not in self._without, self._taken)

    def _page(self, statement: Statement, target: int) -> _Page:
        return _Page(self._tx, statement, self._where, target)


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
    """Between choosing and claiming another writer took a coin; nothing was written, asking again chooses others."""


def balance(tx: Transaction, scope: UserScope, basket: Basket) -> int:
    """Satoshis of all change that is not spent, whether or not it is on the chain yet: what listOutputs sums up too."""
    return int(tx.scalar(UNTAGGED.change_satoshis, user_id=scope.user_id, basket_id=basket.basket_id))
