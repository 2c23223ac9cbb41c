"""The doctor: is a wallet file sound, and where are its coins? It reads and never repairs."""

from __future__ import annotations

from bsv_wallet_toolbox.doctor.coins import CoinsReport, change_scripts, coins_report
from bsv_wallet_toolbox.doctor.invariants import Roots, check_file
from bsv_wallet_toolbox.doctor.report import MEANINGS, Finding, Invariant, Report
from bsv_wallet_toolbox.doctor.wallet_file import UnreadableFile, examine, roots_of_mock_chain

__all__ = [
    "MEANINGS",
    "CoinsReport",
    "Finding",
    "Invariant",
    "Report",
    "Roots",
    "UnreadableFile",
    "change_scripts",
    "check_file",
    "coins_report",
    "examine",
    "roots_of_mock_chain",
]
