"""Merkle proofs of the mock chain: those of active blocks, and those of blocks that a reorganisation took away."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from bsv_wallet_toolbox.mockchain.store import ChainStore
from bsv_wallet_toolbox.transactions.headers import BlockHeader
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath

__all__ = ["ProofArchive"]

MAX_CACHED_BLOCKS = 16
MAX_ORPHANS = 1024


class ProofArchive:
    """Keeps the trees of the blocks asked about last, and the last orphaned blocks of this process.

    Both are found by block hash, so that no reorganisation makes an entry wrong.
    """

    def __init__(self) -> None:
        self._trees: OrderedDict[str, MerklePath] = OrderedDict()
        self._orphans: OrderedDict[str, tuple[BlockHeader, tuple[str, ...]]] = OrderedDict()

    def path(self, store: ChainStore, header: BlockHeader, txid: str) -> MerklePath:
        """Proof of a transaction in an active block."""
        tree = self._trees.get(header.hash)
        if tree is None:
            txids = store.block_txids(header.height)
            tree = self._trees[header.hash] = MerklePath.build(header.height, txids, txids)
            while len(self._trees) > MAX_CACHED_BLOCKS:
                self._trees.popitem(last=False)
        return tree.extract([txid])

    def add_orphan(self, header: BlockHeader, txids: Sequence[str]) -> None:
        self._orphans[header.hash] = (header, tuple(txids))
        while len(self._orphans) > MAX_ORPHANS:
            self._orphans.popitem(last=False)

    def is_orphan(self, block_hash: str) -> bool:
        return block_hash in self._orphans

    def orphan_proof(self, txid: str) -> tuple[MerklePath, BlockHeader] | None:
        """The proof into the latest orphaned block that held the transaction."""
        for header, txids in reversed(self._orphans.values()):
            if txid in txids:
                return MerklePath.build(header.height, txids, [txid]), header
        return None
