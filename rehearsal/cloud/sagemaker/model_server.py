"""One fleet of one production variant: a real HTTP server that runs the model's container.

On AWS a fleet is as many instances as the variant asks for; here one process stands for all of them, so an instance
count changes what is reported and what share of the traffic a canary gets, not how much the fleet can carry.

The artefact is fetched, the image pulled and the logs written as the model's execution role. The container has no
credentials and, unlike on AWS, sees this machine's network whatever EnableNetworkIsolation says.
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import queue
import shutil
import socket
import tarfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import ClientError

from rehearsal.cloud.container import Containers
from rehearsal.cloud.errors import AccessDenied, AwsError
from rehearsal.cloud.ports import reserved_port
from rehearsal.cloud.runtimes.images import ECR_IMAGE
from rehearsal.cloud.sagemaker.container_logs import ContainerLogs
from rehearsal.cloud.sagemaker.keys_and_networks import require_network
from rehearsal.cloud.sagemaker.models import SERVICE, Container, split_s3_url
from rehearsal.cloud.sagemaker.serving_container import ServingContainer
from rehearsal.cloud.service import Credentials
from rehearsal.cloud.service_calls import SAGEMAKER_ECR_LOGIN, SAGEMAKER_ECR_PULL

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

SERVE = Path(__file__).parents[1] / "runtimes" / "xgboost" / "serve.py"
STARTUP_SECONDS = 480.0
"""ContainerStartupHealthCheckTimeoutInSeconds when a variant does not say."""
STARTUP_FLOOR = 120.0
"""Real seconds a container always gets to answer at all: importing pandas is not sped up with the clock."""
INVOCATION_SECONDS = 60.0
"""A container must answer within 60 seconds; latencies are real, so these are real seconds."""
DRAIN_SECONDS = 65.0
PING_SECONDS = 2.0
POLL_SECONDS = 0.05


class FleetFailedError(Exception):
    """A fleet did not come up. The message is the FailureReason that DescribeEndpoint shows."""


@dataclass(frozen=True)
class ContainerAnswer:
    """What the container answered. `seconds` is how long it took, from the first byte sent to the last received."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


class ContainerSilentError(Exception):
    """The container broke the connection, answered no HTTP, or took longer than 60 seconds (`status` 0)."""


class ModelServer:
    """The process and its folder; `start` returns when it may get traffic."""

    def __init__(
        self,
        cloud: Cloud,
        containers: Containers,
        endpoint: str,
        variant: str,
        container: Container,
        startup: float | None,
    ) -> None:
        self._cloud = cloud
        self._containers = containers
        self._variant = variant
        self._container = container
        self._startup = cloud.clock.real_seconds(startup or STARTUP_SECONDS)
        self._folder = cloud.settings.folder / "sagemaker" / "endpoints" / f"{endpoint}-{variant}-{uuid4().hex[:8]}"
        self._endpoint = endpoint
        self._serving: ServingContainer | None = None
        self._logs: ContainerLogs | None = None
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()
        self._busy = 0
        self._quiet = threading.Condition()
        self._port = 0
        self._role: Credentials | None = None
        self.patience = INVOCATION_SECONDS

    @property
    def image(self) -> str:
        return self._container.image

    @property
    def role_arn(self) -> str:
        return self._container.role_arn

    @property
    def role(self) -> Credentials:
        """The session of the execution role this fleet acts with. Only after `start`."""
        if self._role is None:
            raise RuntimeError("the fleet has not been started")
        return self._role

    # ---- coming up

    def start(self) -> None:
        """Fetch, extract, run, and wait for the first healthy ping. Raises FleetFailedError with AWS's words."""
        try:
            self._role = self._assume()
            self._join_network()
            self._pull()
            self._fetch()
            self._run()
            self._await_health()
        except BaseException:
            self.stop(drain=False)
            raise

    def _assume(self) -> Credentials:
        try:
            return self._cloud.identity.assume_role(self._container.role_arn, SERVICE, "SageMaker")
        except AwsError as problem:
            raise FleetFailedError(
                f"Could not assume role {self._container.role_arn}. Please ensure that the role exists and allows "
                f'principal "{SERVICE}" to assume the role.'
            ) from problem

    def _join_network(self) -> None:
        try:
            if self._container.vpc:
                require_network(self._cloud, self.role, self._container.vpc)
        except AccessDenied as problem:
            raise FleetFailedError(
                f"The role '{self._container.role_arn}' does not have permission to join the model's VPC: "
                f"{problem.message}"
            ) from problem

    def _pull(self) -> None:
        parts = ECR_IMAGE.match(self._container.image)
        if parts is None:
            raise FleetFailedError(f"The image {self._container.image} is not an Amazon ECR image.")
        account, _dkr, _ecr, region, *_ = parts["registry"].split(".")
        repository = f"arn:aws:ecr:{region}:{account}:repository/{parts['repository']}"
        try:
            identity = self._cloud.identity
            identity.require_service_calls(self.role, SAGEMAKER_ECR_LOGIN)
            identity.require_service_calls(self.role, SAGEMAKER_ECR_PULL, repository)
        except AccessDenied as problem:
            raise FleetFailedError(
                f"The role '{self._container.role_arn}' does not have permission to pull the image "
                f"'{self._container.image}': {problem.message}"
            ) from problem

    def _fetch(self) -> None:
        """The artefact, as the execution role, extracted to /opt/ml/model."""
        target = self._folder / "model"
        target.mkdir(parents=True)
        url = self._container.model_data_url
        if not url:
            return
        bucket, key = split_s3_url(url)
        archive = self._folder / "model.tar.gz"
        try:
            self._cloud.client("s3", self.role).download_file(bucket, key, str(archive))
        except ClientError as problem:
            raise FleetFailedError(
                f'Failed to download model data for container "container_1" from URL: "{url}". Please ensure that '
                "there is an object located at the URL and that the role passed to CreateModel has permissions to "
                "download the object."
            ) from problem
        try:
            with tarfile.open(archive, "r:gz") as contents:
                contents.extractall(target, filter="data")
        except (tarfile.TarError, OSError, EOFError) as problem:
            raise FleetFailedError(
                f'Failed to extract model data for container "container_1" from URL: "{url}". Please ensure that the '
                f"object located at the URL is a valid tar.gz archive ({problem})."
            ) from problem
        finally:
            archive.unlink(missing_ok=True)

    def _run(self) -> None:
        self._port = reserved_port()
        output = self._folder / "container.log"
        output.touch()
        environment = {
            **self._container.environment,
            "SAGEMAKER_BIND_TO_PORT": str(self._port),
            "SAGEMAKER_REGION": self._cloud.region,
            "AWS_REGION": self._cloud.region,
        }
        environment.setdefault("OMP_NUM_THREADS", "1")
        self._serving = ServingContainer(
            self._cloud,
            self._containers,
            f"{self._endpoint}/{self._variant}",
            lambda: self._containers.start(
                self._container.image, self._folder, ["python3", str(SERVE)], environment, output
            ),
        )
        group, stream = self.log_names(f"i-{uuid4().hex[:17]}")
        self._logs = ContainerLogs(self._cloud, self.role, group, stream, output)

    def log_names(self, instance: str) -> tuple[str, str]:
        """The log group and the log stream of one instance."""
        return f"/aws/sagemaker/Endpoints/{self._endpoint}", f"{self._variant}/{instance}"

    def _await_health(self) -> None:
        deadline = time.monotonic() + max(self._startup, STARTUP_FLOOR)
        answered = False
        while time.monotonic() < deadline and not self._cloud.stopping.is_set():
            if self._serving is None or not self._serving.alive:
                break  # AWS would start it again until the time is up; it would end again
            status = self._ping()
            if status == http.client.OK:
                self._serving.keep()
                return
            if status is not None and not answered:
                answered = True  # it is up and unhealthy: from here on time is the cloud's
                deadline = time.monotonic() + self._startup
            self._cloud.stopping.wait(POLL_SECONDS)
        raise FleetFailedError(
            f"The primary container for production variant {self._variant} did not pass the ping health check. "
            "Please check CloudWatch logs for this endpoint."
        )

    def _ping(self) -> int | None:
        """The status of GET /ping, None when nothing answers within 2 seconds."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PING_SECONDS)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    # ---- answering

    def enter(self) -> None:
        """A request is on its way here: `stop` waits for its `leave`."""
        with self._quiet:
            self._busy += 1

    def leave(self) -> None:
        """The request announced with `enter` was answered."""
        with self._quiet:
            self._busy -= 1
            self._quiet.notify_all()

    def admit(self) -> None:
        """Refuse a request that has entered, with AWS's error, where the server takes no more at this moment."""

    def invoke(self, body: bytes, headers: dict[str, str]) -> ContainerAnswer:
        """POST /invocations. Raises ContainerSilentError when no HTTP answer comes in time."""
        while True:
            try:
                connection, fresh = self._idle.get_nowait(), False
            except queue.Empty:
                connection, fresh = self._connect(), True
            began = time.perf_counter()
            try:
                connection.request("POST", "/invocations", body, headers)
                reply = connection.getresponse()
                payload = reply.read()
            except (OSError, http.client.HTTPException) as problem:
                connection.close()
                stale = isinstance(problem, http.client.RemoteDisconnected | BrokenPipeError | ConnectionResetError)
                if stale and not fresh:
                    continue  # a kept connection that the container had closed: the request never reached it
                raise ContainerSilentError(str(problem) or type(problem).__name__) from problem
            seconds = time.perf_counter() - began
            if reply.will_close:
                connection.close()
            else:
                self._idle.put(connection)
            return ContainerAnswer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, payload, seconds)

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self.patience)
        with contextlib.suppress(OSError):  # the request will say it
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    # ---- going

    def kill(self) -> None:
        """Let the container crash. It is started again; requests fail meanwhile."""
        if self._serving is not None:
            self._serving.kill()

    def _drain(self) -> None:
        with self._quiet:
            self._quiet.wait_for(lambda: self._busy == 0 or self._cloud.stopping.is_set(), DRAIN_SECONDS)

    def sleep(self) -> None:
        """End the container after the requests it is answering; `wake` brings it back."""
        self._drain()
        self._end_container()

    def wake(self) -> None:
        """Start the container again, and wait until it is healthy. Raises FleetFailedError."""
        self._run()
        self._await_health()

    def stop(self, *, drain: bool = True) -> None:
        """End the process, after the requests it is answering when `drain`. Safe to call twice."""
        if drain:
            self._drain()
        self._end_container()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end_container(self) -> None:
        """End the process and what hangs on it; the model's files stay."""
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.stop()
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                break
        logs, self._logs = self._logs, None
        if logs is not None:
            logs.close()
