"""The commands of ``bsv-wallet`` and the help about them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bsv_wallet_toolbox import __version__
from bsv_wallet_toolbox.cli.doctor import examine_file

__all__ = ["app"]

app = typer.Typer(
    help="Tools for wallet files of bsv-wallet-toolbox.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def main(
    wants_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Tools for wallet files of bsv-wallet-toolbox."""


@app.command()
def version() -> None:
    """Print the version of bsv-wallet-toolbox."""
    typer.echo(f"bsv-wallet-toolbox {__version__}")


@app.command()
def doctor(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The SQLite file of a wallet.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    mock_chain: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Compare the wallet's proofs with the headers in this file of a mock chain.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check a wallet file against the invariants that keep its coins safe.

    The file is only read: it is never made, migrated or repaired, and a wallet may have it open meanwhile. Without
    headers the proofs are checked in themselves, but not against the chain.

    Exit code 0: the file is healthy. 1: something was found. 2: wrong usage, or the file can't be examined.
    """
    raise typer.Exit(examine_file(file, mock_chain, as_json=as_json))
