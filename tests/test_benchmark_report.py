"""What a report says of marks, and where it is written."""

# ruff: noqa: RUF001

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import marks
from benchmarks.measurement import Comparison, Measurement
from benchmarks.report import BEGIN, END, Report, renew_page

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "benchmarks.md"


def series(*milliseconds: float) -> tuple[Measurement, ...]:
    return tuple(Measurement(10, 10 * each, each, each) for each in milliseconds)


def test_a_mark_says_what_was_found_and_whether_it_is_reached() -> None:
    found = Comparison("pay", "some coins", 1, series(2, 3, 4), series(80, 90, 100), series(1, 2, 4)).aiming_at(
        marks.times_npm(31, to_pass=True), marks.times_npm(30), marks.slowdown(1.5, "alone"), marks.at_most_commits(1)
    )
    block = Report("command", 3, 0.5, {}, [found], []).markdown()
    assert "≥ 31 × npm: 30, MISSED" in block
    assert "≥ 30 × npm: 30, reached<br>≤ 1.5 × alone: 1.5, reached<br>1 commit each: not measured" in block
    assert "| 30.0 (40.0, 30.0, 25.0) |" in block


def test_renewing_a_page_touches_only_what_stands_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    renew_page(page, Report("command", 1, 0.5, {}, [], []).markdown())
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "64 KiB written and flushed to this disk: 0.50 ms" in text


def test_a_page_without_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing to renew")
    with pytest.raises(ValueError, match="substring not found"):
        renew_page(page, "block")
    assert page.read_text() == "nothing to renew"


def test_the_documentation_page_has_the_markers_once() -> None:
    text = PAGE.read_text()
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    assert text.index(BEGIN) < text.index(END)
