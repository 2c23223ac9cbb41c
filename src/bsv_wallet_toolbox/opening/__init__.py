"""Opening a wallet: where key, storage, network and monitor are wired together."""

from __future__ import annotations

from bsv_wallet_toolbox.opening.wiring import OpenWallet, default_fee_rate, open_wallet

__all__ = ["OpenWallet", "default_fee_rate", "open_wallet"]
