"""What is found out about a transaction that a provider refused: does the network have it, who competes, what is left.

Nothing here raises for what happens outside: a service that fails in any way has told nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.interfaces.services import (
    PostAnswer,
    RawTxAnswer,
    TxNetworkStatus,
    TxStatusAnswer,
    UtxoAnswer,
    UtxoStatus,
    WalletServices,
)
from bsv_wallet_toolbox.provider.incoming import broken_rule
from bsv_wallet_toolbox.provider.proof_check import SearchOutcome, find_proof
from bsv_wallet_toolbox.provider.verdict import (
    MAX_COMPETITORS,
    Checks,
    Competitor,
    competitors_named,
    lacks_parents,
    some_refused,
)
from bsv_wallet_toolbox.storage.transactions import UtxoEvidence
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import TransactionView, parse_transaction

__all__ = ["Inquiry"]

T = TypeVar("T")

MAX_ANCESTORS = 24
MAX_OUTPOINTS = 100
"""Of unproven ancestors that the network lacks: payers decide how many there are. More have to wait for their turn."""
_AT_ONCE = 10


async def _told(call: Awaitable[T], nothing: T) -> T:
    try:
        return await call
    except Exception:  # noqa: BLE001  # whatever a service raises, it has not answered
        return nothing


class Inquiry:
    def __init__(self, services: WalletServices) -> None:
        self._services = services

    async def checks(self, beef: Beef, txid: str, answers: Sequence[PostAnswer], attempts: int = 0) -> Checks:
        """Ask about a transaction that nobody accepted. ``beef`` holds it with its ancestry.

        After as many fruitless ``attempts``: what is too much for one round is asked about in turn.
        """
        view = _view(beef, txid)
        network_status = (await self._statuses([txid])).get(txid)
        given = _transactions_given(answers)
        named = [each for each in competitors_named(answers) if each != txid]
        competitors = [await self._competitor(view, each, answers, given) for each in named]
        if lacks_parents(answers) and network_status is TxNetworkStatus.UNKNOWN:
            competitors += await self._spenders(beef, txid, attempts)
        breaks_rule = await broken_rule(beef, txid) if some_refused(answers) else None
        return Checks(network_status, tuple(competitors), breaks_rule)

    async def _statuses(self, txids: Sequence[str]) -> Mapping[str, TxNetworkStatus]:
        """What was told; a txid that is missing was not told about."""
        nothing = TxStatusAnswer("services", None, error="failed")
        return (await _told(self._services.get_status_for_txids(txids), nothing)).statuses or {}

    async def _competitor(
        self, view: TransactionView, named: str, answers: Sequence[PostAnswer], given: Mapping[str, TransactionView]
    ) -> Competitor:
        raw = given.get(named) or await self._fetched(named)
        contested = _outpoints(raw) & _outpoints(view) if raw is not None else frozenset()
        if raw is None or not contested:
            return Competitor(named, frozenset(), proven=False)
        search = await find_proof(self._services, named, raw.raw)
        holders = frozenset(answer.provider for answer in answers if named in answer.competing_txids)
        return Competitor(named, contested, search.outcome is SearchOutcome.FOUND, holders)

    async def _fetched(self, txid: str) -> TransactionView | None:
        raw = (await _told(self._services.get_raw_tx(txid), RawTxAnswer("services", txid))).raw_tx
        view = _parsed(raw) if raw is not None else None
        return view if view is not None and view.txid == txid else None

    async def _spenders(self, beef: Beef, txid: str, attempts: int) -> list[Competitor]:
        """Proven transactions that spend what ``txid``, or an unproven ancestor that the network lacks, spends too.

        Found through the outpoints, because a network that has mined the spender names no competitor: what it spent is
        simply not there any more. At most one, with a bounded number of questions.
        """
        ancestors = [each for each in beef.ancestors(txid) if each != txid and beef.merkle_path(each) is None]
        asked = _turn(ancestors, MAX_ANCESTORS, attempts)
        statuses = await self._statuses(asked) if asked else {}
        lost = [txid, *(each for each in asked if statuses.get(each) is TxNetworkStatus.UNKNOWN)]
        outpoints = [
            (each, spent.txid, spent.vout)
            for each in lost
            for spent in _view(beef, each).inputs
            if spent.txid not in lost  # what was never created is spent by nobody
        ]
        turn = _turn(outpoints, MAX_OUTPOINTS, attempts)
        for start in range(0, len(turn), _AT_ONCE):
            group = turn[start : start + _AT_ONCE]
            spenders = await asyncio.gather(*(self._spender(beef, *outpoint) for outpoint in group))
            for (each, source_txid, vout), spender in zip(group, spenders, strict=True):
                if spender is not None:
                    ancestor = None if each == txid else each
                    return [Competitor(spender, frozenset({(source_txid, vout)}), proven=True, ancestor=ancestor)]
        return []

    async def _spender(self, beef: Beef, txid: str, source_txid: str, vout: int) -> str | None:
        """The proven transaction that spends an outpoint in the place of ``txid``, None when none is known."""
        source = beef.view(source_txid)
        if source is None or vout >= source.output_count:
            return None
        script = source.outputs[vout].locking_script.hex()
        nothing = UtxoAnswer("services", UtxoStatus.UNKNOWN)
        answer = await _told(self._services.get_utxo_status(script, "script", f"{source_txid}.{vout}"), nothing)
        if answer.spent_by is None or answer.spent_by == txid:
            return None
        spender = await self._fetched(answer.spent_by)
        if spender is None or (source_txid, vout) not in _outpoints(spender):
            return None
        search = await find_proof(self._services, spender.txid, spender.raw)
        return spender.txid if search.outcome is SearchOutcome.FOUND else None

    async def seen_inputs(self, beef: Beef, txid: str, checks: Checks | None) -> UtxoEvidence:
        """Whether each outpoint the transaction spends is still there; what nobody answers is left out.

        What a competitor that is certain spends counts as spent, whatever a lagging index says. The others may be made
        up: only the index can tell about what they are said to spend.
        """
        contested = {
            outpoint: competitor.txid
            for competitor in (checks.competitors if checks is not None else ())
            if competitor.is_certain
            for outpoint in competitor.contested
        }
        seen: dict[tuple[str, int], tuple[UtxoStatus, str]] = {}
        for each in _view(beef, txid).inputs:
            outpoint = each.txid, each.vout
            if outpoint in contested:
                seen[outpoint] = (UtxoStatus.SPENT, contested[outpoint])
                continue
            source = beef.view(each.txid)
            if source is None or each.vout >= source.output_count:
                continue
            script = source.outputs[each.vout].locking_script
            status = await _told(self._services.is_utxo(*outpoint, script), UtxoStatus.UNKNOWN)
            if status is not UtxoStatus.UNKNOWN:
                seen[outpoint] = (status, "isUtxo")
        return seen


def _turn(items: Sequence[T], size: int, attempts: int) -> Sequence[T]:
    """``size`` of the items, others at every attempt, round and round."""
    if len(items) <= size:
        return items
    start = attempts * size % len(items)
    return [*items[start:], *items[:start]][:size]


def _transactions_given(answers: Sequence[PostAnswer]) -> dict[str, TransactionView]:
    """The competitors whose bytes came with the answers, by the txid that the bytes have."""
    views = (_parsed(raw) for answer in answers for raw in answer.competing_raw_txs[:MAX_COMPETITORS])
    return {view.txid: view for view in views if view is not None}


def _parsed(raw: bytes) -> TransactionView | None:
    try:
        return parse_transaction(raw, "competingTx")
    except WalletError:
        return None


def _outpoints(view: TransactionView) -> frozenset[tuple[str, int]]:
    return frozenset((each.txid, each.vout) for each in view.inputs)


def _view(beef: Beef, txid: str) -> TransactionView:
    view = beef.view(txid)
    assert view is not None  # the BEEF was made for it
    return view
