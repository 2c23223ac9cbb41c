"""Adapter to the SDK's script interpreter: bytes in, a verdict out, with bounds on memory and work.

Imports ``_bsv_native`` (cheap). Its interpreter is fast but allocates whatever a script asks for: ten bytes can demand
gigabytes, and its cost grows with the product of script size and operations. Scripts whose worst case is not small
run on the SDK's Python interpreter, where every step that makes data grow is checked first; only then ``bsv`` loads.

The native interpreter signs and hashes a re-encoded script, not the bytes: every push in its shortest form. Where that
would be another script than the one in the output, the answer is a refusal, never a wrong acceptance.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import _bsv_native

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.tx import TransactionView

__all__ = ["MAX_SCRIPT_BYTES", "verify_input"]

MAX_SCRIPT_BYTES = 10_000_000
"""Largest locking or unlocking script that is interpreted."""

_MAX_NATIVE_BYTES = 256_000_000
"""Bound on operations times data for the native interpreter, whose stack copies."""
_MAX_HASHED_BYTES = 2_000_000_000
"""Bound on signature checks times transaction size: each check hashes the outputs and inputs anew.

The Python interpreter also writes the script anew for each check, chunk by chunk."""
_MAX_BOUNDED_CHUNKS = 200_000
_MAX_GROWN_BYTES = 100_000_000
"""Bytes that all growing steps of a script may make together."""
_MAX_NUMBER_BYTES = 10_000
"""Operands of arithmetic that is not linear in time; the default policy of nodes."""

_MAX_VERSION = 0x7FFFFFFF
"""Nodes read the version as signed; the interpreters disagree about a negative one."""

_RETURN = 0x6A
_IF_OPCODES = frozenset({0x63, 0x64, 0x65, 0x66})
_ENDIF = 0x68
_CAT = 0x7E
_NUM2BIN = 0x80
_LSHIFTNUM = 0xB6
_ARITHMETIC = frozenset({0x95, 0x96, 0x97, 0xB6, 0xB7})
_GROWING = _ARITHMETIC | {_CAT, _NUM2BIN}
_CHECKSIG = frozenset({0xAC, 0xAD})
_CHECKMULTISIG = frozenset({0xAE, 0xAF})
_TOO_COSTLY = "evaluating it would exceed the limits of this verifier"
_CUT_OFF = "a push runs past the end of the script"
_NOT_MINIMAL = "it checks signatures and has a push that is not minimally encoded, which this verifier cannot hash"

_Chunk = tuple[int, bytes | None]
_OPCODES: list[_Chunk] = [(opcode, None) for opcode in range(256)]


class _Script(NamedTuple):
    chunks: list[_Chunk]
    is_cut_off: bool
    is_growing: bool
    is_minimal: bool
    signature_checks: int


def verify_input(tx: TransactionView, vin: int, source_satoshis: int, source_script: bytes) -> str | None:
    """None when input ``vin`` unlocks ``source_script`` (an output of ``source_satoshis``), else a short reason.

    WERR_INVALID_PARAMETER for an input that is not there. The rules are those of the SDK's interpreter after the
    Chronicle upgrade: relaxed for transactions of version 2 and up.
    """
    if not 0 <= vin < tx.input_count:
        raise WERR_INVALID_PARAMETER("vin", f"an input index in range 0 to {tx.input_count - 1}")
    if tx.version > _MAX_VERSION:
        return "the version of the transaction is negative, which this verifier does not judge"
    unlocking_script = tx.inputs[vin].unlocking_script
    if len(unlocking_script) > MAX_SCRIPT_BYTES or len(source_script) > MAX_SCRIPT_BYTES:
        return f"a script is larger than {MAX_SCRIPT_BYTES} bytes"
    unlock = _read_script(unlocking_script)
    lock = _read_script(source_script)
    if unlock.is_cut_off or lock.is_cut_off:
        return _CUT_OFF
    checks = unlock.signature_checks + lock.signature_checks
    if checks and not (unlock.is_minimal and lock.is_minimal):
        return _NOT_MINIMAL
    if checks * len(tx.raw) > _MAX_HASHED_BYTES:
        return _TOO_COSTLY
    count = len(unlock.chunks) + len(lock.chunks)
    work = count * (len(unlocking_script) + len(source_script))
    grows = unlock.is_growing or lock.is_growing
    try:
        if not grows and 3 * work <= _MAX_NATIVE_BYTES:
            _run_native(tx, vin, source_satoshis, unlock, lock)
        elif count <= _MAX_BOUNDED_CHUNKS and checks * work <= _MAX_HASHED_BYTES:
            _run_bounded(tx, vin, source_satoshis, unlock, lock)
        else:
            return _TOO_COSTLY
    except RuntimeError as error:
        return _reason(error)
    return None


def _reason(error: RuntimeError) -> str:
    """First line of the interpreter's report, which repeats its own prefix at times."""
    line = str(error).split("\n", 1)[0]
    while line.startswith("Script evaluation error: "):
        line = line[len("Script evaluation error: ") :]
    return line or "the script failed"


def _read_script(script: bytes) -> _Script:
    """Chunks as the interpreter takes them, and what decides how it may run.

    What follows an OP_RETURN outside of conditionals is never run and may be anything, also a push that is cut off.
    """
    chunks: list[_Chunk] = _bsv_native.parse_script_chunks(script)
    is_cut_off = _bsv_native.serialize_script_chunks(chunks) != script
    growing = minimal_broken = multisig = False
    depth = signatures = pos = 0
    for index, (opcode, data) in enumerate(chunks):
        pos += _size(opcode, data)
        if data is not None:
            minimal_broken = minimal_broken or not _is_minimal(opcode, data)
            continue
        if opcode == _RETURN and depth == 0:
            chunks = chunks[: index + 1] + _inert(chunks[index + 1 :], script, pos)
            is_cut_off = False
            break
        if opcode in _IF_OPCODES:
            depth += 1
        elif opcode == _ENDIF:
            depth = max(0, depth - 1)
        elif opcode in _GROWING:
            growing = True
        elif opcode in _CHECKSIG:
            signatures += 1
        elif opcode in _CHECKMULTISIG:
            multisig = True
    if multisig:
        signatures += len(chunks)
    return _Script(chunks, is_cut_off, growing, not minimal_broken, signatures)


def _size(opcode: int, data: bytes | None) -> int:
    """Bytes that a chunk takes in its script."""
    if data is None:
        return 1
    return 1 + len(data) + (0 if opcode < 0x4C else 1 << (opcode - 0x4C))


def _inert(chunks: list[_Chunk], script: bytes, pos: int) -> list[_Chunk]:
    """Chunks that are never run, from ``pos`` on, in a form that is hashed as the bytes that stand there.

    A push that would be rewritten is passed byte by byte, as opcodes; so is what the end of the script cuts off.
    """
    inert: list[_Chunk] = []
    for opcode, data in chunks:
        end = pos + _size(opcode, data)
        if data is None or _is_minimal(opcode, data):
            inert.append((opcode, data))
        else:
            inert += [_OPCODES[byte] for byte in script[pos:end]]
        pos = end
    return inert + [_OPCODES[byte] for byte in script[pos:]]


def _is_minimal(opcode: int, data: bytes) -> bool:
    """True when the push is the form that the interpreter writes when it serialises a script."""
    size = len(data)
    if size == 0:
        return opcode == 0
    if size == 1 and (1 <= data[0] <= 16 or data[0] == 0x81):
        return False
    return opcode == (size if size < 0x4C else 0x4C if size <= 0xFF else 0x4D if size <= 0xFFFF else 0x4E)


@lru_cache(maxsize=4)
def _native_inputs(tx: TransactionView) -> list[tuple[str, int, bytes, int, int, int]]:
    """As the interpreter takes the inputs beside the one it runs; made once for all inputs of a transaction."""
    return [(each.txid, each.vout, b"", 0, each.sequence, 0x41) for each in tx.inputs]


def _run_native(tx: TransactionView, vin: int, satoshis: int, unlock: _Script, lock: _Script) -> None:
    """RuntimeError with a report when the scripts fail."""
    inputs = tx.inputs
    spent = inputs[vin]
    all_inputs = _native_inputs(tx)
    others = all_inputs[:vin] + all_inputs[vin + 1 :]
    _bsv_native.spend_validate(
        unlock.chunks,
        lock.chunks,
        tx.version,
        spent.txid,
        spent.vout if spent.vout <= 0x7FFFFFFF else spent.vout - 0x100000000,  # taken as a signed integer
        tx.lock_time,
        vin,
        spent.sequence,
        satoshis,
        others,
        list(tx.serialized_outputs),
    )


def _run_bounded(tx: TransactionView, vin: int, satoshis: int, unlock: _Script, lock: _Script) -> None:
    """RuntimeError with a report when the scripts fail or ask for too much.

    The SDK's Python interpreter lets other errors escape for some malformed operands; to a script they are failures.
    """
    # Loaded here because it costs half a second and few wallets ever meet such a script.
    from bsv.script.script import Script, ScriptChunk
    from bsv.script.spend import Spend
    from bsv.transaction_input import TransactionInput
    from bsv.transaction_output import TransactionOutput

    def script_of(parsed: _Script) -> Any:
        script = Script()
        script.chunks = [ScriptChunk(bytes((opcode,)), data) for opcode, data in parsed.chunks]
        return script

    inputs = tx.inputs
    spend = Spend(
        {
            "sourceTXID": inputs[vin].txid,
            "sourceOutputIndex": inputs[vin].vout,
            "sourceSatoshis": satoshis,
            "lockingScript": script_of(lock),
            "transactionVersion": tx.version,
            "otherInputs": [
                TransactionInput(source_txid=i.txid, source_output_index=i.vout, sequence=i.sequence)
                for index, i in enumerate(inputs)
                if index != vin
            ],
            "outputs": [TransactionOutput(Script(o.locking_script), o.satoshis) for o in tx.outputs],
            "inputIndex": vin,
            "unlockingScript": script_of(unlock),
            "inputSequence": inputs[vin].sequence,
            "lockTime": tx.lock_time,
        }
    )
    step = spend.step
    grown = 0

    def checked_step() -> None:
        nonlocal grown
        grown += _growth(spend, unlock.chunks, lock.chunks)
        if grown > _MAX_GROWN_BYTES:
            raise RuntimeError(_TOO_COSTLY)
        step()

    spend.step = checked_step
    try:
        spend._validate_python()
    except (ValueError, IndexError, OverflowError) as error:
        raise RuntimeError(f"an operand is malformed ({error})") from error


def _growth(spend: Any, unlock: list[_Chunk], lock: list[_Chunk]) -> int:
    """Bytes that the next step would make, 0 for one that cannot grow data; RuntimeError for an oversized operand."""
    at, chunks = spend.program_counter, lock if spend.context == "LockingScript" else unlock
    if at >= len(chunks):
        at, chunks = 0, lock
    if at >= len(chunks):
        return 0
    opcode, stack = chunks[at][0], spend.stack
    if opcode not in _GROWING or len(stack) < 2:
        return 0
    top, below = len(stack[-1]), len(stack[-2])
    if opcode == _CAT:
        return top + below
    if top > _MAX_NUMBER_BYTES or (opcode in _ARITHMETIC and below > _MAX_NUMBER_BYTES):
        raise RuntimeError(_TOO_COSTLY)
    if opcode not in (_NUM2BIN, _LSHIFTNUM):
        return top + below
    size = max(0, int(spend.bin2num_unchecked(stack[-1])))
    return size if opcode == _NUM2BIN else below + size // 8
