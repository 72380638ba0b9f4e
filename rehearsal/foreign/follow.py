"""What the pipelines of a project are doing, told while the cloud is kept: when an action begins, waits or ends."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.person import Person
from rehearsal.progress import Progress

LOOK_SECONDS = 0.5
LOG_LINES = 12
STARTING = ("Starting",)
ENDED = ("Succeeded", "Failed", "Stopped")
STYLES = {"Failed": "red", "Succeeded": "green"}


class Follower:
    """Follows pipelines as the platform engineer sees them in the console."""

    def __init__(self, engineer: Person, pipelines: Iterable[str], progress: Progress) -> None:
        self._codepipeline = engineer.client("codepipeline")
        self._codebuild = engineer.client("codebuild")
        self._logs = engineer.client("logs")
        self._sagemaker = engineer.client("sagemaker")
        self._pipelines = list(pipelines)
        self._progress = progress
        self._told: set[tuple[str, ...]] = set()

    def follow(self, stopping: threading.Event) -> None:
        """Tell what happens until the cloud stops."""
        while not stopping.wait(LOOK_SECONDS):
            try:
                for line, style in self.news():
                    self._progress.say(line, style=style)
            except (ClientError, BotoCoreError) as problem:
                if not stopping.is_set():
                    self._progress.say(f"the pipelines cannot be looked at: {problem}", style="red")

    def news(self) -> Iterator[tuple[str, str]]:
        """What happened since the last look, each with its style."""
        for pipeline in self._pipelines:
            for stage in self._codepipeline.get_pipeline_state(name=pipeline)["stageStates"]:
                for action in stage["actionStates"]:
                    found = action.get("latestExecution")
                    if found and self._is_new(pipeline, stage["stageName"], action["actionName"], found):
                        yield from self._lines(pipeline, stage["stageName"], action["actionName"], found)

        for name in self._sagemaker.list_pipelines()["PipelineSummaries"]:
            yield from self._steps(name["PipelineName"])

    def _steps(self, pipeline: str) -> Iterator[tuple[str, str]]:
        """What the steps of a SageMaker pipeline's executions do, and how an execution ended."""
        sagemaker = self._sagemaker
        for execution in sagemaker.list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"]:
            arn, status = execution["PipelineExecutionArn"], execution["PipelineExecutionStatus"]
            if (arn, status) in self._told:
                continue
            steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
            for step in steps["PipelineExecutionSteps"]:
                key = (arn, step["StepName"], step["StepStatus"])
                if key not in self._told and step["StepStatus"] not in STARTING:
                    self._told.add(key)
                    yield self._line(f"{pipeline} (SageMaker): {step['StepName']}", step["StepStatus"], step)
            if status in ENDED:
                self._told.add((arn, status))
                described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
                yield self._line(f"{pipeline} (SageMaker)", status, described)

    @staticmethod
    def _line(front: str, status: str, found: dict[str, Any]) -> tuple[str, str]:
        why = found.get("FailureReason", "")
        return f"{front}: {status}{f': {why}' if why else ''}", STYLES.get(status, "")

    def _is_new(self, pipeline: str, stage: str, action: str, found: dict[str, Any]) -> bool:
        key = (pipeline, stage, action, found.get("actionExecutionId", ""), found["status"], found.get("token", ""))
        new = key not in self._told
        self._told.add(key)
        return new

    def _lines(self, pipeline: str, stage: str, action: str, found: dict[str, Any]) -> Iterator[tuple[str, str]]:
        front, status = f"{pipeline}: {stage} / {action}", found["status"]
        if status == "InProgress" and found.get("token"):
            yield f"{front} waits for a person's approval; token {found['token']}", "yellow"
            return
        style = STYLES.get(status, "")
        why = found.get("errorDetails", {}).get("message", "")
        yield f"{front}: {status}{f': {why}' if why else ''}", style
        if status == "Failed":
            for line in self._end_of_log(str(found.get("externalExecutionId", ""))):
                yield f"    {line}", "dim"

    def _end_of_log(self, build: str) -> list[str]:
        """The last lines of a build's log; none for what was not a build."""
        if ":" not in build:
            return []
        builds = self._codebuild.batch_get_builds(ids=[build])["builds"]
        log = builds[0].get("logs", {}) if builds else {}
        if not log.get("groupName") or not log.get("streamName"):
            return []
        events = self._logs.get_log_events(
            logGroupName=log["groupName"], logStreamName=log["streamName"], startFromHead=False, limit=LOG_LINES
        )["events"]
        return [event["message"].rstrip() for event in events]
