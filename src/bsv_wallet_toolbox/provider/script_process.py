"""Verifies one BEEF in a process of its own: the question comes on standard input, the answer goes to standard output.

Not a pool of ``multiprocessing`` or ``anyio``: their workers run the caller's main script again, and a script without a
``__main__`` guard would pay again.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import Collection

import anyio
from anyio.lowlevel import RunVar

from bsv_wallet_toolbox.errors import WERR_INTERNAL, WERR_INVALID_PARAMETER, WalletError
from bsv_wallet_toolbox.transactions.beef import Beef, BeefLimits
from bsv_wallet_toolbox.transactions.spv import verify_beef

__all__ = ["VerificationUnfinished", "verify_in_process"]

SECONDS = 60.0
PROCESSES = 2

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("bsv_wallet_toolbox.script_processes")


class VerificationUnfinished(WERR_INVALID_PARAMETER):
    """The scripts were not done in time: too much for this machine, which does not make them wrong."""


async def verify_in_process(
    raw: bytes,
    txids: Collection[str],
    valid: frozenset[tuple[str, int]] | None,
    parameter: str,
    *,
    allow_txid_only: bool = False,
) -> None:
    """Raises what verify_beef raises; a cancelled caller ends the process. A few run at a time, others wait.

    VerificationUnfinished when it took too long, WERR_INTERNAL when there was no process or it died: neither says
    anything about the transaction.
    """
    question = pickle.dumps((raw, list(txids), valid, parameter, allow_txid_only))
    try:
        async with _slots():
            answer = await _asked(question)
        error: WalletError | None = pickle.loads(answer)  # noqa: S301  # written by main() below
    except TimeoutError:
        raise VerificationUnfinished(parameter, f"a BEEF that is verified within {SECONDS:.0f} seconds") from None
    except Exception as failure:  # whatever it is, it is about the process
        raise WERR_INTERNAL(f"The process that verifies scripts gave no answer ({failure}); try again.") from failure
    if error is not None:
        raise error


async def _asked(question: bytes) -> bytes:
    """What a new process says to the question; EOFError when it died."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        with anyio.fail_after(SECONDS):
            answer, _ = await process.communicate(question)
    finally:
        if process.returncode is None:
            process.kill()
            with anyio.CancelScope(shield=True):
                await process.wait()
    if process.returncode != 0:
        raise EOFError(f"exit status {process.returncode}")
    return answer


def _slots() -> anyio.CapacityLimiter:
    """Shared by all that runs in one event loop."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(PROCESSES)
        _limiter.set(limiter)
        return limiter


def main() -> None:
    raw, txids, valid, parameter, allow_txid_only = pickle.loads(sys.stdin.buffer.read())  # noqa: S301  # from verify_in_process above
    error: WalletError | None = None
    try:
        verify_beef(
            Beef.parse(raw, parameter, BeefLimits.none()),
            txids,
            lambda root, height: valid is None or (root, height) in valid,
            allow_txid_only=allow_txid_only,
            parameter=parameter,
        )
    except WalletError as refused:
        error = refused
    sys.stdout.buffer.write(pickle.dumps(error))


if __name__ == "__main__":
    main()
