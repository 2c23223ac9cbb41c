"""What the owner does to coins through two reserved baskets of listOutputs: set what change to make, find lost coins.

The network is asked outside any database transaction, and only "spent" is an answer: a coin that nobody could say
anything about stays as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bsv_wallet_toolbox.brc100.outputs import ValidListOutputs, change_parameters
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.interfaces.services import UtxoStatus, WalletServices
from bsv_wallet_toolbox.provider.owned_tasks import CallerMark
from bsv_wallet_toolbox.provider.store import Store
from bsv_wallet_toolbox.storage.baskets import set_change_parameters
from bsv_wallet_toolbox.storage.change_review import (
    BelievedUnspent,
    baskets_to_review,
    believed_unspent,
    write_off_spent,
)
from bsv_wallet_toolbox.storage.listing.list_outputs import OutputPage, page_of_outputs
from bsv_wallet_toolbox.storage.users import UserScope

__all__ = ["review_change", "store_change_parameters"]

ALL_TAG = "all"
RELEASE_TAG = "release"

_AT_ONCE = 12
_PAGE = 600
_RELEASED_TOGETHER = 100
"""Of one database transaction: others wait while it is written."""


async def store_change_parameters(store: Store, scope: UserScope, args: ValidListOutputs) -> OutputPage:
    """Basket SET_CHANGE_PARAMS_ID: the two tags say how many outputs of change to keep, and of what least value.

    Answers an empty page. WERR_INVALID_PARAMETER unless both are decimal and within bounds.
    """
    parameters = change_parameters(args.tags)

    async def work(mark: CallerMark) -> None:
        def commit(tx: Transaction) -> None:
            set_change_parameters(tx, scope, parameters)
            mark.check()

        await store.engine.write(commit, name="set change parameters")

    await store.tasks.run(work)
    return OutputPage(0)


async def review_change(store: Store, scope: UserScope, args: ValidListOutputs) -> OutputPage:
    """Basket INVALID_CHANGE_ID: the change that the network says is spent; all of it, whatever limit and offset are.

    Tag ``all``: of every basket. Tag ``release``: put out of use what was found, which the page then shows as not
    spendable. Outputs of transactions that are not accepted, and those without a script, are not asked about.
    """
    spent: list[BelievedUnspent] = []
    baskets = await store.engine.read(lambda tx: baskets_to_review(tx, scope, every=ALL_TAG in args.tags))
    for basket_id in baskets:
        after = 0
        while outputs := await _believed_unspent(store, scope, basket_id, after):
            after = outputs[-1].output_id
            spent += await _seen_spent(store.services, outputs)
    spent.sort(key=lambda output: output.output_id)
    page = await store.engine.read(
        lambda tx: page_of_outputs(tx, scope, args, len(spent), [output.row for output in spent], store.cache)
    )
    if RELEASE_TAG not in args.tags or not spent:
        return page
    released = await _release(store, scope, [output.output_id for output in spent])
    shown = zip(page.outputs, spent, strict=True)
    return replace(
        page, outputs=tuple(replace(each, is_spendable=output.output_id not in released) for each, output in shown)
    )


async def _believed_unspent(store: Store, scope: UserScope, basket_id: int, after: int) -> list[BelievedUnspent]:
    return await store.engine.read(lambda tx: believed_unspent(tx, scope, basket_id, after, _PAGE))


async def _seen_spent(services: WalletServices, outputs: Sequence[BelievedUnspent]) -> list[BelievedUnspent]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def is_spent(output: BelievedUnspent) -> bool:
        if output.locking_script is None:
            return False
        async with gate:
            try:
                status = await services.is_utxo(output.txid, output.vout, output.locking_script)
            except Exception:  # noqa: BLE001  # whatever a service raises, it has not said that the coin is spent
                return False
        return status is UtxoStatus.SPENT

    found = await asyncio.gather(*(is_spent(output) for output in outputs))
    return [output for output, gone in zip(outputs, found, strict=True) if gone]


async def _release(store: Store, scope: UserScope, output_ids: Sequence[int]) -> set[int]:
    """Ids of those that are out of use now: one that was spent while the network was asked is left as it is."""

    async def work(mark: CallerMark) -> set[int]:
        released: set[int] = set()
        for start in range(0, len(output_ids), _RELEASED_TOGETHER):
            batch = output_ids[start : start + _RELEASED_TOGETHER]

            def commit(tx: Transaction, batch: Sequence[int] = batch) -> list[int]:
                mark.check()
                gone = write_off_spent(tx, scope, batch, "isUtxo")
                store.counts.spent(scope, len(gone))
                return gone

            released.update(await store.engine.write(commit, name="release spent change"))
        return released

    return await store.tasks.run(work)
