"""Requests of the JSON protocol that nobody looks at before the base does: what AWS could not read, or would not take.

The base breaks off at a request that is no object, and takes a token that is no text for none, or for its beginning.
Which page of a list is wanted is held here against the service's own model, in the words of `validation.py`; requests
of our rooms are held against it as a whole.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html (NextToken, Limit)
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.json_kinds import json_kind
from rehearsal.cloud.service import Document

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from rehearsal.cloud.validation import ServiceShapes

TURNS = ("NextToken", "nextToken", "Marker", "PaginationToken", "Limit", "limit", "MaxResults")
"""Members that say which page is wanted."""
MODELS: Mapping[str, tuple[str, str]] = {
    "events": ("events", "ValidationException"),
    "kms": ("kms", "ValidationException"),
    "logs": ("logs", "InvalidParameterException"),
    "monitoring": ("cloudwatch", "InvalidParameterValue"),
    "sqs": ("sqs", "ValidationException"),
    "ssm": ("ssm", "ValidationException"),
    "tagging": ("resourcegroupstaggingapi", "InvalidParameterException"),
}
"""Services of the base -> botocore's name of them, and how they refuse what breaks a constraint."""


def document_of(body: bytes) -> Document:
    """What a request of the JSON protocol says. Raises AwsError for one that is no JSON object."""
    try:
        document = json.loads(body or b"{}")
    except ValueError as problem:
        raise AwsError("SerializationException", f"the request is not JSON: {problem}") from problem
    if not isinstance(document, dict):
        raise AwsError("SerializationException", f"Start of structure or map expected, found {json_kind(document)}")
    return document


def check_base_request(shapes: ServiceShapes, service: str, request: Request) -> None:
    """Look at a request that the base answers next. Raises AwsError as its service would.

    One that is compressed, as boto3 sends many metrics, asks for no page.
    """
    target = request.headers.get("X-Amz-Target", "")
    if not target or "Content-Encoding" in request.headers:
        return
    document = document_of(request.get_data())
    turns = {name: document[name] for name in TURNS if document.get(name) is not None}
    name, code = MODELS.get(service, ("", ""))
    if not turns or not name:
        return
    problem = shapes.member_problem(name, target.rpartition(".")[2], turns)
    if problem:
        raise AwsError(code, problem)
