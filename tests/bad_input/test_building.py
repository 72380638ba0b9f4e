"""Builds that cannot work and approvals that do not count, as the pipeline shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.bad_input.conftest import Ended, StartCloud
from tests.rehearsal.codepipeline.pipeline_lab import Lab, approve, build, stage

NOBODYS_TOKEN = "00000000-0000-4000-8000-000000000000"  # noqa: S105 - an approval token, no secret
BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands: [echo built]\n"
GRANTS = [
    *("s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"),
    *("logs:*", "codebuild:*"),
]


@pytest.fixture(scope="module")
def lab(start_cloud: StartCloud) -> Lab:
    """A cloud with one repository and two projects, whose builds really run."""
    lab = Lab(start_cloud())
    role = lab.make_role("BuildRole", "codebuild.amazonaws.com", GRANTS)
    image = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
    for name, buildspec in (("builder", "buildspec.yml"), ("lost", "moved/buildspec.yml")):
        lab.client("codebuild").create_project(
            name=name,
            source={"type": "CODEPIPELINE", "buildspec": buildspec},
            artifacts={"type": "CODEPIPELINE"},
            environment={"type": "LINUX_CONTAINER", "image": image, "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=role,
        )
    return lab


# ---- builds


def built(lab: Lab, buildspec: str, project: str = "builder") -> tuple[str, str]:
    """Push this buildspec, and follow the pipeline: its execution's status and what its action says."""
    lab.commit({"buildspec.yml": buildspec}, "Build me")
    action = build(project=project, outputArtifacts=[{"name": "Built"}])
    declaration = lab.declaration("build", stage("Build", action))
    name = declaration["name"]
    execution = lab.finished(name, lab.create(declaration))
    shown = lab.action(name, "Build", "Build")
    assert shown["status"] == execution["status"]
    codebuild = lab.client("codebuild")
    newest = codebuild.batch_get_builds(ids=[shown["externalExecutionId"]])["builds"][0]
    assert (newest["buildStatus"], newest["buildComplete"]) == ("FAILED", True)
    return execution["status"], shown["errorDetails"]["message"]


def test_a_buildspec_command_that_fails(lab: Lab, ended: Ended) -> None:
    ended(*built(lab, BUILDSPEC.replace("echo built", "cat nowhere.txt")))


def test_a_buildspec_that_is_missing(lab: Lab, ended: Ended) -> None:
    ended(*built(lab, BUILDSPEC, project="lost"))


def test_a_buildspec_with_an_unknown_key(lab: Lab, ended: Ended) -> None:
    ended(*built(lab, f"{BUILDSPEC}artefacts:\n  files: [a.txt]\n"))


def test_an_artifact_file_that_is_missing(lab: Lab, ended: Ended) -> None:
    ended(*built(lab, f"{BUILDSPEC}artifacts:\n  files: [model.tar.gz]\n"))


# ---- approvals


@dataclass
class Waiting:
    """A pipeline that waits for an approval."""

    lab: Lab
    name: str
    execution: str
    token: str

    def answer(self, token: str, status: str = "Approved") -> tuple[str, str]:
        try:
            self.lab.answer(self.name, token, status)
        except ClientError as refusal:
            return refusal.response["Error"]["Code"], refusal.response["Error"]["Message"]
        return status, ""

    def end(self) -> str:
        return str(self.lab.finished(self.name, self.execution)["status"])


def waiting(lab: Lab, stem: str, **more: Any) -> Waiting:
    declaration = lab.declaration(stem, stage("Approve", {**approve(), **more}), stage("Later", approve()))
    execution = lab.create(declaration)
    return Waiting(lab, declaration["name"], execution, lab.token(declaration["name"]))


def test_an_approval_given_twice(lab: Lab, ended: Ended) -> None:
    pipeline = waiting(lab, "twice")
    assert pipeline.answer(pipeline.token)[0] == "Approved"

    ended(*pipeline.answer(pipeline.token, "Rejected"))

    assert lab.stage(pipeline.name, "Approve")["latestExecution"]["status"] == "Succeeded"
    lab.token(pipeline.name, "Later")
    assert pipeline.answer(pipeline.token, "Rejected")[0] == "ApprovalAlreadyCompletedException"


def test_an_approval_with_a_wrong_token(lab: Lab, ended: Ended) -> None:
    pipeline = waiting(lab, "wrong")

    ended(*pipeline.answer(NOBODYS_TOKEN))

    assert lab.token(pipeline.name) == pipeline.token, "it still waits"
    assert pipeline.answer(pipeline.token)[0] == "Approved"


def test_an_approval_after_its_expiry(lab: Lab, ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.cloud.clock, "speed", 5 * 60 / 0.3)
    declaration = lab.declaration("late", stage("Approve", {**approve(), "timeoutInMinutes": 5}))
    pipeline = Waiting(lab, declaration["name"], lab.create(declaration), "")
    assert pipeline.end() == "Failed"
    approval = lab.room.pipelines[pipeline.name].slot("Approve").actions["Approve"].approval
    assert approval is not None
    assert lab.action(pipeline.name, "Approve", "Approve")["errorDetails"]["message"] == (
        "The approval action timed out: nobody approved or rejected it within 5 minutes"
    )

    ended(*pipeline.answer(approval.token))

    assert lab.stage(pipeline.name, "Approve")["latestExecution"]["status"] == "Failed"
