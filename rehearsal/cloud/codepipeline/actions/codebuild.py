"""CodeBuild as build and test action.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import quote

from rehearsal.cloud.codepipeline.actions.base import Action, ActionFailed, Job, Shape
from rehearsal.cloud.codepipeline.variables import REFERENCE
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rehearsal.cloud.service import Credentials

Location = tuple[str, str]
"""Bucket and key of an artifact."""
LOOK_EVERY = 0.2  # seconds between two looks at a running build
VARIABLE_TYPES = ("PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER")
OFF = frozenset({"false"})


class Builds(Protocol):
    """What this action needs of the CodeBuild room."""

    def start_build_for_pipeline(
        self,
        request: Document,
        *,
        inputs: Mapping[str, Location],
        outputs: Mapping[str, Location],
        caller: Credentials,
        pipeline: str,
        revision: str,
        encryption_key: str,
    ) -> Document:
        """StartBuild as CodePipeline calls it; answers the build document.

        `caller` needs codebuild:StartBuild. The build reads `inputs` from S3 (the first is the primary source, made
        of `revision`) and writes `outputs` to S3, encrypted with `encryption_key` when the store has one, with the
        project's own service role.
        """


class CodeBuildAction(Action):
    """Starts a build and waits for its end."""

    shape = Shape(
        categories=frozenset({"Build", "Test"}),
        provider="CodeBuild",
        required=frozenset({"ProjectName"}),
        optional=frozenset({"EnvironmentVariables", "PrimarySource"}),
        refused={"BatchEnabled": OFF, "CombineArtifacts": OFF, "EnvironmentType": frozenset()},
        inputs=(1, 5),
        outputs=(0, 5),
    )

    def check(self, declaration: Document, stage: str) -> None:
        """Several inputs need a primary one; environment variables must be what CodeBuild takes."""
        configuration = declaration["configuration"]
        names = [artifact["name"] for artifact in declaration["inputArtifacts"]]
        primary = configuration.get("PrimarySource")
        if primary is None and len(names) > 1:
            raise AwsError(
                "InvalidActionDeclarationException",
                f"Action configuration for action '{declaration['name']}' is missing required configuration "
                "'PrimarySource': it is required when there is more than one input artifact",
            )
        if primary is not None and primary not in names:
            raise AwsError(
                "InvalidActionDeclarationException",
                f"PrimarySource '{primary}' of action '{declaration['name']}' is not one of its input artifacts: "
                f"{', '.join(names)}",
            )
        if not REFERENCE.search(configuration.get("EnvironmentVariables", "")):
            try:
                environment(configuration)
            except ActionFailed as problem:
                raise AwsError("InvalidActionDeclarationException", problem.message) from problem

    def run(self, job: Job) -> None:
        build = self._start(job)
        build_id, project = str(build["id"]), job.configuration["ProjectName"]
        job.progress(
            external_id=build_id,
            external_url=(
                f"https://console.aws.amazon.com/codebuild/home?region={job.cloud.region}#/builds/{quote(build_id)}"
                "/view/new"
            ),
        )
        while not build.get("buildComplete"):
            job.pause(LOOK_EVERY)
            build = self._look(job, build_id)
        if build["buildStatus"] != "SUCCEEDED":
            raise ActionFailed(ending(build))
        job.run.variables = {
            variable["name"]: variable["value"] for variable in build.get("exportedEnvironmentVariables", [])
        }
        job.run.summary = f"Build of {project} succeeded"

    @staticmethod
    def _start(job: Job) -> Document:
        primary = job.configuration.get("PrimarySource", "")
        inputs = sorted(job.run.inputs, key=lambda artifact: artifact.name != primary)
        declared = job.run.declaration["outputArtifacts"]
        job.run.outputs = [job.new_artifact(artifact["name"]) for artifact in declared]
        request: Document = {"projectName": job.configuration["ProjectName"]}
        variables = environment(job.configuration)
        if variables:
            request["environmentVariablesOverride"] = variables
        try:
            return cast(Builds, job.cloud.services["codebuild"]).start_build_for_pipeline(
                request,
                inputs={artifact.name: (artifact.bucket, artifact.key) for artifact in inputs},
                outputs={artifact.name: (artifact.bucket, artifact.key) for artifact in job.run.outputs},
                caller=job.credentials,
                pipeline=job.execution.pipeline_name,
                revision=inputs[0].revision,
                encryption_key=job.store.encryption_key,
            )
        except AwsError as problem:
            job.run.outputs = []
            raise refused("startBuild", problem) from problem

    @staticmethod
    def _look(job: Job, build_id: str) -> Document:
        try:
            builds = job.cloud.call(job.credentials, "codebuild", "BatchGetBuilds", {"ids": [build_id]})["builds"]
        except AwsError as problem:
            raise refused("batchGetBuilds", problem) from problem
        if not builds:
            raise ActionFailed(f"The build {build_id} does not exist any more")
        return dict(builds[0])


def refused(call: str, problem: AwsError) -> ActionFailed:
    """The failure of an action whose call CodeBuild refused, as AWS words it."""
    code = "PermissionError" if problem.code == "AccessDeniedException" else "JobFailed"
    return ActionFailed(
        f"Error calling {call}: {problem.message} (Service: AWSCodeBuild; Status Code: {problem.status}; "
        f"Error Code: {problem.code})",
        code,
    )


def environment(configuration: Mapping[str, str]) -> list[Document]:
    """The configuration's EnvironmentVariables as StartBuild takes them. Raises ActionFailed when they are not."""
    text = configuration.get("EnvironmentVariables")
    if text is None:
        return []
    try:
        variables = json.loads(text)
    except ValueError as problem:
        raise ActionFailed(f"EnvironmentVariables is not JSON: {problem}: {text}", "ConfigurationError") from problem
    if not isinstance(variables, list):
        raise ActionFailed(f"EnvironmentVariables is not a JSON array: {text}", "ConfigurationError")
    for variable in variables:
        if (
            not isinstance(variable, dict)
            or not {"name", "value"} <= set(variable) <= {"name", "value", "type"}
            or not all(isinstance(value, str) for value in variable.values())
        ):
            raise ActionFailed(
                "Each of EnvironmentVariables is an object with the strings name, value and, optionally, type; not "
                f"{json.dumps(variable)}",
                "ConfigurationError",
            )
        if variable.get("type", "PLAINTEXT") not in VARIABLE_TYPES:
            raise ActionFailed(
                f"The type of environment variable {variable['name']} is none of {', '.join(VARIABLE_TYPES)}: "
                f"{variable['type']}",
                "ConfigurationError",
            )
    return [{"type": "PLAINTEXT", **variable} for variable in variables]


def ending(build: Document) -> str:
    """Why a build did not succeed, as CodePipeline words it."""
    for phase in build.get("phases", []):
        if phase.get("phaseStatus") in ("FAILED", "FAULT", "TIMED_OUT", "CLIENT_ERROR", "STOPPED"):
            reasons = [context for context in phase.get("contexts", []) if context.get("statusCode")]
            reason: Document = reasons[0] if reasons else {}
            return (
                f"Build terminated with state: {build['buildStatus']}. Phase: {phase['phaseType']}, "
                f"Code: {reason.get('statusCode', '')}, Message: {reason.get('message', '')}"
            )
    return f"Build terminated with state: {build['buildStatus']}"
