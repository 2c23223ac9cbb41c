"""Baskets: what leaves one, and what the change basket is to hold."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from bsv_wallet_toolbox.database.statements import Statement, unindexed
from bsv_wallet_toolbox.storage.schema import metadata
from bsv_wallet_toolbox.storage.statements.coins import OF_TXID, OUTPUTS_BY_TXID
from bsv_wallet_toolbox.storage.timestamps import touched

__all__ = ["BASKETS_OF_USER", "FIND_OUTPUT", "RELINQUISH", "SET_CHANGE_PARAMETERS"]

_o = metadata.tables["outputs"]
_baskets = metadata.tables["output_baskets"]

FIND_OUTPUT = Statement(
    select(_o.c.outputId, _o.c.basketId)
    .select_from(OUTPUTS_BY_TXID)
    .where(OF_TXID, _o.c.vout == bindparam("vout"), unindexed(_o.c.userId) == bindparam("user_id")),
    "find output of a user",
)

RELINQUISH = Statement(
    update(_o)
    .where(_o.c.outputId == bindparam("output_id"), unindexed(_o.c.basketId) == bindparam("basket_id"))
    .values(basketId=None, updated_at=touched(_o)),
    "relinquish output",
)

BASKETS_OF_USER = Statement(
    select(_baskets.c.basketId).where(_baskets.c.userId == bindparam("user_id")),
    "baskets of a user",
)
"""Deleted ones too: a basket that was soft-deleted still holds its outputs."""

SET_CHANGE_PARAMETERS = Statement(
    update(_baskets)
    .where(_baskets.c.basketId == bindparam("basket_id"))
    .values(
        numberOfDesiredUTXOs=bindparam("desired_utxos"),
        minimumDesiredUTXOValue=bindparam("minimum_value"),
        updated_at=touched(_baskets),
    ),
    "set change parameters",
)
