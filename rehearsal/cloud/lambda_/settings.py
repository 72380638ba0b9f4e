"""What may be said of a function when it is created or changed, and AWS's defaults.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
"""

from __future__ import annotations

import json
from typing import Any

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.lambda_.environment import RESERVED, RUNTIMES
from rehearsal.cloud.lambda_.logs import group_of
from rehearsal.cloud.lambda_.room import invalid
from rehearsal.cloud.service import Document

SETTINGS = frozenset(
    {
        "Description",
        "Environment",
        "EphemeralStorage",
        "Handler",
        "LoggingConfig",
        "MemorySize",
        "Role",
        "Runtime",
        "Timeout",
        "TracingConfig",
    }
)
KNOWN = {
    "CreateFunction": SETTINGS | {"FunctionName", "Code", "Tags", "Architectures", "PackageType", "Publish"},
    "UpdateFunctionConfiguration": SETTINGS | {"FunctionName"},
    "UpdateFunctionCode": frozenset(
        {"FunctionName", "ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion", "Architectures", "Publish"}
    ),
}
HARMLESS: dict[str, Any] = {"PackageType": "Zip", "Publish": False, "TracingConfig": {"Mode": "PassThrough"}}
"""Members that can have one value here; another is refused by name."""
LARGEST = {"Timeout": 900, "MemorySize": 10_240}
"""Seconds and megabytes. The model's bounds are wider: those of functions with a capacity provider.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""
MOST_VARIABLES = 4096
"""Bytes of all environment variables together: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


def check_members(operation: str, request: Document) -> None:
    """Raise NotImplementedHere for the first member that nobody here acts on."""
    for member, value in request.items():
        if member not in KNOWN[operation] and value not in ({}, [], "", False):
            raise NotImplementedHere(f"{member} of lambda:{operation}")
        if member in HARMLESS and value != HARMLESS[member]:
            raise NotImplementedHere(f"{member} {json.dumps(value)} of lambda:{operation}")
    logging = request.get("LoggingConfig", {})
    if logging.get("LogFormat", "Text") != "Text" or {"ApplicationLogLevel", "SystemLogLevel"} & set(logging):
        raise NotImplementedHere(f"LogFormat JSON and log levels of lambda:{operation}")
    if request.get("Runtime", RUNTIMES[0]) not in RUNTIMES:
        raise NotImplementedHere(f"the Lambda runtime {request['Runtime']} (there are {', '.join(RUNTIMES)})")


def first_settings(request: Document, name: str) -> Document:
    """A new function's settings. Raises AwsError for what Lambda does not take."""
    for member in ("Runtime", "Handler"):
        if not request.get(member):
            raise invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages."
            )
    defaults = {
        "Architectures": ["x86_64"],
        "Description": "",
        "EphemeralStorage": {"Size": 512},
        "MemorySize": 128,
        "Timeout": 3,
        "TracingConfig": {"Mode": "PassThrough"},
    }
    given = {member: request[member] for member in (*SETTINGS, "Architectures") if member in request}
    return _checked({**defaults, **given}, name)


def changed_settings(before: Document, request: Document, name: str) -> Document:
    """The settings after a change."""
    return _checked({**before, **{member: request[member] for member in SETTINGS if member in request}}, name)


def _checked(settings: Document, name: str) -> Document:
    for member, most in LARGEST.items():
        if settings[member] > most:
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value '{settings[member]}' at '{member[0].lower()}{member[1:]}' failed "
                f"to satisfy constraint: Member must have value less than or equal to {most}",
            )
    variables: dict[str, str] = settings.get("Environment", {}).get("Variables", {})
    reserved = sorted(RESERVED & set(variables))
    if reserved:
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. Reserved keys used in "
            f"this request: {', '.join(reserved)}"
        )
    if len(json.dumps(variables)) > MOST_VARIABLES:
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the 4KB limit. String measured: {json.dumps(variables)}"
        )
    if not variables:
        settings = {member: value for member, value in settings.items() if member != "Environment"}
    return {**settings, "LoggingConfig": {"LogFormat": "Text", "LogGroup": group_of(name, settings)}}
