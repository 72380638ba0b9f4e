"""`AWS::CodePipeline::Pipeline`.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codepipeline-pipeline.html
"""

from __future__ import annotations

from typing import Any

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.resources.provider import Resource, ResourceProvider, ResourceRequest
from rehearsal.cloud.service import Document

PIPELINE = (
    "RoleArn",
    "ArtifactStore",
    "ArtifactStores",
    "Stages",
    "ExecutionMode",
    "PipelineType",
    "Variables",
    "Triggers",
)
BESIDE = ("Name", "Tags", "DisableInboundStageTransitions", "RestartExecutionOnUpdate")
NUMBERS = frozenset({"RunOrder", "TimeoutInMinutes"})
MAPS = frozenset({"Configuration"})
"""Members whose keys are data: they keep their spelling."""


def camel_case(value: Any, where: str = "") -> Any:  # noqa: ANN401 - any JSON value
    """A property as the API spells it: member names begin small, scalars are strings except the numbers."""
    if isinstance(value, list):
        return [camel_case(item, where) for item in value]
    if not isinstance(value, dict):
        return text(value, where)
    members: dict[str, Any] = {}
    for name, member in value.items():
        key = name[:1].lower() + name[1:]
        if name in MAPS:
            members[key] = {option: text(setting, f"{name}.{option}") for option, setting in member.items()}
        elif name in NUMBERS:
            members[key] = int(member)
        else:
            members[key] = camel_case(member, name)
    return members


def text(value: Any, where: str) -> str:  # noqa: ANN401 - any JSON value
    """A scalar as a string, as CloudFormation makes it for properties of simple type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise AwsError(
        "ValidationError",
        f"Value of property {where} must be an object with String (or simple type) properties, not {value!r}",
    )


def truth(value: Any) -> bool:  # noqa: ANN401 - a template's boolean, perhaps as text
    return str(value).lower() == "true"


class PipelineResource(ResourceProvider):
    """Ref is the name; `Version` the number of its declaration."""

    type_name = "AWS::CodePipeline::Pipeline"

    def _declaration(self, request: ResourceRequest, name: str) -> Document:
        unknown = sorted(set(request.properties) - {*PIPELINE, *BESIDE})
        if unknown:
            raise AwsError("ValidationError", f"Encountered unsupported property {', '.join(unknown)}")
        given = {key: value for key, value in request.properties.items() if key in PIPELINE}
        return {"name": name, **camel_case(given)}

    def create(self, request: ResourceRequest) -> Resource:
        name = request.properties.get("Name") or request.generated_name(100)
        arguments: Document = {"pipeline": self._declaration(request, name)}
        tags = self._tags(request.properties)
        if tags:
            arguments["tags"] = [{"key": key, "value": value} for key, value in tags.items()]
        answer = self.call(request, "codepipeline", "CreatePipeline", arguments)
        self._transitions(request, name)
        return self._resource(answer)

    def update(self, request: ResourceRequest) -> Resource:
        name = request.physical_id
        answer = self.call(request, "codepipeline", "UpdatePipeline", {"pipeline": self._declaration(request, name)})
        self._update_tags(request)
        self._transitions(request, name)
        if truth(request.properties.get("RestartExecutionOnUpdate", False)):
            self.call(request, "codepipeline", "StartPipelineExecution", {"name": name})
        return self._resource(answer)

    def delete(self, request: ResourceRequest) -> None:
        self.call(request, "codepipeline", "DeletePipeline", {"name": request.physical_id})

    @staticmethod
    def _resource(answer: Document) -> Resource:
        pipeline = answer["pipeline"]
        return Resource(pipeline["name"], {"Version": str(pipeline["version"])})

    @staticmethod
    def _tags(properties: dict[str, Any]) -> dict[str, str]:
        return {tag["Key"]: text(tag["Value"], "Tags") for tag in properties.get("Tags", [])}

    def _update_tags(self, request: ResourceRequest) -> None:
        before, after = self._tags(request.previous_properties), self._tags(request.properties)
        arn = f"arn:aws:codepipeline:{self.cloud.region}:{self.cloud.account}:{request.physical_id}"
        gone = sorted(set(before) - set(after))
        changed = {key: value for key, value in after.items() if before.get(key) != value}
        if gone:
            self.call(request, "codepipeline", "UntagResource", {"resourceArn": arn, "tagKeys": gone})
        if changed:
            tags = [{"key": key, "value": value} for key, value in changed.items()]
            self.call(request, "codepipeline", "TagResource", {"resourceArn": arn, "tags": tags})

    def _transitions(self, request: ResourceRequest, name: str) -> None:
        """Close the stages the template closes, open those it closed before."""
        before = {each["StageName"] for each in request.previous_properties.get("DisableInboundStageTransitions", [])}
        wanted = {
            each["StageName"]: each["Reason"] for each in request.properties.get("DisableInboundStageTransitions", [])
        }
        for stage, reason in wanted.items():
            place = {"pipelineName": name, "stageName": stage, "transitionType": "Inbound"}
            self.call(request, "codepipeline", "DisableStageTransition", {**place, "reason": reason})
        for stage in sorted(before - set(wanted)):
            place = {"pipelineName": name, "stageName": stage, "transitionType": "Inbound"}
            self.call(request, "codepipeline", "EnableStageTransition", place)


CODEPIPELINE_TYPES: tuple[type[ResourceProvider], ...] = (PipelineResource,)
