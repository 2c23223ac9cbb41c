"""What a database can answer instead of a result. No exception of a driver leaves this package.

WERR_INTERNAL
└── DatabaseError
    ├── ConstraintViolation     a unique, foreign key, NOT NULL or CHECK rule refused the statement
    ├── DatabaseBusy            another process holds the lock; nothing was written, trying again may succeed
    ├── DiskFull
    ├── DatabaseCorrupt         the file is damaged or no database
    ├── DatabaseUnavailable     the file can not be opened, read or written
    ├── DatabaseMissing         there is no file and none was to be made
    ├── DatabaseClosed
    └── UnknownMigration        the file was made by a newer or another version of the schema
"""

from __future__ import annotations

from bsv_wallet_toolbox.errors import WERR_INTERNAL

__all__ = [
    "ConstraintViolation",
    "DatabaseBusy",
    "DatabaseClosed",
    "DatabaseCorrupt",
    "DatabaseError",
    "DatabaseMissing",
    "DatabaseUnavailable",
    "DiskFull",
    "UnknownMigration",
]


class DatabaseError(WERR_INTERNAL):
    """The database did not do what it was asked. The message names the statement, never a value."""


class ConstraintViolation(DatabaseError):
    """The statement had no effect; the transaction goes on."""


class DatabaseBusy(DatabaseError):
    """Others held the lock for longer than the engine waits. The operation had no effect."""


class DiskFull(DatabaseError):
    """The operation had no effect."""


class DatabaseCorrupt(DatabaseError):
    """Stop and restore: nothing read from this file can be trusted."""


class DatabaseUnavailable(DatabaseError):
    """An I/O error, or no permission. The operation had no effect.

    Where the disk failed a COMMIT and could not be written afterwards either, the message says that this is certain
    only once something else was written. An idempotency key makes trying again safe in any case.
    """


class DatabaseMissing(DatabaseError):
    """Opening never creates unless it is told to."""


class DatabaseClosed(DatabaseError):
    """The engine was closed before this call."""


class UnknownMigration(DatabaseError):
    """The file's list of migrations is not the beginning of ours."""
