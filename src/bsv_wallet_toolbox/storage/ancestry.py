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
from typing import NamedTuple

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.storage.notes import note
from bsv_wallet_toolbox.storage.statements import proofs as statements
from bsv_wallet_toolbox.storage.timestamps import iso
from bsv_wallet_toolbox.storage.users import local_setting, set_local_setting
from bsv_wallet_toolbox.transactions.beef import BEEF_LIMITS, Beef, BeefLimits
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.tx import TransactionView, parse_transaction

__all__ = [
    "EMPTY_BEEF",
    "MAX_UNPROVEN_BYTES",
    "AncestryCache",
    "AncestryTooLarge",
    "Room",
    "Source",
    "StoredAncestry",
    "ancestries_of",
    "beef_of",
    "count_orphaning",
    "move_proof_epoch",
    "name_known",
    "orphanings",
    "replace_ancestry",
    "reqs_shown_with_ancestry",
]

EMPTY_BEEF = Beef().to_bytes()
"""What is stored as ancestry of a transaction whose ancestors have rows of their own."""

_EPOCH = "proofEpoch"
_ORPHANINGS = "orphanings"
_CACHE_BYTES = 64 * 1024 * 1024
_ENTRY_BYTES = 16
"""What a BEEF writes beside a transaction and its proof: a form, the number of a path, counts."""
_SOURCE_BYTES, _MARK_BYTES = 1000, 200
"""What a source takes in memory beside its bytes, and for each input and output."""
MAX_UNPROVEN_BYTES = BEEF_LIMITS.max_bytes // 2
"""The largest transaction, incoming ones with their ancestry, that is handled before it is mined: what builds on it
must be sent with it."""


class Source(NamedTuple):
    """A transaction that others build on: proven by a path, or with its parents still to be proven."""

    view: TransactionView
    merkle_path: MerklePath | None
    outside: bytes | None
    """BEEF of ancestors that came from elsewhere and have no rows of their own."""
    bytes_in_beef: int
    """At most: its own bytes with those of its path or ancestors."""
    items: int
    """Its inputs and outputs."""

    @classmethod
    def of(cls, view: TransactionView, merkle_path: MerklePath | None, outside: bytes | None) -> Source:
        proof = len(outside or b"") if merkle_path is None else len(merkle_path.raw)
        items = view.input_count + view.output_count
        return cls(view, merkle_path, outside, len(view.raw) + proof + _ENTRY_BYTES, items)

    @property
    def parents(self) -> tuple[str, ...]:
        return () if self.merkle_path is not None else self.view.source_txids

    @property
    def bytes_in_memory(self) -> int:
        return self.bytes_in_beef + _SOURCE_BYTES + _MARK_BYTES * self.items


@dataclass(frozen=True, slots=True)
class StoredAncestry:
    """What a req brought with it from elsewhere: BEEF of its ancestors, proven as of when it came."""

    req_id: int
    txid: str
    raw_tx: bytes
    beef: bytes


class AncestryCache:
    """Sources by txid, least recently used go first. Shared by all operations of a store, from any thread."""

    def __init__(self, max_bytes: int = _CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._epoch: str | None = None
        self._sources: OrderedDict[str, Source] = OrderedDict()
        self._lock = threading.Lock()

    def walk(self, epoch: str, txids: Iterable[str], seen: set[str]) -> tuple[dict[str, Source], list[str]]:
        """From ``txids`` up to proven ones, not through ``seen``, which grows: what is here, and what is not."""
        found: dict[str, Source] = {}
        absent: list[str] = []
        pending = [txid for txid in txids if txid not in seen]
        with self._lock:
            if epoch != self._epoch:
                self._sources.clear()
                self._bytes, self._epoch = 0, epoch
            sources = self._sources
            while pending:
                txid = pending.pop()
                if txid in seen:
                    continue
                seen.add(txid)
                source = sources.get(txid)
                if source is None:
                    absent.append(txid)
                    continue
                sources.move_to_end(txid)
                found[txid] = source
                if source.merkle_path is None:
                    pending += source.view.source_txids
        return found, absent

    def put(self, epoch: str, sources: dict[str, Source]) -> None:
        with self._lock:
            if epoch == self._epoch:
                self._add(sources)

    def remember(self, view: TransactionView) -> None:
        """An action of ours is about to be committed; the next one is likely to build on it.

        Should the commit fail, nothing ever refers to its txid.
        """
        with self._lock:
            self._add({view.txid: Source.of(view, None, None)})

    def _add(self, sources: dict[str, Source]) -> None:
        for txid, source in sources.items():
            if txid not in self._sources:
                self._sources[txid] = source
                self._bytes += source.bytes_in_memory
        while self._bytes > self._max_bytes:
            _, dropped = self._sources.popitem(last=False)
            self._bytes -= dropped.bytes_in_memory


def move_proof_epoch(tx: Transaction) -> None:
    """Say that a stored proof was replaced, doubted or withdrawn: what was remembered of proofs is stale now."""
    set_local_setting(tx, _EPOCH, str(int(local_setting(tx, _EPOCH) or 0) + 1))


def count_orphaning(tx: Transaction) -> None:
    """Say that blocks left the active chain: any ancestry that was stored before may rest on them."""
    set_local_setting(tx, _ORPHANINGS, str(orphanings(tx) + 1))


def orphanings(tx: Transaction) -> int:
    """How often blocks left the active chain, as far as this store was told."""
    return int(local_setting(tx, _ORPHANINGS) or 0)


def reqs_shown_with_ancestry(tx: Transaction, after: int) -> list[int]:
    """Ids above ``after`` of reqs without a standing proof whose ancestors came from elsewhere, lowest first."""
    rows = tx.rows(statements.REQS_SHOWN_WITH_ANCESTRY, after=after, empty_length=len(EMPTY_BEEF))
    return [row[0] for row in rows]


def ancestries_of(tx: Transaction, req_ids: Iterable[int]) -> list[StoredAncestry]:
    """The ancestries of reqs; one without bytes is left out."""
    found = []
    for req_id in req_ids:
        row = tx.one(statements.FIND_REQ_BY_ID, req_id=req_id)
        if row is not None and row[4] and row[5]:
            found.append(StoredAncestry(req_id, row[1], row[4], row[5]))
    return found


def replace_ancestry(tx: Transaction, ancestry: StoredAncestry, beef: bytes) -> None:
    """Store verified ``beef`` in place of what a req was shown with until now."""
    tx.execute(statements.SET_INPUT_BEEF, req_id=ancestry.req_id, input_beef=beef, now=iso(tx.now()))
    note(tx, "reorgRenewedAncestry", txid=ancestry.txid, bytes=len(beef))
    move_proof_epoch(tx)


class AncestryTooLarge(WERR_INVALID_PARAMETER):
    """What proves the transactions does not fit into a BEEF."""

    def __init__(self) -> None:
        must_be = (
            f"provable in a BEEF of {BEEF_LIMITS.max_bytes} bytes, {BEEF_LIMITS.max_transactions} transactions and "
            f"{BEEF_LIMITS.max_inputs_and_outputs} inputs and outputs; spend coins of large transactions one by one"
        )
        super().__init__("inputs", must_be)


@dataclass(slots=True)
class Room:
    """What a BEEF can still hold."""

    bytes: int = BEEF_LIMITS.max_bytes
    transactions: int = BEEF_LIMITS.max_transactions
    items: int = BEEF_LIMITS.max_inputs_and_outputs

    def take(self, count: int, transactions: int, items: int) -> None:
        """AncestryTooLarge when there is not so much left."""
        self.bytes -= count
        self.transactions -= transactions
        self.items -= items
        if self.bytes < 0 or self.transactions < 0 or self.items < 0:
            raise AncestryTooLarge


def beef_of(tx: Transaction, txids: Collection[str], cache: AncestryCache, room: Room | None = None) -> Beef:
    """BEEF that proves every one of ``txids``, as large as ``room`` lets it be.

    WERR_INVALID_PARAMETER when an ancestor is in no table (its block was orphaned and its ancestry is not found yet,
    for one), AncestryTooLarge when the whole does not fit.
    """
    epoch = local_setting(tx, _EPOCH) or "0"
    room = room or Room()
    beef = Beef()
    seen: set[str] = set()
    missing: list[str] = []
    pending: Collection[str] = txids
    while pending:
        found, absent = cache.walk(epoch, pending, seen)
        read = _read_sources(tx, absent) if absent else {}
        cache.put(epoch, read)
        missing += [txid for txid in absent if txid not in read]
        for source in (*found.values(), *read.values()):
            room.take(source.bytes_in_beef, 1, source.items)
            beef.merge_transaction(source.view, source.merkle_path)
            if source.merkle_path is None and source.outside is not None:
                outside = Beef.parse(source.outside, "inputBEEF", BeefLimits.none())
                room.take(0, len(outside), outside.items)
                beef.merge(outside)
        pending = [parent for source in read.values() for parent in source.parents]
    for txid in missing:
        if beef.view(txid) is None:
            raise _missing(tx, beef, txid)
    return beef


def name_known(beef: Beef, known_txids: Collection[str], txids: Iterable[str]) -> None:
    """Reduce what the receiver knows to its txid, and drop what only that rested on; ``txids`` are what it is about."""
    if known_txids:
        for txid in known_txids:
            beef.make_txid_only(txid)
        beef.prune(txids)


def _missing(tx: Transaction, beef: Beef, txid: str) -> WERR_INVALID_PARAMETER:
    """Why an ancestor is not there: what spends it was proven, and that proof is in doubt, or it never was here."""
    for child in beef.transactions:
        view = beef.view(child)
        if view is None or txid not in view.source_txids:
            continue
        if tx.one(statements.FIND_PROVEN, txid=child) is not None:
            return WERR_INVALID_PARAMETER(
                "txid",
                f"provable at this time. The block that held {child} was orphaned, and neither a new proof nor its "
                "ancestors are found yet; try again in a few minutes.",
            )
    return WERR_INVALID_PARAMETER("txid", f"known to storage. {txid} is not known.")


def _read_sources(tx: Transaction, txids: list[str]) -> dict[str, Source]:
    read: dict[str, Source] = {}
    for txid, raw_tx, merkle_path, input_beef in tx.rows(statements.SOURCES, txids=txids):
        known = read.get(txid)
        if raw_tx is None or (known is not None and known.merkle_path is not None):
            continue
        path = MerklePath.parse(merkle_path) if merkle_path is not None else None
        outside = input_beef if input_beef and input_beef != EMPTY_BEEF else None
        if outside is None and known is not None:
            outside = known.outside
        view = known.view if known is not None else parse_transaction(raw_tx)
        read[txid] = Source.of(view, path, outside)
    return read
