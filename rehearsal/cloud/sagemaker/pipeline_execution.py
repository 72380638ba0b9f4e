"""One execution of a pipeline: which step runs when, and what the world is told about it."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.pipeline_definition import Definition, Step
from rehearsal.cloud.sagemaker.step_cache import StepCache
from rehearsal.cloud.sagemaker.step_run import StepRun
from rehearsal.cloud.sagemaker.steps import RUNNERS
from rehearsal.cloud.service import Credentials, Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud
    from rehearsal.cloud.sagemaker.jobs import Jobs

log = logging.getLogger(__name__)

EXECUTION_EVENT = "SageMaker Model Building Pipeline Execution Status Change"
STEP_EVENT = "SageMaker Model Building Pipeline Execution Step Status Change"
STEP_FAILURE = "Step failure: One or multiple steps failed."


class Execution:
    """Independent steps run at the same time. After a failure nothing new starts; what runs already runs to its end."""

    def __init__(
        self,
        jobs: Jobs,
        *,
        pipeline_name: str,
        pipeline_arn: str,
        pipeline_tags: Mapping[str, str],
        role_arn: str,
        identifier: str,
        definition: Definition,
        definition_text: str,
        parameters: dict[str, Any],
        cache: StepCache,
        request: Document,
        most_parallel: int | None,
        started_by: Credentials,
    ) -> None:
        self.jobs = jobs
        self.cloud: Cloud = jobs.cloud
        self.pipeline_name = pipeline_name
        self.pipeline_arn = pipeline_arn
        self.pipeline_tags = dict(pipeline_tags)
        self.role_arn = role_arn
        self.identifier = identifier
        self.arn = f"{pipeline_arn}/execution/{identifier}"
        self.definition = definition
        self.definition_text = definition_text
        self.parameters = parameters
        self.given_parameters: list[dict[str, str]] = request.get("PipelineParameters", [])
        self.cache = cache
        self.display_name: str = request.get("PipelineExecutionDisplayName", "")
        self.description: str | None = request.get("PipelineExecutionDescription")
        self.most_parallel = most_parallel
        self.started_by = started_by
        self.status = "Executing"
        self.failure_reason: str | None = None
        self.created = self.modified = self.cloud.clock.now()
        self.stop_asked = threading.Event()
        self.finished = threading.Event()
        self.runs: dict[str, StepRun] = {}
        self._skipped: set[str] = set()
        self._changed = threading.Condition()
        self._events: queue.Queue[tuple[str, Document] | None] = queue.Queue()

    # ---- what steps ask

    def assume_role(self, step: str) -> Credentials:
        """A session of the pipeline's role for one step, named as AWS names it."""
        session = f"sagemaker-pipeline-{self.identifier}-{step}"[:64]
        return self.cloud.identity.assume_role(self.role_arn, "sagemaker.amazonaws.com", session, self.arn)

    def variables(self) -> dict[str, str]:
        """https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-variables.html"""
        return {
            "PipelineName": self.pipeline_name,
            "PipelineArn": self.pipeline_arn,
            "PipelineExecutionId": self.identifier,
            "PipelineExecutionArn": self.arn,
            "StartDateTime": _instant(self.created),
            "CurrentDateTime": _instant(self.cloud.clock.now()),
        }

    def properties(self) -> dict[str, dict[str, Any]]:
        """What finished steps answered."""
        with self._changed:
            return {name: run.properties for name, run in self.runs.items() if run.status == "Succeeded"}

    def tags_for_resources(self) -> dict[str, str]:
        """Tags of everything that a step creates: the pipeline's own, and the execution it belongs to."""
        own = {key: value for key, value in self.pipeline_tags.items() if not key.startswith("aws:")}
        return {**own, "sagemaker:pipeline-execution-arn": self.arn}

    # ---- the life of an execution

    def run(self, previous: str | None = None) -> None:
        """Play the execution to its end."""
        self.cloud.background(f"events of {self.arn}", self._send_events)
        self._tell(previous)
        try:
            with self._changed:
                while self._start_ready() or self._running():
                    self._changed.wait()
            self._end()
        finally:
            self._events.put(None)
            self.finished.set()

    def stop(self) -> None:
        """Raises AwsError when the execution has ended."""
        with self._changed:
            if self.status != "Executing":
                raise AwsError(
                    "ConflictException", f"Pipeline execution with ARN {self.arn} is already {self.status.lower()}."
                )
            previous, self.status = self.status, "Stopping"
            self.modified = self.cloud.clock.now()
            self.stop_asked.set()
            running = self._running()
            self._changed.notify_all()
        self._tell(previous)
        for run in running:
            self.cloud.background(f"stop {run.step.name}", run.stopping)

    def retry(self, most_parallel: int | None) -> None:
        """Go on where it ended: what succeeded stays, everything else is tried again.

        Raises AwsError when the execution runs, or has succeeded.
        """
        with self._changed:
            if self.status not in ("Failed", "Stopped"):
                raise AwsError(
                    "ConflictException",
                    f"Pipeline execution with ARN {self.arn} is {self.status.lower()}: only one that failed or was "
                    "stopped can be retried.",
                )
            previous, self.status, self.failure_reason = self.status, "Executing", None
            ended, self.finished, self.stop_asked = self.finished, threading.Event(), threading.Event()
            self.runs = {name: run for name, run in self.runs.items() if run.status == "Succeeded"}
            self._skipped.clear()
            self.most_parallel = most_parallel or self.most_parallel
            self.modified = self.cloud.clock.now()
        ended.wait()  # its last events are on their way
        self.cloud.background(f"pipeline execution {self.arn}, once more", self.run, previous)

    def limit(self, most_parallel: int) -> None:
        """At most so many steps at the same time, from now on."""
        with self._changed:
            self.most_parallel = most_parallel
            self._changed.notify_all()

    def step_changed(self, run: StepRun, previous: str | None) -> None:
        """A step has another status."""
        detail: Document = {
            "metadata": {_lower(key): {_lower(k): v for k, v in value.items()} for key, value in run.metadata.items()},
            "stepStartTime": _instant(run.started),
            "stepName": run.step.name,
            "stepType": run.step.type,
            "currentStepStatus": run.status,
            "pipelineArn": self.pipeline_arn,
            "pipelineExecutionArn": self.arn,
        }
        if previous:
            detail["previousStepStatus"] = previous
        if run.ended:
            detail["stepEndTime"] = _instant(run.ended)
        if run.failure_reason:
            detail["failureReason"] = run.failure_reason
        if run.cache_source:
            detail["cacheHitResult"] = {"sourcePipelineExecutionArn": run.cache_source}
        self._events.put((STEP_EVENT, detail))

    def describe_steps(self) -> list[Document]:
        """The steps that have begun, in the order in which they began."""
        with self._changed:
            runs = list(self.runs.values())
        return [run.describe() for run in sorted(runs, key=lambda run: run.started)]

    def _running(self) -> list[StepRun]:
        return [run for run in self.runs.values() if run.ended is None]

    def _start_ready(self) -> bool:
        """Start what may start; True when something did."""
        if self.stop_asked.is_set() or any(run.status == "Failed" for run in self.runs.values()):
            return False
        started = False
        for step in self.definition.steps.values():
            if step.name in self.runs or step.name in self._skipped:
                continue
            if self._unreachable(step):
                self._skipped.add(step.name)
                return self._start_ready() or started  # what depends on it is unreachable too
            if self.most_parallel and len(self._running()) >= self.most_parallel:
                break
            if all(name in self.runs and self.runs[name].status == "Succeeded" for name in step.depends_on):
                run = self.runs[step.name] = StepRun(self, step)
                started = True
                self.step_changed(run, None)
                self.cloud.background(f"step {step.name} of {self.arn}", self._run_step, run)
        return started

    def _unreachable(self, step: Step) -> bool:
        if any(name in self._skipped for name in step.depends_on):
            return True
        if step.branch is None:
            return False
        condition = self.runs.get(step.branch[0])
        return bool(condition and condition.properties and condition.properties["Outcome"] != str(step.branch[1]))

    def _run_step(self, run: StepRun) -> None:
        try:
            run.run(RUNNERS[run.step.type])
        finally:
            with self._changed:
                self._changed.notify_all()

    def _end(self) -> None:
        with self._changed:
            previous = self.status
            if self.stop_asked.is_set() and not self._lost_function():
                self.status = "Stopped"
            elif any(run.status == "Failed" for run in self.runs.values()):
                self.status, self.failure_reason = "Failed", STEP_FAILURE
            else:
                self.status = "Succeeded"
            self.modified = self.cloud.clock.now()
        self._tell(previous)

    def _lost_function(self) -> bool:
        """Whether an execution that is being stopped waited for a function in vain: then it is Failed, not Stopped.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopPipelineExecution.html
        """
        return any(run.status == "Failed" and run.step.type == "Lambda" for run in self.runs.values())

    # ---- events: https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html

    def _tell(self, previous: str | None) -> None:
        detail: Document = {
            "pipelineExecutionDisplayName": self.display_name,
            "currentPipelineExecutionStatus": self.status,
            "executionStartTime": _instant(self.created),
            "pipelineExecutionDescription": self.description,
            "pipelineArn": self.pipeline_arn,
            "pipelineExecutionArn": self.arn,
        }
        if previous:
            detail["previousPipelineExecutionStatus"] = previous
        if self.status in ("Succeeded", "Failed", "Stopped"):
            detail["executionEndTime"] = _instant(self.modified)
        self._events.put((EXECUTION_EVENT, {key: value for key, value in detail.items() if value is not None}))

    def _send_events(self) -> None:
        while (event := self._events.get()) is not None:
            if self.cloud.stopping.is_set():
                return
            try:
                self.cloud.events.emit("aws.sagemaker", event[0], event[1], [self.pipeline_arn, self.arn])
            except Exception as problem:
                if not self.cloud.stopping.is_set():
                    log.warning("an event of %s could not be sent: %s", self.arn, problem)


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
