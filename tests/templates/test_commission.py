"""Storage commissions: locks moved by a key offset, and the keys that redeem them."""

from typing import Any

import _bsv_native as native
import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_INVALID_PUBLIC_KEY
from bsv_wallet_toolbox.seams import SeededEntropy
from bsv_wallet_toolbox.templates import p2pkh
from bsv_wallet_toolbox.templates.base58check import encode_base58check
from bsv_wallet_toolbox.templates.commission import (
    commission_lock,
    new_commission_lock,
    offset_private_key,
    offset_public_key,
)

PRIVATE = b"\x11" * 32
PUBLIC = native.pubkey_from_secret(PRIVATE)
OFFSET_WIF = "KyWQsS9rPX3hiqmPwFdQyrjc84mc5UaeHGNPJjSUeWbtr8PwT7Ct"


@pytest.mark.parametrize("key_offset", [OFFSET_WIF, "44" * 32])
def test_key_offset_vector(key_offset: str) -> None:
    assert offset_private_key(PRIVATE, key_offset).hex() == (
        "69aa7ad89002278fb059e6117ea39e4f549ec7cd7f3a494151c3265aa35400f9"
    )
    assert offset_public_key(PUBLIC, key_offset).hex() == (
        "0329890c95c3d1bf329839526501020a137ddfe4597cfb1eaf0d93d72fcc25db47"
    )
    assert commission_lock(PUBLIC, key_offset).hex() == "76a914cc80e42725fc1a4c99442a2f231e0ece3b4eeae388ac"


def test_small_offset_vector() -> None:
    generator = native.pubkey_from_secret((1).to_bytes(32, "big"))
    assert commission_lock(generator, "00" * 31 + "02").hex() == "76a91404fed2001f27b5276adac6190953b6d8972a9f4c88ac"


def test_a_new_lock_can_be_redeemed_with_its_offset() -> None:
    made = new_commission_lock(PUBLIC, SeededEntropy("commission"))
    assert len(made.key_offset) == 52
    redeeming = native.pubkey_from_secret(offset_private_key(PRIVATE, made.key_offset))
    assert p2pkh.lock_to_public_key(redeeming) == made.script
    assert made != new_commission_lock(PUBLIC, SeededEntropy("another"))


def test_a_draw_that_is_no_private_key_is_drawn_again() -> None:
    class ZeroFirst(SeededEntropy):
        draws = 0

        def bytes(self, count: int) -> Any:
            self.draws += 1
            return bytes(32) if self.draws == 1 else super().bytes(count)

    entropy = ZeroFirst("commission")
    assert new_commission_lock(PUBLIC, entropy) == new_commission_lock(PUBLIC, SeededEntropy("commission"))
    assert entropy.draws == 2


@pytest.mark.parametrize(
    "key_offset",
    [
        "",
        "44" * 31,
        "00" * 32,
        "ff" * 32,
        OFFSET_WIF[:-1] + "u",
        "16HUK5vuTpis2BZpugrh611kHrrCUeWBfH",
        None,
        5,
        encode_base58check(b"\x80" + bytes(32) + b"\x01"),
        encode_base58check(b"\x80" + b"\x44" * 32 + b"\x02"),
    ],
)
def test_an_offset_that_is_no_private_key_is_refused(key_offset: Any) -> None:
    for call in (lambda: offset_public_key(PUBLIC, key_offset), lambda: offset_private_key(PRIVATE, key_offset)):
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            call()
        assert refused.value.parameter == "keyOffset"


@pytest.mark.parametrize("public_key", [b"", b"\x02" + b"\xff" * 32, PUBLIC[:-1]])
def test_a_public_key_that_is_none_is_refused(public_key: bytes) -> None:
    with pytest.raises(WERR_INVALID_PUBLIC_KEY):
        commission_lock(public_key, OFFSET_WIF)


@pytest.mark.parametrize("private_key", [b"", bytes(32), b"\x11" * 33])
def test_a_private_key_that_is_none_is_refused(private_key: bytes) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match="privateKey"):
        offset_private_key(private_key, OFFSET_WIF)
