"""Baskets as their user keeps them: an output given up, and how much change the change basket is to hold."""

from __future__ import annotations

from bsv_wallet_toolbox.brc100.outputs import ChangeParameters, ValidRelinquishOutput
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.storage.statements import baskets as statements
from bsv_wallet_toolbox.storage.statements import users as user_statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.users import UserScope, default_basket

__all__ = ["relinquish_output", "set_change_parameters"]


def relinquish_output(tx: Transaction, scope: UserScope, args: ValidRelinquishOutput) -> None:
    """Take an output of the user out of the basket that holds it. Nothing else of it changes.

    Change in no basket funds nothing and is in no balance, yet the wallet still knows it: if the transaction comes in
    again by internalizeAction, the output returns. WERR_INVALID_PARAMETER ``output`` for one that the user does not
    have, ``basket`` when another basket, or none, holds it.
    """
    rows = tx.rows(statements.FIND_OUTPUT, txid=args.output.txid, vout=args.output.vout, user_id=scope.user_id)
    if not rows:
        raise WERR_INVALID_PARAMETER("output", f"an output that listOutputs shows. {args.output} is not known.")
    basket = tx.one(user_statements.FIND_BASKETS, user_id=scope.user_id, names=[args.basket])
    basket_id = None if basket is None else basket[1]
    held = [output_id for output_id, holder in rows if holder == basket_id and holder is not None]
    if not held:
        raise WERR_INVALID_PARAMETER("basket", f"the basket that holds {args.output}. It is not in '{args.basket}'.")
    for output_id in held:
        tx.execute(statements.RELINQUISH, output_id=output_id, basket_id=basket_id, now=iso(tx.now()))


def set_change_parameters(tx: Transaction, scope: UserScope, parameters: ChangeParameters) -> None:
    """How many outputs of change, and of what least value, later actions aim for. What is there stays as it is."""
    tx.execute(
        statements.SET_CHANGE_PARAMETERS,
        basket_id=default_basket(tx, scope).basket_id,
        desired_utxos=parameters.desired_utxos,
        minimum_value=parameters.minimum_value,
        now=iso(tx.now()),
    )
