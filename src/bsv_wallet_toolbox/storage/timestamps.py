"""Timestamps as the tables hold them: ISO-8601 text in UTC with exactly three decimals."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, case
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Text

__all__ = ["UNSYNCED", "from_iso", "iso", "touched"]

UNSYNCED = "1971-01-01T00:00:00.000Z"
"""``updated_at`` of rows that any synced row may replace."""


@lru_cache(maxsize=64)
def iso(milliseconds: int) -> str:
    """``2026-01-02T03:04:05.678Z`` of milliseconds since 1970. Remembered: the rows of an action bear one time."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def from_iso(text: str) -> int:
    """Milliseconds since 1970 of either form found in files: ``…T…Z`` or ``YYYY-MM-DD HH:MM:SS``, both UTC."""
    moment = datetime.fromisoformat(text.replace("Z", ""))
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000)


class _plus_one_millisecond(FunctionElement[Any]):
    type = Text()
    inherit_cache = True
    name = "plus_one_millisecond"


@compiles(_plus_one_millisecond, "sqlite")
def _plus_one_on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%fZ', {compiler.process(element.clauses, **kw)}, '+0.001 seconds')"


def touched(table: Table) -> ColumnElement[Any]:
    """The new ``updated_at`` of a row: now (parameter ``now``), but always later than the one it has."""
    column = table.c.updated_at
    now: ColumnElement[Any] = bindparam("now", type_=Text())
    return case((column < now, now), else_=_plus_one_millisecond(column))
