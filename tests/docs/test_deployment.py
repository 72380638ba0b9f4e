"""docs/deployment.md: every mode meets every strategy in it, and what it says is held by tests that exist."""

from __future__ import annotations

import ast
import itertools
import re
from functools import cache
from pathlib import Path

import pytest
from cfnlint.decode.cfn_yaml import load

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "deployment.md"
TEMPLATE = ROOT / "deploy_repo" / "endpoint-config-template.yml"
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
]


@cache
def all_tests() -> dict[str, Path]:
    """Every test of this repository and of the deploy repository, and where it stands."""
    found: dict[str, Path] = {}
    for folder in (ROOT / "tests", ROOT / "deploy_repo" / "tests"):
        for path in folder.rglob("test_*.py"):
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            found |= {each.name: path for each in nodes if isinstance(each, ast.FunctionDef)}
    return found


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]} {row[1][:50]}" for row in ROWS])
def test_a_row_says_what_is_possible_where_aws_says_so_and_what_holds_it(row: list[str]) -> None:
    _mode, _what, on_aws, here, held_by = row
    assert "https://docs.aws.amazon.com/" in on_aws
    assert re.match(r"(yes|refused)\b", here), here
    assert not (on_aws.startswith("[no]") and here.startswith("yes")), "nothing is offered that AWS does not have"
    named = re.findall(r"`(test_\w+)(?:\[([^\]]+)\])?`", held_by)
    assert named, "no test"
    for name, case in named:
        assert name in all_tests(), f"there is no {name}"
        assert not case or f'"{case}"' in all_tests()[name].read_text(encoding="utf-8"), f"{name} has no case {case}"


def test_every_mode_meets_every_strategy_once() -> None:
    parameters = load(str(TEMPLATE))["Parameters"]
    modes, strategies = (parameters[name]["AllowedValues"] for name in ("DeploymentMode", "TrafficRouting"))
    wanted = sorted((f"`{mode}`", f"`{strategy}`") for mode, strategy in itertools.product(modes, strategies))
    assert sorted((row[0], row[1]) for row in ROWS if row[1].startswith("`")) == wanted
