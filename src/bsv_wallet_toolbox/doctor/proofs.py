"""I4: every stored proof is read again, computed to its root, and compared with the header of its height."""

from __future__ import annotations

from collections.abc import Callable

from bsv_wallet_toolbox.database.transaction import Row, Transaction
from bsv_wallet_toolbox.doctor.report import FindingLog, Invariant
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.storage.statements import examination as statements
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath

__all__ = ["check_proofs"]

_ENTITY = "proven_txs"


def check_proofs(tx: Transaction, roots: Callable[[int], str | None] | None, log: FindingLog) -> None:
    after = 0
    while (row := tx.one(statements.NEXT_PROVEN, after=after)) is not None:
        after = int(row[0])
        log.looked(Invariant.I4)
        wrong = _wrong_with_path(row)
        if wrong is not None:
            log.find(Invariant.I4, _ENTITY, after, wrong)
            continue
        _, txid, height, _, _, root, _, suspect = row
        if suspect:
            log.warn(
                Invariant.I4, _ENTITY, after, f"the block of {txid} left the active chain; it is being proven again"
            )
        elif roots is not None:
            active = roots(height)
            if active is None:
                log.find(Invariant.I4, _ENTITY, after, f"{txid} is proven in block {height}, which does not exist")
            elif active != root:
                text = f"{txid} is proven into root {root}, but the header of height {height} has {active}"
                log.find(Invariant.I4, _ENTITY, after, text)


def _wrong_with_path(row: Row) -> str | None:
    _, txid, height, index, merkle_path, root, _, _ = row
    try:
        path = MerklePath.parse(merkle_path)
        if not path.contains(txid):
            return f"the proof of {txid} does not hold it"
        found = path.compute_root(txid)
        position = path.index_of(txid)
    except (WERR_INVALID_PARAMETER, TypeError):
        return f"the proof of {txid} is no Merkle path"
    if found != root:
        return f"the proof of {txid} gives root {found}, the row says {root}"
    if path.block_height != height:
        return f"the proof of {txid} is for height {path.block_height}, the row says {height}"
    if position != index:
        return f"the proof of {txid} is for position {position}, the row says {index}"
    return None
