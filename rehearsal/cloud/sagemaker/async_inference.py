"""Asynchronous inference: requests wait in a queue, answers are files in S3, and notifications say which.

What is real: the queue, which outlives having no instance at all; the files, read and written as the model's execution
role; the messages on the topics, published as that role. A deployment shifts what is taken from the queue as it shifts
real-time requests.
https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference.html
https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.sagemaker.fleets import Fleet, VariantFleet
from rehearsal.cloud.sagemaker.model_server import ContainerSilentError
from rehearsal.cloud.sagemaker.models import split_s3_url
from rehearsal.cloud.service import Credentials, Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud
    from rehearsal.cloud.sagemaker.endpoint_metrics import EndpointMetrics
    from rehearsal.cloud.sagemaker.endpoint_state import Endpoint

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
"""Real seconds between two looks at the queue, and between two data of its metrics."""
AT_ONCE = 4
"""Invocations per instance at the same time where MaxConcurrentInvocationsPerInstance leaves it to SageMaker."""
TIME_TO_LIVE = 6 * 3600.0
"""RequestTTLSeconds where the caller does not say: AWS seconds."""


@dataclass(frozen=True)
class AsyncRequest:
    """One InvokeEndpointAsync."""

    inference_id: str
    input_location: str
    output_location: str
    failure_location: str
    headers: Document
    """Content type, accepted type and custom attributes, as the container gets them."""
    expires: float
    """On the monotonic clock."""
    received: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class _Taken:
    """A request, and the server that it has entered until `place` is closed."""

    request: AsyncRequest
    fleet: Fleet
    variant: VariantFleet
    place: ExitStack


def check(config: Document) -> None:
    """Refuse what asynchronous inference cannot have. Raises AwsError.

    https://docs.aws.amazon.com/sagemaker/latest/dg/model-deploy-feature-matrix.html
    """
    output = config["AsyncInferenceConfig"]["OutputConfig"]
    if not output.get("S3OutputPath", "").startswith("s3://"):
        raise AwsError("ValidationException", "S3OutputPath of AsyncInferenceConfig must be an Amazon S3 location.")
    if len(config["ProductionVariants"]) > 1:
        raise AwsError("ValidationException", "Asynchronous inference supports a single production variant.")
    if config.get("DataCaptureConfig", {}).get("EnableCapture", "DataCaptureConfig" in config):
        raise NotImplementedHere("DataCaptureConfig with AsyncInferenceConfig (SageMaker captures no data of these)")


class AsyncBacklog:
    """The queue of one endpoint, and what takes requests from it."""

    def __init__(self, cloud: Cloud, endpoint: Endpoint, metrics: EndpointMetrics) -> None:
        self._cloud = cloud
        self._endpoint = endpoint
        self._metrics = metrics
        self._waiting: deque[AsyncRequest] = deque()
        self._running = 0
        self._changed = threading.Condition()
        self._ended = False
        cloud.background(f"asynchronous requests to {endpoint.name}", self._work)

    def submit(self, request: AsyncRequest) -> None:
        """Let a request wait its turn."""
        with self._changed:
            self._waiting.append(request)
            self._changed.notify_all()

    def end(self) -> None:
        """The endpoint goes: what waits is lost."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify_all()

    def holding(self) -> threading.Condition:
        """While this is held (`with`), nothing is taken from the queue."""
        return self._changed

    def _work(self) -> None:
        measured = 0.0
        while not self._ended and not self._cloud.stopping.is_set():
            taken = self._next()
            if taken is not None:
                self._cloud.background(f"asynchronous request {taken.request.inference_id}", self._answer, taken)
            if time.monotonic() - measured >= LOOK_SECONDS:
                measured = time.monotonic()
                with self._changed:
                    size = len(self._waiting) + self._running
                self._metrics.backlog(self._endpoint.name, size, self._instances())

    def _instances(self) -> int:
        return self._endpoint.traffic.instances

    def _free(self) -> bool:
        """Whether an instance has a place for another request."""
        with self._endpoint.lock:
            fleet = self._endpoint.fleet
            limit = fleet.config.async_inference.get("ClientConfig", {}) if fleet is not None else {}
        return self._running < self._instances() * int(limit.get("MaxConcurrentInvocationsPerInstance", AT_ONCE))

    def _next(self) -> _Taken | None:
        """The first request, as soon as an instance has a place for it; None when nothing can be taken now.

        It enters its server before anybody else may change how many there are.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or (self._waiting and self._free()), LOOK_SECONDS)
            if self._ended or not self._waiting or not self._free():
                return None
            stack = ExitStack()
            fleet, variant = stack.enter_context(self._endpoint.traffic.take())
            self._running += 1
            return _Taken(self._waiting.popleft(), fleet, variant, stack)

    def _answer(self, taken: _Taken) -> None:
        try:
            with taken.place:
                self._answer_with(taken.request, taken.fleet, taken.variant)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _answer_with(self, request: AsyncRequest, fleet: Fleet, variant: VariantFleet) -> None:
        output = fleet.config.async_inference["OutputConfig"]
        role = variant.server.role
        outcome: Document
        try:
            if time.monotonic() > request.expires:
                raise _FailedError("The request expired before it could be processed (RequestTTLSeconds).")
            body = self._read(request, role)
            content_type, answer = self._invoke(request, body, fleet, variant)
            self._write(request.output_location, answer, content_type, output, role)
            outcome = {
                "invocationStatus": "Completed",
                "responseParameters": {"contentType": content_type, "outputLocation": request.output_location},
            }
        except _FailedError as problem:
            outcome = {"invocationStatus": "Failed", "failureReason": str(problem)}
            if request.failure_location:
                self._write_failure(request, str(problem), output, role)
        self._notify(request, outcome, output.get("NotificationConfig", {}), role)

    def _read(self, request: AsyncRequest, role: Credentials) -> bytes:
        bucket, key = split_s3_url(request.input_location)
        try:
            body: bytes = self._cloud.client("s3", role).get_object(Bucket=bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as problem:
            raise _FailedError(f"Could not download the input from {request.input_location}: {problem}") from problem
        return body

    def _invoke(self, request: AsyncRequest, body: bytes, fleet: Fleet, variant: VariantFleet) -> tuple[str, bytes]:
        began = time.perf_counter()
        status, seconds = 0, None
        try:
            answer = variant.server.invoke(body, {**request.headers, "Content-Length": str(len(body))})
            status, seconds = answer.status, answer.seconds
        except ContainerSilentError as problem:
            raise _FailedError(f"Received server error (0) from model: {problem}") from problem
        finally:
            model_seconds = time.perf_counter() - began if seconds is None else seconds
            self._metrics.asynchronous_invocation(
                self._endpoint.name, variant.name, fleet.config.name, status=status, model_seconds=model_seconds
            )
        if not 200 <= status < 300:
            side = "client" if status < 500 else "server"
            words = answer.body.decode(errors="replace")
            raise _FailedError(f'Received {side} error ({status}) from model with message "{words}".')
        return answer.headers.get("content-type", "application/octet-stream"), answer.body

    def _write(self, location: str, body: bytes, content_type: str, output: Document, role: Credentials) -> None:
        bucket, key = split_s3_url(location)
        encryption = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": output["KmsKeyId"]} if output.get("KmsKeyId") else {}
        )
        try:
            s3 = self._cloud.client("s3", role)
            s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type, **encryption)
        except (ClientError, BotoCoreError) as problem:
            raise _FailedError(f"Could not upload the answer to {location}: {problem}") from problem

    def _write_failure(self, request: AsyncRequest, reason: str, output: Document, role: Credentials) -> None:
        try:
            self._write(request.failure_location, reason.encode(), "text/plain", output, role)
        except _FailedError as problem:
            log.warning("the failure of %s was not written: %s", request.inference_id, problem)

    def _notify(self, request: AsyncRequest, outcome: Document, topics: Document, role: Credentials) -> None:
        failed = outcome["invocationStatus"] == "Failed"
        topic = topics.get("ErrorTopic" if failed else "SuccessTopic")
        if topic is None:
            return
        message = {
            "awsRegion": self._cloud.region,
            "eventTime": _stamp(datetime.now(UTC)),
            "receivedTime": _stamp(request.received),
            "requestParameters": {
                "contentType": request.headers.get("Content-Type"),
                "endpointName": self._endpoint.name,
                "inputLocation": request.input_location,
            },
            **outcome,
            "inferenceId": request.inference_id,
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
        }
        try:
            self._cloud.client("sns", role).publish(TopicArn=topic, Message=json.dumps(message))
        except (ClientError, BotoCoreError) as problem:
            log.warning("the notification about %s was not published: %s", request.inference_id, problem)


class _FailedError(Exception):
    """The request got no answer; the message is the notification's failureReason."""


def new_request(
    config: Document, header: Callable[[str], str | None], real_seconds: Callable[[float], float]
) -> AsyncRequest:
    """What the headers of one InvokeEndpointAsync mean, by the names of the API's members; `config` is OutputConfig."""
    name = str(uuid4())
    given = {
        "Content-Type": header("ContentType"),
        "Accept": header("Accept"),
        "X-Amzn-SageMaker-Custom-Attributes": header("CustomAttributes"),
    }
    failures = str(config.get("S3FailurePath", "")).rstrip("/")
    return AsyncRequest(
        inference_id=header("InferenceId") or str(uuid4()),
        input_location=str(header("InputLocation")),
        output_location=f"{str(config['S3OutputPath']).rstrip('/')}/{name}.out",
        failure_location=f"{failures}/{name}-error.out" if failures else "",
        headers={key: value for key, value in given.items() if value is not None},
        expires=time.monotonic() + real_seconds(float(header("RequestTTLSeconds") or TIME_TO_LIVE)),
    )


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def try_notifications(cloud: Cloud, config: Document, role: Credentials) -> None:
    """Each topic gets a test message when an endpoint is created or updated. Raises AwsError where that is not allowed.

    https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-create-endpoint-create-endpoint.html
    """
    topics: dict[str, Any] = config["OutputConfig"].get("NotificationConfig", {})
    for kind in ("SuccessTopic", "ErrorTopic"):
        if kind in topics:
            try:
                cloud.client("sns", role).publish(
                    TopicArn=topics[kind], Message="Test message from SageMaker asynchronous inference"
                )
            except (ClientError, BotoCoreError) as problem:
                raise AwsError(
                    "ValidationException",
                    f"Could not publish to {kind} {topics[kind]} as the execution role: {problem}",
                ) from problem
