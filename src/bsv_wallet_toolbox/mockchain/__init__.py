"""A whole network in one process: chain, miner, mempool and services, for offline development and for tests."""

from __future__ import annotations

from bsv_wallet_toolbox.mockchain.chain import FundResult, MockChain
from bsv_wallet_toolbox.mockchain.consensus import Acceptance
from bsv_wallet_toolbox.mockchain.faults import Fault, Faults
from bsv_wallet_toolbox.mockchain.funding import fund_wallet
from bsv_wallet_toolbox.mockchain.miner import Reorganisation
from bsv_wallet_toolbox.mockchain.services import MockServices
from bsv_wallet_toolbox.mockchain.sqlite_store import SqliteStore
from bsv_wallet_toolbox.mockchain.store import ChainStore, MemoryStore, StoredOutput, StoredTransaction
from bsv_wallet_toolbox.mockchain.tracker import MockChainTracker

__all__ = [
    "Acceptance",
    "ChainStore",
    "Fault",
    "Faults",
    "FundResult",
    "MemoryStore",
    "MockChain",
    "MockChainTracker",
    "MockServices",
    "Reorganisation",
    "SqliteStore",
    "StoredOutput",
    "StoredTransaction",
    "fund_wallet",
]
