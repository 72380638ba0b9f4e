"""Records as the API shows them."""

from __future__ import annotations

from typing import Any, TypeVar

from rehearsal.cloud.codepipeline.records import ActionRun, Execution, Pipeline, RuleRun, without_empty
from rehearsal.cloud.pages import cut
from rehearsal.cloud.service import Document

Item = TypeVar("Item")
LONGEST_SUMMARY = 2048


def page(items: list[Item], request: Document, most: int) -> tuple[list[Item], Document]:
    """One page of `items` and the members that go with it: `nextToken` when more are left.

    Raises AwsError (InvalidNextTokenException) for a token that was not given out here.
    """
    size = int(request.get("maxResults", most))
    shown, token = cut(items, request.get("nextToken"), size, "InvalidNextTokenException")
    return shown, {"nextToken": token} if token else {}


def summary(pipeline: Pipeline) -> Document:
    """`PipelineSummary`."""
    return {
        "name": pipeline.name,
        "version": pipeline.declaration["version"],
        "pipelineType": pipeline.declaration["pipelineType"],
        "executionMode": pipeline.mode,
        "created": pipeline.created,
        "updated": pipeline.updated,
    }


def execution_summary(pipeline: Pipeline, execution: Execution) -> Document:
    """`PipelineExecutionSummary`."""
    return without_empty(
        {
            "pipelineExecutionId": execution.execution_id,
            "status": execution.status,
            "startTime": execution.started,
            "lastUpdateTime": execution.changed,
            "sourceRevisions": list(execution.revisions_by_action),
            "trigger": _trigger(execution),
            "stopTrigger": {"reason": execution.stop_reason} if execution.stop_reason else {},
            "executionMode": pipeline.mode,
            "executionType": execution.execution_type,
            "rollbackMetadata": _rollback(execution),
        }
    )


def execution_detail(pipeline: Pipeline, execution: Execution) -> Document:
    """`PipelineExecution`."""
    declared = [variable["name"] for variable in execution.declaration.get("variables", [])]
    return without_empty(
        {
            "pipelineName": pipeline.name,
            "pipelineVersion": execution.version,
            "pipelineExecutionId": execution.execution_id,
            "status": execution.status,
            "statusSummary": execution.stop_reason,
            "artifactRevisions": list(execution.artifact_revisions),
            "variables": [
                {"name": name, "resolvedValue": execution.variables[name]}
                for name in declared
                if name in execution.variables
            ],
            "trigger": _trigger(execution),
            "executionMode": pipeline.mode,
            "executionType": execution.execution_type,
            "rollbackMetadata": _rollback(execution),
        }
    )


def _trigger(execution: Execution) -> Document:
    return {"triggerType": execution.trigger_type, "triggerDetail": execution.trigger_detail[:1024]}


def _rollback(execution: Execution) -> Document:
    target = execution.rollback_target
    return {"rollbackTargetPipelineExecutionId": target} if target else {}


def state(pipeline: Pipeline) -> Document:
    """GetPipelineState's answer."""
    return {
        "pipelineName": pipeline.name,
        "pipelineVersion": pipeline.declaration["version"],
        "stageStates": [_stage_state(pipeline, stage) for stage in pipeline.declaration["stages"]],
        "created": pipeline.created,
        "updated": pipeline.updated,
    }


def _stage_state(pipeline: Pipeline, stage: Document) -> Document:
    slot = pipeline.slot(stage["name"])
    waiting = [_stage_execution(execution, "InProgress") for execution in slot.inbound]
    shown: dict[str, Any] = {
        "stageName": stage["name"],
        "inboundExecution": waiting[-1] if waiting else {},
        "inboundExecutions": waiting,
        "inboundTransitionState": without_empty(
            {
                "enabled": slot.enabled,
                "lastChangedBy": slot.transition_changed_by,
                "lastChangedAt": slot.transition_changed_at or None,
                "disabledReason": slot.disabled_reason,
            }
        ),
        "latestExecution": _stage_execution(slot.latest, slot.status) if slot.latest else {},
        "beforeEntryConditionState": slot.before_entry.state() if slot.before_entry else {},
        "onSuccessConditionState": slot.on_success.state() if slot.on_success else {},
        "retryStageMetadata": without_empty(
            {
                "autoStageRetryAttempt": slot.automatic_retries or None,
                "manualStageRetryAttempt": slot.manual_retries or None,
                "latestRetryTrigger": slot.latest_retry,
            }
        ),
    }
    return {
        **without_empty(shown),
        "actionStates": [_action_state(slot.actions.get(action["name"]), action) for action in stage["actions"]],
    }


def _stage_execution(execution: Execution, status: str) -> Document:
    return {"pipelineExecutionId": execution.execution_id, "status": status, "type": execution.execution_type}


def _action_state(run: ActionRun | None, action: Document) -> Document:
    if run is None:
        return {"actionName": action["name"]}
    waiting = run.approval is not None and not run.approval.over and run.status == "InProgress"
    latest = without_empty(
        {
            "actionExecutionId": run.action_execution_id,
            "status": run.status,
            "summary": run.summary[:LONGEST_SUMMARY],
            "lastStatusChange": run.changed,
            "token": run.approval.token if waiting and run.approval else "",
            "lastUpdatedBy": run.updated_by,
            "externalExecutionId": run.external_id,
            "externalExecutionUrl": run.external_url,
            "errorDetails": _error(run),
        }
    )
    shown: Document = {"actionName": action["name"], "latestExecution": latest}
    if action["actionTypeId"]["category"] == "Source" and run.status == "Succeeded":
        shown["currentRevision"] = {
            "revisionId": run.external_id,
            "revisionChangeId": run.external_id[:100],
            "created": run.changed,
        }
        shown["revisionUrl"] = run.external_url
    return shown


def _error(run: ActionRun) -> Document:
    if run.status != "Failed":
        return {}
    return {"code": run.error_code, "message": run.error_message[:5000] or "The action failed without a message"}


def action_detail(run: ActionRun, region: str) -> Document:
    """`ActionExecutionDetail`."""
    result = without_empty(
        {
            "externalExecutionId": run.external_id,
            "externalExecutionSummary": run.summary,
            "externalExecutionUrl": run.external_url,
            "errorDetails": _error(run),
        }
    )
    return without_empty(
        {
            "pipelineExecutionId": run.execution_id,
            "actionExecutionId": run.action_execution_id,
            "pipelineVersion": run.pipeline_version,
            "stageName": run.stage,
            "actionName": run.name,
            "startTime": run.started,
            "lastUpdateTime": run.changed,
            "updatedBy": run.updated_by,
            "status": run.status,
            "input": without_empty(
                {
                    "actionTypeId": run.declaration["actionTypeId"],
                    "configuration": run.declaration["configuration"],
                    "resolvedConfiguration": dict(run.configuration),
                    "roleArn": run.declaration.get("roleArn"),
                    "region": region,
                    "inputArtifacts": [artifact.detail() for artifact in run.inputs],
                    "namespace": run.declaration.get("namespace"),
                }
            ),
            "output": {
                "outputArtifacts": [artifact.detail() for artifact in run.outputs],
                "executionResult": result,
                "outputVariables": dict(run.variables),
            },
        }
    )


def rule_detail(run: RuleRun, region: str) -> Document:
    """`RuleExecutionDetail`."""
    error = {"code": run.error_code, "message": run.summary} if run.error_code else {}
    return {
        "pipelineExecutionId": run.execution_id,
        "ruleExecutionId": run.rule_execution_id,
        "pipelineVersion": run.pipeline_version,
        "stageName": run.stage,
        "ruleName": run.declaration["name"],
        "startTime": run.started,
        "lastUpdateTime": run.changed,
        "status": run.status,
        "input": {
            "ruleTypeId": run.declaration["ruleTypeId"],
            "configuration": run.declaration["configuration"],
            "resolvedConfiguration": dict(run.configuration),
            "region": region,
        },
        "output": {"executionResult": without_empty({"externalExecutionSummary": run.summary, "errorDetails": error})},
    }
