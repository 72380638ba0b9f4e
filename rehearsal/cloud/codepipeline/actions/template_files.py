"""The files and overrides that parametrise a stack in a CloudFormation action.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-parameter-override-functions.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.codepipeline.actions.base import ActionFailed, Job
from rehearsal.cloud.codepipeline.artifacts import StoreProblem


@dataclass(frozen=True)
class TemplateConfiguration:
    """A template configuration file, read."""

    parameters: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    stack_policy: dict[str, Any] | None = None


def read_file(job: Job, path: str) -> str:
    """The text of `Artifact::File`. Raises ActionFailed naming file and artifact."""
    artifact, _, file = path.partition("::")
    try:
        return job.store.read(job.input(artifact), file)
    except StoreProblem as problem:
        raise ActionFailed(problem.message, problem.code) from problem


def template_configuration(job: Job, path: str) -> TemplateConfiguration:
    """Parameters, tags and stack policy of a template configuration file; none when no file is named."""
    if not path:
        return TemplateConfiguration()
    document = _object(read_file(job, path), f"Template configuration file {path}")
    unknown = set(document) - {"Parameters", "Tags", "StackPolicy"}
    if unknown:
        raise ActionFailed(
            f"Template configuration file {path} has unknown members: {', '.join(sorted(unknown))} (it may have "
            "Parameters, Tags and StackPolicy)",
            "ConfigurationError",
        )
    return TemplateConfiguration(
        _strings(document.get("Parameters", {}), f"Parameters of {path}"),
        _strings(document.get("Tags", {}), f"Tags of {path}"),
        document.get("StackPolicy"),
    )


def parameter_overrides(text: str, job: Job | None = None) -> dict[str, str]:
    """The ParameterOverrides of an action; without a job only their form is looked at.

    Values are strings, `{"Fn::GetParam": [artifact, file, key]}` or `{"Fn::GetArtifactAtt": [artifact, attribute]}`.
    """
    found: dict[str, str] = {}
    for key, value in _object(text or "{}", "ParameterOverrides").items():
        if isinstance(value, dict):
            found[key] = _function(key, value, job)
        else:
            found.update(_strings({key: value}, "ParameterOverrides"))
    return found


def _function(key: str, call: dict[str, Any], job: Job | None) -> str:
    name, arguments = next(iter(call.items()), ("", None))
    lengths = {"Fn::GetParam": 3, "Fn::GetArtifactAtt": 2}
    if len(call) != 1 or name not in lengths or not isinstance(arguments, list) or len(arguments) != lengths[name]:
        raise ActionFailed(
            f"ParameterOverrides: {key} is neither a string nor Fn::GetParam [artifact, file, key] nor "
            f"Fn::GetArtifactAtt [artifact, attribute]: {json.dumps(call)}",
            "ConfigurationError",
        )
    if job is None:
        return ""
    if name == "Fn::GetParam":
        artifact, file, member = arguments
        document = _object(read_file(job, f"{artifact}::{file}"), f"{artifact}::{file}")
        if member not in document:
            raise ActionFailed(f"{artifact}::{file} has no key {member}, wanted by {key}", "ConfigurationError")
        return _strings({key: document[member]}, f"{artifact}::{file}")[key]
    location = job.input(arguments[0])
    attributes = {
        "BucketName": location.bucket,
        "ObjectKey": location.key,
        "URL": f"https://{location.bucket}.s3.{job.cloud.region}.amazonaws.com/{location.key}",
    }
    if arguments[1] not in attributes:
        raise ActionFailed(
            f"Fn::GetArtifactAtt knows {', '.join(attributes)}, not {arguments[1]} (parameter {key})",
            "ConfigurationError",
        )
    return attributes[arguments[1]]


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as problem:
        raise ActionFailed(f"{what} is not valid JSON: {problem}", "ConfigurationError") from problem
    if not isinstance(document, dict):
        raise ActionFailed(f"{what} is not a JSON object", "ConfigurationError")
    return document


def _strings(document: object, what: str) -> dict[str, str]:
    if not isinstance(document, dict):
        raise ActionFailed(f"{what} is not a JSON object", "ConfigurationError")
    for key, value in document.items():
        if not isinstance(value, str):
            raise ActionFailed(f"{what}: the value of {key} is not a string: {json.dumps(value)}", "ConfigurationError")
    return dict(document)
