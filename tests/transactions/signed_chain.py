"""A key, a proven funding transaction and properly signed spends of it, for tests of BEEF and SPV."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import _bsv_native

from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
    signature_hash,
)

KEY = b"\x11" * 32
PUBLIC_KEY: bytes = _bsv_native.pubkey_from_secret(KEY)
LOCK = b"\x76\xa9\x14" + hashlib.new("ripemd160", hashlib.sha256(PUBLIC_KEY).digest()).digest() + b"\x88\xac"
HEIGHT = 100

Outpoint = tuple[TransactionView, int]


def push(data: bytes) -> bytes:
    return bytes((len(data),)) + data


def funding(satoshis: int = 1_000_000, lock: bytes = LOCK, nonce: int = 0) -> TransactionView:
    """A coinbase-like transaction; ``nonce`` makes it another one."""
    script = b"\x04" + nonce.to_bytes(4, "little")
    return parse_transaction(
        build_transaction([InputSpec("00" * 32, 0xFFFFFFFF, script)], [OutputSpec(satoshis, lock)])
    )


def proof(tx: TransactionView, others: int = 5, height: int = HEIGHT) -> MerklePath:
    return MerklePath.build(height, [f"{n:064x}" for n in range(1, 1 + others)] + [tx.txid], [tx.txid])


def spend(
    sources: Sequence[Outpoint], amounts: Sequence[int], *, key: bytes = KEY, version: int = 1
) -> TransactionView:
    """Spend P2PKH outputs of KEY to new outputs of KEY, signed with ``key``."""
    outputs = [OutputSpec(amount, LOCK) for amount in amounts]
    unsigned = parse_transaction(
        build_transaction([InputSpec(tx.txid, vout) for tx, vout in sources], outputs, version=version)
    )
    public_key = _bsv_native.pubkey_from_secret(key)
    inputs = []
    for vin, (tx, vout) in enumerate(sources):
        output = tx.outputs[vout]
        digest = signature_hash(unsigned, vin, output.satoshis, output.locking_script)
        signature = _bsv_native.ecdsa_sign(digest, key) + b"\x41"
        inputs.append(InputSpec(tx.txid, vout, push(signature) + push(public_key)))
    return parse_transaction(build_transaction(inputs, outputs, version=version))


def chain(length: int) -> tuple[Beef, list[TransactionView]]:
    """A proven transaction and a line of unproven spends of it: ``length`` transactions in all."""
    first = funding()
    beef = Beef()
    beef.merge_transaction(first, proof(first))
    line = [first]
    for _ in range(length - 1):
        line.append(spend([(line[-1], 0)], [line[-1].outputs[0].satoshis - 1]))
        beef.merge_transaction(line[-1])
    return beef, line


def diamond(levels: int) -> tuple[Beef, TransactionView]:
    """Two outputs at every level, both spent together: the number of paths to the root doubles per level."""
    first = funding()
    beef = Beef()
    beef.merge_transaction(first, proof(first))
    tip = spend([(first, 0)], [400_000, 400_000])
    beef.merge_transaction(tip)
    for _ in range(levels):
        left = spend([(tip, 0)], [tip.outputs[0].satoshis - 1])
        right = spend([(tip, 1)], [tip.outputs[1].satoshis - 1])
        tip = spend([(left, 0), (right, 0)], [left.outputs[0].satoshis - 1, right.outputs[0].satoshis - 1])
        for tx in (left, right, tip):
            beef.merge_transaction(tx)
    return beef, tip
