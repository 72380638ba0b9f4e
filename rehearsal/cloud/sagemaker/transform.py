"""Batch transform jobs: the model's own server is started, every input file is sent to it record by record, and what it
answers is written beside it in S3 as `<file>.out`.

A transform job has no role of its own: it acts as the execution role of its model.
https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html
"""

from __future__ import annotations

import dataclasses
import gzip
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.container import Containers
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.sagemaker.job import LONGEST_REASON, refuse_ended
from rehearsal.cloud.sagemaker.job_data import DataProblem, keys_of, relative_key, split_s3_uri
from rehearsal.cloud.sagemaker.job_logs import JobLog
from rehearsal.cloud.sagemaker.job_rights import require_rights
from rehearsal.cloud.sagemaker.model_server import ContainerSilentError, FleetFailedError, ModelServer
from rehearsal.cloud.sagemaker.models import Model
from rehearsal.cloud.sagemaker.transform_data import TooLargeError, assembled, payloads, records
from rehearsal.cloud.service import Credentials, Document

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

log = logging.getLogger(__name__)

LOG_GROUP = "/aws/sagemaker/TransformJobs"
EVENT = "SageMaker Transform Job State Change"
PAYLOAD_MEGABYTES, CONCURRENT, RETRIES, TIMEOUT = 6, 1, 3, 600
"""What the request's members are when they are left out.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ModelClientConfig.html"""
SEE_LOGS = "See job logs for more information"
"""AWS's own words: the details of a bad answer stand in the job's log only."""


class TransformServer(ModelServer):
    """The model's server, with a transform job's logs and patience."""

    def __init__(self, job: TransformJob) -> None:
        container = dataclasses.replace(
            job.model.container, environment={**job.model.container.environment, **job.variables()}
        )
        super().__init__(job.cloud, job.containers, job.name, "transform", container, None)
        self.patience = float(job.client_config("InvocationsTimeoutInSeconds", TIMEOUT))

    def log_names(self, instance: str) -> tuple[str, str]:
        return LOG_GROUP, f"{self._endpoint}/{instance}"


class BadAnswer(Exception):
    """The model's server refused records or did not answer; the message goes into the job's log."""

    def __init__(self, side: str, message: str) -> None:
        super().__init__(message)
        self.side = side


class TransformJob:
    """One job from its creation on."""

    kind = "transform-job"

    def __init__(
        self,
        cloud: Cloud,
        containers: Containers,
        credentials: Credentials,
        arn: str,
        model: Model,
        request: Document,
    ) -> None:
        self.cloud = cloud
        self.containers = containers
        self.credentials = credentials
        self.arn = arn
        self.name: str = request["TransformJobName"]
        self.model = model
        self.request = request
        self.status = "InProgress"
        self.failure_reason: str | None = None
        self.created = self.modified = cloud.clock.now()
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self.finished = threading.Event()
        self._stop_asked = threading.Event()
        self._lock = threading.Lock()

    def variables(self) -> dict[str, str]:
        """What the server learns about the job.

        https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html#your-algorithms-batch-code-run-image
        """
        return {
            "SAGEMAKER_BATCH": "true",
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(self.request.get("MaxPayloadInMB", PAYLOAD_MEGABYTES)),
            "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD" if self._strategy == "SingleRecord" else "MULTI_RECORD",
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(self._concurrent),
            **self.request.get("Environment", {}),
        }

    def client_config(self, member: str, default: int) -> int:
        """How the server is called."""
        return int(self.request.get("ModelClientConfig", {}).get(member, default))

    @property
    def _strategy(self) -> str:
        return str(self.request.get("BatchStrategy", "MultiRecord"))

    @property
    def _concurrent(self) -> int:
        return int(self.request.get("MaxConcurrentTransforms", 0)) or CONCURRENT

    # ---- the life of a job

    def run(self) -> None:
        """Play the job to its end; whatever happens, it has a final status afterwards."""
        try:
            reason = self._run()
        except DataProblem as problem:
            reason = str(problem)
        except FleetFailedError as problem:
            log.info("%s: %s", self.arn, problem)
            reason = f"AlgorithmError: {SEE_LOGS}"
        except AwsError as problem:
            reason = f"ClientError: {problem.code}: {problem.message}"
        except ClientError as problem:
            error = problem.response["Error"]
            reason = f"ClientError: {error['Code']}: {error['Message']}"
        except Exception as problem:
            if not self.cloud.stopping.is_set():
                log.exception("%s", self.arn)
            reason = f"InternalServerError: {type(problem).__name__}: {problem}"
        if self._stop_asked.is_set():
            self._end("Stopped", None)
        else:
            self._end("Failed" if reason else "Completed", reason)

    def stop(self) -> None:
        """No further request is sent; files that are not through leave no output. Raises AwsError when it ended."""
        with self._lock:
            refuse_ended(self.kind, self.status)
            self.status = "Stopping"
            self.modified = self.cloud.clock.now()
            self._stop_asked.set()

    def _run(self) -> str | None:
        """The failure reason of a job that failed, None of one that did not."""
        resources, output = self.request["TransformResources"], self.request["TransformOutput"]
        require_rights(
            self.cloud,
            self.credentials,
            self.model.container.image,
            LOG_GROUP,
            output.get("KmsKeyId"),
            resources.get("VolumeKmsKeyId"),
            None,
        )
        s3 = self.cloud.client("s3", self.credentials)
        files = list(self._files(s3))
        server = TransformServer(self)
        server.start()
        data_log = JobLog(self.cloud.client("logs", self.credentials), LOG_GROUP, f"{self.name}/data-log")
        try:
            data_log.open()
            self.started = self.modified = self.cloud.clock.now()
            return self._transform(s3, server, files, data_log)
        finally:
            data_log.close()
            server.stop(drain=False)

    def _transform(self, s3: Any, server: ModelServer, files: list[str], data_log: JobLog) -> str | None:  # noqa: ANN401
        """Every file, even after one that failed: "a transform job continues to process input files even if it fails
        to process one", and a file with a bad record gets no output.

        https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html#batch-transform-errors
        """
        bucket, _ = split_s3_uri(self._source["S3Uri"])
        failed: str | None = None
        for key in files:
            if self._stop_asked.is_set():
                break
            try:
                answers = self._answers(server, self._read(s3, bucket, key))
                if not self._stop_asked.is_set():
                    self._write(
                        s3, key, assembled(answers, self.request["TransformOutput"].get("AssembleWith", "None"))
                    )
            except (BadAnswer, TooLargeError) as problem:
                for line in str(problem).splitlines():
                    data_log.line(f"[sagemaker logs]: {bucket}/{key}: {line}")
                side = problem.side if isinstance(problem, BadAnswer) else "ClientError"
                failed = failed or f"{side}: {SEE_LOGS}"
        return failed

    def _answers(self, server: ModelServer, content: bytes) -> list[bytes]:
        found = records(content, self.request["TransformInput"].get("SplitType", "None"))
        sent = payloads(found, self._strategy, int(self.request.get("MaxPayloadInMB", PAYLOAD_MEGABYTES)))
        with ThreadPoolExecutor(self._concurrent) as pool:
            return list(pool.map(lambda body: self._invoke(server, body), sent))

    def _invoke(self, server: ModelServer, body: bytes) -> bytes:
        """One request, tried again while the server fails. Raises BadAnswer when it was the last time."""
        headers = {"Content-Length": str(len(body))}
        for header, value in (
            ("Content-Type", self.request["TransformInput"].get("ContentType")),
            ("Accept", self.request["TransformOutput"].get("Accept")),
        ):
            if value:
                headers[header] = value
        problem = BadAnswer("AlgorithmError", "stopped")
        for _ in range(1 + self.client_config("InvocationsMaxRetries", RETRIES)):
            if self._stop_asked.is_set() or self.cloud.stopping.is_set():
                return b""
            try:
                answer = server.invoke(body, headers)
            except ContainerSilentError as silence:
                problem = BadAnswer("AlgorithmError", f"Model server did not respond: {silence}")
                continue
            if 200 <= answer.status < 300:
                return answer.body
            words = f"Bad HTTP status received from algorithm: {answer.status}\n\nMessage:\n"
            words += answer.body.decode(errors="replace")
            if answer.status < 500:
                raise BadAnswer("ClientError", f"ClientError: {answer.status}\n{words}")
            problem = BadAnswer("AlgorithmError", words)
        raise problem

    # ---- S3, as the model's execution role

    @property
    def _source(self) -> Document:
        source: Document = self.request["TransformInput"]["DataSource"]["S3DataSource"]
        return source

    def _files(self, s3: Any) -> Iterator[str]:  # noqa: ANN401 - boto3 is untyped
        uri = self._source["S3Uri"]
        bucket, prefix = split_s3_uri(uri)
        found = False
        for key in keys_of(s3, bucket, prefix):
            found = True
            yield key
        if not found:
            raise DataProblem(f'ClientError: No S3 objects found under S3 URL "{uri}" given in input data source.')

    def _read(self, s3: Any, bucket: str, key: str) -> bytes:  # noqa: ANN401 - boto3 is untyped
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        if self.request["TransformInput"].get("CompressionType", "None") != "Gzip":
            return content
        try:
            return gzip.decompress(content)
        except (OSError, EOFError) as problem:
            raise BadAnswer("ClientError", f"the file is not in gzip format: {problem}") from problem

    def _write(self, s3: Any, key: str, content: bytes) -> None:  # noqa: ANN401 - boto3 is untyped
        output = self.request["TransformOutput"]
        bucket, prefix = split_s3_uri(output["S3OutputPath"])
        _, source = split_s3_uri(self._source["S3Uri"])
        target = f"{prefix.rstrip('/')}/{relative_key(key, source)}.out".lstrip("/")
        kms = output.get("KmsKeyId")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms} if kms else {}
        try:
            s3.put_object(Bucket=bucket, Key=target, Body=content, **encryption)
        except BotoCoreError as problem:
            raise DataProblem(f"ClientError: Data upload failed: {problem} (s3://{bucket}/{target})") from problem

    # ---- what is told

    def describe(self) -> Document:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTransformJob.html"""
        answer = {
            **{member: value for member, value in self.request.items() if member != "Tags"},
            "TransformJobArn": self.arn,
            "TransformJobStatus": self.status,
            "CreationTime": self.created,
            "TransformStartTime": self.started,
            "TransformEndTime": self.ended,
            "FailureReason": self.failure_reason,
        }
        return {member: value for member, value in answer.items() if value is not None}

    def summary(self) -> Document:
        """What ListTransformJobs says of it."""
        answer = {
            "TransformJobName": self.name,
            "TransformJobArn": self.arn,
            "TransformJobStatus": self.status,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "TransformEndTime": self.ended,
            "FailureReason": self.failure_reason,
        }
        return {member: value for member, value in answer.items() if value is not None}

    def _end(self, status: str, reason: str | None) -> None:
        with self._lock:
            self.ended = self.modified = self.cloud.clock.now()
            self.failure_reason = reason[:LONGEST_REASON] if reason else None
            self.status = status
        try:
            if not self.cloud.stopping.is_set():
                self.cloud.events.emit("aws.sagemaker", EVENT, self.describe(), [self.arn])
        except Exception as problem:
            log.warning("an event of %s could not be sent: %s", self.arn, problem)
        self.finished.set()
