"""MockServices: the network of WalletServices played by a MockChain, with faults on demand.

Nothing sleeps and nothing leaves the process: a call is answered before the event loop turns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from bsv_wallet_toolbox.errors import WERR_BROADCAST_UNAVAILABLE, WERR_INTERNAL, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.services import (
    MerklePathAnswer,
    PostAnswer,
    PostOutcome,
    RawTxAnswer,
    RejectReason,
    ScriptHistoryAnswer,
    ScriptHistoryEntry,
    TxNetworkStatus,
    TxStatusAnswer,
    UtxoAnswer,
    UtxoEntry,
    UtxoStatus,
)
from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.mockchain.chain import FundResult, MockChain
from bsv_wallet_toolbox.mockchain.consensus import LOCK_TIME_THRESHOLD, Acceptance
from bsv_wallet_toolbox.mockchain.faults import ActiveFault, Fault, Faults
from bsv_wallet_toolbox.mockchain.store import StoredOutput, StoredTransaction, script_hash_of
from bsv_wallet_toolbox.mockchain.tracker import MockChainTracker
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.hashes import display, sha256d
from bsv_wallet_toolbox.transactions.headers import BlockHeader
from bsv_wallet_toolbox.transactions.tx import OutputSpec, parse_transaction

__all__ = ["BSV_USD", "FIAT_PER_USD", "PROVIDER", "MockServices"]

PROVIDER = "MockServices"
BSV_USD = 50.0
FIAT_PER_USD = {
    "USD": 1.0,
    "EUR": 0.92,
    "GBP": 0.79,
    "JPY": 156.5,
    "CNY": 7.24,
    "INR": 83.42,
    "AUD": 1.51,
    "CAD": 1.37,
    "CHF": 0.9,
    "HKD": 7.81,
    "SGD": 1.35,
    "NZD": 1.64,
    "SEK": 10.52,
    "NOK": 10.74,
    "MXN": 16.68,
}
_HISTORIES = (
    "getMerklePath",
    "getRawTx",
    "postBeef",
    "getUtxoStatus",
    "getStatusForTxids",
    "getScriptHashHistory",
)
_OUTPOINT = re.compile(r"([0-9a-f]{64})\.(\d{1,10})")
_MAX_UINT32 = 0xFFFFFFFF


class MockServices:
    """WalletServices over ``mock``, a chain that other services may share. ``faults`` strike these services only.

    ``calls`` counts the calls of each method, for tests that assert how often the network was asked.
    """

    def __init__(self, mock: MockChain, faults: Faults | None = None) -> None:
        self.mock = mock
        self.faults = faults if faults is not None else Faults()
        self.calls: Counter[str] = Counter()
        self._tracker = MockChainTracker(mock, self.faults)

    @property
    def chain(self) -> Chain:
        return Chain.MOCK

    def get_chain_tracker(self) -> MockChainTracker:
        return self._tracker

    def fund(self, locking_script: bytes, satoshis: int) -> FundResult:
        """See MockChain.fund."""
        return self.mock.fund(locking_script, satoshis)

    def fund_many(self, outputs: Sequence[OutputSpec]) -> tuple[FundResult, ...]:
        """See MockChain.fund_many."""
        return self.mock.fund_many(outputs)

    def mine(self, count: int = 1) -> list[BlockHeader]:
        """See MockChain.mine."""
        return self.mock.mine(count)

    async def get_height(self) -> int:
        self._reach("get_height")
        return self.mock.height

    async def get_header_for_height(self, height: int) -> bytes:
        self._reach("get_header_for_height")
        header = self.mock.header_at(height)
        if header is None:
            raise WERR_INVALID_PARAMETER("hash", f"valid height '{height}' on mined chain {self.chain}")
        return header.raw

    async def hash_to_header(self, block_hash: str) -> BlockHeader:
        """WERR_INVALID_PARAMETER for a block that is not on the active chain."""
        self._reach("hash_to_header")
        header = self.mock.header_of(block_hash)
        if header is None:
            raise WERR_INVALID_PARAMETER("hash", f"valid blockhash '{block_hash}' on mined chain {self.chain}")
        return header

    async def get_raw_tx(self, txid: str) -> RawTxAnswer:
        fault = self._strike("get_raw_tx")
        row = self.mock.transaction_of(txid)
        if fault is not None and fault.is_outage:
            return RawTxAnswer(PROVIDER, txid, error=fault.text)
        if fault is not None and row is not None:
            other = _other_txid(txid)
            return RawTxAnswer(PROVIDER, txid, error=f"computed txid {other} doesn't match requested value {txid}")
        return RawTxAnswer(PROVIDER, txid, row.raw_tx if row is not None else None)

    async def get_merkle_path(self, txid: str) -> MerklePathAnswer:
        fault = self._strike("get_merkle_path")
        if fault is not None and fault.is_outage:
            return MerklePathAnswer(PROVIDER, error=fault.text)
        proof = self.mock.proof_of(txid)
        if fault is not None and fault.fault is Fault.STALE_PROOF:
            proof = self.mock.stale_proof_of(txid)
        elif fault is not None and proof is not None and self.mock.height < proof[1].height + fault.blocks:
            proof = None
        return MerklePathAnswer(PROVIDER, *proof) if proof is not None else MerklePathAnswer(PROVIDER)

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        """One answer per txid. Ancestors in ``beef`` that the chain does not know yet are accepted first.

        WERR_INVALID_PARAMETER when ``beef`` cannot be parsed. A txid without bytes in ``beef`` that the
        chain does not know either is ``UNAVAILABLE``: nothing was judged.
        """
        parsed = Beef.parse(beef, "beef")
        fault = self._strike("post_beef")
        if fault is None:
            return self._post(parsed, txids)
        if fault.fault is Fault.WRONG_TXID:
            answers = self._post(parsed, txids)
            return [PostAnswer(PROVIDER, _other_txid(answer.txid), PostOutcome.ACCEPTED_SEEN) for answer in answers]
        if fault.fault is Fault.REPLY_LOST:
            self._post(parsed, txids)
        return [_faulty_answer(fault, txid) for txid in txids]

    async def get_status_for_txids(self, txids: Sequence[str]) -> TxStatusAnswer:
        fault = self._strike("get_status_for_txids")
        if fault is not None:
            return TxStatusAnswer(PROVIDER, None, error=fault.text)
        confirmations = {txid: self.mock.confirmations(txid) for txid in txids}
        statuses = {txid: _network_status(count) for txid, count in confirmations.items()}
        return TxStatusAnswer(PROVIDER, statuses, {txid: count for txid, count in confirmations.items() if count})

    async def get_utxo_status(
        self,
        output: str,
        output_format: Literal["hashLE", "hashBE", "script"] | None = None,
        outpoint: str | None = None,
    ) -> UtxoAnswer:
        """Entries are all unspent outputs of the script. An output that was never created is ``UNKNOWN``."""
        outputs = self.mock.outputs_locked_by(_script_hash(output, output_format))
        point = _outpoint(outpoint) if outpoint is not None else None
        fault = self._strike("get_utxo_status")
        if fault is not None:
            return UtxoAnswer(PROVIDER, UtxoStatus.UNKNOWN, error=fault.text)
        asked = [one for one in outputs if point is None or (one.txid, one.vout) == point]
        unspent = [one for one in outputs if one.spent_by is None]
        entries = tuple(UtxoEntry(one.txid, one.vout, one.satoshis, one.height) for one in unspent)
        spent_by = asked[0].spent_by if point is not None and asked else None
        return UtxoAnswer(PROVIDER, _utxo_status(asked), entries, spent_by)

    async def is_utxo(self, txid: str, vout: int, locking_script: bytes) -> UtxoStatus:
        """``UNKNOWN`` also for an output that the chain never saw, or with another script."""
        if self._strike("is_utxo") is not None:
            return UtxoStatus.UNKNOWN
        output = self.mock.output(txid, vout)
        return _utxo_status([output] if output is not None and output.locking_script == locking_script else [])

    async def get_script_hash_history(self, script_hash: str) -> ScriptHistoryAnswer:
        """Transactions that create or spend the script, mined ones in block order, then those of the mempool."""
        wanted = _script_hash(script_hash, "hashLE")
        fault = self._strike("get_script_hash_history")
        if fault is not None:
            return ScriptHistoryAnswer(PROVIDER, None, fault.text)
        outputs = self.mock.outputs_locked_by(wanted)
        txids = {output.txid for output in outputs} | {output.spent_by for output in outputs if output.spent_by}
        rows = [row for row in map(self.mock.transaction_of, txids) if row is not None]
        rows.sort(key=_block_order)
        return ScriptHistoryAnswer(PROVIDER, tuple(ScriptHistoryEntry(row.txid, row.height) for row in rows))

    def hash_output_script(self, script: str) -> str:
        """SHA-256 of the script in natural order, as hex."""
        return script_hash_of(_unhex("script", script))

    async def n_lock_time_is_final(self, tx: bytes | str | int) -> bool:
        """Of a lock time, or a raw transaction as bytes or hex.

        As careful as the reference: a height must be below the tip, not only below the next block. Times are compared
        with the median time of the last eleven blocks.
        """
        self._reach("n_lock_time_is_final")
        lock_time = tx
        if isinstance(tx, bytes | str):
            view = parse_transaction(_unhex("tx", tx) if isinstance(tx, str) else tx, "tx")
            if view.is_final_by_sequence:
                return True
            lock_time = view.lock_time
        if not isinstance(lock_time, int):
            raise WERR_INTERNAL("Should be either @bsv/sdk Transaction or babbage-bsv Transaction")
        if not 0 <= lock_time <= _MAX_UINT32:
            raise WERR_INVALID_PARAMETER("tx", "a lock time of 32 bits")
        return lock_time < (self.mock.height if lock_time < LOCK_TIME_THRESHOLD else self.mock.median_time_past)

    async def get_beef_for_txid(self, txid: str) -> bytes:
        self._reach("get_beef_for_txid")
        return self.mock.beef_of(txid).to_bytes()

    async def get_bsv_exchange_rate(self) -> float:
        self._reach("get_bsv_exchange_rate")
        return BSV_USD

    async def get_fiat_exchange_rate(self, currency: str, base: str = "USD") -> float:
        self._reach("get_fiat_exchange_rate")
        return _fiat_rate("currency", currency) / _fiat_rate("base", base)

    def get_services_call_history(self, reset: bool = False) -> dict[str, Any]:
        """The seven histories of the wire form, empty because no provider is called; see ``calls``."""
        history: dict[str, Any] = {"version": 2}
        for name in _HISTORIES:
            history[name] = {"serviceName": name, "historyByProvider": {}}
        history["updateFiatExchangeRates"] = {"serviceName": "updateFiatExchangeRate", "historyByProvider": {}}
        return history

    def _strike(self, method: str) -> ActiveFault | None:
        self.calls[method] += 1
        return self.faults.strike(method)

    def _reach(self, method: str) -> None:
        fault = self._strike(method)
        if fault is not None:
            raise WERR_BROADCAST_UNAVAILABLE(f"{PROVIDER}: {fault.text}")

    def _post(self, beef: Beef, txids: Sequence[str]) -> list[PostAnswer]:
        related = (ancestor for txid in txids if txid in beef for ancestor in beef.ancestors(txid))
        acceptances: dict[str, Acceptance] = {}
        for txid in dict.fromkeys(related):
            view = beef.view(txid)
            if view is not None and (txid in txids or self.mock.transaction_of(txid) is None):
                acceptances[txid] = self.mock.accept(view)
        return [self._answer(txid, acceptances.get(txid)) for txid in txids]

    def _answer(self, txid: str, acceptance: Acceptance | None) -> PostAnswer:
        if acceptance is None and self.mock.transaction_of(txid) is not None:
            return PostAnswer(PROVIDER, txid, PostOutcome.ALREADY_KNOWN)
        if acceptance is None:
            text = f"The txid parameter must be present in provided BEEF. txid: {txid}"
            return PostAnswer(PROVIDER, txid, PostOutcome.UNAVAILABLE, text=text)
        rows = [self.mock.transaction_of(competing) for competing in acceptance.competing_txids]
        raw_txs = tuple(row.raw_tx for row in rows if row is not None)
        return PostAnswer(
            PROVIDER,
            txid,
            acceptance.outcome,
            acceptance.competing_txids,
            raw_txs,
            acceptance.code,
            acceptance.text,
            acceptance.reason,
        )


def _other_txid(txid: str) -> str:
    """A txid that nobody has, derived from ``txid``."""
    return display(sha256d(txid.encode()))


def _faulty_answer(fault: ActiveFault, txid: str) -> PostAnswer:
    match fault.fault:
        case Fault.FORGET:
            return PostAnswer(PROVIDER, txid, PostOutcome.ACCEPTED_SEEN)
        case Fault.REJECTED:
            return PostAnswer(PROVIDER, txid, PostOutcome.REJECTED, text="REJECTED")
        case Fault.FEE_TOO_LOW:
            text = "The fees are too low"
            return PostAnswer(
                PROVIDER, txid, PostOutcome.REJECTED, code=465, text=text, reason=RejectReason.FEE_TOO_LOW
            )
        case Fault.DOUBLE_SPEND_CLAIM:
            competitor = _other_txid(txid)
            return PostAnswer(PROVIDER, txid, PostOutcome.DOUBLE_SPEND, (competitor,), code=466, text="conflicting tx")
    return PostAnswer(PROVIDER, txid, PostOutcome.UNAVAILABLE, code=fault.status, text=fault.text)


def _network_status(confirmations: int | None) -> TxNetworkStatus:
    if confirmations is None:
        return TxNetworkStatus.UNKNOWN
    return TxNetworkStatus.MINED if confirmations else TxNetworkStatus.KNOWN


def _utxo_status(outputs: Sequence[StoredOutput]) -> UtxoStatus:
    if not outputs:
        return UtxoStatus.UNKNOWN
    return UtxoStatus.UNSPENT if any(output.spent_by is None for output in outputs) else UtxoStatus.SPENT


def _block_order(row: StoredTransaction) -> tuple[bool, int, int]:
    if row.height is None or row.index is None:
        return True, row.sequence, 0
    return False, row.height, row.index


def _unhex(parameter: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise WERR_INVALID_PARAMETER(parameter, "hexadecimal") from error


def _script_hash(output: str, output_format: str | None) -> str:
    """To the natural-order hash. Without a format, 32 bytes are a hash in that order and anything else is a script."""
    data = _unhex("output", output)
    match output_format or ("hashLE" if len(data) == 32 else "script"):
        case "script":
            return script_hash_of(data)
        case "hashLE":
            return data.hex()
        case "hashBE":
            return display(data)
    raise WERR_INVALID_PARAMETER("outputFormat", f"not be {output_format}")


def _outpoint(text: str) -> tuple[str, int]:
    match = _OUTPOINT.fullmatch(text)
    if match is None:
        raise WERR_INVALID_PARAMETER("outpoint", "<txid>.<vout>")
    return match[1], int(match[2])


def _fiat_rate(parameter: str, currency: str) -> float:
    rate = FIAT_PER_USD.get(currency)
    if rate is None:
        raise WERR_INVALID_PARAMETER(parameter, f"valid fiat currency '{currency}' with an exchange rate.")
    return rate
