"""`python -m smoke_aws` spends nothing before a person has said so, and says what to do when it cannot begin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rehearsal.cloud.cloud import Cloud
from service_catalog.target import Target
from smoke_aws import __main__ as command
from smoke_aws.calls import event_of
from smoke_aws.people import STEM
from smoke_aws.trail import Trail
from tests.smoke_aws.records import record

ROLE = "SC-1-ModelBuildRole-X7"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """What a rehearsal recorded."""
    folder = tmp_path / "rehearsed"
    folder.mkdir()
    authorised = {"role": "ModelBuildRole", "logical_id": "", "action": "sagemaker:ListTags", "decision": "Allow"}
    (folder / "authorisations.jsonl").write_text(json.dumps({**authorised, "count": 1}) + "\n")
    nothing = {"policies": {}, "documents": {}, "names": {ROLE: "ModelBuildRole"}, "deployed": []}
    (folder / "policies.json").write_text(json.dumps(nothing))
    (folder / "shapes.json").write_text(json.dumps({"sts:GetCallerIdentity": {"Arn": ["string"]}}))
    return folder


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """What a smoke test kept, in which one call was made."""
    folder = tmp_path / "smoke"
    folder.mkdir()
    run = {"account": "123456789012", "region": "eu-west-1", "began": "2026-11-20T09:00:00+00:00"}
    (folder / "run.json").write_text(json.dumps({**run, "ok": True, "roles": {ROLE: "ModelBuildRole"}}))
    (folder / "shapes.json").write_text(json.dumps({"sts:GetCallerIdentity": {"Arn": ["string"]}}))
    events = [event_of(record("sagemaker.amazonaws.com", "ListTags", ROLE))]
    (folder / "trail.json").write_text(json.dumps(Trail(events, complete=True).document()))
    return folder


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any AWS configuration."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_without_credentials_it_says_how_to_sign_in(nobody: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--region", "eu-west-1", "--cost-ceiling", "100"]) == 1
    assert "No AWS credentials were found" in capsys.readouterr().err


def test_without_a_recorded_rehearsal_nothing_begins(
    target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "RUNS", tmp_path)

    assert command.main(["--cost-ceiling", "100", "--yes"]) == 1
    assert "Record one first" in capsys.readouterr().err


def test_without_a_ceiling_the_estimate_is_printed_and_nothing_begins(
    target: Target, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--recording", str(recording), "--yes"]) == 1

    printed = capsys.readouterr()
    assert "account 123456789012, us-east-1" in printed.out
    assert "the prod endpoint" in printed.out
    assert "The ceiling of $0.00 is below the estimate" in printed.err


def test_a_script_that_does_not_say_yes_makes_nothing(
    target: Target, cloud: Cloud, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--recording", str(recording), "--cost-ceiling", "100"]) == 1

    assert "Nothing was made" in capsys.readouterr().err
    roles = [role["RoleName"] for role in cloud.client("iam", cloud.identity.root).list_roles()["Roles"]]
    assert [name for name in roles if name.startswith(STEM)] == []


def test_a_run_that_was_kept_is_compared_without_aws(
    nobody: None, run_folder: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--compare", str(run_folder), "--recording", str(recording)]

    assert command.main(words) == 0
    assert "AWS is as the rehearsal says" in capsys.readouterr().out
    assert json.loads((run_folder / "comparison.json").read_text())["ok"]

    (recording / "authorisations.jsonl").write_text("")
    assert command.main(words) == 1
    printed = capsys.readouterr().out
    assert "ModelBuildRole sagemaker:ListTags (1 times)" in printed
    assert "AWS is NOT as the rehearsal says" in printed


def test_a_run_whose_roles_could_not_be_named_is_not_as_the_rehearsal_says(
    nobody: None, run_folder: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = json.loads((run_folder / "run.json").read_text())
    (run_folder / "run.json").write_text(json.dumps({**run, "roles": {}}))

    assert command.main(["--compare", str(run_folder), "--recording", str(recording)]) == 1
    printed = capsys.readouterr().out
    assert "Which role ModelBuildRole is on AWS could not be read" in printed
    assert "AWS is NOT as the rehearsal says" in printed


def test_a_folder_that_is_no_run_is_named(nobody: None, recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--compare", str(recording), "--recording", str(recording)]) == 1
    assert f"{recording} has no trail.json" in capsys.readouterr().err
