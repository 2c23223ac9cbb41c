"""What the doctor says: findings by invariant, and how much was looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["MEANINGS", "Finding", "FindingLog", "Invariant", "Report"]

MAX_FINDINGS = 200
"""Kept of each invariant; the rest is counted."""


class Invariant(StrEnum):
    STRUCTURE = "structure"
    I2 = "I2"
    I3 = "I3"
    I4 = "I4"
    I5 = "I5"
    I6 = "I6"
    I7 = "I7"


MEANINGS: Mapping[Invariant, str] = {
    Invariant.STRUCTURE: "rows refer to rows that exist and agree with the transactions they describe",
    Invariant.I2: "an outpoint is spent by at most one action that has not failed",
    Invariant.I3: "what is spendable is not spent, not held, and its action has not failed",
    Invariant.I4: "completed means proven, and the proof is valid under the headers",
    Invariant.I5: "no coin is freed, held or written off without recorded evidence",
    Invariant.I6: "every broadcast was intended durably before, and everything under way has somebody working on it",
    Invariant.I7: "the balance by SQL, by the API and by replay of the actions agree",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach: ``entity`` names the table, ``id`` the row (columns of the key joined by "/"; "" for the file)."""

    invariant: Invariant
    entity: str
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """``findings`` and ``warnings`` hold at most 200 of each invariant, ``found`` counts all that were seen.

    ``checked`` says how many rows, proofs, inputs or users were looked at; what it does not name was not checked.
    Warnings are what the file itself knows to be in doubt: no breach. ``headers`` says whether proofs were compared
    with block headers.
    """

    findings: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    found: Mapping[Invariant, int]
    checked: Mapping[Invariant, int]
    headers: bool

    @property
    def is_healthy(self) -> bool:
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Stable: keys are only ever added."""
        return {
            "healthy": self.is_healthy,
            "headers": self.headers,
            "checked": {each.value: self.checked.get(each, 0) for each in Invariant},
            "found": {each.value: self.found.get(each, 0) for each in Invariant},
            "findings": [_finding_json(each) for each in self.findings],
            "warnings": [_finding_json(each) for each in self.warnings],
        }


def _finding_json(finding: Finding) -> dict[str, str]:
    return {
        "invariant": finding.invariant.value,
        "entity": finding.entity,
        "id": finding.id,
        "text": finding.text,
    }


class FindingLog:
    """Collects during one examination; memory stays bounded however sick the file is."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._warnings: list[Finding] = []
        self._found: Counter[Invariant] = Counter()
        self._warned = 0
        self._checked: Counter[Invariant] = Counter()

    def looked(self, invariant: Invariant, count: int = 1) -> None:
        self._checked[invariant] += count

    def find(self, invariant: Invariant, entity: str, row_id: object, text: str) -> None:
        self._found[invariant] += 1
        if self._found[invariant] <= MAX_FINDINGS:
            self._findings.append(Finding(invariant, entity, str(row_id), text))

    def warn(self, invariant: Invariant, entity: str, row_id: object, text: str) -> None:
        self._warned += 1
        if self._warned <= MAX_FINDINGS:
            self._warnings.append(Finding(invariant, entity, str(row_id), text))

    def report(self, *, headers: bool) -> Report:
        order = list(Invariant)
        findings = sorted(self._findings, key=lambda each: order.index(each.invariant))
        return Report(tuple(findings), tuple(self._warnings), dict(self._found), dict(self._checked), headers)
