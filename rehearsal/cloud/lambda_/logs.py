"""A function's log: what it prints, in CloudWatch Logs, written as the function's role.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
"""

from __future__ import annotations

import contextlib
import json
import logging
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.lambda_.bootstrap import RECORD
from rehearsal.cloud.lambda_.records import LATEST, Invocation
from rehearsal.cloud.sagemaker.job_logs import JobLog

TAIL = 4096
"""Bytes of the log that an invocation can answer with."""

log = logging.getLogger(__name__)


def group_of(name: str, settings: dict[str, Any]) -> str:
    """The log group of a function."""
    return str(settings.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}")


def new_stream(invocation: Invocation) -> str:
    """A new log stream's name: with the function's name where functions can share a group.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
    """
    shared = (
        "" if group_of(invocation.name, invocation.settings) == f"/aws/lambda/{invocation.name}" else invocation.name
    )
    return f"{datetime.now(UTC):%Y/%m/%d}/{shared}[{LATEST}]{uuid4().hex}"


class FunctionLog(JobLog):
    """The log of one invocation. A role without the rights to write it leaves no log, and the function runs."""

    def __init__(self, logs: Any, group: str, stream: str, made: bool = False) -> None:  # noqa: ANN401 - boto3
        super().__init__(logs, group, stream)
        self.made = made
        """Whether the stream is there."""
        self.tail = b""

    def open(self) -> None:
        """Make the stream, and the group, when they are missing."""
        if not self.made:
            try:
                self._make()
            except ClientError as problem:
                log.warning("no log in %s: %s", self.group, problem)
                self._problem = problem
        self._thread.start()

    def _make(self) -> None:
        there, missing = (
            self._logs.exceptions.ResourceAlreadyExistsException,
            self._logs.exceptions.ResourceNotFoundException,
        )
        names = {"logGroupName": self.group, "logStreamName": self.stream}
        with contextlib.suppress(there):
            try:
                self._logs.create_log_stream(**names)
            except missing:
                with contextlib.suppress(there):  # another environment of the function made it in this moment
                    self._logs.create_log_group(logGroupName=self.group)
                self._logs.create_log_stream(**names)
        self.made = True

    def _put(self, events: list[dict[str, Any]]) -> None:
        """Send; what somebody deleted meanwhile is made anew."""
        try:
            super()._put(events)
        except self._logs.exceptions.ResourceNotFoundException:
            self._make()
            super()._put(events)

    def printed(self, line: str) -> None:
        """One line of the function's output; from a record separator on, it carries a whole message as JSON."""
        plain, separator, message = line.partition(RECORD)
        try:
            text = json.loads(message) if separator else None
        except (ValueError, RecursionError):
            text = None
        if not isinstance(text, str):  # printed by the function
            self.say(line)
            return
        if plain:
            self.say(plain)
        self.say(text.removesuffix("\n"))

    def say(self, text: str) -> None:
        """One message."""
        text = text.encode(errors="replace").decode()  # half a surrogate pair has no bytes
        self.tail = (self.tail + text.encode() + b"\n")[-TAIL:]
        self.line(text)

    def close(self) -> None:
        """Send what is left."""
        try:
            super().close()
        except (ClientError, BotoCoreError) as problem:
            log.warning("the log in %s is not complete: %s", self.group, problem)
