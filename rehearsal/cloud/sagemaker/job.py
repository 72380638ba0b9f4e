"""One job on one stand-in instance: what processing and training have in common."""

from __future__ import annotations

import logging
import shutil
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

from rehearsal.cloud.container import Containers
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.memory import OutOfMemoryError, memory_of
from rehearsal.cloud.runtimes.images import runtime_for
from rehearsal.cloud.sagemaker.job_data import DataProblem
from rehearsal.cloud.sagemaker.job_logs import JobLog
from rehearsal.cloud.sagemaker.job_rights import require_rights
from rehearsal.cloud.service import Credentials, Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

LONGEST_REASON = 1024
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html (FailureReason)"""
OUT_OF_MEMORY = (
    "ClientError: Please use an instance type with more memory, "
    "or reduce the size of job data processed on an instance."
)
"""What SageMaker says of processing and training jobs alike when the instance's memory was full and its kernel ended
the program with exit status 137. AWS documents no words for that: people quote these from their failed jobs."""
KILLED = 137
HOST = "algo-1"
"""The name of a job's first instance, on which the containers of all jobs here run."""


class PlatformFault(Exception):
    """SageMaker itself failed, not the job's program. The message is what it says of that."""


class Job(ABC):
    """A job from its creation on. Subclasses say what lies in `/opt/ml` before and what is fetched from it after."""

    kind: ClassVar[str]
    """As in ARNs: `processing-job`."""
    log_group: ClassVar[str]
    event: ClassVar[str]

    def __init__(
        self, cloud: Cloud, containers: Containers, credentials: Credentials, arn: str, name: str, request: Document
    ) -> None:
        self.cloud = cloud
        self.containers = containers
        self.credentials = credentials
        self.arn = arn
        self.name = name
        self.request = request
        self.role_arn: str = request["RoleArn"]
        self.image = self.image_of(request)
        self.status = "InProgress"
        self.failure_reason: str | None = None
        self.created = self.modified = cloud.clock.now()
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self.finished = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._stop_asked = threading.Event()
        self._out_of_memory = False
        self._lock = threading.Lock()
        self.folder = cloud.folder_for("sagemaker", f"{self.kind}s", name)
        self.ml = self.folder / "ml"
        self.ml.mkdir(exist_ok=True)

    # ---- what a kind of job decides

    @staticmethod
    @abstractmethod
    def image_of(request: Document) -> str:
        """The image's URI."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The program and its arguments."""

    @abstractmethod
    def variables(self) -> Mapping[str, str]:
        """What SageMaker and the request add to the program's environment."""

    @abstractmethod
    def instance_type(self) -> str:
        """What the job runs on."""

    @abstractmethod
    def longest_run(self) -> float:
        """Seconds after which the job is stopped."""

    @abstractmethod
    def output_key(self) -> str | None:
        """The KMS key of what is uploaded."""

    @abstractmethod
    def volume_key(self) -> str | None:
        """The KMS key of the instance's volume."""

    @abstractmethod
    def vpc(self) -> Mapping[str, Any] | None:
        """The network the job joins."""

    @abstractmethod
    def bring(self, s3: Any) -> None:  # noqa: ANN401 - boto3 is untyped
        """Make `/opt/ml` as the program expects it."""

    @abstractmethod
    def fetch(self, s3: Any, *, succeeded: bool) -> None:  # noqa: ANN401 - boto3 is untyped
        """Upload what the program left."""

    @abstractmethod
    def failure_of(self, exit_status: int) -> str:
        """The failure reason of a program that ended with `exit_status`."""

    @abstractmethod
    def describe(self) -> Document:
        """The answer of Describe…Job."""

    def on_line(self, line: str) -> None:  # noqa: B027 - not every kind looks at lines
        """One line that the program printed."""

    def enter(self, phase: str) -> None:  # noqa: B027 - not every kind has phases
        """A secondary status begins; only training jobs have them."""

    def run_into_faults(self) -> None:  # noqa: B027 - not every kind has any
        """What may go wrong before the program starts. Raises PlatformFault."""

    # ---- the life of a job

    def run(self) -> None:
        """Play the job to its end; whatever happens, it has a final status afterwards."""
        try:
            self._run()
        except DataProblem as problem:
            self._end("Failed", str(problem))
        except PlatformFault as problem:
            self._end("Failed", f"InternalServerError: {problem}")
        except AwsError as problem:
            self._end("Failed", f"ClientError: {problem.code}: {problem.message}")
        except ClientError as problem:
            error = problem.response["Error"]
            self._end("Failed", f"ClientError: {error['Code']}: {error['Message']}")
        except Exception as problem:
            if not self.cloud.stopping.is_set():
                log.exception("%s %s", self.kind, self.name)
            self._end("Failed", f"InternalServerError: {type(problem).__name__}: {problem}")

    def stop(self) -> None:
        """Stopping from here on: the program is told to end, then the job is Stopped. Raises AwsError when it ended."""
        with self._lock:
            refuse_ended(self.kind, self.status)
            if self.status == "Stopping":
                return
            self.status = "Stopping"
            self.modified = self.cloud.clock.now()
            self._stop_asked.set()
            self.enter("Stopping")
            child = self._child
        if child is not None:
            self.cloud.background(f"stop {self.name}", self.containers.stop, child)

    def _run(self) -> None:
        self.enter("Starting")
        credentials = self.credentials
        require_rights(
            self.cloud, credentials, self.image, self.log_group, self.output_key(), self.volume_key(), self.vpc()
        )
        s3 = self.cloud.client("s3", credentials)
        self.enter("Downloading")
        self.bring(s3)
        self.run_into_faults()
        self.started = self.modified = self.cloud.clock.now()
        logs = self._open_log(credentials)
        try:
            self.enter("Training")
            status, ran_out = self._run_program(credentials, logs)
        finally:
            logs.close()
        stopped = ran_out or self._stop_asked.is_set()
        if status == 0 or stopped:
            self.enter("Uploading")
        self.fetch(s3, succeeded=status == 0 and not stopped)
        if stopped:
            self._end("Stopped", None, "MaxRuntimeExceeded" if ran_out else "Stopped")
        elif status == 0:
            self._end("Completed", None)
        else:
            self._end("Failed", OUT_OF_MEMORY if self._out_of_memory else self.failure_of(status))

    def _run_program(self, credentials: Credentials, logs: JobLog) -> tuple[int, bool]:
        def line(text: str) -> None:
            logs.line(text)
            self.on_line(text)

        def started(child: subprocess.Popen[bytes]) -> None:
            with self._lock:
                self._child = child
            if self._stop_asked.is_set():
                self.containers.stop(child)

        if self._stop_asked.is_set():
            return 0, False
        environment = {**self.cloud.environment(credentials), **self.variables()}
        memory = memory_of(self.instance_type())
        limit = None if memory is None else int(memory * self.cloud.settings.memory)
        try:
            status = self.containers.run(
                self.image, self.ml, self.command(), environment, line, self.longest_run(), started, limit
            )
        except subprocess.TimeoutExpired:
            return 0, True
        except OutOfMemoryError as problem:
            log.info("%s: %s", self.name, problem)
            self._out_of_memory = True
            return KILLED, False
        return status, False

    def _open_log(self, credentials: Credentials) -> JobLog:
        stream = f"{self.name}/{HOST}-{int(self.cloud.clock.timestamp())}"
        logs = JobLog(self.cloud.client("logs", credentials), self.log_group, stream)
        logs.open()
        return logs

    def _end(self, status: str, reason: str | None, phase: str | None = None) -> None:
        with self._lock:
            self.ended = self.modified = self.cloud.clock.now()
            self.failure_reason = reason[:LONGEST_REASON] if reason else None
            self.enter(phase or status)
            self.status = status
        if status == "Completed":
            shutil.rmtree(self.ml, ignore_errors=True)  # everything of worth is in S3; a failed job's folder stays
        try:
            if not self.cloud.stopping.is_set():
                self.cloud.events.emit("aws.sagemaker", self.event, self.describe(), [self.arn])
        except Exception as problem:
            log.warning("an event of %s could not be sent: %s", self.arn, problem)
        self.finished.set()


def refuse_ended(kind: str, status: str) -> None:
    """Raises AwsError for a job that cannot be stopped any more, in the words that its clients look for.

    https://github.com/kubeflow/pipelines/tree/2.0.0/components/aws/sagemaker
    """
    if status in ("Completed", "Failed", "Stopped"):
        what = kind.replace("-", " ")
        raise AwsError("ValidationException", f"The request was rejected because the {what} is in status {status}")


def check_image(image: str, region: str) -> None:
    """Raises AwsError for another region's image, NotImplementedHere for one without a runtime."""
    runtime_for(image)
    found = image.split(".")[3]
    if found != region:
        raise AwsError(
            "ValidationException",
            f"Invalid region {found} in image URI {image}. Please provide an image URI in region {region}.",
        )


def one_instance(count: int) -> None:
    """Raises NotImplementedHere for a job that wants more than one instance."""
    if count != 1:
        raise NotImplementedHere(f"A job on {count} instances (InstanceCount; one is played)")


def refuse(request: Mapping[str, Any], *members: str) -> None:
    """Raises NotImplementedHere for members that AWS would act on and nothing here does."""
    for member in members:
        if request.get(member):
            raise NotImplementedHere(f"The member {member} of a job")


def read_message(path: Path, longest: int = LONGEST_REASON) -> str:
    """What a program wrote to tell about itself, cut as AWS cuts it."""
    try:
        with path.open("rb") as file:
            return file.read(longest * 4).decode("utf-8", errors="replace")[:longest]
    except OSError:
        return ""
