"""What the documentation tells people to run, run as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = [
    "README.md",
    "docs/tutorial/first-payment.md",
    "docs/how-to/follow-events.md",
    "docs/how-to/two-steps.md",
]
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def run(program: Path, directory: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", program],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("document", PROGRAMS)
def test_the_program_in_a_document_runs(document: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("\n".join(_PYTHON.findall((ROOT / document).read_text())))
    assert re.search(r"\b[0-9a-f]{64}\b", run(program, tmp_path))


def test_the_demo_ends_with_every_satoshi_found(tmp_path: Path) -> None:
    printed = run(ROOT / "examples" / "two_wallets.py", tmp_path)
    assert printed.rstrip().endswith("no satoshi is missing")
    assert "A reorg moved them" in printed


@pytest.mark.parametrize(
    "document", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name
)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), f"{document.name}: {target}"
