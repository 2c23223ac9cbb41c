"""processAction of a storage that is far away: what is held back, and what is sent with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bsv_wallet_toolbox.brc100.create_action import validate_create_action
from bsv_wallet_toolbox.interfaces.statuses import SendWithStatus
from bsv_wallet_toolbox.interfaces.storage import ProcessActionArgs, ProcessActionResult
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.provider.user_storage import UserStorage
from bsv_wallet_toolbox.wallet.signer import prepare, sign
from wallet_file import state_of
from wallet_world import NOWHERE, World, key_of, payment_to

pytestmark = pytest.mark.anyio

ALICE = KeyDeriver(key_of("alice"))


async def storage_of(alice: OpenWallet) -> UserStorage:
    return alice.provider.for_user(await alice.provider.find_user(alice.identity_key))


async def signed_at_home(storage: UserStorage, **options: Any) -> ProcessActionArgs:
    """An action that the storage proposed and the wallet signed, to be processed at once."""
    args = validate_create_action(payment_to(NOWHERE, 100) | {"options": options})
    proposal = await storage.create_action(args)
    signed = sign(ALICE, prepare(ALICE, args, proposal))
    return ProcessActionArgs(proposal.reference, signed.txid, signed.raw, False)


def results(result: ProcessActionResult) -> list[tuple[str, SendWithStatus]]:
    return [(each.txid, each.status) for each in result.send_with_results]


def statuses(world: World, *txids: str) -> list[str]:
    return [state_of(world.path("alice"), txid)[0] for txid in txids]


async def test_it_is_kept_from_the_network(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000)
    storage = await storage_of(alice)
    args = replace(await signed_at_home(storage, noSend=True), is_no_send=True)
    done = await storage.process_action(args)
    assert (done.txid, done.send_with_results, done.not_delayed_results) == (args.txid, (), None)
    assert statuses(world, args.txid) == ["nosend"]
    await alice.monitor.run_until_idle()
    assert world.services.calls["post_beef"] == 0
    sent = await storage.send_with([args.txid], False)
    assert results(sent) == [(args.txid, SendWithStatus.UNPROVEN)]
    assert world.chain.confirmations(args.txid) == 0


async def test_others_go_with_it(world: World, alice: OpenWallet) -> None:
    await world.fund(alice, 5_000, count=2)
    storage = await storage_of(alice)
    held = replace(await signed_at_home(storage, noSend=True), is_no_send=True)
    await storage.process_action(held)
    new = replace(await signed_at_home(storage), send_with=(held.txid, "ab" * 32))
    done = await storage.process_action(new)
    assert results(done) == [
        (held.txid, SendWithStatus.UNPROVEN),
        ("ab" * 32, SendWithStatus.FAILED),
        (new.txid, SendWithStatus.UNPROVEN),
    ]
    assert world.services.calls["post_beef"] == 1


async def test_what_it_builds_on_goes_with_it(world: World, alice: OpenWallet) -> None:
    """Not named, but nobody could take it without its parent."""
    await world.fund(alice, 5_000)
    storage = await storage_of(alice)
    args: Any = payment_to(NOWHERE, 100) | {"options": {"noSend": True}}
    held = await alice.create_action(args)
    child = await signed_at_home(storage, noSend=True, noSendChange=held["noSendChange"])
    done = await storage.process_action(child)
    assert results(done) == [(child.txid, SendWithStatus.UNPROVEN)]
    assert statuses(world, held["txid"], child.txid) == ["unproven", "unproven"]
