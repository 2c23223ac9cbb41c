"""Whatever a caller hands in: an error of ours that names the argument, and a file that did not change."""

from __future__ import annotations

import copy
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bsv_wallet_toolbox.errors import (
    WERR_INSUFFICIENT_FUNDS,
    WERR_INVALID_MERKLE_ROOT,
    WERR_INVALID_PARAMETER,
    WERR_MISSING_PARAMETER,
    WalletError,
)
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.tx import InputSpec, OutputSpec, build_transaction
from incoming_payments import PREFIX, SUFFIX, internalize_args, mined_payment, payment_entry, unmined_payment
from wallet_file import row_counts
from wallet_world import FUNDER, NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

ATOMIC = bytes.fromhex("01010101")
FUZZED_CALLS = 10_000


async def assert_refused(world: World, alice: OpenWallet, tx: object, parameter: str = "tx") -> None:
    """The call raises WERR_INVALID_PARAMETER naming the argument, and no row was written."""
    counts = row_counts(world.path("alice"))
    with pytest.raises(WERR_INVALID_PARAMETER) as refused:
        await alice.internalize_action(internalize_args(tx))  # type: ignore[arg-type]
    assert refused.value.parameter == parameter
    assert row_counts(world.path("alice")) == counts


async def test_a_beef_cut_off_anywhere(world: World, alice: OpenWallet) -> None:
    whole = unmined_payment(world, alice, 500).beef
    for length in range(len(whole)):
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await alice.internalize_action(internalize_args(whole[:length]))
        assert refused.value.parameter == "tx"
    assert await alice.balance() == 0


async def test_a_beef_with_any_byte_changed(world: World, alice: OpenWallet) -> None:
    whole = unmined_payment(world, alice, 500).beef
    counts = row_counts(world.path("alice"))
    for position in range(len(whole)):
        bent = bytearray(whole)
        bent[position] ^= 1 << (position % 8)
        with pytest.raises((WERR_INVALID_PARAMETER, WERR_INVALID_MERKLE_ROOT)):
            await alice.internalize_action(internalize_args(bytes(bent)))
    assert row_counts(world.path("alice")) == counts


async def test_a_beef_with_something_behind_it(world: World, alice: OpenWallet) -> None:
    await assert_refused(world, alice, unmined_payment(world, alice, 500).beef + b"\x00")


async def test_a_beef_that_is_not_atomic(world: World, alice: OpenWallet) -> None:
    await assert_refused(world, alice, Beef.parse(mined_payment(world, alice, 500)).to_bytes())


@pytest.mark.parametrize("empty", ["0200beef0000", "0100beef0000"])
async def test_an_empty_beef(world: World, alice: OpenWallet, empty: str) -> None:
    await assert_refused(world, alice, bytes.fromhex(empty))
    await assert_refused(world, alice, ATOMIC + bytes(32) + bytes.fromhex(empty))


async def test_a_beef_that_lacks_its_subject(world: World, alice: OpenWallet) -> None:
    whole = mined_payment(world, alice, 500)
    await assert_refused(world, alice, ATOMIC + b"\x11" * 32 + whole[36:])


async def test_a_beef_whose_subject_is_only_named(world: World, alice: OpenWallet) -> None:
    beef = Beef.parse(mined_payment(world, alice, 500))
    subject = str(beef.subject)
    beef.make_txid_only(subject)
    named = beef.to_bytes()
    await assert_refused(world, alice, ATOMIC + bytes.fromhex(subject)[::-1] + named)


async def test_a_beef_whose_ancestor_is_only_named(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 500)
    beef = Beef.parse(payment.beef)
    beef.make_txid_only(payment.view.inputs[0].txid)
    await assert_refused(world, alice, ATOMIC + payment.view.txid_bytes + beef.to_bytes())


async def test_a_beef_whose_ancestor_is_missing(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 500)
    orphan = Beef()
    orphan.merge_transaction(payment.view)
    await assert_refused(world, alice, ATOMIC + payment.view.txid_bytes + orphan.to_bytes())


async def test_a_beef_whose_proof_has_another_root(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 500)
    beef = Beef()
    path = MerklePath.build(world.chain.height, ["11" * 32, payment.view.txid], [payment.view.txid])
    beef.merge_transaction(payment.view, path)
    counts = row_counts(world.path("alice"))
    with pytest.raises(WERR_INVALID_MERKLE_ROOT):
        await alice.internalize_action(internalize_args(beef.to_atomic(payment.view.txid)))
    assert row_counts(world.path("alice")) == counts


async def test_a_beef_that_proves_a_block_of_the_future(world: World, alice: OpenWallet) -> None:
    payment = unmined_payment(world, alice, 500)
    beef = Beef()
    path = MerklePath.build(world.chain.height + 1000, [payment.view.txid], [payment.view.txid])
    beef.merge_transaction(payment.view, path)
    with pytest.raises(WERR_INVALID_MERKLE_ROOT):
        await alice.internalize_action(internalize_args(beef.to_atomic(payment.view.txid)))


async def test_a_beef_in_which_a_transaction_spends_what_comes_after_it(world: World, alice: OpenWallet) -> None:
    """The nearest that hashes allow to a cycle: children before parents, and the parents' parents missing."""
    first = build_transaction([InputSpec("22" * 32, 0)], [OutputSpec(500, b"\x51")])
    beef = Beef()
    parent = beef.merge_transaction(first)
    child = beef.merge_transaction(build_transaction([InputSpec(parent, 0)], [OutputSpec(500, b"\x51")]))
    ordered = beef.to_bytes()
    raw_parent, raw_child = (b"\x00" + view.raw for view in (beef.view(parent), beef.view(child)) if view is not None)
    assert raw_parent + raw_child in ordered
    swapped = ordered.replace(raw_parent + raw_child, raw_child + raw_parent)
    for data in (ordered, swapped):
        await assert_refused(world, alice, ATOMIC + bytes.fromhex(child)[::-1] + data)


async def test_a_beef_with_a_chain_of_thousands_is_walked_without_recursion(world: World, alice: OpenWallet) -> None:
    beef, source = Beef(), "22" * 32
    for _ in range(4_000):
        source = beef.merge_transaction(build_transaction([InputSpec(source, 0)], [OutputSpec(500, b"\x51")]))
    await assert_refused(world, alice, beef.to_atomic(source))


async def test_a_beef_that_is_too_large(world: World, alice: OpenWallet) -> None:
    beef = Beef.parse(mined_payment(world, alice, 500))
    script = b"\x00\x6a" + bytes(11_000_000)
    big = beef.merge_transaction(build_transaction([InputSpec(str(beef.subject), 0)], [OutputSpec(1, script)]))
    await assert_refused(world, alice, beef.to_atomic(big))


@pytest.mark.parametrize("count", ["fd ffff", "fe ffffffff", "ff ffffffffffffffff"])
async def test_a_beef_that_announces_more_than_it_holds(world: World, alice: OpenWallet, count: str) -> None:
    varint = bytes.fromhex(count)
    for body in (varint, b"\x00" + varint, b"\x01\xfe\x00\x00\x00\x01\x40" + varint):
        await assert_refused(world, alice, ATOMIC + bytes(32) + bytes.fromhex("0200beef") + body)


STRANGE: list[Any] = [
    None,
    True,
    False,
    -1,
    0,
    1,
    1.5,
    float("nan"),
    float("inf"),
    2**31,
    2**53,
    2**64,
    -(2**63),
    10**400,
    complex(1, 2),
    "",
    " ",
    "a",
    "0",
    "x" * 301,
    "x" * 70_000,
    "\ud800",
    "\x00",
    "é" * 200,
    "default",
    "admin x",
    "p x",
    "ab" * 32,
    "AB" * 32 + ".0",
    "ab" * 32 + ".99999999999",
    "zz",
    b"",
    b"\x00" * 100,
    bytearray(b"\x01\x02"),
    memoryview(b"\x01"),
    [],
    [None],
    [[]],
    [0] * 300,
    [256],
    [-1],
    ["a", 1, None],
    ["x"] * 2_000,
    {},
    {"a": 1},
    {1: 2},
    {"outputIndex": 0},
    (),
    set(),
    frozenset({1}),
    object(),
    len,
    Exception("x"),
    range(3),
]


def deep(levels: int) -> Any:
    value: Any = []
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


STRANGE += [deep(5_000), {"outputs": deep(100)}]


class ArgumentFuzzer:
    """Valid arguments in which one to three places were replaced, removed, repeated or added to."""

    def __init__(self, seed: int, bases: dict[str, list[Any]]) -> None:
        self._random = random.Random(seed)
        self._bases = bases

    def call(self) -> tuple[str, Any]:
        method = self._random.choice(sorted(self._bases))
        if self._random.random() < 0.03:
            return method, self._random.choice(STRANGE)
        args = copy.deepcopy(self._random.choice(self._bases[method]))
        for _ in range(self._random.randint(1, 3)):
            self._change(args)
        return method, args

    def strange(self) -> Any:
        return self._random.choice(STRANGE)

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _change(self, args: Any) -> None:
        where = args
        while True:
            keys = list(where) if isinstance(where, dict) else list(range(len(where)))
            if not keys:
                return
            key = self._random.choice(keys)
            inner = where[key]
            ours = isinstance(inner, dict | list) and not any(inner is each for each in STRANGE)
            if ours and len(inner) < 50 and self._random.random() < 0.7:
                where = inner
                continue
            self._replace(where, key)
            return

    def _replace(self, where: Any, key: Any) -> None:
        kind = self._random.random()
        if kind < 0.7:
            where[key] = self.strange()
        elif kind < 0.8:
            del where[key]
        elif kind < 0.9 and isinstance(where[key], bytes) and where[key]:
            bent = bytearray(where[key])
            bent[self._random.randrange(len(bent))] ^= 1 << self._random.randrange(8)
            where[key] = bytes(bent)
        elif isinstance(where, list):
            where.append(where[key])
        else:
            where[f"{key}x"] = self.strange()


def bases_for(world: World, alice: OpenWallet) -> dict[str, list[Any]]:
    """Arguments that are well-formed and that an empty wallet refuses nevertheless, so that nothing is ever written."""
    bob = KeyDeriver(key_of("bob"))
    others_money = world.services.fund(brc29.lock_to(FUNDER, bob.identity_key, PREFIX, SUFFIX), 900).beef
    full = payment_to(NOWHERE, 100, labels=["one", "two"], lockTime=0, version=1)
    full["outputs"][0] |= {"basket": "tokens", "tags": ["red"], "customInstructions": "keep"}
    full["options"] |= {"randomizeOutputs": True, "knownTxids": ["ab" * 32], "returnTXIDOnly": False}
    listing = {"basket": "tokens", "tags": ["red"], "tagQueryMode": "all", "limit": 10, "offset": 0}
    actions = {"labels": ["one"], "labelQueryMode": "any", "includeOutputs": True, "limit": 10, "offset": 0}
    return {
        "create_action": [payment_to(NOWHERE, 100), full],
        "internalize_action": [internalize_args(others_money), internalize_args(others_money, payment_entry(0))],
        "list_outputs": [listing, {"basket": "default", "include": "entire transactions", "includeTags": True}],
        "list_actions": [actions, {"labels": [], "includeInputs": True}],
        "get_header_for_height": [{"height": 5}],
    }


async def test_ten_thousand_fuzzed_calls(world: World, alice: OpenWallet) -> None:
    fuzzer = ArgumentFuzzer(20_240, bases_for(world, alice))
    path = world.path("alice")
    with pytest.raises(WERR_INSUFFICIENT_FUNDS):
        await alice.create_action(payment_to(NOWHERE, 100))  # reserves derivation counters, once for all calls
    counts = row_counts(path)
    refused, unnamed = 0, []
    for number in range(FUZZED_CALLS):
        method, args = fuzzer.call()
        originator = fuzzer.strange() if fuzzer.chance(0.05) else None
        keywords: dict[str, Any] = {}
        if method in ("create_action", "internalize_action") and fuzzer.chance(0.05):
            keywords["idempotency_key"] = fuzzer.strange()
        function: Callable[..., Awaitable[Any]] = getattr(alice, method)
        try:
            await function(args, originator, **keywords)
        except (WERR_INVALID_PARAMETER, WERR_MISSING_PARAMETER) as error:
            refused += 1
            if not error.parameter.strip():
                unnamed.append((number, method, error.message))
        except WalletError:
            refused += 1
        except BaseException as error:
            error.add_note(f"call {number}: {method}")
            raise
        else:
            assert method not in ("create_action", "internalize_action"), f"call {number} of {method} was accepted"
    assert unnamed == []
    assert refused > FUZZED_CALLS / 2
    assert row_counts(path) == counts


async def test_a_refused_call_leaves_the_wallet_working(world: World, alice: OpenWallet, tmp_path: Path) -> None:
    for strange in STRANGE:
        with pytest.raises(WalletError):
            await alice.create_action(strange)
    with pytest.raises(WERR_INSUFFICIENT_FUNDS):
        await alice.create_action(payment_to(NOWHERE, 100))
    await world.fund(alice, 1_000)
    await alice.create_action(payment_to(NOWHERE, 100))
