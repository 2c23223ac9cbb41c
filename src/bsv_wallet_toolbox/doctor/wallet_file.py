"""A wallet file as the doctor opens it: read-only, never made, never migrated, and refused with a clear word.

The headers that proofs are compared with may come from the file of a mock chain, which is opened in the same way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TypeVar

from sqlalchemy import column, select, table

from bsv_wallet_toolbox.database.errors import DatabaseBusy, DatabaseCorrupt, DatabaseError, DatabaseMissing
from bsv_wallet_toolbox.database.sqlite import read_file
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.doctor.invariants import Roots, check_file
from bsv_wallet_toolbox.doctor.report import Finding, Invariant, Report
from bsv_wallet_toolbox.errors import WERR_INVALID_OPERATION
from bsv_wallet_toolbox.storage.migrations import MIGRATIONS
from bsv_wallet_toolbox.storage.statements import examination as statements

__all__ = ["UnreadableFile", "examine", "roots_of_mock_chain"]

T = TypeVar("T")

_ROOTS = Statement(
    select(column("height"), column("merkleRoot")).select_from(table("mockchain_block_headers")), "mock chain roots"
)
_MOCK_CHAIN = "mockchain_block_headers"


class UnreadableFile(WERR_INVALID_OPERATION):
    """The file is no wallet of ours, or can't be read; the message says which."""


def examine(path: str | os.PathLike[str], roots: Roots | None = None) -> Report:
    """Check a wallet file, also while a wallet has it open; a snapshot is read, the file stays as it is.

    ``roots`` are the headers to compare proofs with; what it raises is raised here. Raises UnreadableFile.
    """

    def operation(tx: Transaction) -> Report:
        _refuse_unless_wallet(tx, os.fspath(path))
        damage = [said for (said,) in tx.rows(statements.INTEGRITY) if said != "ok"]
        report = check_file(tx, roots)
        return _with_damage(report, damage)

    return _read(path, operation)


def roots_of_mock_chain(path: str | os.PathLike[str]) -> Roots:
    """The roots of the active headers in a mock chain's file, read when the first is asked for.

    UnreadableFile now, or then, when there is no such file.
    """
    _read(path, lambda tx: _refuse_unless_mock_chain(tx, os.fspath(path)))

    @cache
    def headers() -> dict[int, str]:
        # Later than the snapshot of the wallet: every block that a proof of the wallet names is there.
        return _read(path, lambda tx: dict(tx.rows(_ROOTS)))

    return lambda height: headers().get(height)


def _refuse_unless_wallet(tx: Transaction, path: str) -> None:
    """Raise UnreadableFile unless the file has exactly the schema of this version."""
    tables = _tables(tx)
    if _MOCK_CHAIN in tables:
        raise UnreadableFile(f"{path} is the file of a mock chain, not of a wallet.")
    if "bwt_migrations" not in tables:
        if {"knex_migrations", "proven_tx_reqs"} <= tables:
            raise UnreadableFile(
                f"{path} was made by the TypeScript toolbox. The doctor needs the evidence that only files of"
                " bsv-wallet-toolbox hold."
            )
        raise UnreadableFile(f"{path} is a SQLite database, but it holds no wallet.")
    applied = [(number, name) for number, name in tx.rows(statements.APPLIED_MIGRATIONS)]
    known = [(step.number, step.name) for step in MIGRATIONS]
    if applied != known[: len(applied)]:
        raise UnreadableFile(f"{path} was made by a newer version of bsv-wallet-toolbox; examine it with that.")
    if applied != known:
        raise UnreadableFile(f"{path} has an older schema; open it once with a wallet of this version.")


def _refuse_unless_mock_chain(tx: Transaction, path: str) -> None:
    if _MOCK_CHAIN not in _tables(tx):
        raise UnreadableFile(f"{path} is not the file of a mock chain.")


def _tables(tx: Transaction) -> set[str]:
    return {name for (name,) in tx.rows(statements.TABLE_NAMES)}


def _with_damage(report: Report, damage: list[str]) -> Report:
    """SQLite's own complaints come first: they make everything below them doubtful."""
    if not damage:
        return report
    found = tuple(Finding(Invariant.STRUCTURE, "file", "", f"SQLite: {said}") for said in damage)
    counts = {**report.found, Invariant.STRUCTURE: report.found.get(Invariant.STRUCTURE, 0) + len(found)}
    return replace(report, findings=found + report.findings, found=counts)


def _read(path: str | os.PathLike[str], operation: Callable[[Transaction], T]) -> T:
    if os.path.isdir(path):
        raise UnreadableFile(f"{os.fspath(path)} is a directory, not a wallet file.")
    try:
        return read_file(path, operation)
    except DatabaseMissing:
        raise UnreadableFile(f"There is no file {os.fspath(path)}.") from None
    except DatabaseBusy:
        raise UnreadableFile(f"{os.fspath(path)} was changed while it was read. Run the doctor again.") from None
    except DatabaseCorrupt as error:
        raise UnreadableFile(f"{os.fspath(path)} is damaged or no SQLite database ({error.message}).") from error
    except DatabaseError as error:
        raise UnreadableFile(f"{os.fspath(path)} can not be read: {error.message}") from error
