"""The rules of the mock chain as pure functions: what may be accepted, what may stand in a block, which coinbase.

A refusal is an :class:`Acceptance` whose code is the one that ARC answers for the same fault and whose text says what
was wrong. Fees are neither asked for nor collected; there is no halving.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bsv_wallet_toolbox.interfaces.services import PostOutcome, RejectReason
from bsv_wallet_toolbox.mockchain.store import StoredOutput
from bsv_wallet_toolbox.transactions.headers import BlockHeader
from bsv_wallet_toolbox.transactions.script_vm import verify_input
from bsv_wallet_toolbox.transactions.tx import MAX_SATOSHIS, InputSpec, OutputSpec, TransactionView, build_transaction

__all__ = [
    "COINBASE_MATURITY",
    "LOCK_TIME_THRESHOLD",
    "MALFORMED",
    "OP_TRUE",
    "SUBSIDY",
    "Acceptance",
    "check_form",
    "check_inputs",
    "check_lock_time",
    "check_scripts",
    "coinbase_transaction",
    "is_final",
    "is_mature",
    "median_time",
    "rejected",
]

COINBASE_MATURITY = 100
SUBSIDY = 50 * 10**8
LOCK_TIME_THRESHOLD = 500_000_000
"""Lock times below are heights, the others seconds since 1970."""

OP_TRUE = b"\x51"
NULL_TXID = "00" * 32
FINAL_SEQUENCE = 0xFFFFFFFF

BAD_SCRIPT, BAD_INPUTS, MALFORMED, BAD_OUTPUTS, CONFLICT, NOT_FINAL = 461, 462, 463, 464, 466, 476


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the chain said to one transaction; ``competing_txids`` are the accepted transactions it conflicts with."""

    txid: str
    outcome: PostOutcome
    code: int | None = None
    text: str = ""
    competing_txids: tuple[str, ...] = ()
    reason: RejectReason = RejectReason.UNSTATED
    """For ``REJECTED``; unstated also when only time is missing (maturity, lock time), so that nobody gives up."""

    @property
    def is_on_chain(self) -> bool:
        """True when the transaction is now in the mempool or in a block."""
        return self.outcome in (PostOutcome.ACCEPTED_SEEN, PostOutcome.ALREADY_KNOWN)


def rejected(txid: str, code: int, text: str, reason: RejectReason = RejectReason.RULE) -> Acceptance:
    return Acceptance(txid, PostOutcome.REJECTED, code, text, reason=reason)


def check_form(tx: TransactionView) -> Acceptance | None:
    """What the parsed transaction alone tells: total, coinbase, duplicates. None when nothing is wrong."""
    if not tx.inputs or not tx.outputs:
        return rejected(
            tx.txid, MALFORMED, "The transaction parameter must be with inputs and outputs.", RejectReason.MALFORMED
        )
    if sum(output.satoshis for output in tx.outputs) > MAX_SATOSHIS:
        return rejected(tx.txid, BAD_OUTPUTS, "The outputs parameter must be of at most 2100000000000000 satoshis.")
    if any(source.is_coinbase for source in tx.inputs):
        return rejected(tx.txid, BAD_INPUTS, "The transaction parameter must be not a coinbase.")
    if len({(source.txid, source.vout) for source in tx.inputs}) != len(tx.inputs):
        return rejected(tx.txid, BAD_INPUTS, "The inputs parameter must be without duplicates.")
    return None


def check_inputs(tx: TransactionView, sources: Sequence[StoredOutput | None], tip_height: int) -> Acceptance | None:
    """Inputs exist, are unspent, mature and pay for the outputs. A conflict outweighs an unknown input: it is final."""
    spenders = tuple(dict.fromkeys(source.spent_by for source in sources if source is not None and source.spent_by))
    missing = None
    for index, (spec, source) in enumerate(zip(tx.inputs, sources, strict=True)):
        where = f"Input {index}: {spec.txid}.{spec.vout}"
        if source is None:
            text = f"The input parameter must be reference a known UTXO. {where} not found"
            missing = missing or Acceptance(tx.txid, PostOutcome.MISSING_PARENTS, BAD_INPUTS, text)
        elif source.spent_by is not None:
            text = f"The input parameter must be not be already spent. {where} spent by {source.spent_by}"
            return Acceptance(tx.txid, PostOutcome.DOUBLE_SPEND, CONFLICT, text, spenders)
    if missing is not None:
        return missing
    known = [source for source in sources if source is not None]
    for index, source in enumerate(known):
        if not is_mature(source, tip_height):
            text = (
                f"The input parameter must be not spend immature coinbase. Input {index}: coinbase at height "
                f"{source.height}, current height {tip_height}, need {COINBASE_MATURITY} confirmations"
            )
            return rejected(tx.txid, BAD_INPUTS, text, RejectReason.UNSTATED)
    paid, spent = sum(source.satoshis for source in known), sum(output.satoshis for output in tx.outputs)
    if spent > paid:
        text = f"The outputs parameter must be covered by the inputs. {spent} satoshis out of {paid}"
        return rejected(tx.txid, BAD_OUTPUTS, text)
    return None


def is_mature(source: StoredOutput, height: int) -> bool:
    """A coinbase output may be spent when ``height`` is 100 above its own."""
    return not source.is_coinbase or (source.height is not None and height - source.height >= COINBASE_MATURITY)


def is_final(tx: TransactionView, height: int, median_time_past: int) -> bool:
    """May the transaction stand in the block at ``height`` whose predecessors have this median time (seconds)?"""
    if tx.is_final_by_sequence:
        return True
    return tx.lock_time < (height if tx.lock_time < LOCK_TIME_THRESHOLD else median_time_past)


def check_lock_time(tx: TransactionView, next_height: int, median_time_past: int) -> Acceptance | None:
    if is_final(tx, next_height, median_time_past):
        return None
    text = (
        f"The transaction parameter must be final. Lock time {tx.lock_time}, next height {next_height}, "
        f"median time past {median_time_past}"
    )
    return rejected(tx.txid, NOT_FINAL, text, RejectReason.UNSTATED)


def check_scripts(tx: TransactionView, sources: Sequence[StoredOutput]) -> Acceptance | None:
    for index, source in enumerate(sources):
        reason = verify_input(tx, index, source.satoshis, source.locking_script)
        if reason is not None:
            text = f"The transaction parameter must be pass script validation: input {index}: {reason}"
            return rejected(tx.txid, BAD_SCRIPT, text)
    return None


def median_time(headers: Sequence[BlockHeader]) -> int:
    """Median of the times of the last eleven headers (seconds), 0 when there is none."""
    times = sorted(header.time for header in headers[-11:])
    return times[len(times) // 2] if times else 0


def coinbase_transaction(height: int) -> bytes:
    """The coinbase of a height, always the same: it pushes the height and pays 50 BSV to OP_TRUE."""
    number = height.to_bytes(max(1, height.bit_length() // 8 + 1), "little")
    source = InputSpec(NULL_TXID, 0xFFFFFFFF, bytes([len(number)]) + number, FINAL_SEQUENCE)
    return build_transaction([source], [OutputSpec(SUBSIDY, OP_TRUE)])
