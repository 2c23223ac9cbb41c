"""Block headers: thin views over 80 bytes, and the arithmetic of targets and work.

``target_of`` and ``work`` follow the compact form of nodes: a negative, zero or overflowing target is no target at all,
so nothing meets it and its work is 0.
"""

from __future__ import annotations

from typing import Any

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.hashes import display, natural, sha256d

__all__ = ["HEADER_BYTES", "BlockHeader", "parse_header", "target_of", "work_of"]

HEADER_BYTES = 80
_UINT32 = 0xFFFFFFFF


class BlockHeader:
    """An immutable 80-byte header at a height. Hashes are display hex; ``time`` is in seconds since 1970 UTC.

    Make one with :func:`parse_header` or :meth:`build`: the constructor trusts its arguments.
    """

    __slots__ = ("_hash", "height", "raw")

    raw: bytes
    height: int
    _hash: str | None

    def __init__(self, raw: bytes, height: int) -> None:
        object.__setattr__(self, "raw", raw)
        object.__setattr__(self, "height", height)
        object.__setattr__(self, "_hash", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"BlockHeader is immutable: {name}")

    def __reduce__(self) -> tuple[type[BlockHeader], tuple[bytes, int]]:
        return BlockHeader, (self.raw, self.height)

    @classmethod
    def build(
        cls, version: int, previous_hash: str, merkle_root: str, time: int, bits: int, nonce: int, height: int
    ) -> BlockHeader:
        """Header of these fields; WERR_INVALID_PARAMETER names the one that is out of range."""
        if not -0x80000000 <= version <= _UINT32:
            raise WERR_INVALID_PARAMETER("version", "an integer of 32 bits")
        for name, value in (("time", time), ("bits", bits), ("nonce", nonce)):
            if not 0 <= value <= _UINT32:
                raise WERR_INVALID_PARAMETER(name, "an unsigned integer of 32 bits")
        raw = b"".join(
            (
                (version & _UINT32).to_bytes(4, "little"),
                natural(previous_hash, "previousHash"),
                natural(merkle_root, "merkleRoot"),
                time.to_bytes(4, "little"),
                bits.to_bytes(4, "little"),
                nonce.to_bytes(4, "little"),
            )
        )
        return parse_header(raw, height)

    @property
    def hash(self) -> str:
        if self._hash is None:
            object.__setattr__(self, "_hash", display(sha256d(self.raw)))
        assert self._hash is not None
        return self._hash

    @property
    def version(self) -> int:
        return int.from_bytes(self.raw[0:4], "little")

    @property
    def previous_hash(self) -> str:
        return display(self.raw[4:36])

    @property
    def merkle_root(self) -> str:
        return display(self.raw[36:68])

    @property
    def time(self) -> int:
        return int.from_bytes(self.raw[68:72], "little")

    @property
    def bits(self) -> int:
        return int.from_bytes(self.raw[72:76], "little")

    @property
    def nonce(self) -> int:
        return int.from_bytes(self.raw[76:80], "little")

    @property
    def meets_target(self) -> bool:
        """True when the hash proves the work that ``bits`` asks for. The chain's own limit is not known here."""
        return int(self.hash, 16) <= target_of(self.bits)

    @property
    def work(self) -> int:
        """Expected number of hashes behind this header."""
        return work_of(self.bits)

    def to_json(self) -> dict[str, Any]:
        """The wire form of a block header, keys in the order that peers write."""
        return {
            "version": self.version,
            "previousHash": self.previous_hash,
            "merkleRoot": self.merkle_root,
            "time": self.time,
            "bits": self.bits,
            "nonce": self.nonce,
            "height": self.height,
            "hash": self.hash,
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BlockHeader):
            return NotImplemented
        return self.raw == other.raw and self.height == other.height

    def __hash__(self) -> int:
        return hash((self.raw, self.height))

    def __repr__(self) -> str:
        return f"BlockHeader(height={self.height}, hash={self.hash})"


def parse_header(raw: bytes, height: int, parameter: str = "header") -> BlockHeader:
    """View of exactly 80 bytes; WERR_INVALID_PARAMETER naming ``parameter`` for another length or a negative height."""
    if len(raw) != HEADER_BYTES:
        raise WERR_INVALID_PARAMETER(parameter, f"{HEADER_BYTES} bytes, not {len(raw)}")
    if not 0 <= height <= _UINT32:
        raise WERR_INVALID_PARAMETER(parameter, "at a height between 0 and 4294967295")
    return BlockHeader(bytes(raw), height)


def target_of(bits: int) -> int:
    """The largest hash (as an integer) that the compact form allows; -1 when it allows none."""
    size = bits >> 24
    mantissa = bits & 0x007FFFFF
    target = mantissa >> (8 * (3 - size)) if size <= 3 else mantissa << (8 * (size - 3))
    negative = bool(bits & 0x00800000) and mantissa != 0
    if negative or target == 0 or target >> 256:
        return -1
    return target


def work_of(bits: int) -> int:
    """Expected number of hashes to meet the compact target, 0 when nothing can."""
    target = target_of(bits)
    return (1 << 256) // (target + 1) if target > 0 else 0
