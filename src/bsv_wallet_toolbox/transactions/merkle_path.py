"""Merkle trees of blocks and BUMP proofs (BRC-74), read strictly and kept as the bytes they came in.

A path has levels of leaves; a leaf is a hash at an offset or "the same as my left neighbour". Level 0 holds
transactions, those that the path is about are flagged. The root is above the last level. A block of a single
transaction is a path of one level with one leaf, whose hash is the root.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.hashes import display, natural, sha256d
from bsv_wallet_toolbox.transactions.wire import read_varint, write_varint

__all__ = ["MAX_LEVELS", "MerklePath", "merkle_root"]

MAX_LEVELS = 64
_MAX_HEIGHT = 0xFFFFFFFF
_MIN_LEAF = 2
_DUPLICATE = 1
_TXID = 2
_ABSENT = b""

_Level: TypeAlias = dict[int, bytes | None]
"""Leaves by offset: a hash in natural order, or None for a copy of the left neighbour."""


class MerklePath:
    """One or more proofs of inclusion in one block. Immutable; every level-0 leaf is known to lead to ``root``.

    ``raw`` is the BRC-74 form, ``block_height`` the height of the block, ``root`` its Merkle root in display hex.
    """

    __slots__ = ("_flagged", "_levels", "_offsets", "_tree", "block_height", "raw", "root")

    def __init__(
        self,
        block_height: int,
        levels: Sequence[_Level],
        flagged: Iterable[int],
        parameter: str = "merklePath",
        raw: bytes | None = None,
    ) -> None:
        """Check leaves whose offsets are in bounds already; errors as :meth:`parse`. ``raw`` is their form if known."""
        self.block_height = block_height
        self._levels = tuple(levels)
        self._flagged = frozenset(flagged)
        self._tree = _complete(self._levels, parameter)
        self.root = display(self._tree[-1][0] or b"")
        leaves = sorted(self._levels[0].items(), reverse=True)
        self._offsets = {display(leaf): offset for offset, leaf in leaves if leaf is not None}
        self.raw = raw if raw is not None else _serialize(block_height, self._levels, self._flagged)

    @classmethod
    def parse(cls, data: bytes, parameter: str = "merklePath") -> MerklePath:
        """Read exactly one BUMP.

        WERR_INVALID_PARAMETER naming ``parameter`` when it is cut off or followed by more, has no level or more than
        64, repeats an offset, has flags other than 0, 1 and 2, a leaf that no proof needs, or a leaf of level 0 that
        does not lead to the one root. Leaves out of order are accepted and put in order.
        """
        path, pos = cls.read(data, 0, parameter)
        if pos != len(data):
            raise WERR_INVALID_PARAMETER(parameter, f"one Merkle path with nothing after its {pos} bytes")
        return path

    @classmethod
    def read(cls, data: bytes, pos: int, parameter: str) -> tuple[MerklePath, int]:
        """The BUMP that starts at ``pos`` and the position after it; errors as :meth:`parse`."""
        start = pos
        height, pos = read_varint(data, pos, parameter)
        if height > _MAX_HEIGHT:
            raise WERR_INVALID_PARAMETER(parameter, "a Merkle path of a block height below 2^32")
        if pos >= len(data):
            raise _cut_off(parameter)
        count = data[pos]
        pos += 1
        if not 1 <= count <= MAX_LEVELS:
            raise WERR_INVALID_PARAMETER(parameter, f"a Merkle path of 1 to {MAX_LEVELS} levels")
        levels: list[_Level] = []
        flagged: list[int] = []
        canonical = True
        for level in range(count):
            leaves, marked, pos = _read_level(data, pos, count - level, parameter)
            levels.append(leaves)
            if level == 0:
                flagged = marked
            offsets = list(leaves)
            canonical = canonical and offsets == sorted(offsets) and not (level and marked)
        return cls(height, levels, flagged, parameter, data[start:pos] if canonical else None), pos

    @classmethod
    def build(cls, height: int, block_txids: Sequence[str], target_txids: Iterable[str]) -> MerklePath:
        """The smallest path for some transactions of a block whose txids are given in block order (display hex).

        WERR_INVALID_PARAMETER when the block is empty or a target is not in it.
        """
        targets = list(target_txids)
        if not targets:
            raise WERR_INVALID_PARAMETER("txids", "at least one transaction of the block")
        tree = _tree_of([natural(txid) for txid in block_txids])
        offsets = {leaf: offset for offset, leaf in reversed(tree[0].items())}
        flagged = set()
        for txid in targets:
            offset = offsets.get(natural(txid))
            if offset is None:
                raise WERR_INVALID_PARAMETER("txid", f"in the block, which does not hold {txid}")
            flagged.add(offset)
        return cls(height, _extract(tree, flagged), flagged)

    @classmethod
    def from_tsc(cls, txid: str, index: int, nodes: Sequence[str], height: int) -> MerklePath:
        """From a proof in the form of the Technical Standards Committee: siblings bottom up, display hex or ``*``.

        No nodes means a block of one transaction. WERR_INVALID_PARAMETER for an index that the nodes cannot hold.
        """
        if len(nodes) > MAX_LEVELS or not 0 <= index < 1 << len(nodes):
            raise WERR_INVALID_PARAMETER("index", f"below 2 to the number of nodes ({len(nodes)})")
        if not 0 <= height <= _MAX_HEIGHT:
            raise WERR_INVALID_PARAMETER("height", "between 0 and 4294967295")
        leaf = natural(txid)
        levels: list[_Level] = [{index: leaf}]
        for level, node in enumerate(nodes):
            if level:
                levels.append({})
            same = node == "*" or (level == 0 and node == txid)
            levels[level][(index >> level) ^ 1] = None if same else natural(node, "nodes")
        return cls(height, levels, {index}, "nodes")

    def contains(self, txid: str) -> bool:
        """True when ``txid`` is a leaf of level 0, flagged or not."""
        return txid in self._offsets

    def index_of(self, txid: str) -> int:
        """Position of the transaction in its block; WERR_INVALID_PARAMETER when the path does not hold it."""
        offset = self._offsets.get(txid)
        if offset is None:
            raise WERR_INVALID_PARAMETER("txid", f"proven by the Merkle path, which does not hold {txid}")
        return offset

    def compute_root(self, txid: str) -> str:
        """The root that the proof of ``txid`` gives, display hex; WERR_INVALID_PARAMETER when it is not in the path."""
        self.index_of(txid)
        return self.root

    def txids(self) -> tuple[str, ...]:
        """The flagged transactions in block order, display hex."""
        return tuple(display(self._levels[0][offset] or b"") for offset in sorted(self._flagged))

    @property
    def flagged_count(self) -> int:
        return len(self._flagged)

    @property
    def level_count(self) -> int:
        return len(self._levels)

    def flags(self, txid: str) -> bool:
        """True when ``txid`` is a leaf of level 0 that is marked as one the path is about."""
        return self._offsets.get(txid) in self._flagged

    def flagging(self, txids: Iterable[str]) -> MerklePath:
        """This path with these leaves flagged too; itself when they are. Errors as :meth:`index_of`."""
        flagged = self._flagged.union(map(self.index_of, txids))
        if flagged == self._flagged:
            return self
        return MerklePath(self.block_height, self._levels, flagged)

    def extract(self, txids: Iterable[str]) -> MerklePath:
        """The smallest path for some of the leaves of level 0, which become the flagged ones.

        WERR_INVALID_PARAMETER when none is asked for or one is not in the path.
        """
        flagged = {self.index_of(txid) for txid in txids}
        if not flagged:
            raise WERR_INVALID_PARAMETER("txids", "at least one transaction of the Merkle path")
        levels = _extract(self._tree, flagged)
        if flagged == self._flagged and levels == list(self._levels):
            return self
        return MerklePath(self.block_height, levels, flagged)

    def combine(self, other: MerklePath) -> MerklePath:
        """One path for the flagged transactions of both; WERR_INVALID_PARAMETER unless height and root are the same."""
        return MerklePath.combine_all((self, other))

    @classmethod
    def combine_all(cls, paths: Sequence[MerklePath]) -> MerklePath:
        """As :meth:`combine`, for any number of paths, in one pass."""
        first = paths[0]
        if len(paths) == 1:
            return first
        flagged: set[int] = set()
        tree: list[_Level] = [{} for _ in first._tree]
        for path in paths:
            if path.block_height != first.block_height or path.root != first.root or len(path._tree) != len(tree):
                raise WERR_INVALID_PARAMETER("merklePath", "of the same block as the path it is combined with")
            flagged |= path._flagged
            for level, leaves in zip(tree, path._tree, strict=True):
                for offset, leaf in leaves.items():
                    if leaf is not None or offset not in level:
                        level[offset] = leaf
        return cls(first.block_height, _extract(tree, flagged), flagged)

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, MerklePath) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"MerklePath(block_height={self.block_height}, root={self.root}, {len(self._flagged)} flagged)"


def merkle_root(txids: Sequence[str]) -> str:
    """Merkle root of a block whose txids are given in block order; all display hex. WERR_INVALID_PARAMETER if empty."""
    level = [natural(txid) for txid in txids]
    if not level:
        raise WERR_INVALID_PARAMETER("txids", "at least one txid")
    while len(level) > 1:
        if len(level) & 1:
            level.append(level[-1])
        level = [sha256d(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return display(level[0])


def _cut_off(parameter: str) -> WERR_INVALID_PARAMETER:
    return WERR_INVALID_PARAMETER(parameter, "a complete Merkle path, not one that is cut off")


def _read_level(data: bytes, pos: int, height: int, parameter: str) -> tuple[_Level, list[int], int]:
    """Leaves and flagged offsets of one level that has ``height`` levels of hashing above it."""
    count, pos = read_varint(data, pos, parameter)
    size = len(data)
    if count * _MIN_LEAF > size - pos:
        raise _cut_off(parameter)
    leaves: _Level = {}
    flagged = []
    for _ in range(count):
        offset, pos = read_varint(data, pos, parameter)
        if pos >= size:
            raise _cut_off(parameter)
        flags = data[pos]
        pos += 1
        if offset >> height or offset in leaves:
            raise WERR_INVALID_PARAMETER(parameter, "a Merkle path whose offsets fit its height and do not repeat")
        if flags == _DUPLICATE:
            leaves[offset] = None
            continue
        if flags not in (0, _TXID):
            raise WERR_INVALID_PARAMETER(parameter, f"a Merkle path with leaf flags 0, 1 or 2, not {flags}")
        if pos + 32 > size:
            raise _cut_off(parameter)
        leaves[offset] = data[pos : pos + 32]
        pos += 32
        if flags:
            flagged.append(offset)
    return leaves, flagged, pos


def _complete(levels: Sequence[Mapping[int, bytes | None]], parameter: str) -> list[_Level]:
    """All hashes that the leaves give, level by level, with the root as last level; refuses what is not one proof."""
    base = levels[0]
    if len(levels) == 1 and len(base) == 1 and base.get(0) is not None:
        return [dict(base), dict(base)]
    tree: list[_Level] = []
    computed: _Level = {offset: leaf for offset, leaf in base.items() if leaf is not None}
    if not computed:
        raise WERR_INVALID_PARAMETER(parameter, "a Merkle path with at least one transaction")
    for level, given in enumerate(levels):
        known = dict(computed)
        for offset, leaf in given.items():
            if level == 0 and leaf is not None:
                continue
            if offset ^ 1 not in computed:
                raise WERR_INVALID_PARAMETER(parameter, "a Merkle path without leaves that no proof needs")
            if known.setdefault(offset, leaf) != leaf:
                raise WERR_INVALID_PARAMETER(parameter, "a Merkle path whose leaves all lead to one root")
        tree.append(known)
        computed = _parents(known, computed, parameter)
    tree.append(computed)
    return tree


def _parents(known: Mapping[int, bytes | None], computed: Iterable[int], parameter: str) -> _Level:
    parents: _Level = {}
    for offset in computed:
        parent = offset >> 1
        if parent in parents:
            continue
        left = known.get(offset & ~1)
        right = known.get(offset | 1, _ABSENT)
        if left is None or right is _ABSENT:
            raise WERR_INVALID_PARAMETER(parameter, "a Merkle path with every hash that its proofs need")
        parents[parent] = sha256d(left + (right or left))
    return parents


def _tree_of(leaves: Sequence[bytes]) -> list[_Level]:
    """All levels of a block's tree, with None where the last node of a level stands for itself twice, and the root."""
    if not leaves:
        raise WERR_INVALID_PARAMETER("txids", "at least one txid")
    tree: list[_Level] = []
    level = list(leaves)
    while len(level) > 1 or not tree:
        nodes: _Level = dict(enumerate(level))
        if len(level) & 1 and len(leaves) > 1:
            nodes[len(level)] = None
            level.append(level[-1])
        tree.append(nodes)
        if len(level) > 1:
            level = [sha256d(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    tree.append({0: level[0]})
    return tree


def _extract(tree: Sequence[Mapping[int, bytes | None]], flagged: Iterable[int]) -> list[_Level]:
    """The leaves that prove ``flagged`` and cannot be computed from lower ones, from a tree with its root last."""
    active = set(flagged)
    levels: list[_Level] = []
    for level, known in enumerate(tree[:-1]):
        offsets = {offset ^ 1 for offset in active} - active
        if level == 0:
            offsets |= active
        levels.append({offset: known[offset] for offset in sorted(offsets) if offset in known})
        active = {offset >> 1 for offset in active}
    return levels


def _serialize(height: int, levels: Sequence[Mapping[int, bytes | None]], flagged: frozenset[int]) -> bytes:
    parts = [write_varint(height), bytes((len(levels),))]
    for level, leaves in enumerate(levels):
        parts.append(write_varint(len(leaves)))
        for offset, leaf in sorted(leaves.items()):
            parts.append(write_varint(offset))
            if leaf is None:
                parts.append(b"\x01")
            else:
                parts.append(b"\x02" if level == 0 and offset in flagged else b"\x00")
                parts.append(leaf)
    return b"".join(parts)
