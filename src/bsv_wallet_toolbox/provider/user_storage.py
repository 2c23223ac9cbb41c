"""Everything one user may ask of a store, as coroutines. Rows of other users can't be reached from here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from bsv_wallet_toolbox.brc100.actions import (
    ValidAbortAction,
    ValidInternalizeAction,
    ValidListActions,
    ValidSignAction,
)
from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction
from bsv_wallet_toolbox.brc100.originator import INVALID_CHANGE_ID, SET_CHANGE_PARAMS_ID
from bsv_wallet_toolbox.brc100.outputs import ValidListOutputs, ValidRelinquishOutput
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.proofs import Incoming
from bsv_wallet_toolbox.interfaces.statuses import ReviewActionStatus, SendWithStatus, TransactionStatus
from bsv_wallet_toolbox.interfaces.storage import (
    ActionProposal,
    CreatedAction,
    FinishAction,
    InternalizeResult,
    PrepareAction,
    ProcessActionArgs,
    ProcessActionResult,
    ResultPage,
    ReviewActionResult,
    SendWithResult,
    SignableAction,
    SignAction,
)
from bsv_wallet_toolbox.provider.aborting import Aborting
from bsv_wallet_toolbox.provider.action_review import list_and_change
from bsv_wallet_toolbox.provider.action_work import ActionWork, DrawSource
from bsv_wallet_toolbox.provider.change_review import review_change, store_change_parameters
from bsv_wallet_toolbox.provider.incoming import verify_incoming
from bsv_wallet_toolbox.provider.owned_tasks import CallerMark
from bsv_wallet_toolbox.provider.sending import Sending, result_of, review_of
from bsv_wallet_toolbox.provider.store import Store
from bsv_wallet_toolbox.provider.verdict import VerdictKind
from bsv_wallet_toolbox.seams import Entropy, Failpoint
from bsv_wallet_toolbox.storage.ancestry import beef_of
from bsv_wallet_toolbox.storage.baskets import relinquish_output
from bsv_wallet_toolbox.storage.coins import balance
from bsv_wallet_toolbox.storage.holds import is_refused
from bsv_wallet_toolbox.storage.internalize_action import Internalized, Reference, internalize
from bsv_wallet_toolbox.storage.listing.list_outputs import list_outputs
from bsv_wallet_toolbox.storage.requests import Replay, RequestKey, find_replay, record_request, request_key
from bsv_wallet_toolbox.storage.transactions import find_by_id, find_by_txid
from bsv_wallet_toolbox.storage.users import UserScope, default_basket
from bsv_wallet_toolbox.transactions.beef import Beef

__all__ = ["DrawSource", "UserStorage"]


class UserStorage:
    def __init__(self, store: Store, scope: UserScope, draws: DrawSource | Entropy) -> None:
        self._store = store
        self._scope = scope
        self._actions = ActionWork(store, scope, draws)
        self._sending = Sending(store)

    @property
    def identity_key(self) -> str:
        return self._scope.identity_key

    # actions of ours

    async def create_signed_action(
        self,
        args: ValidCreateAction,
        sign: SignAction,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedAction:
        """Propose, sign and commit in one database transaction, then post at once unless it is delayed or held back.

        ``sign`` runs on the engine's thread. A caller cancelled before the commit leaves nothing behind; afterwards
        the action goes its way. The same ``idempotency_key`` with the same arguments is carried out once.
        """
        return await self._actions.create_signed(args, sign, originator, idempotency_key)

    async def create_signable_action(
        self,
        args: ValidCreateAction,
        prepare: PrepareAction,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> SignableAction:
        """Propose, build and keep, for a day, what signAction finishes; coins and inputs are reserved for it."""
        return await self._actions.create_signable(args, prepare, originator, idempotency_key)

    async def sign_action(
        self,
        args: ValidSignAction,
        finish: FinishAction,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedAction:
        """Finish and commit what waits for a signature, then as :meth:`create_signed_action`.

        Nothing changes when ``finish`` raises: it can be signed again.
        """
        return await self._actions.sign(args, finish, originator, idempotency_key)

    async def send_with(self, txids: Sequence[str], is_delayed: bool) -> ProcessActionResult:
        """Bring actions to the network that were held back, in one batch with what they build on."""
        return await self._actions.send_with(txids, is_delayed)

    async def create_action(self, args: ValidCreateAction, originator: str | None = None) -> ActionProposal:
        """Reserve coins for an action that is signed elsewhere; processAction finishes it, or it is abandoned."""
        return await self._actions.create(args, originator)

    async def process_action(self, args: ProcessActionArgs) -> ProcessActionResult:
        """Commit the signed transaction of an action and send it; WERR_INVALID_OPERATION for one that differs."""
        return await self._actions.process(args)

    async def abort_action(self, args: ValidAbortAction, originator: str | None = None) -> None:
        """Give up an action that is not signed, or that was held back and that the network does not know.

        WERR_INVALID_PARAMETER for any other, WERR_INVALID_OPERATION when the network has it or another action builds on
        it, WERR_BROADCAST_UNAVAILABLE when nobody could say.
        """
        await Aborting(self._store, self._scope).abort(args, originator)

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
        request = _internalize_request(args, originator, idempotency_key)

        async def work(mark: CallerMark) -> InternalizeResult:
            reference = Reference(await self._actions.entropy())

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

    async def internalized_before(
        self, args: ValidInternalizeAction, originator: str | None, idempotency_key: str
    ) -> InternalizeResult | None:
        """The result of the same request, if it was carried out; what it came with may not be valid any more."""
        request = _internalize_request(args, originator, idempotency_key)

        def read(tx: Transaction) -> tuple[str, Internalized] | None:
            replay = find_replay(tx, self._scope, request)
            if replay is None:
                return None
            return find_by_id(tx, replay.transaction_id).txid or "", _internalized_before(tx, replay)

        found = await self._store.engine.read(read)
        return None if found is None else await self._announce(*found)

    async def _announce(self, txid: str, done: Internalized) -> InternalizeResult:
        """Post what came in unmined. An outage leaves it to the monitor; a refusal is the caller's to know."""
        if done.is_refused:
            raise review_of(_refused_before(txid))
        if not done.must_post:
            return InternalizeResult(txid, done.satoshis, done.is_merge)
        (posted,) = await self._sending.post([txid])
        result = result_of(posted)
        if posted.verdict.kind not in (VerdictKind.ACCEPTED, VerdictKind.RETRY):
            raise review_of(result)
        return InternalizeResult(
            txid, done.satoshis, done.is_merge, result.send_with_results, result.not_delayed_results
        )

    # listing, and what is changed through it

    async def relinquish_output(self, args: ValidRelinquishOutput) -> None:
        """Take an output out of its basket; WERR_INVALID_PARAMETER unless the named basket holds it."""

        async def work(mark: CallerMark) -> None:
            def commit(tx: Transaction) -> None:
                mark.check()
                relinquish_output(tx, self._scope, args)
                self._store.counts.spent(self._scope, 1)

            await self._store.engine.write(commit, name="relinquishOutput")

        await self._store.tasks.run(work)

    async def list_outputs(self, args: ValidListOutputs) -> ResultPage:
        """A page of outputs. Two reserved baskets change something: see ``provider.change_review``."""
        if args.basket == SET_CHANGE_PARAMS_ID:
            return await store_change_parameters(self._store, self._scope, args)
        if args.basket == INVALID_CHANGE_ID:
            return await review_change(self._store, self._scope, args)
        return await self._store.engine.read(lambda tx: list_outputs(tx, self._scope, args, self._store.cache))

    async def list_actions(self, args: ValidListActions) -> ResultPage:
        """A page of actions, and what its labels ask to be done to them."""
        return await list_and_change(self._store, self._scope, args, self.abort_action)

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


def _internalize_request(args: ValidInternalizeAction, originator: str | None, key: str | None) -> RequestKey | None:
    return None if key is None else request_key(key, originator or "", "internalizeAction", asdict(args))


def _refused_before(txid: str) -> ProcessActionResult:
    """What is told of a transaction that a provider refused when it was posted before."""
    review = ReviewActionResult(txid, ReviewActionStatus.SERVICE_ERROR)
    return ProcessActionResult(txid, (SendWithResult(txid, SendWithStatus.SENDING),), (review,))


def _internalized_before(tx: Transaction, replay: Replay) -> Internalized:
    """The recorded result, unless the transaction turned out to be lost since."""
    row = find_by_id(tx, replay.transaction_id)
    if row.status is TransactionStatus.FAILED and row.txid is not None:
        raise review_of(ProcessActionResult(row.txid, (SendWithResult(row.txid, SendWithStatus.FAILED),)))
    refused = row.txid is not None and is_refused(tx, row.txid)
    known = replay.result
    return Internalized(row.transaction_id, known["satoshis"], known["isMerge"], must_post=False, is_refused=refused)
