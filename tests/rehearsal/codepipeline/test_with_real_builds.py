"""Pipelines and the real CodeBuild room together: what passes between them."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from pipeline_lab import BUCKET, Lab, approve, build, stage

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codebuild import CodeBuild
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.codepipeline import CodePipeline

BUILDSPEC = """
version: 0.2
env:
  exported-variables: [VERSION, COMMIT]
phases:
  build:
    commands:
      - cat note.txt
      - export VERSION="$(cat note.txt)-$MODEL"
      - export COMMIT="$CODEBUILD_RESOLVED_SOURCE_VERSION"
      - echo "$CODEBUILD_INITIATOR" > initiator.txt
artifacts:
  files: [initiator.txt]
"""
GRANTS = [
    "s3:GetBucketAcl",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "logs:*",
    "codebuild:*",
]


@pytest.fixture(scope="module")
def real(start_cloud: Callable[..., Cloud]) -> Lab:
    """A cloud whose builds really run, with one project for pipelines."""
    lab = Lab(start_cloud([CodeBuild, CodeCommit, CodePipeline]))
    role = lab.make_role("BuildRole", "codebuild.amazonaws.com", GRANTS)
    lab.client("codebuild").create_project(
        name="builder",
        source={"type": "CODEPIPELINE", "buildspec": "buildspec.yml"},
        artifacts={"type": "CODEPIPELINE"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/amazonlinux-x86_64-standard:6.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=role,
    )
    return lab


def building(lab: Lab, stem: str, buildspec: str = BUILDSPEC) -> tuple[str, str]:
    """A pipeline that builds a commit with this buildspec and then waits: its name and its execution."""
    lab.commit({"note.txt": "seven", "buildspec.yml": buildspec}, "Build me")
    variables: dict[str, Any] = {
        "EnvironmentVariables": json.dumps([{"name": "MODEL", "value": "#{variables.MODEL}", "type": "PLAINTEXT"}])
    }
    declared = build(configuration=variables, namespace="BuildVariables", outputArtifacts=[{"name": "Built"}])
    declaration = lab.declaration(
        stem,
        stage("Build", declared),
        stage("Approve", approve(CustomData="#{BuildVariables.VERSION} of #{BuildVariables.COMMIT}")),
        variables=[{"name": "MODEL", "defaultValue": "auto"}],
    )
    return declaration["name"], lab.create(declaration)


def test_a_build_gets_the_commit_and_hands_on_variables_and_artifacts(real: Lab) -> None:
    name, execution = building(real, "real")
    token = real.token(name)
    record = real.room.pipelines[name].execution(execution)
    assert record is not None
    commit = record.artifact_revisions[0]["revisionId"]
    assert real.room.pipelines[name].slot("Approve").actions["Approve"].configuration["CustomData"] == (
        f"seven-auto of {commit}"
    )
    body = real.s3.get_object(Bucket=BUCKET, Key=record.artifacts["Built"].key)["Body"].read()
    assert zipfile.ZipFile(io.BytesIO(body)).read("initiator.txt").decode().strip() == f"codepipeline/{name}"
    real.answer(name, token)
    assert real.finished(name, execution)["status"] == "Succeeded"


def test_a_project_that_is_not_there_is_named(real: Lab) -> None:
    declaration = real.declaration("missing", stage("Build", build(project="nobody")))
    name = declaration["name"]
    assert real.finished(name, real.create(declaration))["status"] == "Failed"
    message = real.action(name, "Build", "Build")["errorDetails"]["message"]
    assert message.startswith("Error calling startBuild: ")
    assert "nobody" in message


def test_nothing_of_a_waiting_pipeline_outlives_the_cloud(real: Lab) -> None:
    name, _ = building(real, "stopping")
    real.token(name)
    mine = [thread for thread in threading.enumerate() if name in thread.name]
    assert mine
    real.cloud.stop()
    for thread in mine:
        thread.join(10)
    assert not [thread for thread in mine if thread.is_alive()]
