"""bsv-wallet-toolbox: a BRC-100 wallet for Python.

The public names are imported when they are first used, since the libraries below them take a while to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bsv_wallet_toolbox.errors import WalletError
    from bsv_wallet_toolbox.interfaces.events import EventKind, EventsLost, WalletEvent
    from bsv_wallet_toolbox.interfaces.keys import KeySource
    from bsv_wallet_toolbox.interfaces.services import WalletServices
    from bsv_wallet_toolbox.interfaces.statuses import Chain
    from bsv_wallet_toolbox.keys.sources import CallbackKey, EnvironmentKey, FileDescriptorKey, StaticKey
    from bsv_wallet_toolbox.mockchain import Fault, MockChain, MockServices, SqliteStore, fund_wallet
    from bsv_wallet_toolbox.monitor.options import MonitorOptions
    from bsv_wallet_toolbox.opening import OpenWallet, open_wallet
    from bsv_wallet_toolbox.seams import ManualClock, SeededEntropy
    from bsv_wallet_toolbox.transactions.tx import OutputSpec
    from bsv_wallet_toolbox.wallet.signer import SigningLimits
    from bsv_wallet_toolbox.wallet.wallet import Wallet

__all__ = [
    "CallbackKey",
    "Chain",
    "EnvironmentKey",
    "EventKind",
    "EventsLost",
    "Fault",
    "FileDescriptorKey",
    "KeySource",
    "ManualClock",
    "MockChain",
    "MockServices",
    "MonitorOptions",
    "OpenWallet",
    "OutputSpec",
    "SeededEntropy",
    "SigningLimits",
    "SqliteStore",
    "StaticKey",
    "Wallet",
    "WalletError",
    "WalletEvent",
    "WalletServices",
    "__version__",
    "fund_wallet",
    "open_wallet",
]

__version__ = "0.1.0"

_HOMES = {
    "CallbackKey": "keys.sources",
    "Chain": "interfaces.statuses",
    "EnvironmentKey": "keys.sources",
    "EventKind": "interfaces.events",
    "EventsLost": "interfaces.events",
    "Fault": "mockchain",
    "FileDescriptorKey": "keys.sources",
    "KeySource": "interfaces.keys",
    "ManualClock": "seams",
    "MockChain": "mockchain",
    "MockServices": "mockchain",
    "MonitorOptions": "monitor.options",
    "OpenWallet": "opening",
    "OutputSpec": "transactions.tx",
    "SeededEntropy": "seams",
    "SigningLimits": "wallet.signer",
    "SqliteStore": "mockchain",
    "StaticKey": "keys.sources",
    "Wallet": "wallet.wallet",
    "WalletError": "errors",
    "WalletEvent": "interfaces.events",
    "WalletServices": "interfaces.services",
    "fund_wallet": "mockchain",
    "open_wallet": "opening",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
