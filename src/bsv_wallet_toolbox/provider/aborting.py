"""abortAction: an action is given up only where nothing can have come of it.

One that was never signed exists nowhere else. One that was held back (noSend) was handed to its maker, who may have
given it to anybody: it is given up when the network says that it does not know it, and its coins are free once the
network says that they are unspent.
"""

from __future__ import annotations

from collections.abc import Callable

from bsv_wallet_toolbox.brc100.actions import ValidAbortAction
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_BROADCAST_UNAVAILABLE, WERR_INVALID_OPERATION
from bsv_wallet_toolbox.interfaces.services import TxNetworkStatus
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus
from bsv_wallet_toolbox.provider.owned_tasks import CallerMark
from bsv_wallet_toolbox.provider.store import Store
from bsv_wallet_toolbox.seams import Failpoint
from bsv_wallet_toolbox.storage.outcomes import record_accepted
from bsv_wallet_toolbox.storage.pending_actions import abort_held_back, abort_unsigned, find_abortable, not_abortable
from bsv_wallet_toolbox.storage.sharing import activate_ancestors
from bsv_wallet_toolbox.storage.transactions import TransactionRow, UtxoEvidence
from bsv_wallet_toolbox.storage.users import UserScope

__all__ = ["Aborting"]


class Aborting:
    def __init__(self, store: Store, scope: UserScope) -> None:
        self._store = store
        self._scope = scope

    async def abort(self, args: ValidAbortAction, originator: str | None) -> None:
        row = await self._store.engine.read(lambda tx: find_abortable(tx, self._scope, args.reference, originator))
        if row.status is TransactionStatus.NOSEND:
            await self._abort_held_back(row)
        elif not await self._write(lambda tx: abort_unsigned(tx, row)):
            raise not_abortable()

    async def _abort_held_back(self, row: TransactionRow) -> None:
        txid = row.txid or ""
        answer = await self._store.services.get_status_for_txids([txid])
        status = None if answer.statuses is None else answer.statuses.get(txid)
        if status is None:
            raise WERR_BROADCAST_UNAVAILABLE(
                "Nobody could say whether the network has this action, so it stays as it is. Try again later."
            )
        if status is not TxNetworkStatus.UNKNOWN:

            def accepted(tx: Transaction) -> bool:
                activate_ancestors(tx, row)
                return record_accepted(tx, txid, (), f"{answer.provider}: {status}")

            await self._write(accepted)
            raise WERR_INVALID_OPERATION(f"The network has this action already ({status}): it can't be aborted.")
        seen: UtxoEvidence = await self._store.broadcaster.seen_inputs(txid)
        if not await self._write(lambda tx: abort_held_back(tx, row, seen)):
            raise not_abortable()

    async def _write(self, operation: Callable[[Transaction], bool]) -> bool:
        async def work(mark: CallerMark) -> bool:
            def commit(tx: Transaction) -> bool:
                mark.check()
                return operation(tx)

            return await self._store.engine.write(
                commit,
                name="abortAction",
                before_commit=Failpoint.ABORT_BEFORE_COMMIT,
                after_commit=Failpoint.ABORT_AFTER_COMMIT,
            )

        return await self._store.tasks.run(work)
