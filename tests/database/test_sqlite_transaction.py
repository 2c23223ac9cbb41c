"""What an operation can do, and how failing statements show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from notes_world import CREATE, INSERT, WORDS, sql
from sqlalchemy import column, select, table, text

from bsv_wallet_toolbox.database.errors import ConstraintViolation, DatabaseError
from bsv_wallet_toolbox.database.sqlite import SqliteEngine
from bsv_wallet_toolbox.database.statements import Statement, values_of
from bsv_wallet_toolbox.database.transaction import Transaction
from bsv_wallet_toolbox.errors import WERR_INTERNAL, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.interfaces.statuses import Chain
from bsv_wallet_toolbox.seams import ManualClock

pytestmark = pytest.mark.anyio

OR_IGNORE = sql("INSERT INTO notes (word, data) VALUES (:word, :data) ON CONFLICT DO NOTHING")
DELETE_ALL = sql("DELETE FROM notes")
FIND = sql("SELECT id, word, data FROM notes WHERE word = :word")
COUNT = sql("SELECT count(*) FROM notes")
IN_LIST = Statement(select(column("word")).select_from(table("notes")).where(column("word").in_(values_of("w"))), "in")


@pytest.fixture(params=["file", "memory"])
async def engine(request: pytest.FixtureRequest, path: Path, clock: ManualClock) -> AsyncIterator[SqliteEngine]:
    place = path if request.param == "file" else ":memory:"
    async with SqliteEngine.open(place, clock=clock, create=True) as engine:
        await engine.write(lambda tx: tx.execute(CREATE))
        yield engine


async def test_insert_answers_the_row_id_and_zero_for_a_dropped_row(engine: SqliteEngine) -> None:
    def operation(tx: Transaction) -> list[int]:
        return [
            tx.insert(OR_IGNORE, word="a", data=None),
            tx.insert(OR_IGNORE, word="a", data=None),
            tx.insert(OR_IGNORE, word="b", data=None),
        ]

    first, dropped, second = await engine.write(operation)
    assert dropped == 0
    found = await engine.read(lambda tx: (tx.one(FIND, word="a"), tx.one(FIND, word="b")))
    assert found == ((first, "a", None), (second, "b", None))


async def test_execute_counts_changed_rows_and_only_of_its_own_statement(engine: SqliteEngine) -> None:
    def operation(tx: Transaction) -> list[int]:
        tx.insert(INSERT, word="a", data=b"")
        tx.insert(INSERT, word="b", data=b"")
        changed = tx.execute(DELETE_ALL)
        return [changed, tx.execute(sql("CREATE TABLE more (x)")), tx.execute(DELETE_ALL), tx.statements]

    assert await engine.write(operation) == [2, 0, 0, 5]


async def test_queries_answer_rows_a_row_or_a_value(engine: SqliteEngine) -> None:
    await engine.write(lambda tx: tx.insert_many(INSERT, [{"word": "b", "data": b"\x00"}, {"word": "a", "data": None}]))

    def operation(tx: Transaction) -> tuple[Any, ...]:
        assert tx.read_only
        return (
            tx.rows(WORDS),
            tx.one(FIND, word="b"),
            tx.one(FIND, word="c"),
            tx.scalar(COUNT),
            tx.scalar(FIND, word="c"),
        )

    assert await engine.read(operation) == ([("a",), ("b",)], (1, "b", b"\x00"), None, 2, None)


async def test_lists_of_any_length_are_parameters(engine: SqliteEngine) -> None:
    await engine.write(lambda tx: tx.insert_many(INSERT, [{"word": w, "data": None} for w in "abc"]))
    for wanted in ([], ["b"], ("a", "c", "x"), {"a"}):
        found = await engine.read(lambda tx, w=wanted: tx.rows(IN_LIST, w=w))
        assert sorted(word for (word,) in found) == sorted(set(wanted) & set("abc"))


async def test_insert_many_takes_one_statement_for_64_rows(engine: SqliteEngine) -> None:
    def operation(tx: Transaction) -> tuple[int, int]:
        inserted = tx.insert_many(OR_IGNORE, [{"word": str(number % 130), "data": None} for number in range(150)])
        return inserted, tx.statements

    assert await engine.write(operation) == (130, 3)
    assert await engine.write(lambda tx: tx.insert_many(OR_IGNORE, [])) == 0


async def test_many_runs_once_per_row(engine: SqliteEngine) -> None:
    rows = [{"word": word, "data": None} for word in "abc"]
    assert await engine.write(lambda tx: (tx.many(INSERT, rows), tx.statements)) == (3, 3)


async def test_booleans_enums_and_floats_are_stored_as_sqlite_has_them(engine: SqliteEngine) -> None:
    query = sql("SELECT :yes, :chain, :fraction, typeof(:yes)")
    row = await engine.read(lambda tx: tx.one(query, yes=True, chain=Chain.MAIN, fraction=0.5))
    assert row == (1, "main", 0.5, "integer")


async def test_now_stands_still_within_an_operation_and_follows_the_clock(
    engine: SqliteEngine, clock: ManualClock
) -> None:
    def operation(tx: Transaction) -> tuple[int, int]:
        first = tx.now()
        clock.advance(5)
        return first, tx.now()

    start = clock.now()
    assert await engine.write(operation) == (start, start)
    assert await engine.write(lambda tx: tx.now()) == start + 5
    clock.advance(-1000)
    assert await engine.write(lambda tx: tx.now()) == start - 995
    assert await engine.read(lambda tx: tx.now()) == start - 995


async def test_an_operation_goes_on_after_a_constraint_violation(engine: SqliteEngine) -> None:
    def operation(tx: Transaction) -> int:
        tx.insert(INSERT, word="a", data=None)
        with pytest.raises(ConstraintViolation, match=r"notes\.word"):
            tx.insert(INSERT, word="a", data=None)
        return tx.insert(INSERT, word="b", data=None)

    await engine.write(operation)
    assert await engine.read(lambda tx: tx.rows(WORDS)) == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("statement", "parameters", "expected"),
    [
        (sql("SELEC 1"), {}, DatabaseError),
        (sql("SELECT * FROM nowhere"), {}, DatabaseError),
        (INSERT, {"word": None, "data": None}, ConstraintViolation),
        (INSERT, {"word": 2**63, "data": None}, WERR_INVALID_PARAMETER),
        (INSERT, {"word": "\ud800", "data": None}, WERR_INVALID_PARAMETER),
        (INSERT, {"word": "a"}, TypeError),
        (sql("SELECT value FROM json_each('[')"), {}, DatabaseError),
        (sql("SELECT abs(-9223372036854775807 - 1)"), {}, DatabaseError),
    ],
)
@pytest.mark.parametrize("method", ["execute", "rows", "one", "scalar", "insert"])
async def test_a_failing_statement_raises_an_error_of_ours(
    engine: SqliteEngine, statement: Statement, parameters: dict[str, Any], expected: type[Exception], method: str
) -> None:
    with pytest.raises(expected):
        await engine.write(lambda tx: getattr(tx, method)(statement, **parameters))
    assert await engine.write(lambda tx: tx.insert(INSERT, word="still here", data=None))


async def test_an_error_in_a_later_row_is_ours_too(engine: SqliteEngine) -> None:
    await engine.write(lambda tx: tx.insert_many(INSERT, [{"word": w, "data": None} for w in ("1", "x")]))
    late = sql("SELECT json_extract(CASE id WHEN 2 THEN '[' ELSE '[1]' END, '$[0]') FROM notes ORDER BY id")
    with pytest.raises(DatabaseError):
        await engine.read(lambda tx: tx.rows(late))


async def test_errors_name_the_statement_and_no_value(engine: SqliteEngine) -> None:
    await engine.write(lambda tx: tx.insert(INSERT, word="secret", data=None))
    statement = Statement(text("INSERT INTO notes (word) VALUES (:word)"), "insert a note")
    with pytest.raises(WERR_INTERNAL) as caught:
        await engine.write(lambda tx: tx.insert(statement, word="secret"))
    assert caught.value.message.startswith("insert a note: ")
    assert "secret" not in caught.value.message


async def test_a_read_can_not_write(engine: SqliteEngine) -> None:
    with pytest.raises(DatabaseError):
        await engine.read(lambda tx: tx.insert(INSERT, word="a", data=None))
    await engine.write(lambda tx: tx.insert(INSERT, word="b", data=None))
    assert await engine.read(lambda tx: tx.rows(WORDS)) == [("b",)]


async def test_a_transaction_that_was_kept_refuses(engine: SqliteEngine) -> None:
    kept = [await engine.write(lambda tx: tx), await engine.read(lambda tx: tx)]

    def fail(tx: Transaction) -> None:
        kept.append(tx)
        raise LookupError

    with pytest.raises(LookupError):
        await engine.write(fail)
    for tx in kept:
        with pytest.raises(DatabaseError, match="has ended"):
            tx.execute(DELETE_ALL)
