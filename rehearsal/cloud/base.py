"""The base emulator behind the front door: S3, IAM, STS, CloudFormation, EventBridge, SNS, SQS, SSM, Logs, CloudWatch.

It runs in an environment and a process of its own because it pins another botocore. Everything the cloud needs of its
inside goes through the three questions here, so that another emulator could take its place.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.managed_policies import published
from rehearsal.cloud.ports import reserved_port
from rehearsal.cloud.processes import Processes
from rehearsal.cloud.service import Call, Credentials
from rehearsal.cloud.settings import CloudSettings

START_SECONDS = 300.0
"""More than the slowest machine takes: a process that cannot start ends, and is not waited for."""
PROCESS = "rehearsal.cloud.base_process"
PROJECT = Path(__file__).parents[2]
"""Where this package is found by the base's process."""


class Base:
    """The base's process, and the questions only it can answer."""

    def __init__(self, settings: CloudSettings, processes: Processes) -> None:
        self._settings = settings
        self._processes = processes
        self._idle: list[http.client.HTTPConnection] = []
        """Open connections that nobody uses now; lists are popped and appended to in one step."""
        self._process: subprocess.Popen[Any] | None = None
        self.token = secrets.token_hex(16)
        self.root = Credentials(
            "ROOT" + secrets.token_hex(6).upper(), secrets.token_hex(20), None, f"arn:aws:iam::{settings.account}:root"
        )
        """The account's root user: used to set the scene only; every actor of a story has a role of their own."""
        self.port = 0

    @property
    def pid(self) -> int:
        """The base's process id; 0 before it was started."""
        return self._process.pid if self._process else 0

    def start(
        self,
        front_door: str,
        types: Iterable[str],
        replacing: Mapping[str, list[str]],
        tag_properties: Mapping[str, str],
    ) -> None:
        """Start the process and return when it answers. Raises RuntimeError with its log's tail when it does not."""
        python = self._settings.environments / "base" / "bin" / "python"
        if not python.exists():
            raise RuntimeError(f"the base emulator's environment is missing: {python}. Run `make install` first.")
        self.port = reserved_port()
        folder = self._settings.folder / "base"
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": str(PROJECT),
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "AUTH": "true",
            "LAMBDA_EXECUTOR": "local",
            "LOG_LEVEL": "WARNING",
            "MINISTACK_ACCOUNT_ID": self._settings.account,
            "MINISTACK_REGION": self._settings.region,
            "AWS_ACCESS_KEY_ID": self.root.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.root.secret_access_key,
            "AWS_DEFAULT_REGION": self._settings.region,
            "REHEARSAL_FRONT_DOOR": front_door.removeprefix("http://"),
            "REHEARSAL_TOKEN": self.token,
            "REHEARSAL_SPEED": str(self._settings.speed),
            "REHEARSAL_TYPES": json.dumps(sorted(types)),
            "REHEARSAL_REPLACING": json.dumps(replacing),
            "REHEARSAL_TAG_PROPERTIES": json.dumps(tag_properties),
            "REHEARSAL_MANAGED_POLICIES": published(),
        }
        log_path = folder / "base.log"
        with log_path.open("ab") as log:
            self._process = self._processes.start(
                [str(python), "-m", "rehearsal.cloud.base_process"],
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.ask("credential", {"access_key_id": self.root.access_key_id})
            except OSError:
                time.sleep(0.02)
            else:
                return
        tail = "\n".join(log_path.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"the base emulator did not start; the end of {log_path}:\n{tail}")

    def ask(self, question: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """One question to the base's process. Raises AwsError when it answers with an error, OSError when it is
        gone."""
        body = json.dumps(document)
        headers = {"Content-Type": "application/json", "X-Rehearsal-Token": self.token}
        for attempt in (1, 2):
            try:
                with self.connection() as connection:
                    connection.request("POST", f"/_base/{question}", body, headers)
                    answer: dict[str, Any] = json.loads(connection.getresponse().read())
                break
            except (http.client.HTTPException, OSError):
                if attempt == 2:
                    raise
        if "error" in answer:
            raise AwsError(answer.get("code", "InternalFailure"), answer["error"], 403)
        return answer

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        """A connection to the base for one request and the whole of its answer, kept open for whoever comes next.

        Not one for each thread: most threads live for one connection of somebody's, and opening one to the base costs
        both sides more than many a question. When one breaks, the idle ones are forgotten, too: they are as old.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connected()
        try:
            yield connection
        except BaseException:
            connection.close()
            idle, self._idle = self._idle, []
            for each in idle:
                each.close()
            raise
        self._idle.append(connection)

    def _connected(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=900)
        connection.connect()
        if connection.sock is not None:
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def credentials(self, access_key_id: str) -> Credentials:
        """Whose key this is. Raises AwsError (UnrecognizedClientException, ...) for a key nobody owns."""
        return Credentials(**self.ask("credential", {"access_key_id": access_key_id}))

    def refusals(self, access_key_id: str, calls: Iterable[Call]) -> list[str]:
        """Why each call of one principal is refused, as AWS says it (`because no permissions boundary allows ...`,
        `with an explicit deny in ...`); empty for a call that is allowed."""
        asked = [{"action": c.action, "resource": c.resource, "context": dict(c.context)} for c in calls]
        refusals: list[str] = self.ask("decide", {"access_key_id": access_key_id, "calls": asked})["refusals"]
        return refusals

    def allowed(self) -> list[tuple[str, str, int]]:
        """What the base itself allowed so far: principal, action and how often."""
        return [(each[0], each[1], each[2]) for each in self.ask("allowed", {})["allowed"]]

    def trust(self, role_arn: str, service: str, context: Mapping[str, str]) -> tuple[bool, bool]:
        """Whether the role exists, and whether its trust policy lets `service` assume it."""
        answer = self.ask("trusts", {"role_arn": role_arn, "service": service, "context": dict(context)})
        return bool(answer["exists"]), bool(answer["trusted"])

    def session(self, role_arn: str, session_name: str, policy: str = "") -> Credentials:
        """Credentials of a session of a role, narrowed by `policy`, if any. Raises AwsError for no such role."""
        question = {"role_arn": role_arn, "session_name": session_name, "policy": policy}
        return Credentials(**self.ask("session", question))

    def forwarded(self, access_key_id: str, service: str) -> Credentials:
        """Credentials of the same principal, through `service`. Raises AwsError for a key nobody owns."""
        return Credentials(**self.ask("forwarded", {"access_key_id": access_key_id, "service": service}))
