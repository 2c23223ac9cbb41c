"""Main net as far as a recorded block shows it: a fixed set of headers, and nobody who takes a transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bsv_wallet_toolbox.interfaces.services import PostAnswer, PostOutcome
from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.mockchain import MockChain, MockServices
from bsv_wallet_toolbox.mockchain.tracker import MockChainTracker
from bsv_wallet_toolbox.seams import ManualClock, SeededEntropy
from bsv_wallet_toolbox.transactions.headers import BlockHeader


def header_around(merkle_root: str, height: int) -> BlockHeader:
    """A header that differs from the real one in everything but its Merkle root and its height."""
    return BlockHeader.build(0x20000000, "00" * 32, merkle_root, 1_757_000_000, 0x18100000, 7, height)


class RecordedHeaders(MockChainTracker):
    """Knows the given headers, which are the whole chain to it."""

    def __init__(self, chain: MockChain, headers: Mapping[int, BlockHeader]) -> None:
        super().__init__(chain)
        self._headers = headers

    async def current_height(self) -> int:
        return max(self._headers)

    async def is_valid_root_for_height(self, root: str, height: int) -> bool:
        return height in self._headers and self._headers[height].merkle_root == root

    async def find_tip(self) -> BlockHeader | None:
        return self._headers[max(self._headers)]

    async def find_header_for_height(self, height: int) -> BlockHeader | None:
        return self._headers.get(height)


class RecordedMainNet(MockServices):
    """The services of main net with recorded headers, where the transactions of ``known`` were sent long ago."""

    def __init__(self, merkle_roots: Mapping[int, str], known: Collection[str]) -> None:
        super().__init__(MockChain(clock=ManualClock(), entropy=SeededEntropy("unused"), deterministic=True))
        headers = {height: header_around(root, height) for height, root in merkle_roots.items()}
        self._known = frozenset(known)
        self._recorded = RecordedHeaders(self.mock, headers)

    @property
    def chain(self) -> Chain:
        return Chain.MAIN

    def get_chain_tracker(self) -> RecordedHeaders:
        return self._recorded

    async def get_height(self) -> int:
        return await self._recorded.current_height()

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        return [
            PostAnswer("recorded", txid, PostOutcome.ALREADY_KNOWN if txid in self._known else PostOutcome.UNAVAILABLE)
            for txid in txids
        ]
