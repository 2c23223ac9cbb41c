"""Stored ancestries of payments that came unproven: renewed when a block that proved one of them is orphaned."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field

import orjson

from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.monitor.isolation import for_each
from bsv_wallet_toolbox.monitor.tasks.task import TaskRun
from bsv_wallet_toolbox.provider.ancestry_search import AncestrySearch
from bsv_wallet_toolbox.provider.network_work import NetworkWork
from bsv_wallet_toolbox.storage.ancestry import StoredAncestry
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import parse_transaction

__all__ = ["AncestryWatch", "doubt_delay", "review_ancestries"]

_log = logging.getLogger("bsv_wallet_toolbox.monitor")

_PAGE = 20
_MINUTE = 60_000
_DELAYS = (10 * _MINUTE, 20 * _MINUTE, 40 * _MINUTE)
_HOURLY = 60 * _MINUTE


def doubt_delay(tries: int) -> int:
    """Milliseconds until what is in doubt is looked at again: 10, 20, 40 minutes, then hourly, for ever."""
    return _DELAYS[tries] if tries < len(_DELAYS) else _HOURLY


@dataclass(frozen=True, slots=True)
class AncestryWatch:
    """How far ancestries are known to stand: those of reqs up to id ``through``, since the last orphaned block.

    ``settled`` is the height at which that was looked at, ``tries`` how often in a row something could not be renewed,
    ``again`` when that is tried next if no header comes before.
    """

    orphanings: int = 0
    through: int = 0
    settled: int = -1
    tries: int = 0
    again: int = 0

    def is_due(self, orphanings: int, settled: int, now: int) -> bool:
        return (orphanings, settled) != (self.orphanings, self.settled) or (self.tries > 0 and now >= self.again)

    def to_text(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_text(cls, text: str | None) -> AncestryWatch:
        """The watch that :meth:`to_text` wrote; of None, one that has seen nothing."""
        return cls() if text is None else cls(**orjson.loads(text))


@dataclass(slots=True)
class _Findings:
    renewed: int = 0
    failed: int = 0
    open_ids: set[int] = field(default_factory=set)
    """Reqs that have to be looked at again even if no block is orphaned until then."""


async def review_ancestries(work: NetworkWork, run: TaskRun, search: AncestrySearch, settled: int, limit: int) -> str:
    """Look at what came since the last look, at everything when a block was orphaned; what was done in a few words.

    An ancestry that can't be renewed stays as it is until the next header or the next delay.
    """
    now, orphanings = work.clock.now(), await work.orphanings()
    watch = AncestryWatch.from_text(run.lease.cursor)
    if not watch.is_due(orphanings, settled, now):
        return ""
    through = watch.through if orphanings == watch.orphanings else 0
    req_ids = await work.reqs_shown_with_ancestry(through)
    found = _Findings()

    async def review(ancestry: StoredAncestry) -> None:
        found.open_ids.add(ancestry.req_id)
        await _review(work, run, search, ancestry, found)

    for start in range(0, len(req_ids), _PAGE):
        failures = await for_each(await work.ancestries(req_ids[start : start + _PAGE]), review, limit=limit)
        found.failed += len(failures)
        run.failed(failures)
    through = min(found.open_ids) - 1 if found.open_ids else max(req_ids, default=through)
    tries = watch.tries + 1 if found.failed else 0
    seen = AncestryWatch(orphanings, through, settled, tries, now + doubt_delay(watch.tries) if found.failed else 0)
    await work.save_cursor(run.lease, seen.to_text())
    if not found.renewed and not found.failed:
        return ""
    return f"{found.renewed} ancestries renewed, {found.failed} can't be yet"


async def _review(
    work: NetworkWork, run: TaskRun, search: AncestrySearch, ancestry: StoredAncestry, found: _Findings
) -> None:
    try:
        view = parse_transaction(ancestry.raw_tx, "rawTx")
        stored = Beef.parse(ancestry.beef, "inputBEEF")
        stored.merge_transaction(view)
        if await search.stands(stored, view.txid):
            if search.is_settled(stored, view.txid):
                found.open_ids.discard(ancestry.req_id)
            return
        renewed = await search.renew(view, stored)
    except WalletError as error:
        _log.info("the ancestry of %s could not be renewed: %s %s", ancestry.txid, error.name, error.message)
        found.failed += 1
        return
    await work.replace_ancestry(run.lease, ancestry, renewed)
    found.renewed += 1
