"""Wallet: the BRC-100 methods of one user over an injected storage and network.

``originator`` None is the owner; any other originator is an app and may not use reserved names. Arguments and results
are the BRC-100 objects: dicts with camelCase keys, binary fields as bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from bsv_wallet_toolbox.brc100.actions import (
    ValidInternalizeAction,
    ValidWalletPayment,
    validate_abort_action,
    validate_internalize_action,
    validate_list_actions,
    validate_sign_action,
)
from bsv_wallet_toolbox.brc100.chain import validate_get_header_for_height
from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction, validate_create_action
from bsv_wallet_toolbox.brc100.originator import validate_originator
from bsv_wallet_toolbox.brc100.outputs import validate_list_outputs, validate_relinquish_output
from bsv_wallet_toolbox.brc100.types import (
    AbortActionArgs,
    AbortActionResult,
    AuthenticatedResult,
    CreateActionArgs,
    CreateActionResult,
    GetHeaderArgs,
    GetHeaderResult,
    GetHeightResult,
    GetNetworkResult,
    GetVersionResult,
    InternalizeActionArgs,
    InternalizeActionResult,
    ListActionsArgs,
    ListActionsResult,
    ListOutputsArgs,
    ListOutputsResult,
    RelinquishOutputArgs,
    RelinquishOutputResult,
    SignActionArgs,
    SignActionResult,
)
from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER, WERR_REVIEW_ACTIONS
from bsv_wallet_toolbox.interfaces.prepared import PreparedAction
from bsv_wallet_toolbox.interfaces.proofs import Incoming
from bsv_wallet_toolbox.interfaces.services import WalletServices
from bsv_wallet_toolbox.interfaces.statuses import Chain, SendWithStatus
from bsv_wallet_toolbox.interfaces.storage import (
    ActionProposal,
    CreatedAction,
    ProcessActionResult,
    WalletStorage,
)
from bsv_wallet_toolbox.keys.derivation import KeyDeriver
from bsv_wallet_toolbox.templates import brc29
from bsv_wallet_toolbox.transactions.tx import TransactionView
from bsv_wallet_toolbox.wallet.signer import SigningLimits, check_proposal, check_spends, prepare, sign

__all__ = ["WALLET_VERSION", "Wallet"]

WALLET_VERSION = "wallet-brc100-1.0.0"
"""What the reference wallet answers; it names the interface, not this package."""

_SAMPLE_TXID = "344556f1c428367689e09e29aa4dc7cfe755db1fab5cf7c1cf8d1f99b507004b"


class Wallet:
    """One user's wallet. All methods raise WalletError subclasses only."""

    def __init__(
        self,
        deriver: KeyDeriver,
        storage: WalletStorage,
        services: WalletServices,
        *,
        limits: SigningLimits | None = None,
    ) -> None:
        self._deriver = deriver
        self._storage = storage
        self._services = services
        self._limits = limits or SigningLimits()

    @property
    def identity_key(self) -> str:
        """The root public key, 66 hex characters: who this wallet is."""
        return self._deriver.identity_key

    def __repr__(self) -> str:
        return f"Wallet(identity_key={self.identity_key!r}, chain={self._services.chain.value!r})"

    async def create_action(
        self, args: CreateActionArgs, originator: str | None = None, *, idempotency_key: str | None = None
    ) -> CreateActionResult:
        """Pay: fund the outputs from the wallet's change, sign, store, and send (BRC-100 createAction).

        With ``acceptDelayedBroadcast`` (the default) the monitor sends it; without, it is sent before this returns and
        WERR_REVIEW_ACTIONS is raised unless a provider took everything that was to be sent. With ``noSend`` it is held
        back until a later call names it in ``sendWith``. An input without ``unlockingScript``, or ``signAndProcess``
        false, makes an action that :meth:`sign_action` finishes within a day, also after a restart. Inputs that are
        outputs of own baskets need no ``inputBEEF``. A transaction whose inputs all have their scripts and pay the fee
        is sent as it is.

        Calling again with the same ``idempotency_key`` and arguments gives the result of the first call instead of
        paying twice.

        Raises WERR_INVALID_PARAMETER naming the argument, WERR_INSUFFICIENT_FUNDS, WERR_INVALID_OPERATION for a lock
        time that has not passed, WERR_REVIEW_ACTIONS.
        """
        origin = validate_originator(originator)
        valid = validate_create_action(args, origin)
        if valid.is_test_werr_review_actions:
            raise _sample_review()
        if not valid.is_new_tx:
            sent = await self._storage.send_with(valid.options.send_with, valid.is_delayed)
            _review(sent, valid.is_delayed or sent.not_delayed_results is None)
            return {"sendWithResults": cast(Any, [each.to_json() for each in sent.send_with_results])}
        if valid.is_sign_action:
            return await self._create_signable(valid, origin, idempotency_key)

        def sign_proposal(proposal: ActionProposal) -> TransactionView:
            return sign(self._deriver, self._prepare(valid, proposal))

        created = await self._storage.create_signed_action(valid, sign_proposal, origin, idempotency_key)
        tx = _atomic_beef(created)
        outpoints = [f"{created.txid}.{vout}" for vout in created.change_vouts] if valid.is_no_send else None
        _review(created.result, valid.is_delayed, tx, outpoints)
        return _created(created, tx, outpoints)

    def _prepare(self, args: ValidCreateAction, proposal: ActionProposal) -> PreparedAction:
        check_proposal(args, proposal, self._limits)
        return prepare(self._deriver, args, proposal)

    async def _create_signable(
        self, args: ValidCreateAction, originator: str | None, idempotency_key: str | None
    ) -> CreateActionResult:
        made = await self._storage.create_signable_action(
            args, lambda proposal: self._prepare(args, proposal), originator, idempotency_key
        )
        made.sources.merge_transaction(made.unsigned)
        return {"signableTransaction": {"tx": made.sources.to_atomic(made.unsigned.txid), "reference": made.reference}}

    async def sign_action(
        self, args: SignActionArgs, originator: str | None = None, *, idempotency_key: str | None = None
    ) -> SignActionResult:
        """Finish an action that :meth:`create_action` left to be signed (BRC-100 signAction).

        Options that are not given are those of createAction. All scripts are run before anything is committed; on any
        error the action still waits to be signed. ``noSendChange`` is in the result of one that is held back.

        Raises WERR_INVALID_PARAMETER for an unknown reference and for spends that do not fit, WERR_INVALID_OPERATION
        for an action that does not wait any more and for a lock time that has not passed, WERR_REVIEW_ACTIONS.
        """
        origin = validate_originator(originator)
        valid = validate_sign_action(args)

        def finish(prepared: PreparedAction) -> TransactionView:
            check_spends(prepared, valid.spends)
            return sign(self._deriver, prepared, valid.spends)

        signed = await self._storage.sign_action(valid, finish, origin, idempotency_key)
        tx = _atomic_beef(signed)
        options = signed.options or valid.options
        outpoints = [f"{signed.txid}.{vout}" for vout in signed.change_vouts] if options.no_send else None
        _review(signed.result, options.accept_delayed_broadcast, tx, outpoints)
        return cast(SignActionResult, _created(signed, tx, outpoints))

    async def abort_action(self, args: AbortActionArgs, originator: str | None = None) -> AbortActionResult:
        """Give up an action that is not signed, or was made with noSend and never sent (BRC-100 abortAction).

        ``reference`` is that of the signable transaction, or the txid. Its coins are free again; those of an action
        that was signed as soon as the network says that they are unspent.

        Raises WERR_INVALID_PARAMETER for an action in any other state, WERR_INVALID_OPERATION when the network has it
        or another action builds on it, WERR_BROADCAST_UNAVAILABLE when nobody could say.
        """
        await self._storage.abort_action(validate_abort_action(args), validate_originator(originator))
        return {"aborted": True}

    async def internalize_action(
        self, args: InternalizeActionArgs, originator: str | None = None, *, idempotency_key: str | None = None
    ) -> InternalizeActionResult:
        """Take in outputs of a transaction that somebody else made (BRC-100 internalizeAction).

        ``tx`` is an AtomicBEEF; it is verified against our own headers, with scripts and amounts, before anything is
        stored. A wallet payment must be locked to this wallet by BRC-29. What is not mined yet is sent at once.

        Raises WERR_INVALID_PARAMETER naming the argument, WERR_INVALID_MERKLE_ROOT, WERR_REVIEW_ACTIONS.
        """
        origin = validate_originator(originator)
        valid = validate_internalize_action(args, origin)
        if valid.is_test_werr_review_actions:
            raise _sample_review()
        done = None
        if idempotency_key is not None:
            done = await self._storage.internalized_before(valid, origin, idempotency_key)
        if done is None:
            incoming = await self._storage.verify_incoming(valid.tx)
            self._check_outputs(valid, incoming)
            done = await self._storage.internalize_action(valid, incoming, origin, idempotency_key)
        return cast(
            InternalizeActionResult,
            {"accepted": True, "isMerge": done.is_merge, "txid": done.txid, "satoshis": done.satoshis},
        )

    def _check_outputs(self, args: ValidInternalizeAction, incoming: Incoming) -> None:
        count = incoming.view.output_count
        for output in args.outputs:
            if output.output_index >= count:
                raise WERR_INVALID_PARAMETER("outputIndex", f"a valid output index in range 0 to {count - 1}")
            if not isinstance(output, ValidWalletPayment):
                continue
            expected = brc29.lock_from(
                self._deriver, output.sender_identity_key, output.derivation_prefix, output.derivation_suffix
            )
            if incoming.view.outputs[output.output_index].locking_script != expected:
                raise WERR_INVALID_PARAMETER("paymentRemittance", "locked by script conforming to BRC-29")

    async def relinquish_output(
        self, args: RelinquishOutputArgs, originator: str | None = None
    ) -> RelinquishOutputResult:
        """Give an output up (BRC-100 relinquishOutput): it leaves its basket, so that it is neither listed nor spent.

        Only the owner may relinquish change (basket ``default``). Raises WERR_INVALID_PARAMETER naming ``output`` when
        the wallet does not have it, and ``basket`` when another basket, or none, holds it.
        """
        await self._storage.relinquish_output(validate_relinquish_output(args, validate_originator(originator)))
        return {"relinquished": True}

    async def list_outputs(self, args: ListOutputsArgs, originator: str | None = None) -> ListOutputsResult:
        """Outputs of a basket that can be spent (BRC-100 listOutputs). ``totalOutputs`` is exact on every page.

        The owner may also set change parameters and release lost coins: docs/reference/reserved-names.md.
        """
        valid = validate_list_outputs(args, validate_originator(originator))
        return cast(ListOutputsResult, (await self._storage.list_outputs(valid)).to_result())

    async def list_actions(self, args: ListActionsArgs, originator: str | None = None) -> ListActionsResult:
        """Actions with the given labels, oldest first (BRC-100 listActions).

        The owner may also abort and unfail what is listed: docs/reference/reserved-names.md.
        """
        valid = validate_list_actions(args, validate_originator(originator))
        return cast(ListActionsResult, (await self._storage.list_actions(valid)).to_result())

    async def balance(self) -> int:
        """Satoshis of the wallet's change that is not spent, mined or not."""
        return await self._storage.balance()

    async def get_height(self, args: object = None, originator: str | None = None) -> GetHeightResult:
        """Height of the chain's tip (BRC-100 getHeight)."""
        validate_originator(originator)
        return {"height": await self._services.get_height()}

    async def get_header_for_height(self, args: GetHeaderArgs, originator: str | None = None) -> GetHeaderResult:
        """The 80 bytes of the active block header at ``height``, as hex (BRC-100 getHeaderForHeight)."""
        validate_originator(originator)
        height = validate_get_header_for_height(args)
        return {"header": (await self._services.get_header_for_height(height)).hex()}

    async def get_network(self, args: object = None, originator: str | None = None) -> GetNetworkResult:
        """``mainnet`` or ``testnet`` (BRC-100 getNetwork); every chain but main is a testnet."""
        validate_originator(originator)
        return {"network": "mainnet" if self._services.chain is Chain.MAIN else "testnet"}

    async def get_version(self, args: object = None, originator: str | None = None) -> GetVersionResult:
        """The version of the wallet interface (BRC-100 getVersion)."""
        validate_originator(originator)
        return {"version": WALLET_VERSION}

    async def is_authenticated(self, args: object = None, originator: str | None = None) -> AuthenticatedResult:
        """Always true: a wallet that is open has its key (BRC-100 isAuthenticated)."""
        validate_originator(originator)
        return {"authenticated": True}

    async def wait_for_authentication(self, args: object = None, originator: str | None = None) -> AuthenticatedResult:
        """Returns at once, as :meth:`is_authenticated` does (BRC-100 waitForAuthentication)."""
        return await self.is_authenticated(args, originator)


def _created(created: CreatedAction, tx: bytes | None, no_send_change: list[str] | None) -> CreateActionResult:
    result: CreateActionResult = {"txid": created.txid}
    if tx is not None:
        result["tx"] = tx
    if no_send_change is not None:
        result["noSendChange"] = no_send_change
    result["sendWithResults"] = cast(Any, [each.to_json() for each in created.result.send_with_results])
    return result


def _review(
    result: ProcessActionResult, is_delayed: bool, tx: bytes | None = None, no_send_change: list[str] | None = None
) -> None:
    """Tell the caller of an immediate call when not everything that was to be sent was taken."""
    if is_delayed or all(each.status is SendWithStatus.UNPROVEN for each in result.send_with_results):
        return
    raise WERR_REVIEW_ACTIONS(
        [each.to_json() for each in result.not_delayed_results or ()],
        [each.to_json() for each in result.send_with_results],
        result.txid,
        tx,
        no_send_change,
    )


def _atomic_beef(created: CreatedAction) -> bytes | None:
    if created.beef is None:
        return None
    if created.signed is not None:
        created.beef.merge_transaction(created.signed)
    return created.beef.to_atomic(created.txid)


def _sample_review() -> WERR_REVIEW_ACTIONS:
    competing: Sequence[str] = [_SAMPLE_TXID]
    return WERR_REVIEW_ACTIONS(
        [{"txid": _SAMPLE_TXID, "status": "doubleSpend", "competingTxs": competing}],
        [{"txid": _SAMPLE_TXID, "status": "failed"}],
        _SAMPLE_TXID,
        None,
        [f"{_SAMPLE_TXID}.0"],
    )
