"""Launched projects for `make bench`, one for each way of serving, and what people do to them.

The model is trained once, by the first project's own build pipeline. What is brought into production after that is the
same model, registered as a further version, or in another project's group: the figures are of the deployment and not of
a training beside it. All else is as people have it: the template, the repositories, their builds and tests.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal.acts.build import build
from rehearsal.acts.launch import launch
from rehearsal.cloud.cloud import Cloud
from rehearsal.inventory import running_builds
from rehearsal.people import People
from rehearsal.person import REPOSITORY_ROOT
from rehearsal.progress import ActRecord, Progress
from rehearsal.scene import Project, Scene
from rehearsal.watch import ENDED, PipelineWatch

STAGES = ("staging", "prod")
CONTAINER = ("Image", "Environment", "ModelDataUrl")
"""What a container of a package is registered with; SageMaker adds the rest."""
REGISTERED = ("ModelMetrics", "DriftCheckBaselines", "CustomerMetadataProperties")
"""What a further version of a model takes over from the first."""


class BenchProject:
    """One project, its people and its clone of the model-deploy repository."""

    def __init__(self, cloud: Cloud, people: People, progress: Progress, name: str) -> None:
        self.name = name
        self.scene = Scene(cloud, people, progress)
        self.scene.project = Project(name)
        launch(self.scene, ActRecord(2, "Launch"))

    @property
    def bucket(self) -> str:
        return self.scene.project.outputs["ArtifactBucketName"]

    @property
    def clone(self) -> Path:
        return self.scene.scientist.home / f"{self.name}-model-deploy"

    # ---- the model

    def train(self) -> dict[str, Any]:
        """Let the build of the first commit end; the package that it registers."""
        build(self.scene, ActRecord(3, "Build"))
        return self.scene.newest_package()

    def stop_all(self) -> None:
        """End everything that runs in both pipelines: the machine is for what is measured."""
        codepipeline, codebuild = (self.scene.engineer.client(each) for each in ("codepipeline", "codebuild"))
        for pipeline in (self.scene.project.build_pipeline, self.scene.project.deploy_pipeline):
            for each in codepipeline.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]:
                if each["status"] not in ENDED:
                    codepipeline.stop_pipeline_execution(
                        pipelineName=pipeline,
                        pipelineExecutionId=each["pipelineExecutionId"],
                        abandon=True,
                        reason="make bench needs nothing of it",
                    )

        def over() -> bool:
            left = [each for each in running_builds(codebuild) if each.startswith(self.scene.project.prefix)]
            for each in left:
                codebuild.stop_build(id=each)
            return not left

        self.scene.wait_until(over, "the end of the builds of what was stopped")

    def register(self, package: Mapping[str, Any], home: BenchProject) -> str:
        """Register the model of a package of `home`'s as a further version here; its ARN. It waits for its approval."""
        specification = package["InferenceSpecification"]
        containers = [{name: each[name] for name in CONTAINER if name in each} for each in specification["Containers"]]
        given = {
            "InferenceSpecification": {**specification, "Containers": containers},
            **{name: package[name] for name in REGISTERED if name in package},
        }
        if home is not self:
            given = self._brought(given, home)
        client = self.scene.engineer.client("sagemaker")
        return str(
            client.create_model_package(
                ModelPackageGroupName=self.scene.project.group,
                ModelApprovalStatus="PendingManualApproval",
                **given,
            )["ModelPackageArn"]
        )

    def _brought(self, given: Mapping[str, Any], home: BenchProject) -> dict[str, Any]:
        """The same, of files in this project's bucket: a project's roles read nobody else's."""
        s3, theirs, ours = self.scene.engineer.client("s3"), home.scene.project.group, self.scene.project.group
        for url in sorted(addresses(given, home.bucket)):
            prefix = url.removeprefix(f"s3://{home.bucket}/")
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=home.bucket, Prefix=prefix):
                for key in (each["Key"] for each in page.get("Contents", [])):
                    s3.copy({"Bucket": home.bucket, "Key": key}, self.bucket, key.replace(theirs, ours))
        names = {home.bucket: self.bucket, theirs: ours}
        return {member: moved(each, names) for member, each in given.items()}

    # ---- its configuration

    def configure(self, staging: Mapping[str, object], production: Mapping[str, object], message: str) -> None:
        """Push these parameters of the stages. What the push starts is stopped: they come in with the next version."""
        scene, scientist = self.scene, self.scene.scientist
        if not self.clone.exists():
            url = scene.project.outputs["ModelDeployCloneUrl"]
            scientist.git("clone", "--quiet", url, str(self.clone))
        for stage, parameters in zip(STAGES, (staging, production), strict=True):
            path = self.clone / f"{stage}-config.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | {"Parameters": parameters}, indent=2) + "\n")
        earlier = scene.latest_execution(scene.project.deploy_pipeline)
        scientist.git("commit", "--quiet", "--all", "--message", message, folder=self.clone)
        scientist.git("push", "--quiet", "origin", "main", folder=self.clone)
        scene.progress.say(f"{self.name}: pushed: {message}")
        scene.next_execution(scene.project.deploy_pipeline, earlier, "a deployment for the push")
        self.stop_all()

    # ---- its deployments

    def release(self, package: str) -> float:
        """Approve a version, and its deployment as soon as a person is asked; the seconds until it has succeeded."""
        began = time.monotonic()
        watch = self.approved(package)
        self.scene.say_yes(watch)
        watch.until_succeeded()
        return time.monotonic() - began

    def approved(self, package: str) -> PipelineWatch:
        """Approve a version; its deployment, once a person is asked before production."""
        watch = self.scene.decide(package, "Approved", "Measured by make bench")
        self.scene.until_asked(watch)
        return watch


def shipped(stage: str) -> dict[str, object]:
    """The parameters that a stage of every project begins with."""
    path = REPOSITORY_ROOT / "deploy_repo" / f"{stage}-config.json"
    found: dict[str, object] = json.loads(path.read_text())["Parameters"]
    return found


def addresses(given: object, bucket: str) -> set[str]:
    """Every address in the bucket that stands anywhere in a request."""
    if isinstance(given, Mapping):
        return {found for each in given.values() for found in addresses(each, bucket)}
    if isinstance(given, list):
        return {found for each in given for found in addresses(each, bucket)}
    return {given} if isinstance(given, str) and given.startswith(f"s3://{bucket}/") else set()


def moved(given: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - a request's value
    """A request with other names in the place of these, wherever they stand."""
    if isinstance(given, Mapping):
        return {member: moved(each, names) for member, each in given.items()}
    if isinstance(given, list):
        return [moved(each, names) for each in given]
    if isinstance(given, str):
        for before, after in names.items():
            given = given.replace(before, after)
    return given
