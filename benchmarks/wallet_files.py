"""Wallet files to measure on: a pool of coins, or a long history of actions, filled by SQL.

Filling them through the wallet itself would take hours; what ``bsv-wallet doctor`` finds in them is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Index, bindparam, update
from sqlalchemy.schema import CreateIndex, DropIndex, ExecutableDDLElement

from benchmarks.mined_rows import MinedRows, own_script
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.keys.sources import StaticKey
from bsv_wallet_toolbox.mockchain import MockChain, MockServices
from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
from bsv_wallet_toolbox.storage.names import label_transaction, tag_outputs
from bsv_wallet_toolbox.storage.schema import BWT_INDEXES, PEER_INDEXES, metadata
from bsv_wallet_toolbox.storage.statements import actions
from bsv_wallet_toolbox.storage.users import UserScope, default_basket, find_or_insert_baskets, find_user
from bsv_wallet_toolbox.transactions.tx import OutputSpec

__all__ = ["HISTORY_BASKET", "HISTORY_LABEL", "ROOT_KEY", "fill_history", "fill_pool", "use_one_change_output"]

ROOT_KEY = bytes([1]) * 32
HISTORY_LABEL = "history"
HISTORY_BASKET = "tickets"
NOWHERE = bytes.fromhex("76a914" + "00" * 20 + "88ac")
SLICE = 2000
FAN_OUT = 500
"""Coins that one payment brings to a wallet with a history."""
COIN, TICKET, CHANGE = 1000, 300, 699

_baskets = metadata.tables["output_baskets"]
_DESIRED = Statement(
    update(_baskets).where(_baskets.c.name == "default").values(numberOfDesiredUTXOs=bindparam("desired")),
    "set desired outputs",
)

_POOL_INDEXES = tuple(
    index
    for index in (*PEER_INDEXES, *BWT_INDEXES)
    if index.table is not None and index.table.name in ("proven_txs", "transactions", "outputs")
)

Fill = Callable[[Transaction, UserScope, range], None]


async def fill_pool(file: Path, coins: int, satoshis: int) -> None:
    """A new file with ``coins`` mined coins of ``satoshis`` each, one transaction and one block for each."""
    deriver = KeyDeriver(ROOT_KEY)

    def fill(tx: Transaction, scope: UserScope, numbers: range) -> None:
        basket_id, rows = default_basket(tx, scope).basket_id, MinedRows(tx, scope)
        for number in numbers:
            outputs = [OutputSpec(satoshis, own_script(deriver, number))]
            transaction_id, view = rows.transaction(outputs, satoshis)
            rows.change(transaction_id, view, 0, basket_id, number)
        rows.write()

    await _fill(file, coins, SLICE, fill, _POOL_INDEXES)


async def fill_history(file: Path, count: int) -> None:
    """A new file with ``count`` mined actions: each spent a coin, made a tagged output in a basket, and change.

    All carry HISTORY_LABEL and one more label. The coins came in payments of FAN_OUT.
    """
    deriver = KeyDeriver(ROOT_KEY)

    def fill(tx: Transaction, scope: UserScope, numbers: range) -> None:
        basket_id, rows = default_basket(tx, scope).basket_id, MinedRows(tx, scope)
        outputs = [OutputSpec(COIN, own_script(deriver, number)) for number in numbers]
        payment_id, payment = rows.transaction(outputs, COIN * len(numbers), description="many coins")
        for vout, number in enumerate(numbers):
            rows.change(payment_id, payment, vout, basket_id, number, spendable=0, spent_by=payment_id + 1 + vout)
        (tickets,) = find_or_insert_baskets(tx, scope, [HISTORY_BASKET]).values()
        made = {}
        for vout, number in enumerate(numbers):
            coin = count + number
            outputs = [OutputSpec(TICKET, NOWHERE), OutputSpec(CHANGE, own_script(deriver, coin))]
            transaction_id, view = rows.transaction(outputs, CHANGE - COIN, (payment.txid, vout), f"ticket {number}")
            text = {"output_description": "a ticket", "custom_instructions": f"seat {number}"}
            rows.custom(transaction_id, view, 0, tickets, **text)
            rows.change(transaction_id, view, 1, basket_id, coin)
            made[transaction_id] = number
        rows.write()
        _name(tx, scope, made)

    await _fill(file, count, FAN_OUT, fill)


def _name(tx: Transaction, scope: UserScope, numbers: Mapping[int, int]) -> None:
    """Two labels for each action and two tags for its output; ``numbers`` by transaction id."""
    tags = {}
    for transaction_id, number in numbers.items():
        label_transaction(tx, scope, transaction_id, [HISTORY_LABEL, f"day {number % 30}"])
        outputs = tx.rows(actions.OUTPUTS_OF, transaction_id=transaction_id, user_id=scope.user_id)
        tags[outputs[0][0]] = ["ticket", f"row {number % 20}"]
    tag_outputs(tx, scope, tags)


async def use_one_change_output(wallet: OpenWallet) -> None:
    """From now on an action makes one output of change, so that actions without other coins form one chain."""
    await wallet.provider.engine.write(lambda tx: tx.execute(_DESIRED, desired=1))


async def _fill(file: Path, count: int, step: int, fill: Fill, indexes: Sequence[Index] = ()) -> None:
    """Make the file and fill it slice by slice. ``indexes`` are made at the end: kept up they cost most of the time."""
    services = MockServices(MockChain())
    async with open_wallet(file, StaticKey(ROOT_KEY), services, create=True, monitor=False) as wallet:
        await _run(wallet, [DropIndex(index) for index in indexes])
        for start in range(0, count, step):

            def store(tx: Transaction, numbers: range = range(start, min(count, start + step))) -> None:
                fill(tx, find_user(tx, wallet.identity_key), numbers)

            await wallet.provider.engine.write(store)
        await _run(wallet, [CreateIndex(index) for index in indexes])


async def _run(wallet: OpenWallet, definitions: Sequence[ExecutableDDLElement]) -> None:
    def operation(tx: Transaction) -> None:
        for definition in definitions:
            tx.execute(Statement(definition, "index"))

    await wallet.provider.engine.write(operation)
