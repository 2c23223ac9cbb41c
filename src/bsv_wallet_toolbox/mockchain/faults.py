"""What can go wrong between a wallet and the mock chain, switched on per method of the services.

Nothing here waits: a timeout is the answer that a timeout gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bsv_wallet_toolbox.errors import WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.seams import Entropy, SeededEntropy

__all__ = ["ActiveFault", "Fault", "Faults"]


class Fault(StrEnum):
    """``UNAVAILABLE``, ``TIMEOUT``, ``HTTP_STATUS`` and ``RATE_LIMITED`` fit every method, the others those named."""

    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    HTTP_STATUS = "httpStatus"
    RATE_LIMITED = "rateLimited"

    WRONG_TXID = "wrongTxid"
    """post_beef: the chain took it, and the answer names another txid. get_raw_tx: the bytes have another hash."""

    STALE_PROOF = "staleProof"
    """get_merkle_path: the proof leads into a block that is not on the active chain."""

    NO_PROOF = "noProof"
    """get_merkle_path: a mined transaction has no proof until ``blocks`` more blocks stand on its own."""

    FORGET = "forget"
    """post_beef: accepted, says the answer, and the chain never saw it."""

    REPLY_LOST = "replyLost"
    """post_beef: the chain took it, and the answer is that nobody answered."""

    REJECTED = "rejected"
    """post_beef: rejected without a reason, whatever the rules say; the chain never saw it."""

    FEE_TOO_LOW = "feeTooLow"
    """post_beef: rejected for its fee, which this chain never asks for; the chain never saw it."""

    DOUBLE_SPEND_CLAIM = "doubleSpendClaim"
    """post_beef: a double spend, says the answer, with an invented competitor and without its bytes."""


_ANYWHERE = frozenset({Fault.UNAVAILABLE, Fault.TIMEOUT, Fault.HTTP_STATUS, Fault.RATE_LIMITED})
_POST = frozenset(
    {
        Fault.WRONG_TXID,
        Fault.FORGET,
        Fault.REPLY_LOST,
        Fault.REJECTED,
        Fault.FEE_TOO_LOW,
        Fault.DOUBLE_SPEND_CLAIM,
    }
)
_SPECIAL: dict[str, frozenset[Fault]] = {
    "post_beef": _POST,
    "get_raw_tx": frozenset({Fault.WRONG_TXID}),
    "get_merkle_path": frozenset({Fault.STALE_PROOF, Fault.NO_PROOF}),
}
_METHODS = frozenset(
    {
        *_SPECIAL,
        "get_height",
        "get_header_for_height",
        "hash_to_header",
        "get_status_for_txids",
        "get_utxo_status",
        "is_utxo",
        "get_script_hash_history",
        "n_lock_time_is_final",
        "get_beef_for_txid",
        "get_bsv_exchange_rate",
        "get_fiat_exchange_rate",
        "current_height",
        "is_valid_root_for_height",
        "find_tip",
        "find_header_for_height",
        "find_header_for_block_hash",
    }
)


@dataclass(frozen=True, slots=True)
class ActiveFault:
    """A fault that strikes now. ``status`` is the HTTP status of the answer where there is one."""

    fault: Fault
    status: int | None = None
    blocks: int = 0

    @property
    def is_outage(self) -> bool:
        """True when nothing is known after the call."""
        return self.fault in _ANYWHERE

    @property
    def text(self) -> str:
        match self.fault:
            case Fault.TIMEOUT:
                return "timeout after 5000ms"
            case Fault.HTTP_STATUS | Fault.RATE_LIMITED:
                return f"HTTP status {self.status}"
        return "No services available."


@dataclass(slots=True)
class _Rule:
    active: ActiveFault
    remaining: int | None
    probability: float


class Faults:
    """The faults that are switched on. Chance is drawn from ``entropy`` (seeded unless given), so runs repeat."""

    def __init__(self, entropy: Entropy | None = None) -> None:
        self._entropy = entropy if entropy is not None else SeededEntropy("faults")
        self._rules: dict[str, list[_Rule]] = {}

    def set(
        self,
        method: str,
        fault: Fault,
        *,
        times: int | None = None,
        status: int = 503,
        blocks: int = 1,
        probability: float = 1.0,
    ) -> None:
        """Let ``fault`` strike the next ``times`` calls of ``method`` (None: until cleared), after those set before.

        ``status`` belongs to HTTP_STATUS and ``blocks`` to NO_PROOF. With a ``probability`` below 1 only calls that are
        struck count. Methods are those of WalletServices and of the chain tracker. WERR_INVALID_PARAMETER when the
        method is not one of them or cannot have the fault.
        """
        if method not in _METHODS:
            raise WERR_INVALID_PARAMETER("method", f"a method of the services or of the chain tracker, not {method}")
        if fault not in _ANYWHERE | _SPECIAL.get(method, frozenset()):
            raise WERR_INVALID_PARAMETER("fault", f"one that {method} can have, not {fault}")
        if times is not None and times < 1:
            raise WERR_INVALID_PARAMETER("times", "one or more")
        http_status = {Fault.HTTP_STATUS: status, Fault.RATE_LIMITED: 429}.get(fault)
        self._rules.setdefault(method, []).append(_Rule(ActiveFault(fault, http_status, blocks), times, probability))

    def clear(self, method: str | None = None) -> None:
        """End the faults of one method, or all."""
        if method is None:
            self._rules.clear()
        else:
            self._rules.pop(method, None)

    def strike(self, method: str) -> ActiveFault | None:
        """The fault that the call being made now has, if any; counts it."""
        rules = self._rules.get(method)
        if not rules:
            return None
        rule = rules[0]
        if rule.probability < 1.0 and self._entropy.fraction() >= rule.probability:
            return None
        if rule.remaining is not None:
            rule.remaining -= 1
            if rule.remaining == 0:
                rules.pop(0)
        return rule.active
