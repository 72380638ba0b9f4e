"""A function's log: what it prints, in CloudWatch Logs, written as the function's role.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
"""

from __future__ import annotations

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

    def __init__(self, logs: Any, group: str, stream: str) -> None:  # noqa: ANN401 - a boto3 client
        super().__init__(logs, group, stream)
        self.tail = b""

    def open(self, new: bool = True) -> None:
        """Make the stream, if it is a new one, and the group when it is missing."""
        try:
            try:
                if new:
                    self._create_stream()
            except self._logs.exceptions.ResourceNotFoundException:
                self._logs.create_log_group(logGroupName=self.group)
                self._create_stream()
        except ClientError as problem:
            log.warning("no log in %s: %s", self.group, problem)
            self._problem = problem
        self._thread.start()

    def _create_stream(self) -> None:
        self._logs.create_log_stream(logGroupName=self.group, logStreamName=self.stream)

    def printed(self, line: str) -> None:
        """One line of the function's output; lines that begin with a record separator carry a whole message."""
        text = line
        if line.startswith(RECORD):
            try:
                text = str(json.loads(line[1:]))
            except ValueError:
                text = line
        self.say(text.removesuffix("\n"))

    def say(self, text: str) -> None:
        """One message."""
        self.tail = (self.tail + text.encode() + b"\n")[-TAIL:]
        self.line(text)

    def close(self) -> None:
        """Send what is left."""
        try:
            super().close()
        except (ClientError, BotoCoreError) as problem:
            log.warning("the log in %s is not complete: %s", self.group, problem)
