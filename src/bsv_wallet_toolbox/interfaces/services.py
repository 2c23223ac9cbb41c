"""What the wallet asks of the network: the WalletServices protocol and its answers.

Every answer can say "I do not know". An outage is never a "no": callers take irreversible steps on positive evidence
only. Hashes are display-order hex; script hashes are one SHA-256 of the locking script in natural digest order ("LE").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.transactions.headers import BlockHeader
from bsv_wallet_toolbox.transactions.merkle_path import MerklePath

__all__ = [
    "ChainEvents",
    "ChainTracker",
    "HeaderListener",
    "MerklePathAnswer",
    "PostAnswer",
    "PostOutcome",
    "RawTxAnswer",
    "RejectReason",
    "ReorgListener",
    "ScriptHistoryAnswer",
    "ScriptHistoryEntry",
    "TxNetworkStatus",
    "TxStatusAnswer",
    "UtxoAnswer",
    "UtxoEntry",
    "UtxoStatus",
    "WalletServices",
]

HeaderListener = Callable[[BlockHeader], None]
ReorgListener = Callable[[Sequence[BlockHeader], BlockHeader], None]
"""Called with the deactivated headers (highest first) and the new tip."""


class ChainTracker(Protocol):
    """The headers we believe. Raises WERR_BROADCAST_UNAVAILABLE when it cannot tell."""

    async def current_height(self) -> int:
        """Height of the active tip, -1 when there is no block at all."""

    async def is_valid_root_for_height(self, root: str, height: int) -> bool:
        """True when the active header at ``height`` has this Merkle root."""

    async def find_tip(self) -> BlockHeader | None:
        """The active tip, None when there is no block."""

    async def find_header_for_height(self, height: int) -> BlockHeader | None:
        """The active header at ``height``, None above the tip."""


@runtime_checkable
class ChainEvents(Protocol):
    """A chain tracker that also tells of new tips and reorganisations as they happen."""

    def subscribe(self, on_header: HeaderListener, on_reorg: ReorgListener) -> Callable[[], None]:
        """Register both listeners; the result unsubscribes them."""


class PostOutcome(StrEnum):
    """What one provider said about one transaction; whatever is not understood is ``UNAVAILABLE``."""

    ACCEPTED_SEEN = "acceptedSeen"
    ACCEPTED_QUEUED = "acceptedQueued"
    ALREADY_KNOWN = "alreadyKnown"
    MISSING_PARENTS = "missingParents"
    DOUBLE_SPEND = "doubleSpend"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"


class RejectReason(StrEnum):
    """Why a provider refused. The first two end a transaction on its word, the others need our own check too."""

    MALFORMED = "malformed"
    FEE_TOO_LOW = "feeTooLow"
    RULE = "rule"
    UNSTATED = "unstated"


@dataclass(frozen=True, slots=True)
class PostAnswer:
    provider: str
    txid: str
    outcome: PostOutcome
    competing_txids: tuple[str, ...] = ()
    competing_raw_txs: tuple[bytes, ...] = ()
    """Bytes of the competitors where the provider gave them; a claim without bytes is weaker evidence."""
    code: int | None = None
    text: str = ""
    reason: RejectReason = RejectReason.UNSTATED
    """Meant for ``REJECTED`` only."""


class UtxoStatus(Enum):
    """Three-valued on purpose: it cannot be used as a condition."""

    UNSPENT = "unspent"
    SPENT = "spent"
    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        raise TypeError("UtxoStatus has three values; compare it with UtxoStatus.UNSPENT, SPENT or UNKNOWN")


@dataclass(frozen=True, slots=True)
class UtxoEntry:
    txid: str
    vout: int
    satoshis: int
    height: int | None = None


@dataclass(frozen=True, slots=True)
class UtxoAnswer:
    provider: str
    status: UtxoStatus
    entries: tuple[UtxoEntry, ...] = ()
    spent_by: str | None = None
    error: str | None = None


class TxNetworkStatus(StrEnum):
    MINED = "mined"
    KNOWN = "known"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TxStatusAnswer:
    """``statuses`` has one entry per txid asked for; None as a whole means that nobody answered."""

    provider: str
    statuses: Mapping[str, TxNetworkStatus] | None
    depths: Mapping[str, int] = field(default_factory=dict)
    """Confirmations of the mined ones (tip - height + 1)."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RawTxAnswer:
    """``raw_tx`` hashes to ``txid`` or is None; ``error`` tells an outage from "not found"."""

    provider: str
    txid: str
    raw_tx: bytes | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class MerklePathAnswer:
    """A path computes the header's root; both are None when there is no proof or ``error`` is set."""

    provider: str
    merkle_path: MerklePath | None = None
    header: BlockHeader | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ScriptHistoryEntry:
    txid: str
    height: int | None = None


@dataclass(frozen=True, slots=True)
class ScriptHistoryAnswer:
    provider: str
    history: tuple[ScriptHistoryEntry, ...] | None
    error: str | None = None


class WalletServices(Protocol):
    """The network, as the wallet and the monitor see it. Methods that answer dataclasses never raise for an outage."""

    @property
    def chain(self) -> Chain: ...

    def get_chain_tracker(self) -> ChainTracker: ...

    async def get_height(self) -> int: ...

    async def get_header_for_height(self, height: int) -> bytes:
        """The 80 bytes of the active header; WERR_INVALID_PARAMETER above the tip."""

    async def hash_to_header(self, block_hash: str) -> BlockHeader: ...

    async def get_raw_tx(self, txid: str) -> RawTxAnswer: ...

    async def get_merkle_path(self, txid: str) -> MerklePathAnswer: ...

    async def post_beef(self, beef: bytes, txids: Sequence[str]) -> list[PostAnswer]:
        """Send the transactions, parents first; one answer per provider asked and txid."""

    async def get_status_for_txids(self, txids: Sequence[str]) -> TxStatusAnswer: ...

    async def get_utxo_status(
        self,
        output: str,
        output_format: Literal["hashLE", "hashBE", "script"] | None = None,
        outpoint: str | None = None,
    ) -> UtxoAnswer: ...

    async def is_utxo(self, txid: str, vout: int, locking_script: bytes) -> UtxoStatus: ...

    async def get_script_hash_history(self, script_hash: str) -> ScriptHistoryAnswer: ...

    def hash_output_script(self, script: str) -> str: ...

    async def n_lock_time_is_final(self, tx: bytes | str | int) -> bool: ...

    async def get_beef_for_txid(self, txid: str) -> bytes:
        """BEEF V2 that proves ``txid``; WERR_INVALID_PARAMETER when the network does not know it."""

    async def get_bsv_exchange_rate(self) -> float: ...

    async def get_fiat_exchange_rate(self, currency: str, base: str = "USD") -> float: ...

    def get_services_call_history(self, reset: bool = False) -> dict[str, Any]: ...
