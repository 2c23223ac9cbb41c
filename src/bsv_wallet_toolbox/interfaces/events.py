"""What a wallet tells of its actions as they change: see ADR-0010 for what an event promises and what it does not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.interfaces.statuses import TransactionStatus

__all__ = ["EventKind", "EventsLost", "WalletEvent"]


class EventKind(StrEnum):
    CREATED = "created"
    """An action of ours was committed: signed, or still to be signed (no txid yet; told again once it is signed)."""
    SENT = "sent"
    """Providers were asked to take it. What they said is in the detail; what follows from it is the next event."""
    ACCEPTED = "accepted"
    """The network has it. Nothing proves it yet."""
    PROVEN = "proven"
    """A Merkle path under our own headers holds it: completed. Also when a proof that was in doubt was found again."""
    FAILED = "failed"
    """It can never be mined, or was never signed."""
    HELD = "held"
    """A provider refused it without proof, or coins of it are kept back, until there is evidence."""
    REORGANISED = "reorganised"
    """The block of its proof left the active chain, or another block holds it now."""
    RECEIVED = "received"
    """internalizeAction took outputs in."""


@dataclass(frozen=True, slots=True)
class WalletEvent:
    """Something that a commit of this process made durable."""

    kind: EventKind
    user_id: int
    """Whose it is, by the number the store gave its user."""
    transaction_id: int
    reference: str
    """The action's handle, known before it is signed."""
    txid: str | None
    """64 hex characters; None of an action that is not signed."""
    status: TransactionStatus
    """Of the action, as the operation left it: what is received or created may be proven already."""
    satoshis: int
    """What the action adds to the wallet's change, negative for what it takes; what is merged tells what it added."""
    at: int
    """Milliseconds since 1970 UTC, by the clock of the store."""
    detail: str = ""
    """A few words for people: why, which provider said what, which height. Programs do not read it."""


class EventsLost(WalletError):
    """A stream was not read while more events came than it holds. ``count`` were dropped, all that waited among them.

    What they told stands in the wallet: list the actions anew. The stream goes on with what happens from then on.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(f"{count} events were not read in time and are lost: list the actions anew.")
