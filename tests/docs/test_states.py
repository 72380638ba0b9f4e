"""The list of states in the semantics is AWS's own: each one comes and a test has met it, or it never comes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import botocore.session
import pytest

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "semantics.md").read_text().partition("\n## States\n")[2].partition("\n## ")[0]
ROWS = {
    (found[1], found[2]): line.split(" | ")
    for line in SECTION.splitlines()
    if (found := re.match(r"\| `([a-z-]+)` `(\w+)` \|", line))
}
OURS = {"sagemaker", "servicecatalog", "codebuild", "codepipeline", "cloudformation", "lambda"}
ids = [" ".join(row) for row in ROWS]


def said(cell: str) -> tuple[list[str], list[str]]:
    """The states that come, and those that never do."""
    comes, _, never = cell.partition("never:")
    return re.findall(r"`(\w+)`", comes), re.findall(r"`(\w+)`", never)


@pytest.fixture(scope="module")
def texts() -> Mapping[str, str]:
    """The file of every test, and of every module of tests."""
    found: dict[str, str] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        text = path.read_text()
        found |= dict.fromkeys([path.stem, *re.findall(r"^ *def (test_\w+)", text, re.MULTILINE)], text)
    return found


def test_the_services_that_go_through_states_are_listed() -> None:
    assert {service for service, _ in ROWS} == OURS


@pytest.mark.parametrize(("service", "shape"), ROWS, ids=ids)
def test_a_row_names_every_state_that_aws_names(service: str, shape: str) -> None:
    model = botocore.session.get_session().get_service_model(service)
    comes, never = said(ROWS[service, shape][1])
    assert sorted([*comes, *never]) == sorted(model.shape_for(shape).enum)


@pytest.mark.parametrize(("service", "shape"), ROWS, ids=ids)
def test_a_state_that_comes_is_met_by_a_test_of_its_row(service: str, shape: str, texts: Mapping[str, str]) -> None:
    cells = ROWS[service, shape]
    text = "".join(texts[name] for name in re.findall(r"\btest_\w+", cells[3]))
    comes, _ = said(cells[1])
    unseen = [state for state in comes if not re.search(rf"\b({state}|{_in_capitals(state)})\b", text)]
    assert unseen == []


def _in_capitals(state: str) -> str:
    """As events spell it: IN_SERVICE."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", state).upper()
