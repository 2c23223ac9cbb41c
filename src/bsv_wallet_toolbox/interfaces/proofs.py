"""Transactions whose proof or ancestry was verified against our own headers."""

from __future__ import annotations

from dataclasses import dataclass

from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.headers import BlockHeader
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.tx import TransactionView

__all__ = ["Incoming", "Proof"]


@dataclass(frozen=True, slots=True)
class Proof:
    """A Merkle path that was checked against ``header``, which was checked against our chain."""

    txid: str
    raw_tx: bytes
    merkle_path: MerklePath
    header: BlockHeader


@dataclass(frozen=True, slots=True)
class Incoming:
    """A verified transaction from outside; ``proof`` when it came mined, ``beef`` its ancestry when not."""

    view: TransactionView
    beef: Beef
    proof: Proof | None
