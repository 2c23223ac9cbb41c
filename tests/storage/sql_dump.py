"""A SQLite file as SQL text: one row a line in the order of the rows, so that it can be committed and read."""

from __future__ import annotations

from pathlib import Path

import apsw


def dump(path: Path) -> str:
    """Schema and rows of a file that nobody writes, with the ids that must not be given out again."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        tables: list[str] = []
        others: list[str] = []
        for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY rowid"):
            if kind != "table":
                others += [f"{sql};"] if sql else []
            elif not name.startswith("sqlite_"):
                tables += [f"{sql};", *_rows(db, name)]
        sequences = ["DELETE FROM sqlite_sequence;", *_rows(db, "sqlite_sequence")]
    finally:
        db.close()
    return "\n".join(["BEGIN;", *tables, *sequences, *others, "COMMIT;"]) + "\n"


def _rows(db: apsw.Connection, table: str) -> list[str]:
    return [
        f'INSERT INTO "{table}" VALUES ({", ".join(map(apsw.format_sql_value, row))});'
        for row in db.execute(f'SELECT * FROM "{table}"')
    ]


def restore(sql: str, path: Path) -> None:
    """Make the file that was dumped."""
    db = apsw.Connection(str(path))
    try:
        db.execute(sql)
    finally:
        db.close()
