"""`rehearsal up --template` with something that is not a template, or not what the template asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.__main__ import main
from tests.bad_input.conftest import Ended

Refused = Callable[..., tuple[str, str]]

TEMPLATE = """\
Parameters:
  SageMakerProjectName: {Type: String}
  SageMakerProjectId: {Type: String}
  Group: {Type: String}
Resources:
  Build:
    Type: AWS::CodeCommit::Repository
    Properties:
      RepositoryName: build
      Code: {S3: {Bucket: sagemaker-seeds, Key: seeds/build.zip}}
  Deploy:
    Type: AWS::CodeCommit::Repository
    Properties:
      RepositoryName: deploy
      Code: {S3: {Bucket: sagemaker-seeds, Key: old/build.zip}}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "buildspec.yml").write_text("version: 0.2\n")
    return file


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """How `up` with these options ends: it says why, and starts nothing."""

    def refuse(*options: object) -> tuple[str, str]:
        try:
            status: object = main(["up", *map(str, options)])
        except SystemExit as ending:  # of the command line's own reader
            status = ending.code
        printed = capsys.readouterr()
        assert printed.out == ""
        return f"exit {status}", printed.err

    return refuse


def test_a_foreign_template_that_is_not_there(tmp_path: Path, refused: Refused, ended: Ended) -> None:
    ended(*refused("--template", tmp_path / "nowhere.yaml"))


def test_a_foreign_template_that_is_not_yaml(template: Path, refused: Refused, ended: Ended) -> None:
    template.write_text("Resources:\n  One: {Type: AWS::S3::Bucket\n  Two: [\n")
    ended(*refused("--template", template))


def test_a_foreign_template_that_is_no_template(template: Path, refused: Refused, ended: Ended) -> None:
    template.write_text("- only\n- a\n- list\n")
    ended(*refused("--template", template))


def test_a_foreign_template_that_is_of_no_project(template: Path, refused: Refused, ended: Ended) -> None:
    template.write_text("Resources:\n  One: {Type: 'AWS::S3::Bucket'}\n")
    ended(*refused("--template", template))


def test_a_foreign_template_with_placeholders_left(template: Path, refused: Refused, ended: Ended) -> None:
    template.write_text(TEMPLATE.replace("sagemaker-seeds", "AWSDEFAULT___CODE_STAGING_BUCKET___"))
    ended(*refused("--template", template))


def test_a_foreign_template_without_its_parameters(template: Path, refused: Refused, ended: Ended) -> None:
    ended(*refused("--template", template, "--parameter", "Grup=one"))


def test_a_foreign_template_without_its_seeds(template: Path, refused: Refused, ended: Ended) -> None:
    ended(*refused("--template", template, "--parameter", "Group=one"))


def test_seeds_of_a_foreign_template_that_cannot_be_used(template: Path, refused: Refused, ended: Ended) -> None:
    """Each of them has its line."""
    code = template.parent / "code"
    (template.parent / "text.txt").write_text("no archive")
    (template.parent / "empty").mkdir()
    seeds = (
        str(code),
        f"seeds/build.zip={template.parent / 'nowhere'}",
        f"seeds/build.zip={template.parent / 'text.txt'}",
        f"seeds/build.zip={template.parent / 'empty'}",
        f"seeds/train.zip={code}",
        f"build.zip={code}",
    )
    options = [word for seed in seeds for word in ("--seed", seed)]
    state, said = refused("--template", template, "--parameter", "Group=one", *options)
    assert len(said.splitlines()) == len(seeds), said
    ended(state, said)


def test_options_of_a_foreign_template_without_one(tmp_path: Path, refused: Refused, ended: Ended) -> None:
    ended(*refused("--seed", f"key={tmp_path}"))
