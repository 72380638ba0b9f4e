"""What an endpoint's container prints, shipped to CloudWatch Logs as the execution role.

A role that may not write logs does not stop an endpoint on AWS, nor here: the denial is in the report, and the lines
stay in the container's folder only.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.service import Credentials

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

SHIP_SECONDS = 0.5
BATCH = 1000


class ContainerLogs:
    """Follows a file and puts its lines into one log stream, until closed."""

    def __init__(self, cloud: Cloud, role: Credentials, group: str, stream: str, output: Path) -> None:
        self._cloud = cloud
        self._role = role
        self._group = group
        self._stream = stream
        self._output = output
        self._read = 0
        self._client: Any = None
        self._denied = False
        self._closing = threading.Event()
        self._shipping = threading.Lock()
        self._thread = cloud.background(f"logs of {group}/{stream}", self._follow)

    def close(self) -> None:
        """Ship what is left, once."""
        if not self._closing.is_set():
            self._closing.set()
            self._ship()

    def _follow(self) -> None:
        while not self._closing.wait(SHIP_SECONDS):
            if self._cloud.stopping.is_set():
                return
            self._ship()

    def _ship(self) -> None:
        with self._shipping:
            if self._denied or self._cloud.stopping.is_set() or not self._output.exists():
                return
            with self._output.open("rb") as file:
                file.seek(self._read)
                new = file.read()
            whole = len(new) if self._closing.is_set() else new.rfind(b"\n") + 1
            lines = new[:whole].decode(errors="replace").splitlines()
            if not lines:
                return
            self._read += whole
            try:
                self._put(lines)
            except (ClientError, BotoCoreError) as problem:
                self._denied = True
                log.warning("no logs in %s: %s", self._group, problem)

    def _put(self, lines: list[str]) -> None:
        if self._client is None:
            self._client = self._cloud.client("logs", self._role)
            for create, what in (
                (self._client.create_log_group, {"logGroupName": self._group}),
                (self._client.create_log_stream, {"logGroupName": self._group, "logStreamName": self._stream}),
            ):
                try:
                    create(**what)
                except self._client.exceptions.ResourceAlreadyExistsException:
                    continue
        now = int(time.time() * 1000)
        for start in range(0, len(lines), BATCH):
            self._client.put_log_events(
                logGroupName=self._group,
                logStreamName=self._stream,
                logEvents=[{"timestamp": now, "message": line or " "} for line in lines[start : start + BATCH]],
            )
