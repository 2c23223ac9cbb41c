"""``bsv-wallet`` as people and scripts call it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest

from bsv_wallet_toolbox import __version__
from bsv_wallet_toolbox.mockchain import MockChain, MockServices, SqliteStore
from wallet_world import World

INVARIANTS = ["structure", "I2", "I3", "I4", "I5", "I6", "I7"]


def bsv_wallet(*args: str | Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from bsv_wallet_toolbox.cli import main; sys.argv[0] = 'bsv-wallet'; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"},
        check=False,
    )


def parsed(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(done.stdout)
    return body


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(tmp_path_factory.mktemp("cli"))
    world.chain = MockChain(
        SqliteStore(world.directory / "chain.sqlite"), clock=world.clock, deterministic=True, premine=True
    )
    world.services = MockServices(world.chain)

    async def live() -> None:
        async with world.wallet("alice") as alice, world.wallet("bob") as bob:
            await world.fund(alice, 10_000, 2)
            await world.pay("alice", bob, alice, 1_000)

    asyncio.run(live())
    world.chain.close()
    return world.path("alice")


@pytest.fixture
def sick(healthy: Path, tmp_path: Path) -> Path:
    path = tmp_path / "sick.sqlite"
    path.write_bytes(healthy.read_bytes())
    db = apsw.Connection(str(path))
    db.execute("UPDATE transactions SET satoshis = satoshis + 1 WHERE transactionId = 1")
    db.close()
    return path


def test_a_healthy_wallet_gives_0(healthy: Path) -> None:
    before = sorted((each.name, each.read_bytes()) for each in healthy.parent.iterdir())
    done = bsv_wallet("doctor", healthy)
    assert (done.returncode, done.stderr) == (0, "")
    assert "healthy" in done.stdout
    assert "not compared with block headers" in done.stdout
    assert all(name in done.stdout for name in INVARIANTS)
    assert sorted((each.name, each.read_bytes()) for each in healthy.parent.iterdir()) == before


def test_findings_give_1_and_say_where(sick: Path) -> None:
    done = bsv_wallet("doctor", sick)
    assert done.returncode == 1
    assert ": 1 finding\n" in done.stdout
    assert "users 1" in done.stdout


def test_json_is_for_scripts(healthy: Path, sick: Path) -> None:
    done = bsv_wallet("doctor", "--json", healthy)
    body = parsed(done)
    assert done.returncode == 0
    assert list(body) == ["file", "healthy", "headers", "checked", "found", "findings", "warnings"]
    assert body["healthy"] is True
    assert body["headers"] is False
    assert list(body["checked"]) == INVARIANTS
    assert min(body["checked"].values()) > 0
    assert body["found"] == dict.fromkeys(INVARIANTS, 0)
    assert body["findings"] == body["warnings"] == []

    done = bsv_wallet("doctor", sick, "--json")
    body = parsed(done)
    assert done.returncode == 1
    assert body["found"]["I7"] == 1
    assert [sorted(each) for each in body["findings"]] == [["entity", "id", "invariant", "text"]]
    assert body["findings"][0]["id"] == "1"


def test_proofs_are_compared_with_the_headers_of_a_mock_chain(healthy: Path, tmp_path: Path) -> None:
    done = bsv_wallet("doctor", "--json", healthy, "--mock-chain", healthy.parent / "chain.sqlite")
    assert (done.returncode, parsed(done)["headers"]) == (0, True)
    MockChain(SqliteStore(tmp_path / "other.sqlite"), deterministic=True).close()
    done = bsv_wallet("doctor", "--json", healthy, "--mock-chain", tmp_path / "other.sqlite")
    assert (done.returncode, parsed(done)["found"]["I4"]) == (1, 1)


def test_what_can_not_be_examined_gives_2_and_a_clear_word(healthy: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.sqlite"
    done = bsv_wallet("doctor", missing)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"There is no file {missing}." in done.stderr
    assert not missing.exists()
    done = bsv_wallet("doctor", "--json", tmp_path)
    assert done.returncode == 2
    assert parsed(done) == {"file": str(tmp_path), "error": f"{tmp_path} is a directory, not a wallet file."}
    done = bsv_wallet("doctor", healthy, "--mock-chain", missing)
    assert done.returncode == 2
    assert not missing.exists()
    done = bsv_wallet("doctor", healthy.parent / "chain.sqlite")
    assert done.returncode == 2
    assert "mock chain" in done.stderr


def test_wrong_usage_gives_2() -> None:
    for args in (["doctor"], ["doctor", "--fast", "x"], ["heal"]):
        done = bsv_wallet(*args)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Usage" in done.stderr


def test_help_says_what_the_exit_codes_mean() -> None:
    done = bsv_wallet("doctor", "--help")
    assert done.returncode == 0
    assert all(text in done.stdout for text in ("--json", "--mock-chain", "Exit code 0", "only read"))
    assert "doctor" in bsv_wallet("--help").stdout


def test_the_version_is_printed() -> None:
    done = bsv_wallet("version")
    assert (done.returncode, done.stdout) == (0, f"bsv-wallet-toolbox {__version__}\n")
