"""listActions with the label ``abort``: every action of the page that was not sent is aborted, newest first."""

from __future__ import annotations

from typing import Any

import pytest

from bsv_wallet_toolbox.brc100.originator import NO_SEND_ACTIONS_ID
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.mockchain import Fault
from bsv_wallet_toolbox.opening import OpenWallet
from wallet_file import rows
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

ABORT = {"labels": [NO_SEND_ACTIONS_ID, "abort"], "includeOutputs": True}
COINS = 10_000


async def held_back(world: World, wallet: OpenWallet, count: int, *, chained: bool = False) -> list[str]:
    """Txids of actions that are not sent, oldest first; each spends the last one's change when they are ``chained``."""
    await world.fund(wallet, COINS, 1 if chained else count)
    txids: list[str] = []
    change: list[str] = []
    for _ in range(count):
        options = {"noSend": True, "noSendChange": change}
        created = await wallet.create_action({**payment_to(NOWHERE, 1_000), "options": options})
        change = created["noSendChange"] if chained else []
        txids.append(created["txid"])
    return txids


def raw_of(world: World, txid: str) -> bytes:
    [raw_tx] = rows(world.path("alice"), "SELECT rawTx FROM proven_tx_reqs WHERE txid = ?", txid)
    assert isinstance(raw_tx, bytes)
    return raw_tx


async def listed(wallet: OpenWallet, **more: Any) -> list[tuple[str, str, bool]]:
    """(txid, status, whether an output is shown as spendable) of every action on the page."""
    page = await wallet.list_actions({**ABORT, **more})
    return [
        (action["txid"], action["status"], any(output["spendable"] for output in action["outputs"]))
        for action in page["actions"]
    ]


@pytest.mark.parametrize("chained", [False, True])
async def test_the_actions_of_the_page_are_aborted_and_shown_as_failed(world: World, chained: bool) -> None:
    """A chain can only be given up from its end: what an action made is spent by the next."""
    async with world.wallet("alice") as alice:
        txids = await held_back(world, alice, 3, chained=chained)
        assert await listed(alice) == [(txid, "failed", False) for txid in txids]
        assert await listed(alice) == []
        assert await alice.balance() == COINS * (1 if chained else 3)
    world.assert_sound("alice")


async def test_those_on_other_pages_are_left_alone(world: World) -> None:
    async with world.wallet("alice") as alice:
        txids = await held_back(world, alice, 3)
        assert await listed(alice, limit=1, offset=1) == [(txids[1], "failed", False)]
        left = await alice.list_actions({"labels": [NO_SEND_ACTIONS_ID]})
        assert [action["txid"] for action in left["actions"]] == [txids[0], txids[2]]
    world.assert_sound("alice")


async def test_one_that_the_network_has_is_shown_as_it_is_and_the_others_are_aborted(world: World) -> None:
    async with world.wallet("alice") as alice:
        txids = await held_back(world, alice, 3)
        world.chain.accept(raw_of(world, txids[1]))
        assert await listed(alice) == [
            (txids[0], "failed", False),
            (txids[1], "unproven", True),
            (txids[2], "failed", False),
        ]
    world.assert_sound("alice")


async def test_while_nobody_can_say_whether_the_network_has_them_none_is_aborted(world: World) -> None:
    async with world.wallet("alice") as alice:
        txids = await held_back(world, alice, 2)
        world.services.faults.set("get_status_for_txids", Fault.UNAVAILABLE)
        assert [(txid, status) for txid, status, _ in await listed(alice)] == [(txid, "nosend") for txid in txids]
        world.services.faults.clear()
        assert [status for _, status, _ in await listed(alice)] == ["failed", "failed"]
    world.assert_sound("alice")


async def test_only_the_owner_aborts_and_only_with_both_labels(world: World) -> None:
    async with world.wallet("alice") as alice:
        await held_back(world, alice, 1)
        with pytest.raises(WERR_INVALID_PARAMETER, match="admin-only"):
            await alice.list_actions(ABORT, "app.example.com")
        for labels in ([NO_SEND_ACTIONS_ID], ["abort"], []):
            await listed(alice, labels=labels)
        assert rows(world.path("alice"), "SELECT status FROM transactions WHERE isOutgoing") == ["nosend"]
