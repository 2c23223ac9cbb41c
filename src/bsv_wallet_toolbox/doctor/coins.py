"""Where a user's satoshis are: the balance three ways (I7), and what the network ought to show (I1).

Every action's ``satoshis`` is the change it makes less the change it spends, so the sum over living actions is all
change that nothing alive spends: the balance, what is held, awaited or relinquished, and what unsigned actions propose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.doctor.report import FindingLog, Invariant
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus
from bsv_wallet_toolbox.storage.listing.balance import balance_of_basket
from bsv_wallet_toolbox.storage.statements import examination as statements
from bsv_wallet_toolbox.storage.statements.parents import is_listed_parent
from bsv_wallet_toolbox.storage.users import UserScope

__all__ = ["CoinsReport", "HeldCoin", "Unsettled", "change_scripts", "check_balances", "coins_report"]


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A signed action without a standing proof; ``satoshis`` is what it adds to the wallet (negative: takes away)."""

    transaction_id: int
    txid: str
    status: TransactionStatus
    satoshis: int


@dataclass(frozen=True, slots=True)
class HeldCoin:
    txid: str
    vout: int
    satoshis: int
    reason: str


@dataclass(frozen=True, slots=True)
class CoinsReport:
    """A user's change in satoshis.

    ``balance`` is what the wallet answers, ``reserved`` what unsigned actions have put aside, ``awaited`` what incoming
    transactions bring once a provider has accepted them. ``unsettled`` actions and ``held_coins`` are listed one by
    one, because only the network knows what has become of them.
    """

    balance: int
    reserved: int
    awaited: int
    unsettled: tuple[Unsettled, ...]
    held_coins: tuple[HeldCoin, ...]
    relinquished_coins: tuple[HeldCoin, ...] = ()
    """Change that its owner took out of the balance; its key is still the wallet's."""

    @property
    def in_flight(self) -> int:
        """What actions that no provider has accepted yet have taken off the balance; negative when they added more."""
        sending = sum(each.satoshis for each in self.unsettled if each.status is TransactionStatus.SENDING)
        return self.awaited - sending

    @property
    def held(self) -> Mapping[str, int]:
        """Satoshis kept back, by reason."""
        amounts: Counter[str] = Counter()
        for coin in self.held_coins:
            amounts[coin.reason] += coin.satoshis
        return dict(amounts)

    def expected_on_network(self, is_known: Callable[[str], bool], is_spent: Callable[[str, int], bool]) -> int:
        """Satoshis that chain and mempool together must show under the wallet's scripts (I1).

        ``is_known(txid)`` says whether the network has a transaction, ``is_spent(txid, vout)`` whether something there
        spends the output. The balance counts an action of ours as soon as it is signed; a transaction that the network
        does not have yet has neither taken nor brought anything there. A coin that is held or was relinquished is there
        unless the network has it spent.
        """
        on_the_way = -sum(each.satoshis for each in self.unsettled if not is_known(each.txid))
        kept_back = self.held_coins + self.relinquished_coins
        held = sum(coin.satoshis for coin in kept_back if not is_spent(coin.txid, coin.vout))
        return self.balance + self.reserved + self.awaited + on_the_way + held


def coins_report(tx: Transaction, scope: UserScope) -> CoinsReport:
    """Where the user's change is; memory grows with the actions that are not proven yet."""
    return CoinsReport(
        balance=balance_of_basket(tx, scope),
        reserved=int(tx.scalar(statements.RESERVED, user_id=scope.user_id)),
        awaited=int(tx.scalar(statements.AWAITED, user_id=scope.user_id)),
        unsettled=tuple(
            Unsettled(transaction_id, txid, TransactionStatus(status), satoshis)
            for transaction_id, txid, status, satoshis in tx.rows(statements.UNSETTLED, user_id=scope.user_id)
        ),
        held_coins=tuple(HeldCoin(*row) for row in tx.rows(statements.HELD_CHANGE, user_id=scope.user_id)),
        relinquished_coins=tuple(
            HeldCoin(*row) for row in tx.rows(statements.RELINQUISHED_CHANGE, user_id=scope.user_id)
        ),
    )


def change_scripts(tx: Transaction, scope: UserScope) -> frozenset[bytes]:
    """Every locking script under which the user's change stands or stood."""
    return frozenset(script for (script,) in tx.rows(statements.CHANGE_SCRIPTS, user_id=scope.user_id))


def check_balances(tx: Transaction, log: FindingLog) -> None:
    after = 0
    while (row := tx.one(statements.NEXT_USER, after=after)) is not None:
        after = int(row[0])
        log.looked(Invariant.I7)
        _check_balance(tx, UserScope(after, row[1]), log)


@dataclass(frozen=True, slots=True)
class _Amounts:
    """Change that nothing alive spends: what of it is in the balance, and all of it."""

    balance: int
    total: int


def _amounts(tx: Transaction, scope: UserScope) -> _Amounts:
    listed = total = 0
    for status, is_outgoing, is_kept, satoshis in tx.rows(statements.AMOUNTS_OF_CHANGE, user_id=scope.user_id):
        total += satoshis
        if is_kept and is_listed_parent(status, bool(is_outgoing)):
            listed += satoshis
    return _Amounts(listed, total)


def _check_balance(tx: Transaction, scope: UserScope, log: FindingLog) -> None:
    amounts = _amounts(tx, scope)
    replay = int(tx.scalar(statements.REPLAY, user_id=scope.user_id))
    answered = balance_of_basket(tx, scope)
    if answered != amounts.balance:
        text = f"the balance is {answered}, the spendable change of the user sums up to {amounts.balance}"
        log.find(Invariant.I7, "users", scope.user_id, text)
    if replay != amounts.total:
        text = f"the actions sum up to {replay} satoshis, the change that nothing spends to {amounts.total}"
        log.find(Invariant.I7, "users", scope.user_id, text)
