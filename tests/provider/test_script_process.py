"""Large payments are verified in a process of their own, which must never run the caller's script again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from bsv_wallet_toolbox.errors import WERR_INTERNAL, WERR_INVALID_PARAMETER
from bsv_wallet_toolbox.mockchain import MockChain
from bsv_wallet_toolbox.provider import script_process
from bsv_wallet_toolbox.provider.script_process import VerificationUnfinished, verify_in_process
from bsv_wallet_toolbox.transactions.beef import BEEF_LIMITS, Beef
from bsv_wallet_toolbox.transactions.tx import InputSpec, OutputSpec, build_transaction, parse_transaction

pytestmark = pytest.mark.anyio

SCRIPT = """
import asyncio
from pathlib import Path
from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.provider.script_process import verify_in_process

with Path({log!r}).open("a") as log:
    log.write("run\\n")

async def main():
    try:
        await verify_in_process(b"\\x01" * 40, ["00" * 32], None, "tx")
    except WalletError as error:
        print(error.name)

asyncio.run(main())
"""


def test_a_script_without_a_main_guard_runs_once(tmp_path: Path) -> None:
    log, script = tmp_path / "log", tmp_path / "script.py"
    script.write_text(SCRIPT.format(log=str(log)))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=60)
    assert log.read_text() == "run\n"
    assert done.stdout.strip() == "WERR_INVALID_PARAMETER", done.stderr


async def ask() -> None:
    await verify_in_process(b"\x01" * 40, ["00" * 32], None, "tx")


def interpreter(path: Path, words: str) -> str:
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("words", ["exit 1", "kill -9 $$", "cat >/dev/null; exit 1", "cat >/dev/null; echo noise"])
async def test_a_process_that_gives_no_answer_is_no_judgment(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path / "broken", words))
    with pytest.raises(WERR_INTERNAL, match="no answer"):
        await ask()


async def test_a_process_that_cannot_start_is_no_judgment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(WERR_INTERNAL, match="no answer"):
        await ask()


async def test_a_process_that_takes_too_long_is_ended_and_no_judgment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path / "slow", f"echo $$ >{log}; exec sleep 100"))
    monkeypatch.setattr(script_process, "SECONDS", 0.5)
    with pytest.raises(VerificationUnfinished) as caught:
        await ask()
    assert isinstance(caught.value, WERR_INVALID_PARAMETER)
    assert not Path(f"/proc/{log.read_text().strip()}").exists()


async def test_only_a_few_run_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    words = f"echo began >>{log}; cat >/dev/null; echo ended >>{log}; exit 1"
    monkeypatch.setattr(sys, "executable", interpreter(tmp_path / "counted", words))
    results = await asyncio.gather(*(ask() for _ in range(8)), return_exceptions=True)
    assert [type(result) for result in results] == [WERR_INTERNAL] * 8
    running = most = 0
    for line in log.read_text().splitlines():
        running += 1 if line == "began" else -1
        most = max(most, running)
    assert 1 <= most <= script_process.PROCESSES


async def test_what_was_bounded_before_is_not_refused_for_its_size() -> None:
    """A refusal would be taken for a fault of the transaction."""
    chain = MockChain(premine=True)
    count = BEEF_LIMITS.max_inputs_and_outputs
    source = chain.fund_many([OutputSpec(50_000_000, b"\x51")])[0]
    wide = parse_transaction(build_transaction([InputSpec(source.txid, source.vout)], [OutputSpec(1, b"\x51")] * count))
    assert chain.accept(wide).is_on_chain
    chain.mine()
    beef = chain.beef_of(wide.txid)
    spending = parse_transaction(build_transaction([InputSpec(wide.txid, 0)], [OutputSpec(0, b"\x51")]))
    beef.merge_transaction(spending)
    raw = beef.to_atomic(spending.txid)
    with pytest.raises(WERR_INVALID_PARAMETER, match="inputs and outputs"):
        Beef.parse(raw)
    await verify_in_process(raw, [spending.txid], None, "tx")
