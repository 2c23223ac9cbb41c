"""``bsv-wallet``: the command line."""

from __future__ import annotations

import sys

from bsv_wallet_toolbox.cli.app import app

__all__ = ["main"]

SWITCH_INTERVAL = 0.0005
"""Seconds: threads that wait for a lock or a socket get their turn ten times sooner than by default."""


def main() -> None:
    """The entry point ``bsv-wallet``; ends the process with the exit code of the command."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    app(prog_name="bsv-wallet")
