"""A build that runs into its timeout fails its pipeline with that reason; retrying the stage goes on where it stood."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.cloud.codebuild import CodeBuild
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.codepipeline import CodePipeline
from tests.rehearsal.codepipeline.pipeline_lab import Lab, approve, build, stage
from tests.rehearsal.faults.conftest import Faulty

BUILDSPEC = """
version: 0.2
phases:
  install:
    commands: [echo installing]
  build:
    commands: [echo building > built.txt]
artifacts:
  files: [built.txt]
"""
RIGHTS = ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "logs:*"]


def with_builder(lab: Lab) -> Lab:
    """The lab with a project `builder` whose builds really run."""
    lab.client("codebuild").create_project(
        name="builder",
        source={"type": "CODEPIPELINE", "buildspec": "buildspec.yml"},
        artifacts={"type": "CODEPIPELINE"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/amazonlinux-x86_64-standard:6.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=lab.make_role("BuildRole", "codebuild.amazonaws.com", RIGHTS),
    )
    return lab


@pytest.fixture
def lab(faulty: Faulty) -> Lab:
    return with_builder(Lab(faulty(["build-timeout"], [CodeBuild, CodeCommit, CodePipeline])))


def only_build(lab: Lab, number: int) -> dict[str, Any]:
    """The build of this number, counted from 1."""
    client = lab.client("codebuild")
    ids = client.list_builds_for_project(projectName="builder", sortOrder="ASCENDING")["ids"]
    assert len(ids) == number
    return dict(client.batch_get_builds(ids=[ids[-1]])["builds"][0])


def test_the_pipeline_fails_with_the_reason_and_a_retry_of_the_stage_succeeds(lab: Lab) -> None:
    lab.commit({"buildspec.yml": BUILDSPEC}, "Build me")
    declared = build(outputArtifacts=[{"name": "Built"}])
    declaration = lab.declaration("slow", stage("Build", declared), stage("Approve", approve()))
    name = declaration["name"]
    execution = lab.create(declaration)
    assert lab.finished(name, execution)["status"] == "Failed"
    late = only_build(lab, 1)
    assert late["buildStatus"] == "TIMED_OUT"
    phases = {phase["phaseType"]: phase.get("phaseStatus") for phase in late["phases"]}
    assert phases["INSTALL"] == "TIMED_OUT"
    assert "BUILD" not in phases, "nothing is run after the timeout"
    reason = lab.action(name, "Build", "Build")["errorDetails"]["message"]
    assert reason.startswith("Build terminated with state: TIMED_OUT. Phase: INSTALL")
    assert lab.cloud.faults.struck("build-timeout") == [f"build {late['id']}"]
    assert json.dumps(lab.stage(name, "Approve")).count("latestExecution") == 0, "no later stage was entered"

    lab.pipelines.retry_stage_execution(
        pipelineName=name, stageName="Build", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
    )
    lab.answer(name, lab.token(name))
    assert lab.finished(name, execution)["status"] == "Succeeded"
    assert only_build(lab, 2)["buildStatus"] == "SUCCEEDED"
