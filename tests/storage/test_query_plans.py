"""How SQLite runs the statements of storage on a large file that was never analysed: by index, always.

Without statistics the planner believes that any index on a column leads to a handful of rows, and takes an index on
``userId``, ``status`` or ``spendable`` alone, which walks all rows of a user or of the store. So a plan is good only if
every large table is entered by something that names few rows. What walks or sorts on purpose is listed with the reason.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import apsw
import pytest
from listing_world import Out, new_world, sql
from statement_catalogue import CATALOGUE
from statement_catalogue import __file__ as catalogue_program

from bsv_wallet_toolbox.database.sqlite_connection import prepare_file
from bsv_wallet_toolbox.database.statements import Statement
from bsv_wallet_toolbox.storage.schema import metadata
from bsv_wallet_toolbox.storage.statements import coins, listing

SMALL = {
    "settings": "one row",
    "bwt_settings": "a row for each thing that the store remembers",
    "bwt_leases": "a row for each task of the monitor",
    "sqlite_schema": "a row for each table and index",
    "bwt_migrations": "a row for each step",
    "json_each": "what the caller gave",
}
NO_TABLE = re.compile(r"CONSTANT|anon_\d+")
"""What is scanned and is no table: a row of constants, the result of a subquery."""

NAMES_FEW = {
    *("rowid", "txid", "transactionId", "spentBy", "outputId", "provenTxId", "certificateId", "blockHash"),
    *("reference", "identityKey", "key", "name", "tag", "label"),
}
"""Columns of which one value leads to few rows. All others, and all ranges, may lead to any number."""

FOR_THE_DOCTOR = {"invariants", "structure", "examination"}
"""Modules of statements that look at every row on purpose, once, when they are asked to."""


@dataclass(frozen=True)
class Allowed:
    """Statements that match ``names`` may do ``what``: enter a table in a way that names many rows, or sort."""

    names: str
    what: str
    reason: str

    def covers(self, name: str, what: str) -> bool:
        return self.what == what and fnmatchcase(name, self.names)


_PAGE = "a page, read in the order of the index as far as the page goes"
_CAPPED = "no further than a cap, or to the first coin that fits"
_ONE_TRANSACTION = "outputs of one transaction"
_ONE_PAGE = "what belongs to one page of actions"
_NOW_ALL = "every one of them is meant"
_LABELLED = "all actions of a label are looked at, no others"
_HISTORY = "without a label all actions of the user are looked at"
_LATEST = "proofs of the blocks in which a reorganisation is looked for"
_DOUBTS = "proofs of blocks that one reorganisation orphaned"

ALLOWED = (
    Allowed("listing.*.newest_first", "outputs(userId= basketId= spendable=)", _PAGE),
    Allowed("listing.*.oldest_first", "outputs(userId= basketId= spendable=)", _PAGE),
    Allowed("listing.*.total", "outputs(userId= basketId= spendable=)", "an exact total of a basket, in an index"),
    Allowed("listing.*.satoshis", "outputs(userId= basketId= spendable=)", "an exact sum of a basket, in an index"),
    Allowed("listing.*.change_satoshis", "outputs(userId= basketId= type=)", "an exact sum of all coins"),
    Allowed("listing.UNSPENT_IN_BASKET", "outputs(userId= basketId= spendable= outputId>)", _PAGE),
    Allowed("listing.*TAG*.*", "transactions(userId= status=)", "the user's transactions in the rare statuses"),
    Allowed("listing.EVERY_ACTION.*", "transactions(userId= status=)", _HISTORY),
    Allowed("listing.EVERY_ACTION.page*", "ORDER BY", _HISTORY),
    Allowed("listing.WITH_*", "tx_labels_map(txLabelId= isDeleted=)", _LABELLED),
    Allowed("listing.WITH_ALL_LABELS.*", "GROUP BY", _LABELLED),
    Allowed("listing.ACTION_*PUTS", "ORDER BY", _ONE_PAGE),
    Allowed("coins.*.count_unavailable", "transactions(userId= status=)", "those in rare statuses, up to a cap"),
    Allowed("coins.*.count_*", "outputs(userId= basketId= type=)", _CAPPED),
    Allowed("coins.*.at_least", "outputs(userId= basketId= type= satoshis>)", _CAPPED),
    Allowed("coins.*.below", "outputs(userId= basketId= type= satoshis<)", _CAPPED),
    Allowed("coins.*.of_exactly", "outputs(userId= basketId= type= satoshis=)", _CAPPED),
    Allowed("baskets.BASKETS_OF_USER", "output_baskets()", "once in a review that asks the network about every coin"),
    Allowed("coins.HELD_COINS", "bwt_holds(rowid>)", _PAGE),
    Allowed("coins.UNSPENT_OUTPUTS", "ORDER BY", _ONE_TRANSACTION),
    Allowed("coins.CHILDREN", "DISTINCT", _ONE_TRANSACTION),
    Allowed("actions.OUTPUTS_OF", "ORDER BY", _ONE_TRANSACTION),
    Allowed("actions.ABANDONED", "transactions(status= rowid>)", "unsigned actions, which are given up within a day"),
    Allowed("actions.ABANDONED", "ORDER BY", "unsigned actions, which are given up within a day"),
    Allowed("proofs.SPENDABLE_OUTPUTS_OF_TXID", "ORDER BY", _ONE_TRANSACTION),
    Allowed("proofs.WRITTEN_OFF", "bwt_holds(rowid>)", _PAGE),
    Allowed("proofs.FAILED_REQS", "proven_tx_reqs(status= rowid>)", _PAGE),
    Allowed("proofs.REQS_IN_STATUS", "proven_tx_reqs(status= rowid>)", _PAGE),
    Allowed("invariants.INTENDED.*", "bwt_notes(rowid<)", "for what its times say was posted before it was made"),
    Allowed("proofs.GIVE_JOBS", "proven_tx_reqs(status=)", _PAGE),
    Allowed("proofs.DUE_JOBS", "bwt_jobs(kind= nextAttemptAt<)", _PAGE),
    Allowed("proofs.PROVE_NOW", "bwt_jobs(kind= nextAttemptAt>)", _NOW_ALL),
    Allowed("proofs.PULL_JOBS_IN", "bwt_jobs(kind= nextAttemptAt>)", _NOW_ALL),
    Allowed("proofs.DUE_SUSPECTS", "bwt_suspects()", _DOUBTS),
    Allowed("proofs.DUE_SUSPECTS", "ORDER BY", _DOUBTS),
    Allowed("proofs.SUSPECTS_NOW", "bwt_suspects()", _DOUBTS),
    Allowed("proofs.STORED_ROOTS", "proven_txs(height>)", _LATEST),
    Allowed("proofs.STORED_ROOTS", "DISTINCT", _LATEST),
    Allowed("proofs.REQS_SHOWN_WITH_ANCESTRY", "bwt_jobs(rowid>)", "what waits for its proof"),
    Allowed("proofs.REQS_SHOWN_WITH_ANCESTRY", "bwt_suspects()", _DOUBTS),
    Allowed("proofs.REQS_SHOWN_WITH_ANCESTRY", "ORDER BY", _DOUBTS),
    Allowed("leases.EVENTS_SINCE", "monitor_events(rowid>)", _PAGE),
    Allowed("leases.DELETE_EVENTS", "monitor_events()", "once a day, over what one month brought"),
    Allowed("users.COUNT_USERS", "users()", "asked once, by who opens a file and would make it"),
)

_ENTRY = re.compile(r"(?:SCAN|SEARCH) (\w+)(?:.*? USING .*?\((.*)\))?")
_SORT = re.compile(r"USE TEMP B-TREE FOR (?:LAST (?:\d+ )?TERMS? OF )?(.*)")
_UNSET = re.compile(r"(\w+)\"? IS NULL")
"""A column that is to be NULL names many rows, and a plan shows it as it shows an equality."""
_ALIAS = re.compile(r"(\w+)\"? AS \"?(\w+)")


@dataclass(frozen=True)
class Step:
    """A line of a plan. ``what`` is a table with the columns that lead into it, or what is sorted for, or nothing."""

    id: int
    parent: int
    words: str
    what: str = ""
    names_many: bool = False


def plan(connection: apsw.Connection, statement: Statement) -> list[Step]:
    words = statement.compiled("sqlite").text
    aliases = {alias: table for table, alias in _ALIAS.findall(words)}
    names = re.findall(r"(?<!:):([A-Za-z_]\w*)", re.sub(r"'[^']*'", "''", words))
    rows = connection.execute(f"EXPLAIN QUERY PLAN {words}", dict.fromkeys(names, "[]"))
    unset = set(_UNSET.findall(words))
    return [_step(id_, parent, detail, aliases, unset) for id_, parent, _, detail in rows]


def _step(id_: int, parent: int, detail: str, aliases: dict[str, str], unset: set[str]) -> Step:
    if sort := _SORT.match(detail):
        return Step(id_, parent, detail, sort[1], names_many=True)
    entry = _ENTRY.match(detail)
    if entry is None or NO_TABLE.fullmatch(entry[1]):
        return Step(id_, parent, detail)
    table = aliases.get(entry[1], entry[1])
    assert table in metadata.tables or table in SMALL, f"what is {entry[1]}?"
    columns = re.findall(r"(\w+)([=<>])", entry[2] or "")
    few = any(column in NAMES_FEW - unset and sign == "=" for column, sign in columns)
    what = f"{table}({' '.join(map(''.join, columns))})"
    return Step(id_, parent, detail, what, names_many=table not in SMALL and not few)


def excess(name: str, steps: list[Step]) -> list[str]:
    """What a plan does that it may not do."""
    found = [step.words for step in steps if "AUTOMATIC" in step.words]
    many = [step for step in steps if step.names_many]
    if name.partition(".")[0] in FOR_THE_DOCTOR:
        # One table is read to its end; what is looked up for its rows is looked up by key. Sorted are the rows found.
        inner = [step for step in many if _SORT.match(step.words) is None and step is not _outermost(steps)]
        many = inner
    return found + [step.words for step in many if not any(each.covers(name, step.what) for each in ALLOWED)]


def _outermost(steps: list[Step]) -> Step | None:
    """The first loop of the statement, unless it stands in a subquery."""
    return next((step for step in steps if step.what and step.parent == 0), None)


def make_file(path: Path, actions: int) -> apsw.Connection:
    """A file of so many actions for two users, read with the settings of the engine that choose plans."""
    prepare_file(str(path), create=True)
    statuses = ("completed", "unproven", "sending", "failed", "unsigned")
    with new_world(str(path)) as world:
        for number in range(actions):
            user = world.other if number % 3 == 0 else world.user
            change = Out(1000, basket="default", change=True, spendable=number % 2 == 0)
            world.action(Out(1, tags=("t",)), change, status=statuses[number % 5], user=user, labels=("l",))
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.execute("CREATE TEMP TABLE bwt_migrations (number, name)")
    return connection


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    connection = make_file(tmp_path_factory.mktemp("plans") / "large.sqlite", 600)
    assert connection.execute("SELECT count(*) FROM outputs").get == 1200
    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'").get == 0
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    connection = make_file(tmp_path_factory.mktemp("plans") / "empty.sqlite", 0)
    yield connection
    connection.close()


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_no_statement_walks_or_sorts_what_can_be_large(large_file: apsw.Connection, name: str) -> None:
    assert excess(name, plan(large_file, CATALOGUE[name])) == []


def test_a_plan_does_not_depend_on_what_the_file_holds(
    large_file: apsw.Connection, empty_file: apsw.Connection
) -> None:
    different = [name for name, each in CATALOGUE.items() if plan(large_file, each) != plan(empty_file, each)]
    assert different == []


@pytest.mark.parametrize("allowed", ALLOWED, ids=lambda each: f"{each.names} {each.what}")
def test_every_exception_is_still_needed(empty_file: apsw.Connection, allowed: Allowed) -> None:
    needed = (
        step
        for name, statement in CATALOGUE.items()
        for step in plan(empty_file, statement)
        if step.names_many and allowed.covers(name, step.what)
    )
    assert next(needed, None) is not None


def test_every_statement_is_looked_at() -> None:
    """All that stand in modules; those of other packages are about the tables of migrations and of the mock chain."""
    found = subprocess.run([sys.executable, catalogue_program], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [
        "create bwt_migrations",
        "find applied migrations",
        "insert knex history",
        "mock chain roots",
        "names of tables",
        "record a migration",
    ]


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
        "SELECT outputId FROM outputs WHERE transactionId = :a ORDER BY satoshis",
        "SELECT 1 FROM bwt_holds AS a JOIN bwt_holds AS b ON a.reason = b.reason WHERE a.outputId = :a",
        "SELECT txid FROM transactions WHERE transactionId > :a",
        "SELECT reference FROM transactions WHERE txid IS NULL",
    ],
)
def test_an_excess_is_noticed(large_file: apsw.Connection, words: str) -> None:
    assert excess("test.IT", plan(large_file, sql(words)))


@pytest.mark.parametrize(
    ("words", "is_excess"),
    [
        ("SELECT * FROM outputs WHERE satoshis > :a", False),
        ("SELECT 1 FROM outputs JOIN transactions USING (transactionId) WHERE lockTime > :a", False),
        ("SELECT 1 FROM outputs AS o CROSS JOIN transactions AS t WHERE t.lockTime = o.satoshis", True),
        ("SELECT 1 FROM outputs AS o WHERE EXISTS (SELECT 1 FROM transactions AS t WHERE t.lockTime = o.vout)", True),
    ],
)
def test_the_doctor_may_read_a_table_once_but_not_once_for_each_row(
    large_file: apsw.Connection, words: str, is_excess: bool
) -> None:
    assert bool(excess("structure.IT", plan(large_file, sql(words)))) == is_excess
