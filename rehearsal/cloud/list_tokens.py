"""Tokens of the base's lists: one that the list never gave out is refused, as AWS refuses it.

The base takes most of them for its beginning, or its end: a program that mixes tokens up would see a list twice, or
half of it. What our own rooms list has tokens of their own (`pages.py`). CloudFormation's are the base's own to refuse,
and CloudWatch's, in another protocol, are looked at in the base: `base_pages.py`, which also cuts pages where ministack
does not. S3's other lists go on after a key, and any key will do (`base_listings.py`).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.stacks import form_of

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

MOST_TOKENS = 10_000
"""So many are remembered; the oldest go first, as AWS's expire."""
OTHERWISE = ("GetLogEvents",)
"""Operations whose tokens go forwards and backwards, under other names; the base refuses them itself."""


@dataclass(frozen=True)
class Lists:
    """The lists of one service: under which name a token is asked with and given, and how a wrong one is refused."""

    asked: str
    given: str
    code: str
    message: str


SERVICES: Mapping[str, Lists] = {
    # AWS's words, which its documentation does not have.
    "iam": Lists("Marker", "Marker", "ValidationError", "Invalid Marker."),
    "s3": Lists(
        "continuation-token",
        "NextContinuationToken",
        "InvalidArgument",
        "The continuation token provided is incorrect",
    ),
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
    "s3 buckets": Lists(
        "continuation-token", "ContinuationToken", "InvalidArgument", "The continuation token provided is incorrect"
    ),
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html
    "logs": Lists("nextToken", "nextToken", "InvalidParameterException", "The specified nextToken is invalid."),
    # https://docs.aws.amazon.com/sns/latest/api/API_ListTopics.html
    "sns": Lists("NextToken", "NextToken", "InvalidParameter", "Invalid parameter: NextToken"),
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
    "sqs": Lists("NextToken", "NextToken", "InvalidParameterValue", "Value for parameter NextToken is invalid."),
    # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html
    "ssm": Lists("NextToken", "NextToken", "InvalidNextToken", "The specified token isn't valid."),
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/CommonErrors.html
    "events": Lists("NextToken", "NextToken", "ValidationException", "NextToken is not valid."),
    # https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html
    "kms": Lists("Marker", "NextMarker", "InvalidMarkerException", "The marker is not valid."),
    # https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    "tagging": Lists(
        "PaginationToken", "PaginationToken", "InvalidParameterException", "The pagination token is not valid."
    ),
}


class ListTokens:
    """The tokens that the base's lists have given out."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], None] = {}
        self._lock = threading.Lock()

    def refusal(self, service: str, request: Request) -> Response | None:
        """The answer of S3 to a token it never gave out; None for a request that goes on. Raises AwsError as the others
        answer."""
        service = _of_buckets(service, request)
        lists = SERVICES.get(service)
        token = _asked(lists.asked, request) if lists is not None else ""
        if lists is None or not token:
            return None
        with self._lock:
            if (service, token) in self._given:
                return None
        if not service.startswith("s3"):
            raise AwsError(lists.code, lists.message)
        body = f"<Error><Code>{lists.code}</Code><Message>{lists.message}</Message></Error>"
        return Response(body, 400, content_type="application/xml")

    def note(self, service: str, request: Request, payload: bytes) -> None:
        """Remember the token of an answer that the base gave."""
        service = _of_buckets(service, request)
        lists = SERVICES.get(service)
        if lists is None or (service == "s3" and "list-type" not in request.args):
            return
        token = _given(lists.given, payload)
        if token:
            with self._lock:
                self._given[service, token] = None
                while len(self._given) > MOST_TOKENS:
                    del self._given[next(iter(self._given))]


def _of_buckets(service: str, request: Request) -> str:
    """ListBuckets has a token of another name than S3's other lists."""
    return "s3 buckets" if service == "s3" and request.path == "/" and request.method == "GET" else service


def _asked(member: str, request: Request) -> str:
    if member == SERVICES["s3"].asked:  # of ListObjectsV2 and ListBuckets, in the address
        return request.args.get(member, "")
    form = form_of(request)
    if form is not None:
        return form.get(member, "")
    if request.headers.get("X-Amz-Target", "").endswith(OTHERWISE):
        return ""
    return str(_document(request.get_data()).get(member) or "")


def _given(member: str, payload: bytes) -> str:
    if member.encode() not in payload:
        return ""
    found = re.search(rf"<{member}>([^<]+)</{member}>".encode(), payload)
    return unescape(found[1].decode()) if found else str(_document(payload).get(member) or "")


def _document(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
