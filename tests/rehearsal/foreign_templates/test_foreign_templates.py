"""Templates that are not this repository's, in the manner of AWS's own: launched, built, approved, deployed.

Two templates with seeds of their own stand here: `build_and_deploy.yaml` names the one role of AWS's older templates,
`deploy_only.yaml` the role for each service of the newer ones. The roles have AWS's policies, and nothing else.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.foreign.command import Wish, add_options, play
from rehearsal.foreign.follow import Follower
from rehearsal.foreign.project import Launch, described, pipelines
from rehearsal.people import People, settle
from rehearsal.person import Person
from rehearsal.progress import Progress
from rehearsal.watch import wait_until
from tests.rehearsal.images import IMAGE
from tests.waiting import PATIENCE

HERE = Path(__file__).parent
DEPLOY_SEED = f"toolchain/deploy-v1.0.zip={HERE / 'seeds/deploy'}"


@dataclass
class Lab:
    """An account, its people, and what they launch."""

    cloud: Cloud
    people: People

    def __post_init__(self) -> None:
        self.engineer = Person("platform-engineer", self.cloud, self.people.platform_engineer)
        self.scientist = Person("data-scientist", self.cloud, self.people.data_scientist)
        self.client: Callable[[str], Any] = self.engineer.client

    def launch(self, template: str, *options: str) -> Launch:
        return play(wish(HERE / template, *options), self.cloud, self.people, Progress())

    def status(self, pipeline: str, stage: str) -> str:
        for each in self.client("codepipeline").get_pipeline_state(name=pipeline)["stageStates"]:
            if each["stageName"] == stage:
                return str(each.get("latestExecution", {}).get("status", ""))
        raise AssertionError(f"{pipeline} has no stage {stage}")

    def until(self, pipeline: str, stage: str, status: str = "Succeeded") -> None:
        def ended() -> bool:
            found = self.status(pipeline, stage)
            assert found == status or found != "Failed", list(Follower(self.engineer, [pipeline], Progress()).news())
            return found == status

        wait_until(ended, f"{stage} of {pipeline} to be {status}", PATIENCE)

    def approve(self, arn: str) -> None:
        self.scientist.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")

    def say_yes(self, pipeline: str) -> None:
        def token() -> str | None:
            for stage in self.client("codepipeline").get_pipeline_state(name=pipeline)["stageStates"]:
                for action in stage["actionStates"]:
                    if action["actionName"] == "Approve" and "token" in action.get("latestExecution", {}):
                        return str(action["latestExecution"]["token"])
            return None

        self.client("codepipeline").put_approval_result(
            pipelineName=pipeline,
            stageName="DeployStaging",
            actionName="Approve",
            token=wait_until(token, "the question before production", PATIENCE),
            result={"status": "Approved", "summary": "it answers"},
        )

    def answer(self, endpoint: str) -> str:
        answer = self.scientist.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint, ContentType="text/csv", Body=b"1,2,3"
        )
        return str(answer["Body"].read().decode())


def wish(template: Path, *options: str) -> Wish:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return Wish(parser.parse_args(["--template", str(template), *options]), "123456789012", "us-east-1")


@pytest.fixture(scope="module")
def lab(cloud: Cloud) -> Lab:
    return Lab(cloud, settle(cloud))


def test_a_template_that_builds_and_deploys_is_played_from_launch_to_production(lab: Lab) -> None:
    launched = lab.launch(
        "build_and_deploy.yaml",
        *("--project-name", "mean", "--parameter", f"ServingImage={IMAGE}"),
        *("--seed", f"toolchain/build-v1.0.zip={HERE / 'seeds/build'}", "--seed", DEPLOY_SEED),
    )
    stem = f"sagemaker-mean-{launched.id}"
    told = described(lab.engineer, launched)
    assert f"git clone {launched.outputs['CodeOfDeployment']}" in told
    assert f"pipeline {stem}-deploy: Source > Build > DeployStaging > DeployProd" in told
    assert sorted(pipelines(lab.engineer, launched)) == [f"{stem}-build", f"{stem}-deploy"]

    lab.until(f"{stem}-build", "Build")
    group = f"mean-{launched.id}"
    packages = lab.client("sagemaker").list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    lab.approve(packages[0]["ModelPackageArn"])
    lab.say_yes(f"{stem}-deploy")
    assert lab.answer("mean-staging") == "7.5"
    lab.until(f"{stem}-deploy", "DeployProd")
    assert lab.answer("mean-prod") == "7.5"

    clone = lab.cloud.folder_for("clone")
    lab.engineer.git("clone", "--quiet", launched.outputs["CodeOfDeployment"].replace("-deploy", "-build"), str(clone))
    (clone / "numbers.csv").write_text("1\n3\n")
    lab.engineer.git("commit", "--quiet", "-am", "Other numbers", folder=clone)
    lab.engineer.git("push", "--quiet", folder=clone)

    def versions() -> bool:
        listed = lab.client("sagemaker").list_model_packages(ModelPackageGroupName=group)
        return len(listed["ModelPackageSummaryList"]) == 2

    wait_until(versions, "a second version after a push", PATIENCE)


def test_a_template_that_only_deploys_is_played_with_the_roles_for_each_service(lab: Lab) -> None:
    launched = lab.launch(
        "deploy_only.yaml",
        *("--project-name", "taken-over", "--seed", DEPLOY_SEED),
        *("--parameter", "SourceModelPackageGroupName=of-others", "--parameter", "AskBeforeProduction=no"),
    )
    lab.approve(registered(lab, "of-others", f"sagemaker-project-{launched.id}"))
    lab.until(f"sagemaker-taken-over-{launched.id}-deploy", "DeployProd")
    assert lab.answer("taken-over-prod") == "as given"


def registered(lab: Lab, group: str, bucket: str) -> str:
    """A model package made by hand, whose model answers `as given`."""
    packed, code = io.BytesIO(), b"def model_fn(folder): ...\ndef transform_fn(*given): return 'as given', 'text/csv'\n"
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo("code/inference.py")
        entry.size = len(code)
        tar.addfile(entry, io.BytesIO(code))
    lab.client("s3").put_object(Bucket=bucket, Key="by-hand/model.tar.gz", Body=packed.getvalue())
    variables = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/by-hand/model.tar.gz", "Environment": variables}
    sagemaker = lab.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    made = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    return str(made["ModelPackageArn"])
