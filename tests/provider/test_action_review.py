"""listActions with the label ``abort``: every action of the page that was not sent is aborted, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import text

from bsv_wallet_toolbox.brc100.actions import ValidAbortAction, validate_list_actions
from bsv_wallet_toolbox.brc100.originator import NO_SEND_ACTIONS_ID
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import (
    WERR_BROADCAST_UNAVAILABLE,
    WERR_INVALID_OPERATION,
    WERR_INVALID_PARAMETER,
    WalletError,
)
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus
from bsv_wallet_toolbox.opening import OpenWallet
from bsv_wallet_toolbox.provider.action_review import list_and_change
from bsv_wallet_toolbox.storage.transactions import find_by_reference, move_transaction
from bsv_wallet_toolbox.storage.users import UserScope
from wallet_file import rows
from wallet_world import NOWHERE, World, payment_to

pytestmark = pytest.mark.anyio

ABORT = {"labels": [NO_SEND_ACTIONS_ID, "abort"], "includeOutputs": True}
STATUSES = "SELECT status FROM transactions WHERE isOutgoing ORDER BY transactionId"


class Aborting:
    """The end of an action as a caller hands it in: marked failed, or refused for those in ``refusals``."""

    def __init__(self, wallet: OpenWallet, scope: UserScope, refusals: Mapping[str, WalletError]) -> None:
        self._wallet = wallet
        self._scope = scope
        self._refusals = refusals
        self.asked: list[str] = []

    async def __call__(self, args: ValidAbortAction) -> None:
        self.asked.append(args.reference)
        if args.reference in self._refusals:
            raise self._refusals[args.reference]

        def write(tx: Transaction) -> None:
            row = find_by_reference(tx, self._scope, args.reference)
            assert row is not None
            move_transaction(tx, row, TransactionStatus.FAILED)

        await self._wallet.provider.engine.write(write)


async def held_back(world: World, wallet: OpenWallet, count: int) -> list[str]:
    """References of actions that are not to be sent, oldest first."""
    await world.fund(wallet, 10_000)
    for _ in range(count):
        await wallet.create_action(payment_to(NOWHERE, 1_000))
    sql = "UPDATE transactions SET status = 'nosend' WHERE isOutgoing"
    await wallet.provider.engine.write(lambda tx: tx.execute(Statement(text(sql), "test")))
    return rows(world.path("alice"), "SELECT reference FROM transactions WHERE isOutgoing ORDER BY transactionId")


async def listed(
    wallet: OpenWallet, refusals: Mapping[str, WalletError] | None = None, **more: Any
) -> tuple[list[str], list[str], list[bool]]:
    """(references asked to be aborted, statuses shown, whether an output is shown as spendable)."""
    scope = await wallet.provider.find_user(wallet.identity_key)
    abort = Aborting(wallet, scope, refusals or {})
    page = await list_and_change(wallet.provider, scope, validate_list_actions({**ABORT, **more}), abort)
    actions = page.to_result()["actions"]
    spendable = [any(output["spendable"] for output in action["outputs"]) for action in actions]
    return abort.asked, [action["status"] for action in actions], spendable


async def test_the_actions_of_the_page_are_aborted_newest_first_and_shown_as_failed(world: World) -> None:
    async with world.wallet("alice") as alice:
        references = await held_back(world, alice, 3)
        assert await listed(alice) == (references[::-1], ["failed"] * 3, [False] * 3)
        assert rows(world.path("alice"), STATUSES) == ["failed"] * 3
        assert await listed(alice) == ([], [], [])


async def test_those_on_other_pages_are_left_alone(world: World) -> None:
    async with world.wallet("alice") as alice:
        references = await held_back(world, alice, 3)
        assert (await listed(alice, limit=1, offset=1))[:2] == ([references[1]], ["failed"])
        assert rows(world.path("alice"), STATUSES) == ["nosend", "failed", "nosend"]


@pytest.mark.parametrize(
    "error",
    [
        WERR_INVALID_PARAMETER("reference", "an action that can be aborted"),
        WERR_INVALID_OPERATION("the network has it"),
        WERR_BROADCAST_UNAVAILABLE("nobody could say"),
    ],
)
async def test_one_that_cannot_be_aborted_is_shown_as_it_is_and_the_others_go_on(
    world: World, error: WalletError
) -> None:
    async with world.wallet("alice") as alice:
        references = await held_back(world, alice, 3)
        asked, statuses, spendable = await listed(alice, {references[1]: error})
        assert asked == references[::-1]
        assert statuses == ["failed", "nosend", "failed"]
        assert spendable[1]


async def test_without_a_way_to_abort_it_is_refused_before_anything_is_read(world: World) -> None:
    async with world.wallet("alice") as alice:
        await held_back(world, alice, 1)
        scope = await alice.provider.find_user(alice.identity_key)
        with pytest.raises(WERR_INVALID_PARAMETER) as refused:
            await list_and_change(alice.provider, scope, validate_list_actions(ABORT))
        assert refused.value.parameter == "labels"
        assert rows(world.path("alice"), STATUSES) == ["nosend"]


async def test_without_the_label_nothing_is_aborted(world: World) -> None:
    async with world.wallet("alice") as alice:
        await held_back(world, alice, 1)
        for labels in ([NO_SEND_ACTIONS_ID], ["abort"], []):
            assert (await listed(alice, labels=labels))[0] == []
        assert rows(world.path("alice"), STATUSES) == ["nosend"]
