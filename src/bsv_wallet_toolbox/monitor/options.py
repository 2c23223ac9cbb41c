"""How a monitor is tuned. All times are in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

from bsv_wallet_toolbox.interfaces.statuses import Chain

__all__ = ["MonitorOptions"]

_SECOND = 1_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class MonitorOptions:
    """The defaults suit a wallet in one process as well as a server with several monitors on one database."""

    header_poll: int = _MINUTE
    """Between two looks at the tip, besides those that the tracker's events cause."""
    header_settle: int = _MINUTE
    """How long a tip must stand before proofs up to it are believed."""
    send_poll: int = 8 * _SECOND
    send_page: int = 100
    send_concurrency: int = 4
    proof_poll: int = _MINUTE
    proof_page: int = 100
    proof_concurrency: int = 3
    unknown_blocks: int = 3
    """Blocks during which the network must not know a transaction before it is sent again."""
    reorg_poll: int = _MINUTE
    abandoned_poll: int = 8 * _MINUTE
    hold_poll: int = 10 * _MINUTE
    written_off_poll: int = _DAY
    """Between two looks at coins that were seen spent by others, besides those after a block was orphaned."""
    failed_poll: int = 10 * _MINUTE
    no_send_poll: int = _HOUR
    """Between two looks for actions that were not to be sent, besides those at every settled header."""
    purge_poll: int = _DAY
    event_retention: int = 30 * _DAY
    lease: int = _MINUTE
    """Of a leased task, prolonged while it runs; never longer than ten minutes."""

    @classmethod
    def for_chain(cls, chain: Chain) -> MonitorOptions:
        """The defaults of a chain: on the mock chain a new tip counts at once."""
        return cls(header_poll=5 * _SECOND, header_settle=0) if chain is Chain.MOCK else cls()
