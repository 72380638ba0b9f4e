"""What waits for an endpoint waits for the same: the functions before production, and the tests of staging."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "cloudformation" / "functions" / "endpoint_status.py"
STAGING_TESTS = ROOT / "deploy_repo" / "deployment" / "endpoint.py"


def words_of(path: Path, name: str) -> set[str]:
    """The texts of a module's constant."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(each) for each in node.targets] == [name]:
            return {str(each.value) for each in ast.walk(node.value) if isinstance(each, ast.Constant)}
    pytest.fail(f"{path.name} has no {name}")


def test_functions_and_staging_tests_wait_for_the_same_statuses() -> None:
    assert words_of(FUNCTIONS, "CHANGING") == words_of(STAGING_TESTS, "CHANGING") != set()
