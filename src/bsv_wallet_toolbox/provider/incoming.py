"""A transaction from outside, verified before any storage sees it: bounds, proofs, scripts, amounts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from anyio import to_thread

from bsv_wallet_toolbox.errors import WERR_INVALID_MERKLE_ROOT, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.proofs import Incoming
from bsv_wallet_toolbox.interfaces.services import ChainTracker
from bsv_wallet_toolbox.provider.proof_check import check_proof
from bsv_wallet_toolbox.provider.script_process import VerificationUnfinished, verify_in_process
from bsv_wallet_toolbox.storage.ancestry import MAX_UNPROVEN_BYTES
from bsv_wallet_toolbox.templates.p2pkh import is_p2pkh
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.spv import needed_roots, verify_beef

__all__ = ["broken_rule", "is_cheap", "verify_incoming", "verify_with_roots"]

_log = logging.getLogger("bsv_wallet_toolbox.provider")

INLINE_BYTES = 256 * 1024
INLINE_CHECKS = 50
"""Beyond either, the scripts run in a process of their own: this one has callers to serve."""

MAX_ROOTS = 500
"""Distinct blocks that the proofs of one payment may lead to: each is a question to the headers."""

_KEY_PUSH = 34
"""Bytes of the push of a compressed public key."""
_MOST_PUSHED = 75
"""Bytes that one opcode pushes without a length behind it."""
_SIGNATURE_OPCODES = (b"\xac", b"\xad", b"\xae", b"\xaf")


async def verify_incoming(raw: bytes, tracker: ChainTracker, parameter: str = "tx") -> Incoming:
    """Parse and verify an AtomicBEEF (BRC-95).

    Raises WERR_INVALID_PARAMETER naming ``parameter`` for whatever is wrong with it, WERR_INVALID_MERKLE_ROOT for a
    proof that our headers contradict, WERR_BROADCAST_UNAVAILABLE when the headers can't be asked.
    """
    if len(raw) <= INLINE_BYTES:
        beef = Beef.parse(raw, parameter)
    else:
        beef = await to_thread.run_sync(Beef.parse, raw, parameter)
    if not len(beef):
        raise WERR_INVALID_PARAMETER(parameter, "valid with at least one transaction to internalize an output from")
    txid = beef.subject
    if txid is None:
        raise WERR_INVALID_PARAMETER(parameter, "valid AtomicBEEF")
    view = beef.view(txid)
    if view is None:
        raise WERR_INVALID_PARAMETER(parameter, f"valid AtomicBEEF with newest txid of {txid}")
    roots = needed_roots(beef, txid)
    if len(roots) > MAX_ROOTS:
        raise WERR_INVALID_PARAMETER(parameter, f"a BEEF whose proofs lead to at most {MAX_ROOTS} blocks")
    valid = {(root, height) for root, height in roots if await tracker.is_valid_root_for_height(root, height)}
    await verify_with_roots(beef, [txid], frozenset(valid), parameter)
    path = beef.merkle_path(txid)
    if path is None:
        beef.prune([txid])
        if len(raw) > MAX_UNPROVEN_BYTES and len(beef.to_bytes()) > MAX_UNPROVEN_BYTES:
            must_be = f"mined, or at most {MAX_UNPROVEN_BYTES} bytes with its ancestry"
            raise WERR_INVALID_PARAMETER(parameter, must_be)
        return Incoming(view, beef, None)
    proof = await check_proof(tracker, txid, view.raw, path)
    if proof is None:
        raise WERR_INVALID_MERKLE_ROOT("", path.block_height, path.root, txid)
    return Incoming(view, beef, proof)


async def broken_rule(beef: Beef, txid: str) -> str | None:
    """What our own check holds against a transaction; the proofs of its ancestors are not in question here.

    None when nothing, and also when the check came to no end: an outage of our own is not a broken rule either.
    """
    try:
        await verify_with_roots(beef, [txid], None, "tx")
    except VerificationUnfinished:
        return None
    except (WERR_INVALID_PARAMETER, WERR_INVALID_MERKLE_ROOT) as error:
        return error.message
    except Exception:  # noqa: BLE001  # whatever else it is, it is about this machine
        _log.exception("%s could not be checked here", txid)
    return None


async def verify_with_roots(
    beef: Beef,
    txids: Collection[str],
    valid: frozenset[tuple[str, int]] | None,
    parameter: str,
    *,
    allow_txid_only: bool = False,
) -> None:
    """SPV verification, in this process when it is cheap. ``valid``: roots that our headers have, None for all."""
    if is_cheap(beef, txids):
        verify_beef(beef, txids, _membership(valid), allow_txid_only=allow_txid_only, parameter=parameter)
        return
    await verify_in_process(beef.to_bytes(), txids, valid, parameter, allow_txid_only=allow_txid_only)


def is_cheap(beef: Beef, txids: Collection[str]) -> bool:
    """Whether the scripts that verifying ``txids`` runs are few and small, whatever they turn out to be."""
    size = checks = 0
    for each in beef.ancestors(*txids):
        view = beef.view(each)
        if view is None or beef.merkle_path(each) is not None:
            continue
        size += len(view.raw)
        if size > INLINE_BYTES:
            return False
        for spent in view.inputs:
            source = beef.view(spent.txid)
            if source is None or spent.vout >= source.output_count:
                continue
            locking_script = source.outputs[spent.vout].locking_script
            size += len(locking_script)
            if size > INLINE_BYTES:
                return False
            checks += _most_checks(spent.unlocking_script, locking_script)
            if checks > INLINE_CHECKS:
                return False
    return True


def _most_checks(unlocking_script: bytes, locking_script: bytes) -> int:
    """At most how many signatures are checked: one where two pushes unlock P2PKH, else each byte that may ask."""
    size = len(unlocking_script) - _KEY_PUSH - 1
    if (
        is_p2pkh(locking_script)
        and 0 < size <= _MOST_PUSHED
        and (unlocking_script[0], unlocking_script[-_KEY_PUSH]) == (size, _KEY_PUSH - 1)
    ):
        return 1
    return sum(script.count(opcode) for script in (unlocking_script, locking_script) for opcode in _SIGNATURE_OPCODES)


def _membership(valid: frozenset[tuple[str, int]] | None) -> Callable[[str, int], bool]:
    return lambda root, height: valid is None or (root, height) in valid
