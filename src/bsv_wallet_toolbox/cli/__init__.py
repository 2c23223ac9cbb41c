"""``bsv-wallet``: the command line."""

from __future__ import annotations

from bsv_wallet_toolbox.cli.app import app

__all__ = ["main"]


def main() -> None:
    """The entry point ``bsv-wallet``; ends the process with the exit code of the command."""
    app(prog_name="bsv-wallet")
