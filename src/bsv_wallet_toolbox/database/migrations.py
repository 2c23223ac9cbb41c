"""Bringing a database to the schema of this version: a numbered list of steps, each one transaction.

What was done stands in ``bwt_migrations``. Processes that open one file together may all run this: each step is done
once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, bindparam, insert, select
from sqlalchemy.schema import CreateTable

from bsv_wallet_toolbox.database.errors import UnknownMigration
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Engine, Transaction

__all__ = ["Migration", "migrate"]

_TABLE = Table(
    "bwt_migrations",
    MetaData(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(100), nullable=False),
    Column("applied_at", BigInteger, nullable=False),
)
_CREATE = Statement(CreateTable(_TABLE, if_not_exists=True), "create bwt_migrations")
_APPLIED = Statement(select(_TABLE.c.number, _TABLE.c.name).order_by(_TABLE.c.number), "find applied migrations")
_RECORD = Statement(
    insert(_TABLE).values(number=bindparam("number"), name=bindparam("name"), applied_at=bindparam("applied_at")),
    "record a migration",
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. Once released, neither its number nor its name nor what it does changes."""

    number: int
    name: str
    apply: Callable[[Transaction], None]


async def migrate(engine: Engine, migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """Apply the steps that the database lacks, in order; those applied by this call.

    ``migrations`` are numbered 1, 2, 3 …. Raises UnknownMigration, before anything is changed, when the database has a
    step that is not in the list (a newer version made it) or has it under another name.
    """
    if [step.number for step in migrations] != list(range(1, len(migrations) + 1)):
        raise ValueError("migrations are numbered 1, 2, 3 and so on")
    missing = await engine.write(lambda tx: _missing(tx, migrations), name="find missing migrations")
    applied = [step for step in missing if await engine.write(_Step(step, migrations), name=f"migration {step.name}")]
    return tuple(applied)


@dataclass(frozen=True, slots=True)
class _Step:
    """The operation of one migration; False when another process has just done it."""

    step: Migration
    migrations: Sequence[Migration]

    def __call__(self, tx: Transaction) -> bool:
        if self.step not in _missing(tx, self.migrations):
            return False
        self.step.apply(tx)
        tx.execute(_RECORD, number=self.step.number, name=self.step.name, applied_at=tx.now())
        return True


def _missing(tx: Transaction, migrations: Sequence[Migration]) -> Sequence[Migration]:
    tx.execute(_CREATE)
    applied = [(number, name) for number, name in tx.rows(_APPLIED)]
    known = [(step.number, step.name) for step in migrations]
    for found, expected in zip_longest(applied, known[: len(applied)]):
        if found != expected:
            raise UnknownMigration(f"The database has migration {found}; this version has {expected or 'none'} there.")
    return migrations[len(applied) :]
