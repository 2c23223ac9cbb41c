"""The broadcast pipeline: BEEF from storage, posted, judged, written down. Used by foreground calls and the monitor.

Whoever calls holds the claim of every req's job: the durable intent stands before the first byte leaves. No network
call happens inside a database transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bsv_wallet_toolbox.database.transaction import Engine, Transaction
from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.interfaces.services import (
    PostAnswer,
    PostOutcome,
    TxNetworkStatus,
    UtxoStatus,
    WalletServices,
)
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, ReviewActionStatus, SendWithStatus
from bsv_wallet_toolbox.provider.proof_check import SearchOutcome, find_proof
from bsv_wallet_toolbox.provider.verdict import (
    Checks,
    Competitor,
    Verdict,
    VerdictKind,
    competitors_named,
    decide,
    needs_checks,
)
from bsv_wallet_toolbox.seams import Failpoint, failpoint
from bsv_wallet_toolbox.storage.ancestry import AncestryCache, beef_of
from bsv_wallet_toolbox.storage.notes import EvidenceKind
from bsv_wallet_toolbox.storage.outcomes import Ending, record_accepted, record_ended, record_unresolved
from bsv_wallet_toolbox.storage.transactions import UtxoEvidence
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.spv import verify_beef
from bsv_wallet_toolbox.transactions.tx import TransactionView, parse_transaction

__all__ = ["Broadcaster", "Posted"]

SOURCE = "broadcast"


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
        self._cache = cache

    async def post(self, txid: str, attempts: int = 0) -> Posted:
        """Send one claimed transaction with its ancestry and record what came of it.

        Everything the network does is a verdict. Raises WERR_INVALID_PARAMETER when its ancestry is incomplete here (a
        block was orphaned, for one) and what the database raises; nothing was sent then.
        """

        def read(tx: Transaction) -> Beef:
            return beef_of(tx, [txid], self._cache)

        beef = await self._engine.read(read)
        failpoint(Failpoint.BROADCAST_BEFORE_POST)
        answers = await self._answers(beef, txid)
        failpoint(Failpoint.BROADCAST_AFTER_POST)
        checks = await self._checks(beef, txid, answers) if needs_checks(answers) else None
        verdict = decide(answers, checks)
        await self._record(beef, txid, answers, checks, verdict, attempts)
        return Posted(txid, verdict)

    async def put_off(self, txid: str, attempts: int, reason: str) -> Posted:
        """Record that a claimed transaction could not be sent for a reason on our side; it is tried again."""
        await self._engine.write(lambda tx: record_unresolved(tx, txid, (), attempts, reason))
        return Posted(txid, Verdict(VerdictKind.RETRY, reason))

    async def _answers(self, beef: Beef, txid: str) -> list[PostAnswer]:
        try:
            answers = await self._services.post_beef(beef.to_bytes(), [txid])
        except Exception as error:  # noqa: BLE001  # a provider that fails in any way has not judged the transaction
            return [PostAnswer("services", txid, PostOutcome.UNAVAILABLE, text=type(error).__name__)]
        return [answer for answer in answers if answer.txid == txid]

    async def _checks(self, beef: Beef, txid: str, answers: Sequence[PostAnswer]) -> Checks:
        status = await self._services.get_status_for_txids([txid])
        view = beef.view(txid)
        assert view is not None  # beef_of put it there
        competitors = [
            await self._competitor(view, named, answers) for named in competitors_named(answers) if named != txid
        ]
        network_status = None
        if status.statuses is not None:
            network_status = status.statuses.get(txid, TxNetworkStatus.UNKNOWN)
        return Checks(network_status, tuple(competitors), _broken_rule(beef, txid))

    async def _competitor(self, view: TransactionView, named: str, answers: Sequence[PostAnswer]) -> Competitor:
        raw = await self._raw_competitor(named, answers)
        if raw is None or not set(raw.outpoints) & set(view.outpoints):
            return Competitor(named, conflicts=False, proven=False)
        search = await find_proof(self._services, named, raw.raw)
        holders = frozenset(answer.provider for answer in answers if named in answer.competing_txids)
        return Competitor(named, True, search.outcome is SearchOutcome.FOUND, holders)

    async def _raw_competitor(self, named: str, answers: Sequence[PostAnswer]) -> TransactionView | None:
        given = [raw for answer in answers for raw in answer.competing_raw_txs]
        if not given:
            fetched = (await self._services.get_raw_tx(named)).raw_tx
            given = [fetched] if fetched is not None else []
        for raw in given:
            try:
                view = parse_transaction(raw, "competingTx")
            except WalletError:
                continue
            if view.txid == named:
                return view
        return None

    async def _record(
        self,
        beef: Beef,
        txid: str,
        answers: Sequence[PostAnswer],
        checks: Checks | None,
        verdict: Verdict,
        attempts: int,
    ) -> None:
        ending = await self._ending(beef, txid, checks, verdict)

        def write(tx: Transaction) -> None:
            if verdict.kind is VerdictKind.ACCEPTED:
                record_accepted(tx, txid, answers, verdict.reason)
            elif ending is None:
                record_unresolved(tx, txid, answers, attempts, verdict.reason)
            else:
                record_ended(tx, txid, answers, ending)

        await self._engine.write(
            write,
            name="record verdict",
            before_commit=Failpoint.VERDICT_BEFORE_COMMIT,
            after_commit=Failpoint.VERDICT_AFTER_COMMIT,
        )

    async def _ending(self, beef: Beef, txid: str, checks: Checks | None, verdict: Verdict) -> Ending | None:
        if verdict.kind is VerdictKind.DOUBLE_SPEND:
            status, kind = ProvenTxReqStatus.DOUBLE_SPEND, EvidenceKind.DOUBLE_SPENT
        elif verdict.kind is VerdictKind.INVALID:
            status, kind = ProvenTxReqStatus.INVALID, EvidenceKind.REJECTED
        else:
            return None
        inputs = await self._seen_inputs(beef, txid)
        return Ending(status, kind, SOURCE, verdict.reason, verdict.competing_txids, inputs)

    async def _seen_inputs(self, beef: Beef, txid: str) -> UtxoEvidence:
        """Whether each outpoint the transaction spends is still there; what nobody answers is left out."""
        view = beef.view(txid)
        assert view is not None  # beef_of put it there
        seen: dict[tuple[str, int], tuple[UtxoStatus, str]] = {}
        for each in view.inputs:
            source = beef.view(each.txid)
            if source is None or each.vout >= source.output_count:
                continue
            status = await self._services.is_utxo(each.txid, each.vout, source.outputs[each.vout].locking_script)
            if status is not UtxoStatus.UNKNOWN:
                seen[each.txid, each.vout] = (status, "isUtxo")
        return seen


def _broken_rule(beef: Beef, txid: str) -> str | None:
    """What our own check holds against the transaction; the proofs of its ancestors are not in question here."""
    try:
        verify_beef(beef, txid, lambda _root, _height: True)
    except WalletError as error:
        return error.message
    return None
