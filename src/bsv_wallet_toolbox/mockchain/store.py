"""What the mock chain keeps: the ChainStore protocol, its rows, and the store that lives in memory.

A store holds facts and judges nothing. Outputs of mempool and mined transactions stand in one set: an output is spent
as soon as an accepted transaction spends it. Hashes are display-order hex, except script hashes (one SHA-256 in natural
order).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from bsv_wallet_toolbox.transactions.headers import BlockHeader

__all__ = ["ChainStore", "MemoryStore", "StoredOutput", "StoredTransaction", "script_hash_of"]


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """``sequence`` grows in the order of acceptance, so parents come first; ``height`` is None in the mempool."""

    txid: str
    raw_tx: bytes
    sequence: int
    height: int | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """``height`` is that of the transaction that created it, ``spent_by`` the txid of the one that spends it."""

    txid: str
    vout: int
    satoshis: int
    locking_script: bytes
    is_coinbase: bool = False
    height: int | None = None
    spent_by: str | None = None


def script_hash_of(locking_script: bytes) -> str:
    return hashlib.sha256(locking_script).hexdigest()


class ChainStore(Protocol):
    """Rows of one chain. Changes are made inside :meth:`transaction` only; reads may stand alone."""

    def transaction(self) -> AbstractContextManager[None]:
        """All changes inside become durable together, or none does when the body raises. Not re-entrant."""

    def tip(self) -> BlockHeader | None:
        """The highest header."""

    def headers(self, first: int, count: int) -> list[BlockHeader]:
        """At most ``count`` headers from height ``first`` upwards."""

    def header_of(self, block_hash: str) -> BlockHeader | None: ...

    def append_header(self, header: BlockHeader, coinbase_txid: str) -> None: ...

    def remove_tip(self) -> None:
        """Forget the highest header; its transactions are the caller's business."""

    def transaction_of(self, txid: str) -> StoredTransaction | None: ...

    def mempool(self) -> list[StoredTransaction]:
        """Transactions without a block, in order of acceptance."""

    def block_txids(self, height: int) -> list[str]:
        """In block order, the coinbase first."""

    def add_transaction(
        self, txid: str, raw_tx: bytes, outputs: Sequence[StoredOutput], height: int | None, index: int | None
    ) -> None: ...

    def remove_transaction(self, txid: str) -> None:
        """Forget the transaction and its outputs; what it spent is unspent again."""

    def place(self, txid: str, height: int | None, index: int | None) -> None:
        """Set the block of a transaction and of its outputs; None puts it back into the mempool."""

    def spend(self, outpoints: Sequence[tuple[str, int]], by: str) -> None: ...

    def output(self, txid: str, vout: int) -> StoredOutput | None: ...

    def outputs_of(self, txid: str) -> list[StoredOutput]:
        """Ordered by vout."""

    def outputs_spent_by(self, txid: str) -> list[StoredOutput]: ...

    def outputs_locked_by(self, script_hash: str) -> list[StoredOutput]:
        """Spent ones too, in order of acceptance."""

    def unspent_locked_by(self, script_hash: str) -> list[StoredOutput]:
        """In order of acceptance."""

    def unspent_coinbases(self, highest: int, limit: int) -> list[StoredOutput]:
        """At most ``limit`` of those up to height ``highest``, lowest first."""

    def unspent(self) -> list[StoredOutput]:
        """All of the chain and its mempool, in order of acceptance."""

    def close(self) -> None: ...


class MemoryStore:
    """A chain in dictionaries. A change that fails is undone step by step."""

    def __init__(self) -> None:
        self._headers: list[tuple[BlockHeader, str]] = []
        self._by_hash: dict[str, BlockHeader] = {}
        self._transactions: dict[str, StoredTransaction] = {}
        self._mempool: dict[str, None] = {}
        self._blocks: dict[int, dict[int, str]] = {}
        self._outputs: dict[str, list[StoredOutput]] = {}
        self._by_script: dict[str, dict[tuple[str, int], None]] = {}
        self._unspent: dict[str, dict[tuple[str, int], None]] = {}
        self._spends: dict[str, list[tuple[str, int]]] = {}
        self._sequence = 0
        self._undo: list[Callable[[], None]] | None = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        assert self._undo is None, "transactions do not nest"
        undo = self._undo = []
        try:
            yield
        except BaseException:
            self._undo = None  # the undoing itself is not recorded
            for step in reversed(undo):
                step()
            raise
        finally:
            self._undo = None

    def tip(self) -> BlockHeader | None:
        return self._headers[-1][0] if self._headers else None

    def headers(self, first: int, count: int) -> list[BlockHeader]:
        return [header for header, _ in self._headers[max(first, 0) : max(first + count, 0)]]

    def header_of(self, block_hash: str) -> BlockHeader | None:
        return self._by_hash.get(block_hash)

    def append_header(self, header: BlockHeader, coinbase_txid: str) -> None:
        self._headers.append((header, coinbase_txid))
        self._by_hash[header.hash] = header
        self._undoable(self.remove_tip)

    def remove_tip(self) -> None:
        header, coinbase_txid = self._headers.pop()
        del self._by_hash[header.hash]
        self._undoable(lambda: self.append_header(header, coinbase_txid))

    def transaction_of(self, txid: str) -> StoredTransaction | None:
        return self._transactions.get(txid)

    def mempool(self) -> list[StoredTransaction]:
        return sorted((self._transactions[txid] for txid in self._mempool), key=lambda row: row.sequence)

    def block_txids(self, height: int) -> list[str]:
        block = self._blocks.get(height, {})
        return [block[index] for index in sorted(block)]

    def add_transaction(
        self, txid: str, raw_tx: bytes, outputs: Sequence[StoredOutput], height: int | None, index: int | None
    ) -> None:
        self._sequence += 1
        self._insert(StoredTransaction(txid, raw_tx, self._sequence, height, index), outputs)

    def remove_transaction(self, txid: str) -> None:
        row, outputs = self._transactions[txid], self._outputs[txid]
        spends = self._spends.pop(txid, [])
        for outpoint in spends:
            self._set_spender(outpoint, None)
        self._unlink(row)
        del self._transactions[txid], self._outputs[txid]
        for output in outputs:
            outpoint = (txid, output.vout)
            script_hash = script_hash_of(output.locking_script)
            self._by_script[script_hash].pop(outpoint)
            self._unspent[script_hash].pop(outpoint, None)

        def put_back() -> None:
            self._insert(row, outputs)
            self.spend(spends, txid)

        self._undoable(put_back)

    def place(self, txid: str, height: int | None, index: int | None) -> None:
        row = self._transactions[txid]
        self._unlink(row)
        self._link(replace(row, height=height, index=index))
        self._outputs[txid] = [replace(output, height=height) for output in self._outputs[txid]]
        self._undoable(lambda: self.place(txid, row.height, row.index))

    def spend(self, outpoints: Sequence[tuple[str, int]], by: str) -> None:
        for outpoint in outpoints:
            self._set_spender(outpoint, by)
        self._spends[by] = list(outpoints)

        def release() -> None:
            for outpoint in self._spends.pop(by):
                self._set_spender(outpoint, None)

        self._undoable(release)

    def output(self, txid: str, vout: int) -> StoredOutput | None:
        outputs = self._outputs.get(txid, [])
        return outputs[vout] if 0 <= vout < len(outputs) else None

    def outputs_of(self, txid: str) -> list[StoredOutput]:
        return list(self._outputs.get(txid, []))

    def outputs_spent_by(self, txid: str) -> list[StoredOutput]:
        return [self._at(outpoint) for outpoint in self._spends.get(txid, [])]

    def outputs_locked_by(self, script_hash: str) -> list[StoredOutput]:
        return self._accepted_order(self._by_script.get(script_hash, {}))

    def unspent_locked_by(self, script_hash: str) -> list[StoredOutput]:
        return self._accepted_order(self._unspent.get(script_hash, {}))

    def unspent_coinbases(self, highest: int, limit: int) -> list[StoredOutput]:
        found: list[StoredOutput] = []
        for _, txid in self._headers[: max(highest + 1, 0)]:
            if len(found) == limit:
                break
            found += [output for output in self._outputs[txid] if output.spent_by is None]
        return found

    def unspent(self) -> list[StoredOutput]:
        return self._accepted_order([outpoint for outpoints in self._unspent.values() for outpoint in outpoints])

    def close(self) -> None:
        """Nothing to release; what was stored stays readable."""

    def _undoable(self, step: Callable[[], None]) -> None:
        if self._undo is not None:
            self._undo.append(step)

    def _at(self, outpoint: tuple[str, int]) -> StoredOutput:
        return self._outputs[outpoint[0]][outpoint[1]]

    def _accepted_order(self, outpoints: dict[tuple[str, int], None] | list[tuple[str, int]]) -> list[StoredOutput]:
        return [
            self._at(outpoint)
            for outpoint in sorted(outpoints, key=lambda point: (self._transactions[point[0]].sequence, point[1]))
        ]

    def _insert(self, row: StoredTransaction, outputs: Sequence[StoredOutput]) -> None:
        self._link(row)
        self._outputs[row.txid] = list(outputs)
        for output in outputs:
            outpoint = (row.txid, output.vout)
            script_hash = script_hash_of(output.locking_script)
            self._by_script.setdefault(script_hash, {})[outpoint] = None
            unspent = self._unspent.setdefault(script_hash, {})
            if output.spent_by is None:
                unspent[outpoint] = None
        self._undoable(lambda: self.remove_transaction(row.txid))

    def _link(self, row: StoredTransaction) -> None:
        self._transactions[row.txid] = row
        if row.height is None or row.index is None:
            self._mempool[row.txid] = None
        else:
            self._blocks.setdefault(row.height, {})[row.index] = row.txid

    def _unlink(self, row: StoredTransaction) -> None:
        if row.height is None or row.index is None:
            del self._mempool[row.txid]
        else:
            del self._blocks[row.height][row.index]

    def _set_spender(self, outpoint: tuple[str, int], spent_by: str | None) -> None:
        output = self._at(outpoint)
        self._outputs[outpoint[0]][outpoint[1]] = replace(output, spent_by=spent_by)
        unspent = self._unspent[script_hash_of(output.locking_script)]
        if spent_by is None:
            unspent[outpoint] = None
        else:
            unspent.pop(outpoint, None)
