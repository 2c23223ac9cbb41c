"""Verifies one BEEF in a process of its own: the question comes on standard input, the answer goes to standard output.

Not a pool of ``multiprocessing`` or ``anyio``: their workers run the caller's main script again, and a script without a
``__main__`` guard would pay again.
"""

from __future__ import annotations

import os
import pickle
import sys

import anyio

from bsv_wallet_toolbox.errors import WERR_INTERNAL, WalletError
from bsv_wallet_toolbox.transactions.beef import Beef
from bsv_wallet_toolbox.transactions.spv import verify_beef

__all__ = ["verify_in_process"]


async def verify_in_process(raw: bytes, txid: str, valid: frozenset[tuple[str, int]] | None, parameter: str) -> None:
    """Raises what verify_beef raises; WERR_INTERNAL when the process dies. A cancelled caller ends the process."""
    question = pickle.dumps((raw, txid, valid, parameter))
    done = await anyio.run_process(
        [sys.executable, "-P", "-m", __name__],
        input=question,
        stderr=None,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    if done.returncode != 0:
        raise WERR_INTERNAL("The process that verifies scripts has died; try again.")
    error: WalletError | None = pickle.loads(done.stdout)  # noqa: S301  # written by main() below
    if error is not None:
        raise error


def main() -> None:
    raw, txid, valid, parameter = pickle.loads(sys.stdin.buffer.read())  # noqa: S301  # from verify_in_process above
    error: WalletError | None = None
    try:
        verify_beef(
            Beef.parse(raw, parameter),
            txid,
            lambda root, height: valid is None or (root, height) in valid,
            parameter=parameter,
        )
    except WalletError as refused:
        error = refused
    sys.stdout.buffer.write(pickle.dumps(error))


if __name__ == "__main__":
    main()
