"""Payments that reach a wallet from outside: from the funder, mined or not, as internalizeAction arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.templates import brc29, p2pkh
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
    signature_hash,
)
from wallet_world import FUNDER, World, remittance

PREFIX, SUFFIX = "cHJlZml4", "c3VmZml4"
PURSE_KEY = bytes(31) + b"\x07"
PURSE_PUBLIC_KEY = bytes.fromhex(KeyDeriver(PURSE_KEY).identity_key)


def payment_entry(vout: int = 0, suffix: str = SUFFIX) -> dict[str, Any]:
    return {
        "outputIndex": vout,
        "protocol": "wallet payment",
        "paymentRemittance": remittance(FUNDER, PREFIX, suffix),
    }


def insertion_entry(vout: int = 0, basket: str = "mine", **more: Any) -> dict[str, Any]:
    return {
        "outputIndex": vout,
        "protocol": "basket insertion",
        "insertionRemittance": {"basket": basket, **more},
    }


def internalize_args(tx: bytes, *entries: dict[str, Any], description: str = "from outside") -> dict[str, Any]:
    return {"tx": tx, "description": description, "outputs": list(entries or (payment_entry(),))}


def mined_payment(world: World, wallet: OpenWallet, satoshis: int) -> bytes:
    """AtomicBEEF of a proven transaction whose output 0 pays the wallet."""
    return world.services.fund(brc29.lock_to(FUNDER, wallet.identity_key, PREFIX, SUFFIX), satoshis).beef


@dataclass(frozen=True)
class Unmined:
    """A signed transaction over one proven parent that nobody has sent anywhere."""

    view: TransactionView
    beef: bytes


def unmined_payment(world: World, wallet: OpenWallet, satoshis: int, purse: int = 50_000) -> Unmined:
    """Output 0 pays the wallet, output 1 gives the rest back to the payer."""
    lock = brc29.lock_to(FUNDER, wallet.identity_key, PREFIX, SUFFIX)
    return spend_purse(world, [OutputSpec(satoshis, lock)], purse)


def spend_purse(world: World, outputs: list[OutputSpec], purse: int = 50_000) -> Unmined:
    """Pay ``outputs`` from a fresh proven coin of the payer's, with 10 satoshis of fee."""
    own_lock = p2pkh.lock_to_public_key(PURSE_PUBLIC_KEY)
    source = world.services.fund(own_lock, purse)
    rest = purse - 10 - sum(output.satoshis for output in outputs)
    outputs = [*outputs, OutputSpec(rest, own_lock)]
    unsigned = parse_transaction(build_transaction([InputSpec(source.txid, source.vout)], outputs))
    digest = signature_hash(unsigned, 0, purse, own_lock)
    unlock = p2pkh.unlock(digest, PURSE_KEY, PURSE_PUBLIC_KEY)
    view = parse_transaction(build_transaction([InputSpec(source.txid, source.vout, unlock)], outputs))
    beef = Beef.parse(source.beef)
    beef.merge_transaction(view)
    return Unmined(view, beef.to_atomic(view.txid))
