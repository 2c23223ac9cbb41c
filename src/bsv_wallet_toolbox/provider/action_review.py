"""What the owner does to the actions that listActions shows, through the labels ``abort`` and ``unfail``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from bsv_wallet_toolbox.brc100.actions import ValidAbortAction, ValidListActions
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_BROADCAST_UNAVAILABLE, WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import ENDED, TransactionStatus
from bsv_wallet_toolbox.provider.owned_tasks import CallerMark
from bsv_wallet_toolbox.provider.store import Store
from bsv_wallet_toolbox.storage.listing.list_actions import (
    ActionChange,
    ActionPage,
    ListedAction,
    changes_asked_for,
    list_actions,
)
from bsv_wallet_toolbox.storage.revival import ask_again
from bsv_wallet_toolbox.storage.transactions import find_by_reference
from bsv_wallet_toolbox.storage.users import UserScope

__all__ = ["AbortAction", "list_and_change"]

AbortAction = Callable[[ValidAbortAction], Awaitable[object]]


async def list_and_change(store: Store, scope: UserScope, args: ValidListActions, abort: AbortAction) -> ActionPage:
    """A page of actions; what its labels ask for is done to the actions of the page, and to no others.

    ``abort``: those not sent are aborted, newest first, since a newer one may spend what an older one made. One that
    can't be aborted is shown with the status it has. ``unfail``: the network is asked about the failed ones at once, by
    the monitor; they are shown as failed, which they are until it answers.
    """
    changes = changes_asked_for(args.labels)
    page = await store.engine.read(lambda tx: list_actions(tx, scope, args))
    if ActionChange.UNFAIL in changes:
        await _unfail(store, scope, page)
    if ActionChange.ABORT in changes:
        return await _abort(store, scope, page, abort)
    return page


async def _unfail(store: Store, scope: UserScope, page: ActionPage) -> None:
    references = [action.reference for action in page.actions if action.status is TransactionStatus.FAILED]

    async def work(mark: CallerMark) -> int:
        def commit(tx: Transaction) -> int:
            mark.check()
            return ask_again(tx, scope, references)

        return await store.engine.write(commit, name="unfail")

    if not references:
        return
    marked = await store.tasks.run(work)
    if marked:
        store.review_wanted()


async def _abort(store: Store, scope: UserScope, page: ActionPage, abort: AbortAction) -> ActionPage:
    held_back = [action.reference for action in page.actions if action.status is TransactionStatus.NOSEND]
    for reference in reversed(held_back):
        try:
            await abort(ValidAbortAction(reference))
        except (WERR_INVALID_PARAMETER, WERR_INVALID_OPERATION, WERR_BROADCAST_UNAVAILABLE):
            continue  # the status that is shown says so

    def read(tx: Transaction) -> dict[str, TransactionStatus]:
        found = (find_by_reference(tx, scope, reference) for reference in held_back)
        return {row.reference: row.status for row in found if row is not None}

    statuses = await store.engine.read(read)
    actions = (_with_status(action, statuses.get(action.reference, action.status)) for action in page.actions)
    return replace(page, actions=tuple(actions))


def _with_status(action: ListedAction, status: TransactionStatus) -> ListedAction:
    outputs = action.outputs
    if outputs is not None and status in ENDED:
        outputs = tuple(replace(output, is_spendable=False) for output in outputs)
    return replace(action, status=status, outputs=outputs)
