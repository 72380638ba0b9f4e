"""Throttled API calls, answered as each protocol's services answer them.

| protocol | services here | answer |
|---|---|---|
| JSON | those with `X-Amz-Target` | 400 `ThrottlingException` |
| query | CloudFormation, IAM, SNS, STS, ... | 400 `Throttling` |
| REST-XML | S3 | 503 `SlowDown` |
| REST-JSON | Lambda | 429 `TooManyRequestsException` |

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html (JSON and query alike)
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html#API_GetFunction_Errors

Only the first attempt of a call is ever throttled, so that whoever retries at all is answered: SDKs say in the header
`amz-sdk-request` which attempt it is. Requests without it (git, presigned addresses) and InvokeEndpoint, whose callers
measure what it answers, are left alone.
"""

from __future__ import annotations

import json
import random
import re
import threading

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.faults import THROTTLING, Faults
from rehearsal.cloud.signatures import claimed
from rehearsal.cloud.stacks import error_document, form_of

RATE = 0.05
SEED = 7
FIRST_ATTEMPT = re.compile(r"(^|;\s*)attempt=1(;|$)")


class Throttle:
    """Says of each request whether it is throttled: the same requests in the same order, the same answers."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._random = random.Random(SEED)  # noqa: S311 - no secret
        self._lock = threading.Lock()

    def refusal(self, request: Request) -> Response | None:
        """The answer to a throttled request; None for one that goes on."""
        if not self._faults.on(THROTTLING) or not FIRST_ATTEMPT.search(request.headers.get("amz-sdk-request", "")):
            return None
        with self._lock:
            if self._random.random() >= RATE:
                return None
        service = _service(request)
        self._faults.counts(THROTTLING, service)
        return _answer(request, service)


def _service(request: Request) -> str:
    """The name in the request's signature: `monitoring` for CloudWatch."""
    try:
        signature = claimed(request)
    except AwsError:
        signature = None
    return signature.service if signature else "unsigned"


def _answer(request: Request, service: str) -> Response:
    if request.headers.get("X-Amz-Target"):
        body = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"})
        answer = Response(body, 400, content_type="application/x-amz-json-1.1")
        answer.headers["x-amzn-ErrorType"] = "ThrottlingException"
        return answer
    if form_of(request) is not None:
        return error_document(AwsError("Throttling", "Rate exceeded"))
    if service == "s3":
        body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
        return Response(body, 503, content_type="application/xml")
    body = json.dumps({"Type": "User", "Reason": "CallerRateLimitExceeded", "message": "Rate Exceeded."})
    answer = Response(body, 429, content_type="application/json")
    answer.headers["x-amzn-ErrorType"] = "TooManyRequestsException"
    return answer
