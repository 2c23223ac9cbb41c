"""What bsv-sdk 2.4.0 gets wrong today. A test that fails here means that a work-around of ours may go."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import _bsv_native
import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.beef import Beef, BeefVersion
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.script_vm import verify_input
from bsv_wallet_toolbox.transactions.spv import verify_beef
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
    signature_hash,
)

pytestmark = pytest.mark.anyio

KEY = b"\x11" * 32
ONE_LEAF_PATH = bytes.fromhex("07010100020ad5470418db96966388bcf613139c57e34140ecd21ba173a10a2350f47c33b2")


def anyone_can_spend(satoshis: int) -> tuple[TransactionView, MerklePath]:
    tx = parse_transaction(build_transaction([InputSpec("00" * 32, 0xFFFFFFFF)], [OutputSpec(satoshis, b"\x51")]))
    return tx, MerklePath.build(5, [tx.txid, "ab" * 32], [tx.txid])


def spend_to(coin: TransactionView, satoshis: int) -> TransactionView:
    return parse_transaction(
        build_transaction([InputSpec(coin.txid, 0, b"\x51")], [OutputSpec(satoshis, b"\x51")], version=2)
    )


class BelievingTracker:
    def __init__(self, answer: bool) -> None:
        self.answer = answer

    async def is_valid_root_for_height(self, root: str, height: int) -> bool:
        return self.answer

    async def current_height(self) -> int:
        return 1000


def test_the_pinned_sdk_is_installed_with_its_native_part() -> None:
    from bsv.native import native_status

    assert importlib.metadata.version("bsv-sdk") == "2.4.0"
    assert native_status()["available"]


def test_a_beef_v1_loses_its_ancestors_and_proofs() -> None:
    from bsv.transaction.beef import new_beef_from_bytes

    coin, path = anyone_can_spend(100)
    beef = Beef()
    beef.merge_transaction(coin, path)
    beef.merge_transaction(spend_to(coin, 99))
    data = beef.to_bytes(BeefVersion.V1)
    theirs = new_beef_from_bytes(data)
    assert (len(theirs.txs), len(theirs.bumps)) == (1, 0)
    assert len(Beef.parse(data)) == 2


async def test_a_beef_v1_verifies_under_a_tracker_that_always_says_no() -> None:
    from bsv.transaction.beef import new_beef_from_bytes

    coin, path = anyone_can_spend(100)
    beef = Beef()
    beef.merge_transaction(coin, path)
    beef.merge_transaction(spend_to(coin, 99))
    assert await new_beef_from_bytes(beef.to_bytes(BeefVersion.V1)).verify(BelievingTracker(False), True)


def test_an_atomic_beef_keeps_unrelated_transactions() -> None:
    from bsv.transaction.beef import new_beef_from_bytes

    coin, path = anyone_can_spend(100)
    beef = Beef()
    beef.merge_transaction(coin, path)
    beef.merge_transaction(spend_to(coin, 99))
    theirs = new_beef_from_bytes(beef.to_bytes()).to_binary_atomic(coin.txid)
    assert len(Beef.parse(bytes(theirs))) == 2
    assert len(Beef.parse(beef.to_atomic(coin.txid))) == 1


async def test_a_transaction_that_inflates_verifies() -> None:
    from bsv.merkle_path import MerklePath as SdkMerklePath
    from bsv.transaction import Transaction

    coin, path = anyone_can_spend(100)
    inflated = spend_to(coin, 10**12)
    theirs, source = Transaction.from_hex(inflated.raw), Transaction.from_hex(coin.raw)
    source.merkle_path = SdkMerklePath.from_binary(path.raw)
    theirs.inputs[0].source_transaction = source
    assert await theirs.verify(BelievingTracker(True))
    beef = Beef()
    beef.merge_transaction(coin, path)
    beef.merge_transaction(inflated)
    with pytest.raises(WERR_INVALID_PARAMETER, match="pays out"):
        verify_beef(beef, [inflated.txid], lambda root, height: True, run_scripts=False)


def test_bytes_after_a_transaction_are_ignored() -> None:
    from bsv.transaction import Transaction

    coin, _ = anyone_can_spend(100)
    assert Transaction.from_hex(coin.raw + b"\x00").txid() == coin.txid


def test_a_truncated_transaction_is_read_or_none_instead_of_an_error() -> None:
    from bsv.transaction import Transaction

    coin, _ = anyone_can_spend(100)
    assert Transaction.from_hex(coin.raw[:-1]) is not None
    assert Transaction.from_hex(coin.raw[:-12]) is None


def test_a_path_of_a_block_of_one_transaction_is_refused() -> None:
    from bsv.merkle_path import MerklePath as SdkMerklePath

    with pytest.raises(ValueError, match="Missing hash for index 0 at height 0"):
        SdkMerklePath.from_binary(ONE_LEAF_PATH)
    assert MerklePath.parse(ONE_LEAF_PATH).block_height == 7


def test_the_cached_key_deriver_fails_for_an_explicit_counterparty() -> None:
    from bsv.keys import PrivateKey
    from bsv.wallet.cached_key_deriver import CachedKeyDeriver
    from bsv.wallet.key_deriver import Counterparty, Protocol

    counterparty = Counterparty(3, PrivateKey(b"\x22" * 32).public_key())
    with pytest.raises(TypeError, match="unhashable"):
        CachedKeyDeriver(PrivateKey(KEY)).derive_public_key(Protocol(2, "tests vector"), "1", counterparty)


def test_push_drop_writes_a_zero_field_instead_of_a_signature() -> None:
    from bsv.keys import PrivateKey
    from bsv.transaction.pushdrop import PushDrop
    from bsv.wallet import ProtoWallet

    wallet = ProtoWallet(PrivateKey(KEY), permission_callback=lambda action: True)
    script = PushDrop(wallet).lock([b"field"], [2, "tests vector"], "1", "self")
    decoded: dict[str, Any] = PushDrop.decode(bytes.fromhex(script))
    assert decoded["fields"] == [b"field", b"\x00"]


def signed_spend(lock: bytes, version: int) -> TransactionView:
    def with_script(script: bytes) -> TransactionView:
        raw = build_transaction([InputSpec("aa" * 32, 0, script)], [OutputSpec(1, b"\x51")], version=version)
        return parse_transaction(raw)

    signature = _bsv_native.ecdsa_sign(signature_hash(with_script(b""), 0, 1000, lock), KEY) + b"\x41"
    return with_script(bytes((len(signature),)) + signature)


def native_verdict(tx: TransactionView, lock: bytes) -> bool:
    chunks = _bsv_native.parse_script_chunks
    outputs = list(tx.serialized_outputs)
    try:
        return bool(
            _bsv_native.spend_validate(
                chunks(tx.inputs[0].unlocking_script), chunks(lock), tx.version, "aa" * 32, 0, 0, 0, 0xFFFFFFFF, 1000,
                [], outputs,
            )
        )  # fmt: skip
    except RuntimeError:
        return False


def test_the_interpreter_rewrites_the_data_behind_a_return_before_hashing_it() -> None:
    public_key = _bsv_native.pubkey_from_secret(KEY)
    lock = bytes((33,)) + public_key + b"\xac\x6a\x01\x02"
    tx = signed_spend(lock, 1)
    assert not native_verdict(tx, lock)
    assert verify_input(tx, 0, 1000, lock) is None


def test_the_interpreter_drops_a_push_that_is_cut_off() -> None:
    lock = b"\x75\x51\x4c\x05\xaa"
    tx = signed_spend(lock, 1)
    assert native_verdict(tx, lock)
    assert verify_input(tx, 0, 1000, lock) is not None


def test_the_interpreter_gives_a_ten_byte_script_the_memory_it_asks_for() -> None:
    lock = bytes.fromhex("75 00 03 ffff7f 80 82 77".replace(" ", ""))
    assert native_verdict(signed_spend(lock, 1), lock)
