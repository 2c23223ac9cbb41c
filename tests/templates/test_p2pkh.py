"""P2PKH locks, addresses and signatures."""

import hashlib

import _bsv_native as native
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.templates import p2pkh

PUBLIC = bytes.fromhex("0268908fdf7ce5b2fc52cb828bb9d222f10fa4de7d67b0fa581ae9763ef7e89587")
PRIVATE = bytes.fromhex("4a86ddc3717c83d6281ccb478ac90701b1e424bccd9e2dafec0d0d47308dee71")
HASH = bytes.fromhex("39f615435273ece138e0b75b7cf3d111e97e4ec7")
LOCK = bytes.fromhex("76a91439f615435273ece138e0b75b7cf3d111e97e4ec788ac")
MAIN, TEST = "16HUK5vuTpis2BZpugrh611kHrrCUeWBfH", "mkoRc91tGrA7oJ3SdFq4uvE59rSuTX7FfR"


def test_one_lock_from_hash_key_and_addresses() -> None:
    assert p2pkh.hash160(PUBLIC) == HASH
    assert p2pkh.lock(HASH) == LOCK
    assert p2pkh.lock_to_public_key(PUBLIC) == LOCK
    assert p2pkh.lock_to_address(MAIN) == LOCK
    assert p2pkh.lock_to_address(TEST) == LOCK
    assert len(LOCK) == p2pkh.LOCK_LENGTH


def test_addresses_of_a_hash() -> None:
    assert p2pkh.address(HASH) == MAIN
    assert p2pkh.address(HASH, Chain.TEST) == TEST
    assert p2pkh.address(bytes(20)) == "1111111111111111111114oLvT2"


def test_an_address_of_another_chain_is_refused_where_the_chain_is_known() -> None:
    assert p2pkh.lock_to_address(MAIN, Chain.MAIN) == p2pkh.lock_to_address(TEST, Chain.MOCK) == LOCK
    with pytest.raises(WERR_INVALID_PARAMETER, match="an address of the main chain"):
        p2pkh.lock_to_address(TEST, Chain.MAIN)
    with pytest.raises(WERR_INVALID_PARAMETER, match="an address of the test chain"):
        p2pkh.lock_to_address(MAIN, Chain.TEST)


@pytest.mark.parametrize(
    "text", ["3P14159f73E4gFr7JterCCQh9QjiTjiZrG", "KwntMbt59tTsj8xqpqYqRRWufyjGunvhSyeMo3NTYpFYzZbXJ5Hp"]
)
def test_an_address_that_is_no_public_key_hash_is_refused(text: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        p2pkh.lock_to_address(text)
    assert refused.value.message == "only P2PKH is supported"


@pytest.mark.parametrize("key_hash", [b"", b"\x01" * 19, b"\x01" * 21])
def test_a_hash_of_another_length_is_refused(key_hash: bytes) -> None:
    for make in (p2pkh.lock, p2pkh.address):
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            make(key_hash)
        assert refused.value.message == "P2PKH hash length must be 20 bytes"


def test_an_uncompressed_key_is_refused() -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match="compressed"):
        p2pkh.lock_to_public_key(b"\x04" + bytes(64))


def test_p2pkh_is_recognised_and_nothing_else_is() -> None:
    assert p2pkh.is_p2pkh(LOCK)
    assert p2pkh.public_key_hash(LOCK) == HASH
    for script in (b"", LOCK[:-1], LOCK + b"\x00", b"\x77" + LOCK[1:], LOCK[:-1] + b"\xad"):
        assert not p2pkh.is_p2pkh(script)
        assert p2pkh.public_key_hash(script) is None


@settings(max_examples=100, deadline=None)
@given(digest=st.binary(min_size=32, max_size=32), number=st.integers(1, 2**255))
def test_an_unlock_is_a_valid_signature_and_the_key(digest: bytes, number: int) -> None:
    private = number.to_bytes(32, "big")
    public = native.pubkey_from_secret(private)
    script = p2pkh.unlock(digest, private, public)
    assert len(script) <= p2pkh.UNLOCK_LENGTH_ESTIMATE
    signature, scope, key = script[1 : script[0]], script[script[0]], script[script[0] + 1 :]
    assert scope == p2pkh.SIGHASH_ALL_FORKID
    assert key == bytes([33]) + public
    assert native.ecdsa_verify(signature, digest, public)
    assert p2pkh.unlock(digest, private, public) == script


def test_unlock_vector() -> None:
    """The spend of the BRC-29 payment vector: the digest is the BIP-143 one of its only input."""
    lock_to_a = bytes.fromhex("76a914fc7250a211deddc70ee5a2738de5f07817351cef88ac")
    outpoint = bytes.fromhex("0bf94444becae59d17d2ab93ee657331e682ff87d3d2bf5c2620bb9b2cd4454d") + bytes(4)
    output = (900).to_bytes(8, "little") + bytes([25]) + lock_to_a
    preimage = (
        (1).to_bytes(4, "little")
        + native.hash256(outpoint)
        + native.hash256(b"\xff" * 4)
        + outpoint
        + bytes([25])
        + LOCK
        + (1000).to_bytes(8, "little")
        + b"\xff" * 4
        + native.hash256(output)
        + bytes(4)
        + (0x41).to_bytes(4, "little")
    )
    assert p2pkh.unlock(native.hash256(preimage), PRIVATE, PUBLIC).hex() == (
        "4830450221008522259247da1d902278bfb19bf3b16a63e8f68eb9adb9fd04a76b335004b50a0220764b92015c129b976af20c3a5206"
        "5136dd66d94d96c7191bafcf6646278f7a4941210268908fdf7ce5b2fc52cb828bb9d222f10fa4de7d67b0fa581ae9763ef7e89587"
    )


@pytest.mark.parametrize(
    ("digest", "private", "public"),
    [(b"", PRIVATE, PUBLIC), (bytes(32), b"", PUBLIC), (bytes(32), bytes(32), PUBLIC), (bytes(32), PRIVATE, b"")],
)
def test_unlock_refuses_what_it_cannot_sign_without_quoting_it(digest: bytes, private: bytes, public: bytes) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        p2pkh.unlock(digest, private, public)
    assert PRIVATE.hex() not in refused.value.message


def test_hash160_is_ripemd_of_sha() -> None:
    assert p2pkh.hash160(b"").hex() == "b472a266d0bd89c13706a4132ccfb16f7c3b9fcb"
    assert hashlib.sha256(b"").hexdigest().startswith("e3b0c442")
