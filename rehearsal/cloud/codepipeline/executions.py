"""Executions: started, stopped, shown."""

from __future__ import annotations

from rehearsal.cloud.codepipeline import views
from rehearsal.cloud.codepipeline.records import FINISHED, Execution, Pipeline
from rehearsal.cloud.codepipeline.room import Room
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Credentials, Document, operation

MOST_QUEUED = 50
"""https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html"""
REVISION_TYPES = {"CodeCommit": "COMMIT_ID"}


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


class Executions(Room):
    """The operations on pipeline executions."""

    @operation(
        "StartPipelineExecution",
        needs=lambda room, request: room.pipeline_calls("StartPipelineExecution", request["name"]),
    )
    def start_pipeline_execution(self, request: Document, caller: Credentials) -> Document:
        return {"pipelineExecutionId": self.begin(request, "StartPipelineExecution", caller.principal_arn)}

    def begin(self, request: Document, trigger_type: str, trigger_detail: str) -> str:
        """Start an execution as asked for, whoever asks; answers its id. The same request token starts only once."""
        with self.changed:
            pipeline = self.find(request["name"])
            token = request.get("clientRequestToken")
            if token in pipeline.request_tokens:
                return pipeline.request_tokens[token]
            variables = self._variables(pipeline, request.get("variables", []))
            revisions = self._revisions(pipeline, request.get("sourceRevisions", []))
            execution = self.start(pipeline, trigger_type, trigger_detail, variables, revisions)
            if token:
                pipeline.request_tokens[token] = execution.execution_id
            return execution.execution_id

    def start(
        self,
        pipeline: Pipeline,
        trigger_type: str,
        trigger_detail: str,
        variables: dict[str, str] | None = None,
        revisions: list[Document] | None = None,
    ) -> Execution:
        """Start an execution with checked variables, the declared defaults when there are none. Hold the lock."""
        running = [execution for execution in pipeline.executions if execution.status not in FINISHED]
        if pipeline.mode == "QUEUED" and len(running) >= MOST_QUEUED:
            raise AwsError(
                "ConcurrentPipelineExecutionsLimitExceededException",
                f"The pipeline {pipeline.name} has reached the limit for concurrent pipeline executions: {MOST_QUEUED}",
            )
        execution = Execution(
            number=len(pipeline.executions) + 1,
            pipeline_name=pipeline.name,
            declaration=pipeline.declaration,
            trigger_type=trigger_type,
            trigger_detail=trigger_detail,
            variables=self._defaults(pipeline) if variables is None else variables,
            source_revisions=revisions or [],
        )
        self.engine.launch(pipeline, execution)
        return execution

    @staticmethod
    def _defaults(pipeline: Pipeline) -> dict[str, str]:
        declared = pipeline.declaration.get("variables", [])
        return {each["name"]: each["defaultValue"] for each in declared if "defaultValue" in each}

    def _variables(self, pipeline: Pipeline, given: list[Document]) -> dict[str, str]:
        """https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-variables.html"""
        declared = [each["name"] for each in pipeline.declaration.get("variables", [])]
        names = [each["name"] for each in given]
        unknown = sorted(set(names) - set(declared))
        if unknown:
            raise invalid(f"The following variables are not declared in pipeline {pipeline.name}: {', '.join(unknown)}")
        if len(names) != len(set(names)):
            raise invalid(f"A variable is given more than once: {', '.join(names)}")
        values = {**self._defaults(pipeline), **{each["name"]: each["value"] for each in given}}
        missing = [name for name in declared if name not in values]
        if missing:
            raise invalid(
                f"The following variables of pipeline {pipeline.name} have no default value and must be given: "
                f"{', '.join(missing)}"
            )
        return values

    @staticmethod
    def _revisions(pipeline: Pipeline, given: list[Document]) -> list[Document]:
        sources = {action["name"]: action for action in pipeline.declaration["stages"][0]["actions"]}
        for override in given:
            action = sources.get(override["actionName"])
            if action is None:
                raise invalid(
                    f"The pipeline {pipeline.name} does not have a source action with name {override['actionName']}"
                )
            provider = action["actionTypeId"]["provider"]
            if override["revisionType"] != REVISION_TYPES[provider]:
                raise invalid(
                    f"The revision type {override['revisionType']} cannot be used with source action "
                    f"{override['actionName']} of provider {provider}, which takes {REVISION_TYPES[provider]}"
                )
        return given

    @operation(
        "StopPipelineExecution",
        needs=lambda room, request: room.pipeline_calls("StopPipelineExecution", request["pipelineName"]),
    )
    def stop_pipeline_execution(self, request: Document, caller: Credentials) -> Document:
        """https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StopPipelineExecution.html"""
        abandon, reason = bool(request.get("abandon", False)), request.get("reason")
        with self.changed:
            pipeline = self.find(request["pipelineName"])
            execution = self.find_execution(pipeline, request["pipelineExecutionId"])
            if execution.status in FINISHED:
                raise AwsError(
                    "PipelineExecutionNotStoppableException",
                    "Unable to stop the pipeline execution. The execution might already be in a Stopped state, or it "
                    f"might no longer be in progress: {execution.execution_id} is {execution.status}",
                )
            again = execution.status == "Stopping"
            abandoned = any(run.abandoned.is_set() for run in execution.action_runs if run.status == "InProgress")
            if again and (abandoned or not abandon):
                raise AwsError(
                    "DuplicatedStopRequestException",
                    "The pipeline execution is already in a Stopping state. If you already chose to stop and wait, "
                    "you cannot make that request again. You can choose to stop and abandon now, but be aware that "
                    "this option can lead to failed tasks or out of sequence tasks. If you already chose to stop and "
                    "abandon, you cannot make that request again.",
                )
            execution.stop_reason = reason
            stages = [name for name, slot in pipeline.slots.items() if slot.occupant is execution]
            self.engine.stop(pipeline, execution, abandon)
        if not again:
            self.engine.tell_stopping(execution, stages, reason)
        return {"pipelineExecutionId": execution.execution_id}

    @operation(
        "GetPipelineExecution",
        needs=lambda room, request: room.pipeline_calls("GetPipelineExecution", request["pipelineName"]),
    )
    def get_pipeline_execution(self, request: Document, caller: Credentials) -> Document:
        with self.changed:
            pipeline = self.find(request["pipelineName"])
            execution = self.find_execution(pipeline, request["pipelineExecutionId"])
            return {"pipelineExecution": views.execution_detail(pipeline, execution)}

    @operation(
        "ListPipelineExecutions",
        needs=lambda room, request: room.pipeline_calls("ListPipelineExecutions", request["pipelineName"]),
    )
    def list_pipeline_executions(self, request: Document, caller: Credentials) -> Document:
        with self.changed:
            pipeline = self.find(request["pipelineName"])
            # "Filter for pipeline executions where the stage was successful in the current pipeline version."
            stage = request.get("filter", {}).get("succeededInStage", {}).get("stageName")
            current = pipeline.declaration["version"]
            found = [
                views.execution_summary(pipeline, execution)
                for execution in pipeline.executions
                if stage is None or (stage in execution.succeeded_stages and execution.version == current)
            ]
        shown, more = views.page(found, request, 100)
        return {"pipelineExecutionSummaries": shown, **more}

    @operation(
        "ListActionExecutions",
        needs=lambda room, request: room.pipeline_calls("ListActionExecutions", request["pipelineName"]),
    )
    def list_action_executions(self, request: Document, caller: Credentials) -> Document:
        """Newest first. `latestInPipelineExecution` shows the newest run of each action."""
        with self.changed:
            executions, latest = self._wanted(request)
            runs = [run for execution in executions for run in execution.action_runs]
            runs.sort(key=lambda run: run.started, reverse=True)
            if latest:
                newest = {(run.stage, run.name): run for run in reversed(runs)}
                runs = [run for run in runs if newest[run.stage, run.name] is run]
            details = [views.action_detail(run, self.cloud.region) for run in runs]
        shown, more = views.page(details, request, 100)
        return {"actionExecutionDetails": shown, **more}

    @operation(
        "ListRuleExecutions",
        needs=lambda room, request: room.pipeline_calls("ListRuleExecutions", request["pipelineName"]),
    )
    def list_rule_executions(self, request: Document, caller: Credentials) -> Document:
        """Newest first."""
        with self.changed:
            executions, _ = self._wanted(request)
            runs = [run for execution in executions for run in execution.rule_runs]
            runs.sort(key=lambda run: run.started, reverse=True)
            details = [views.rule_detail(run, self.cloud.region) for run in runs]
        shown, more = views.page(details, request, 100)
        return {"ruleExecutionDetails": shown, **more}

    def _wanted(self, request: Document) -> tuple[list[Execution], bool]:
        pipeline = self.find(request["pipelineName"])
        chosen = request.get("filter", {})
        latest = chosen.get("latestInPipelineExecution", {})
        execution_id = chosen.get("pipelineExecutionId") or latest.get("pipelineExecutionId")
        if execution_id is None:
            return list(pipeline.executions), False
        return [self.find_execution(pipeline, execution_id)], bool(latest)
