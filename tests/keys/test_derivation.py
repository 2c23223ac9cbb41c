"""BRC-42 derivation under BRC-43 invoice numbers."""

import copy
import json
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import _bsv_native as native
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsv_wallet_toolbox.errors import (
    WERR_INVALID_OPERATION,
    WERR_INVALID_PARAMETER,
    WERR_INVALID_PUBLIC_KEY,
    WalletError,
)
from bsv_wallet_toolbox.keys.derivation import KeyDeriver, checked_root_key, invoice_number

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
A, B = KeyDeriver(b"\x11" * 32), KeyDeriver(b"\x22" * 32)
PROTOCOL = (2, "  Tests VECTOR ")

VECTORS = {
    "self": {
        "public": "03b39771654a5c4c482b304abbf952ad7aa068cc78d7ec678e85fc7f34a65292c2",
        "public_for_self": "03b39771654a5c4c482b304abbf952ad7aa068cc78d7ec678e85fc7f34a65292c2",
        "private": "7bf2cb1c68d42698cb2701e759036df9a92415782e63c44116c90c6fa4d03d0f",
        "symmetric": "d4f35c452d3c1a38a8225cbe97d6e79ac73e1e4a29e806a8c00fc0cda5d5c18e",
        "specific": "6ae1ba0b57c31587ba15f0d647f25ce8981304671d52b33005b7fb5e93bf2bfe",
    },
    "anyone": {
        "public": "022462211c63bdeb5c04a51a5efd0d0fe2f72051568ae4ccf82cd5f8189d33fa68",
        "public_for_self": "032aa93f7b96de08f9b2f4c6b215813ac5c6699e56b5700a2da62775b62c296db7",
        "private": "eea81d29361ab98841de0d1c78c84398100fcbc2570794c6aa123bcbcc63a0da",
        "symmetric": "b47c1867710cd0c1046b4c19dfaf288d596c863654c27d7893ad8daa1cacda84",
        "specific": "dd970c182509a87730ccfc0b67b73286fefebab145f683b599012ababb528fc9",
    },
    "02466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27": {
        "public": "03bcd4a8bc9535ad98f588691c595e638ca449c33fac07dde1ae131b7d20af3c2c",
        "public_for_self": "033b5486107717dcc447f3ca725b67183e50f6f5e722d81733cf0d2a61f76e09e3",
        "private": "dd9d240607a33ee67ab53e867e7d38e65d68fbaa53fdf8d7d5b228e57d3b6e08",
        "symmetric": "df06914107250c81b38fac1cbc4fa51f6bdfe97b7fbd088743b948c1629e4f7c",
        "specific": "cc8c12f4f6922dd569a42d756d6c27d54c57ea9942ece7c6c4a117d46c2a5cf7",
    },
}


@pytest.mark.parametrize("counterparty", VECTORS)
def test_derivation_vectors(counterparty: str) -> None:
    expected = VECTORS[counterparty]
    for _ in range(2):
        assert A.derive_public_key(PROTOCOL, "Key 1", counterparty).hex() == expected["public"]
        assert A.derive_public_key(PROTOCOL, "Key 1", counterparty, for_self=True).hex() == expected["public_for_self"]
        assert A.derive_private_key(PROTOCOL, "Key 1", counterparty).hex() == expected["private"]
        assert A.derive_symmetric_key(PROTOCOL, "Key 1", counterparty).hex() == expected["symmetric"]
        assert A.reveal_specific_secret(PROTOCOL, "Key 1", counterparty).hex() == expected["specific"]


def test_identity_key() -> None:
    assert A.identity_key == "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa"
    assert A.identity_key_bytes.hex() == A.identity_key


def test_counterparty_secret_vectors() -> None:
    shared = "0277e0510d5042e2f5e9e59c977b81eeed590cf7d20c1c51da451a8eaa9fdc45ff"
    assert A.reveal_counterparty_secret(B.identity_key).hex() == shared
    assert B.reveal_counterparty_secret(A.identity_key).hex() == shared
    assert A.reveal_counterparty_secret("anyone").hex() == A.identity_key


@pytest.mark.parametrize("counterparty", ["self", A.identity_key, A.identity_key.upper()])
def test_the_secret_shared_with_oneself_is_never_revealed(counterparty: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        A.reveal_counterparty_secret(counterparty)
    assert refused.value.message == "Counterparty secrets cannot be revealed for counterparty=self."


keys = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
key_ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)


@settings(max_examples=60, deadline=None)
@given(first=keys, second=keys, key_id=key_ids, level=st.integers(0, 2))
def test_two_parties_find_the_same_keys(first: bytes, second: bytes, key_id: str, level: int) -> None:
    x, y, protocol = KeyDeriver(first), KeyDeriver(second), (level, "payments")
    theirs = x.derive_public_key(protocol, key_id, y.identity_key)
    assert theirs == native.pubkey_from_secret(y.derive_private_key(protocol, key_id, x.identity_key))
    assert theirs == y.derive_public_key(protocol, key_id, x.identity_key, for_self=True)
    assert x.derive_symmetric_key(protocol, key_id, y.identity_key) == y.derive_symmetric_key(
        protocol, key_id, x.identity_key
    )
    tweak = int.from_bytes(x.reveal_specific_secret(protocol, key_id, y.identity_key), "big")
    private = int.from_bytes(x.derive_private_key(protocol, key_id, y.identity_key), "big")
    assert private == (int.from_bytes(first, "big") + tweak) % ORDER


def test_keys_for_oneself_are_one_key_however_they_are_asked_for() -> None:
    asked = {
        A.derive_public_key(PROTOCOL, "1", counterparty, for_self)
        for counterparty in ("self", A.identity_key)
        for for_self in (True, False)
    }
    assert len(asked) == 1


def test_a_counterparty_key_in_capitals_is_the_same_counterparty() -> None:
    assert A.derive_private_key(PROTOCOL, "1", B.identity_key.upper()) == A.derive_private_key(
        PROTOCOL, "1", B.identity_key
    )


def test_invoice_number_lowers_and_trims_the_name_and_leaves_the_key_id_alone() -> None:
    assert invoice_number((2, "\u3000\ufeff Tests VECTOR\n"), " Key é ") == "2-tests vector- Key é ".encode()


LEVEL = "Protocol security level must be 0, 1, or 2"
LONG = "Protocol names must be 400 characters or less"
SHORT = "Protocol names must be 5 characters or more"
CHARACTERS = "Protocol names can only contain letters, numbers and spaces"
LINKAGE = "specific linkage revelation "


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ((3, "tests"), LEVEL),
        ((-1, "tests"), LEVEL),
        ((True, "tests"), LEVEL),
        ((1.0, "tests"), LEVEL),
        (("1", "tests"), LEVEL),
        ((1, "a" * 401), LONG),
        ((1, "a" * 2000), LONG),
        ((1, "\U0001f600" * 201), LONG),
        ((1, LINKAGE + "a" * 403), "Specific linkage revelation protocol names must be 430 characters or less"),
        ((1, "abcd"), SHORT),
        ((1, "  abcd  "), SHORT),
        ((1, ""), SHORT),
        ((1, "abc  de"), 'Protocol names cannot contain multiple consecutive spaces ("  ")'),
        ((1, "tests\x1c"), CHARACTERS),
        ((1, "abc-de"), CHARACTERS),
        ((1, "abc\nde"), CHARACTERS),
        ((1, "caf\u00e9s"), CHARACTERS),
        ((1, "1234\u0665"), CHARACTERS),
        ((1, "\U0001f600" * 200), CHARACTERS),
        ((1, "abcde\ud800"), CHARACTERS),
        ((1, "my Protocol"), 'No need to end your protocol name with " protocol"'),
        ((1, "my protocol "), 'No need to end your protocol name with " protocol"'),
    ],
)
def test_a_protocol_of_the_wrong_form_is_refused(protocol: Any, message: str) -> None:
    for _ in range(2):
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            A.derive_private_key(protocol, "1", "self")
        assert (refused.value.parameter, refused.value.message) == ("protocolID", message)


@pytest.mark.parametrize("protocol", [None, 1, (1,), (1, "tests", 2), (1, 5), (1, None), (1, b"tests"), []])
def test_a_protocol_that_is_no_pair_is_refused(protocol: Any) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        invoice_number(protocol, "1")
    assert refused.value.parameter == "protocolID"


@pytest.mark.parametrize("name", ["tests", "TESTS", "a" * 400, LINKAGE + "a" * 402, "12345", "my protocol 2"])
def test_names_within_the_rules_are_taken(name: str) -> None:
    assert invoice_number((0, name), "k") == f"0-{name.lower()}-k".encode()


def test_names_may_come_as_json_pairs() -> None:
    assert A.derive_private_key([2, "tests vector"], "Key 1", "self").hex() == VECTORS["self"]["private"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key_id", "message"),
    [
        ("", "Key IDs must be 1 character or more"),
        ("a" * 801, "Key IDs must be 800 characters or less"),
        ("\U0001f600" * 401, "Key IDs must be 800 characters or less"),
        ("a\ud800", "The keyID parameter must be well-formed Unicode text"),
        (7, "The keyID parameter must be a string"),
        (None, "The keyID parameter must be a string"),
    ],
)
def test_a_key_id_of_the_wrong_form_is_refused(key_id: Any, message: str) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        A.derive_public_key(PROTOCOL, key_id, "self")
    assert (refused.value.parameter, refused.value.message) == ("keyID", message)


@pytest.mark.parametrize("key_id", ["a" * 800, "\U0001f600" * 400, "é" * 800, " "])
def test_key_ids_are_measured_in_utf16_units(key_id: str) -> None:
    assert len(A.derive_private_key(PROTOCOL, key_id, "self")) == 32


def test_rules_are_tested_in_the_order_of_the_reference() -> None:
    with pytest.raises(WERR_INVALID_PARAMETER, match="security level"):
        invoice_number((9, "x"), "")
    with pytest.raises(WERR_INVALID_PARAMETER, match="Key IDs"):
        invoice_number((1, "x"), "")


def test_a_name_that_imitates_name_and_key_id_is_refused_even_after_the_imitated_was_cached() -> None:
    A.derive_public_key((1, "abcde"), "k-x", "self")
    A.derive_public_key((1, "abcde"), "k|x", "self")
    for name, key_id in (("abcde-k", "x"), ("abcde|k", "x")):
        with pytest.raises(WERR_INVALID_PARAMETER, match=CHARACTERS):
            A.derive_public_key((1, name), key_id, "self")


@pytest.mark.parametrize("counterparty", [None, "", 5, b"self", ["self"], {}])
def test_a_counterparty_that_is_no_text_is_refused(counterparty: Any) -> None:
    for derive in (A.derive_private_key, A.derive_public_key, A.derive_symmetric_key, A.reveal_specific_secret):
        with pytest.raises(WERR_INVALID_PARAMETER, match="counterparty must be self, anyone or a public key!"):
            derive(PROTOCOL, "1", counterparty)


@pytest.mark.parametrize(
    "counterparty",
    [
        "Self",
        "z" * 66,
        "02" + "f" * 64,
        "04" + "1" * 64,
        "0" * 66,
        A.identity_key[:-2],
        A.identity_key + "00",
        "02" * 5000,
    ],
)
def test_a_counterparty_that_is_no_point_is_refused(counterparty: str) -> None:
    with pytest.raises(WERR_INVALID_PUBLIC_KEY) as refused:
        A.derive_private_key(PROTOCOL, "1", counterparty)
    assert len(refused.value.message) < 250


def test_a_counterparty_that_is_not_hex_has_the_message_of_the_reference() -> None:
    with pytest.raises(WERR_INVALID_PUBLIC_KEY) as refused:
        A.derive_private_key(PROTOCOL, "1", "nobody")
    assert refused.value.message == "Invalid hex string"


@pytest.mark.parametrize(
    "root_key", [b"", b"\x01", b"\x11" * 31, b"\x11" * 33, bytes(32), ORDER.to_bytes(32, "big"), "11" * 32, None, 1]
)
def test_a_root_key_out_of_range_is_refused_without_being_quoted(root_key: Any) -> None:
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        KeyDeriver(root_key)
    assert refused.value.message == "The rootKey parameter must be the 32 bytes of a secp256k1 private key"


def test_the_whole_range_of_root_keys_is_taken() -> None:
    assert KeyDeriver((1).to_bytes(32, "big")).identity_key.startswith("0279be667e")
    assert KeyDeriver((ORDER - 1).to_bytes(32, "big")).identity_key.startswith("0379be667e")
    assert checked_root_key(bytearray(b"\x11" * 32)) == b"\x11" * 32


def test_the_root_key_is_shown_by_no_repr_and_leaves_by_no_copy() -> None:
    deriver = KeyDeriver(b"\x41" * 32)
    deriver.derive_symmetric_key(PROTOCOL, "1", "self")
    assert repr(deriver) == f"KeyDeriver(identity_key='{deriver.identity_key}')"
    assert not hasattr(deriver, "__dict__")
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(WERR_INVALID_OPERATION):
            leak(deriver)


def test_more_results_than_are_remembered_stay_right() -> None:
    first = A.derive_public_key(PROTOCOL, "0", B.identity_key)
    for number in range(1, 1100):
        A.derive_public_key(PROTOCOL, str(number), B.identity_key)
    assert A.derive_public_key(PROTOCOL, "0", B.identity_key) == first


def test_threads_share_a_deriver() -> None:
    expected = [B.derive_private_key(PROTOCOL, str(number % 20), A.identity_key) for number in range(400)]
    shared = KeyDeriver(b"\x11" * 32)
    with ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(lambda number: shared.derive_public_key(PROTOCOL, str(number % 20), B.identity_key), range(400))
        )
    assert found == [native.pubkey_from_secret(private) for private in expected]


def conformance(name: str) -> list[dict[str, Any]]:
    directory = os.environ.get("BSV_WALLET_TEST_DATA")
    if directory is None:
        pytest.skip("BSV_WALLET_TEST_DATA does not name the directory of external vectors")
    vectors: list[dict[str, Any]] = json.loads(Path(directory, "vectors", "conformance", name).read_text())["vectors"]
    return vectors


@pytest.mark.parametrize(("name", "count"), [("brc29-payment-derivation.json", 27), ("getpublickey.json", 201)])
def test_conformance_vectors(name: str, count: int) -> None:
    vectors = conformance(name)
    assert len(vectors) == count
    for vector in vectors:
        args, expected = vector["input"]["args"], vector["expected"]
        deriver = KeyDeriver(bytes.fromhex(vector["input"]["root_key"]))
        if args.get("identityKey"):
            assert deriver.identity_key == expected["publicKey"], vector["id"]
            continue
        asked = (args["protocolID"], args["keyID"], args.get("counterparty", "self"), args.get("forSelf", False))
        if expected.get("error"):
            with pytest.raises(WalletError) as refused:
                deriver.derive_public_key(*asked)
            assert refused.value.message == expected["message"], vector["id"]
        else:
            assert deriver.derive_public_key(*asked).hex() == expected["publicKey"], vector["id"]
