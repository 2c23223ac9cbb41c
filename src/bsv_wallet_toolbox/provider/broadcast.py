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
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, ReviewActionStatus, SendWithStatus
from bsv_wallet_toolbox.provider.inquiry import Inquiry
from bsv_wallet_toolbox.provider.verdict import Checks, Verdict, VerdictKind, decide, needs_checks
from bsv_wallet_toolbox.seams import Failpoint, failpoint
from bsv_wallet_toolbox.storage.ancestry import AncestryCache, beef_of
from bsv_wallet_toolbox.storage.notes import EvidenceKind
from bsv_wallet_toolbox.storage.outcomes import Ending, record_accepted, record_ended, record_unresolved
from bsv_wallet_toolbox.transactions.beef import Beef

__all__ = ["Broadcaster", "Posted"]

SOURCE = "broadcast"
_ENDINGS = frozenset({VerdictKind.DOUBLE_SPEND, VerdictKind.INVALID})
POST_SECONDS = 60.0
"""All asking of the network about one transaction ends by then: well before its claim runs out."""


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

        def read(tx: Transaction) -> Beef:
            return beef_of(tx, [txid], self._cache)

        beef = await self._engine.read(read)
        failpoint(Failpoint.BROADCAST_BEFORE_POST)
        answers = [PostAnswer("services", txid, PostOutcome.UNAVAILABLE, text="no answer in time")]
        checks: Checks | None = None
        ending: Ending | None = None
        with anyio.move_on_after(POST_SECONDS):
            answers = await self._answers(beef, txid)
            failpoint(Failpoint.BROADCAST_AFTER_POST)
            if needs_checks(answers):
                checks = await self._inquiry.checks(beef, txid, answers, attempts)
            ending = await self._ending(beef, txid, checks, decide(answers, checks))
        verdict = decide(answers, checks)
        recorded = await self._record(txid, claimant, answers, verdict, ending, attempts)
        if verdict.kind in _ENDINGS and not recorded:
            verdict = Verdict(VerdictKind.HOLD, f"{verdict.reason}, but not settled in time", verdict.competing_txids)
        return Posted(txid, verdict)

    async def put_off(self, txid: str, attempts: int, reason: str) -> Posted:
        """Record that a claimed transaction could not be sent for a reason on our side; it is tried again."""
        await self._engine.write(
            lambda tx: record_unresolved(tx, txid, (), attempts, reason),
            before_commit=Failpoint.VERDICT_BEFORE_COMMIT,
            after_commit=Failpoint.VERDICT_AFTER_COMMIT,
        )
        return Posted(txid, Verdict(VerdictKind.RETRY, reason))

    async def _answers(self, beef: Beef, txid: str) -> list[PostAnswer]:
        try:
            answers = await self._services.post_beef(beef.to_bytes(), [txid])
        except Exception as error:  # noqa: BLE001  # a provider that fails in any way has not judged the transaction
            return [PostAnswer("services", txid, PostOutcome.UNAVAILABLE, text=type(error).__name__)]
        return [answer for answer in answers if answer.txid == txid]

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
        """Write the verdict down; False when it was an ending that may not be written any more."""

        def write(tx: Transaction) -> bool:
            if verdict.kind is VerdictKind.ACCEPTED:
                return record_accepted(tx, txid, answers, verdict.reason)
            if ending is not None:
                return record_ended(tx, txid, answers, ending, claimant)
            refused = verdict.kind is not VerdictKind.RETRY
            record_unresolved(tx, txid, answers, attempts, verdict.reason, refused=refused)
            return False

        return await self._engine.write(
            write,
            name="record verdict",
            before_commit=Failpoint.VERDICT_BEFORE_COMMIT,
            after_commit=Failpoint.VERDICT_AFTER_COMMIT,
        )
