"""The miner of the mock chain: makes blocks on top of the tip, or in place of blocks that were there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.mockchain.consensus import (
    COINBASE_MATURITY,
    OP_TRUE,
    SUBSIDY,
    coinbase_transaction,
    median_time,
)
from bsv_wallet_toolbox.mockchain.mempool import mineable, remove_with_descendants
from bsv_wallet_toolbox.mockchain.proofs import ProofArchive
from bsv_wallet_toolbox.mockchain.store import ChainStore, StoredOutput, StoredTransaction
from bsv_wallet_toolbox.seams import Clock, Entropy, ManualClock
from bsv_wallet_toolbox.transactions.hashes import txid_of
from bsv_wallet_toolbox.transactions.headers import BlockHeader
from bsv_wallet_toolbox.transactions.merkle_path import merkle_root

__all__ = ["BLOCK_BITS", "BLOCK_SECONDS", "DETERMINISTIC_TIME", "Miner", "Reorganisation"]

BLOCK_BITS = 0x207FFFFF
"""The easiest target there is: every second hash meets it."""

BLOCK_SECONDS = 600
DETERMINISTIC_TIME = 1_700_000_000
MAX_BLOCKS_AT_ONCE = 100_000
NULL_HASH = "00" * 32


@dataclass(frozen=True, slots=True)
class Reorganisation:
    """``deactivated`` is highest first, ``activated`` lowest first.

    ``unmined`` went back to the mempool and waits there; ``dropped`` is gone, because it descends from a coinbase of a
    deactivated block. Both have parents first. ``new_tip`` is None when the chain is empty now.
    """

    old_tip: BlockHeader
    new_tip: BlockHeader | None
    deactivated: tuple[BlockHeader, ...]
    activated: tuple[BlockHeader, ...]
    unmined: tuple[str, ...]
    dropped: tuple[str, ...]


class Miner:
    """Each public method that changes the chain is one transaction of the store. Not thread-safe: MockChain locks."""

    def __init__(
        self, store: ChainStore, clock: Clock, entropy: Entropy, *, deterministic: bool, proof_of_work: bool
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._deterministic = deterministic
        self._proof_of_work = proof_of_work
        self._advanced_seconds = 0
        self.archive = ProofArchive()

    def advance_time(self, seconds: int) -> None:
        if isinstance(self._clock, ManualClock) and not self._deterministic:
            self._clock.advance(seconds * 1000)
        else:
            self._advanced_seconds += seconds

    def median_time_past(self, height: int) -> int:
        """Median time of the eleven blocks below ``height`` (seconds)."""
        first = max(height - 11, 0)
        return median_time(self._store.headers(first, height - first))

    def mine(self, count: int, only: Collection[str] | None = None) -> list[BlockHeader]:
        if not 1 <= count <= MAX_BLOCKS_AT_ONCE:
            raise WERR_INVALID_PARAMETER("count", f"from 1 to {MAX_BLOCKS_AT_ONCE}")
        with self._store.transaction():
            return [self._mine_next(self._present(), only) for _ in range(count)]

    def premine(self) -> list[BlockHeader]:
        """The blocks that are missing until the first coinbase is mature, 600 s apart and ending now."""
        missing = COINBASE_MATURITY - self._tip_height()
        with self._store.transaction():
            present = self._present()
            return [self._mine_next(present - BLOCK_SECONDS * left, None) for left in range(missing - 1, -1, -1)]

    def replace(
        self, starting_height: int, num_blocks: int, placement: Mapping[str, int], *, allow_shorter: bool
    ) -> Reorganisation:
        """See MockChain.reorg."""
        old_tip = self._store.tip()
        if old_tip is None:
            raise WERR_INVALID_OPERATION("Cannot reorg empty chain")
        if not 0 <= starting_height <= old_tip.height:
            raise WERR_INVALID_PARAMETER("startingHeight", f"<= current tip height {old_tip.height}")
        fewest = 0 if allow_shorter else old_tip.height + 1 - starting_height
        if not fewest <= num_blocks <= MAX_BLOCKS_AT_ONCE:
            raise WERR_INVALID_PARAMETER("numBlocks", f"from {fewest} to {MAX_BLOCKS_AT_ONCE}")
        misplaced = next((txid for txid, offset in placement.items() if not 0 <= offset < num_blocks), None)
        if misplaced is not None:
            raise WERR_INVALID_PARAMETER("placement", f"an offset below {num_blocks} for each txid. txid: {misplaced}")
        with self._store.transaction():
            before = [(header, self._store.block_txids(header.height)) for header in self._active_from(starting_height)]
            dropped = self._unmine([txids for _, txids in before])
            orphans = {header.hash for header, _ in before}
            activated = self._mine_placed(num_blocks, placement, orphans)
            unmined = tuple(txid for _, txids in reversed(before) for txid in txids[1:] if self._is_in_mempool(txid))
            new_tip = self._store.tip()
        for header, txids in before:
            self.archive.add_orphan(header, txids)
        return Reorganisation(
            old_tip, new_tip, tuple(header for header, _ in before), tuple(activated), unmined, dropped
        )

    def seal(self, height: int, previous_hash: str, root: str, time: int, orphans: Collection[str]) -> BlockHeader:
        """A header that meets its target (when proof of work is on) and is not one that was orphaned before."""
        nonce = height if self._deterministic else int.from_bytes(self._entropy.bytes(4), "little")
        while True:
            header = BlockHeader.build(1, previous_hash, root, time, BLOCK_BITS, nonce & 0xFFFFFFFF, height)
            is_new = header.hash not in orphans and not self.archive.is_orphan(header.hash)
            if is_new and (not self._proof_of_work or header.meets_target):
                return header
            nonce += 1

    def _tip_height(self) -> int:
        tip = self._store.tip()
        return tip.height if tip is not None else -1

    def _present(self) -> int:
        return self._clock.now() // 1000 + self._advanced_seconds

    def _mine_next(self, present: int, only: Collection[str] | None) -> BlockHeader:
        height = self._tip_height() + 1
        rows = mineable(self._store, height, self.median_time_past(height), only)
        return self._append(height, present, rows, ())

    def _append(
        self, height: int, present: int, rows: Sequence[StoredTransaction], orphans: Collection[str]
    ) -> BlockHeader:
        coinbase = coinbase_transaction(height)
        txid = txid_of(coinbase)
        output = StoredOutput(txid, 0, SUBSIDY, OP_TRUE, is_coinbase=True, height=height)
        self._store.add_transaction(txid, coinbase, [output], height, 0)
        for index, row in enumerate(rows, start=1):
            self._store.place(row.txid, height, index)
        tip = self._store.tip()
        if self._deterministic:
            present = DETERMINISTIC_TIME + BLOCK_SECONDS * height + self._advanced_seconds
        time = max(present, self.median_time_past(height) + 1)
        root = merkle_root([txid, *(row.txid for row in rows)])
        header = self.seal(height, tip.hash if tip is not None else NULL_HASH, root, time, orphans)
        self._store.append_header(header, txid)
        return header

    def _active_from(self, height: int) -> list[BlockHeader]:
        """Highest first."""
        return self._store.headers(height, self._tip_height() + 1 - height)[::-1]

    def _unmine(self, blocks: Sequence[Sequence[str]]) -> tuple[str, ...]:
        """Take the blocks (highest first) off the chain; gives the descendants of their coinbases, which are lost."""
        coinbases = [txids[0] for txids in blocks]
        for txids in blocks:
            for txid in txids:
                self._store.place(txid, None, None)
            self._store.remove_tip()
        return tuple(txid for txid in remove_with_descendants(self._store, coinbases) if txid not in set(coinbases))

    def _mine_placed(
        self, num_blocks: int, placement: Mapping[str, int], orphans: Collection[str]
    ) -> list[BlockHeader]:
        activated = []
        for offset in range(num_blocks):
            height = self._tip_height() + 1
            wanted = {txid for txid, place in placement.items() if place == offset}
            rows = mineable(self._store, height, self.median_time_past(height), wanted)
            refused = wanted.difference(row.txid for row in rows)
            if refused:
                must_be = "of mempool transactions that may stand in their block (parents first, mature, final)"
                raise WERR_INVALID_PARAMETER("placement", f"{must_be}. txid: {min(refused)}")
            activated.append(self._append(height, self._present(), rows, orphans))
        return activated

    def _is_in_mempool(self, txid: str) -> bool:
        row = self._store.transaction_of(txid)
        return row is not None and row.height is None
