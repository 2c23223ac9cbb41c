"""What Core's constructs become, and what their text does on SQLite."""

from __future__ import annotations

import threading

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.schema import CreateTable

from bsv_wallet_toolbox.database.statements import Statement, values_of

coins = Table(
    "coins",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("txid", String),
    Column("updated_at", DateTime),
    Column("spendable", Boolean),
    Column("script", LargeBinary),
    sqlite_autoincrement=True,
)


def compiled(core: object) -> str:
    return " ".join(Statement(core, "a statement").compiled("sqlite").text.split())  # type: ignore[arg-type]


def test_constants_are_written_into_the_text_so_that_partial_indexes_serve() -> None:
    query = select(coins.c.id).where(coins.c.spendable == True, coins.c.updated_at > "1971")  # noqa: E712
    assert compiled(query) == "SELECT coins.id FROM coins WHERE coins.spendable = 1 AND coins.updated_at > '1971'"


def test_parameters_are_named() -> None:
    change = update(coins).values(spendable=False, txid=None).where(coins.c.id == bindparam("coin"))
    assert compiled(change) == "UPDATE coins SET txid=NULL, spendable=0 WHERE coins.id = :coin"


def test_constant_lists_are_written_into_the_text() -> None:
    assert compiled(select(coins.c.id).where(coins.c.txid.in_(["a'b", "c"]))).endswith("coins.txid IN ('a''b', 'c')")
    assert compiled(select(coins.c.id).where(coins.c.txid.in_([]))).endswith("IN (SELECT NULL WHERE 1 = 0)")


def test_a_list_parameter_has_one_text_for_all_lengths() -> None:
    statement = Statement(select(coins.c.id).where(coins.c.id.in_(values_of("ids"))), "find coins")
    found = statement.compiled("sqlite")
    assert "coins.id IN (SELECT value FROM json_each(:ids))" in found.text
    assert found.lists == ("ids",)
    assert found.bound({"ids": (1, 2)}) == {"ids": "[1,2]"}


def test_a_list_that_would_change_the_text_is_refused() -> None:
    statement = Statement(select(coins.c.id).where(coins.c.id.in_(bindparam("ids", expanding=True))), "find coins")
    with pytest.raises(TypeError, match="values_of"):
        statement.compiled("sqlite")


def test_a_constant_list_without_literals_is_refused() -> None:
    statement = Statement(select(coins.c.id).where(coins.c.script.in_([b"\x51"])), "find coins")
    with pytest.raises(TypeError, match="values_of"):
        statement.compiled("sqlite")


def test_constants_without_a_literal_are_bound() -> None:
    found = Statement(select(coins.c.id).where(coins.c.script == b"\x51"), "find coins").compiled("sqlite")
    assert list(found.bound({}).values()) == [b"\x51"]


def test_ddl_compiles() -> None:
    assert compiled(CreateTable(coins)).startswith("CREATE TABLE coins ( id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT")


def test_an_insert_is_cut_for_many_rows() -> None:
    core = insert(coins).values(txid=bindparam("txid"), spendable=True, script=bindparam("script"))
    template = Statement(core, "insert coins").row_template("sqlite")
    assert template.text(2) == "INSERT INTO coins (txid, spendable, script) VALUES (?, 1, ?), (?, 1, ?)"
    rows = [{"txid": "a", "script": b""}, {"txid": "b", "script": b"\x51"}]
    assert template.bound(rows) == ["a", b"", "b", b"\x51"]


def test_parentheses_and_colons_inside_literals_do_not_confuse_the_cut() -> None:
    core = text("INSERT INTO t (a, b) VALUES (')\\:x''(', max(:a, 1)) ON CONFLICT DO UPDATE SET b = :b")
    template = Statement(core, "insert").row_template("sqlite")
    assert template.text(2) == (
        "INSERT INTO t (a, b) VALUES ('):x''(', max(?, 1)), ('):x''(', max(?, 1)) ON CONFLICT DO UPDATE SET b = ?"
    )
    assert template.bound([{"a": 1, "b": 9}, {"a": 2}]) == [1, 2, 9]


def test_conflict_clauses_keep_their_place_behind_the_rows() -> None:
    core = sqlite_insert(coins).values(txid=bindparam("txid")).on_conflict_do_nothing()
    template = Statement(core, "insert coins").row_template("sqlite")
    assert template.text(2) == "INSERT INTO coins (txid) VALUES (?), (?) ON CONFLICT DO NOTHING"


def test_what_is_no_insert_has_no_rows() -> None:
    with pytest.raises(TypeError, match="not an INSERT"):
        Statement(select(coins.c.id), "find coins").row_template("sqlite")


def test_threads_share_one_compilation() -> None:
    statement = Statement(select(coins), "find coins")
    found = []
    threads = [threading.Thread(target=lambda: found.append(statement.compiled("sqlite"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one is found[0] for one in found)


@settings(deadline=None)
@given(st.one_of(st.text(), st.integers(-(2**63) + 1, 2**63 - 1), st.booleans(), st.none(), st.binary(max_size=20)))
def test_any_constant_reaches_the_database_unchanged(value: object) -> None:
    found = Statement(select(literal(value)), "select a constant").compiled("sqlite")
    ((stored,),) = apsw.Connection(":memory:").execute(found.text, found.bound({})).fetchall()
    assert stored == value
