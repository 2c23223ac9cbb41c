"""The ancestry of a transaction as the chain stands now: what still holds of what was stored, and what services have.

Nothing is believed on a provider's word: every root is one of our headers, every script runs.
"""

from __future__ import annotations

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.services import WalletServices
from bsv_wallet_toolbox.provider.incoming import verify_with_roots
from bsv_wallet_toolbox.provider.proof_check import find_proof
from bsv_wallet_toolbox.transactions.beef import BEEF_LIMITS, Beef
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.spv import needed_roots
from bsv_wallet_toolbox.transactions.tx import TransactionView

__all__ = ["MAX_FETCHES", "AncestrySearch"]

MAX_FETCHES = 500
"""Transactions whose BEEF is asked for to complete one ancestry."""

_PARAMETER = "inputBEEF"


class AncestrySearch:
    """For one run of a task: every root is looked up once.

    New proofs count up to the height ``settled``: a block above may leave again without our having seen it. All methods
    raise WERR_BROADCAST_UNAVAILABLE when the headers can't be asked.
    """

    def __init__(self, services: WalletServices, settled: int) -> None:
        self._services = services
        self._tracker = services.get_chain_tracker()
        self._settled = settled
        self._active: dict[tuple[str, int], bool] = {}

    async def stands(self, beef: Beef, txid: str) -> bool:
        """Whether every proof that ``txid`` rests on leads into the active chain."""
        for root, height in needed_roots(beef, txid):
            if not await self._is_active(root, height):
                return False
        return True

    def is_settled(self, beef: Beef, txid: str) -> bool:
        """Whether those proofs lie in blocks whose leaving would be noticed."""
        return all(height <= self._settled for _, height in needed_roots(beef, txid))

    async def renew(self, view: TransactionView, stored: Beef) -> bytes:
        """BEEF of ``view`` and all it rests on; proofs of ``stored`` are kept where they stand.

        A proof that does not is replaced by another of the same transaction, or by the transaction's own ancestors.
        WERR_INVALID_PARAMETER or WERR_INVALID_MERKLE_ROOT when that can't be had (now), or does not verify; and
        whatever ``get_beef_for_txid`` raises.
        """
        beef = await self._standing_part(view, stored)
        await self._complete(beef, view.txid)
        beef.prune([view.txid])
        raw = beef.to_bytes()
        if len(raw) > BEEF_LIMITS.max_bytes or len(beef) > BEEF_LIMITS.max_transactions:
            raise WERR_INVALID_PARAMETER(_PARAMETER, "within the limits of a BEEF")
        roots = needed_roots(beef, view.txid)
        active = frozenset([(root, height) for root, height in roots if await self._is_active(root, height)])
        await verify_with_roots(beef, [view.txid], active, _PARAMETER)
        return raw

    async def _standing_part(self, view: TransactionView, stored: Beef) -> Beef:
        known = stored.copy()
        known.merge_transaction(view)
        beef = Beef()
        for txid in known.ancestors(view.txid):
            each = known.view(txid)
            if each is None:
                continue
            path = known.merkle_path(txid)
            if path is not None and not await self._is_active(path.root, path.block_height):
                path = await self._new_path(each)
            beef.merge_transaction(each, path)
        return beef

    async def _new_path(self, view: TransactionView) -> MerklePath | None:
        proof = (await find_proof(self._services, view.txid, view.raw)).proof
        return proof.merkle_path if proof is not None and proof.header.height <= self._settled else None

    async def _complete(self, beef: Beef, txid: str) -> None:
        """Fetch what unproven transactions spend and is not there."""
        unproven = [view for each in beef.ancestors(txid) if (view := beef.view(each)) and not beef.merkle_path(each)]
        sources = dict.fromkeys(source for view in unproven for source in view.source_txids)
        missing = [source for source in sources if beef.view(source) is None]
        if len(missing) > MAX_FETCHES:
            raise WERR_INVALID_PARAMETER(_PARAMETER, f"complete but for {MAX_FETCHES} transactions, not {len(missing)}")
        for source in missing:
            if beef.view(source) is None:
                beef.merge(await self._fetch(source))

    async def _fetch(self, txid: str) -> Beef:
        beef = Beef.parse(await self._services.get_beef_for_txid(txid), "beef")
        beef.prune([txid])
        if not self.is_settled(beef, txid):
            raise WERR_INVALID_PARAMETER("beef", f"one that rests on blocks up to height {self._settled} only")
        return beef

    async def _is_active(self, root: str, height: int) -> bool:
        known = self._active.get((root, height))
        if known is None:
            known = await self._tracker.is_valid_root_for_height(root, height)
            self._active[root, height] = known
        return known
