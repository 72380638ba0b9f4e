"""cfn-lint, informational checks and our own rules included, finds nothing in any template, and it is looking."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks import templates
from checks.template_file import ACCOUNT_SETUP, PROJECT, ROOT


def test_every_template_is_checked() -> None:
    assert {ACCOUNT_SETUP, PROJECT, ROOT / "deploy_repo" / "endpoint-config-template.yml"} <= set(
        templates.all_templates()
    )


@pytest.mark.parametrize("path", templates.all_templates(), ids=lambda path: path.name)
def test_cfn_lint_finds_nothing(path: Path) -> None:
    assert templates.findings([path]) == []


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("SSEAlgorithm: AES256", "SSEAlgorithm: ROT13", "ROT13"),
        ("    DeletionPolicy: Delete\n    UpdateReplacePolicy: Delete\n", "", ": I3011 "),  # an informational check
        ("Runtime: python3.13", "Runtime: python3.12", ": E9010 python3.12"),  # one of our own
    ],
)
def test_cfn_lint_is_looking(written: str, instead: str, said: str, tmp_path: Path) -> None:
    text = PROJECT.read_text(encoding="utf-8")
    assert written in text
    broken = tmp_path / "project.yaml"
    broken.write_text(text.replace(written, instead, 1), encoding="utf-8")

    assert [each for each in templates.findings([broken]) if said in each]
