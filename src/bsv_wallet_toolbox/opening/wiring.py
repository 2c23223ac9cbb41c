"""open_wallet: one call that puts key, file, network and monitor together, and takes them apart again."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bsv_wallet_toolbox.database.errors import DatabaseMissing
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_UNAUTHORIZED
from bsv_wallet_toolbox.interfaces.events import WalletEvent
from bsv_wallet_toolbox.interfaces.keys import KeySource
from bsv_wallet_toolbox.interfaces.services import WalletServices
from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.keys.derived_entropy import DerivedEntropy
from bsv_wallet_toolbox.monitor.monitor import Monitor, MonitorOptions
from bsv_wallet_toolbox.provider.derivations import DerivationReserve
from bsv_wallet_toolbox.provider.event_hub import EventStream
from bsv_wallet_toolbox.provider.storage_provider import NewStore, StorageProvider
from bsv_wallet_toolbox.provider.user_storage import DrawSource
from bsv_wallet_toolbox.seams import Clock, Entropy, SystemClock, SystemEntropy
from bsv_wallet_toolbox.storage.users import UserScope
from bsv_wallet_toolbox.transactions.fee import FeeModel
from bsv_wallet_toolbox.wallet.signer import SigningLimits
from bsv_wallet_toolbox.wallet.wallet import Wallet

__all__ = ["OpenWallet", "default_fee_rate", "open_wallet"]


class OpenWallet(Wallet):
    """A wallet with the parts it was put together from."""

    def __init__(
        self,
        deriver: KeyDeriver,
        provider: StorageProvider,
        scope: UserScope,
        draws: DrawSource | Entropy,
        monitor: Monitor,
        limits: SigningLimits | None,
    ) -> None:
        super().__init__(deriver, provider.for_user(scope, draws), provider.services, limits=limits)
        self.provider = provider
        self.monitor = monitor
        self._user_id = scope.user_id

    def events(self) -> EventStream:
        """What happens to this wallet's actions, in the order of the commits of this process (ADR-0010).

        The stream begins where its block is entered and ends when the wallet is closed. A consumer that leaves 10 000
        events unread gets EventsLost and lists the actions anew.

        >>> async def follow(wallet):
        ...     async with wallet.events() as stream:
        ...         async for event in stream:
        ...             print(event.kind, event.txid, event.detail)
        """
        return self.provider.events.stream(self._user_id)

    def on_event(self, callback: Callable[[WalletEvent], object]) -> Callable[[], None]:
        """Call ``callback`` with every event from now on, on the event loop's thread; the answer ends that.

        It must not wait. What it raises is logged and disturbs nobody. Raises WERR_INVALID_PARAMETER for a coroutine
        function, WERR_INVALID_OPERATION when the wallet is closed and on another thread than the loop's.
        """
        return self.provider.events.on_event(self._user_id, callback)


def default_fee_rate(chain: Chain) -> int:
    """Satoshis per 1000 bytes where nothing better is known."""
    return 100 if chain is Chain.MAIN else 1


@asynccontextmanager
async def open_wallet(
    path: str | os.PathLike[str],
    key: KeySource,
    services: WalletServices,
    *,
    create: bool = False,
    monitor: bool | MonitorOptions = True,
    fee_rate: int | None = None,
    limits: SigningLimits | None = None,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    derive_from_key: bool = True,
    vfs: str | None = None,
) -> AsyncIterator[OpenWallet]:
    """Open the wallet of ``key`` in a SQLite file, with the monitor running unless ``monitor`` is False.

    ``create`` makes the file when it is not there yet. ``fee_rate`` is in satoshis per 1000 bytes; by default 100 on
    main and 1 elsewhere. ``clock``, ``entropy`` and ``vfs`` (see StorageProvider.open) are seams for tests; with
    ``derive_from_key`` (the default) the names of change outputs come from the key and the file, so that the key alone
    can find the coins again.

    Leaving the block stops the monitor and waits for every write in flight.

    Raises WERR_UNAUTHORIZED when the file belongs to another key, WERR_NETWORK_CHAIN when it is of another chain,
    DatabaseMissing when there is no file and ``create`` is False.

    >>> async def pay(key, services, script):
    ...     async with open_wallet("wallet.sqlite", key, services) as wallet:
    ...         return await wallet.create_action({
    ...             "description": "rent",
    ...             "outputs": [{"lockingScript": script, "satoshis": 1000, "outputDescription": "rent"}],
    ...         })
    """
    _check_parts(key, services)
    entropy = entropy or SystemEntropy()
    limits = limits or SigningLimits()
    rate = default_fee_rate(services.chain) if fee_rate is None else fee_rate
    fee_model = FeeModel(value=rate)
    if rate > limits.max_fee_rate:
        raise WERR_INVALID_PARAMETER("fee_rate", f"at most {limits.max_fee_rate}, or limits=SigningLimits(...) higher")
    deriver_key = await key.root_key()
    deriver = KeyDeriver(deriver_key)
    new = NewStore(KeyDeriver(entropy.bytes(32)).identity_key, Path(path).name) if create else None
    async with AsyncExitStack() as stack:
        try:
            opened = await StorageProvider.open(
                path, services, fee_model=fee_model, new=new, clock=clock or SystemClock(), entropy=entropy, vfs=vfs
            )
        except DatabaseMissing:
            missing = f"There is no wallet file {os.fspath(path)}. To make a new one, pass create=True."
            raise DatabaseMissing(missing) from None
        provider = await stack.enter_async_context(opened)
        scope = await _user(provider, deriver.identity_key, create)
        draws = _derivations(provider, scope, deriver_key, entropy) if derive_from_key else entropy
        del deriver_key
        options = monitor if isinstance(monitor, MonitorOptions) else MonitorOptions.for_chain(services.chain)
        watcher = Monitor(provider, options=options)
        if monitor is not False:
            await stack.enter_async_context(watcher)
        yield OpenWallet(deriver, provider, scope, draws, watcher, limits)


def _derivations(
    provider: StorageProvider, scope: UserScope, root_key: bytes, entropy: Entropy
) -> DrawSource | Entropy:
    """References and derivations that the root key and the file's own name can find again (ADR-0005)."""
    derived = DerivedEntropy(root_key, provider.settings.storage_identity_key, 0, entropy)
    return DerivationReserve(derived, lambda count: provider.reserve_derivations(scope, count))


def _check_parts(key: KeySource, services: WalletServices) -> None:
    """Say what is wrong with what a person mixes up at first."""
    if not hasattr(key, "root_key"):
        raise WERR_INVALID_PARAMETER("key", "a KeySource, such as StaticKey(thirty_two_bytes)")
    if not hasattr(services, "get_chain_tracker"):
        raise WERR_INVALID_PARAMETER("services", "WalletServices, such as MockServices(MockChain())")


async def _user(provider: StorageProvider, identity_key: str, create: bool) -> UserScope:
    """The user of the key; made only in a file that has none, since a wrong key must not open an empty wallet."""

    try:
        return await (provider.find_or_insert_first_user if create else provider.find_user)(identity_key)
    except WERR_UNAUTHORIZED:
        raise WERR_UNAUTHORIZED(
            "This wallet file belongs to another key. Open it with the key it was made with, or make a new file."
        ) from None
