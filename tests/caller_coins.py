"""Coins of the caller, not of the wallet: what createAction is given as inputs, and the scripts that unlock them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.templates import p2pkh
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
    signature_hash,
)
from wallet_world import World

CALLER_KEY = bytes(31) + b"\x09"
CALLER_PUBLIC_KEY = bytes.fromhex(KeyDeriver(CALLER_KEY).identity_key)
CALLER_LOCK = p2pkh.lock_to_public_key(CALLER_PUBLIC_KEY)
UNLOCKING_LENGTH = 108
ALL = 0x41
ANYONE_CAN_PAY = 0x80
SINGLE = 0x43


@dataclass(frozen=True)
class Coin:
    """A mined output; ``beef`` proves its transaction."""

    txid: str
    vout: int
    satoshis: int
    beef: bytes
    lock: bytes = CALLER_LOCK

    @property
    def outpoint(self) -> str:
        return f"{self.txid}.{self.vout}"

    def input(self, **more: Any) -> dict[str, Any]:
        """An entry of createAction's inputs; without a script its length is that of a signature."""
        if "unlockingScript" not in more:
            more.setdefault("unlockingScriptLength", UNLOCKING_LENGTH)
        return {"outpoint": self.outpoint, "inputDescription": "a coin of the caller", **more}

    def unlock(self, view: TransactionView, vin: int = 0, scope: int = ALL) -> bytes:
        """The script with which the caller's key signs input ``vin`` of a transaction."""
        digest = signature_hash(view, vin, self.satoshis, self.lock, scope)
        return p2pkh.unlock(digest, CALLER_KEY, CALLER_PUBLIC_KEY, scope)


def caller_coin(world: World, satoshis: int, lock: bytes = CALLER_LOCK) -> Coin:
    funded = world.services.fund(lock, satoshis)
    return Coin(funded.txid, funded.vout, satoshis, funded.beef, lock)


def spending(*coins: Coin, outputs: list[dict[str, Any]] | None = None, **extra: Any) -> dict[str, Any]:
    """createAction arguments with these coins as inputs, in two steps unless their entries are replaced."""
    beef = Beef.parse(coins[0].beef)
    for coin in coins[1:]:
        beef.merge(Beef.parse(coin.beef))
    return {
        "description": "spends coins of the caller",
        "inputBEEF": beef.to_bytes(),
        "inputs": [coin.input() for coin in coins],
        "outputs": outputs or [],
        **extra,
    }


def output(script: str, satoshis: int, **more: Any) -> dict[str, Any]:
    return {"lockingScript": script, "satoshis": satoshis, "outputDescription": "an output", **more}


def unsigned_of(signable: dict[str, Any]) -> TransactionView:
    """The transaction of a signableTransaction."""
    beef = Beef.parse(signable["tx"])
    assert beef.subject is not None
    view = beef.view(beef.subject)
    assert view is not None
    return view


def spends_of(signable: dict[str, Any], *coins: Coin, scope: int = ALL) -> dict[int, dict[str, Any]]:
    """The caller's signatures for its coins, which are the first inputs."""
    view = unsigned_of(signable)
    return {vin: {"unlockingScript": coin.unlock(view, vin, scope).hex()} for vin, coin in enumerate(coins)}


def whole_transaction(
    coin: Coin, outputs: list[dict[str, Any]], scope: int = ALL, *, sequence: int = 0xFFFFFFFF, lock_time: int = 0
) -> dict[str, Any]:
    """createAction arguments of a transaction that the caller has signed by itself."""
    specs = [OutputSpec(each["satoshis"], bytes.fromhex(each["lockingScript"])) for each in outputs]
    raw = build_transaction([InputSpec(coin.txid, coin.vout, b"", sequence)], specs, lock_time=lock_time)
    script = coin.unlock(parse_transaction(raw), 0, scope)
    return {
        "description": "signed by the caller",
        "inputBEEF": coin.beef,
        "inputs": [coin.input(unlockingScript=script.hex(), sequenceNumber=sequence)],
        "outputs": outputs,
        "lockTime": lock_time,
    }


async def two_step(
    world: World, wallet: OpenWallet, coin: Coin | None = None, **options: Any
) -> tuple[dict[str, Any], Coin]:
    """An action that waits for the caller's signature, which pays 1000 satoshis; its signableTransaction."""
    coin = coin or caller_coin(world, 2_000)
    args = spending(coin, outputs=[output("51", 1_000)], options=options)
    created = await wallet.create_action(args)
    return created["signableTransaction"], coin
