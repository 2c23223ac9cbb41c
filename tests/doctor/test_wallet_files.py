"""Which files the doctor examines, and what it says about the others."""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import pytest
from breaches import change
from wallet_past import copy

from bsv_wallet_toolbox.doctor import UnreadableFile, examine, roots_of_mock_chain
from bsv_wallet_toolbox.mockchain import MockChain, SqliteStore
from bsv_wallet_toolbox.seams import SeededEntropy
from wallet_world import World


def database(path: Path, *tables: str) -> Path:
    db = apsw.Connection(str(path))
    for table in tables:
        db.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY)")
    db.close()
    return path


def refusal(path: Path) -> str:
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(UnreadableFile) as caught:
        examine(path)
    assert str(path) in caught.value.message
    assert (path.read_bytes() if path.is_file() else None) == before
    return caught.value.message


def test_a_missing_file_stays_missing(tmp_path: Path) -> None:
    path = tmp_path / "wallet.sqlite"
    assert refusal(path) == f"There is no file {path}."
    assert not path.exists()


def test_what_is_no_wallet_is_named_for_what_it_is(tmp_path: Path) -> None:
    assert "a directory" in refusal(tmp_path)
    text = tmp_path / "text"
    text.write_text("my twelve words, one after the other " * 100)
    assert "no SQLite database" in refusal(text)
    assert "holds no wallet" in refusal(database(tmp_path / "empty", "t"))
    empty = tmp_path / "nothing at all"
    empty.write_bytes(b"")
    assert "holds no wallet" in refusal(empty)
    assert "TypeScript" in refusal(database(tmp_path / "peer", "knex_migrations", "proven_tx_reqs", "outputs"))
    assert "mock chain" in refusal(database(tmp_path / "chain", "mockchain_block_headers"))


def test_other_versions_of_the_schema_are_refused(alice: Path) -> None:
    change(alice, "INSERT INTO bwt_migrations VALUES (1000, 'from the future', 0)")
    assert "newer version" in refusal(alice)
    change(alice, "DELETE FROM bwt_migrations")
    assert "older schema" in refusal(alice)


def test_a_damaged_file_is_refused_or_found_sick(past: World, tmp_path: Path) -> None:
    """Whatever is wrong with the bytes: no other exception, and never a clean bill by way of an error."""
    healthy = past.path("alice").read_bytes()
    dice = random.Random(7)
    for number in range(60):
        broken = bytearray(healthy)
        start = dice.randrange(100, len(broken) - 2000)
        broken[start : start + 2000] = dice.randbytes(2000)
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(broken)
        try:
            report = examine(path)
        except UnreadableFile:
            continue
        assert not report.is_healthy or _same_rows(path, past.path("alice"))


def _same_rows(one: Path, other: Path) -> bool:
    """Bytes of pages that hold no rows (free ones) or of columns that no invariant is about may change unseen."""
    return _amounts(one) == _amounts(other)


def _amounts(path: Path) -> list[object]:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = list(db.execute("SELECT outputId, satoshis, spendable, spentBy, txid, vout FROM outputs ORDER BY outputId"))
    db.close()
    return found


def test_a_wallet_file_is_examined_while_it_is_open(past: World, tmp_path: Path) -> None:
    path = copy(past.path("alice"), tmp_path / "alice.sqlite")
    db = apsw.Connection(str(path))
    db.execute("UPDATE transactions SET satoshis = satoshis + 1 WHERE transactionId = 2")
    assert [each.invariant for each in examine(path).findings] == ["I7"]
    db.execute("UPDATE transactions SET satoshis = satoshis - 1 WHERE transactionId = 2")
    assert examine(path).is_healthy
    db.close()


def test_the_headers_of_a_mock_chain_are_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    chain = MockChain(SqliteStore(path), entropy=SeededEntropy("chain"), deterministic=True)
    roots = roots_of_mock_chain(path)
    chain.mine(3)
    header = chain.header_at(3)
    assert header is not None
    assert roots(3) == header.merkle_root
    assert roots(4) is None
    chain.close()
    assert roots_of_mock_chain(path)(3) == header.merkle_root


def test_what_is_no_mock_chain_gives_no_headers(alice: Path, tmp_path: Path) -> None:
    for path in (alice, tmp_path, tmp_path / "missing"):
        with pytest.raises(UnreadableFile):
            roots_of_mock_chain(path)
    assert not (tmp_path / "missing").exists()
