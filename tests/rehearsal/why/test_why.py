"""Why it failed, asked of a running cloud with one's own credentials: from the pipeline down to the cause."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.cloud.codebuild import CodeBuild
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.codepipeline import CodePipeline
from rehearsal.cloud.resources.sagemaker import SAGEMAKER_TYPES
from rehearsal.cloud.sagemaker.api import SageMaker
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.why.scene import ENDPOINT_TEMPLATE, ID, NAME, PREFIX, Scene, buildspec


@pytest.fixture(scope="module")
def scene(start_cloud: StartCloud) -> Scene:
    return Scene(start_cloud([CodeBuild, CodeCommit, CodePipeline, SageMaker], SAGEMAKER_TYPES))


def failure(scene: Scene) -> dict[str, Any]:
    status, said, complained = scene.why("--json")
    assert status == 0, complained
    found: dict[str, Any] = json.loads(said)["failure"]
    return found


def stations(found: dict[str, Any]) -> list[str]:
    return [place["what"] for place in found["where"]]


def test_a_build_is_followed_to_what_its_verb_refused(scene: Scene) -> None:
    refused = "make build: The model package arn:aws:x/3 is Rejected, not Approved; it may have been rejected."
    makefile = f"build:\n\t@echo looking; echo '{refused}' >&2; exit 1\n"
    scene.run("modelbuild", {"buildspec.yml": buildspec("make build"), "Makefile": makefile})

    found = failure(scene)

    assert found["line"] == refused
    assert found["cause"] == "version not approved"
    assert stations(found) == ["pipeline", "action", "build", "command", "log"]
    names = {place["what"]: place["name"] for place in found["where"]}
    assert "Try something" in names["pipeline"]
    assert names["action"] == "Build / TrainAndRegister"
    assert "FAILED in phase BUILD" in names["build"]
    assert names["log"].startswith(f"/aws/codebuild/{PREFIX}-modelbuild, stream ")
    assert names["command"] == "make build"


def test_a_build_that_ran_the_sagemaker_pipeline_is_followed_to_the_jobs_log(scene: Scene) -> None:
    execution = scene.failed_training("import nowhere_to_be_found")
    scene.run("modelbuild", {"buildspec.yml": buildspec(f"export PIPELINE_EXECUTION_ARN={execution}; false")})

    found = failure(scene)

    assert found["line"] == "ModuleNotFoundError: No module named 'nowhere_to_be_found'"
    assert found["cause"] == "module missing in the container"
    assert stations(found) == ["pipeline", "action", "build", "command", "execution", "step", "job", "log"]
    assert found["where"][5]["name"] == "Preprocess"
    assert found["where"][-1]["name"].startswith("/aws/sagemaker/ProcessingJobs, stream pipelines-")
    assert "nowhere_to_be_found" in found["to_try"][0]


def test_a_stack_is_followed_to_the_log_of_its_endpoints_container(scene: Scene) -> None:
    scene.put_model("import a_package_the_image_lacks\n")
    scene.run("modeldeploy", {"template.json": json.dumps(ENDPOINT_TEMPLATE)})

    found = failure(scene)

    assert found["title"] == "the model deployment"
    assert found["line"] == "ModuleNotFoundError: No module named 'a_package_the_image_lacks'"
    assert any("ping health check" in line for line in found["more"])
    assert stations(found) == ["pipeline", "action", "stack", "resource", "endpoint", "log"]
    assert found["where"][3]["name"] == "Endpoint (AWS::SageMaker::Endpoint), CREATE_FAILED"
    assert found["where"][5]["name"].startswith(f"/aws/sagemaker/Endpoints/{NAME}-staging, stream AllTraffic/")


def test_what_may_not_be_read_is_named_and_the_rest_is_told(scene: Scene) -> None:
    scene.run("modelbuild", {"buildspec.yml": buildspec("make nothing")})
    reader = scene.somebody("reader", "codepipeline:List*", "codebuild:BatchGetBuilds")

    status, said, _ = scene.why(credentials=reader)

    assert status == 0
    assert "Error while executing command: make nothing" in said
    assert "Not looked at" in said
    assert "that takes logs:GetLogEvents on" in " ".join(said.split())
    assert "that takes sagemaker:DescribeProject" in " ".join(said.split())


def test_a_success_makes_the_failure_history(scene: Scene) -> None:
    scene.run("modelbuild", {"buildspec.yml": buildspec("make nothing")})
    scene.run("modelbuild", {"buildspec.yml": buildspec("true")})

    found = failure(scene)

    assert found["title"] == "the model deployment"  # which failed above, and nothing of it succeeded since
    assert found["current"]


def test_who_may_look_at_nothing_is_told_so_in_one_message(scene: Scene) -> None:
    stranger = scene.somebody("stranger", "sts:GetCallerIdentity")

    status, said, complained = scene.why(credentials=stranger)

    assert (status, said) == (2, "")
    assert complained.startswith(f"make why: The pipelines of project {NAME} cannot be looked at.")
    assert "that takes codepipeline:ListPipelineExecutions" in complained


def test_a_project_that_is_not_there_is_no_success(scene: Scene) -> None:
    status, _, complained = scene.why(SAGEMAKER_PROJECT_NAME="nobody")

    assert status == 2
    assert f"There is no project nobody ({ID}) in this account and region (us-east-1)" in complained


def test_keys_that_are_not_accepted_are_told_in_one_message(scene: Scene) -> None:
    status, _, complained = scene.why(AWS_ACCESS_KEY_ID="AKIAWRONGWRONGWRONG1", AWS_SESSION_TOKEN="")

    assert status == 2
    assert complained.startswith("make why: AWS does not accept these credentials")
