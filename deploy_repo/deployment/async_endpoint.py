"""Asking an asynchronous endpoint as a caller would: the request is a file, and so is the answer."""

import re
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from deployment import s3_files
from deployment.endpoint import CSV, JSON, Answer, Endpoint
from deployment.errors import RefusedError

# What the model itself refused, in the file of a failure; a link to the log may follow.
FROM_MODEL = re.compile(
    r'Received (?:client|server) error \((?P<status>\d+)\) from \w+ with message "(?P<body>.*)"', re.DOTALL
)
SUFFIXES = {JSON: "json", CSV: "csv"}
WAKING_SECONDS = 900.0
FIRST_PAUSE_SECONDS = 0.05


@dataclass
class AsyncEndpoint(Endpoint):
    """An asynchronous endpoint in service, awake or asleep.

    `s3` is a client of S3; `answers_in` the folder in which the endpoint answers: the one for requests lies beside it.
    An answer is looked for soon at first and then ever more rarely, at last every `pause_seconds`; a request that has
    none after `patience_seconds` is given up.
    """

    s3: Any = None
    answers_in: str = ""
    patience_seconds: float = 300.0
    pause_seconds: float = 0.25

    def ask(self, body: str, content_type: str = JSON) -> Answer:
        """Put one request into S3, queue it, and wait for the file of the answer or of the failure.

        The time is the whole one, from the upload of the request to the answer read. Raises RefusedError for a request
        that failed and was not refused by the model, or that nobody answers.
        https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html
        """
        start = time.perf_counter()
        request = f"{self.answers_in.rpartition('/')[0]}/input/{uuid4().hex}.{SUFFIXES.get(content_type, 'txt')}"
        bucket, key = s3_files.place(request)
        self.s3.put_object(Bucket=bucket, Key=key, Body=body.encode(), ContentType=content_type)
        queued = self.runtime.invoke_endpoint_async(
            EndpointName=self.name, InputLocation=request, ContentType=content_type, Accept=JSON
        )
        status, text = self._answer(queued["OutputLocation"], queued["FailureLocation"], start)
        milliseconds = (time.perf_counter() - start) * 1000
        self.statuses.append(status)
        return Answer(status, text, milliseconds)

    def wake(self, body: str, pause_seconds: float = 5.0) -> None:
        """Ask once with much patience, and forget it: without an instance a request waits until one has started."""
        patience, self.patience_seconds = self.patience_seconds, WAKING_SECONDS
        pause, self.pause_seconds = self.pause_seconds, pause_seconds
        try:
            self.ask(body)
        finally:
            self.patience_seconds, self.pause_seconds = patience, pause
        self.statuses.clear()

    def _answer(self, answered: str, failed: str, start: float) -> tuple[int, str]:
        pause = min(FIRST_PAUSE_SECONDS, self.pause_seconds)
        while time.perf_counter() - start < self.patience_seconds:
            if self._is_there(answered):
                return 200, s3_files.read(self.s3, answered).decode()
            if self._is_there(failed):
                reason = s3_files.read(self.s3, failed).decode()
                if (refused := FROM_MODEL.search(reason)) is None:
                    raise RefusedError(f"The endpoint {self.name} failed to answer a request: {reason}")
                return int(refused["status"]), refused["body"]
            time.sleep(pause)
            pause = min(2 * pause, self.pause_seconds)
        raise RefusedError(
            f"The endpoint {self.name} has not answered a request within {self.patience_seconds:.0f} seconds:\n"
            f"neither {answered}\nnor {failed} is there.\n"
            "If it sleeps, see whether its scaling activities start an instance; otherwise the container's logs: "
            f"/aws/sagemaker/Endpoints/{self.name} in CloudWatch."
        )

    def _is_there(self, url: str) -> bool:
        """Whether a file has been written.

        Reading it would not tell: S3 answers 403 for what is not there, unless one may list the whole bucket.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html#API_GetObject_RequestSyntax (Permissions)
        """
        bucket, key = s3_files.place(url)
        return int(self.s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)["KeyCount"]) > 0
