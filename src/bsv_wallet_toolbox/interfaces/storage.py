"""What passes between the wallet and its storage: the proposal of an action, the signed transaction, the outcome.

Field names are the snake_case forms of the JSON objects that a remote storage exchanges; scripts and transactions are
bytes, txids display-order hex.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from bsv_wallet_toolbox.brc100.actions import (
    ValidAbortAction,
    ValidInternalizeAction,
    ValidListActions,
    ValidSignAction,
    ValidSignActionOptions,
)
from bsv_wallet_toolbox.brc100.create_action import ValidCreateAction
from bsv_wallet_toolbox.brc100.outputs import ValidListOutputs, ValidRelinquishOutput
from bsv_wallet_toolbox.interfaces.prepared import PreparedAction
from bsv_wallet_toolbox.interfaces.proofs import Incoming
from bsv_wallet_toolbox.interfaces.statuses import ReviewActionStatus, SendWithStatus
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.tx import TransactionView

__all__ = [
    "ActionInput",
    "ActionOutput",
    "ActionProposal",
    "CreatedAction",
    "FinishAction",
    "InternalizeResult",
    "OutputPurpose",
    "PrepareAction",
    "ProcessActionArgs",
    "ProcessActionResult",
    "ProvidedBy",
    "ResultPage",
    "ReviewActionResult",
    "SendWithResult",
    "SignAction",
    "SignableAction",
    "WalletStorage",
]


class ProvidedBy(StrEnum):
    YOU = "you"
    STORAGE = "storage"
    YOU_AND_STORAGE = "you-and-storage"


class OutputPurpose(StrEnum):
    NONE = ""
    CHANGE = "change"
    COMMISSION = "storage-commission"


class ActionInput(NamedTuple):
    """An input that storage chose or found. Derivation texts are base64, as BRC-29 key ids use them."""

    vin: int
    source_txid: str
    source_vout: int
    source_satoshis: int
    source_locking_script: bytes
    unlocking_script_length: int
    provided_by: ProvidedBy
    type: str
    derivation_prefix: str | None = None
    derivation_suffix: str | None = None
    sender_identity_key: str | None = None


class ActionOutput(NamedTuple):
    """An output in storage's order: requested ones, the service charge if any, then change.

    ``vout`` is its place in the transaction.
    """

    vout: int
    satoshis: int
    locking_script: bytes
    """Empty for change: the wallet derives that lock itself."""
    provided_by: ProvidedBy
    purpose: OutputPurpose = OutputPurpose.NONE
    derivation_suffix: str | None = None


class ActionProposal(NamedTuple):
    """Storage's answer to createAction: what it proposes to sign. The wallet checks it before it signs anything."""

    reference: str
    version: int
    lock_time: int
    derivation_prefix: str
    inputs: tuple[ActionInput, ...]
    outputs: tuple[ActionOutput, ...]
    input_beef: Beef | None
    """The source transactions with their ancestry, None when only the txid was asked for."""
    satoshis: int = 0
    """What the wallet's change gains: negative when it pays."""
    fee: int = 0

    @property
    def change_vouts(self) -> tuple[int, ...]:
        """Where the change stands in the transaction, in storage's order."""
        return tuple(output.vout for output in self.outputs if output.purpose is OutputPurpose.CHANGE)


SignAction = Callable[[ActionProposal], TransactionView]
"""Checks, builds, signs and verifies; a plain function, since a local storage runs it on its engine thread."""

PrepareAction = Callable[[ActionProposal], PreparedAction]
"""Checks and builds, for an action that signAction finishes."""

FinishAction = Callable[[PreparedAction], TransactionView]
"""Puts the caller's scripts in, signs and verifies."""


@dataclass(frozen=True, slots=True)
class ProcessActionArgs:
    """The second commit of a two-commit action.

    ``is_no_send`` keeps it from the network; ``send_with`` are txids of actions that go out in the same batch.
    """

    reference: str
    txid: str
    raw_tx: bytes
    is_delayed: bool
    is_no_send: bool = False
    send_with: tuple[str, ...] = ()


class SendWithResult(NamedTuple):
    txid: str
    status: SendWithStatus

    def to_json(self) -> dict[str, Any]:
        return {"txid": self.txid, "status": self.status.value}


@dataclass(frozen=True, slots=True)
class ReviewActionResult:
    txid: str
    status: ReviewActionStatus
    competing_txs: tuple[str, ...] = ()
    competing_beef: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        """What is not known is left out; bytes stay bytes."""
        body: dict[str, Any] = {"txid": self.txid, "status": self.status.value}
        if self.competing_txs:
            body["competingTxs"] = list(self.competing_txs)
        if self.competing_beef is not None:
            body["competingBeef"] = self.competing_beef
        return body


class ProcessActionResult(NamedTuple):
    """``txid`` is None when nothing new was made, ``not_delayed_results`` unless something was posted at once."""

    txid: str | None
    send_with_results: tuple[SendWithResult, ...]
    not_delayed_results: tuple[ReviewActionResult, ...] | None = None


class CreatedAction(NamedTuple):
    """A committed action and what became of its broadcast."""

    txid: str
    signed: TransactionView | None
    """None when the same request had been carried out before; then ``beef`` holds the transaction itself too."""
    beef: Beef | None
    """What proves its inputs, None when only the txid was asked for."""
    result: ProcessActionResult
    change_vouts: tuple[int, ...] = ()
    """Outputs that a later noSend action may be given as its noSendChange."""
    options: ValidSignActionOptions | None = None
    """Of signAction: what was given, completed by what createAction was given."""


@dataclass(frozen=True, slots=True)
class SignableAction:
    """A committed action that waits for signAction. ``sources``: the transactions that it spends, without proofs."""

    reference: str
    unsigned: TransactionView
    sources: Beef


class ResultPage(Protocol):
    """A page of outputs or actions."""

    def to_result(self) -> Mapping[str, Any]:
        """The BRC-100 result object; bytes stay bytes."""


class WalletStorage(Protocol):
    """The storage of one user, as the wallet sees it."""

    @property
    def identity_key(self) -> str: ...

    async def create_signed_action(
        self,
        args: ValidCreateAction,
        sign: SignAction,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedAction:
        """Propose, sign and commit in one step, then post at once unless the action is delayed."""

    async def create_signable_action(
        self,
        args: ValidCreateAction,
        prepare: PrepareAction,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> SignableAction:
        """Propose, build and keep, until signAction or abortAction."""

    async def sign_action(
        self,
        args: ValidSignAction,
        finish: FinishAction,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedAction:
        """Finish and commit what waits for it, then post at once unless the action is delayed."""

    async def send_with(self, txids: Sequence[str], is_delayed: bool) -> ProcessActionResult:
        """Bring actions to the network that were held back (noSend)."""

    async def abort_action(self, args: ValidAbortAction, originator: str | None = None) -> None:
        """Give an action up that is not signed, or was held back and is not on the network."""

    async def internalized_before(
        self, args: ValidInternalizeAction, originator: str | None, idempotency_key: str
    ) -> InternalizeResult | None:
        """What the same request led to, None for a new one."""

    async def verify_incoming(self, raw: bytes) -> Incoming:
        """Verify an AtomicBEEF against our headers, scripts and amounts."""

    async def internalize_action(
        self,
        args: ValidInternalizeAction,
        incoming: Incoming,
        originator: str | None = None,
        idempotency_key: str | None = None,
    ) -> InternalizeResult:
        """Take outputs of a verified transaction in."""

    async def relinquish_output(self, args: ValidRelinquishOutput) -> None:
        """Take an output out of the basket that holds it."""

    async def list_outputs(self, args: ValidListOutputs) -> ResultPage: ...

    async def list_actions(self, args: ValidListActions) -> ResultPage: ...

    async def balance(self) -> int: ...


@dataclass(frozen=True, slots=True)
class InternalizeResult:
    """``satoshis``: what the wallet's change gained (negative when an output left it)."""

    txid: str
    satoshis: int
    is_merge: bool
    send_with_results: tuple[SendWithResult, ...] | None = None
    not_delayed_results: tuple[ReviewActionResult, ...] | None = None
