"""cfn-lint, informational checks included, finds nothing in either template."""

from __future__ import annotations

from pathlib import Path

import pytest
from cfnlint.api import ManualArgs, lint
from template_file import ACCOUNT_SETUP, PROJECT

REGIONS = ["us-east-1", "eu-west-1", "eu-central-1", "ap-northeast-1"]


def findings(text: str) -> list[str]:
    matches = lint(text, config=ManualArgs(regions=REGIONS, include_checks=["I"]))
    return [f"line {match.linenumber}: {match.rule.id} {match.message}" for match in matches]


@pytest.mark.parametrize("path", [PROJECT, ACCOUNT_SETUP], ids=lambda path: path.name)
def test_cfn_lint_finds_nothing(path: Path) -> None:
    assert findings(path.read_text(encoding="utf-8")) == []


def test_cfn_lint_is_looking_and_at_informational_checks_too() -> None:
    text = PROJECT.read_text(encoding="utf-8")
    assert [each for each in findings(text.replace("SSEAlgorithm: AES256", "SSEAlgorithm: ROT13")) if "ROT13" in each]
    without_policy = "    DeletionPolicy: Delete\n    UpdateReplacePolicy: Delete\n"
    assert without_policy in text
    assert [each for each in findings(text.replace(without_policy, "", 1)) if ": I3011 " in each]
