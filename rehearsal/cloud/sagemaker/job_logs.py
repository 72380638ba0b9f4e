"""What a job prints, live in CloudWatch Logs, written as the job's role.

https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
"""

from __future__ import annotations

import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

FLUSH_SECONDS = 0.5
MOST_EVENTS = 5_000
LONGEST_EVENT = 250_000
"""Bytes; a batch holds at most 1 MiB and 10,000 events.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html"""
LARGEST_BATCH = 1_000_000


class JobLog:
    """One log stream. Lines are sent in batches by a thread of its own while the job runs."""

    def __init__(self, logs: Any, group: str, stream: str) -> None:  # noqa: ANN401 - boto3 is untyped
        self._logs = logs
        self.group = group
        self.stream = stream
        self._waiting: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._problem: ClientError | BotoCoreError | None = None
        self._thread = threading.Thread(target=self._send_regularly, name=f"log {stream}", daemon=True)

    def open(self) -> None:
        """Make group and stream. Raises botocore's ClientError when the role may not."""
        for make, arguments in (
            (self._logs.create_log_group, {"logGroupName": self.group}),
            (self._logs.create_log_stream, {"logGroupName": self.group, "logStreamName": self.stream}),
        ):
            try:
                make(**arguments)
            except ClientError as problem:
                if problem.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                    raise
        self._thread.start()

    def line(self, text: str) -> None:
        """One line, stamped now. Empty lines make no event, as CloudWatch refuses them."""
        if not text:
            return
        with self._lock:
            self._waiting.append({"timestamp": int(time.time() * 1000), "message": text[:LONGEST_EVENT]})

    def close(self) -> None:
        """Send what is left. Raises what ended the sending: botocore's ClientError when the role may not write
        events, its BotoCoreError when nobody took them, as of a job that outlived its cloud."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._problem is not None:
            raise self._problem

    def _send_regularly(self) -> None:
        while not self._closed.wait(FLUSH_SECONDS):
            self._send()
        self._send()

    def _send(self) -> None:
        with self._lock:
            events, self._waiting = self._waiting, []
        while events and self._problem is None:
            size = taken = 0
            while taken < min(len(events), MOST_EVENTS) and size < LARGEST_BATCH - LONGEST_EVENT:
                size += len(events[taken]["message"].encode()) + 26
                taken += 1
            batch, events = events[:taken], events[taken:]
            try:
                self._put(batch)
            except (ClientError, BotoCoreError) as problem:
                self._problem = problem

    def _put(self, events: list[dict[str, Any]]) -> None:
        self._logs.put_log_events(logGroupName=self.group, logStreamName=self.stream, logEvents=events)
