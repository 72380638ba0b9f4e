"""How an execution moves through a pipeline: stage by stage, one execution in a stage at a time.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html

- A stage is locked while an execution is in it; others wait before it (their `inbound` place).
- SUPERSEDED: a more recent execution that comes to wait before a stage takes the place of an older one.
- QUEUED: executions wait in the order in which they came.
- A failure, a stop and a success all release the stage.
"""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING

from rehearsal.cloud.codepipeline.conditions import evaluate
from rehearsal.cloud.codepipeline.events import Announcer
from rehearsal.cloud.codepipeline.records import FINISHED, Execution, Pipeline
from rehearsal.cloud.codepipeline.rollbacks import last_success, rolling_back
from rehearsal.cloud.codepipeline.runner import Runner, namespaces_of
from rehearsal.cloud.service import Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)


class Engine:
    """Plays executions, each on a thread of its own. `changed` guards all records and wakes all who wait."""

    def __init__(self, cloud: Cloud, changed: threading.Condition) -> None:
        self._cloud = cloud
        self._changed = changed
        self._announce = Announcer(cloud)
        self._runner = Runner(cloud, changed, self._announce)

    # ---- beginnings

    def launch(self, pipeline: Pipeline, execution: Execution, at: int = 0, until: int | None = None) -> None:
        """Start an execution before stage number `at`; it ends after stage `until`, or after the last. Hold the lock.

        It takes its place in the queue at once, so that executions move in the order in which they were started.
        """
        pipeline.executions.insert(0, execution)
        self._queue(pipeline, execution, execution.stages[at]["name"])
        last = len(execution.stages) - 1 if until is None else until
        self._background(pipeline, execution, at, last, "STARTED", None)

    def resume(self, pipeline: Pipeline, execution: Execution, at: int, only_failed: bool) -> None:
        """Go on with a failed or stopped stage that nobody entered since. Hold the lock."""
        slot = pipeline.slot(execution.stages[at]["name"])
        slot.occupant, slot.latest, slot.status = execution, execution, "InProgress"
        slot.manual_retries += 1
        slot.latest_retry = "ManualStageRetry"
        execution.status, execution.stop_reason, execution.rolls_back = "InProgress", None, False
        execution.attempt += 1
        last = at if execution.execution_type == "ROLLBACK" else len(execution.stages) - 1
        self._background(pipeline, execution, at, last, "RESUMED", only_failed)

    def _background(
        self, pipeline: Pipeline, execution: Execution, at: int, last: int, state: str, only_failed: bool | None
    ) -> None:
        name = f"pipeline {pipeline.name} {execution.execution_id}"
        self._cloud.background(name, self._play, pipeline, execution, at, last, state, only_failed)

    # ---- the way through

    def _play(
        self, pipeline: Pipeline, execution: Execution, at: int, last: int, state: str, only_failed: bool | None
    ) -> None:
        try:
            self._announce.pipeline(execution, state)
            entered = only_failed is not None
            for number in range(at, last + 1):
                stage = execution.stages[number]
                if not entered and not self._enter(pipeline, execution, stage["name"]):
                    return
                again, entered, only_failed = entered, False, only_failed if entered else None
                outcome = self._stage(pipeline, execution, stage, again, bool(only_failed))
                following = execution.stages[number + 1]["name"] if number < last else None
                if not self._leave(pipeline, execution, stage["name"], outcome, following):
                    return
        except Exception:
            log.exception("execution %s of pipeline %s broke", execution.execution_id, pipeline.name)
            self._break(pipeline, execution)
            raise

    def _queue(self, pipeline: Pipeline, execution: Execution, stage: str) -> None:
        inbound = pipeline.slot(stage).inbound
        inbound.append(execution)
        if pipeline.mode == "SUPERSEDED":
            newest = max(inbound, key=lambda waiting: waiting.number)
            for waiting in [each for each in inbound if each is not newest]:
                self._end(waiting, "Superseded")
            inbound[:] = [newest]
        self._changed.notify_all()

    def _enter(self, pipeline: Pipeline, execution: Execution, stage: str) -> bool:
        """Wait until the stage is free for this execution and lock it. False when the execution ended instead."""
        with self._changed:
            slot = pipeline.slot(stage)
            while True:
                if execution.status == "Superseded":
                    break
                if self._cloud.stopping.is_set() or pipeline.deleted:
                    return False
                ending = ""
                if execution.status == "Stopping":
                    ending = "Stopped"
                elif pipeline.stage(stage) is None:
                    # "The pipeline's definition was updated before the pipeline execution could be completed."
                    ending = "Cancelled"
                if ending:
                    slot.inbound.remove(execution)
                    self._end(execution, ending)
                    break
                if slot.enabled and slot.occupant is None and slot.inbound[0] is execution:
                    slot.inbound.remove(execution)
                    slot.occupant = slot.latest = execution
                    slot.status = "InProgress"
                    slot.manual_retries = slot.automatic_retries = 0
                    slot.latest_retry = ""
                    slot.before_entry = slot.on_success = None
                    self._changed.notify_all()
                    return True
                self._changed.wait()
        self._announce.pipeline(execution, {"Cancelled": "CANCELED"}.get(execution.status, execution.status.upper()))
        return False

    def _stage(self, pipeline: Pipeline, execution: Execution, stage: Document, again: bool, only_failed: bool) -> str:
        """Play one stage that this execution is in; answers the status it ends with."""
        name, slot = stage["name"], pipeline.slot(stage["name"])
        for condition in stage.get("beforeEntry", {}).get("conditions", []):
            with self._changed:
                slot.before_entry = evaluate(condition, name, execution, namespaces_of(execution))
            if slot.before_entry.status == "Succeeded":
                continue
            if condition["result"] == "SKIP" and slot.before_entry.status == "Failed":
                return "Skipped"
            self._announce.stage(execution, name, "FAILED")
            return "Failed"
        self._announce.stage(execution, name, "RESUMED" if again else "STARTED")
        outcome = self._runner.stage(pipeline, execution, stage, only_failed)
        if outcome == "Failed":
            outcome = self._on_failure(pipeline, execution, stage)
        for condition in stage.get("onSuccess", {}).get("conditions", []) if outcome == "Succeeded" else []:
            with self._changed:
                slot.on_success = evaluate(condition, name, execution, namespaces_of(execution))
            if slot.on_success.status != "Succeeded":
                outcome = "Failed"
                execution.rolls_back = condition["result"] == "ROLLBACK"
        if not pipeline.deleted:
            self._announce.stage(execution, name, outcome.upper())
        return outcome

    def _on_failure(self, pipeline: Pipeline, execution: Execution, stage: Document) -> str:
        """What the stage does when its actions failed; answers the status it ends with.

        "One attempt is allowed for automatic stage retry on failure."
        https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_RetryStageMetadata.html
        """
        result = stage.get("onFailure", {}).get("result")
        outcome, slot = "Failed", pipeline.slot(stage["name"])
        if result == "RETRY" and not slot.automatic_retries and execution.status == "InProgress":
            self._announce.stage(execution, stage["name"], "FAILED")
            with self._changed:
                slot.automatic_retries += 1
                slot.latest_retry = "AutomatedStageRetry"
                execution.attempt += 1
                self._changed.notify_all()
            self._announce.stage(execution, stage["name"], "RESUMED")
            only_failed = stage["onFailure"]["retryConfiguration"]["retryMode"] == "FAILED_ACTIONS"
            outcome = self._runner.stage(pipeline, execution, stage, only_failed)
        execution.rolls_back = result == "ROLLBACK"
        return outcome

    def _roll_back(self, pipeline: Pipeline, failed: Execution, stage: str) -> None:
        """Go back to the newest execution that succeeded in the stage, if there is one. Hold the lock."""
        target = last_success(pipeline, stage, failed) if failed.rolls_back else None
        if target is not None:
            detail = json.dumps({"FailedPipelineExecutionId": failed.execution_id}, separators=(",", ":"))
            at = [each["name"] for each in pipeline.declaration["stages"]].index(stage)
            self.launch(pipeline, rolling_back(pipeline, target, "AutomatedRollback", detail), at, at)

    def _leave(self, pipeline: Pipeline, execution: Execution, stage: str, outcome: str, following: str | None) -> bool:
        """Free the stage and move on, in one step so that nobody slips between. True when there is a next stage."""
        with self._changed:
            slot = pipeline.slot(stage)
            slot.status = outcome
            slot.occupant = None
            if outcome == "Succeeded":
                execution.succeeded_stages.add(stage)
            if pipeline.deleted or self._cloud.stopping.is_set():
                self._changed.notify_all()
                return False
            if outcome in ("Failed", "Stopped"):
                self._end(execution, outcome)
                if outcome == "Failed":
                    self._roll_back(pipeline, execution, stage)
            elif execution.status == "Stopping":
                self._end(execution, "Stopped")
            elif following is None:
                self._end(execution, "Succeeded")
            else:
                self._queue(pipeline, execution, following)
            self._changed.notify_all()
            if execution.status not in FINISHED:
                return True
        # Superseded while it moves on: the news is told where every waiting execution hears it, in `_enter`.
        if execution.status == "Superseded":
            return True
        self._announce.pipeline(execution, execution.status.upper())
        return False

    def _end(self, execution: Execution, status: str) -> None:
        execution.status = status
        execution.changed = self._cloud.clock.timestamp()

    def _break(self, pipeline: Pipeline, execution: Execution) -> None:
        """Something of ours broke: nothing may stay locked, and the execution has failed."""
        with self._changed:
            for slot in pipeline.slots.values():
                if execution in slot.inbound:
                    slot.inbound.remove(execution)
                if slot.occupant is execution:
                    slot.occupant, slot.status = None, "Failed"
            self._end(execution, "Failed")
            self._changed.notify_all()

    # ---- stopping

    def stop(self, pipeline: Pipeline, execution: Execution, abandon: bool) -> None:
        """Stop an execution: after its running actions, or at once when they are abandoned. Hold the lock.

        https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-stop.html
        """
        execution.status = "Stopping"
        execution.changed = self._cloud.clock.timestamp()
        for slot in pipeline.slots.values():
            if slot.occupant is execution:
                slot.status = "Stopping"
        if abandon:
            self.abandon(execution)
        self._changed.notify_all()

    def tell_stopping(self, execution: Execution, stages: list[str], reason: str | None) -> None:
        """The events of a stop that begins. Do not hold the lock."""
        more = {"stop-execution-comments": reason} if reason else {}
        self._announce.pipeline(execution, "STOPPING", **more)
        for stage in stages:
            self._announce.stage(execution, stage, "STOPPING")

    def abandon(self, execution: Execution) -> None:
        """Let go of every running action of an execution. Hold the lock."""
        for run in execution.action_runs:
            if run.status == "InProgress":
                run.abandoned.set()
        self._changed.notify_all()
