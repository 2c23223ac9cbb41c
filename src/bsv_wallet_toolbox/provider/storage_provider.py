"""StorageProvider: one store, opened; users and the monitor work through it.

A store serves any number of users. What belongs to one user goes through :meth:`StorageProvider.for_user`, what belongs
to the network (reqs, proofs, reorganisations) through the methods here, which the monitor calls.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import anyio

from bsv_wallet_toolbox.database.errors import DatabaseBusy, DatabaseMissing, DatabaseUnavailable
from bsv_wallet_toolbox.database.migrations import migrate
from bsv_wallet_toolbox.database.sqlite import SqliteEngine, read_file
from bsv_wallet_toolbox.database.transaction import Engine, Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_NETWORK_CHAIN
from bsv_wallet_toolbox.interfaces.services import WalletServices
from bsv_wallet_toolbox.provider.broadcast import Broadcaster
from bsv_wallet_toolbox.provider.event_hub import EventHub
from bsv_wallet_toolbox.provider.owned_tasks import OwnedTasks
from bsv_wallet_toolbox.provider.user_storage import DrawSource, UserStorage
from bsv_wallet_toolbox.seams import Clock, Entropy, SystemClock, SystemEntropy
from bsv_wallet_toolbox.storage.ancestry import AncestryCache
from bsv_wallet_toolbox.storage.coins import CoinCounts
from bsv_wallet_toolbox.storage.create_action import ActionPolicy, Commission
from bsv_wallet_toolbox.storage.migrations import MIGRATIONS
from bsv_wallet_toolbox.storage.migrations.origin import refuse_strangers
from bsv_wallet_toolbox.storage.users import (
    StoreSettings,
    UserScope,
    count_users,
    create_settings,
    find_or_insert_user,
    find_user,
    read_settings,
    reserve_derivations,
)
from bsv_wallet_toolbox.transactions.fee import FeeModel

__all__ = ["NewStore", "StorageProvider"]


@dataclass(frozen=True, slots=True)
class NewStore:
    """What a store is made with: a public key of its own (66 hex characters) and a name for people."""

    storage_identity_key: str
    storage_name: str


class StorageProvider:
    """Make it with :meth:`open`, leave it with :meth:`close` or ``async with``."""

    def __init__(
        self,
        engine: Engine,
        settings: StoreSettings,
        services: WalletServices,
        fee_model: FeeModel,
        clock: Clock,
        entropy: Entropy,
        commission: Commission | None = None,
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.services = services
        self.clock = clock
        self.cache = AncestryCache()
        self.counts = CoinCounts()
        self.tasks = OwnedTasks()
        self.events = EventHub(engine)
        self.owner = entropy.bytes(8).hex()
        """Who holds the claims and leases of this process."""
        self.broadcaster = Broadcaster(engine, services, self.cache)
        self.policy = ActionPolicy(fee_model, settings.max_output_script, commission=commission)
        self.entropy = entropy
        self._wake: Callable[[], None] | None = None
        self._wake_review: Callable[[], None] | None = None

    @classmethod
    async def open(
        cls,
        path: str | os.PathLike[str],
        services: WalletServices,
        *,
        fee_model: FeeModel,
        new: NewStore | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        commission: Commission | None = None,
        vfs: str | None = None,
    ) -> Self:
        """Open a SQLite file (or ":memory:") and bring its schema up to date.

        Only with ``new`` is a file made that was not there. ``commission`` is what the operator of the store charges
        for every action. ``vfs`` names the file system layer that SQLite writes through, by default its own; tests
        break the disk there. Raises WERR_NETWORK_CHAIN for a file of another chain,
        WERR_INVALID_OPERATION for one that is no wallet, and what the database raises.
        """
        clock = clock or SystemClock()
        await _refuse_strange_file(path, create=new is not None)
        engine = SqliteEngine.open(path, clock=clock, create=new is not None, vfs=vfs)
        try:
            settings = await cls._prepare(engine, services, new)
            return cls(engine, settings, services, fee_model, clock, entropy or SystemEntropy(), commission)
        except BaseException:
            await engine.close()
            raise

    @staticmethod
    async def _prepare(engine: Engine, services: WalletServices, new: NewStore | None) -> StoreSettings:
        await engine.read(lambda tx: refuse_strangers(tx, create=new is not None))
        await migrate(engine, MIGRATIONS)
        if new is None:
            settings = await engine.read(read_settings)
            if settings is None:
                raise WERR_INVALID_OPERATION("The file holds no wallet: it has no settings.")
        else:
            settings = await engine.write(
                lambda tx: create_settings(tx, new.storage_identity_key, new.storage_name, services.chain)
            )
        if settings.chain is not services.chain:
            raise WERR_NETWORK_CHAIN(f"The file is of chain {settings.chain}, the services are of {services.chain}.")
        return settings

    async def find_or_insert_user(self, identity_key: str) -> UserScope:
        """The user with this identity key (66 hex characters), made with a default basket when new."""
        return await self.engine.write(lambda tx: find_or_insert_user(tx, identity_key, self.settings))

    async def find_or_insert_first_user(self, identity_key: str) -> UserScope:
        """As :meth:`find_or_insert_user` in a store that has no user yet; as :meth:`find_user` in any other."""

        def operation(tx: Transaction) -> UserScope:
            if count_users(tx) == 0:
                return find_or_insert_user(tx, identity_key, self.settings)
            return find_user(tx, identity_key)

        return await self.engine.write(operation)

    async def find_user(self, identity_key: str) -> UserScope:
        """The user with this identity key; WERR_UNAUTHORIZED when there is none."""
        return await self.engine.read(lambda tx: find_user(tx, identity_key))

    async def reserve_derivations(self, scope: UserScope, count: int) -> int:
        """First of ``count`` derivation counters that are durably this caller's."""
        return await self.engine.write(lambda tx: reserve_derivations(tx, scope, count))

    def for_user(self, scope: UserScope, draws: DrawSource | Entropy | None = None) -> UserStorage:
        """What one user may do; references and derivations come from ``draws``, by default the store's entropy."""
        return UserStorage(self, scope, self.entropy if draws is None else draws)

    def when_work_arrives(self, wake: Callable[[], None] | None) -> None:
        """Register who is to be told that a transaction waits to be sent."""
        self._wake = wake

    def work_arrived(self) -> None:
        if self._wake is not None:
            self._wake()

    def when_review_is_wanted(self, wake: Callable[[], None] | None) -> None:
        """Register who is to be told that somebody wants failed actions to be looked at again."""
        self._wake_review = wake

    def review_wanted(self) -> None:
        if self._wake_review is not None:
            self._wake_review()

    async def close(self) -> None:
        """Let every write in flight finish, then release the file. Calling it again does nothing.

        A cancelled scope does not cut it short: an engine left open would keep the process alive.
        """
        with anyio.CancelScope(shield=True):
            try:
                await self.tasks.finish()
            finally:
                await self.engine.close()
                self.events.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _refuse_strange_file(path: str | os.PathLike[str], *, create: bool) -> None:
    """Look at a file before the engine does, which gives it a log and another mode."""
    # Busy: a process that opens it at the same moment; the engine waits for it and the question is asked again then.
    # Unavailable: a file whose making was cut short has to be written before it can be read; the engine does that, or
    # says why it can't.
    with suppress(DatabaseBusy, DatabaseMissing, DatabaseUnavailable):
        await asyncio.to_thread(read_file, path, lambda tx: refuse_strangers(tx, create=create))
