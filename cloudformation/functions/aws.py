"""Clients, and what AWS's errors mean."""

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

Client = Any
"""A boto3 client. The stubs of the many services would weigh more than the functions."""

# Deleting a project asks for lists again and again: let the SDK wait out a throttle instead of failing.
RETRIES = Config(retries={"mode": "standard", "max_attempts": 8})

GONE = frozenset(
    {
        "404",
        "NoSuchBucket",
        "NotFound",
        "PipelineNotFoundException",
        "RepositoryDoesNotExistException",
        "ResourceNotFound",
        "ResourceNotFoundException",
    }
)
UNCLEAR = frozenset({"ValidationError", "ValidationException"})
"""Codes by which CloudFormation and most of SageMaker also say that something does not exist, in a sentence."""

# https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StopPipelineExecution.html#API_StopPipelineExecution_Errors
STOPPED_ALREADY = frozenset(
    {"DuplicatedStopRequestException", "PipelineExecutionNotFoundException", "PipelineExecutionNotStoppableException"}
)
"""Codes by which CodePipeline says that an execution is over, or is being stopped, since it was listed."""
ACCESS_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


def client(service: str) -> Client:
    return boto3.client(service, config=RETRIES)  # type: ignore[call-overload]


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "?"))


def message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", "no message"))


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that the thing asked for does not exist."""
    if code(error) in GONE:
        return True
    words = message(error).lower()
    return code(error) in UNCLEAR and any(each in words for each in ("does not exist", "could not find", "not found"))


def is_denied(error: ClientError) -> bool:
    """Whether the role may not do what was asked. Where a role is limited by a resource's tags, AWS says so of one
    that does not exist, too: it has none."""
    return code(error) in ACCESS_DENIED


def explained(error: ClientError) -> str:
    """One sentence for a person: which call AWS refused, and what it said."""
    return f"AWS refused {error.operation_name}: {code(error)}: {message(error)}"
