"""The list of played semantics names tests that exist, and AWS's own pages. Whether a test holds what its row says is
for reviewers: nothing here reads the tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "semantics.md"
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| item ")]


@pytest.fixture(scope="module")
def tests() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        found |= {path.stem, *re.findall(r"^ *def (test_\w+)", path.read_text(), re.MULTILINE)}
    return found


def test_the_list_is_not_empty() -> None:
    assert len(ROWS) > 50


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip()[:60] for row in ROWS])
def test_a_row_says_what_is_played_where_it_is_documented_and_what_holds_it(row: str, tests: set[str]) -> None:
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    assert len(cells) == 4, cells
    assert re.match(r"(played|refused|recorded)", cells[1]), cells[1]
    assert re.search(r"https?://\S+", cells[2]), "no link"
    named = re.findall(r"\btest_\w+", cells[3])
    assert named, "no test"
    assert set(named) <= tests, set(named) - tests
