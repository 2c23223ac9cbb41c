"""What the monitor does to a store, as coroutines: leases, claimed jobs, headers, proofs, abandoned actions, holds.

Each write is one database transaction that takes effect only where its row is still as it was read, so that any number
of monitors may work on one store. No network call happens here except the broadcast itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.interfaces.proofs import Proof
from bsv_wallet_toolbox.interfaces.services import UtxoStatus, WalletServices
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, TransactionStatus
from bsv_wallet_toolbox.provider.broadcast import Posted
from bsv_wallet_toolbox.provider.store import Store
from bsv_wallet_toolbox.seams import Clock, Failpoint
from bsv_wallet_toolbox.storage import leases
from bsv_wallet_toolbox.storage.ancestry import (
    StoredAncestry,
    ancestries_of,
    count_orphaning,
    orphanings,
    replace_ancestry,
    reqs_shown_with_ancestry,
)
from bsv_wallet_toolbox.storage.holds import HoldReason
from bsv_wallet_toolbox.storage.leases import Lease, MonitorEvent, check_lease
from bsv_wallet_toolbox.storage.notes import EvidenceKind, competitors_named_for, note
from bsv_wallet_toolbox.storage.outcomes import record_accepted, record_forgotten, record_unresolved
from bsv_wallet_toolbox.storage.proofs import (
    Suspect,
    delay_suspect,
    demote_suspect,
    doubt_block,
    due_suspects,
    record_proof,
    reopen_suspect,
)
from bsv_wallet_toolbox.storage.reqs import CLAIM_MILLISECONDS, CLOCK_SLACK, JobKind, JobRow, claim_due_jobs
from bsv_wallet_toolbox.storage.revival import record_known, record_still_unknown
from bsv_wallet_toolbox.storage.statements import actions as action_statements
from bsv_wallet_toolbox.storage.statements import coins as coin_statements
from bsv_wallet_toolbox.storage.statements import proofs as proof_statements
from bsv_wallet_toolbox.storage.timestamps import from_iso, iso
from bsv_wallet_toolbox.storage.transactions import fail_unsigned, find_by_id, release_hold
from bsv_wallet_toolbox.transactions.tx import parse_transaction

__all__ = ["HeldCoin", "NetworkJob", "NetworkWork", "Rest", "StoredBlock"]

T = TypeVar("T")

_TXID_LENGTH = 64
_ABANDONABLE = sorted({TransactionStatus.UNSIGNED.value, TransactionStatus.UNPROCESSED.value})


@dataclass(frozen=True, slots=True)
class NetworkJob:
    """A claimed job of one req."""

    req_id: int
    txid: str
    attempts: int
    raw_tx: bytes


@dataclass(frozen=True, slots=True)
class Rest:
    """A proof job that is put off for ``delay`` milliseconds."""

    job: NetworkJob
    delay: int
    attempts: int


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block that stored proofs lead into."""

    height: int
    block_hash: str


@dataclass(frozen=True, slots=True)
class HeldCoin:
    """A coin that waits for somebody to say what became of it, or was seen spent by somebody else."""

    output_id: int
    transaction_id: int | None
    """None for an output of a transaction that was believed failed and came back."""
    txid: str
    vout: int
    locking_script: bytes | None
    """None when no table has it."""
    reason: str = HoldReason.AWAITING_EVIDENCE
    held_since: int = 0
    """Milliseconds since 1970, of a coin that was written off."""
    spender: str | None = None
    """The transaction that was seen to spend it, where its txid is known."""


class NetworkWork:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._engine = store.engine
        self._claimant = f"{store.owner}/monitor"
        """Not the name that foreground calls claim under: a claim of theirs that ran out is theirs no more."""

    @property
    def services(self) -> WalletServices:
        return self._store.services

    @property
    def clock(self) -> Clock:
        return self._store.clock

    # leases and the diary

    async def take_lease(self, task: str, milliseconds: int) -> Lease | None:
        return await self._engine.write(lambda tx: leases.take_lease(tx, task, self._claimant, milliseconds))

    async def keep_lease(self, lease: Lease, milliseconds: int) -> bool:
        return await self._engine.write(lambda tx: leases.keep_lease(tx, lease, milliseconds))

    async def release_lease(self, lease: Lease) -> None:
        await self._engine.write(lambda tx: leases.release_lease(tx, lease))

    async def read_cursor(self, task: str) -> str | None:
        return await self._engine.read(lambda tx: leases.read_cursor(tx, task))

    async def save_cursor(self, lease: Lease, cursor: str) -> None:
        await self._engine.write(lambda tx: leases.save_cursor(tx, lease, cursor))

    async def log_event(self, event: str, details: str) -> None:
        await self._engine.write(lambda tx: leases.log_event(tx, event, details))

    async def events_since(self, after: int = 0, count: int = 100) -> list[MonitorEvent]:
        return await self._engine.read(lambda tx: leases.events_since(tx, after, count))

    async def forget_events(self, lease: Lease, milliseconds: int) -> int:
        return await self._engine.write(_under(lease, lambda tx: leases.forget_events(tx, milliseconds)))

    # sending

    async def claim_sends(self, count: int) -> list[NetworkJob]:
        """Up to ``count`` transactions that are due to be sent, oldest first; they are ours for two minutes."""
        return await self._claim(JobKind.SEND, count)

    async def keep_send(self, job: NetworkJob) -> bool:
        """Whether a claimed transaction is still to be sent by us, with time enough left to do it."""
        owner = self._claimant
        left = await self._engine.read(lambda tx: leases.claim_left(tx, job.req_id, JobKind.SEND, owner))
        if left == 0 or left > CLAIM_MILLISECONDS // 2:
            return left > 0
        return await self._engine.write(lambda tx: leases.keep_claim(tx, job.req_id, JobKind.SEND, owner))

    async def send(self, job: NetworkJob) -> Posted:
        """Post a claimed transaction with its ancestry and record the verdict."""
        return await self._store.broadcaster.post(job.txid, self._claimant, job.attempts)

    async def record_send_failed(self, job: NetworkJob, reason: str) -> None:
        """Sending failed on our side (its ancestry is incomplete, for one): it is tried again after a growing delay."""
        await self._engine.write(
            lambda tx: record_unresolved(tx, job.txid, (), job.attempts, reason),
            before_commit=Failpoint.VERDICT_BEFORE_COMMIT,
            after_commit=Failpoint.VERDICT_AFTER_COMMIT,
        )

    # proofs

    async def claim_proofs(self, count: int) -> list[NetworkJob]:
        """Up to ``count`` transactions whose proof is due to be looked for; they are ours for two minutes."""
        return await self._claim(JobKind.PROVE, count)

    async def record_proof(self, proof: Proof) -> bool:
        return await self._engine.write(
            lambda tx: record_proof(tx, proof),
            name="record proof",
            before_commit=Failpoint.PROOF_BEFORE_COMMIT,
            after_commit=Failpoint.PROOF_AFTER_COMMIT,
        )

    async def put_off(self, rests: Sequence[Rest]) -> None:
        """Give proof jobs back until later; one that is not ours any more stays as it is."""

        def write(tx: Transaction) -> None:
            for rest in rests:
                leases.give_job_back(
                    tx,
                    rest.job.req_id,
                    JobKind.PROVE,
                    self._claimant,
                    at=tx.now() + rest.delay,
                    attempts=rest.attempts,
                )

        if rests:
            await self._engine.write(write)

    async def send_again(self, job: NetworkJob, source: str, reason: str) -> bool:
        """The network does not know an accepted transaction any more: back to sending."""
        return await self._engine.write(
            lambda tx: record_forgotten(tx, job.txid, source, reason),
            name="send again",
            before_commit=Failpoint.VERDICT_BEFORE_COMMIT,
            after_commit=Failpoint.VERDICT_AFTER_COMMIT,
        )

    async def note_refuted(self, txid: str, provider: str, detail: str) -> None:
        """A provider gave a proof that our headers contradict; nothing but a note comes of it."""
        await self._engine.write(lambda tx: note(tx, "getMerklePathRefuted", txid=txid, name=provider, detail=detail))

    # headers and reorganisations

    async def stored_blocks(self, from_height: int) -> list[StoredBlock]:
        """The blocks at ``from_height`` or above that stored proofs lead into, lowest first."""
        rows = await self._engine.read(lambda tx: tx.rows(proof_statements.STORED_ROOTS, from_height=from_height))
        return [StoredBlock(height, block_hash) for height, block_hash, _ in rows]

    async def doubt_blocks(self, lease: Lease, block_hashes: Iterable[str], cursor: str) -> int:
        """Blocks left the active chain: doubt their proofs and save the cursor; how many proofs."""
        hashes = list(block_hashes)

        def write(tx: Transaction) -> int:
            leases.save_cursor(tx, lease, cursor)
            if hashes:
                count_orphaning(tx)
            return sum(len(doubt_block(tx, block_hash)) for block_hash in hashes)

        return await self._engine.write(
            write,
            name="doubt blocks",
            before_commit=Failpoint.REORG_BEFORE_COMMIT,
            after_commit=Failpoint.REORG_AFTER_COMMIT,
        )

    async def settle_header(self, lease: Lease, cursor: str) -> None:
        """A new tip stands: look for every proof that is missing or doubted now, and save the cursor."""

        def write(tx: Transaction) -> None:
            leases.save_cursor(tx, lease, cursor)
            tx.execute(proof_statements.PROVE_NOW, now=iso(tx.now()))
            tx.execute(proof_statements.SUSPECTS_NOW, now=iso(tx.now()))

        await self._engine.write(write, name="settle header")

    async def due_suspects(self, count: int) -> list[Suspect]:
        return await self._engine.read(lambda tx: due_suspects(tx, count))

    async def prove_again(self, lease: Lease, proof: Proof) -> bool:
        """A doubted transaction is proven by another block (or by the same, active again)."""
        return await self._reorganise(lease, lambda tx: record_proof(tx, proof), "prove again")

    async def put_off_suspects(self, lease: Lease, suspects: Iterable[tuple[Suspect, int]]) -> None:
        """Doubted proofs, each with the milliseconds until it is looked at again."""
        wanted = list(suspects)

        def write(tx: Transaction) -> None:
            for suspect, delay in wanted:
                delay_suspect(tx, suspect, delay)

        if wanted:
            await self._engine.write(_under(lease, write))

    async def reopen(self, lease: Lease, suspect: Suspect, ancestry: bytes, source: str, delay: int) -> bool:
        """A transaction that came with its proof only waits for another one, shown with its ancestry until then."""

        def write(tx: Transaction) -> bool:
            delay_suspect(tx, suspect, delay)
            return reopen_suspect(tx, suspect, ancestry, source)

        return await self._reorganise(lease, write, "reopen")

    async def demote(self, lease: Lease, suspect: Suspect, ancestry: bytes | None, delay: int) -> bool:
        """The network lost a mined transaction: send it again, or end it when it can't come back.

        False when it stays as it is: it has no req, and ``ancestry`` was not found.
        """

        def write(tx: Transaction) -> bool:
            delay_suspect(tx, suspect, delay)
            return demote_suspect(tx, suspect, ancestry)

        return await self._reorganise(lease, write, "demote")

    async def orphanings(self) -> int:
        return await self._engine.read(orphanings)

    async def reqs_shown_with_ancestry(self, after: int) -> list[int]:
        return await self._engine.read(lambda tx: reqs_shown_with_ancestry(tx, after))

    async def ancestries(self, req_ids: Sequence[int]) -> list[StoredAncestry]:
        return await self._engine.read(lambda tx: ancestries_of(tx, req_ids))

    async def replace_ancestry(self, lease: Lease, ancestry: StoredAncestry, beef: bytes) -> None:
        """A stored ancestry rested on an orphaned block; ``beef`` was verified and takes its place."""
        await self._reorganise(lease, lambda tx: replace_ancestry(tx, ancestry, beef), "replace ancestry")

    async def _reorganise(self, lease: Lease, write: Callable[[Transaction], T], name: str) -> T:
        return await self._engine.write(
            _under(lease, write),
            name=name,
            before_commit=Failpoint.REORG_BEFORE_COMMIT,
            after_commit=Failpoint.REORG_AFTER_COMMIT,
        )

    # abandoned actions and held coins

    async def abandoned(self, after: int, count: int) -> list[int]:
        """Transaction ids above ``after`` of actions that nobody signed in time, lowest first."""

        def read(tx: Transaction) -> list[int]:
            policy, now = self._store.policy, tx.now()
            latest = now + max(policy.unsigned_lifetime, policy.signable_lifetime) + CLOCK_SLACK
            where = {"statuses": _ABANDONABLE, "now": iso(now), "latest": iso(latest)}
            return [row[0] for row in tx.rows(action_statements.ABANDONED, after=after, count=count, **where)]

        return await self._engine.read(read)

    async def fail_abandoned(self, lease: Lease, transaction_id: int, source: str) -> bool:
        """End an action that was never signed; False when it was signed or ended meanwhile."""
        return await self._engine.write(
            _under(lease, lambda tx: fail_unsigned(tx, find_by_id(tx, transaction_id), source)),
            name="fail abandoned",
            before_commit=Failpoint.ABANDON_BEFORE_COMMIT,
            after_commit=Failpoint.ABANDON_AFTER_COMMIT,
        )

    async def failed_jobs(self, after: int, count: int) -> list[NetworkJob]:
        """Reqs above id ``after`` that are believed lost, lowest first."""
        rows = await self._engine.read(lambda tx: tx.rows(proof_statements.FAILED_REQS, after=after, count=count))
        return [NetworkJob(req_id, txid, 0, raw_tx) for req_id, txid, raw_tx in rows]

    async def jobs_in(self, status: ProvenTxReqStatus, after: int, count: int) -> list[NetworkJob]:
        """Reqs above id ``after`` in a status in which no job works on them, lowest first."""
        rows = await self._engine.read(
            lambda tx: tx.rows(proof_statements.REQS_IN_STATUS, status=status.value, after=after, count=count)
        )
        return [NetworkJob(req_id, txid, 0, raw_tx) for req_id, txid, raw_tx in rows]

    async def competitors_of(self, job: NetworkJob) -> list[str]:
        """Txids that were said to have ended a transaction, or seen to spend what it spends."""

        def read(tx: Transaction) -> list[str]:
            outpoints = [(each.txid, each.vout) for each in parse_transaction(job.raw_tx).inputs]
            spenders = {spender for outpoint in outpoints if (spender := _spender_of(tx, *outpoint)) is not None}
            return sorted((spenders | competitors_named_for(tx, job.txid)) - {job.txid})

        return await self._engine.read(read)

    async def record_known(self, lease: Lease, txid: str, source: str) -> bool:
        """The network has a transaction that was believed lost; False when what this store knows contradicts it."""
        return await self._verdict(_under(lease, lambda tx: record_known(tx, txid, source)), "record known")

    async def record_still_unknown(self, lease: Lease, txid: str, source: str) -> bool:
        """The network was asked about a lost transaction once more and does not have it."""
        return await self._verdict(_under(lease, lambda tx: record_still_unknown(tx, txid, source)), "still unknown")

    async def record_seen(self, lease: Lease, txid: str, source: str) -> bool:
        """The network has a transaction that we never sent: somebody did to whom it was given."""
        return await self._verdict(_under(lease, lambda tx: record_accepted(tx, txid, (), source)), "record seen")

    async def _verdict(self, write: Callable[[Transaction], bool], name: str) -> bool:
        return await self._engine.write(
            write,
            name=name,
            before_commit=Failpoint.VERDICT_BEFORE_COMMIT,
            after_commit=Failpoint.VERDICT_AFTER_COMMIT,
        )

    async def held_coins(self, after: int, count: int) -> list[HeldCoin]:
        """Coins above output id ``after`` that wait for somebody to say whether they are spent, lowest first."""

        def read(tx: Transaction) -> list[HeldCoin]:
            rows = tx.rows(coin_statements.HELD_COINS, reason=HoldReason.AWAITING_EVIDENCE, after=after, count=count)
            return [
                HeldCoin(output_id, transaction_id, txid, vout, script or _script_of(tx, txid, vout))
                for output_id, _, transaction_id, txid, vout, script, *_ in rows
            ]

        return await self._engine.read(read)

    async def written_off(self, since: int, after: int, count: int) -> list[HeldCoin]:
        """Coins above output id ``after`` that were seen spent by others, at ``since`` or later; lowest first."""
        reason = HoldReason.SPENT_ELSEWHERE

        def read(tx: Transaction) -> list[HeldCoin]:
            rows = tx.rows(proof_statements.WRITTEN_OFF, reason=reason, since=iso(since), after=after, count=count)
            return [
                HeldCoin(
                    output_id,
                    transaction_id,
                    txid,
                    vout,
                    script or _script_of(tx, txid, vout),
                    reason,
                    from_iso(held_since),
                    _spender_of(tx, txid, vout),
                )
                for output_id, transaction_id, held_since, txid, vout, script in rows
            ]

        return await self._engine.read(read)

    async def settle_held(self, lease: Lease, coin: HeldCoin, status: UtxoStatus, source: str) -> bool:
        """Free a held coin seen unspent, or write it off when seen spent; False when that was settled meanwhile."""

        def write(tx: Transaction) -> bool:
            held = tx.one(coin_statements.IS_HELD, output_id=coin.output_id)
            if held is None or held[0] != coin.reason:
                return False
            spender = None if coin.transaction_id is None else find_by_id(tx, coin.transaction_id)
            if spender is not None and spender.status is not TransactionStatus.FAILED:
                return False
            release_hold(tx, coin.output_id, coin.transaction_id, coin.txid, coin.vout, status, source)
            return True

        return await self._engine.write(_under(lease, write), name="settle held coin")

    async def _claim(self, kind: JobKind, count: int) -> list[NetworkJob]:
        def write(tx: Transaction) -> tuple[list[JobRow], dict[int, bytes]]:
            jobs = claim_due_jobs(tx, kind, self._claimant, count)
            return jobs, leases.raw_txs_of(tx, jobs) if jobs else {}

        jobs, raw_txs = await self._engine.write(write, name=f"claim {kind}")
        return [NetworkJob(job.req_id, job.txid, job.attempts, raw_txs.get(job.req_id, b"")) for job in jobs]


def _under(lease: Lease, operation: Callable[[Transaction], T]) -> Callable[[Transaction], T]:
    """``operation``, but only while the lease is ours: LeaseLost otherwise."""

    def fenced(tx: Transaction) -> T:
        check_lease(tx, lease)
        return operation(tx)

    return fenced


def _spender_of(tx: Transaction, txid: str, vout: int) -> str | None:
    """Who was seen to spend an outpoint; None when the one who said so named no transaction."""
    row = tx.one(proof_statements.WHO_SPENT, txid=txid, vout=vout, kind=EvidenceKind.SPENT.value)
    return row[0] if row is not None and len(row[0]) == _TXID_LENGTH else None


def _script_of(tx: Transaction, txid: str, vout: int) -> bytes | None:
    """A locking script too long for its row, from the raw transaction."""
    for _, raw_tx, *_ in tx.rows(proof_statements.SOURCES, txids=[txid]):
        if raw_tx is not None:
            outputs = parse_transaction(raw_tx).outputs
            return outputs[vout].locking_script if vout < len(outputs) else None
    return None
