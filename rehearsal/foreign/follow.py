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


class Follower:
    """Follows pipelines as the platform engineer sees them in the console."""

    def __init__(self, engineer: Person, pipelines: Iterable[str], progress: Progress) -> None:
        self._codepipeline = engineer.client("codepipeline")
        self._codebuild = engineer.client("codebuild")
        self._logs = engineer.client("logs")
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
        style = {"Failed": "red", "Succeeded": "green"}.get(status, "")
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
