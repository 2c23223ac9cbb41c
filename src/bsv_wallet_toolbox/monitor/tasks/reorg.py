"""Reorg: proves anew what was proven by blocks that left the active chain, and finds the ancestry of what is not."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.interfaces.services import TxNetworkStatus
from bsv_wallet_toolbox.monitor.ancestry_review import doubt_delay, review_ancestries
from bsv_wallet_toolbox.monitor.isolation import for_each
from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.check_for_proofs import STATUS_BATCH
from bsv_wallet_toolbox.monitor.tasks.new_header import settled_height
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun
from bsv_wallet_toolbox.monitor.trigger import Trigger
from bsv_wallet_toolbox.provider.ancestry_search import AncestrySearch
from bsv_wallet_toolbox.provider.network_work import NetworkWork
from bsv_wallet_toolbox.provider.proof_check import find_proof
from bsv_wallet_toolbox.storage.proofs import Suspect
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import parse_transaction

__all__ = ["Reorg"]

_log = logging.getLogger("bsv_wallet_toolbox.monitor")

_PAGE = 100


class Reorg(MonitorTask):
    """Doubted proofs are looked for at once, at every settled header, and after growing delays.

    What the network still knows is kept as it is if it can be shown with its ancestors. What came with nothing but its
    proof gets a req with its ancestry, found and verified again, and waits for a proof as if it had never been mined.
    What the network does not know when ``unknown_blocks`` blocks stand above the lost one is sent again; a coinbase and
    what spends it can't come back and end. Then the ancestries that payments brought with them are reviewed.
    """

    name = "Reorg"
    leased = True

    def __init__(self, work: NetworkWork, options: MonitorOptions, sends: Trigger) -> None:
        super().__init__(options.reorg_poll)
        self._work = work
        self._concurrency = options.proof_concurrency
        self._unknown_blocks = options.unknown_blocks
        self._sends = sends

    async def run(self, run: TaskRun) -> str:
        settled = await settled_height(self._work)
        if settled is None:
            return ""
        search = AncestrySearch(self._work.services, settled)
        proofs = await self._review_proofs(run, search, settled)
        ancestries = await review_ancestries(self._work, run, search, settled, self._concurrency)
        return "; ".join(done for done in (proofs, ancestries) if done)

    async def _review_proofs(self, run: TaskRun, search: AncestrySearch, settled: int) -> str:
        suspects = await self._work.due_suspects(_PAGE)
        unproven: list[Suspect] = []
        proven = 0

        async def prove(suspect: Suspect) -> None:
            nonlocal proven
            found = await self._prove(run, suspect, settled)
            proven += found is True
            if found is False:
                unproven.append(suspect)

        run.failed(await for_each(suspects, prove, limit=self._concurrency))
        demoted = 0
        for start in range(0, len(unproven), STATUS_BATCH):
            demoted += await self._judge(run, search, unproven[start : start + STATUS_BATCH], settled)
        if demoted:
            self._sends.fire()
        if len(suspects) == _PAGE and not run.failures:
            self.trigger.fire()
        if not suspects:
            return ""
        return f"{len(suspects)} proofs in doubt: {proven} proven again, {demoted} lost"

    async def _prove(self, run: TaskRun, suspect: Suspect, settled: int) -> bool | None:
        """Whether it is proven again; None when it is by a block that has not settled yet."""
        if suspect.raw_tx is None:
            return False
        search = await find_proof(self._work.services, suspect.txid, suspect.raw_tx)
        if search.proof is None:
            return False
        if search.proof.header.height > settled:
            await self._work.put_off_suspects(run.lease, [(suspect, doubt_delay(suspect.tries))])
            return None
        await self._work.prove_again(run.lease, search.proof)
        return True

    async def _judge(self, run: TaskRun, search: AncestrySearch, suspects: Sequence[Suspect], settled: int) -> int:
        """Keep what nobody can tell about, reopen what the network has, demote what it lost. How many were demoted."""
        answer = await self._work.services.get_status_for_txids([suspect.txid for suspect in suspects])
        statuses: Mapping[str, TxNetworkStatus] = answer.statuses or {}
        kept: list[Suspect] = []
        bare: list[Suspect] = []
        lost: list[Suspect] = []
        for suspect in suspects:
            match statuses.get(suspect.txid):
                case TxNetworkStatus.UNKNOWN if settled - suspect.height >= self._unknown_blocks:
                    lost.append(suspect)
                case TxNetworkStatus.KNOWN | TxNetworkStatus.MINED if not suspect.has_req:
                    bare.append(suspect)
                case _:
                    kept.append(suspect)
        await self._work.put_off_suspects(run.lease, [(each, doubt_delay(each.tries)) for each in kept])
        demoted = 0

        async def reopen(suspect: Suspect) -> None:
            ancestry = await _ancestry(search, suspect)
            delay = doubt_delay(suspect.tries)
            if ancestry is None:
                await self._work.put_off_suspects(run.lease, [(suspect, delay)])
            else:
                await self._work.reopen(run.lease, suspect, ancestry, answer.provider, delay)

        async def demote(suspect: Suspect) -> None:
            nonlocal demoted
            ancestry = None if suspect.has_req else await _ancestry(search, suspect)
            demoted += await self._work.demote(run.lease, suspect, ancestry, doubt_delay(suspect.tries))

        run.failed(await for_each(bare, reopen, limit=self._concurrency))
        run.failed(await for_each(lost, demote, limit=1))
        return demoted


async def _ancestry(search: AncestrySearch, suspect: Suspect) -> bytes | None:
    """Verified BEEF of a transaction that came with its proof only; None when it can't be had now, or ever."""
    try:
        view = parse_transaction(suspect.raw_tx or b"", "rawTx")
        return None if view.inputs[0].is_coinbase else await search.renew(view, Beef())
    except WalletError as error:
        _log.info("the ancestry of %s could not be found: %s %s", suspect.txid, error.name, error.message)
        return None
