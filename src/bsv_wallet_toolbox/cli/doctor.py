"""``bsv-wallet doctor``: the report of the doctor as tables for people or JSON for scripts, and the exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bsv_wallet_toolbox.doctor import MEANINGS, Finding, Invariant, Report, UnreadableFile, examine, roots_of_mock_chain

__all__ = ["FOUND", "HEALTHY", "UNREADABLE", "examine_file"]

_ADVICE = (
    "\nStop the wallet, keep a copy of the file with its -wal and -shm companions, and report what was found: "
    "this version of the doctor looks, it does not repair."
)

HEALTHY = 0
FOUND = 1
UNREADABLE = 2


def examine_file(file: Path, mock_chain: Path | None, *, as_json: bool) -> int:
    """Examine, print to standard output (what is wrong with the call: to standard error), and answer the exit code."""
    try:
        report = examine(file, roots_of_mock_chain(mock_chain) if mock_chain is not None else None)
    except UnreadableFile as error:
        if as_json:
            _print_json({"file": str(file), "error": error.message})
        Console(stderr=True, soft_wrap=True).print(f"[bold red]Error:[/] {escape(error.message)}", highlight=False)
        return UNREADABLE
    if as_json:
        _print_json({"file": str(file), **report.to_json()})
    else:
        _print_tables(Console(), file, report)
    return HEALTHY if report.is_healthy else FOUND


def _print_json(body: dict[str, Any]) -> None:
    typer.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())


def _print_tables(console: Console, file: Path, report: Report) -> None:
    console.print(_overview(report))
    if report.warnings:
        _list(console, "In doubt (no breach)", report.warnings)
    if report.findings:
        _list(console, "Found", report.findings)
        hidden = sum(report.found.values()) - len(report.findings)
        if hidden > 0:
            console.print(f"… and {hidden} more.")
        console.print(_ADVICE, soft_wrap=True)
    if not report.headers:
        console.print("Proofs were not compared with block headers (for a mock chain: --mock-chain FILE).")
    count = sum(report.found.values())
    noun = "finding" if count == 1 else "findings"
    verdict = "[bold green]healthy[/]" if report.is_healthy else f"[bold red]{count} {noun}[/]"
    console.print(f"{escape(str(file))}: {verdict}", highlight=False, soft_wrap=True)


def _overview(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Invariant", no_wrap=True)
    table.add_column("What must hold")
    table.add_column("Checked", justify="right", no_wrap=True)
    table.add_column("Found", justify="right", no_wrap=True)
    for invariant in Invariant:
        found = report.found.get(invariant, 0)
        number = f"[bold red]{found}[/]" if found else "[green]0[/]"
        table.add_row(invariant.value, MEANINGS[invariant], str(report.checked.get(invariant, 0)), number)
    return table


def _list(console: Console, title: str, findings: tuple[Finding, ...]) -> None:
    """One paragraph each: a txid does not fit beside anything in a table."""
    console.print(f"\n[bold]{title}[/]")
    for finding in findings:
        row = f"{finding.entity} {finding.id}".rstrip()
        console.print(
            f"[bold]{finding.invariant.value}[/] {escape(row)}: {escape(finding.text)}", highlight=False, soft_wrap=True
        )
