"""Every name of ministack's that we lean on is there: a new version that lacks one fails here, not in a rehearsal."""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.rehearsal.conftest import ENVIRONMENTS

MODULES = sorted((Path(__file__).parents[3] / "rehearsal" / "cloud").glob("base_*.py"))
LOOK = """
import importlib, json, sys
missing = []
for module, name in json.load(sys.stdin):
    found = importlib.import_module(module)
    if not hasattr(found, name):
        missing.append(f"{module}.{name}")
print(json.dumps(missing))
"""


def imported(tree: ast.Module) -> dict[str, str]:
    """The modules of ministack that a file imports, by the name it gives them."""
    return {
        name.asname or name.name: f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ministack")
        for name in node.names
    }


def used(tree: ast.Module) -> Iterator[tuple[str, str]]:
    modules = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


def test_the_base_still_has_the_names_we_lean_on() -> None:
    names = sorted({each for path in MODULES for each in used(ast.parse(path.read_text()))})
    python = str(ENVIRONMENTS / "base" / "bin" / "python")
    answer = subprocess.run([python, "-c", LOOK], input=json.dumps(names), capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout.splitlines()[-1]) == []


def test_names_are_found_where_they_are_used() -> None:
    tree = ast.parse("from ministack.services import iam\niam._roles['r'] = iam._gone\nother._roles")
    assert set(used(tree)) == {("ministack.services.iam", "_roles"), ("ministack.services.iam", "_gone")}


def test_most_of_the_modules_lean_on_something() -> None:
    leaning = [path.stem for path in MODULES if any(used(ast.parse(path.read_text())))]
    assert "base_templates" in leaning
    assert len(leaning) > len(MODULES) // 2
