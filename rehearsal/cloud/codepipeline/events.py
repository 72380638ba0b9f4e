"""What CodePipeline tells EventBridge, and what EventBridge may start.

https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rehearsal.cloud.codepipeline.records import ActionRun, Execution, without_empty
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

SOURCE = "aws.codepipeline"
ACTION_STATES = {"InProgress": "STARTED", "Succeeded": "SUCCEEDED", "Failed": "FAILED", "Abandoned": "ABANDONED"}


def stamp(seconds: float) -> str:
    """A time as events carry it: `2026-11-20T23:00:00.123Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Announcer:
    """Emits the three kinds of state changes. Call it without holding locks: rules may act before it returns."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def pipeline(self, execution: Execution, state: str, **more: object) -> None:
        """A pipeline execution started, resumed, succeeded, failed, is stopping, stopped or was superseded."""
        detail: Document = {"start-time": stamp(execution.started)}
        if state == "STARTED":
            detail["execution-trigger"] = {
                "trigger-type": execution.trigger_type,
                "trigger-detail": execution.trigger_detail,
            }
        self._emit("Pipeline", execution, {**detail, **more, "state": state})

    def stage(self, execution: Execution, stage: str, state: str) -> None:
        """A stage execution changed. A skipped stage has no documented event and emits none."""
        self._emit("Stage", execution, {"stage": stage, "state": state})

    def action(self, execution: Execution, run: ActionRun) -> None:
        """An action execution came to its present status."""
        kind = run.declaration["actionTypeId"]
        detail: Document = {
            "stage": run.stage,
            "action": run.name,
            "action-execution-id": run.action_execution_id,
            "start-time": stamp(run.started),
            "state": ACTION_STATES[run.status],
            "region": self._cloud.region,
            "type": {member: kind[member] for member in ("owner", "provider", "category", "version")},
        }
        if run.inputs:
            detail["input-artifacts"] = [artifact.detail() for artifact in run.inputs]
        if run.outputs and run.status == "Succeeded":
            detail["output-artifacts"] = [artifact.detail() for artifact in run.outputs]
        if run.status in ("Succeeded", "Failed"):
            result = without_empty(
                {
                    "external-execution-url": run.external_url,
                    "external-execution-summary": run.error_message or run.summary,
                    "external-execution-id": run.external_id,
                    "error-code": run.error_code,
                }
            )
            if result:
                detail["execution-result"] = result
        self._emit("Action", execution, detail)

    def _emit(self, level: str, execution: Execution, detail: Document) -> None:
        if self._cloud.stopping.is_set():
            return
        common: Document = {
            "pipeline": execution.pipeline_name,
            "execution-id": execution.execution_id,
            "version": execution.version,
            "pipeline-execution-attempt": execution.attempt,
        }
        arn = f"arn:aws:codepipeline:{self._cloud.region}:{self._cloud.account}:{execution.pipeline_name}"
        try:
            self._cloud.events.emit(SOURCE, f"CodePipeline {level} Execution State Change", {**common, **detail}, [arn])
        except Exception:  # a pipeline goes on when the bus does not take its news: delivery is best effort
            if not self._cloud.stopping.is_set():
                log.exception("the event bus did not take a %s event of pipeline %s", level, execution.pipeline_name)


def start_request(name: str, payload: str | None) -> Document:
    """What StartPipelineExecution is asked for an event: the overrides of a transformed or constant input.

    A plain event starts the pipeline without overrides. Raises AwsError when the input is not of the documented form:
    https://docs.aws.amazon.com/codepipeline/latest/userguide/create-cwe-ecr-source-console.html
    """
    request: Document = {"name": name}
    if payload is None:
        return request
    try:
        document = json.loads(payload)
    except ValueError as problem:
        raise _bad_input(name, f"it is not valid JSON: {problem}", payload) from problem
    if not isinstance(document, Mapping):
        raise _bad_input(name, "it is not a JSON object", payload)
    unknown = set(document) - {"variables", "sourceRevisions"}
    if unknown:
        raise _bad_input(name, f"it has unknown members: {', '.join(sorted(unknown))}", payload)
    return {**request, **document}


def _bad_input(name: str, why: str, payload: str) -> AwsError:
    return AwsError(
        "ValidationException",
        f"The input of the event target that starts pipeline {name} is refused, because {why}. It is an object with "
        f"variables and sourceRevisions as StartPipelineExecution takes them: {payload}",
    )
