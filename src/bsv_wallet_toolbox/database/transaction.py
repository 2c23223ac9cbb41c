"""The two protocols that storage is written against: a Transaction for operations, an Engine that runs them.

An operation is a plain function of a Transaction, and one database transaction. It may run more than once (a lost lock,
a failed commit of others), so everything random or from outside is drawn before it; it must not wait for anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.interfaces.events import WalletEvent
from bsv_wallet_toolbox.seams import Failpoint

__all__ = ["Engine", "Row", "Transaction"]

T = TypeVar("T")

Row = tuple[Any, ...]
"""Values as stored, in the order of the statement's columns: int, float, str, bytes or None."""


class Transaction(Protocol):
    """One database transaction, usable only inside the operation it was given to.

    Parameters are int, str, bytes, float, bool or None, and a list, tuple or set where the statement uses
    ``values_of``. All methods raise DatabaseError and its subclasses, and WERR_INVALID_PARAMETER for a value that no
    database holds (integers beyond 64 bits, text that is no Unicode). An operation may catch ConstraintViolation and
    go on.
    """

    @property
    def read_only(self) -> bool:
        """True inside ``Engine.read``; a statement that writes raises DatabaseError."""

    @property
    def statements(self) -> int:
        """Statements executed so far; what the engine adds (BEGIN, COMMIT) does not count."""

    def now(self) -> int:
        """Milliseconds since 1970 UTC, the same for the whole operation, read when it got the write lock."""

    def execute(self, statement: Statement, /, **parameters: Any) -> int:
        """Run a statement; how many rows it inserted, updated or deleted."""

    def rows(self, statement: Statement, /, **parameters: Any) -> list[Row]:
        """All rows of a query."""

    def one(self, statement: Statement, /, **parameters: Any) -> Row | None:
        """The first row of a query, None when there is none."""

    def scalar(self, statement: Statement, /, **parameters: Any) -> Any:
        """The first column of the first row, None when there is none."""

    def insert(self, statement: Statement, /, **parameters: Any) -> int:
        """Insert one row; its row id, or 0 when a conflict clause dropped it."""

    def insert_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]], /) -> int:
        """Insert rows with few statements; how many were inserted.

        ``statement`` is an INSERT of one row. Parameters outside its VALUES (a conflict clause) are taken from the
        first row of each batch.
        """

    def many(self, statement: Statement, rows: Sequence[Mapping[str, Any]], /) -> int:
        """Run a statement once per row of parameters; the rows changed in all."""

    def announce(self, event: WalletEvent, /) -> None:
        """Tell those who listen to the engine, once the COMMIT that carries this operation is durable.

        Nothing is told of an operation that is undone, or of the lost attempt of one that runs again. In a read-only
        transaction nothing happens.
        """


class Engine(Protocol):
    """Runs operations. Safe to call from several event loops."""

    @property
    def dialect(self) -> str:
        """The name statements are compiled under."""

    async def write(
        self,
        operation: Callable[[Transaction], T],
        *,
        name: str = "",
        before_commit: Failpoint | None = None,
        after_commit: Failpoint | None = None,
    ) -> T:
        """Run ``operation`` under the write lock and return its result once it is durable.

        What it raises rolls it back and is raised here. Cancelled before it began, it does not run; afterwards it
        completes unseen, so a caller that must know awaits it shielded. The failpoints are passed right before and
        after the COMMIT that carries it.
        """

    async def read(self, operation: Callable[[Transaction], T]) -> T:
        """Run ``operation`` on one snapshot of committed data, beside writers. Keep it short (≤ 1 s)."""

    def listen(self, listener: Callable[[Sequence[WalletEvent]], None]) -> None:
        """Hand on what is announced from now on: once per COMMIT that announced something, in their order.

        ``listener`` is called on the engine's thread and must not wait. There is one; another takes its place.
        """

    async def close(self) -> None:
        """Finish what was asked, then release threads and files. Calling it again does nothing."""
