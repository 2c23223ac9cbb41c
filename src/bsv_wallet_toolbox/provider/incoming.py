"""A transaction from outside, verified before any storage sees it: bounds, proofs, scripts, amounts."""

from __future__ import annotations

import anyio
import anyio.to_process

from bsv_wallet_toolbox.errors import WERR_INVALID_MERKLE_ROOT, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.proofs import Incoming
from bsv_wallet_toolbox.interfaces.services import ChainTracker
from bsv_wallet_toolbox.provider.proof_check import check_proof
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.spv import needed_roots, verify_beef

__all__ = ["verify_incoming", "verify_with_roots"]

INLINE_BYTES = 256 * 1024
INLINE_INPUTS = 50
"""Beyond either, the scripts run in a process of their own: this one has callers to serve."""

SECONDS = 60.0


async def verify_incoming(raw: bytes, tracker: ChainTracker, parameter: str = "tx") -> Incoming:
    """Parse and verify an AtomicBEEF (BRC-95).

    Raises WERR_INVALID_PARAMETER naming ``parameter`` for whatever is wrong with it, WERR_INVALID_MERKLE_ROOT for a
    proof that our headers contradict, WERR_BROADCAST_UNAVAILABLE when the headers can't be asked.
    """
    beef = Beef.parse(raw, parameter)
    if not len(beef):
        raise WERR_INVALID_PARAMETER(parameter, "valid with at least one transaction to internalize an output from")
    txid = beef.subject
    if txid is None:
        raise WERR_INVALID_PARAMETER(parameter, "valid AtomicBEEF")
    view = beef.view(txid)
    if view is None:
        raise WERR_INVALID_PARAMETER(parameter, f"valid AtomicBEEF with newest txid of {txid}")
    valid: set[tuple[str, int]] = set()
    for root, height in needed_roots(beef, txid):
        if await tracker.is_valid_root_for_height(root, height):
            valid.add((root, height))
    await verify_with_roots(raw, beef, txid, frozenset(valid), parameter)
    path = beef.merkle_path(txid)
    if path is None:
        beef.prune([txid])
        return Incoming(view, beef, None)
    proof = await check_proof(tracker, txid, view.raw, path)
    if proof is None:
        raise WERR_INVALID_MERKLE_ROOT("", path.block_height, path.root, txid)
    return Incoming(view, beef, proof)


async def verify_with_roots(
    raw: bytes, beef: Beef, txid: str, valid: frozenset[tuple[str, int]], parameter: str
) -> None:
    """``verify_beef`` with the Merkle roots (root, height) in ``valid``; ``raw`` is what ``beef`` was parsed from.

    A large one is verified in another process. Errors as of ``verify_beef``, WERR_INVALID_PARAMETER also after a
    minute.
    """
    unproven = [view for each in beef.ancestors(txid) if (view := beef.view(each)) and not beef.merkle_path(each)]
    if len(raw) <= INLINE_BYTES and sum(view.input_count for view in unproven) <= INLINE_INPUTS:
        verify_beef(beef, txid, lambda root, height: (root, height) in valid, parameter=parameter)
        return
    try:
        with anyio.fail_after(SECONDS):
            await anyio.to_process.run_sync(_verify_bytes, raw, txid, valid, parameter, cancellable=True)
    except TimeoutError:
        raise WERR_INVALID_PARAMETER(parameter, f"a BEEF that is verified within {SECONDS:.0f} seconds") from None


def _verify_bytes(raw: bytes, txid: str, valid: frozenset[tuple[str, int]], parameter: str) -> None:
    verify_beef(Beef.parse(raw, parameter), txid, lambda root, height: (root, height) in valid, parameter=parameter)
