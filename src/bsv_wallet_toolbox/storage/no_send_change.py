"""Change of actions that are held back (noSend): a later one of the same chain spends it before anything else."""

from __future__ import annotations

from collections.abc import Sequence

from bsv_wallet_toolbox.brc100.outpoint import Outpoint
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.storage.coins import SpendableCoin
from bsv_wallet_toolbox.storage.statements import coins as statements
from bsv_wallet_toolbox.storage.users import Basket, UserScope
from bsv_wallet_toolbox.transactions.funding import CoinPool

__all__ = ["NoSendChangeFirst", "no_send_change"]


def no_send_change(
    tx: Transaction, scope: UserScope, basket: Basket, outpoints: Sequence[Outpoint]
) -> list[SpendableCoin]:
    """The coins of these outpoints. WERR_INVALID_PARAMETER unless each is unspent change of a held back action."""
    if len(set(outpoints)) != len(outpoints):
        raise WERR_INVALID_PARAMETER("noSendChange outpoint", "unique. Duplicates are not allowed.")
    coins = []
    for each in outpoints:
        row = tx.one(
            statements.NO_SEND_COIN,
            user_id=scope.user_id,
            basket_id=basket.basket_id,
            txid=each.txid,
            vout=each.vout,
        )
        if row is None:
            must_be = f"valid: unspent change of an action that was made with noSend, which {each} is not"
            raise WERR_INVALID_PARAMETER("noSendChange outpoint", must_be)
        coins.append(SpendableCoin.of_row(row))
    return coins


class NoSendChangeFirst:
    """A CoinPool that gives these coins, last first and whatever is asked for, before those of another."""

    def __init__(self, first: list[SpendableCoin], others: CoinPool[SpendableCoin]) -> None:
        self._first = first
        self._others = others
        self._ids = {coin.output_id for coin in first}

    def take(self, target: int, exact: int | None) -> SpendableCoin | None:
        return self._first.pop() if self._first else self._others.take(target, exact)

    def give_back(self, coin: SpendableCoin) -> None:
        if coin.output_id in self._ids:
            self._first.append(coin)
        else:
            self._others.give_back(coin)
