"""How SQLite runs the statements of storage on a large file that was never analysed: by index, always.

Without statistics the planner believes that any index on a column leads to a handful of rows, and takes an index on
``userId``, ``status`` or ``spendable`` alone, which walks all rows of a user or of the store. So a plan is good only if
every large table is entered by something that names few rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import apsw
import pytest
from listing_world import Out, new_world, sql

from bsv_wallet_toolbox.database.sqlite_connection import prepare_file
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.storage import statements as statements_package
from bsv_wallet_toolbox.storage.statements import coins, listing

LARGE = {
    "outputs",
    "transactions",
    "proven_txs",
    "proven_tx_reqs",
    "commissions",
    "output_tags_map",
    "tx_labels_map",
    "bwt_notes",
    "bwt_evidence",
}

NAMING_MANY = tuple(
    frozenset(columns.split())
    for columns in ("", "userId", "status", "spendable", "isDeleted", "userId status", "userId spendable")
)
"""Columns that together still name many rows, however few the planner takes them for."""

READS_EVERYTHING = {"invariants", "structure", "examination"}
"""Modules for the doctor, who looks at every row on purpose and when asked to."""

WALKS = {
    **dict.fromkeys(
        [
            f"listing.{tagged}.{what}"
            for tagged in ("UNTAGGED", "ANY_TAG", "ALL_TAGS")
            for what in ("total", "satoshis", "change_satoshis")
        ],
        "outputs that can't be listed are found by the user's transactions in the rare statuses, in a covering index",
    ),
    **dict.fromkeys(
        [f"listing.EVERY_ACTION.{what}" for what in ("page", "total", "page_in_time", "total_in_time")],
        "without a label an exact total has to look at all actions of the user",
    ),
    **dict.fromkeys(
        ["coins.IMMEDIATE.count_unavailable", "coins.DELAYED.count_unavailable"],
        "coins that can't fund are found by the user's transactions in the statuses concerned, no further than a cap",
    ),
}
"""Statements that may walk all transactions of a user or status, and why."""

_ENTRY = re.compile(r"(?:SCAN|SEARCH) (\w+)(?:.*? USING .*?\((.*)\))?")


def _statements(module: ModuleType) -> Iterator[tuple[str, Statement]]:
    for name, value in vars(module).items():
        if isinstance(value, Statement):
            yield name, value
        elif is_dataclass(value) and not isinstance(value, type):
            for each in fields(value):
                statement = getattr(value, each.name)
                if isinstance(statement, Statement):
                    yield f"{name}.{each.name}", statement


STATEMENTS = {
    f"{info.name}.{name}": statement
    for info in iter_modules(statements_package.__path__)
    if info.name not in READS_EVERYTHING
    for name, statement in _statements(import_module(f"{statements_package.__name__}.{info.name}"))
}


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    path = str(tmp_path_factory.mktemp("plans") / "large.sqlite")
    prepare_file(path, create=True)
    statuses = ("completed", "unproven", "sending", "failed", "unsigned")
    with new_world(path) as world:
        for number in range(600):
            user = world.other if number % 3 == 0 else world.user
            change = Out(1000, basket="default", change=True, spendable=number % 2 == 0)
            world.action(Out(1, tags=("t",)), change, status=statuses[number % 5], user=user, labels=("l",))
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    assert connection.execute("SELECT count(*) FROM outputs").get == 1200
    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'").get == 0
    yield connection
    connection.close()


def plan(connection: apsw.Connection, statement: Statement) -> list[str]:
    words = statement.compiled("sqlite").text
    names = re.findall(r"(?<!:):([A-Za-z_]\w*)", re.sub(r"'[^']*'", "''", words))
    rows = connection.execute(f"EXPLAIN QUERY PLAN {words}", dict.fromkeys(names, "[]"))
    return [detail for _, _, _, detail in rows]


def walks(details: list[str]) -> list[str]:
    """The steps of a plan that go through more rows of a large table than a condition names."""
    found = []
    for detail in details:
        entry = _ENTRY.match(detail)
        if entry is None or re.sub(r"_\d+$", "", entry[1]) not in LARGE:
            continue
        columns = frozenset(re.findall(r"(\w+)[=<>]", entry[2] or ""))
        if detail.startswith("SCAN") or columns in NAMING_MANY:
            found.append(detail)
    return found


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_no_statement_walks_a_large_table(large_file: apsw.Connection, name: str) -> None:
    found = walks(plan(large_file, STATEMENTS[name]))
    if name in WALKS:
        found = [step for step in found if "bwt_transactions_user_status" not in step]
    assert found == []


def test_the_exceptions_are_still_needed(large_file: apsw.Connection) -> None:
    assert [name for name in WALKS if not walks(plan(large_file, STATEMENTS[name]))] == []


COUNTS_PER_ACTION = (
    coins.IMMEDIATE.count_unavailable,
    coins.DELAYED.count_unavailable,
    listing.UNTAGGED.total,
    listing.UNTAGGED.change_satoshis,
)


def test_counting_takes_no_longer_for_all_that_was_ever_abandoned(tmp_path: Path) -> None:
    steps = []
    for failed in (1, 200):
        path = str(tmp_path / f"{failed}.sqlite")
        prepare_file(path, create=True)
        with new_world(path) as world:
            world.action(Out(1000, basket="default", change=True))
            for _ in range(failed):
                world.action(Out(1000, basket="default", change=True), status="failed")
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        steps.append([vm_steps(connection, statement) for statement in COUNTS_PER_ACTION])
        connection.close()
    assert steps[0] == steps[1]


def vm_steps(connection: apsw.Connection, statement: Statement) -> int:
    """Instructions that SQLite runs for user 1 and the default basket."""
    counted = 0

    def count() -> bool:
        nonlocal counted
        counted += 1
        return False

    connection.set_progress_handler(count, 1)
    connection.execute(statement.compiled("sqlite").text, {"user_id": 1, "basket_id": 1, "cap": 500}).fetchall()
    connection.set_progress_handler(None)
    return counted


@pytest.mark.parametrize(
    "words",
    [
        "SELECT * FROM outputs",
        "SELECT * FROM outputs WHERE userId = :a AND satoshis = :b",
        "SELECT * FROM transactions AS transactions_1 WHERE lockTime = :a",
        "SELECT (SELECT count(*) FROM transactions WHERE status = :a)",
        "UPDATE outputs SET change = 1 WHERE spendable = 1",
    ],
)
def test_a_walk_is_noticed(large_file: apsw.Connection, words: str) -> None:
    assert walks(plan(large_file, sql(words)))
