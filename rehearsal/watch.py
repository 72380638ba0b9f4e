"""Following pipelines as a person does in the console: a line when an action or a step starts, and one when it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from rehearsal.cloud.clock import Patience
from rehearsal.progress import Progress

AS_REHEARSED = Patience()
LOG_LINES = 30
ENDED = {"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"}
Answer = TypeVar("Answer")


class StoryError(Exception):
    """Something in the story is not as it must be. The message is for the person who reads the rehearsal's output."""


def wait_until(
    question: Callable[[], Answer | None],
    what: str,
    seconds: float = 300.0,
    over: threading.Event | None = None,
    patience: Patience = AS_REHEARSED,
    *,
    following: bool = False,
) -> Answer:
    """Ask until there is an answer. Raises StoryError naming what never came, at once when all is `over` meanwhile.

    `following`: the answer changes only with what is told as news, so it is asked for rarely while nothing is.
    """
    over = over or threading.Event()
    seconds *= patience.factor
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if over.is_set():
            raise StoryError(f"the rehearsal was ended while it waited for {what}")
        told = patience.news.told if patience.news else 0
        answer = question()
        if answer:
            return answer
        patience.pause(over, told, following=following)
    raise StoryError(f"{what} did not happen within {seconds:.0f} s")


@dataclass(frozen=True)
class Approval:
    """A question that waits for a person."""

    stage: str
    action: str
    token: str


class Helper(Protocol):
    """Somebody beside whoever follows an execution, who knows what to do when something goes wrong on its way."""

    def meanwhile(self, watch: PipelineWatch) -> None:
        """Do what has to be done while it goes on."""

    def after(self, watch: PipelineWatch) -> bool:
        """It ended badly: whether something was done about it, so that it goes on."""

    def settled(self, watch: PipelineWatch) -> None:
        """What was waited for has come."""


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
    helper: Helper | None = None
    over: threading.Event = field(default_factory=threading.Event)
    """Set when nobody is to wait for anything any more."""
    patience: Patience = AS_REHEARSED
    answering: Any = None
    """The CodePipeline client of the person who answers questions, when that is somebody else than who watches."""
    _seen: dict[str, tuple[str, float]] = field(default_factory=dict)
    _known_executions: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.sagemaker_pipeline:
            self._known_executions = set(self._sagemaker_executions())

    def status(self) -> str:
        """The execution's status now."""
        return self.status_of(self.execution_id)

    def status_of(self, execution: str) -> str:
        """The status of any execution of the pipeline."""
        found = self.codepipeline.get_pipeline_execution(pipelineName=self.pipeline, pipelineExecutionId=execution)
        return str(found["pipelineExecution"]["status"])

    def stopped_for(self, execution: str) -> str:
        """The reason for which any execution of the pipeline was stopped; empty when it was not."""
        found = self.codepipeline.get_pipeline_execution(pipelineName=self.pipeline, pipelineExecutionId=execution)
        stopped = found["pipelineExecution"]["status"] in ("Stopping", "Stopped")
        return str(found["pipelineExecution"].get("statusSummary", "")) if stopped else ""

    def waits_behind(self, first: str, second: str) -> bool:
        """Whether the second execution waits to enter the stage that the first one is in."""
        stages = self.codepipeline.get_pipeline_state(name=self.pipeline)["stageStates"]
        return any(
            stage.get("latestExecution", {}).get("pipelineExecutionId") == first
            and second in [each["pipelineExecutionId"] for each in stage.get("inboundExecutions", [])]
            for stage in stages
        )

    def follow(self, execution: str) -> None:
        """Go on with another execution of the pipeline."""
        if execution != self.execution_id:
            self.execution_id = execution
            self._seen.clear()

    def executions_with(self, value: str) -> list[str]:
        """The executions one of whose variables has this value, oldest first."""
        listed = self.codepipeline.list_pipeline_executions(pipelineName=self.pipeline)["pipelineExecutionSummaries"]
        found = []
        for each in reversed(listed):
            detail = self.codepipeline.get_pipeline_execution(
                pipelineName=self.pipeline, pipelineExecutionId=each["pipelineExecutionId"]
            )["pipelineExecution"]
            if value in [variable["resolvedValue"] for variable in detail.get("variables", [])]:
                found.append(each["pipelineExecutionId"])
        return found

    def until(self, done: Callable[[], Answer | None], what: str, seconds: float = 300.0) -> Answer:
        """Follow until `done` answers. Raises StoryError when the execution ends badly before that."""

        def look() -> Answer | None:
            self.look()
            if self.helper is not None:
                self.helper.meanwhile(self)
            answer = done()
            if answer:
                self.look()
                if self.helper is not None:
                    self.helper.settled(self)
                return answer
            status = self.status()
            if status in ENDED - {"Succeeded"}:
                self.look()
                if self.helper is not None and self.helper.after(self):
                    return None
                raise StoryError(f"{self.pipeline} ended as {status}: {self.reason()}")
            return None

        return wait_until(look, what, seconds, self.over, self.patience, following=True)

    def until_succeeded(self, seconds: float = 300.0) -> None:
        """Follow to the good end."""
        self.until(lambda: self.status() == "Succeeded", f"the success of {self.pipeline}", seconds)

    def until_failed(self, seconds: float = 300.0) -> None:
        """Follow to the bad end that is expected. Raises StoryError when it ends otherwise."""

        def ended() -> str | None:
            self.look()
            status = self.status()
            return status if status in ENDED else None

        status = wait_until(ended, f"the end of {self.pipeline}", seconds, self.over, self.patience, following=True)
        self.look()
        if status != "Failed":
            raise StoryError(f"{self.pipeline} must fail here, but it ended as {status}")

    def look(self) -> None:
        """Print what changed since the last look."""
        for action in reversed(self.actions()):
            detail = action.get("output", {}).get("executionResult", {}).get("externalExecutionSummary", "")
            what = f"{action['stageName']} / {action['actionName']}"
            self._note(what, action["status"], detail, action["actionExecutionId"])  # a retry is another run
        if self.sagemaker_pipeline:
            for arn in self._sagemaker_executions():
                if arn not in self._known_executions:
                    steps = self.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
                    for step in steps["PipelineExecutionSteps"]:
                        detail = "from cache" if step.get("CacheHitResult") else step.get("FailureReason", "")
                        self._note(f"    step {step['StepName']}", step["StepStatus"], detail)

    def reason(self) -> str:
        """Why the execution failed, as the failed action says it."""
        action = self.failed_action()
        if action is None:
            return "no action failed"
        result = action.get("output", {}).get("executionResult", {})
        words = result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary", "")
        tail = self._log_tail(result.get("externalExecutionId", ""))
        return f"{action['stageName']} / {action['actionName']}: {words}{tail}"

    def failed_action(self) -> dict[str, Any] | None:
        """The action that failed last."""
        return next((action for action in self.actions() if action["status"] == "Failed"), None)

    def _log_tail(self, build_id: str) -> str:
        """The last lines of the log of the build behind a failed action; nothing for a stack, an approval, or a build
        that has no log."""
        if build_id.startswith("arn:") or ":" not in build_id:
            return ""
        where = self.codebuild.batch_get_builds(ids=[build_id])["builds"][0].get("logs", {})
        if "streamName" not in where:
            return ""
        events = self.logs.get_log_events(
            logGroupName=where["groupName"], logStreamName=where["streamName"], limit=LOG_LINES, startFromHead=False
        )["events"]
        return "\n" + "\n".join(event["message"].rstrip() for event in events)

    def actions(self, execution: str = "") -> list[dict[str, Any]]:
        """The actions of an execution, newest first; of the one that is followed when none is named."""
        listed: list[dict[str, Any]] = self.codepipeline.list_action_executions(
            pipelineName=self.pipeline, filter={"pipelineExecutionId": execution or self.execution_id}
        )["actionExecutionDetails"]
        return listed

    def waiting_approval(self, execution: str) -> Approval | None:
        """The question that an execution asks a person now."""
        for stage in self.codepipeline.get_pipeline_state(name=self.pipeline)["stageStates"]:
            if stage.get("latestExecution", {}).get("pipelineExecutionId") != execution:
                continue
            for action in stage["actionStates"]:
                latest = action.get("latestExecution", {})
                if latest.get("status") == "InProgress" and "token" in latest:
                    return Approval(stage["stageName"], action["actionName"], latest["token"])
        return None

    def answer(self, approval: Approval, summary: str) -> None:
        """Say yes."""
        (self.answering or self.codepipeline).put_approval_result(
            pipelineName=self.pipeline,
            stageName=approval.stage,
            actionName=approval.action,
            token=approval.token,
            result={"summary": summary, "status": "Approved"},
        )

    def _sagemaker_executions(self) -> list[str]:
        try:
            listed = self.sagemaker.list_pipeline_executions(PipelineName=self.sagemaker_pipeline)
        except self.sagemaker.exceptions.ResourceNotFound:
            return []
        return [each["PipelineExecutionArn"] for each in listed["PipelineExecutionSummaries"]]

    def _note(self, what: str, status: str, detail: str, run: str = "") -> None:
        before = self._seen.get(what + run)
        if before and before[0] == status:
            return
        started = before[1] if before else time.monotonic()
        self._seen[what + run] = (status, started)
        if status in ("InProgress", "Executing", "Starting"):
            if not before:
                self.progress.say(f"{what}: started")
            self.progress.now(f"{self.pipeline}: {what.strip()}")
        else:
            took = f" in {time.monotonic() - started:.1f} s" if before else ""
            self.progress.say(f"{what}: {status.lower()}{took}{f' ({detail})' if detail else ''}")
