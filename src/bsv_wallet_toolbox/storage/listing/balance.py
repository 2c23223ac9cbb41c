"""Balances: the satoshis of a basket, or of what tags select in it.

Counted is what listOutputs would list: also outputs of own transactions that are being sent or held back, which cannot
fund every action yet. In the change basket only true change counts; anything else there can not be spent as change.
"""

from __future__ import annotations

from collections.abc import Collection

from bsv_wallet_toolbox.brc100.actions import QueryMode
from bsv_wallet_toolbox.brc100.originator import CHANGE_BASKET
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.storage.listing.selection import select_outputs
from bsv_wallet_toolbox.storage.users import UserScope

__all__ = ["balance_of_basket"]


def balance_of_basket(
    tx: Transaction,
    scope: UserScope,
    basket: str = CHANGE_BASKET,
    tags: Collection[str] = (),
    mode: QueryMode = "any",
) -> int:
    """Satoshis of the user's outputs in ``basket``; 0 for a basket or tags that the user does not have (BRC-112)."""
    selection = select_outputs(tx, scope, basket, tags, mode)
    if selection is None:
        return 0
    kind = selection.statements
    statement = kind.change_satoshis if basket == CHANGE_BASKET else kind.satoshis
    return int(tx.scalar(statement, **selection.where))
