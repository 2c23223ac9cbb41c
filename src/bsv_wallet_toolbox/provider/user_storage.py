"""Everything one user may ask of a store, as coroutines. Rows of other users can't be reached from here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable
from weakref import WeakValueDictionary

from bsv_wallet_toolbox.brc100.actions import ValidInternalizeAction, ValidListActions
from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction
from bsv_wallet_toolbox.brc100.outputs import ValidListOutputs
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import (
    WERR_INTERNAL,
    WERR_INVALID_OPERATION,
    WERR_INVALID_PARAMETER,
    WERR_REVIEW_ACTIONS,
)
from bsv_wallet_toolbox.interfaces.proofs import Incoming
from bsv_wallet_toolbox.interfaces.statuses import SendWithStatus, TransactionStatus
from bsv_wallet_toolbox.interfaces.storage import (
    ActionProposal,
    CreatedAction,
    InternalizeResult,
    ProcessActionArgs,
    ProcessActionResult,
    ResultPage,
    ReviewActionResult,
    SendWithResult,
    SignAction,
)
from bsv_wallet_toolbox.provider.broadcast import Posted
from bsv_wallet_toolbox.provider.incoming import verify_incoming
from bsv_wallet_toolbox.provider.owned_tasks import CallerMark
from bsv_wallet_toolbox.provider.store import Store
from bsv_wallet_toolbox.provider.verdict import Verdict, VerdictKind
from bsv_wallet_toolbox.seams import Entropy, Failpoint
from bsv_wallet_toolbox.storage.action_draws import ActionDraws
from bsv_wallet_toolbox.storage.ancestry import EMPTY_BEEF, beef_of
from bsv_wallet_toolbox.storage.coins import balance
from bsv_wallet_toolbox.storage.create_action import insert_signed, insert_unsigned, propose_action
from bsv_wallet_toolbox.storage.holds import is_refused
from bsv_wallet_toolbox.storage.internalize_action import Internalized, Reference, internalize
from bsv_wallet_toolbox.storage.listing.list_actions import list_actions
from bsv_wallet_toolbox.storage.listing.list_outputs import list_outputs
from bsv_wallet_toolbox.storage.process_action import commit_signed, is_final, parse_signed
from bsv_wallet_toolbox.storage.reqs import insert_req
from bsv_wallet_toolbox.storage.requests import Replay, RequestKey, find_replay, record_request, request_key
from bsv_wallet_toolbox.storage.transactions import TransactionRow, find_by_id, find_by_txid
from bsv_wallet_toolbox.storage.users import UserScope, default_basket
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import TransactionView

__all__ = ["DrawSource", "UserStorage"]

_log = logging.getLogger("bsv_wallet_toolbox.provider")

MAX_CONCURRENT_ACTIONS = 64


@runtime_checkable
class DrawSource(Protocol):
    """An entropy that must be made ready (durably) before an action draws from it."""

    @property
    def entropy(self) -> Entropy: ...

    async def ready(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Committed:
    txid: str
    signed: TransactionView | None
    beef: Beef | None
    replayed: TransactionRow | None = None


class UserStorage:
    def __init__(self, store: Store, scope: UserScope, draws: DrawSource | Entropy) -> None:
        self._store = store
        self._scope = scope
        self._reserve = draws if isinstance(draws, DrawSource) else None
        self._source = draws.entropy if isinstance(draws, DrawSource) else draws
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_ACTIONS)
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @property
    def identity_key(self) -> str:
        return self._scope.identity_key

    async def _entropy(self) -> Entropy:
        if self._reserve is not None:
            await self._reserve.ready()
        return self._source

    # createAction of a local wallet: one commit

    async def create_signed_action(
        self,
        args: ValidCreateAction,
        sign: SignAction,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedAction:
        """Propose, sign and commit in one database transaction, then post at once unless the action is delayed.

        ``sign`` runs on the engine's thread. A caller cancelled before the commit leaves nothing behind; afterwards
        the action goes its way. The same ``idempotency_key`` with the same arguments is carried out once.
        """
        request = _request(idempotency_key, originator, "createAction", args.to_json)
        # What a delayed action still needs after its commit, the monitor does.
        run = self._store.tasks.run_until_commit if args.is_delayed else self._store.tasks.run

        async def work(mark: CallerMark) -> CreatedAction:
            async with self._turn(request):
                return await self._create_signed(args, sign, originator, request, mark)

        return await run(work)

    def _turn(self, request: RequestKey | None) -> AbstractAsyncContextManager[Any]:
        """One call at a time per idempotency key: a repeated one answers what became of the first."""
        if request is None:
            return nullcontext()
        return self._turns.setdefault((request.originator, request.key), asyncio.Lock())

    async def _create_signed(
        self,
        args: ValidCreateAction,
        sign: SignAction,
        originator: str | None,
        request: RequestKey | None,
        mark: CallerMark,
    ) -> CreatedAction:
        store, scope = self._store, self._scope
        claimed_by = None if args.is_delayed else store.owner

        def commit(tx: Transaction) -> _Committed:
            replay = find_replay(tx, scope, request)
            if replay is not None:
                return self._replay(tx, replay.transaction_id, args.options.return_txid_only)
            planned = propose_action(tx, scope, args, store.policy, draws, store.cache, store.counts)
            signed = sign(planned.proposal)
            mark.check()
            transaction_id = insert_signed(tx, scope, args, planned, store.policy, originator or "", signed)
            insert_req(tx, signed.txid, signed.raw, EMPTY_BEEF, transaction_id, claimed_by=claimed_by)
            record_request(tx, scope, request, transaction_id)
            store.cache.remember(signed)
            return _Committed(signed.txid, signed, planned.proposal.input_beef)

        async with self._slots:
            draws = ActionDraws(await self._entropy(), args.random_vals)
            done = await store.engine.write(
                commit,
                name="createAction",
                before_commit=Failpoint.CREATE_BEFORE_COMMIT,
                after_commit=Failpoint.CREATE_AFTER_COMMIT,
            )
        if done.replayed is not None:
            result = _result_of_status(done.txid, done.replayed.status)
        else:
            result = await self._share(done.txid, args.is_delayed)
        return CreatedAction(done.txid, done.signed, done.beef, result)

    def _replay(self, tx: Transaction, transaction_id: int, txid_only: bool) -> _Committed:
        row = find_by_id(tx, transaction_id)
        if row.txid is None:
            raise WERR_INVALID_OPERATION("The action of this idempotency key was never signed.")
        beef: Beef | None = None
        if not txid_only and row.status is not TransactionStatus.FAILED:
            with suppress(WERR_INVALID_PARAMETER):  # not provable now; without the txid the caller would pay again
                beef = beef_of(tx, [row.txid], self._store.cache)
        return _Committed(row.txid, None, beef, row)

    # createAction and processAction of a remote wallet: two commits

    async def create_action(self, args: ValidCreateAction, originator: str | None = None) -> ActionProposal:
        """Reserve coins for an action that is signed elsewhere; processAction finishes it, or it is abandoned."""
        store, scope = self._store, self._scope

        async def work(mark: CallerMark) -> ActionProposal:
            def commit(tx: Transaction) -> ActionProposal:
                planned = propose_action(tx, scope, args, store.policy, draws, store.cache, store.counts)
                mark.check()
                insert_unsigned(tx, scope, args, planned, store.policy, originator or "")
                return planned.proposal

            async with self._slots:
                draws = ActionDraws(await self._entropy(), args.random_vals)
                return await store.engine.write(
                    commit,
                    name="createAction",
                    before_commit=Failpoint.CREATE_BEFORE_COMMIT,
                    after_commit=Failpoint.CREATE_AFTER_COMMIT,
                )

        return await store.tasks.run(work)

    async def process_action(self, args: ProcessActionArgs) -> ProcessActionResult:
        """Commit the signed transaction of an action and send it; WERR_INVALID_OPERATION for one that differs."""
        store, scope = self._store, self._scope
        view = parse_signed(args)
        height = await store.services.get_height() if not view.is_final_by_sequence else 0
        if not is_final(view, height, store.clock.now()):
            raise WERR_INVALID_OPERATION(
                "This transaction is not final. Its lock time is in the future: process it when that has passed."
            )
        claimed_by = None if args.is_delayed else store.owner

        async def work(mark: CallerMark) -> ProcessActionResult:
            def commit(tx: Transaction) -> bool:
                mark.check()
                return commit_signed(tx, scope, args, view, store.policy.max_output_script, claimed_by)

            must_send = await store.engine.write(
                commit,
                name="processAction",
                before_commit=Failpoint.PROCESS_BEFORE_COMMIT,
                after_commit=Failpoint.PROCESS_AFTER_COMMIT,
            )
            if not must_send:
                return _result_of_post(Posted(args.txid, Verdict(VerdictKind.ACCEPTED, "known to the store")))
            return await self._share(args.txid, args.is_delayed)

        return await store.tasks.run(work)

    async def _share(self, txid: str, is_delayed: bool) -> ProcessActionResult:
        if is_delayed:
            self._store.work_arrived()
            return ProcessActionResult(txid, (SendWithResult(txid, SendWithStatus.SENDING),))
        return _result_of_post(await self._post(txid))

    async def _post(self, txid: str) -> Posted:
        """Send what is committed. The action stands whatever happens here, so nothing is raised.

        Without a recorded verdict the claim runs out and the monitor sends it again.
        """
        try:
            return await self._post_or_put_off(txid)
        except Exception as error:  # noqa: BLE001  # an error here, without the txid, would make the caller pay again
            _log.exception("sending %s was not finished; the monitor takes it up again", txid)
            return Posted(txid, Verdict(VerdictKind.RETRY, type(error).__name__))

    async def _post_or_put_off(self, txid: str) -> Posted:
        try:
            return await self._store.broadcaster.post(txid, self._store.owner)
        except WERR_INVALID_PARAMETER as error:
            return await self._store.broadcaster.put_off(txid, 0, error.message)

    # internalizeAction

    async def verify_incoming(self, raw: bytes) -> Incoming:
        """Parse and verify an AtomicBEEF; see :func:`~bsv_wallet_toolbox.provider.incoming.verify_incoming`."""
        services = self._store.services
        incoming = await verify_incoming(raw, services.get_chain_tracker())
        may_be_replaced = incoming.proof is None and not incoming.view.is_final_by_sequence
        if may_be_replaced and not await services.n_lock_time_is_final(incoming.view.raw):
            raise WERR_INVALID_PARAMETER("tx", "final: until its lock time has passed it can be replaced")
        return incoming

    async def internalize_action(
        self,
        args: ValidInternalizeAction,
        incoming: Incoming,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> InternalizeResult:
        """Take outputs of a verified transaction in, and post it at once when no provider is known to have it.

        Raises WERR_REVIEW_ACTIONS when the network proves that it can never be mined.
        """
        store, scope = self._store, self._scope
        request = _request(idempotency_key, originator, "internalizeAction", lambda: asdict(args))

        async def work(mark: CallerMark) -> InternalizeResult:
            reference = Reference(await self._entropy())

            def commit(tx: Transaction) -> Internalized:
                replay = find_replay(tx, scope, request)
                if replay is not None:
                    return _internalized_before(tx, replay)
                done = internalize(
                    tx, scope, args, incoming, reference, store.policy.max_output_script, store.owner, originator
                )
                mark.check()
                record_request(tx, scope, request, done.transaction_id, satoshis=done.satoshis, isMerge=done.is_merge)
                return done

            done = await store.engine.write(
                commit,
                name="internalizeAction",
                before_commit=Failpoint.INTERNALIZE_BEFORE_COMMIT,
                after_commit=Failpoint.INTERNALIZE_AFTER_COMMIT,
            )
            return await self._announce(incoming.view.txid, done)

        return await store.tasks.run(work)

    async def _announce(self, txid: str, done: Internalized) -> InternalizeResult:
        """Post what came in unmined. An outage leaves it to the monitor; a refusal is the caller's to know."""
        if done.is_refused:
            raise _review(_result_of_post(Posted(txid, Verdict(VerdictKind.HOLD, "refused before"))))
        if not done.must_post:
            return InternalizeResult(txid, done.satoshis, done.is_merge)
        posted = await self._post(txid)
        result = _result_of_post(posted)
        if posted.verdict.kind not in (VerdictKind.ACCEPTED, VerdictKind.RETRY):
            raise _review(result)
        return InternalizeResult(
            txid, done.satoshis, done.is_merge, result.send_with_results, result.not_delayed_results
        )

    # reading

    async def list_outputs(self, args: ValidListOutputs) -> ResultPage:
        return await self._store.engine.read(lambda tx: list_outputs(tx, self._scope, args, self._store.cache))

    async def list_actions(self, args: ValidListActions) -> ResultPage:
        return await self._store.engine.read(lambda tx: list_actions(tx, self._scope, args))

    async def balance(self) -> int:
        """Satoshis of all change that is not spent (BRC-112: the sum of basket ``default``)."""
        return await self._store.engine.read(lambda tx: balance(tx, self._scope, default_basket(tx, self._scope)))

    async def beef_of(self, txid: str) -> Beef:
        """BEEF that proves a transaction of this user; WERR_INVALID_PARAMETER when there is none."""

        def read(tx: Transaction) -> Beef:
            if find_by_txid(tx, self._scope, txid) is None:
                raise WERR_INVALID_PARAMETER("txid", f"known to storage. {txid} is not known.")
            return beef_of(tx, [txid], self._store.cache)

        return await self._store.engine.read(read)


def _request(
    key: str | None, originator: str | None, method: str, args: Callable[[], dict[str, Any]]
) -> RequestKey | None:
    return None if key is None else request_key(key, originator or "", method, args())


_STATUS_RESULTS = {
    TransactionStatus.SENDING: SendWithStatus.SENDING,
    TransactionStatus.UNPROCESSED: SendWithStatus.SENDING,
    TransactionStatus.UNPROVEN: SendWithStatus.UNPROVEN,
    TransactionStatus.COMPLETED: SendWithStatus.UNPROVEN,
    TransactionStatus.FAILED: SendWithStatus.FAILED,
}


def _result_of_status(txid: str, status: TransactionStatus) -> ProcessActionResult:
    found = _STATUS_RESULTS.get(status)
    if found is None:
        raise WERR_INTERNAL(f"A request was recorded for a transaction that is {status}.")
    return ProcessActionResult(txid, (SendWithResult(txid, found),))


def _result_of_post(posted: Posted) -> ProcessActionResult:
    review = ReviewActionResult(posted.txid, posted.review_status, posted.verdict.competing_txids)
    return ProcessActionResult(posted.txid, (SendWithResult(posted.txid, posted.send_with_status),), (review,))


def _review(result: ProcessActionResult) -> WERR_REVIEW_ACTIONS:
    return WERR_REVIEW_ACTIONS(
        [_review_json(each) for each in result.not_delayed_results or ()],
        [{"txid": each.txid, "status": each.status.value} for each in result.send_with_results],
        result.txid,
    )


def _internalized_before(tx: Transaction, replay: Replay) -> Internalized:
    """The recorded result, unless the transaction turned out to be lost since."""
    row = find_by_id(tx, replay.transaction_id)
    if row.status is TransactionStatus.FAILED and row.txid is not None:
        raise _review(_result_of_status(row.txid, row.status))
    refused = row.txid is not None and is_refused(tx, row.txid)
    known = replay.result
    return Internalized(row.transaction_id, known["satoshis"], known["isMerge"], must_post=False, is_refused=refused)


def _review_json(review: ReviewActionResult) -> dict[str, object]:
    body: dict[str, object] = {"txid": review.txid, "status": review.status.value}
    if review.competing_txs:
        body["competingTxs"] = list(review.competing_txs)
    return body
