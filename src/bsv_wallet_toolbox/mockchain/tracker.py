"""The headers of the mock chain as a wallet sees them: ChainTracker and ChainEvents over a MockChain."""

from __future__ import annotations

from collections.abc import Callable

from bsv_wallet_toolbox.errors import WERR_BROADCAST_UNAVAILABLE
from bsv_wallet_toolbox.interfaces.services import HeaderListener, ReorgListener
from bsv_wallet_toolbox.mockchain.chain import MockChain
from bsv_wallet_toolbox.mockchain.faults import Faults
from bsv_wallet_toolbox.transactions.headers import BlockHeader

__all__ = ["MockChainTracker"]


class MockChainTracker:
    """Every method raises WERR_BROADCAST_UNAVAILABLE when a fault strikes it."""

    def __init__(self, chain: MockChain, faults: Faults | None = None) -> None:
        self._chain = chain
        self._faults = faults if faults is not None else Faults()

    async def current_height(self) -> int:
        self._reach("current_height")
        return self._chain.height

    async def is_valid_root_for_height(self, root: str, height: int) -> bool:
        self._reach("is_valid_root_for_height")
        header = self._chain.header_at(height)
        return header is not None and header.merkle_root == root

    async def find_tip(self) -> BlockHeader | None:
        self._reach("find_tip")
        return self._chain.tip

    async def find_header_for_height(self, height: int) -> BlockHeader | None:
        self._reach("find_header_for_height")
        return self._chain.header_at(height)

    async def find_header_for_block_hash(self, block_hash: str) -> BlockHeader | None:
        """None for a block that is not on the active chain."""
        self._reach("find_header_for_block_hash")
        return self._chain.header_of(block_hash)

    def subscribe(self, on_header: HeaderListener, on_reorg: ReorgListener) -> Callable[[], None]:
        """See MockChain.subscribe."""
        return self._chain.subscribe(on_header, on_reorg)

    def _reach(self, method: str) -> None:
        fault = self._faults.strike(method)
        if fault is not None:
            raise WERR_BROADCAST_UNAVAILABLE(f"mock chain: {fault.text}")
