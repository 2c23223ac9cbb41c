"""Coins for a wallet to play with: the miner of a mock chain pays it as anybody would, by BRC-29."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Protocol

from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.mockchain.services import MockServices
from bsv_wallet_toolbox.seams import Entropy, SystemEntropy
from bsv_wallet_toolbox.templates import brc29

__all__ = ["Payee", "fund_wallet"]


class Payee(Protocol):
    """Any BRC-100 wallet whose identity key is known."""

    @property
    def identity_key(self) -> str: ...

    async def internalize_action(self, args: Any, originator: str | None = None) -> Any: ...


async def fund_wallet(services: MockServices, wallet: Payee, satoshis: int, *, entropy: Entropy | None = None) -> str:
    """Pay ``wallet`` one mined output of ``satoshis`` and let it internalize the payment; the txid.

    A block is mined for it, which takes in whatever waits in the mempool.
    """
    source = entropy or SystemEntropy()
    miner = KeyDeriver(source.bytes(32))
    prefix, suffix = b64encode(source.bytes(8)).decode(), b64encode(source.bytes(8)).decode()
    funded = services.fund(brc29.lock_to(miner, wallet.identity_key, prefix, suffix), satoshis)
    remittance = {
        "derivationPrefix": prefix,
        "derivationSuffix": suffix,
        "senderIdentityKey": miner.identity_key,
    }
    await wallet.internalize_action(
        {
            "tx": funded.beef,
            "description": "funding",
            "labels": ["funding"],
            "outputs": [{"outputIndex": funded.vout, "protocol": "wallet payment", "paymentRemittance": remittance}],
        }
    )
    return funded.txid
