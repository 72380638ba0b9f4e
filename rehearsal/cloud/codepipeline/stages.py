"""What people do to stages and actions: look, approve, retry, roll back, close and open the way in."""

from __future__ import annotations

from collections.abc import Iterable

from rehearsal.cloud.codepipeline import views
from rehearsal.cloud.codepipeline.records import Approval, Execution, Pipeline
from rehearsal.cloud.codepipeline.rollbacks import rolling_back
from rehearsal.cloud.codepipeline.room import Room
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.service import Call, Credentials, Document, Needs, operation


def _stage_needs(action: str) -> Needs:
    def needs(room: Room, request: Document) -> Iterable[Call]:
        return room.pipeline_calls(action, request["pipelineName"], f"/{request['stageName']}")

    return needs


def _structure(declaration: Document) -> Document:
    """What GetPipeline calls the structure of a pipeline; the number of its version is none of it."""
    return {member: value for member, value in declaration.items() if member != "version"}


class Stages(Room):
    """The operations on stages and actions."""

    @operation("GetPipelineState", needs=lambda room, request: room.pipeline_calls("GetPipelineState", request["name"]))
    def get_pipeline_state(self, request: Document, caller: Credentials) -> Document:
        with self.changed:
            return views.state(self.find(request["name"]))

    @operation(
        "PutApprovalResult",
        needs=lambda room, request: room.pipeline_calls(
            "PutApprovalResult", request["pipelineName"], f"/{request['stageName']}/{request['actionName']}"
        ),
    )
    def put_approval_result(self, request: Document, caller: Credentials) -> Document:
        """https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html"""
        with self.changed:
            pipeline = self.find(request["pipelineName"])
            stage = self.find_stage(pipeline, request["stageName"])
            if request["actionName"] not in {action["name"] for action in stage["actions"]}:
                raise AwsError(
                    "ActionNotFoundException",
                    f"The stage '{stage['name']}' of pipeline '{pipeline.name}' does not have an action with name "
                    f"'{request['actionName']}'",
                )
            approval = self._approval(pipeline, stage["name"], request["actionName"], request["token"])
            if approval is None:
                raise AwsError(
                    "InvalidApprovalTokenException",
                    "The approval request already received a response or has expired: the token "
                    f"{request['token']} belongs to no approval that waits in {stage['name']}/{request['actionName']}",
                )
            if approval.status:
                raise AwsError(
                    "ApprovalAlreadyCompletedException",
                    f"The approval action has already been approved or rejected: {approval.status} by "
                    f"{approval.approver}",
                )
            approval.answered = self.cloud.clock.timestamp()
            approval.approver = caller.principal_arn
            approval.summary = request["result"]["summary"]
            approval.status = request["result"]["status"]
            self.changed.notify_all()
            return {"approvedAt": approval.answered}

    @staticmethod
    def _approval(pipeline: Pipeline, stage: str, action: str, token: str) -> Approval | None:
        """The approval with this token, when it waits or was answered; None when it is unknown or went by."""
        for execution in pipeline.executions:
            for run in execution.runs_of(stage, action):
                found = run.approval
                if found is not None and found.token == token:
                    return found if found.status or not (found.over or run.abandoned.is_set()) else None
        return None

    # ---- transitions: https://docs.aws.amazon.com/codepipeline/latest/userguide/transitions.html

    @operation("DisableStageTransition", needs=_stage_needs("DisableStageTransition"))
    def disable_stage_transition(self, request: Document, caller: Credentials) -> Document:
        self._transition(request, caller, enabled=False, reason=request["reason"])
        return {}

    @operation("EnableStageTransition", needs=_stage_needs("EnableStageTransition"))
    def enable_stage_transition(self, request: Document, caller: Credentials) -> Document:
        self._transition(request, caller, enabled=True, reason="")
        return {}

    def _transition(self, request: Document, caller: Credentials, *, enabled: bool, reason: str) -> None:
        if request["transitionType"] != "Inbound":
            raise NotImplementedHere(f"transitionType {request['transitionType']}")
        with self.changed:
            pipeline = self.find(request["pipelineName"])
            slot = pipeline.slot(self.find_stage(pipeline, request["stageName"])["name"])
            slot.enabled, slot.disabled_reason = enabled, reason
            slot.transition_changed_by = caller.principal_arn
            slot.transition_changed_at = self.cloud.clock.timestamp()
            self.changed.notify_all()

    # ---- again, and back

    @operation("RetryStageExecution", needs=_stage_needs("RetryStageExecution"))
    def retry_stage_execution(self, request: Document, caller: Credentials) -> Document:
        """Not once "the overall pipeline structure changed after the stage failed".

        https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-retry.html
        """
        with self.changed:
            pipeline = self.find(request["pipelineName"])
            stage = self.find_stage(pipeline, request["stageName"])["name"]
            execution = self.find_execution(pipeline, request["pipelineExecutionId"])
            slot = pipeline.slot(stage)
            if slot.latest is not execution:
                raise AwsError(
                    "NotLatestPipelineExecutionException",
                    "The stage has failed in a later run of the pipeline and the pipelineExecutionId associated with "
                    "the request is out of date.",
                )
            names = [each["name"] for each in execution.stages]
            same = _structure(pipeline.declaration) == _structure(execution.declaration)
            retryable = slot.occupant is None and slot.status in ("Failed", "Stopped") and same
            if not retryable or execution.status not in ("Failed", "Stopped"):
                raise AwsError(
                    "StageNotRetryableException",
                    "Unable to retry. The pipeline structure or stage state might have changed while actions awaited "
                    "retry, or the stage contains no failed actions.",
                )
            only_failed = request["retryMode"] == "FAILED_ACTIONS"
            self.engine.resume(pipeline, execution, names.index(stage), only_failed)
            return {"pipelineExecutionId": execution.execution_id}

    @operation("RollbackStage", needs=_stage_needs("RollbackStage"))
    def rollback_stage(self, request: Document, caller: Credentials) -> Document:
        """A new execution plays this one stage with what an earlier, successful execution brought into it.

        https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
        """
        with self.changed:
            pipeline = self.find(request["pipelineName"])
            stage = self.find_stage(pipeline, request["stageName"])["name"]
            target = self.find_execution(pipeline, request["targetPipelineExecutionId"])
            names = [each["name"] for each in pipeline.declaration["stages"]]
            self._check_rollback(pipeline, stage, target, names)
            execution = rolling_back(pipeline, target, "ManualRollback", caller.principal_arn)
            self.engine.launch(pipeline, execution, names.index(stage), names.index(stage))
            return {"pipelineExecutionId": execution.execution_id}

    @staticmethod
    def _check_rollback(pipeline: Pipeline, stage: str, target: Execution, names: list[str]) -> None:
        """https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html, considerations"""
        why = ""
        if stage == names[0]:
            why = f"{stage} is the source stage"
        elif stage not in target.succeeded_stages:
            why = f"execution {target.execution_id} did not succeed in stage {stage}"
        elif target.execution_type == "ROLLBACK":
            why = f"execution {target.execution_id} was a rollback itself"
        elif pipeline.slot(stage).status == "Skipped":
            why = f"stage {stage} was skipped"
        elif pipeline.slot(stage).latest is target:
            why = f"execution {target.execution_id} is the latest in stage {stage}"
        if why:
            raise AwsError("UnableToRollbackStageException", f"Unable to roll back the stage: {why}.")
        if target.version != pipeline.declaration["version"]:
            raise AwsError(
                "PipelineExecutionOutdatedException",
                "The specified pipeline execution is outdated and cannot be used as a target pipeline execution for "
                "rollback.",
            )
