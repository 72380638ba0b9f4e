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


# What is broken in a copy of the product, and what is said about it.
BROKEN = [
    ("SSEAlgorithm: AES256", "SSEAlgorithm: ROT13", "ROT13"),
    ("    DeletionPolicy: Delete\n    UpdateReplacePolicy: Delete\n", "", ": I3011 "),  # an informational check
    ("Runtime: python3.13", "Runtime: python3.12", ": E9010 python3.12"),  # one of our own
    (
        "BucketName: !Sub ",
        "BucketName: !Sub ${SageMakerProjectName}",
        ": E9002 BucketName of Artifact",
    ),
]


def test_cfn_lint_is_looking(tmp_path: Path) -> None:
    text = PROJECT.read_text(encoding="utf-8")
    for written, instead, _ in BROKEN:
        assert written in text
        text = text.replace(written, instead, 1)
    copy = tmp_path / "project.yaml"
    copy.write_text(text, encoding="utf-8")

    found = templates.findings([copy])

    assert [said for *_, said in BROKEN if not any(said in each for each in found)] == []
