"""Statements: SQLAlchemy Core constructs compiled once per dialect to the text that the drivers run.

Core compiles, it never executes. Constants of a construct become literals in the text, so that planners see them (a
partial index needs that); ``bindparam`` without a value becomes a named parameter ``:name``.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from sqlalchemy import BindParameter, ClauseElement, ColumnElement, bindparam
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler, SQLiteDialect
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import roles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType

__all__ = ["CompiledStatement", "RowTemplate", "Statement", "unindexed", "values_of"]


class _ListType(NullType):
    """Marks the parameters that the engine passes as one JSON text."""

    cache_ok = True


class ValuesOf(roles.InElementRole, ColumnElement[Any]):
    """A list parameter; see :func:`values_of`."""

    inherit_cache = False
    __visit_name__ = "bwt_values_of"

    def __init__(self, name: str) -> None:
        self.parameter: BindParameter[Any] = bindparam(name, type_=_ListType())


def values_of(name: str) -> ValuesOf:
    """What ``column.in_()`` takes for a list parameter of any length, so that one text serves all lengths.

    The list holds int or str; an empty one matches nothing.
    """
    return ValuesOf(name)


class _Unindexed(FunctionElement[Any]):
    inherit_cache = True
    name = "unindexed"


def unindexed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column by which rows are checked, never found.

    Without statistics SQLite believes that any index which begins with the column leads to ten rows, and would walk all
    rows of a user.
    """
    return _Unindexed(column)


@compiles(_Unindexed)
def _as_it_is(element: _Unindexed, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(_Unindexed, "sqlite")
def _with_plus_on_sqlite(element: _Unindexed, compiler: SQLCompiler, **kw: Any) -> str:
    return f"+{compiler.process(element.clauses, **kw)}"


@compiles(ValuesOf, "sqlite")
def _values_of_on_sqlite(element: ValuesOf, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.parameter, **kw)}))"  # noqa: S608 a placeholder


def _literal(value: object) -> str | None:
    """Standard SQL for a constant, None for what has no portable literal (bytes, float)."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str) and "\x00" not in value:
        return "'" + value.replace("'", "''") + "'"
    return None


def _literal_list(values: object) -> str | None:
    if not isinstance(values, Sequence | Set):
        return None
    literals = [_literal(value) for value in values]
    if not literals:
        return "(SELECT NULL WHERE 1 = 0)"
    return None if None in literals else f"({', '.join(str(literal) for literal in literals)})"


class _LiteralConstants(SQLCompiler):
    """Writes constants into the text. Values keep the form they are given in: column types convert nothing."""

    def visit_bindparam(self, bindparam: Any, *args: Any, **kwargs: Any) -> str:
        if not bindparam.required and bindparam.callable is None:
            literal = (_literal_list if bindparam.expanding else _literal)(bindparam.value)
            if literal is not None:
                return literal
        text: str = super().visit_bindparam(bindparam, *args, **kwargs)  # type: ignore[no-untyped-call]
        return text


class _SqliteCompiler(_LiteralConstants, SQLiteCompiler):
    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        """What ``with_hint`` gives to SQLite: ``INDEXED BY``, where the planner can't know the better index."""
        return text


class _SqliteDialect(SQLiteDialect):
    statement_compiler = _SqliteCompiler
    supports_statement_cache = False


_DIALECTS: Mapping[str, Callable[[], Dialect]] = {"sqlite": cache(lambda: _SqliteDialect(paramstyle="named"))}


@dataclass(frozen=True, slots=True)
class CompiledStatement:
    """Text with named parameters, and what is to be done to their values."""

    text: str
    lists: tuple[str, ...]
    constants: Mapping[str, Any]

    def bound(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """``parameters`` with lists as JSON text and the constants that have no literal added."""
        if not self.lists and not self.constants:
            return parameters
        values = {**self.constants, **parameters}
        for name in self.lists:
            values[name] = orjson.dumps(list(values[name])).decode()
        return values


_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<!:):([A-Za-z_]\w*)|[()]""")
"""Quoted text is one token, so that neither a parenthesis nor a colon inside it counts."""


@dataclass(frozen=True, slots=True)
class RowTemplate:
    """An INSERT of one row, cut so that it can carry many; parameters are positional ``?``."""

    head: str
    row: str
    tail: str
    row_names: tuple[str, ...]
    tail_names: tuple[str, ...]

    def text(self, count: int) -> str:
        return f"{self.head}{', '.join([self.row] * count)}{self.tail}"

    def bound(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        names = self.row_names
        return [row[name] for row in rows for name in names] + [rows[0][name] for name in self.tail_names]


class Statement:
    """A construct of SQLAlchemy Core (select, insert, update, delete, text or DDL) and a name for people.

    Immutable; compiled when first used, at most once per dialect. A value that the construct itself gives to a
    ``bindparam`` is a constant.
    """

    __slots__ = ("_compiled", "_lock", "_templates", "core", "name")

    def __init__(self, core: ClauseElement, name: str) -> None:
        self.core = core
        self.name = name
        self._lock = threading.Lock()
        self._compiled: dict[str, CompiledStatement] = {}
        self._templates: dict[str, RowTemplate] = {}

    def __repr__(self) -> str:
        return f"Statement({self.name!r})"

    def compiled(self, dialect: str) -> CompiledStatement:
        """The text for ``dialect`` ("sqlite"). TypeError for a construct whose text depends on its values."""
        found = self._compiled.get(dialect)
        if found is None:
            with self._lock:
                found = self._compiled.setdefault(dialect, _compile(self, dialect))
        return found

    def row_template(self, dialect: str) -> RowTemplate:
        """This INSERT, cut for many rows. TypeError when it has no VALUES."""
        found = self._templates.get(dialect)
        if found is None:
            text = self.compiled(dialect).text
            with self._lock:
                found = self._templates.setdefault(dialect, _cut(self.name, text))
        return found


def _compile(statement: Statement, dialect: str) -> CompiledStatement:
    compiled = statement.core.compile(dialect=_DIALECTS[dialect]())
    text = str(compiled)
    if not isinstance(compiled, SQLCompiler):
        return CompiledStatement(text, (), {})
    if compiled.post_compile_params or compiled.literal_execute_params:
        raise TypeError(f"{statement.name}: use values_of() for a list parameter")
    binds = compiled.binds
    return CompiledStatement(
        text,
        lists=tuple(name for name, bind in binds.items() if isinstance(bind.type, _ListType)),
        constants={
            name: bind.value
            for name, bind in binds.items()
            if not bind.required and f":{name}" in text  # the others became literals
        },
    )


def _cut(name: str, text: str) -> RowTemplate:
    found = re.search(r"\bVALUES (?=\()", text)
    if found is None:
        raise TypeError(f"{name} is not an INSERT of one row")
    start, depth, end = found.end(), 0, len(text)
    for token in _TOKEN.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth == 0:
            end = token.end()
            break
    row, row_names = _positional(text[start:end])
    tail, tail_names = _positional(text[end:])
    return RowTemplate(text[:start], row, tail, row_names, tail_names)


def _positional(text: str) -> tuple[str, tuple[str, ...]]:
    names: list[str] = []

    def question_mark(token: re.Match[str]) -> str:
        if token[1] is None:
            return token[0]
        names.append(token[1])
        return "?"

    return _TOKEN.sub(question_mark, text), tuple(names)
