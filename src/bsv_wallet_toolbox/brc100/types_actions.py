"""Arguments and results of the seven BRC-100 methods on actions and outputs."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from bsv_wallet_toolbox.brc100.types_bytes import ByteArray

__all__ = [
    "AbortActionArgs",
    "AbortActionResult",
    "ActionStatus",
    "BasketInsertionRemittance",
    "CreateActionArgs",
    "CreateActionInput",
    "CreateActionOptions",
    "CreateActionOutput",
    "CreateActionResult",
    "InternalizeActionArgs",
    "InternalizeActionResult",
    "InternalizeOutput",
    "ListActionsArgs",
    "ListActionsResult",
    "ListOutputsArgs",
    "ListOutputsResult",
    "PaymentRemittance",
    "RelinquishOutputArgs",
    "RelinquishOutputResult",
    "SendWithResult",
    "SignActionArgs",
    "SignActionOptions",
    "SignActionResult",
    "SignActionSpend",
    "SignableTransaction",
    "WalletAction",
    "WalletActionInput",
    "WalletActionOutput",
    "WalletOutput",
]

ActionStatus = Literal[
    "completed", "unprocessed", "sending", "unproven", "unsigned", "nosend", "nonfinal", "failed", "unfail"
]


class CreateActionInput(TypedDict):
    """At least one of ``unlockingScript`` (hex) and ``unlockingScriptLength`` (bytes) is needed."""

    outpoint: str
    inputDescription: str
    unlockingScript: NotRequired[str]
    unlockingScriptLength: NotRequired[int]
    sequenceNumber: NotRequired[int]


class CreateActionOutput(TypedDict):
    lockingScript: str
    satoshis: int
    outputDescription: str
    basket: NotRequired[str]
    customInstructions: NotRequired[str]
    tags: NotRequired[list[str]]


class CreateActionOptions(TypedDict):
    signAndProcess: NotRequired[bool]
    acceptDelayedBroadcast: NotRequired[bool]
    trustSelf: NotRequired[Literal["known"]]
    knownTxids: NotRequired[list[str]]
    returnTXIDOnly: NotRequired[bool]
    noSend: NotRequired[bool]
    noSendChange: NotRequired[list[str]]
    sendWith: NotRequired[list[str]]
    randomizeOutputs: NotRequired[bool]


class CreateActionArgs(TypedDict):
    """``inputBEEF``: BEEF with the transactions that ``inputs`` spend."""

    description: str
    inputBEEF: NotRequired[ByteArray]
    inputs: NotRequired[list[CreateActionInput]]
    outputs: NotRequired[list[CreateActionOutput]]
    lockTime: NotRequired[int]
    version: NotRequired[int]
    labels: NotRequired[list[str]]
    options: NotRequired[CreateActionOptions]


class SendWithResult(TypedDict):
    txid: str
    status: Literal["unproven", "sending", "failed"]


class SignableTransaction(TypedDict):
    """``tx``: AtomicBEEF (BRC-95) of the unsigned transaction with its source transactions; ``reference`` is base64."""

    tx: bytes
    reference: str


class CreateActionResult(TypedDict):
    """``tx``: AtomicBEEF (BRC-95); ``noSendChange``: outpoints."""

    txid: NotRequired[str]
    tx: NotRequired[bytes]
    noSendChange: NotRequired[list[str]]
    sendWithResults: NotRequired[list[SendWithResult]]
    signableTransaction: NotRequired[SignableTransaction]


class SignActionSpend(TypedDict):
    unlockingScript: str
    sequenceNumber: NotRequired[int]


class SignActionOptions(TypedDict):
    acceptDelayedBroadcast: NotRequired[bool]
    returnTXIDOnly: NotRequired[bool]
    noSend: NotRequired[bool]
    sendWith: NotRequired[list[str]]


class SignActionArgs(TypedDict):
    """``spends`` is keyed by input index; JSON makes the keys strings, and both are accepted."""

    spends: dict[str, SignActionSpend] | dict[int, SignActionSpend]
    reference: str
    options: NotRequired[SignActionOptions]


class SignActionResult(TypedDict):
    """``tx``: AtomicBEEF (BRC-95); ``noSendChange``: outpoints, in this wallet's results only."""

    txid: NotRequired[str]
    tx: NotRequired[bytes]
    noSendChange: NotRequired[list[str]]
    sendWithResults: NotRequired[list[SendWithResult]]


class AbortActionArgs(TypedDict):
    """``reference``: base64 handle of the action, or its txid."""

    reference: str


class AbortActionResult(TypedDict):
    aborted: Literal[True]


class PaymentRemittance(TypedDict):
    """BRC-29: base64 derivation texts and the sender's compressed public key."""

    derivationPrefix: str
    derivationSuffix: str
    senderIdentityKey: str


class BasketInsertionRemittance(TypedDict):
    basket: str
    customInstructions: NotRequired[str]
    tags: NotRequired[list[str]]


class InternalizeOutput(TypedDict):
    outputIndex: int
    protocol: Literal["wallet payment", "basket insertion"]
    paymentRemittance: NotRequired[PaymentRemittance]
    insertionRemittance: NotRequired[BasketInsertionRemittance]


class InternalizeActionArgs(TypedDict):
    """``tx``: AtomicBEEF (BRC-95)."""

    tx: ByteArray
    outputs: list[InternalizeOutput]
    description: str
    labels: NotRequired[list[str]]
    seekPermission: NotRequired[bool]


class InternalizeActionResult(TypedDict):
    accepted: Literal[True]


class ListActionsArgs(TypedDict):
    labels: list[str]
    labelQueryMode: NotRequired[Literal["any", "all"]]
    includeLabels: NotRequired[bool]
    includeInputs: NotRequired[bool]
    includeInputSourceLockingScripts: NotRequired[bool]
    includeInputUnlockingScripts: NotRequired[bool]
    includeOutputs: NotRequired[bool]
    includeOutputLockingScripts: NotRequired[bool]
    limit: NotRequired[int]
    offset: NotRequired[int]
    seekPermission: NotRequired[bool]


class WalletActionInput(TypedDict):
    sourceOutpoint: str
    sourceSatoshis: int
    sourceLockingScript: NotRequired[str]
    unlockingScript: NotRequired[str]
    inputDescription: str
    sequenceNumber: int


class WalletActionOutput(TypedDict):
    outputIndex: int
    satoshis: int
    lockingScript: NotRequired[str]
    spendable: bool
    outputDescription: str
    basket: str
    tags: list[str]
    customInstructions: NotRequired[str]


class WalletAction(TypedDict):
    """``satoshis``: what the wallet's change gained, negative when it paid."""

    txid: str
    satoshis: int
    status: ActionStatus
    isOutgoing: bool
    description: str
    version: int
    lockTime: int
    labels: NotRequired[list[str]]
    inputs: NotRequired[list[WalletActionInput]]
    outputs: NotRequired[list[WalletActionOutput]]


class ListActionsResult(TypedDict):
    totalActions: int
    actions: list[WalletAction]


class ListOutputsArgs(TypedDict):
    """A negative ``offset`` lists newest first, starting at ``-offset - 1``."""

    basket: str
    tags: NotRequired[list[str]]
    tagQueryMode: NotRequired[Literal["any", "all"]]
    include: NotRequired[Literal["locking scripts", "entire transactions"]]
    includeCustomInstructions: NotRequired[bool]
    includeTags: NotRequired[bool]
    includeLabels: NotRequired[bool]
    limit: NotRequired[int]
    offset: NotRequired[int]
    seekPermission: NotRequired[bool]


class WalletOutput(TypedDict):
    satoshis: int
    spendable: bool
    outpoint: str
    lockingScript: NotRequired[str]
    customInstructions: NotRequired[str]
    tags: NotRequired[list[str]]
    labels: NotRequired[list[str]]


class ListOutputsResult(TypedDict):
    """``BEEF`` holds the transactions of all listed outputs when they were asked for."""

    totalOutputs: int
    BEEF: NotRequired[bytes]
    outputs: list[WalletOutput]


class RelinquishOutputArgs(TypedDict):
    """``output``: an outpoint."""

    basket: str
    output: str


class RelinquishOutputResult(TypedDict):
    relinquished: Literal[True]
