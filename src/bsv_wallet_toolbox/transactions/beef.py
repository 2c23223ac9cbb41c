"""BEEF: transactions with their ancestors back to proven ones. V1 (BRC-62), V2 (BRC-96) and AtomicBEEF (BRC-95).

The container keeps raw transactions and BUMPs as the bytes they came in. Everything walks iteratively and in linear
time: a graph of transactions cannot be cyclic, because a txid is always computed from the bytes it names.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.hashes import display, is_txid, natural
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.tx import TransactionView, parse_transaction, read_transaction
from bsv_wallet_toolbox.transactions.wire import read_varint, write_varint

__all__ = ["ATOMIC_PREFIX", "BEEF_LIMITS", "EMPTY", "Beef", "BeefLimits", "BeefTx", "BeefVersion"]


class BeefVersion(IntEnum):
    """The first four bytes of a BEEF, read little-endian."""

    V1 = 0xEFBE0001
    V2 = 0xEFBE0002


ATOMIC_PREFIX = b"\x01\x01\x01\x01"
EMPTY = bytes.fromhex("0200beef0000")
"""A BEEF V2 without transactions."""

_RAW = b"\x00"
_RAW_AND_BUMP = b"\x01"
_TXID_ONLY = b"\x02"


@dataclass(frozen=True, slots=True)
class BeefLimits:
    """What :meth:`Beef.parse` accepts at most."""

    max_bytes: int = 10_000_000
    max_transactions: int = 5_000
    max_bumps: int = 5_000
    max_inputs_and_outputs: int = 300_000
    """Of all transactions together: empty ones take few bytes in a BEEF and twenty times as many in memory."""

    @classmethod
    def none(cls) -> BeefLimits:
        """For what was bounded before."""
        return cls(*[sys.maxsize] * 4)


BEEF_LIMITS = BeefLimits()


class BeefTx(NamedTuple):
    """An entry: ``raw`` is None for one known by its txid only; ``bump_index`` is None while it is not proven.

    ``bump_index`` tells which entries of one container share a block; it is not the index in any serialised form.
    """

    txid: str
    raw: bytes | None
    bump_index: int | None

    @property
    def is_txid_only(self) -> bool:
        return self.raw is None

    @property
    def is_proven(self) -> bool:
        return self.bump_index is not None


class Beef:
    """A mutable set of transactions and proofs. Not safe to change from two threads at once.

    ``subject`` is the txid an AtomicBEEF is about, ``version`` what was parsed; neither changes what is written.
    """

    __slots__ = ("_bump_of_block", "_bumps", "_transactions", "_views", "subject", "version")

    def __init__(self, version: BeefVersion = BeefVersion.V2, subject: str | None = None) -> None:
        self.version = version
        self.subject = subject
        self._transactions: dict[str, BeefTx] = {}
        self._views: dict[str, TransactionView] = {}
        self._bumps: list[dict[bytes, MerklePath]] = []
        self._bump_of_block: dict[tuple[int, str, int], int] = {}

    @classmethod
    def parse(cls, data: bytes, parameter: str = "tx", limits: BeefLimits = BEEF_LIMITS) -> Beef:
        """Read exactly one BEEF V1, V2 or AtomicBEEF over either.

        WERR_INVALID_PARAMETER naming ``parameter`` when it is larger than ``limits``, cut off, followed by more bytes,
        repeats a full transaction, refers to a BUMP that is not there or does not hold the transaction, or is atomic
        without holding its subject in full. A txid-only entry beside the full transaction, or repeated, adds nothing
        and is accepted. The order of the transactions is not checked; :meth:`to_bytes` restores it.
        """
        if len(data) > limits.max_bytes:
            raise WERR_INVALID_PARAMETER(parameter, f"a BEEF of at most {limits.max_bytes} bytes, not {len(data)}")
        return _BeefReader(data, parameter, limits).read()

    @property
    def transactions(self) -> Mapping[str, BeefTx]:
        """Read-only view of the entries by txid, in the order they were added."""
        return MappingProxyType(self._transactions)

    def __len__(self) -> int:
        return len(self._transactions)

    def __contains__(self, txid: object) -> bool:
        return txid in self._transactions

    def __repr__(self) -> str:
        return f"Beef({len(self._transactions)} transactions, {len(self.roots())} roots, subject={self.subject})"

    @property
    def items(self) -> int:
        """Inputs and outputs of all full transactions."""
        return sum(view.input_count + view.output_count for view in self._views.values())

    def view(self, txid: str) -> TransactionView | None:
        """The full transaction, None when it is absent or txid-only."""
        return self._views.get(txid)

    def is_txid_only(self, txid: str) -> bool:
        """True when the entry is there without its bytes."""
        return txid in self._transactions and txid not in self._views

    def merkle_path(self, txid: str) -> MerklePath | None:
        """The proof of ``txid``, None when it is absent or not proven. It may prove other transactions too."""
        entry = self._transactions.get(txid)
        if entry is None or entry.bump_index is None:
            return None
        return self._bump(entry.bump_index)

    def roots(self) -> frozenset[tuple[int, str]]:
        """(block height, Merkle root in display hex) of every proof that an entry uses."""
        blocks = list(self._bump_of_block)
        used = {entry.bump_index for entry in self._transactions.values() if entry.bump_index is not None}
        return frozenset(blocks[index][:2] for index in used)

    def copy(self) -> Beef:
        """An independent container that shares the immutable bytes and views."""
        twin = Beef(self.version, self.subject)
        twin._transactions = self._transactions.copy()
        twin._views = self._views.copy()
        twin._bumps = [bump.copy() for bump in self._bumps]
        twin._bump_of_block = self._bump_of_block.copy()
        return twin

    def merge(self, other: Beef) -> None:
        """Take over what ``other`` knows better: full beats txid-only, proven beats unproven. Own proofs are kept."""
        moved: dict[int, int] = {}
        for txid, theirs in other._transactions.items():
            mine = self._transactions.get(txid)
            if mine is not None and (
                theirs.raw is None or (mine.raw is not None and (mine.is_proven or not theirs.is_proven))
            ):
                continue
            bump = theirs.bump_index
            if bump is not None and bump not in moved:
                for path in other._bumps[bump].values():
                    moved[bump] = self._add_bump(path)
            self._transactions[txid] = BeefTx(txid, theirs.raw, moved[bump] if bump is not None else None)
            if theirs.raw is not None:
                self._views[txid] = other._views[txid]

    def merge_transaction(self, raw: bytes | TransactionView, merkle_path: MerklePath | None = None) -> str:
        """Add a full transaction and return its txid. A proof given here replaces the one that is there.

        WERR_INVALID_PARAMETER: ``rawTx`` as of ``parse_transaction``, ``merklePath`` when it does not hold the txid.
        """
        view = raw if isinstance(raw, TransactionView) else parse_transaction(raw)
        txid = view.txid
        entry = self._transactions.get(txid)
        if merkle_path is not None:
            if not merkle_path.flags(txid):
                if not merkle_path.contains(txid):
                    raise WERR_INVALID_PARAMETER("merklePath", f"a proof of {txid}")
                merkle_path = merkle_path.flagging((txid,))
            bump = self._add_bump(merkle_path)
        elif entry is not None and entry.raw is not None:
            return txid
        else:
            bump = None
        self._transactions[txid] = BeefTx(txid, view.raw, bump)
        self._views[txid] = view
        return txid

    def merge_txid_only(self, txid: str) -> None:
        """Note that the receiver knows ``txid``; nothing changes when there is an entry. Errors as ``natural``."""
        if txid not in self._transactions:
            if not is_txid(txid):
                raise WERR_INVALID_PARAMETER("txid", "a hash of 64 lower-case hexadecimal digits")
            self._transactions[txid] = BeefTx(txid, None, None)

    def make_txid_only(self, txid: str) -> None:
        """Reduce an entry to its txid. Nothing happens when there is none."""
        if self._views.pop(txid, None) is not None:
            self._transactions[txid] = BeefTx(txid, None, None)

    def ancestors(self, *txids: str) -> list[str]:
        """``txids`` and what their validity rests on in this container, parents first; stops at proven transactions.

        WERR_INVALID_PARAMETER when there is no such entry.
        """
        for txid in txids:
            if txid not in self._transactions:
                raise WERR_INVALID_PARAMETER("txid", f"in the BEEF, which does not hold {txid}")
        return self._parents_first(txids, stop_at_proof=True)

    def prune(self, txids: Iterable[str]) -> None:
        """Drop every entry that is not among the :meth:`ancestors` of ``txids``; errors as there."""
        kept = set(self.ancestors(*txids))
        self._transactions = {txid: entry for txid, entry in self._transactions.items() if txid in kept}
        self._views = {txid: view for txid, view in self._views.items() if txid in kept}

    def to_bytes(self, version: BeefVersion = BeefVersion.V2) -> bytes:
        """All entries, parents first, with the proofs they use.

        WERR_INVALID_PARAMETER when V1 is asked for and an entry is txid-only: V1 has no form for it.
        """
        order = self._parents_first(self._transactions, stop_at_proof=False)
        return self._serialize(order, version, trim=False)

    def to_atomic(self, txid: str, version: BeefVersion = BeefVersion.V2) -> bytes:
        """AtomicBEEF of ``txid``: itself and its :meth:`ancestors`, with paths trimmed to the transactions they prove.

        WERR_INVALID_PARAMETER when ``txid`` is absent or txid-only, or as :meth:`to_bytes`.
        """
        if txid not in self._views:
            raise WERR_INVALID_PARAMETER("txid", f"in the BEEF, which does not hold {txid} in full")
        body = self._serialize(self.ancestors(txid), version, trim=True)
        return ATOMIC_PREFIX + natural(txid) + body

    def _serialize(self, order: list[str], version: BeefVersion, *, trim: bool) -> bytes:
        members: dict[int, list[str]] = {}
        entries = [self._transactions[txid] for txid in order]
        for entry in entries:
            if entry.bump_index is not None:
                members.setdefault(entry.bump_index, []).append(entry.txid)
        parts = [version.to_bytes(4, "little"), write_varint(len(members))]
        for bump, txids in members.items():
            path = self._bump(bump)
            parts.append(path.extract(txids).raw if trim and path.flagged_count > len(txids) else path.raw)
        written = {bump: write_varint(index) for index, bump in enumerate(members)}
        parts.append(write_varint(len(entries)))
        write = _write_v1 if version == BeefVersion.V1 else _write_v2
        for entry in entries:
            parts += write(entry, written[entry.bump_index] if entry.bump_index is not None else None)
        return b"".join(parts)

    def _parents_first(self, roots: Iterable[str], *, stop_at_proof: bool) -> list[str]:
        """The roots and the entries reachable from them, every one after the parents it has among them."""
        transactions, views = self._transactions, self._views
        order: list[str] = []
        entered: set[str] = set()
        for root in roots:
            if root in entered:
                continue
            entered.add(root)
            stack = [(root, iter(self._sources(root, stop_at_proof)))]
            while stack:
                txid, sources = stack[-1]
                for source in sources:
                    if source not in entered and source in transactions:
                        entered.add(source)
                        if source in views:
                            stack.append((source, iter(self._sources(source, stop_at_proof))))
                            break
                        order.append(source)
                else:
                    stack.pop()
                    order.append(txid)
        return order

    def _sources(self, txid: str, stop_at_proof: bool) -> tuple[str, ...]:
        view = self._views.get(txid)
        if view is None or (stop_at_proof and self._transactions[txid].bump_index is not None):
            return ()
        return view.source_txids

    def _add_bump(self, path: MerklePath) -> int:
        """Index of the block's proofs, with ``path`` among them; they are combined when they are needed."""
        block = (path.block_height, path.root, path.level_count)
        index = self._bump_of_block.setdefault(block, len(self._bumps))
        if index == len(self._bumps):
            self._bumps.append({})
        self._bumps[index][path.raw] = path
        return index

    def _bump(self, index: int) -> MerklePath:
        parts = self._bumps[index]
        if len(parts) > 1:
            path = MerklePath.combine_all(list(parts.values()))
            self._bumps[index] = {path.raw: path}
            return path
        return next(iter(parts.values()))


def _write_v1(entry: BeefTx, bump: bytes | None) -> tuple[bytes, ...]:
    if entry.raw is None:
        raise WERR_INVALID_PARAMETER("version", "V2 to hold transactions by txid only")
    return (entry.raw, b"\x00") if bump is None else (entry.raw, b"\x01", bump)


def _write_v2(entry: BeefTx, bump: bytes | None) -> tuple[bytes, ...]:
    if entry.raw is None:
        return _TXID_ONLY, natural(entry.txid)
    return (_RAW, entry.raw) if bump is None else (_RAW_AND_BUMP, bump, entry.raw)


class _BeefReader:
    """One pass over the bytes of a BEEF."""

    def __init__(self, data: bytes, parameter: str, limits: BeefLimits) -> None:
        self.data = data
        self.parameter = parameter
        self.limits = limits
        self.pos = 0
        self.beef = Beef()
        self.paths: list[MerklePath] = []
        self.unflagged: dict[int, list[str]] = {}
        self.items_left = limits.max_inputs_and_outputs

    def read(self) -> Beef:
        beef = self.beef
        if self.data.startswith(ATOMIC_PREFIX):
            self.pos = 4
            beef.subject = display(self._take(32))
        try:
            beef.version = BeefVersion(int.from_bytes(self._take(4), "little"))
        except ValueError:
            raise self._invalid("a BEEF of version 1 or 2, or an AtomicBEEF") from None
        for _ in range(self._count(self.limits.max_bumps, "BUMPs")):
            path, self.pos = MerklePath.read(self.data, self.pos, self.parameter)
            self.paths.append(path)
        count = self._count(self.limits.max_transactions, "transactions")
        read_entry = self._read_v1 if beef.version is BeefVersion.V1 else self._read_v2
        for _ in range(count):
            read_entry()
        if self.pos != len(self.data):
            raise self._invalid(f"one BEEF with nothing after its {self.pos} bytes")
        for index, txids in self.unflagged.items():
            beef._add_bump(self.paths[index].flagging(txids))
        if beef.subject is not None and beef.subject not in beef._views:
            raise self._invalid(f"valid AtomicBEEF with newest txid of {beef.subject}")
        return beef

    def _read_v1(self) -> None:
        view = self._transaction()
        proven = self._take(1)
        if proven not in (b"\x00", b"\x01"):
            raise self._invalid("a BEEF with a BUMP flag of 0 or 1 behind each transaction")
        self._add(view, self._varint() if proven == b"\x01" else None)

    def _read_v2(self) -> None:
        form = self._take(1)
        if form == _RAW:
            self._add(self._transaction(), None)
        elif form == _RAW_AND_BUMP:
            bump = self._varint()
            self._add(self._transaction(), bump)
        elif form == _TXID_ONLY:
            self.beef.merge_txid_only(display(self._take(32)))
        else:
            raise self._invalid(f"a BEEF with transaction formats 0, 1 or 2, not {form[0]}")

    def _add(self, view: TransactionView, path_index: int | None) -> None:
        beef, txid = self.beef, view.txid
        if txid in beef._views:
            raise self._invalid(f"a BEEF that holds {txid} once")
        bump = None
        if path_index is not None:
            if path_index >= len(self.paths):
                raise self._invalid(f"a BEEF whose BUMP indexes are below {len(self.paths)}, not {path_index}")
            path = self.paths[path_index]
            if not path.contains(txid):
                raise self._invalid(f"a BEEF whose BUMP {path_index} holds {txid}, which refers to it")
            bump = beef._add_bump(path)
            if not path.flags(txid):
                self.unflagged.setdefault(path_index, []).append(txid)
        beef._transactions[txid] = BeefTx(txid, view.raw, bump)
        beef._views[txid] = view

    def _transaction(self) -> TransactionView:
        view = read_transaction(self.data, self.pos, self.parameter, most=self.items_left)
        self.items_left -= view.input_count + view.output_count
        if self.items_left < 0:
            raise self._invalid(f"a BEEF of at most {self.limits.max_inputs_and_outputs} inputs and outputs")
        self.pos += len(view.raw)
        return view

    def _varint(self) -> int:
        value, self.pos = read_varint(self.data, self.pos, self.parameter)
        return value

    def _count(self, limit: int, noun: str) -> int:
        count = self._varint()
        if count > limit:
            raise self._invalid(f"a BEEF of at most {limit} {noun}, not {count}")
        return count

    def _take(self, count: int) -> bytes:
        end = self.pos + count
        if end > len(self.data):
            raise self._invalid("a complete BEEF, not one that is cut off")
        piece = self.data[self.pos : end]
        self.pos = end
        return piece

    def _invalid(self, must_be: str) -> WERR_INVALID_PARAMETER:
        return WERR_INVALID_PARAMETER(self.parameter, must_be)
