"""Following pipelines as a person does in the console: a line when an action or a step starts, and one when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rehearsal.progress import Progress

POLL_SECONDS = 0.5
LOG_LINES = 30
ENDED = {"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"}
Answer = TypeVar("Answer")


class StoryError(Exception):
    """Something in the story is not as it must be. The message is for the person who reads the rehearsal's output."""


def wait_until(question: Callable[[], Answer | None], what: str, seconds: float = 300.0) -> Answer:
    """Ask until there is an answer. Raises StoryError naming what never came."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(POLL_SECONDS)
    raise StoryError(f"{what} did not happen within {seconds:.0f} s")


@dataclass
class PipelineWatch:
    """Follows one execution of a CodePipeline and the SageMaker pipeline execution inside it."""

    codepipeline: Any
    sagemaker: Any
    codebuild: Any
    logs: Any
    progress: Progress
    pipeline: str
    execution_id: str
    sagemaker_pipeline: str = ""
    _seen: dict[str, tuple[str, float]] = field(default_factory=dict)
    _known_executions: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.sagemaker_pipeline:
            self._known_executions = set(self._sagemaker_executions())

    def status(self) -> str:
        """The execution's status now."""
        found = self.codepipeline.get_pipeline_execution(
            pipelineName=self.pipeline, pipelineExecutionId=self.execution_id
        )
        return str(found["pipelineExecution"]["status"])

    def until(self, done: Callable[[], Answer | None], what: str, seconds: float = 300.0) -> Answer:
        """Follow until `done` answers. Raises StoryError when the execution ends badly before that."""

        def look() -> Answer | None:
            self.look()
            answer = done()
            if answer:
                self.look()
                return answer
            status = self.status()
            if status in ENDED - {"Succeeded"}:
                self.look()
                raise StoryError(f"{self.pipeline} ended as {status}: {self.reason()}")
            return None

        return wait_until(look, what, seconds)

    def until_succeeded(self, seconds: float = 300.0) -> None:
        """Follow to the good end."""
        self.until(lambda: self.status() == "Succeeded", f"the success of {self.pipeline}", seconds)

    def until_failed(self, seconds: float = 300.0) -> None:
        """Follow to the bad end that is expected. Raises StoryError when it ends otherwise."""

        def ended() -> str | None:
            self.look()
            status = self.status()
            return status if status in ENDED else None

        status = wait_until(ended, f"the end of {self.pipeline}", seconds)
        self.look()
        if status != "Failed":
            raise StoryError(f"{self.pipeline} must fail here, but it ended as {status}")

    def look(self) -> None:
        """Print what changed since the last look."""
        for action in reversed(self._actions()):
            detail = action.get("output", {}).get("executionResult", {}).get("externalExecutionSummary", "")
            self._note(f"{action['stageName']} / {action['actionName']}", action["status"], detail)
        if self.sagemaker_pipeline:
            for arn in self._sagemaker_executions():
                if arn not in self._known_executions:
                    steps = self.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
                    for step in steps["PipelineExecutionSteps"]:
                        detail = "from cache" if step.get("CacheHitResult") else step.get("FailureReason", "")
                        self._note(f"    step {step['StepName']}", step["StepStatus"], detail)

    def reason(self) -> str:
        """Why the execution failed, as the failed action says it."""
        for action in self._actions():
            if action["status"] == "Failed":
                result = action.get("output", {}).get("executionResult", {})
                words = result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary", "")
                tail = self._log_tail(result.get("externalExecutionId", ""))
                return f"{action['stageName']} / {action['actionName']}: {words}{tail}"
        return "no action failed"

    def _log_tail(self, build_id: str) -> str:
        """The last lines of the log of the build behind a failed action; nothing for a stack or an approval."""
        if build_id.startswith("arn:") or ":" not in build_id:
            return ""
        where = self.codebuild.batch_get_builds(ids=[build_id])["builds"][0]["logs"]
        events = self.logs.get_log_events(
            logGroupName=where["groupName"], logStreamName=where["streamName"], limit=LOG_LINES, startFromHead=False
        )["events"]
        return "\n" + "\n".join(event["message"].rstrip() for event in events)

    def _actions(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.codepipeline.list_action_executions(
            pipelineName=self.pipeline, filter={"pipelineExecutionId": self.execution_id}
        )["actionExecutionDetails"]
        return listed

    def _sagemaker_executions(self) -> list[str]:
        try:
            listed = self.sagemaker.list_pipeline_executions(PipelineName=self.sagemaker_pipeline)
        except self.sagemaker.exceptions.ResourceNotFound:
            return []
        return [each["PipelineExecutionArn"] for each in listed["PipelineExecutionSummaries"]]

    def _note(self, what: str, status: str, detail: str) -> None:
        before = self._seen.get(what)
        if before and before[0] == status:
            return
        started = before[1] if before else time.monotonic()
        self._seen[what] = (status, started)
        if status in ("InProgress", "Executing", "Starting"):
            if not before:
                self.progress.say(f"{what}: started")
            self.progress.now(f"{self.pipeline}: {what.strip()}")
        else:
            took = f" in {time.monotonic() - started:.1f} s" if before else ""
            self.progress.say(f"{what}: {status.lower()}{took}{f' ({detail})' if detail else ''}")
