"""The table and the cases are the same."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.bad_input.table import ENDINGS


def cases_of(file: Path) -> dict[str, list[str]]:
    """The test functions of a file with the names of their arguments."""
    functions = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)]
    return {node.name: [each.arg for each in node.args.args] for node in functions if node.name.startswith("test_")}


def test_every_row_is_played_and_every_case_has_its_row() -> None:
    played = [
        name.removeprefix("test_")
        for file in Path(__file__).parent.glob("test_*.py")
        for name, arguments in cases_of(file).items()
        if "ended" in arguments
    ]

    assert sorted(played) == sorted(ENDINGS)


def test_every_row_says_in_which_words() -> None:
    assert [name for name, row in ENDINGS.items() if not row.says] == []
