"""Errors meant for the person who reads the build log."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

ACCESS_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403", "Forbidden"})

MISSING = frozenset({"ValidationException", "ResourceNotFound", "ResourceNotFoundException"})


class RefusedError(Exception):
    """The request cannot be carried out; the message says what is wrong, where, and what to do next."""


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that the thing asked for does not exist.

    SageMaker has no error code of its own for that: Describe calls answer ValidationException with a sentence.
    """
    if error.response["Error"]["Code"] not in MISSING:
        return False
    message = str(error.response["Error"].get("Message", "")).lower()
    return any(words in message for words in ("could not find", "does not exist", "not found"))


def explained(error: ClientError | BotoCoreError) -> RefusedError:
    """The error for a person that stands for what AWS, or the way there, answered."""
    if isinstance(error, BotoCoreError):
        return RefusedError(
            f"AWS cannot be reached: {error}\nCheck the credentials and AWS_DEFAULT_REGION of the environment."
        )
    code, message = error.response["Error"].get("Code", "?"), error.response["Error"].get("Message", "")
    text = f"AWS refused {error.operation_name}: {code}: {message}"
    if code in ACCESS_DENIED:
        text += "\nGrant the action to the role that runs this, or run it as a role that has it."
    return RefusedError(text)


@contextmanager
def aws_errors_explained() -> Iterator[None]:
    """Turn whatever AWS or the way there answers into a RefusedError."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise explained(error) from error
