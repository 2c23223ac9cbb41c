"""createAction, signAction, processAction, sendWith and abortAction of one user, as coroutines.

Each is one database transaction; what it posts is posted after its commit. A caller cancelled before the commit leaves
nothing behind, afterwards the action goes its way.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import asdict
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable
from weakref import WeakValueDictionary

from bsv_wallet_toolbox.brc100.actions import ValidSignAction, ValidSignActionOptions
from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INTERNAL, WERR_INVALID_OPERATION, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import ProvenTxReqStatus, SendWithStatus, TransactionStatus
from bsv_wallet_toolbox.interfaces.storage import (
    ActionProposal,
    CreatedAction,
    FinishAction,
    OutputPurpose,
    PrepareAction,
    ProcessActionArgs,
    ProcessActionResult,
    SendWithResult,
    SignableAction,
    SignAction,
)
from bsv_wallet_toolbox.provider.input_beef import verify_input_beef
from bsv_wallet_toolbox.provider.owned_tasks import CallerMark
from bsv_wallet_toolbox.provider.sending import Sending
from bsv_wallet_toolbox.provider.store import Store
from bsv_wallet_toolbox.seams import Entropy, Failpoint
from bsv_wallet_toolbox.storage.action_draws import ActionDraws
from bsv_wallet_toolbox.storage.ancestry import beef_of, name_known
from bsv_wallet_toolbox.storage.create_action import ActionMeans, PlannedAction, propose_action
from bsv_wallet_toolbox.storage.insert_action import insert_signed, insert_unsigned
from bsv_wallet_toolbox.storage.pending_actions import find_pending, insert_pending
from bsv_wallet_toolbox.storage.process_action import commit_signed, is_final, parse_signed
from bsv_wallet_toolbox.storage.reqs import insert_req
from bsv_wallet_toolbox.storage.requests import RequestKey, find_replay, record_request, request_key
from bsv_wallet_toolbox.storage.sharing import Shared, share, statuses_of
from bsv_wallet_toolbox.storage.statements import actions as statements
from bsv_wallet_toolbox.storage.transactions import find_by_id, find_proposed
from bsv_wallet_toolbox.storage.users import UserScope
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import TransactionView

__all__ = ["ActionWork", "DrawSource"]

T = TypeVar("T")

MAX_CONCURRENT_ACTIONS = 64
_BATCH_BYTES = 16
_FINAL = 0xFFFFFFFF


@runtime_checkable
class DrawSource(Protocol):
    """An entropy that must be made ready (durably) before an action draws from it."""

    @property
    def entropy(self) -> Entropy: ...

    async def ready(self) -> None: ...


class _Committed(NamedTuple):
    """``signed`` is None for a request that was carried out before; then ``beef`` holds the transaction itself too."""

    txid: str
    signed: TransactionView | None
    beef: Beef | None
    change_vouts: tuple[int, ...]
    shared: Shared


class ActionWork:
    def __init__(self, store: Store, scope: UserScope, draws: DrawSource | Entropy) -> None:
        self._store = store
        self._scope = scope
        self._means = ActionMeans(store.policy, store.cache, store.counts)
        self._sending = Sending(store)
        self._reserve = draws if isinstance(draws, DrawSource) else None
        self._source = draws.entropy if isinstance(draws, DrawSource) else draws
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_ACTIONS)
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def entropy(self) -> Entropy:
        if self._reserve is not None:
            await self._reserve.ready()
        return self._source

    # createAction of a local wallet

    async def create_signed(
        self, args: ValidCreateAction, sign: SignAction, originator: str | None, idempotency_key: str | None
    ) -> CreatedAction:
        request = _request(idempotency_key, originator, "createAction", args.to_json)
        given = await self._given(args, request)
        # What a delayed action still needs after its commit, the monitor does.
        run = self._store.tasks.run_until_commit if args.is_delayed else self._store.tasks.run

        async def work(mark: CallerMark) -> CreatedAction:
            async with self._turn(request):
                return await self._create_signed(args, given, sign, originator, request, mark)

        return await run(work)

    async def _create_signed(
        self,
        args: ValidCreateAction,
        given: Beef,
        sign: SignAction,
        originator: str | None,
        request: RequestKey | None,
        mark: CallerMark,
    ) -> CreatedAction:
        store, scope = self._store, self._scope
        send_with = args.options.send_with
        # What a coin of the wallet's builds on is on its way or on the chain; of other inputs that is to be seen.
        in_batch = bool(send_with) or (bool(args.inputs) and not args.is_no_send)
        batch = self._batch() if in_batch else ""
        claimed_by = None if args.is_delayed else store.owner

        def commit(tx: Transaction) -> _Committed:
            replay = find_replay(tx, scope, request)
            if replay is not None:
                return self._replay(tx, replay.transaction_id, args.options.return_txid_only, send_with)
            planned = propose_action(tx, scope, args, given, draws, self._means)
            signed = sign(planned.proposal)
            mark.check()
            transaction_id = insert_signed(tx, scope, args, planned, store.policy, originator or "", signed)
            insert_req(
                tx,
                signed.txid,
                signed.raw,
                planned.inputs.outside_bytes(),
                transaction_id,
                claimed_by=None if in_batch else claimed_by,
                status=ProvenTxReqStatus.NOSEND if args.is_no_send else ProvenTxReqStatus.UNSENT,
            )
            record_request(tx, scope, request, transaction_id)
            if not args.inputs:
                store.cache.remember(signed)
            shared = _alone(signed.txid, args.is_no_send, args.is_delayed)
            if in_batch:
                shared = share(tx, scope, [*send_with, signed.txid], claimed_by, batch)
            return _Committed(signed.txid, signed, planned.proposal.input_beef, planned.proposal.change_vouts, shared)

        async with self._slots:
            draws = ActionDraws(await self.entropy(), args.random_vals)
            done = await store.engine.write(
                commit,
                name="createAction",
                before_commit=Failpoint.CREATE_BEFORE_COMMIT,
                after_commit=Failpoint.CREATE_AFTER_COMMIT,
            )
        return await self._sent(done, send_with, args.is_no_send, args.is_delayed)

    async def _sent(
        self, done: _Committed, send_with: Sequence[str], is_no_send: bool, is_delayed: bool
    ) -> CreatedAction:
        named = send_with if is_no_send else [*send_with, done.txid]
        if done.signed is None:
            known = done.shared.known
            results = tuple(SendWithResult(each, known[each]) for each in dict.fromkeys(named))
            result = ProcessActionResult(done.txid, results)
        else:
            result = await self._sending.send(done.shared, done.txid, named, is_delayed)
        return CreatedAction(done.txid, done.signed, done.beef, result, done.change_vouts)

    async def create_signable(
        self, args: ValidCreateAction, prepare: PrepareAction, originator: str | None, idempotency_key: str | None
    ) -> SignableAction:
        store, scope = self._store, self._scope
        request = _request(idempotency_key, originator, "createAction", args.to_json)
        given = await self._given(args, request)

        async def work(mark: CallerMark) -> SignableAction:
            def commit(tx: Transaction) -> SignableAction:
                replay = find_replay(tx, scope, request)
                if replay is not None:
                    return self._signable_again(tx, replay.transaction_id)
                planned = propose_action(tx, scope, args, given, draws, self._means)
                prepared = prepare(planned.proposal)
                mark.check()
                transaction_id = insert_unsigned(tx, scope, args, planned, store.policy, originator or "", prepared)
                insert_pending(tx, transaction_id, prepared, args.options)
                record_request(tx, scope, request, transaction_id)
                return SignableAction(
                    planned.proposal.reference, prepared.unsigned, _sources(prepared.unsigned, planned.beef)
                )

            async with self._turn(request), self._slots:
                draws = ActionDraws(await self.entropy(), args.random_vals)
                return await self._write_create(commit)

        return await store.tasks.run(work)

    def _signable_again(self, tx: Transaction, transaction_id: int) -> SignableAction:
        """What a repeated request is shown, as long as it waits to be signed."""
        row = find_by_id(tx, transaction_id)
        pending = find_pending(tx, self._scope, row.reference, None)
        view = pending.prepared.unsigned
        action = find_proposed(tx, self._scope, row.reference)
        beef = Beef.parse(action.input_beef, "inputBEEF") if action is not None and action.input_beef else Beef()
        beef.merge(beef_of(tx, [txid for txid in view.source_txids if beef.view(txid) is None], self._store.cache))
        return SignableAction(row.reference, view, _sources(view, beef))

    async def _given(self, args: ValidCreateAction, request: RequestKey | None) -> Beef:
        """The caller's inputBEEF, verified; before that, that a transaction which must wait is not made.

        A request that was carried out is only answered again: what it came with may not be valid any more.
        """
        if not args.inputs or await self._is_replay(request):
            return Beef()
        if not args.is_sign_action:
            await self._refuse_not_final(args.lock_time, [each.sequence_number for each in args.inputs])
        return await verify_input_beef(
            args.input_beef, [each.outpoint.txid for each in args.inputs], self._store.services.get_chain_tracker()
        )

    async def _is_replay(self, request: RequestKey | None) -> bool:
        if request is None:
            return False
        return await self._store.engine.read(lambda tx: find_replay(tx, self._scope, request)) is not None

    async def _refuse_not_final(self, lock_time: int, sequences: Sequence[int]) -> None:
        if lock_time == 0 or all(sequence == _FINAL for sequence in sequences):
            return
        height = await self._store.services.get_height()
        if not is_final(lock_time, height, self._store.clock.now()):
            raise WERR_INVALID_OPERATION(
                "This transaction is not final. Its lock time is in the future: make or sign it when that has passed."
            )

    def _replay(self, tx: Transaction, transaction_id: int, txid_only: bool, send_with: Sequence[str]) -> _Committed:
        row = find_by_id(tx, transaction_id)
        if row.txid is None:
            raise WERR_INVALID_OPERATION("The action of this idempotency key was never signed.")
        beef: Beef | None = None
        if not txid_only and row.status is not TransactionStatus.FAILED:
            with suppress(WERR_INVALID_PARAMETER):  # not provable now; without the txid the caller would pay again
                beef = beef_of(tx, [row.txid], self._store.cache)
        known = statuses_of(tx, self._scope, [*send_with, row.txid])
        return _Committed(row.txid, None, beef, self._change_vouts(tx, transaction_id), Shared((), known))

    def _change_vouts(self, tx: Transaction, transaction_id: int) -> tuple[int, ...]:
        rows = tx.rows(statements.OUTPUTS_OF, transaction_id=transaction_id, user_id=self._scope.user_id)
        return tuple(vout for _, vout, _, _, purpose, *_ in rows if purpose == OutputPurpose.CHANGE)

    # signAction

    async def sign(
        self, args: ValidSignAction, finish: FinishAction, originator: str | None, idempotency_key: str | None
    ) -> CreatedAction:
        store, scope = self._store, self._scope
        request = _request(idempotency_key, originator, "signAction", lambda: _sign_json(args))

        async def work(mark: CallerMark) -> CreatedAction:
            async with self._turn(request):
                return await self._sign(args, finish, originator, request, mark)

        waiting = await store.engine.read(
            lambda tx: (
                None
                if find_replay(tx, scope, request) is not None
                else find_pending(tx, scope, args.reference, originator)
            )
        )
        if waiting is not None:
            spends = args.spends
            sequences = [
                spends[vin].sequence_number if vin in spends else None for vin in range(len(waiting.prepared.inputs))
            ]
            await self._refuse_not_final(
                waiting.prepared.lock_time,
                [
                    each.sequence if given is None else given
                    for each, given in zip(waiting.prepared.inputs, sequences, strict=True)
                ],
            )
        return await store.tasks.run(work)

    async def _sign(
        self,
        given: ValidSignAction,
        finish: FinishAction,
        originator: str | None,
        request: RequestKey | None,
        mark: CallerMark,
    ) -> CreatedAction:
        scope = self._scope
        batch = self._batch()

        def commit(tx: Transaction) -> tuple[_Committed, ValidSignActionOptions]:
            replay = find_replay(tx, scope, request)
            if replay is not None:
                options = _options_of(replay.result)
                return self._replay(tx, replay.transaction_id, options.return_txid_only, options.send_with), options
            pending = find_pending(tx, scope, given.reference, originator)
            options = given.inheriting(pending.options).options
            signed = finish(pending.prepared)
            mark.check()
            process = ProcessActionArgs(
                given.reference,
                signed.txid,
                signed.raw,
                options.accept_delayed_broadcast,
                options.no_send,
                options.send_with,
            )
            shared, beef = self._process(tx, process, signed, batch, want_beef=not options.return_txid_only)
            if beef is not None:
                name_known(beef, pending.options.known_txids, [*signed.source_txids, signed.txid])
            record_request(tx, scope, request, pending.transaction_id, options=asdict(options))
            vouts = self._change_vouts(tx, pending.transaction_id)
            return _Committed(signed.txid, signed, beef, vouts, shared), options

        done, options = await self._write_process(commit)
        created = await self._sent(done, options.send_with, options.no_send, options.accept_delayed_broadcast)
        return created._replace(options=options)

    # createAction and processAction of a remote wallet: two commits

    async def create(self, args: ValidCreateAction, originator: str | None) -> ActionProposal:
        given = await self._given(args, None)

        async def work(mark: CallerMark) -> ActionProposal:
            def commit(tx: Transaction) -> ActionProposal:
                planned: PlannedAction = propose_action(tx, self._scope, args, given, draws, self._means)
                mark.check()
                insert_unsigned(tx, self._scope, args, planned, self._store.policy, originator or "")
                return planned.proposal

            async with self._slots:
                draws = ActionDraws(await self.entropy(), args.random_vals)
                return await self._write_create(commit)

        return await self._store.tasks.run(work)

    async def process(self, args: ProcessActionArgs) -> ProcessActionResult:
        view = parse_signed(args)
        await self._refuse_not_final(view.lock_time, [each.sequence for each in view.inputs])
        batch = self._batch()

        async def work(mark: CallerMark) -> ProcessActionResult:
            def commit(tx: Transaction) -> Shared:
                mark.check()
                return self._process(tx, args, view, batch, want_beef=False)[0]

            shared = await self._write_process(commit)
            named = args.send_with if args.is_no_send else [*args.send_with, args.txid]
            return await self._sending.send(shared, args.txid, named, args.is_delayed)

        return await self._store.tasks.run(work)

    def _process(
        self, tx: Transaction, args: ProcessActionArgs, view: TransactionView, batch: str, *, want_beef: bool
    ) -> tuple[Shared, Beef | None]:
        """Commit a signed action, and put it on its way unless it is held back."""
        store, scope = self._store, self._scope
        commit_signed(tx, scope, args, view, store.policy.max_output_script)
        beef = beef_of(tx, [view.txid], store.cache) if want_beef else None
        named = args.send_with if args.is_no_send else [*args.send_with, args.txid]
        return share(tx, scope, named, None if args.is_delayed else store.owner, batch), beef

    # sendWith alone

    async def send_with(self, txids: Sequence[str], is_delayed: bool) -> ProcessActionResult:
        store, scope = self._store, self._scope
        batch = self._batch()

        async def work(mark: CallerMark) -> ProcessActionResult:
            def commit(tx: Transaction) -> Shared:
                mark.check()
                return share(tx, scope, txids, None if is_delayed else store.owner, batch)

            shared = await store.engine.write(
                commit,
                name="sendWith",
                before_commit=Failpoint.SHARE_BEFORE_COMMIT,
                after_commit=Failpoint.SHARE_AFTER_COMMIT,
            )
            return await self._sending.send(shared, None, txids, is_delayed)

        return await store.tasks.run(work)

    # what they share

    def _batch(self) -> str:
        return b64encode(self._store.entropy.bytes(_BATCH_BYTES)).decode()

    def _turn(self, request: RequestKey | None) -> AbstractAsyncContextManager[Any]:
        """One call at a time per idempotency key: a repeated one answers what became of the first."""
        if request is None:
            return nullcontext()
        return self._turns.setdefault((request.originator, request.key), asyncio.Lock())

    async def _write_create(self, commit: Callable[[Transaction], T]) -> T:
        return await self._store.engine.write(
            commit,
            name="createAction",
            before_commit=Failpoint.CREATE_BEFORE_COMMIT,
            after_commit=Failpoint.CREATE_AFTER_COMMIT,
        )

    async def _write_process(self, commit: Callable[[Transaction], T]) -> T:
        return await self._store.engine.write(
            commit,
            name="processAction",
            before_commit=Failpoint.PROCESS_BEFORE_COMMIT,
            after_commit=Failpoint.PROCESS_AFTER_COMMIT,
        )


def _alone(txid: str, is_no_send: bool, is_delayed: bool) -> Shared:
    """What a new action shares that is not sent with others: itself, if it was claimed for that."""
    if is_no_send:
        return Shared((), {})
    return Shared((), {txid: SendWithStatus.SENDING}) if is_delayed else Shared((txid,), {})


def _sources(view: TransactionView, beef: Beef) -> Beef:
    """The transactions that an unsigned one spends, as bytes only: what a signature needs."""
    sources = Beef()
    for txid in view.source_txids:
        source = beef.view(txid)
        if source is None:
            raise WERR_INTERNAL("Every signableTransaction input must have a sourceTransaction")
        sources.merge_transaction(source)
    return sources


def _request(
    key: str | None, originator: str | None, method: str, args: Callable[[], dict[str, Any]]
) -> RequestKey | None:
    return None if key is None else request_key(key, originator or "", method, args())


def _sign_json(args: ValidSignAction) -> dict[str, Any]:
    return {
        "reference": args.reference,
        "spends": {str(vin): asdict(spend) for vin, spend in args.spends.items()},
        "options": asdict(args.options),
        "given": sorted(args.given),
    }


def _options_of(result: Mapping[str, Any]) -> ValidSignActionOptions:
    """The options under which a repeated signAction was carried out, those inherited from createAction included."""
    options = result["options"]
    return ValidSignActionOptions(**{**options, "send_with": tuple(options["send_with"])})
