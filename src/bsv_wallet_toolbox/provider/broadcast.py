"""The broadcast pipeline: BEEF from storage, posted, judged, written down. Used by foreground calls and the monitor.

Whoever calls holds the claim of every req's job: the durable intent stands before the first byte leaves. No network
call happens inside a database transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from bsv_wallet_toolbox.database.transaction import Engine, Transaction
from bsv_wallet_toolbox.interfaces.services import PostAnswer, PostOutcome, WalletServices
from bsv_wallet_toolbox.interfaces.statuses import (
    REQ_WAS_BROADCAST,
    ProvenTxReqStatus,
    ReviewActionStatus,
    SendWithStatus,
)
from bsv_wallet_toolbox.provider.inquiry import Inquiry
from bsv_wallet_toolbox.provider.verdict import Checks, Verdict, VerdictKind, decide, needs_checks
from bsv_wallet_toolbox.seams import Failpoint, failpoint
from bsv_wallet_toolbox.storage.ancestry import AncestryCache, AncestryTooLarge, beef_of
from bsv_wallet_toolbox.storage.notes import EvidenceKind
from bsv_wallet_toolbox.storage.outcomes import Ending, record_accepted, record_ended, record_unresolved
from bsv_wallet_toolbox.storage.reqs import find_req
from bsv_wallet_toolbox.storage.transactions import UtxoEvidence
from bsv_wallet_toolbox.transactions.beef import Beef

__all__ = ["Broadcaster", "Posted"]

SOURCE = "broadcast"
_ENDINGS = frozenset({VerdictKind.DOUBLE_SPEND, VerdictKind.INVALID})
POST_SECONDS = 40.0
"""Posting ends by then, and all asking about what was posted in as much again: well before a claim runs out."""
_NO_ANSWER = "no answer in time"


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of one txid."""

    txid: str
    verdict: Verdict

    @property
    def send_with_status(self) -> SendWithStatus:
        match self.verdict.kind:
            case VerdictKind.ACCEPTED:
                return SendWithStatus.UNPROVEN
            case VerdictKind.RETRY | VerdictKind.HOLD:
                return SendWithStatus.SENDING
            case _:
                return SendWithStatus.FAILED

    @property
    def review_status(self) -> ReviewActionStatus:
        match self.verdict.kind:
            case VerdictKind.ACCEPTED:
                return ReviewActionStatus.SUCCESS
            case VerdictKind.DOUBLE_SPEND:
                return ReviewActionStatus.DOUBLE_SPEND
            case VerdictKind.INVALID:
                return ReviewActionStatus.INVALID_TX
            case _:
                return ReviewActionStatus.SERVICE_ERROR


class Broadcaster:
    def __init__(self, engine: Engine, services: WalletServices, cache: AncestryCache) -> None:
        self._engine = engine
        self._services = services
        self._inquiry = Inquiry(services)
        self._cache = cache

    async def post(self, txid: str, claimant: str, attempts: int = 0) -> Posted:
        """Send a transaction that ``claimant`` has claimed, with its ancestry, and record what came of it.

        Everything the network does is a verdict. Raises WERR_INVALID_PARAMETER when its ancestry is incomplete here (a
        block was orphaned, for one; nothing was sent then) and what the database raises.
        """
        (posted,) = await self.post_batch([txid], claimant, attempts)
        return posted

    async def post_batch(self, txids: Sequence[str], claimant: str, attempts: int = 0) -> list[Posted]:
        """As :meth:`post`, for several in one BEEF, parents before children; one by one where that would be too large.

        Each gets a verdict of its own.
        """

        def read(tx: Transaction) -> Beef:
            return beef_of(tx, txids, self._cache)

        try:
            beef = await self._engine.read(read)
        except AncestryTooLarge:
            if len(txids) == 1:
                raise
            return [await self.post(txid, claimant, attempts) for txid in txids]
        failpoint(Failpoint.BROADCAST_BEFORE_POST)
        answers = {txid: [PostAnswer("services", txid, PostOutcome.UNAVAILABLE, text=_NO_ANSWER)] for txid in txids}
        with anyio.move_on_after(POST_SECONDS):
            answers = await self._answers(beef, txids)
            failpoint(Failpoint.BROADCAST_AFTER_POST)
        deadline = anyio.current_time() + POST_SECONDS
        return [await self._settle(beef, txid, claimant, answers[txid], attempts, deadline) for txid in txids]

    async def _settle(
        self, beef: Beef, txid: str, claimant: str, answers: list[PostAnswer], attempts: int, deadline: float
    ) -> Posted:
        """Judge one transaction, after asking more where the answers leave something open, and write it down."""
        checks: Checks | None = None
        ending: Ending | None = None
        with anyio.CancelScope(deadline=deadline):
            if needs_checks(answers):
                checks = await self._inquiry.checks(beef, txid, answers, attempts)
            ending = await self._ending(beef, txid, checks, decide(answers, checks))
        verdict = decide(answers, checks)
        recorded = await self._record(txid, claimant, answers, verdict, ending, attempts)
        if not recorded:
            verdict = await self._engine.read(lambda tx: _settled_otherwise(tx, txid, verdict))
        return Posted(txid, verdict)

    async def seen_inputs(self, txid: str) -> UtxoEvidence:
        """What the network says of the outputs that a transaction of this store spends."""
        beef = await self._engine.read(lambda tx: beef_of(tx, [txid], self._cache))
        return await self._inquiry.seen_inputs(beef, txid, None)

    async def put_off(self, txid: str, attempts: int, reason: str) -> Posted:
        """Record that a claimed transaction could not be sent for a reason on our side; it is tried again."""
        await self._engine.write(
            lambda tx: record_unresolved(tx, txid, (), attempts, reason),
            before_commit=Failpoint.VERDICT_BEFORE_COMMIT,
            after_commit=Failpoint.VERDICT_AFTER_COMMIT,
        )
        return Posted(txid, Verdict(VerdictKind.RETRY, reason))

    async def _answers(self, beef: Beef, txids: Sequence[str]) -> dict[str, list[PostAnswer]]:
        try:
            answers = await self._services.post_beef(beef.to_bytes(), list(txids))
        except Exception as error:  # noqa: BLE001  # a provider that fails in any way has not judged the transaction
            why = type(error).__name__
            return {txid: [PostAnswer("services", txid, PostOutcome.UNAVAILABLE, text=why)] for txid in txids}
        return {txid: [answer for answer in answers if answer.txid == txid] for txid in txids}

    async def _ending(self, beef: Beef, txid: str, checks: Checks | None, verdict: Verdict) -> Ending | None:
        if verdict.kind is VerdictKind.DOUBLE_SPEND:
            status, kind = ProvenTxReqStatus.DOUBLE_SPEND, EvidenceKind.DOUBLE_SPENT
        elif verdict.kind is VerdictKind.INVALID:
            status, kind = ProvenTxReqStatus.INVALID, EvidenceKind.REJECTED
        else:
            return None
        inputs = await self._inquiry.seen_inputs(beef, txid, checks)
        return Ending(status, kind, SOURCE, verdict.reason, verdict.competing_txids, inputs)

    async def _record(
        self,
        txid: str,
        claimant: str,
        answers: Sequence[PostAnswer],
        verdict: Verdict,
        ending: Ending | None,
        attempts: int,
    ) -> bool:
        """Write the verdict down; False when something else was settled meanwhile, or the claim has run out."""

        def write(tx: Transaction) -> bool:
            if verdict.kind is VerdictKind.ACCEPTED:
                return record_accepted(tx, txid, answers, verdict.reason)
            if ending is not None:
                return record_ended(tx, txid, answers, ending, claimant)
            refused = verdict.kind is not VerdictKind.RETRY
            return record_unresolved(tx, txid, answers, attempts, verdict.reason, refused=refused)

        return await self._engine.write(
            write,
            name="record verdict",
            before_commit=Failpoint.VERDICT_BEFORE_COMMIT,
            after_commit=Failpoint.VERDICT_AFTER_COMMIT,
        )


def _settled_otherwise(tx: Transaction, txid: str, verdict: Verdict) -> Verdict:
    """What became of a transaction whose verdict could not be written: it ended with its parent, or was proven."""
    req = find_req(tx, txid)
    if req is not None and req.status in REQ_WAS_BROADCAST:
        return Verdict(VerdictKind.ACCEPTED, "known to the store")
    if req is not None and req.status is ProvenTxReqStatus.DOUBLE_SPEND:
        return Verdict(VerdictKind.DOUBLE_SPEND, "ended meanwhile", verdict.competing_txids)
    if req is not None and req.status is ProvenTxReqStatus.INVALID:
        return Verdict(VerdictKind.INVALID, "ended with what it builds on")
    if verdict.kind in _ENDINGS:
        return Verdict(VerdictKind.HOLD, f"{verdict.reason}, but not settled in time", verdict.competing_txids)
    return verdict
