"""BRC-29 payments between two wallets and of change to oneself."""

from typing import Any

import _bsv_native as native
import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_INVALID_PUBLIC_KEY
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.templates import brc29, p2pkh

ONE = KeyDeriver((1).to_bytes(32, "big"))
A, B = KeyDeriver(b"\x11" * 32), KeyDeriver(b"\x22" * 32)
PREFIX, SUFFIX = "SfKxPIJNgdI=", "NaGLC6fMH50="
PAYMENT_LOCK = "76a91439f615435273ece138e0b75b7cf3d111e97e4ec788ac"


def test_change_lock_vector() -> None:
    prefix, suffix = "v0L5q+NNboCjsmtUEE82mg==", "1+dPrCwRh4UQMPFKGEk/cg=="
    lock = "76a914d7be415bf5f4d4a41d49c6a44ad5eea51bd2ac7288ac"
    assert brc29.lock_for_self(ONE, prefix, suffix).hex() == lock
    assert brc29.lock_to(ONE, ONE.identity_key, prefix, suffix).hex() == lock
    assert brc29.lock_from(ONE, None, prefix, suffix).hex() == lock
    public = native.pubkey_from_secret(brc29.unlocking_key(ONE, None, prefix, suffix))
    assert p2pkh.lock_to_public_key(public).hex() == lock


def test_incoming_payment_vector() -> None:
    sender = "036d5743f96cbe33de0528c3eacc60eb91a7d82834c1edf7cb104879cd0aeefe86"
    lock = brc29.lock_from(ONE, sender, "ORoFxT+suD0=", "omOLGW0bOXM=")
    assert lock.hex() == "76a914571234eab744770636e66e626bd24c3a7b7a9dfd88ac"


def test_payment_from_a_to_b() -> None:
    assert brc29.lock_to(A, B.identity_key, PREFIX, SUFFIX).hex() == PAYMENT_LOCK
    assert brc29.lock_from(B, A.identity_key, PREFIX, SUFFIX).hex() == PAYMENT_LOCK
    private = brc29.unlocking_key(B, A.identity_key, PREFIX, SUFFIX)
    assert private.hex() == "4a86ddc3717c83d6281ccb478ac90701b1e424bccd9e2dafec0d0d47308dee71"
    public = brc29.unlocking_public_key(B, A.identity_key, PREFIX, SUFFIX)
    assert public.hex() == "0268908fdf7ce5b2fc52cb828bb9d222f10fa4de7d67b0fa581ae9763ef7e89587"
    assert public == native.pubkey_from_secret(private)


def test_prefix_and_suffix_are_taken_as_they_are_written() -> None:
    assert brc29.key_id(PREFIX, SUFFIX) == "SfKxPIJNgdI= NaGLC6fMH50="
    assert brc29.lock_to(A, B.identity_key, PREFIX.rstrip("="), SUFFIX).hex() != PAYMENT_LOCK


@pytest.mark.parametrize(
    ("prefix", "suffix", "parameter"), [("", "a", "Prefix"), ("a", "", "Suffix"), (None, "a", "Prefix")]
)
def test_an_empty_prefix_or_suffix_is_refused(prefix: Any, suffix: Any, parameter: str) -> None:
    for call in (brc29.lock_for_self, lambda *names: brc29.lock_from(names[0], None, *names[1:])):
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            call(A, prefix, suffix)
        assert refused.value.parameter == f"derivation{parameter}"


def test_a_sender_that_is_no_key_is_refused() -> None:
    with pytest.raises(WERR_INVALID_PUBLIC_KEY):
        brc29.lock_from(A, "02" + "ff" * 32, PREFIX, SUFFIX)
    with pytest.raises(WERR_INVALID_PARAMETER):
        brc29.unlocking_key(A, "", PREFIX, SUFFIX)
