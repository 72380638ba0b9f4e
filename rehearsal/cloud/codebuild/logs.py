"""A build's log: one file everything is written to, shipped to CloudWatch Logs while the build runs.

Commands append to the file themselves, so that their lines and CodeBuild's own stand in the order they happened.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

LOOK_SECONDS = 0.2
SHIP_SECONDS = 1.0
MOST_EVENTS, MOST_BYTES, EVENT_BYTES = 10_000, 1_000_000, 26
LONGEST_EVENT = 256 * 1024 - EVENT_BYTES
HIDDEN = "***"


class BuildLog:
    """The log of one build.

    `console` is what commands write to; `kept` is the copy with secrets hidden, which outlives the build.
    """

    def __init__(self, console: Path, kept: Path) -> None:
        self.console = console
        self.kept = kept
        self.problem: ClientError | BotoCoreError | None = None
        """What CloudWatch Logs refused while the build ran, if anything."""
        self._client: Any = None
        self._group = self._stream = ""
        self._secrets: list[str] = []
        self._waiting: list[dict[str, Any]] = []
        self._rest = b""
        self._closing = threading.Event()
        self._shipper: threading.Thread | None = None
        self._writing = threading.Lock()
        self._output = console.open("ab", buffering=0)
        self._input = console.open("rb")

    def hide(self, values: Iterable[str]) -> None:
        """Never show these values."""
        self._secrets = sorted({*self._secrets, *(value for value in values if value)}, key=len, reverse=True)

    def say(self, text: str) -> None:
        """One line of CodeBuild's own."""
        stamp = datetime.now(UTC).strftime("%Y/%m/%d %H:%M:%S.%f")
        with self._writing:
            self._output.write(f"[Container] {stamp} {text}\n".encode())

    def open(self, client: Any, group: str, stream: str) -> None:  # noqa: ANN401 - a boto3 client
        """Make the stream (and the group when it is missing), ship what there is, and go on shipping.

        Raises botocore's ClientError when the role may not.
        """
        try:
            client.create_log_stream(logGroupName=group, logStreamName=stream)
        except client.exceptions.ResourceNotFoundException:
            client.create_log_group(logGroupName=group)
            client.create_log_stream(logGroupName=group, logStreamName=stream)
        self._client, self._group, self._stream = client, group, stream
        self._collect()
        self._put()

    def start(self) -> None:
        """Follow the file from now on."""
        self._shipper = threading.Thread(target=self._follow, name=f"log {self.kept.stem}", daemon=True)
        self._shipper.start()

    def close(self) -> None:
        """Ship the rest and let go of the files."""
        self._closing.set()
        if self._shipper is not None:
            self._shipper.join()
        self._collect(last=True)
        self._try_put()
        self._output.close()
        self._input.close()

    # ---- inside

    def _follow(self) -> None:
        shipped = time.monotonic()
        while not self._closing.wait(LOOK_SECONDS):
            self._collect()
            if self._waiting and time.monotonic() - shipped >= SHIP_SECONDS:
                self._try_put()
                shipped = time.monotonic()

    def _collect(self, *, last: bool = False) -> None:
        """Take what is new in the file, line by line, secrets hidden."""
        lines = (self._rest + self._input.read()).split(b"\n")
        self._rest = b"" if last else lines.pop()
        if last and lines and not lines[-1]:
            lines.pop()
        if not lines:
            return
        now = int(time.time() * 1000)
        texts = [self._hidden(line.decode(errors="replace")) for line in lines]
        with self.kept.open("a") as kept:
            kept.write("".join(f"{text}\n" for text in texts))
        self._waiting += [{"timestamp": now, "message": f"{text[:LONGEST_EVENT]}\n"} for text in texts]

    def _hidden(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def _try_put(self) -> None:
        try:
            self._put()
        except (ClientError, BotoCoreError) as problem:
            self.problem, self._client = problem, None

    def _put(self) -> None:
        while self._waiting and self._client is not None:
            size = count = 0
            for event in self._waiting[:MOST_EVENTS]:
                size += len(event["message"].encode()) + EVENT_BYTES
                if size > MOST_BYTES and count:
                    break
                count += 1
            self._client.put_log_events(
                logGroupName=self._group, logStreamName=self._stream, logEvents=self._waiting[:count]
            )
            del self._waiting[:count]
