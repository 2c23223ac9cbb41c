from __future__ import annotations

import pytest

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.transactions.hashes import display, is_txid, natural, sha256d, txid_of


def test_double_sha256_of_a_known_value() -> None:
    digest = "63e16be7c46701e1275e7e5c79732685b824520343c51a86a7bb48a044878823"
    assert sha256d(bytes.fromhex("00ff")).hex() == digest
    assert txid_of(bytes.fromhex("00ff")) == bytes.fromhex(digest)[::-1].hex()


def test_natural_undoes_display() -> None:
    digest = sha256d(b"x")
    assert natural(display(digest)) == digest


@pytest.mark.parametrize("text", ["", "ab", "AA" * 32, "g" * 64, "aa" * 33, "aa" * 32 + "\n", None, b"aa" * 32, 5])
def test_what_is_not_a_txid(text: object) -> None:
    assert not is_txid(text)


def test_a_malformed_hash_is_refused_by_name() -> None:
    assert is_txid("0f" * 32)
    with pytest.raises(WERR_INVALID_PARAMETER) as caught:
        natural("0f", "previousHash")
    assert caught.value.parameter == "previousHash"
