"""The API of SageMaker Pipelines."""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker.jobs import Jobs
from rehearsal.cloud.sagemaker.pipeline_definition import Definition, parse
from rehearsal.cloud.sagemaker.pipeline_execution import Execution
from rehearsal.cloud.sagemaker.step_cache import StepCache
from rehearsal.cloud.sagemaker.tags import creating, passing, tag_map
from rehearsal.cloud.service import Call, Credentials, Document, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

LARGEST_PAGE = 100
IDENTIFIER = string.ascii_lowercase + string.digits


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


def _user(caller: Credentials) -> Document:
    return {"IamIdentity": {"Arn": caller.principal_arn}}


def _name_of(name_or_arn: str) -> str:
    return name_or_arn.split(":pipeline/")[-1]


class Pipelines(Jobs):
    """Pipelines run jobs, through the API like anybody, so this room stands on the jobs' room."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._pipelines: dict[str, Pipeline] = {}
        self._pipelines_lock = threading.RLock()

    # ---- names and authorisation

    def pipeline_arn(self, name: str) -> str:
        """SageMaker lower-cases the names of pipelines in their ARNs."""
        return self.arn(f"pipeline/{_name_of(name).lower()}")

    def _pipeline_call(self, action: str, name: str) -> list[Call]:
        arn = self.pipeline_arn(name)
        return [Call(f"sagemaker:{action}", arn, self.resource_tags(arn))]

    def _pipeline(self, name: str) -> Pipeline:
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
                _user(caller),
                _user(caller),
                request["ClientRequestToken"],
            )
            self._pipelines[name.lower()] = pipeline
            self.tags[pipeline.arn] = tag_map(request.get("Tags"))
        return {"PipelineArn": pipeline.arn}

    @operation(
        "UpdatePipeline",
        needs=lambda self, request: [
            *self._pipeline_call("UpdatePipeline", request["PipelineName"]),
            *([passing(request["RoleArn"])] if "RoleArn" in request else []),
        ],
    )
    def update_pipeline(self, request: Document, caller: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdatePipeline.html"""
        pipeline = self._pipeline(request["PipelineName"])
        text = self._definition_text(request, caller)
        definition = parse(text) if text is not None else None
        with self._pipelines_lock:
            if text is not None and definition is not None:
                pipeline.definition_text, pipeline.definition = text, definition
            pipeline.display_name = request.get("PipelineDisplayName", pipeline.display_name)
            pipeline.description = request.get("PipelineDescription", pipeline.description)
            pipeline.role_arn = request.get("RoleArn", pipeline.role_arn)
            pipeline.parallelism = request.get("ParallelismConfiguration", pipeline.parallelism)
            pipeline.modified, pipeline.modified_by = self.cloud.clock.now(), _user(caller)
        return {"PipelineArn": pipeline.arn}

    @operation(
        "DescribePipeline", needs=lambda self, request: self._pipeline_call("DescribePipeline", request["PipelineName"])
    )
    def describe_pipeline(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribePipeline.html"""
        if "PipelineVersionId" in request or "PipelineVersionAlias" in request:
            raise NotImplementedHere("A version of a pipeline (PipelineVersionId, PipelineVersionAlias)")
        pipeline = self._pipeline(request["PipelineName"])
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
        "DeletePipeline", needs=lambda self, request: self._pipeline_call("DeletePipeline", request["PipelineName"])
    )
    def delete_pipeline(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeletePipeline.html"""
        with self._pipelines_lock:
            pipeline = self._pipeline(request["PipelineName"])
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
        pipelines = _created_between(pipelines, request)
        descending = request.get("SortOrder", "Descending") == "Descending"
        by_name = request.get("SortBy") == "Name"
        pipelines.sort(key=lambda item: item.name if by_name else item.created.isoformat(), reverse=descending)
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

    # ---- executions

    @operation(
        "StartPipelineExecution",
        needs=lambda self, request: self._pipeline_call("StartPipelineExecution", request["PipelineName"]),
    )
    def start_pipeline_execution(self, request: Document, caller: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StartPipelineExecution.html"""
        for member in (
            "SelectiveExecutionConfig",
            "PipelineVersionId",
            "PipelineVersionAlias",
            "MlflowExperimentName",
            "RoleArn",
        ):
            if member in request:
                raise NotImplementedHere(f"The member {member} of StartPipelineExecution")
        with self._pipelines_lock:
            pipeline = self._pipeline(request["PipelineName"])
            token = request["ClientRequestToken"]
            if token in pipeline.start_tokens:
                return {"PipelineExecutionArn": pipeline.start_tokens[token]}
            parameters = pipeline.definition.values(request.get("PipelineParameters", []))
            parallelism = request.get("ParallelismConfiguration") or pipeline.parallelism or {}
            now = self.cloud.clock.now()
            execution = Execution(
                self,
                pipeline_name=pipeline.name,
                pipeline_arn=pipeline.arn,
                pipeline_tags=self.tags.get(pipeline.arn, {}),
                role_arn=pipeline.role_arn,
                identifier="".join(secrets.choice(IDENTIFIER) for _ in range(12)),
                definition=pipeline.definition,
                definition_text=pipeline.definition_text,
                parameters=parameters,
                cache=pipeline.cache,
                request={"PipelineExecutionDisplayName": f"execution-{int(now.timestamp() * 1000)}", **request},
                most_parallel=parallelism.get("MaxParallelExecutionSteps"),
                started_by=caller,
            )
            pipeline.executions.append(execution)
            pipeline.start_tokens[token] = execution.arn
            pipeline.last_run = now
        self.cloud.background(f"pipeline execution {execution.arn}", execution.run)
        return {"PipelineExecutionArn": execution.arn}

    @operation(
        "DescribePipelineExecution",
        needs=lambda _, request: [Call("sagemaker:DescribePipelineExecution", request["PipelineExecutionArn"])],
    )
    def describe_pipeline_execution(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribePipelineExecution.html"""
        execution = self._execution(request["PipelineExecutionArn"])
        parallel = execution.most_parallel
        answer = {
            "PipelineArn": execution.pipeline_arn,
            "PipelineExecutionArn": execution.arn,
            "PipelineExecutionDisplayName": execution.display_name,
            "PipelineExecutionStatus": execution.status,
            "PipelineExecutionDescription": execution.description,
            "PipelineExperimentConfig": self._experiment(execution),
            "FailureReason": execution.failure_reason,
            "CreationTime": execution.created,
            "LastModifiedTime": execution.modified,
            "CreatedBy": _user(execution.started_by),
            "LastModifiedBy": _user(execution.started_by),
            "ParallelismConfiguration": {"MaxParallelExecutionSteps": parallel} if parallel else None,
        }
        return {member: value for member, value in answer.items() if value is not None}

    @staticmethod
    def _experiment(execution: Execution) -> Document | None:
        """Experiments are recorded, not made. SageMaker lower-cases their names."""
        config = execution.definition.experiment
        if not config:
            return None
        variables = execution.variables()
        names: dict[str, Any] = {}
        for member in ("ExperimentName", "TrialName"):
            value = config.get(member)
            if isinstance(value, dict):
                value = variables.get(str(value.get("Get", "")).removeprefix("Execution."))
            if value:
                names[member] = str(value).lower()
        return names or None

    @operation(
        "ListPipelineExecutions",
        needs=lambda self, request: self._pipeline_call("ListPipelineExecutions", request["PipelineName"]),
    )
    def list_pipeline_executions(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListPipelineExecutions.html"""
        if "PipelineVersionAlias" in request:
            raise NotImplementedHere("A version of a pipeline (PipelineVersionAlias)")
        with self._pipelines_lock:
            executions = list(self._pipeline(request["PipelineName"]).executions)
        executions = _created_between(executions, request)
        descending = request.get("SortOrder", "Descending") == "Descending"
        by_arn = request.get("SortBy") == "PipelineExecutionArn"
        executions.sort(key=lambda item: item.arn if by_arn else item.created.isoformat(), reverse=descending)
        summaries = []
        for item in executions:
            summary = {
                "PipelineExecutionArn": item.arn,
                "StartTime": item.created,
                "PipelineExecutionStatus": item.status,
                "PipelineExecutionDescription": item.description,
                "PipelineExecutionDisplayName": item.display_name,
                "PipelineExecutionFailureReason": item.failure_reason,
            }
            summaries.append({member: value for member, value in summary.items() if value is not None})
        return paged(summaries, request, "PipelineExecutionSummaries")

    @operation(
        "ListPipelineExecutionSteps",
        needs=lambda _, request: [
            Call("sagemaker:ListPipelineExecutionSteps", request.get("PipelineExecutionArn", "*"))
        ],
    )
    def list_pipeline_execution_steps(self, request: Document, _: Credentials) -> Document:
        """Newest first unless asked otherwise.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListPipelineExecutionSteps.html
        """
        steps = self._execution(request.get("PipelineExecutionArn", "")).describe_steps()
        if request.get("SortOrder", "Descending") == "Descending":
            steps.reverse()
        return paged(steps, request, "PipelineExecutionSteps")

    @operation(
        "DescribePipelineDefinitionForExecution",
        needs=lambda _, request: [
            Call("sagemaker:DescribePipelineDefinitionForExecution", request["PipelineExecutionArn"])
        ],
    )
    def describe_pipeline_definition_for_execution(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribePipelineDefinitionForExecution.html"""
        execution = self._execution(request["PipelineExecutionArn"])
        return {"PipelineDefinition": execution.definition_text, "CreationTime": execution.created}

    @operation(
        "ListPipelineParametersForExecution",
        needs=lambda _, request: [
            Call("sagemaker:ListPipelineParametersForExecution", request["PipelineExecutionArn"])
        ],
    )
    def list_pipeline_parameters_for_execution(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListPipelineParametersForExecution.html"""
        execution = self._execution(request["PipelineExecutionArn"])
        return paged(execution.given_parameters, request, "PipelineParameters")

    @operation(
        "StopPipelineExecution",
        needs=lambda _, request: [Call("sagemaker:StopPipelineExecution", request["PipelineExecutionArn"])],
    )
    def stop_pipeline_execution(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopPipelineExecution.html"""
        execution = self._execution(request["PipelineExecutionArn"])
        execution.stop()
        return {"PipelineExecutionArn": execution.arn}

    @operation(
        "UpdatePipelineExecution",
        needs=lambda _, request: [Call("sagemaker:UpdatePipelineExecution", request["PipelineExecutionArn"])],
    )
    def update_pipeline_execution(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdatePipelineExecution.html"""
        execution = self._execution(request["PipelineExecutionArn"])
        if "ParallelismConfiguration" in request:
            raise NotImplementedHere("The member ParallelismConfiguration of UpdatePipelineExecution")
        execution.display_name = request.get("PipelineExecutionDisplayName", execution.display_name)
        execution.description = request.get("PipelineExecutionDescription", execution.description)
        execution.modified = self.cloud.clock.now()
        return {"PipelineExecutionArn": execution.arn}


def paged(items: list[Any], request: Document, member: str) -> Document:
    """One page of a sorted list. Tokens are offsets, opaque to the caller."""
    token = request.get("NextToken") or "0"
    if not token.isdigit():
        raise AwsError("ValidationException", "Invalid pagination token.")
    start, size = int(token), request.get("MaxResults", LARGEST_PAGE)
    more = {"NextToken": str(start + size)} if start + size < len(items) else {}
    return {member: items[start : start + size], **more}


def _created_between(items: list[Any], request: Document) -> list[Any]:
    after, before = request.get("CreatedAfter"), request.get("CreatedBefore")
    if after is not None:
        items = [item for item in items if item.created.timestamp() > after]
    if before is not None:
        items = [item for item in items if item.created.timestamp() < before]
    return list(items)
