"""What a call posts itself, after its commit: the results that its caller is told, whatever the network does."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.interfaces.storage import ProcessActionResult, ReviewActionResult, SendWithResult
from bsv_wallet_toolbox.provider.broadcast import Posted
from bsv_wallet_toolbox.provider.store import Store
from bsv_wallet_toolbox.provider.verdict import Verdict, VerdictKind
from bsv_wallet_toolbox.storage.sharing import Shared

__all__ = ["Sending", "result_of", "review_of"]

_log = logging.getLogger("bsv_wallet_toolbox.provider")


class Sending:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def send(
        self, shared: Shared, txid: str | None, named: Sequence[str], is_delayed: bool
    ) -> ProcessActionResult:
        """Post what is claimed, or wake the monitor; results for the txids in ``named``, in their order."""
        if is_delayed:
            self._store.work_arrived()
        posted = await self.post(shared.to_post) if shared.to_post else []
        statuses = shared.known | {each.txid: each.send_with_status for each in posted}
        results = tuple(SendWithResult(each, statuses[each]) for each in dict.fromkeys(named))
        return ProcessActionResult(txid, results, tuple(_review(each) for each in posted) or None)

    async def post(self, txids: Sequence[str]) -> list[Posted]:
        """Send what is committed and claimed. The actions stand whatever happens here, so nothing is raised.

        Without a recorded verdict the claim runs out and the monitor sends it again.
        """
        try:
            return await self._post_or_put_off(txids)
        except Exception as error:  # noqa: BLE001  # an error here, without the txid, would make the caller pay again
            _log.exception("sending %s was not finished; the monitor takes it up again", ", ".join(txids))
            return [Posted(txid, Verdict(VerdictKind.RETRY, type(error).__name__)) for txid in txids]

    async def _post_or_put_off(self, txids: Sequence[str]) -> list[Posted]:
        broadcaster = self._store.broadcaster
        try:
            return await broadcaster.post_batch(txids, self._store.owner)
        except WERR_INVALID_PARAMETER as error:
            if len(txids) == 1:
                return [await broadcaster.put_off(txids[0], 0, error.message)]
        return [posted for txid in txids for posted in await self._post_or_put_off([txid])]


def result_of(posted: Posted) -> ProcessActionResult:
    """What became of one transaction that was posted at once."""
    return ProcessActionResult(posted.txid, (SendWithResult(posted.txid, posted.send_with_status),), (_review(posted),))


def _review(posted: Posted) -> ReviewActionResult:
    return ReviewActionResult(posted.txid, posted.review_status, posted.verdict.competing_txids)


def review_of(result: ProcessActionResult) -> WERR_REVIEW_ACTIONS:
    """The error by which a caller is told that something it sent needs a look."""
    return WERR_REVIEW_ACTIONS(
        [each.to_json() for each in result.not_delayed_results or ()],
        [each.to_json() for each in result.send_with_results],
        result.txid,
    )
