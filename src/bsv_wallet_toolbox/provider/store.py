"""What a user's storage needs of the store it belongs to; StorageProvider has it."""

from __future__ import annotations

from typing import Protocol

from bsv_wallet_toolbox.database.transaction import Engine
from bsv_wallet_toolbox.interfaces.services import WalletServices
from bsv_wallet_toolbox.provider.broadcast import Broadcaster
from bsv_wallet_toolbox.provider.owned_tasks import OwnedTasks
from bsv_wallet_toolbox.seams import Clock, Entropy
from bsv_wallet_toolbox.storage.ancestry import AncestryCache
from bsv_wallet_toolbox.storage.coins import CoinCounts
from bsv_wallet_toolbox.storage.create_action import ActionPolicy

__all__ = ["Store"]


class Store(Protocol):
    engine: Engine
    services: WalletServices
    clock: Clock
    entropy: Entropy
    cache: AncestryCache
    counts: CoinCounts
    tasks: OwnedTasks
    broadcaster: Broadcaster
    policy: ActionPolicy
    owner: str

    def work_arrived(self) -> None: ...

    def review_wanted(self) -> None: ...
