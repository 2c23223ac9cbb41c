"""A proof from a provider, believed only after it was checked against our own headers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.interfaces.proofs import Proof
from bsv_wallet_toolbox.interfaces.services import ChainTracker, WalletServices
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath

__all__ = ["ProofSearch", "SearchOutcome", "check_proof", "find_proof"]


class SearchOutcome(StrEnum):
    FOUND = "found"
    NOT_YET = "notYet"
    """The provider answered and has no proof."""
    REFUTED = "refuted"
    """A proof came that our headers contradict."""
    UNKNOWN = "unknown"
    """Nobody could tell: the provider or the headers were unavailable."""


@dataclass(frozen=True, slots=True)
class ProofSearch:
    outcome: SearchOutcome
    provider: str
    proof: Proof | None = None
    detail: str = ""


async def check_proof(tracker: ChainTracker, txid: str, raw_tx: bytes, path: MerklePath) -> Proof | None:
    """The proof with our header at its height, None when the path does not compute that header's root."""
    if not path.contains(txid):
        return None
    header = await tracker.find_header_for_height(path.block_height)
    if header is None or header.merkle_root != path.compute_root(txid):
        return None
    return Proof(txid, raw_tx, path, header)


async def find_proof(services: WalletServices, txid: str, raw_tx: bytes) -> ProofSearch:
    """Ask for a Merkle path and check it. Raises nothing: whatever goes wrong outside is UNKNOWN."""
    try:
        answer = await services.get_merkle_path(txid)
    except Exception as error:  # noqa: BLE001  # whatever a service raises, it has not answered
        return ProofSearch(SearchOutcome.UNKNOWN, "services", detail=type(error).__name__)
    if answer.error is not None:
        return ProofSearch(SearchOutcome.UNKNOWN, answer.provider, detail=answer.error)
    if answer.merkle_path is None:
        return ProofSearch(SearchOutcome.NOT_YET, answer.provider)
    try:
        proof = await check_proof(services.get_chain_tracker(), txid, raw_tx, answer.merkle_path)
    except WalletError as error:
        return ProofSearch(SearchOutcome.UNKNOWN, answer.provider, detail=error.message)
    if proof is None:
        return ProofSearch(SearchOutcome.REFUTED, answer.provider, detail="the path does not lead to our header")
    return ProofSearch(SearchOutcome.FOUND, answer.provider, proof)
