"""The cloud stands alone: nothing in it knows the template, the story, or anything else outside itself."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

CLOUD = Path(__file__).parents[3] / "rehearsal" / "cloud"
MODULES = sorted(CLOUD.rglob("*.py"))


def imported(module: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda each: str(each.relative_to(CLOUD)))
def test_the_cloud_imports_nothing_of_ours_outside_itself(module: Path) -> None:
    ours = {"rehearsal", "service_catalog", "seed_code", "build_repo", "deploy_repo", "tests"}
    outside = {
        name
        for name in imported(module)
        if name.split(".")[0] in ours and not f"{name}.".startswith("rehearsal.cloud.")
    }
    assert outside == set()


def test_gits_passwords_need_the_standard_library_only() -> None:
    assert {name.split(".")[0] for name in imported(CLOUD / "git_passwords.py")} <= sys.stdlib_module_names
