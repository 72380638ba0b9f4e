"""The API of pipelines themselves: create, update, describe, list, delete."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.idempotency import once
from rehearsal.cloud.pages import cut
from rehearsal.cloud.sagemaker.jobs import Jobs
from rehearsal.cloud.sagemaker.pipeline_definition import Definition, parse
from rehearsal.cloud.sagemaker.pipeline_execution import Execution
from rehearsal.cloud.sagemaker.step_cache import StepCache
from rehearsal.cloud.sagemaker.tags import creating, passing, tag_map
from rehearsal.cloud.service import Call, Credentials, Document, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

LARGEST_PAGE = 100


@dataclass
class Pipeline:
    """A pipeline and its executions, newest last."""

    name: str
    arn: str
    display_name: str | None
    description: str | None
    definition_text: str
    definition: Definition
    role_arn: str
    parallelism: Document | None
    created: datetime
    modified: datetime
    created_by: Document
    modified_by: Document
    token: str
    last_run: datetime | None = None
    cache: StepCache = field(default_factory=StepCache)
    executions: list[Execution] = field(default_factory=list)
    start_tokens: dict[str, str] = field(default_factory=dict)


def user_context(caller: Credentials) -> Document:
    return {"IamIdentity": {"Arn": caller.principal_arn}}


def _name_of(name_or_arn: str) -> str:
    return name_or_arn.split(":pipeline/")[-1]


class PipelineRecords(Jobs):
    """Pipelines run jobs, through the API like anybody, so this room stands on the jobs' room."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._pipelines: dict[str, Pipeline] = {}
        self._pipelines_lock = threading.RLock()

    # ---- names and authorisation

    def pipeline_arn(self, name: str) -> str:
        """SageMaker lower-cases the names of pipelines in their ARNs."""
        return self.arn(f"pipeline/{_name_of(name).lower()}")

    def pipeline_call(self, action: str, name: str) -> list[Call]:
        arn = self.pipeline_arn(name)
        return [Call(f"sagemaker:{action}", arn, self.resource_tags(arn))]

    def pipeline(self, name: str) -> Pipeline:
        with self._pipelines_lock:
            pipeline = self._pipelines.get(_name_of(name).lower())
        if pipeline is None:
            raise AwsError("ResourceNotFound", f"Pipeline '{self.pipeline_arn(name)}' does not exist.")
        return pipeline

    def _execution(self, arn: str) -> Execution:
        with self._pipelines_lock:
            for pipeline in self._pipelines.values():
                for execution in pipeline.executions:
                    if execution.arn == arn:
                        return execution
        raise AwsError("ResourceNotFound", f"Pipeline execution with ARN {arn} does not exist.")

    def _definition_text(self, request: Document, caller: Credentials) -> str | None:
        location = request.get("PipelineDefinitionS3Location")
        if location and "PipelineDefinition" in request:
            raise AwsError(
                "ValidationException", "Only one of PipelineDefinition and PipelineDefinitionS3Location can be given."
            )
        if not location:
            text: str | None = request.get("PipelineDefinition")
            return text
        version = {"VersionId": location["VersionId"]} if "VersionId" in location else {}
        try:
            answer = self.cloud.client("s3", caller).get_object(
                Bucket=location["Bucket"], Key=location["ObjectKey"], **version
            )
        except ClientError as problem:
            raise AwsError("ValidationException", f"The pipeline definition cannot be read: {problem}") from problem
        read: str = answer["Body"].read().decode()
        return read

    # ---- pipelines

    @operation(
        "CreatePipeline",
        needs=lambda self, request: [
            *creating("CreatePipeline", self.pipeline_arn(request["PipelineName"]), request),
            passing(request["RoleArn"]),
        ],
    )
    def create_pipeline(self, request: Document, caller: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePipeline.html"""
        text = self._definition_text(request, caller)
        if text is None:
            raise AwsError("ValidationException", "PipelineDefinition or PipelineDefinitionS3Location must be given.")
        definition = parse(text)
        name, now = request["PipelineName"], self.cloud.clock.now()
        with self._pipelines_lock:
            known = self._pipelines.get(name.lower())
            if known and known.token == request["ClientRequestToken"]:
                return {"PipelineArn": known.arn}
            if known:
                raise AwsError(
                    "ValidationException",
                    "Pipeline names must be unique within an AWS account and region. "
                    f"Pipeline with name ({name}) already exists.",
                )
            pipeline = Pipeline(
                name,
                self.pipeline_arn(name),
                request.get("PipelineDisplayName"),
                request.get("PipelineDescription"),
                text,
                definition,
                request["RoleArn"],
                request.get("ParallelismConfiguration"),
                now,
                now,
                user_context(caller),
                user_context(caller),
                request["ClientRequestToken"],
            )
            self._pipelines[name.lower()] = pipeline
            self.tags[pipeline.arn] = tag_map(request.get("Tags"))
        return {"PipelineArn": pipeline.arn}

    @operation(
        "UpdatePipeline",
        needs=lambda self, request: [
            *self.pipeline_call("UpdatePipeline", request["PipelineName"]),
            *([passing(request["RoleArn"])] if "RoleArn" in request else []),
        ],
    )
    def update_pipeline(self, request: Document, caller: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdatePipeline.html"""
        pipeline = self.pipeline(request["PipelineName"])
        text = self._definition_text(request, caller)
        definition = parse(text) if text is not None else None
        with self._pipelines_lock:
            if text is not None and definition is not None:
                pipeline.definition_text, pipeline.definition = text, definition
            pipeline.display_name = request.get("PipelineDisplayName", pipeline.display_name)
            pipeline.description = request.get("PipelineDescription", pipeline.description)
            pipeline.role_arn = request.get("RoleArn", pipeline.role_arn)
            pipeline.parallelism = request.get("ParallelismConfiguration", pipeline.parallelism)
            pipeline.modified, pipeline.modified_by = self.cloud.clock.now(), user_context(caller)
        return {"PipelineArn": pipeline.arn}

    @operation(
        "DescribePipeline", needs=lambda self, request: self.pipeline_call("DescribePipeline", request["PipelineName"])
    )
    def describe_pipeline(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribePipeline.html"""
        if "PipelineVersionId" in request or "PipelineVersionAlias" in request:
            raise NotImplementedHere("A version of a pipeline (PipelineVersionId, PipelineVersionAlias)")
        pipeline = self.pipeline(request["PipelineName"])
        answer = {
            "PipelineArn": pipeline.arn,
            "PipelineName": pipeline.name,
            "PipelineDisplayName": pipeline.display_name or pipeline.name,
            "PipelineDefinition": pipeline.definition_text,
            "PipelineDescription": pipeline.description,
            "RoleArn": pipeline.role_arn,
            "PipelineStatus": "Active",
            "CreationTime": pipeline.created,
            "LastModifiedTime": pipeline.modified,
            "LastRunTime": pipeline.last_run,
            "CreatedBy": pipeline.created_by,
            "LastModifiedBy": pipeline.modified_by,
            "ParallelismConfiguration": pipeline.parallelism,
        }
        return {member: value for member, value in answer.items() if value is not None}

    @operation(
        "DeletePipeline", needs=lambda self, request: self.pipeline_call("DeletePipeline", request["PipelineName"])
    )
    @once("ClientRequestToken", "ConflictException")
    def delete_pipeline(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeletePipeline.html"""
        with self._pipelines_lock:
            pipeline = self.pipeline(request["PipelineName"])
            if any(not execution.finished.is_set() for execution in pipeline.executions):
                raise AwsError(
                    "ConflictException",
                    f"Pipeline {pipeline.arn} cannot be deleted while executions are running. Stop them first.",
                )
            del self._pipelines[pipeline.name.lower()]
            self.tags.pop(pipeline.arn, None)
        return {"PipelineArn": pipeline.arn}

    @operation("ListPipelines", needs=lambda *_: [Call("sagemaker:ListPipelines")])
    def list_pipelines(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListPipelines.html"""
        prefix = request.get("PipelineNamePrefix", "")
        with self._pipelines_lock:
            pipelines = [item for item in self._pipelines.values() if item.name.startswith(prefix)]
        pipelines = wanted(pipelines, request, "Name", lambda item: item.name)
        summaries = []
        for item in pipelines:
            summary = {
                "PipelineArn": item.arn,
                "PipelineName": item.name,
                "PipelineDisplayName": item.display_name or item.name,
                "PipelineDescription": item.description,
                "RoleArn": item.role_arn,
                "CreationTime": item.created,
                "LastModifiedTime": item.modified,
                "LastExecutionTime": item.last_run,
            }
            summaries.append({member: value for member, value in summary.items() if value is not None})
        return paged(summaries, request, "PipelineSummaries")


def paged(items: list[Any], request: Document, member: str) -> Document:
    """One page of a sorted list."""
    found, token = cut(items, request.get("NextToken"), int(request.get("MaxResults", LARGEST_PAGE)))
    return {member: found, **({"NextToken": token} if token else {})}


def wanted(items: list[Any], request: Document, other_order: str, key: Callable[[Any], str]) -> list[Any]:
    """The items created between the times a list request names, in its order: by creation, or by `key` when `SortBy`
    says `other_order`; newest or last first unless it asks otherwise."""
    after, before = request.get("CreatedAfter"), request.get("CreatedBefore")
    if after is not None:
        items = [item for item in items if item.created.timestamp() > after]
    if before is not None:
        items = [item for item in items if item.created.timestamp() < before]
    by_key = request.get("SortBy") == other_order
    descending = request.get("SortOrder", "Descending") == "Descending"
    return sorted(items, key=lambda item: key(item) if by_key else item.created.isoformat(), reverse=descending)
