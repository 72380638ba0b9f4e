"""One step in one execution: its state, its calls as the pipeline's role, and its retries."""

from __future__ import annotations

import json
import logging
import secrets
import string
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.faults import THROTTLING
from rehearsal.cloud.sagemaker.expressions import ExpressionProblem, Scope
from rehearsal.cloud.sagemaker.job_data import split_s3_uri
from rehearsal.cloud.sagemaker.pipeline_definition import Step, own_arguments
from rehearsal.cloud.sagemaker.pipeline_quotas import PROPERTY_FILE_BYTES
from rehearsal.cloud.service import Credentials, Document

if TYPE_CHECKING:
    from rehearsal.cloud.sagemaker.pipeline_execution import Execution

log = logging.getLogger(__name__)

LONGEST_REASON = 1024
LONGEST_JOB_NAME = 63
LETTERS = string.ascii_lowercase + string.digits
MOST_ATTEMPTS = 5
AUTOMATIC: dict[str, dict[str, Any]] = {"Step.SERVICE_FAULT": {}, "Step.THROTTLING": {}}
THROTTLED = {"ThrottlingException", "Throttling", "TooManyRequestsException"}


class StepFailed(Exception):
    """The step's attempt failed. `exception_type` is what retry policies match, None when nothing retries it."""

    def __init__(self, reason: str, exception_type: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.exception_type = exception_type


class StepStopped(Exception):
    """The execution was stopped while the step ran."""


def exception_type_of(error: AwsError) -> str | None:
    """How the retry policy names an error of a call.

    https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html
    """
    if error.code in THROTTLED:
        return "Step.THROTTLING"
    if error.code == "ResourceLimitExceeded":
        return "SageMaker.RESOURCE_LIMIT"
    if error.status >= 500 and error.status != 501:  # 501: not played here, which no retry changes
        return "Step.SERVICE_FAULT"
    return None


class StepRun:
    """What ListPipelineExecutionSteps tells of a step, while it happens and afterwards."""

    def __init__(self, execution: Execution, step: Step) -> None:
        self.execution = execution
        self.step = step
        self.status = "Starting"
        self.started: datetime = execution.cloud.clock.now()
        self.ended: datetime | None = None
        self.failure_reason: str | None = None
        self.metadata: dict[str, Any] = {}
        self.cache_source: str | None = None
        self.attempts = 0
        self.properties: dict[str, Any] = {}
        self.stop_job: Callable[[], None] | None = None
        self.job_name = ""
        self._credentials: Credentials | None = None
        self._lock = threading.Lock()

    # ---- what step types use

    @property
    def credentials(self) -> Credentials:
        """The session in which this step makes its calls."""
        if self._credentials is None:
            self._credentials = self.execution.assume_role(self.step.name)
        return self._credentials

    def call(self, operation: str, request: Document) -> Document:
        """Call SageMaker as the pipeline's role. Raises StepFailed in the words of Pipelines."""
        cloud = self.execution.cloud
        try:
            if operation.startswith("Create") and cloud.faults.strikes(
                THROTTLING, f"{operation} of step {self.step.name}", part="a pipeline's step"
            ):
                raise AwsError("ThrottlingException", "Rate exceeded")
            return cloud.call(self.credentials, "sagemaker", operation, request)
        except AwsError as error:
            kind = exception_type_of(error)
            reason = f"ClientError: Failed to invoke sagemaker:{operation}. Error Details: {error.message}"
            if kind and self._policy(kind) is None:
                reason += (
                    "\nRetry not appropriate on execution of step with PipelineExecutionArn "
                    f"{self.execution.arn} and StepId {self.step.name}. No retry policy configured for the exception "
                    f"type {kind.upper().replace('.', '_')}."
                )
            raise StepFailed(reason, kind) from error

    def arguments(self) -> dict[str, Any]:
        """The step's arguments with every expression resolved."""
        resolved: dict[str, Any] = self.scope().resolve(own_arguments(self.step))
        return resolved

    def scope(self) -> Scope:
        """What expressions of this step can see."""
        variables = self.execution.variables()
        if self.job_name:
            variables[f"{self.step.type}JobName"] = self.job_name
        return Scope(
            self.execution.parameters,
            variables,
            self.execution.properties(),
            self._property_file,
            self._s3_json,
        )

    def new_job_name(self, prefix: str | None) -> str:
        """`pipelines-<execution id>-<step>-<random>`, or the custom prefix that the arguments name.

        https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-access.html#build-and-manage-step-permissions-prefix
        """
        suffix = "".join(secrets.choice(LETTERS) for _ in range(10))
        identifier = self.execution.identifier
        stem = f"{prefix}-{identifier}" if prefix else f"pipelines-{identifier}-{self.step.name}"
        return f"{stem[: LONGEST_JOB_NAME - len(suffix) - 1].rstrip('-')}-{suffix}"

    def executing(self) -> None:
        """The step's job runs."""
        self._become("Executing")

    # ---- the life of a step

    def run(self, runner: Callable[[StepRun], None]) -> None:
        """Run to the end, retries included; afterwards the status is Succeeded, Failed or Stopped."""
        used: dict[int, int] = {}
        begun = self.execution.cloud.clock.timestamp()
        while True:
            self.attempts += 1
            try:
                runner(self)
            except StepStopped:
                self._become("Stopped")
                return
            except StepFailed as problem:
                policy = self._policy(problem.exception_type)
                if policy is None or not self._wait_for_retry(policy, used, begun):
                    self._fail(problem.reason)
                    return
            except ExpressionProblem as problem:
                self._fail(str(problem))
                return
            except AwsError as problem:
                self._fail(f"ClientError: {problem.message}")
                return
            except Exception as problem:
                self._fail(f"InternalServerError: {type(problem).__name__}: {problem}")
                raise
            else:
                self._become("Succeeded")
                return

    def stopping(self) -> None:
        """The execution is being stopped."""
        with self._lock:
            if self.ended is not None:
                return
            stop = self.stop_job
        self._become("Stopping")
        if stop:
            try:
                stop()
            except StepFailed as problem:
                log.warning("step %s goes on: %s", self.step.name, problem.reason)

    def describe(self) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_PipelineExecutionStep.html"""
        answer: Document = {
            "StepName": self.step.name,
            "StepDisplayName": self.step.display_name,
            "StepDescription": self.step.description,
            "StartTime": self.started,
            "EndTime": self.ended,
            "StepStatus": self.status,
            "FailureReason": self.failure_reason,
            "Metadata": self.metadata,
            "AttemptCount": self.attempts,
            "CacheHitResult": {"SourcePipelineExecutionArn": self.cache_source} if self.cache_source else None,
        }
        return {member: value for member, value in answer.items() if value is not None}

    def _fail(self, reason: str) -> None:
        self.failure_reason = reason[:LONGEST_REASON]
        self._become("Failed")

    def _become(self, status: str) -> None:
        with self._lock:
            previous = self.status
            if previous == status or self.ended is not None:
                return
            if previous == "Stopping" and status == "Executing":
                return
            self.status = status
            if status in ("Succeeded", "Failed", "Stopped"):
                self.ended = self.execution.cloud.clock.now()
        self.execution.step_changed(self, previous)

    def _policy(self, exception_type: str | None) -> dict[str, Any] | None:
        """What is done about an exception: the step's own policy first. Without one Pipelines retries what is not the
        step's fault by itself, in a step of any type; how often, AWS does not say: here as a policy without numbers.

        https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html
        """
        for policy in self.step.retries:
            if exception_type and exception_type in policy["ExceptionType"]:
                return policy
        return AUTOMATIC.get(exception_type or "")

    def _wait_for_retry(self, policy: dict[str, Any], used: dict[int, int], begun: float) -> bool:
        """Wait as the policy says; False when it is used up or the execution stops."""
        clock = self.execution.cloud.clock
        attempt = used[id(policy)] = used.get(id(policy), 0) + 1
        if "ExpireAfterMin" not in policy and attempt > policy.get("MaxAttempts", MOST_ATTEMPTS):
            return False
        wait = policy.get("IntervalSeconds", 1) * policy.get("BackoffRate", 2.0) ** (attempt - 1)
        passed = (clock.timestamp() - begun) * clock.speed
        if "ExpireAfterMin" in policy and passed + wait > policy["ExpireAfterMin"] * 60:
            return False
        return not clock.wait(wait, until=self.execution.stop_asked)

    def _property_file(self, step: str, name: str) -> Any:  # noqa: ANN401 - any JSON value
        file = self.execution.definition.steps[step].property_files[name]
        outputs = self.execution.properties().get(step, {}).get("ProcessingOutputConfig", {}).get("Outputs", [])
        for output in outputs:
            if output["OutputName"] == file["OutputName"]:
                uri = f"{output['S3Output']['S3Uri'].rstrip('/')}/{file['FilePath']}"
                return self._s3_json(uri, PROPERTY_FILE_BYTES)
        raise ExpressionProblem(
            f"ClientError: Property file {name}: step {step} has no output named {file['OutputName']}."
        )

    def _s3_json(self, uri: str, most: int | None = None) -> Any:  # noqa: ANN401 - any JSON value
        """Read as the pipeline's role, which needs s3:GetObject for it. More than `most` bytes are a problem.

        https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-access.html
        """
        bucket, key = split_s3_uri(uri)
        try:
            found = self.execution.cloud.client("s3", self.credentials).get_object(Bucket=bucket, Key=key)
            if most is not None and found["ContentLength"] > most:
                raise ExpressionProblem(
                    f"ClientError: {uri} has {found['ContentLength']} bytes, and a property file can have {most}."
                )
            return json.loads(found["Body"].read())
        except (ClientError, BotoCoreError) as problem:
            raise ExpressionProblem(f"ClientError: Failed to read {uri} for JsonGet: {problem}") from problem
        except ValueError as problem:
            raise ExpressionProblem(f"ClientError: {uri} is not JSON: {problem}") from problem
