"""The API of pipeline executions."""

from __future__ import annotations

import secrets
import string
from typing import Any

from rehearsal.cloud.errors import NotImplementedHere
from rehearsal.cloud.idempotency import once
from rehearsal.cloud.sagemaker.pipeline_execution import Execution
from rehearsal.cloud.sagemaker.pipeline_records import PipelineRecords, paged, user_context, wanted
from rehearsal.cloud.service import Call, Credentials, Document, operation

IDENTIFIER = string.ascii_lowercase + string.digits


class Pipelines(PipelineRecords):
    """Start, stop, retry, describe and list executions."""

    @operation(
        "StartPipelineExecution",
        needs=lambda self, request: self.pipeline_call("StartPipelineExecution", request["PipelineName"]),
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
            pipeline = self.pipeline(request["PipelineName"])
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
            "CreatedBy": user_context(execution.started_by),
            "LastModifiedBy": user_context(execution.started_by),
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
        needs=lambda self, request: self.pipeline_call("ListPipelineExecutions", request["PipelineName"]),
    )
    def list_pipeline_executions(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListPipelineExecutions.html"""
        if "PipelineVersionAlias" in request:
            raise NotImplementedHere("A version of a pipeline (PipelineVersionAlias)")
        with self._pipelines_lock:
            executions = list(self.pipeline(request["PipelineName"]).executions)
        executions = wanted(executions, request, "PipelineExecutionArn", lambda item: item.arn)
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
    @once("ClientRequestToken", "ConflictException")
    def stop_pipeline_execution(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopPipelineExecution.html"""
        execution = self._execution(request["PipelineExecutionArn"])
        execution.stop()
        return {"PipelineExecutionArn": execution.arn}

    @operation(
        "RetryPipelineExecution",
        needs=lambda _, request: [Call("sagemaker:RetryPipelineExecution", request["PipelineExecutionArn"])],
    )
    @once("ClientRequestToken", "ConflictException")
    def retry_pipeline_execution(self, request: Document, _: Credentials) -> Document:
        """With the definition and the parameters it was started with.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_RetryPipelineExecution.html
        """
        execution = self._execution(request["PipelineExecutionArn"])
        execution.retry(request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps"))
        return {"PipelineExecutionArn": execution.arn}

    @operation(
        "UpdatePipelineExecution",
        needs=lambda _, request: [Call("sagemaker:UpdatePipelineExecution", request["PipelineExecutionArn"])],
    )
    def update_pipeline_execution(self, request: Document, _: Credentials) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdatePipelineExecution.html"""
        execution = self._execution(request["PipelineExecutionArn"])
        if "ParallelismConfiguration" in request:
            execution.limit(request["ParallelismConfiguration"]["MaxParallelExecutionSteps"])
        execution.display_name = request.get("PipelineExecutionDisplayName", execution.display_name)
        execution.description = request.get("PipelineExecutionDescription", execution.description)
        execution.modified = self.cloud.clock.now()
        return {"PipelineExecutionArn": execution.arn}
