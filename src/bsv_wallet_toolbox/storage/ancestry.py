"""The BEEF of transactions that the store knows: walked breadth first, bounded, most of it from memory.

Raw transactions never change, so what was read once is kept (bounded in bytes). What may change is whether a proof
stands; every reorganisation and every new proof moves the store's proof epoch, and what was remembered under another
epoch is read again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import RAW_TX_READABLE
from bsv_wallet_toolbox.storage.statements import proofs as statements
from bsv_wallet_toolbox.storage.users import local_setting, set_local_setting
from bsv_wallet_toolbox.transactions.beef import BEEF_LIMITS, Beef
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.tx import parse_transaction

__all__ = ["AncestryCache", "Source", "beef_of", "move_proof_epoch"]

_EPOCH = "proofEpoch"
_READABLE = sorted(RAW_TX_READABLE)
_CACHE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """A transaction that others build on: proven by a path, or with its parents still to be proven."""

    raw_tx: bytes
    merkle_path: MerklePath | None
    parents: tuple[str, ...]
    outside: bytes | None
    """BEEF of ancestors that came from elsewhere and have no rows of their own."""

    @property
    def size(self) -> int:
        return len(self.raw_tx) + len(self.outside or b"") + 64 * len(self.parents) + 1000


class AncestryCache:
    """Sources by txid, least recently used go first. Shared by all operations of a store, from any thread."""

    def __init__(self, max_bytes: int = _CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._epoch: str | None = None
        self._sources: OrderedDict[str, Source] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, epoch: str, txids: Iterable[str]) -> dict[str, Source]:
        with self._lock:
            if epoch != self._epoch:
                self._sources.clear()
                self._bytes, self._epoch = 0, epoch
            found = {}
            for txid in txids:
                source = self._sources.get(txid)
                if source is not None:
                    self._sources.move_to_end(txid)
                    found[txid] = source
            return found

    def put(self, epoch: str, sources: dict[str, Source]) -> None:
        with self._lock:
            if epoch != self._epoch:
                return
            for txid, source in sources.items():
                if txid not in self._sources:
                    self._sources[txid] = source
                    self._bytes += source.size
            while self._bytes > self._max_bytes:
                _, dropped = self._sources.popitem(last=False)
                self._bytes -= dropped.size


def move_proof_epoch(tx: Transaction) -> None:
    """Say that a stored proof was replaced, doubted or withdrawn: what was remembered of proofs is stale now."""
    set_local_setting(tx, _EPOCH, str(int(local_setting(tx, _EPOCH) or 0) + 1))


def beef_of(tx: Transaction, txids: Collection[str], cache: AncestryCache, known_txids: Collection[str] = ()) -> Beef:
    """BEEF that proves every one of ``txids``; those in ``known_txids`` are named only.

    WERR_INVALID_PARAMETER when an ancestor is in no table, or the whole exceeds the limits of a BEEF.
    """
    epoch = local_setting(tx, _EPOCH) or "0"
    beef = Beef()
    missing: list[str] = []
    pending = list(dict.fromkeys(txids))
    seen = set(pending)
    size = 0
    while pending:
        for txid in pending:
            if txid in known_txids:
                beef.merge_txid_only(txid)
        wanted = [txid for txid in pending if txid not in known_txids]
        sources = _sources(tx, wanted, cache, epoch)
        pending = []
        for txid in wanted:
            source = sources.get(txid)
            if source is None:
                missing.append(txid)
                continue
            size += source.size
            if size > BEEF_LIMITS.max_bytes or len(seen) > BEEF_LIMITS.max_transactions:
                raise WERR_INVALID_PARAMETER("inputs", "provable within the limits of a BEEF; wait for a block")
            beef.merge_transaction(source.raw_tx, source.merkle_path)
            if source.merkle_path is None:
                if source.outside is not None:
                    beef.merge(Beef.parse(source.outside, "inputBEEF"))
                fresh = [parent for parent in source.parents if parent not in seen]
                seen.update(fresh)
                pending += fresh
    for txid in missing:
        if beef.view(txid) is None:
            raise WERR_INVALID_PARAMETER("txid", f"known to storage. {txid} is not known.")
    return beef


def _sources(tx: Transaction, txids: list[str], cache: AncestryCache, epoch: str) -> dict[str, Source]:
    found = cache.get(epoch, txids)
    wanted = [txid for txid in txids if txid not in found]
    if not wanted:
        return found
    read: dict[str, Source] = {}
    for txid, raw_tx, merkle_path, input_beef in tx.rows(statements.SOURCES, txids=wanted, readable=_READABLE):
        known = read.get(txid)
        if raw_tx is None or (known is not None and known.merkle_path is not None):
            continue
        if merkle_path is not None:
            read[txid] = Source(raw_tx, MerklePath.parse(merkle_path), (), None)
        else:
            parents = tuple(dict.fromkeys(parse_transaction(raw_tx).source_txids))
            read[txid] = Source(raw_tx, None, parents, input_beef or (known.outside if known else None))
    cache.put(epoch, read)
    return {**found, **read}
