"""Large payments are verified in a process of their own, which must never run the caller's script again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import asyncio
from pathlib import Path
from bsv_wallet_toolbox.errors import WalletError
from bsv_wallet_toolbox.provider.script_process import verify_in_process

with Path({log!r}).open("a") as log:
    log.write("run\\n")

async def main():
    try:
        await verify_in_process(b"\\x01" * 40, "00" * 32, None, "tx")
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
