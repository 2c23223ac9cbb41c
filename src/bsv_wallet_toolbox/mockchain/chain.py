"""MockChain: one node with its mempool and its miner, and the consensus checks a wallet can run into.

All methods are synchronous and thread-safe; each change is one transaction of the store. Several wallets share one
chain object. Several processes may share one file, but events are told in the process that caused them only.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER, WalletError
from bsv_wallet_toolbox.interfaces.services import HeaderListener, RejectReason, ReorgListener
from bsv_wallet_toolbox.mockchain import consensus
from bsv_wallet_toolbox.mockchain.consensus import Acceptance
from bsv_wallet_toolbox.mockchain.mempool import admit, remove_with_descendants
from bsv_wallet_toolbox.mockchain.miner import Miner, Reorganisation
from bsv_wallet_toolbox.mockchain.store import (
    ChainStore,
    MemoryStore,
    StoredOutput,
    StoredTransaction,
    script_hash_of,
)
from bsv_wallet_toolbox.seams import Clock, Entropy, SystemClock, SystemEntropy
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.hashes import txid_of
from bsv_wallet_toolbox.transactions.headers import BlockHeader
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath
from bsv_wallet_toolbox.transactions.tx import (
    InputSpec,
    OutputSpec,
    TransactionView,
    build_transaction,
    parse_transaction,
)

__all__ = ["FundResult", "MockChain"]

MAX_BEEF_TRANSACTIONS = 5_000
MAX_COINBASES_PER_FUNDING = 1_000


@dataclass(frozen=True, slots=True)
class FundResult:
    """A mined output and the AtomicBEEF (BRC-95) that proves it, ready for internalizeAction."""

    beef: bytes
    txid: str
    vout: int


class MockChain:
    """A chain that starts with block 0, or with 101 blocks when ``premine`` is set (the first coinbase is then mature).

    ``deterministic``: block ``h`` has time 1 700 000 000 + 600·h and nonce ``h``. ``proof_of_work`` (on unless
    deterministic) makes headers meet their target, 0x207fffff. Give the chain an entropy of its own: it draws four
    bytes for every block.
    """

    def __init__(
        self,
        store: ChainStore | None = None,
        *,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        deterministic: bool = False,
        proof_of_work: bool | None = None,
        premine: bool = False,
    ) -> None:
        self._store = store if store is not None else MemoryStore()
        self._miner = Miner(
            self._store,
            clock if clock is not None else SystemClock(),
            entropy if entropy is not None else SystemEntropy(),
            deterministic=deterministic,
            proof_of_work=proof_of_work if proof_of_work is not None else not deterministic,
        )
        self._lock = threading.RLock()
        self._listeners: dict[int, tuple[HeaderListener, ReorgListener]] = {}
        self._events: deque[BlockHeader | Reorganisation] = deque()
        if premine:
            self._miner.premine()
        elif self._store.tip() is None:
            self._miner.mine(1)

    def close(self) -> None:
        """Release the store's file."""
        with self._lock:
            self._store.close()

    def accept(self, raw_tx: bytes | TransactionView) -> Acceptance:
        """Judge a transaction and, when it follows the rules, put it into the mempool. Never raises for bad bytes.

        A transaction that is known already (mined or not) is ``ALREADY_KNOWN`` and changes nothing.
        """
        if isinstance(raw_tx, TransactionView):
            tx = raw_tx
        else:
            try:
                tx = parse_transaction(raw_tx)
            except WalletError as error:
                return consensus.rejected(txid_of(raw_tx), consensus.MALFORMED, error.message, RejectReason.MALFORMED)
        with self._lock, self._store.transaction():
            return admit(self._store, tx, self.height, self.median_time_past)

    def evict(self, txid: str) -> tuple[str, ...]:
        """Forget a mempool transaction and its descendants, as nodes do in time; its inputs are unspent again.

        Returns what was forgotten, parents first. WERR_INVALID_PARAMETER unless ``txid`` is in the mempool.
        """
        with self._lock, self._store.transaction():
            row = self._store.transaction_of(txid)
            if row is None or row.height is not None:
                raise WERR_INVALID_PARAMETER("txid", f"in the mempool. txid: {txid}")
            return remove_with_descendants(self._store, [txid])

    def mine(self, count: int = 1, *, only: Collection[str] | None = None) -> list[BlockHeader]:
        """Mine ``count`` blocks with every mempool transaction that may stand in them (of ``only``, when given).

        Spends of immature coinbases and transactions that are not final wait. Returns the new headers, lowest first.
        """
        with self._lock:
            headers = self._miner.mine(count, only)
            self._events.extend(headers)
        self._deliver()
        return headers

    def premine(self) -> None:
        """Mine until the first coinbase is mature; the blocks lie 600 s apart and end now."""
        with self._lock:
            self._events.extend(self._miner.premine())
        self._deliver()

    def fund(self, locking_script: bytes, satoshis: int) -> FundResult:
        """Pay one output from mature coinbases and mine it; see :meth:`fund_many`."""
        return self.fund_many([OutputSpec(satoshis, locking_script)])[0]

    def fund_many(self, outputs: Sequence[OutputSpec]) -> tuple[FundResult, ...]:
        """Pay ``outputs`` (vout 0, 1, …) in one transaction from mature coinbases, and mine it with the mempool.

        Mines more blocks first when coinbases are missing. What the coinbases are worth beyond the outputs goes to
        OP_TRUE as the last output. The results share one BEEF. WERR_INVALID_PARAMETER for more than 50 000 BSV.
        """
        total = sum(output.satoshis for output in outputs)
        needed = max(1, -(-total // consensus.SUBSIDY))
        if not outputs or min(output.satoshis for output in outputs) < 0 or needed > MAX_COINBASES_PER_FUNDING:
            raise WERR_INVALID_PARAMETER("outputs", "at least one output, and at most 5000000000000 satoshis in all")
        change = needed * consensus.SUBSIDY - total
        paid = [*outputs, OutputSpec(change, consensus.OP_TRUE)] if change else outputs
        with self._lock:
            coins = self._mature_coinbases(needed)
            acceptance = self.accept(build_transaction([InputSpec(coin.txid, coin.vout) for coin in coins], paid))
            if not acceptance.is_on_chain:
                raise WERR_INVALID_PARAMETER("outputs", f"acceptable to the chain ({acceptance.text})")
            self._events.extend(self._miner.mine(1))
            beef = self.beef_of(acceptance.txid).to_atomic(acceptance.txid)
        self._deliver()
        return tuple(FundResult(beef, acceptance.txid, vout) for vout in range(len(outputs)))

    def reorg(
        self,
        starting_height: int,
        num_blocks: int,
        placement: Mapping[str, int] | None = None,
        *,
        allow_shorter: bool = False,
    ) -> Reorganisation:
        """Replace the blocks from ``starting_height`` up by ``num_blocks`` others.

        ``placement`` maps txids to the offset (0 = ``starting_height``) of the new block that holds them; transactions
        of old blocks that it does not name stay in the mempool. Descendants of an old block's coinbase are dropped.
        All or nothing: WERR_INVALID_PARAMETER for a placement that breaks a rule (parent missing, immature, not final),
        for a height above the tip, and for a chain that would be shorter than now unless ``allow_shorter``;
        WERR_INVALID_OPERATION on an empty chain.
        """
        with self._lock:
            result = self._miner.replace(
                starting_height, num_blocks, placement if placement is not None else {}, allow_shorter=allow_shorter
            )
            self._events.append(result)
            self._events.extend(result.activated)
        self._deliver()
        return result

    def advance_time(self, seconds: int) -> None:
        """Move the chain's time forward. A ManualClock is moved itself, so that wallets that share it move along."""
        if seconds < 0:
            raise WERR_INVALID_PARAMETER("seconds", "zero or more")
        with self._lock:
            self._miner.advance_time(seconds)

    def subscribe(self, on_header: HeaderListener, on_reorg: ReorgListener) -> Callable[[], None]:
        """Tell of every change of the tip, after it is durable and on the thread that caused it.

        A reorganisation is told first, then its new headers, lowest first. The result unsubscribes. What a listener
        raises reaches the caller who changed the chain.
        """
        with self._lock:
            key = max(self._listeners, default=0) + 1
            self._listeners[key] = (on_header, on_reorg)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners.pop(key, None)

        return unsubscribe

    @property
    def tip(self) -> BlockHeader | None:
        with self._lock:
            return self._store.tip()

    @property
    def height(self) -> int:
        """-1 when there is no block."""
        tip = self.tip
        return tip.height if tip is not None else -1

    @property
    def median_time_past(self) -> int:
        """Of the last eleven blocks, in seconds since 1970; 0 when there is no block."""
        with self._lock:
            return self._miner.median_time_past(self.height + 1)

    def header_at(self, height: int) -> BlockHeader | None:
        with self._lock:
            found = self._store.headers(height, 1) if height >= 0 else []
            return found[0] if found else None

    def header_of(self, block_hash: str) -> BlockHeader | None:
        """None for a block that is not on the active chain."""
        with self._lock:
            return self._store.header_of(block_hash)

    def block_txids(self, height: int) -> list[str]:
        """In block order, the coinbase first; empty above the tip."""
        with self._lock:
            return self._store.block_txids(height)

    def transaction_of(self, txid: str) -> StoredTransaction | None:
        with self._lock:
            return self._store.transaction_of(txid)

    def mempool(self) -> list[str]:
        """Txids without a block, parents first."""
        with self._lock:
            return [row.txid for row in self._store.mempool()]

    def confirmations(self, txid: str) -> int | None:
        """Blocks from the transaction's up to the tip, 0 in the mempool, None when the chain does not know it."""
        with self._lock:
            row = self._store.transaction_of(txid)
            if row is None:
                return None
            return self.height - row.height + 1 if row.height is not None else 0

    def output(self, txid: str, vout: int) -> StoredOutput | None:
        """Spent ones too; None for an output that no transaction of the chain or its mempool created."""
        with self._lock:
            return self._store.output(txid, vout)

    def is_unspent(self, txid: str, vout: int) -> bool:
        """True when the output exists and nothing in the chain or its mempool spends it."""
        output = self.output(txid, vout)
        return output is not None and output.spent_by is None

    def spender_of(self, txid: str, vout: int) -> str | None:
        output = self.output(txid, vout)
        return output.spent_by if output is not None else None

    def utxos_of(self, locking_script: bytes) -> list[StoredOutput]:
        """Unspent outputs with this script, in order of acceptance."""
        with self._lock:
            return self._store.unspent_locked_by(script_hash_of(locking_script))

    def outputs_locked_by(self, script_hash: str) -> list[StoredOutput]:
        """Spent ones too. The hash is the SHA-256 of the script in natural order."""
        with self._lock:
            return self._store.outputs_locked_by(script_hash)

    def unspent(self) -> list[StoredOutput]:
        """Every unspent output of the chain and its mempool."""
        with self._lock:
            return self._store.unspent()

    def proof_of(self, txid: str) -> tuple[MerklePath, BlockHeader] | None:
        """The path and the active header it proves into, None for a transaction that is not mined."""
        with self._lock:
            row = self._store.transaction_of(txid)
            header = self.header_at(row.height) if row is not None and row.height is not None else None
            if header is None:
                return None
            return self._miner.archive.path(self._store, header, txid), header

    def stale_proof_of(self, txid: str) -> tuple[MerklePath, BlockHeader] | None:
        """A proof into a block off the active chain: an orphan that held ``txid``, or a rival of its block."""
        with self._lock:
            orphan = self._miner.archive.orphan_proof(txid)
            proof = self.proof_of(txid)
            if orphan is not None or proof is None:
                return orphan
            active = proof[1]
            rival = self._miner.seal(active.height, active.previous_hash, txid, active.time, {active.hash})
            return MerklePath.build(active.height, [txid], [txid]), rival

    def beef_of(self, txid: str) -> Beef:
        """The transaction with its ancestors up to proven ones.

        WERR_INVALID_PARAMETER when the chain does not know it, WERR_INVALID_OPERATION above 5000 transactions.
        """
        beef, wanted, seen = Beef(), [txid], {txid}
        with self._lock:
            while wanted:
                row = self._store.transaction_of(wanted.pop())
                if row is None:
                    raise WERR_INVALID_PARAMETER(f"txid {txid}", "valid transaction on chain mock")
                proof = self.proof_of(row.txid)
                beef.merge_transaction(row.raw_tx, proof[0] if proof is not None else None)
                parents = self._store.outputs_spent_by(row.txid) if proof is None else []
                fresh = [txid for txid in dict.fromkeys(parent.txid for parent in parents) if txid not in seen]
                wanted.extend(fresh)
                seen.update(fresh)
                if len(seen) > MAX_BEEF_TRANSACTIONS:
                    raise WERR_INVALID_OPERATION(f"Maximum BEEF size exceeded. Limit is {MAX_BEEF_TRANSACTIONS}")
        return beef

    def _mature_coinbases(self, needed: int) -> list[StoredOutput]:
        """The oldest unspent ones; mines until there are enough."""
        if self.height < consensus.COINBASE_MATURITY:
            self._events.extend(self._miner.premine())
        while True:
            coins = self._store.unspent_coinbases(self.height - consensus.COINBASE_MATURITY, needed)
            if len(coins) == needed:
                return coins
            self._events.extend(self._miner.mine(needed - len(coins)))

    def _deliver(self) -> None:
        while True:
            with self._lock:
                if not self._events:
                    return
                event = self._events.popleft()
                listeners = list(self._listeners.values())
            for on_header, on_reorg in listeners:
                if isinstance(event, BlockHeader):
                    on_header(event)
                elif event.new_tip is not None:
                    on_reorg(event.deactivated, event.new_tip)
