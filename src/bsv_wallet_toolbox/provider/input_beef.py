"""inputBEEF of createAction, verified before any storage sees it: what the caller's inputs are said to spend."""

from __future__ import annotations

from collections.abc import Sequence

from anyio import to_thread

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.services import ChainTracker
from bsv_wallet_toolbox.provider.incoming import INLINE_BYTES, MAX_ROOTS, verify_with_roots
from bsv_wallet_toolbox.storage.ancestry import MAX_UNPROVEN_BYTES
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.spv import needed_roots

__all__ = ["verify_input_beef"]

_PARAMETER = "inputBEEF"


async def verify_input_beef(raw: bytes | None, txids: Sequence[str], tracker: ChainTracker) -> Beef:
    """What of a BEEF the transactions ``txids`` rest on, verified as far as it is given in full.

    Entries by txid alone are left for the storage to vouch for. Raises WERR_INVALID_PARAMETER naming ``inputBEEF``,
    WERR_INVALID_MERKLE_ROOT for a proof that our headers contradict, WERR_BROADCAST_UNAVAILABLE when the headers can't
    be asked.
    """
    if raw is None:
        return Beef()
    if len(raw) <= INLINE_BYTES:
        beef = Beef.parse(raw, _PARAMETER)
    else:
        beef = await to_thread.run_sync(Beef.parse, raw, _PARAMETER)
    sources = [txid for txid in dict.fromkeys(txids) if txid in beef]
    beef.prune(sources)
    if len(raw) > MAX_UNPROVEN_BYTES and len(beef.to_bytes()) > MAX_UNPROVEN_BYTES:
        raise WERR_INVALID_PARAMETER(_PARAMETER, f"at most {MAX_UNPROVEN_BYTES} bytes of what the inputs rest on")
    roots = needed_roots(beef)
    if len(roots) > MAX_ROOTS:
        raise WERR_INVALID_PARAMETER(_PARAMETER, f"a BEEF whose proofs lead to at most {MAX_ROOTS} blocks")
    valid = frozenset([pair for pair in roots if await tracker.is_valid_root_for_height(*pair)])
    full = [txid for txid in sources if beef.view(txid) is not None]
    if full:
        await verify_with_roots(beef, full, valid, _PARAMETER, allow_txid_only=True)
    return beef
