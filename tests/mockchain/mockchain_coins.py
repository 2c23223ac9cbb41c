"""Coins for the tests of the mock chain: scripts that anyone can unlock, one key, and transactions that spend them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import _bsv_native

from bsv_wallet_toolbox.mockchain import MockChain, StoredOutput
from bsv_wallet_toolbox.transactions.hashes import txid_of
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    build_transaction,
    parse_transaction,
    signature_hash,
)

FINAL = 0xFFFFFFFF
SECRET = b"\x07" * 32


def open_script(tag: int) -> bytes:
    """Anyone may spend it with an empty unlocking script; another tag is another script."""
    return b"\x04" + tag.to_bytes(4, "big") + b"\x75\x51"


def closed_script() -> bytes:
    """Nobody can spend it with an empty unlocking script."""
    return b"\x00"


def key_script() -> bytes:
    """Pay to the public key of SECRET."""
    return b"\x21" + _bsv_native.pubkey_from_secret(SECRET) + b"\xac"


def spend(
    sources: Sequence[tuple[str, int]],
    outputs: Sequence[tuple[bytes, int]],
    *,
    lock_time: int = 0,
    sequence: int = FINAL,
    unlocking_script: bytes = b"",
) -> bytes:
    return build_transaction(
        [InputSpec(txid, vout, unlocking_script, sequence) for txid, vout in sources],
        [OutputSpec(satoshis, script) for script, satoshis in outputs],
        lock_time=lock_time,
    )


def signed_spend(source: StoredOutput, outputs: Sequence[tuple[bytes, int]], secret: bytes = SECRET) -> bytes:
    """Spends a :func:`key_script` output."""
    unsigned = parse_transaction(spend([(source.txid, source.vout)], outputs))
    digest = signature_hash(unsigned, 0, source.satoshis, source.locking_script)
    signature = _bsv_native.ecdsa_sign(digest, secret) + b"\x41"
    unlocking_script = bytes([len(signature)]) + signature
    return spend([(source.txid, source.vout)], outputs, unlocking_script=unlocking_script)


def pay(chain: MockChain, source: tuple[str, int], tag: int, satoshis: int) -> str:
    """Spend one open output into another and put it into the mempool; the txid."""
    raw_tx = spend([source], [(open_script(tag), satoshis)])
    acceptance = chain.accept(raw_tx)
    assert acceptance.is_on_chain, acceptance.text
    return txid_of(raw_tx)


def coinbase_txid(chain: MockChain, height: int) -> str:
    return chain.block_txids(height)[0]


def fingerprint(chain: MockChain) -> str:
    """Changes when anything about the chain or its mempool does."""
    tip = chain.tip
    rows = [chain.unspent(), chain.mempool(), tip, [chain.block_txids(height) for height in range(chain.height + 1)]]
    return hashlib.sha256(repr(rows).encode()).hexdigest()
