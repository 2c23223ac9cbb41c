"""What is found out about a transaction that a provider refused: does the network have it, who competes, what is left.

Nothing here raises for what happens outside: a service that fails in any way has told nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.interfaces.services import (
    PostAnswer,
    RawTxAnswer,
    TxNetworkStatus,
    TxStatusAnswer,
    UtxoStatus,
    WalletServices,
)
from bsv_wallet_toolbox.provider.incoming import broken_rule
from bsv_wallet_toolbox.provider.proof_check import SearchOutcome, find_proof
from bsv_wallet_toolbox.provider.verdict import Checks, Competitor, competitors_named
from bsv_wallet_toolbox.storage.transactions import UtxoEvidence
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import TransactionView, parse_transaction

__all__ = ["Inquiry"]

T = TypeVar("T")

MAX_COMPETITORS = 24
"""Providers may name any number; more than these are not looked at in one round."""


async def _told(call: Awaitable[T], nothing: T) -> T:
    try:
        return await call
    except Exception:  # noqa: BLE001  # whatever a service raises, it has not answered
        return nothing


class Inquiry:
    def __init__(self, services: WalletServices) -> None:
        self._services = services

    async def checks(self, beef: Beef, txid: str, answers: Sequence[PostAnswer]) -> Checks:
        """Ask about a refused transaction that ``beef`` holds with its ancestry."""
        view = _view(beef, txid)
        answer = await _told(
            self._services.get_status_for_txids([txid]), TxStatusAnswer("services", None, error="failed")
        )
        network_status = None
        if answer.statuses is not None:
            network_status = answer.statuses.get(txid, TxNetworkStatus.UNKNOWN)
        named = [each for each in competitors_named(answers) if each != txid][:MAX_COMPETITORS]
        competitors = [await self._competitor(view, each, answers) for each in named]
        return Checks(network_status, tuple(competitors), await broken_rule(beef, txid))

    async def _competitor(self, view: TransactionView, named: str, answers: Sequence[PostAnswer]) -> Competitor:
        raw = await self._raw_competitor(named, answers)
        contested = _outpoints(raw) & _outpoints(view) if raw is not None else frozenset()
        if raw is None or not contested:
            return Competitor(named, frozenset(), proven=False)
        search = await find_proof(self._services, named, raw.raw)
        holders = frozenset(answer.provider for answer in answers if named in answer.competing_txids)
        return Competitor(named, contested, search.outcome is SearchOutcome.FOUND, holders)

    async def _raw_competitor(self, named: str, answers: Sequence[PostAnswer]) -> TransactionView | None:
        given = [raw for answer in answers for raw in answer.competing_raw_txs]
        if not given:
            fetched = (await _told(self._services.get_raw_tx(named), RawTxAnswer("services", named))).raw_tx
            given = [fetched] if fetched is not None else []
        for raw in given:
            try:
                view = parse_transaction(raw, "competingTx")
            except WalletError:
                continue
            if view.txid == named:
                return view
        return None

    async def seen_inputs(self, beef: Beef, txid: str, checks: Checks | None) -> UtxoEvidence:
        """Whether each outpoint the transaction spends is still there; what nobody answers is left out.

        What a conflicting competitor spends counts as spent, whatever a lagging index says.
        """
        contested = {
            outpoint: competitor.txid
            for competitor in (checks.competitors if checks is not None else ())
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


def _outpoints(view: TransactionView) -> frozenset[tuple[str, int]]:
    return frozenset((each.txid, each.vout) for each in view.inputs)


def _view(beef: Beef, txid: str) -> TransactionView:
    view = beef.view(txid)
    assert view is not None  # the BEEF was made for it
    return view
