"""Mined transactions made without a chain, and the rows that they leave in a wallet's file.

Every transaction is alone in its block as far as the file can tell, with a proof of ten levels: what an ordinary block
costs to store and to show. Scripts of inputs are as long as real ones and hold nothing.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.storage.ancestry import EMPTY_BEEF
from bsv_wallet_toolbox.storage.insert_action import signed_output_columns
from bsv_wallet_toolbox.storage.schema import metadata
from bsv_wallet_toolbox.storage.statements import actions, proofs
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.users import MAX_OUTPUT_SCRIPT, UserScope
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.hashes import display, sha256d
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
)
from bsv_wallet_toolbox.transactions.wire import write_varint

__all__ = ["MinedRows", "own_script", "suffix_of"]

PREFIX = b64encode(b"seeded").decode()
FIRST_HEIGHT = 100_000
INDEX = 1
"""Where every transaction stands in its block. Not at 0: that is the coinbase, for which other rules hold."""
_SIBLINGS = tuple(hashlib.sha256(b"sibling %d" % level).digest() for level in range(10))
_BEFORE_TXID = bytes([len(_SIBLINGS), 2, 0, 0]) + _SIBLINGS[0] + bytes([INDEX, 2])
_AFTER_TXID = b"".join(bytes([1, 1, 0]) + sibling for sibling in _SIBLINGS[1:])
"""The rest of the BUMP (BRC-74), the same for all: MerklePath would take most of the time of filling a large wallet."""
_UNLOCKING = bytes(107)
_LAST_TRANSACTION = Statement(select(func.max(metadata.tables["transactions"].c.transactionId)), "last transaction")
_LAST_PROVEN = Statement(select(func.max(metadata.tables["proven_txs"].c.provenTxId)), "last proven tx")


def suffix_of(number: int) -> str:
    """The derivation suffix of the wallet's ``number``-th seeded coin."""
    return b64encode(f"{number:012d}".encode()).decode()


def own_script(deriver: KeyDeriver, number: int) -> bytes:
    """The lock of that coin."""
    return brc29.lock_for_self(deriver, PREFIX, suffix_of(number))


class MinedRows:
    """Rows gathered within one database transaction, whose ids follow the last ones there; ``write`` inserts them."""

    def __init__(self, tx: Transaction, scope: UserScope) -> None:
        self._tx = tx
        self._user_id = scope.user_id
        self.now = iso(tx.now())
        self._last_transaction: int = tx.scalar(_LAST_TRANSACTION) or 0
        self._last_proven: int = tx.scalar(_LAST_PROVEN) or 0
        self._proven: list[dict[str, Any]] = []
        self._transactions: list[dict[str, Any]] = []
        self._outputs: list[dict[str, Any]] = []
        self._reqs: list[dict[str, Any]] = []
        self._actions: list[dict[str, Any]] = []

    def transaction(
        self,
        outputs: Sequence[OutputSpec],
        satoshis: int,
        source: tuple[str, int] | None = None,
        description: str = "seeded coin",
    ) -> tuple[int, TransactionView]:
        """A completed transaction that adds ``satoshis`` to the balance: its id and its bytes.

        With ``source`` it is an action of ours that spends this outpoint, otherwise it came in from elsewhere.
        """
        number = self._last_proven + len(self._proven) + 1
        spent = InputSpec(*(source or (hashlib.sha256(b"source %d" % number).hexdigest(), 0)), _UNLOCKING)
        view = parse_transaction(build_transaction([spent], outputs))
        self._proven.append(self._proof(view, number))
        self._transactions.append(
            {
                "now": self.now,
                "user_id": self._user_id,
                "proven_tx_id": number,
                "status": TransactionStatus.COMPLETED.value,
                "reference": b64encode(b"seeded %d" % number).decode(),
                "is_outgoing": int(source is not None),
                "satoshis": satoshis,
                "version": view.version,
                "lock_time": view.lock_time,
                "description": description,
                "txid": view.txid,
                "input_beef": None,
            }
        )
        transaction_id = self._last_transaction + len(self._transactions)
        if source is not None:
            self._sent(transaction_id, number, view)
        return transaction_id, view

    def _sent(self, transaction_id: int, proven_tx_id: int, view: TransactionView) -> None:
        self._reqs.append(
            {
                "now": self.now,
                "proven_tx_id": proven_tx_id,
                "status": ProvenTxReqStatus.COMPLETED.value,
                "txid": view.txid,
                "notify": f'{{"transactionIds":[{transaction_id}]}}',
                "raw_tx": view.raw,
                "input_beef": EMPTY_BEEF,
                "was_broadcast": 1,
            }
        )
        self._actions.append(
            {"transaction_id": transaction_id, "fee": 1, "fee_rate": 1, "originator": "", "abandon_at": None}
        )

    def _proof(self, view: TransactionView, number: int) -> dict[str, Any]:
        height = FIRST_HEIGHT + number
        root = sha256d(_SIBLINGS[0] + view.txid_bytes)
        for sibling in _SIBLINGS[1:]:
            root = sha256d(root + sibling)
        return {
            "now": self.now,
            "txid": view.txid,
            "raw_tx": view.raw,
            "height": height,
            "index_in_block": INDEX,
            "merkle_path": write_varint(height) + _BEFORE_TXID + view.txid_bytes + _AFTER_TXID,
            "block_hash": hashlib.sha256(b"block %d" % height).hexdigest(),
            "merkle_root": display(root),
        }

    def change(
        self, transaction_id: int, view: TransactionView, vout: int, basket_id: int, number: int, **more: Any
    ) -> None:
        """The output ``vout`` is the wallet's ``number``-th seeded coin; ``more`` are columns that differ."""
        self._output(
            transaction_id,
            view,
            vout,
            basket_id,
            {
                "change": 1,
                "type": "P2PKH",
                "provided_by": "storage",
                "purpose": "change",
                "derivation_prefix": PREFIX,
                "derivation_suffix": suffix_of(number),
                **more,
            },
        )

    def custom(self, transaction_id: int, view: TransactionView, vout: int, basket_id: int, **more: Any) -> None:
        """The output ``vout`` stands in a basket of an app."""
        own = {"change": 0, "type": "custom", "provided_by": "you", "purpose": "", "derivation_prefix": None}
        self._output(transaction_id, view, vout, basket_id, {**own, "derivation_suffix": None, **more})

    def _output(
        self, transaction_id: int, view: TransactionView, vout: int, basket_id: int, role: dict[str, Any]
    ) -> None:
        output = view.outputs[vout]
        self._outputs.append(
            {
                "now": self.now,
                "user_id": self._user_id,
                "transaction_id": transaction_id,
                "basket_id": basket_id,
                "spendable": 1,
                "spent_by": None,
                "vout": vout,
                "satoshis": output.satoshis,
                "output_description": "",
                "txid": view.txid,
                "sender_identity_key": None,
                "custom_instructions": None,
                **signed_output_columns(output, MAX_OUTPUT_SCRIPT),
                **role,
            }
        )

    def write(self) -> None:
        """Insert what was gathered; once, and the last thing done with these rows."""
        self._tx.insert_many(proofs.INSERT_PROVEN, self._proven)
        self._tx.insert_many(actions.INSERT_TRANSACTION, self._transactions)
        self._tx.insert_many(actions.INSERT_OUTPUT, self._outputs)
        self._tx.insert_many(proofs.INSERT_REQ, self._reqs)
        self._tx.insert_many(actions.INSERT_ACTION, self._actions)
