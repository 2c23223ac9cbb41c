"""Raw transactions: views that slice on demand, a strict parser, a writer and the FORKID signature hash.

Nothing is re-serialised that was already bytes: a view keeps the raw transaction and the positions found while its
structure was checked. Satoshis are ``int``; ``txid`` is display hex, ``txid_bytes`` natural digest order.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.hashes import natural, sha256d
from bsv_wallet_toolbox.transactions.wire import read_varint, write_varint

__all__ = [
    "MAX_SATOSHIS",
    "SIGHASH_ALL",
    "SIGHASH_ANYONECANPAY",
    "SIGHASH_FORKID",
    "SIGHASH_NONE",
    "SIGHASH_SINGLE",
    "Draft",
    "InputSpec",
    "InputView",
    "OutputSpec",
    "OutputView",
    "TransactionView",
    "build_transaction",
    "parse_transaction",
    "read_transaction",
    "signature_hash",
    "signature_preimage",
]

MAX_SATOSHIS = 2_100_000_000_000_000
SIGHASH_ALL = 0x01
SIGHASH_NONE = 0x02
SIGHASH_SINGLE = 0x03
SIGHASH_FORKID = 0x40
SIGHASH_ANYONECANPAY = 0x80

_FINAL = 0xFFFFFFFF
_UINT32 = Struct("<I")
_UINT64 = Struct("<Q")
_read_uint32 = _UINT32.unpack_from
_read_uint64 = _UINT64.unpack_from
_UNBOUNDED = 2**31
_MIN_INPUT = 41
_MIN_OUTPUT = 9
_ZERO_HASH = bytes(32)
_FINAL_SEQUENCE = b"\xff\xff\xff\xff"


class InputView(NamedTuple):
    """``script_offset`` counts from the start of the raw transaction to the first byte of the unlocking script."""

    txid_bytes: bytes
    vout: int
    unlocking_script: bytes
    script_offset: int
    script_length: int
    sequence: int

    @property
    def txid(self) -> str:
        return self.txid_bytes[::-1].hex()

    @property
    def is_coinbase(self) -> bool:
        return self.vout == 0xFFFFFFFF and self.txid_bytes == _ZERO_HASH


class OutputView(NamedTuple):
    """``script_offset`` counts from the start of the raw transaction to the first byte of the locking script."""

    satoshis: int
    locking_script: bytes
    script_offset: int
    script_length: int


class TransactionView:
    """A checked raw transaction. Made by :func:`parse_transaction`; treat as immutable.

    Hashes and the tuples of inputs and outputs are made when first asked for and kept; two threads that ask at once
    compute the same value twice, which is harmless.
    """

    __slots__ = (
        "_input_marks",
        "_inputs",
        "_midstates",
        "_output_marks",
        "_outputs",
        "_source_txids",
        "_txid",
        "raw",
    )

    raw: bytes

    def __init__(
        self, raw: bytes, input_marks: list[tuple[int, int, int]], output_marks: list[tuple[int, int, int]]
    ) -> None:
        self.raw = raw
        self._input_marks = input_marks
        self._output_marks = output_marks
        self._txid: str | None = None
        self._inputs: tuple[InputView, ...] | None = None
        self._outputs: tuple[OutputView, ...] | None = None
        self._source_txids: tuple[str, ...] | None = None
        self._midstates: tuple[bytes, bytes, bytes] | None = None

    @property
    def txid(self) -> str:
        if self._txid is None:
            self._txid = sha256d(self.raw)[::-1].hex()
        return self._txid

    @property
    def txid_bytes(self) -> bytes:
        return bytes.fromhex(self.txid)[::-1]

    @property
    def version(self) -> int:
        """As an unsigned integer of 32 bits."""
        version: int = _read_uint32(self.raw, 0)[0]
        return version

    @property
    def lock_time(self) -> int:
        lock_time: int = _read_uint32(self.raw, len(self.raw) - 4)[0]
        return lock_time

    @property
    def input_count(self) -> int:
        return len(self._input_marks)

    @property
    def output_count(self) -> int:
        return len(self._output_marks)

    @property
    def inputs(self) -> tuple[InputView, ...]:
        if self._inputs is None:
            raw = self.raw
            self._inputs = tuple(
                [
                    InputView(
                        raw[start : start + 32],
                        _read_uint32(raw, start + 32)[0],
                        raw[script : script + length],
                        script,
                        length,
                        _read_uint32(raw, script + length)[0],
                    )
                    for start, script, length in self._input_marks
                ]
            )
        return self._inputs

    @property
    def outputs(self) -> tuple[OutputView, ...]:
        if self._outputs is None:
            raw = self.raw
            self._outputs = tuple(
                [
                    OutputView(_read_uint64(raw, start)[0], raw[script : script + length], script, length)
                    for start, script, length in self._output_marks
                ]
            )
        return self._outputs

    @property
    def source_txids(self) -> tuple[str, ...]:
        """The txid that each input spends from, in input order, repeats included."""
        if self._source_txids is None:
            raw = self.raw
            self._source_txids = tuple([raw[start : start + 32][::-1].hex() for start, _, _ in self._input_marks])
        return self._source_txids

    @property
    def outpoints(self) -> tuple[bytes, ...]:
        """The 36 bytes (natural txid, vout little-endian) that each input spends."""
        raw = self.raw
        return tuple([raw[start : start + 36] for start, _, _ in self._input_marks])

    @property
    def serialized_outputs(self) -> tuple[bytes, ...]:
        """Each output as it stands in the raw transaction: value, script length, script."""
        raw = self.raw
        return tuple([raw[start : script + length] for start, script, length in self._output_marks])

    @property
    def is_final_by_sequence(self) -> bool:
        """True when every sequence number is 0xffffffff, so that the lock time has no effect."""
        raw = self.raw
        return all(
            raw[script + length : script + length + 4] == _FINAL_SEQUENCE for _, script, length in self._input_marks
        )

    def midstates(self) -> tuple[bytes, bytes, bytes]:
        """The hashes of all outpoints, all sequence numbers and all outputs that signature hashes commit to."""
        if self._midstates is None:
            raw = self.raw
            sequences = [raw[script + length : script + length + 4] for _, script, length in self._input_marks]
            outputs = raw[self._output_marks[0][0] : -4] if self._output_marks else b""
            self._midstates = (sha256d(b"".join(self.outpoints)), sha256d(b"".join(sequences)), sha256d(outputs))
        return self._midstates

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, TransactionView) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"TransactionView(txid={self.txid}, {len(self.raw)} bytes)"


def parse_transaction(raw: bytes, parameter: str = "rawTx", *, allow_empty: bool = False) -> TransactionView:
    """Check the structure of a raw transaction and return its view.

    WERR_INVALID_PARAMETER naming ``parameter`` when it is cut off, has bytes left over, counts that its size cannot
    hold, integers longer than needed or an output above 21e14 satoshis. A transaction without inputs or without outputs
    is refused too unless ``allow_empty``.
    """
    view = read_transaction(raw, 0, parameter, allow_empty=allow_empty)
    if len(view.raw) != len(raw):
        raise WERR_INVALID_PARAMETER(parameter, f"one transaction with nothing after its {len(view.raw)} bytes")
    return view


def read_transaction(
    data: bytes, pos: int, parameter: str, *, allow_empty: bool = False, most: int = _UNBOUNDED
) -> TransactionView:
    """The transaction that starts at ``pos``; it ends ``len(view.raw)`` bytes later. Errors as `parse_transaction`.

    One with more inputs or more outputs than ``most`` is refused before they are read.
    """
    size = len(data)
    try:
        inputs, end = _read_inputs(data, pos, size, most, parameter)
        outputs, end = _read_outputs(data, pos, end, size, most, parameter)
    except (IndexError, struct_error):
        raise _cut_off(parameter) from None
    end += 4
    if end > size:
        raise _cut_off(parameter)
    if not ((inputs and outputs) or allow_empty):
        raise WERR_INVALID_PARAMETER(parameter, "a transaction with at least one input and one output")
    return TransactionView(data[pos:end], inputs, outputs)


def _cut_off(parameter: str) -> WERR_INVALID_PARAMETER:
    return WERR_INVALID_PARAMETER(parameter, "a complete transaction, not one that is cut off")


def _check_count(count: int, least_bytes: int, left: int, most: int, parameter: str) -> None:
    if count * least_bytes > left:
        raise _cut_off(parameter)
    if count > most:
        raise WERR_INVALID_PARAMETER(parameter, f"a transaction of at most {most} inputs or outputs here, not {count}")


def _read_inputs(
    data: bytes, base: int, size: int, most: int, parameter: str
) -> tuple[list[tuple[int, int, int]], int]:
    """Marks (start, script, script length) relative to ``base``. Reading past the end raises IndexError."""
    pos = base + 4
    count = data[pos]
    pos += 1
    if count >= 0xFD:
        count, pos = read_varint(data, pos - 1, parameter)
    _check_count(count, _MIN_INPUT, size - pos, most, parameter)
    marks = []
    for _ in range(count):
        script = pos + 37
        length = data[script - 1]
        if length >= 0xFD:
            length, script = read_varint(data, script - 1, parameter)
            if length > size:
                raise _cut_off(parameter)
        marks.append((pos - base, script - base, length))
        pos = script + length + 4
    return marks, pos


def _read_outputs(
    data: bytes, base: int, pos: int, size: int, most: int, parameter: str
) -> tuple[list[tuple[int, int, int]], int]:
    """Marks (start, script, script length) relative to ``base``. Reading past the end raises IndexError."""
    count = data[pos]
    pos += 1
    if count >= 0xFD:
        count, pos = read_varint(data, pos - 1, parameter)
    _check_count(count, _MIN_OUTPUT, size - pos, most, parameter)
    marks = []
    for _ in range(count):
        if _read_uint64(data, pos)[0] > MAX_SATOSHIS:
            raise WERR_INVALID_PARAMETER(parameter, f"a transaction with no output above {MAX_SATOSHIS} satoshis")
        script = pos + 9
        length = data[script - 1]
        if length >= 0xFD:
            length, script = read_varint(data, script - 1, parameter)
            if length > size:
                raise _cut_off(parameter)
        marks.append((pos - base, script - base, length))
        pos = script + length
    return marks, pos


class InputSpec(NamedTuple):
    """An input to write; ``txid`` is display hex."""

    txid: str
    vout: int
    unlocking_script: bytes = b""
    sequence: int = _FINAL


class OutputSpec(NamedTuple):
    satoshis: int
    locking_script: bytes


class Draft:
    """A transaction whose inputs are yet to be unlocked: what all their signatures commit to is made once.

    WERR_INVALID_PARAMETER names the field that is out of range.
    """

    __slots__ = ("_lock_time", "_midstates", "_outpoints", "_output_count", "_outputs", "_sequences", "_version")

    def __init__(
        self, inputs: Sequence[InputSpec], outputs: Sequence[OutputSpec], version: int = 1, lock_time: int = 0
    ) -> None:
        self._version = _uint32("version", version)
        self._lock_time = _uint32("lockTime", lock_time)
        self._outpoints = [natural(txid, "inputs.txid") + _uint32("inputs.vout", vout) for txid, vout, _, _ in inputs]
        self._sequences = [_uint32("inputs.sequence", spec.sequence) for spec in inputs]
        self._output_count = write_varint(len(outputs))
        self._outputs = b"".join([_serialized(output) for output in outputs])
        self._midstates: tuple[bytes, bytes, bytes] | None = None

    def signature_hash(self, vin: int, satoshis: int, locking_script: bytes) -> bytes:
        """As :func:`signature_hash` under ALL and FORKID."""
        if self._midstates is None:
            self._midstates = (
                sha256d(b"".join(self._outpoints)),
                sha256d(b"".join(self._sequences)),
                sha256d(self._outputs),
            )
        return sha256d(
            _preimage(
                self._version,
                self._midstates,
                self._outpoints[vin],
                locking_script,
                satoshis,
                self._sequences[vin],
                self._lock_time,
                SIGHASH_ALL | SIGHASH_FORKID,
            )
        )

    def unlocked(self, unlocking_scripts: Sequence[bytes]) -> bytes:
        """The raw transaction with these scripts, one per input."""
        parts = [self._version, write_varint(len(self._outpoints))]
        for outpoint, script, sequence in zip(self._outpoints, unlocking_scripts, self._sequences, strict=True):
            parts += (outpoint, write_varint(len(script)), script, sequence)
        parts += (self._output_count, self._outputs, self._lock_time)
        return b"".join(parts)


def build_transaction(
    inputs: Sequence[InputSpec], outputs: Sequence[OutputSpec], version: int = 1, lock_time: int = 0
) -> bytes:
    """Serialise a transaction; WERR_INVALID_PARAMETER names the field that is out of range."""
    return Draft(inputs, outputs, version, lock_time).unlocked([spec.unlocking_script for spec in inputs])


def _serialized(output: OutputSpec) -> bytes:
    satoshis, script = output
    return _satoshis("outputs.satoshis", satoshis) + write_varint(len(script)) + script


def _satoshis(parameter: str, value: int) -> bytes:
    if not 0 <= value <= MAX_SATOSHIS:
        raise WERR_INVALID_PARAMETER(parameter, "a valid number of satoshis")
    return _UINT64.pack(value)


def _uint32(parameter: str, value: int) -> bytes:
    if not 0 <= value <= 0xFFFFFFFF:
        raise WERR_INVALID_PARAMETER(parameter, "an unsigned integer of 32 bits")
    return _UINT32.pack(value)


def signature_hash(
    tx: TransactionView, vin: int, satoshis: int, locking_script: bytes, sighash: int = SIGHASH_ALL | SIGHASH_FORKID
) -> bytes:
    """The 32 bytes that input ``vin`` signs (natural digest order): the double hash of `signature_preimage`."""
    return sha256d(signature_preimage(tx, vin, satoshis, locking_script, sighash))


def signature_preimage(
    tx: TransactionView, vin: int, satoshis: int, locking_script: bytes, sighash: int = SIGHASH_ALL | SIGHASH_FORKID
) -> bytes:
    """What input ``vin`` commits to under SIGHASH_FORKID (the BIP-143 digest with the flags in its last four bytes).

    ``satoshis`` and ``locking_script`` are those of the output it spends (from the last executed OP_CODESEPARATOR on).
    WERR_INVALID_PARAMETER for an input that is not there, an amount out of range, or flags other than ALL, NONE or
    SINGLE with FORKID and perhaps ANYONECANPAY.
    """
    base = sighash & ~(SIGHASH_FORKID | SIGHASH_ANYONECANPAY)
    if base not in (SIGHASH_ALL, SIGHASH_NONE, SIGHASH_SINGLE) or not sighash & SIGHASH_FORKID:
        raise WERR_INVALID_PARAMETER("sighash", "ALL, NONE or SINGLE with FORKID")
    if not 0 <= vin < tx.input_count:
        raise WERR_INVALID_PARAMETER("vin", f"an input index in range 0 to {tx.input_count - 1}")
    prevouts, sequences, outputs = tx.midstates()
    if base == SIGHASH_SINGLE:
        outputs = sha256d(tx.serialized_outputs[vin]) if vin < tx.output_count else _ZERO_HASH
    elif base == SIGHASH_NONE:
        outputs = _ZERO_HASH
    if sighash & SIGHASH_ANYONECANPAY:
        prevouts = _ZERO_HASH
    if base != SIGHASH_ALL or sighash & SIGHASH_ANYONECANPAY:
        sequences = _ZERO_HASH
    start, script, length = tx._input_marks[vin]
    raw = tx.raw
    sequence = raw[script + length : script + length + 4]
    outpoint = raw[start : start + 36]
    midstates = prevouts, sequences, outputs
    return _preimage(raw[:4], midstates, outpoint, locking_script, satoshis, sequence, raw[-4:], sighash)


def _preimage(
    version: bytes,
    midstates: tuple[bytes, bytes, bytes],
    outpoint: bytes,
    locking_script: bytes,
    satoshis: int,
    sequence: bytes,
    lock_time: bytes,
    sighash: int,
) -> bytes:
    prevouts, sequences, outputs = midstates
    return b"".join(
        (
            version,
            prevouts,
            sequences,
            outpoint,
            write_varint(len(locking_script)),
            locking_script,
            _satoshis("satoshis", satoshis),
            sequence,
            outputs,
            lock_time,
            _UINT32.pack(sighash),
        )
    )
