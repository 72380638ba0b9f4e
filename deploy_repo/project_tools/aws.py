"""Asking AWS with the person's own rights: what may not be read is noted and left out, never a traceback."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from project_tools.rights import missing_right

ACCESS_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized", "403"}
)
# The keys themselves are not accepted, so nothing else will be.
BAD_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# Words of "there is no such thing"; SageMaker and CloudFormation have no error code of their own for it.
ABSENT_WORDS = ("not found", "does not exist", "could not find", "not exist", "doesn't exist")
ABSENT_CODES = ("NotFound", "DoesNotExist")


class CannotLookError(Exception):
    """Nothing can be asked at all: no credentials, no way to AWS, no project. The message says what to do."""


class Aws:
    """Reads of AWS. `client` makes a client of a service by its name, once for each."""

    def __init__(self, client: Callable[[str], Any], region: str, partition: str = "aws") -> None:
        self._client = client
        self._clients: dict[str, Any] = {}
        self.region = region
        self.partition = partition
        self.not_read: list[str] = []
        """What could not be read and which right it takes, in sentences."""
        self.denied = 0

    def ask(self, service: str, operation: str, **arguments: Any) -> dict[str, Any] | None:
        """The answer; None when the thing asked for does not exist, or may not be read (then `not_read` says so).

        Raises CannotLookError when nothing can be asked at all.
        """
        try:
            if service not in self._clients:
                self._clients[service] = self._client(service)
            answer: dict[str, Any] = getattr(self._clients[service], xform_name(operation))(**arguments)
        except ClientError as error:
            self._note(service, operation, arguments, error.response.get("Error", {}))
            return None
        except BotoCoreError as error:
            raise CannotLookError(_no_way(error)) from error
        return answer

    def items(self, service: str, operation: str, key: str, most: int = 200, **arguments: Any) -> list[dict[str, Any]]:
        """The first `most` things of a list of several pages, whose token may be called nextToken or NextToken."""
        found: list[dict[str, Any]] = []
        token: dict[str, Any] = {}
        while len(found) < most:
            answer = self.ask(service, operation, **arguments, **token)
            if answer is None:
                break
            found += answer.get(key, [])
            name = next((name for name in ("nextToken", "NextToken") if answer.get(name)), None)
            if name is None:
                break
            token = {name: answer[name]}
        return found[:most]

    def _note(self, service: str, operation: str, arguments: Mapping[str, Any], error: Mapping[str, Any]) -> None:
        code, message = str(error.get("Code", "")), str(error.get("Message", ""))
        if code in BAD_CREDENTIALS:
            raise CannotLookError(
                f"AWS does not accept these credentials ({code}: {message}). Sign in anew, for example with "
                "`aws sso login`, or set the keys that your AWS access portal shows; then run this again."
            )
        if code in ACCESS_DENIED or "not authorized to perform" in message:
            self.denied += 1
            self._add(f"You may not read {_what(operation, arguments)}: {missing_right(message, service, operation)}.")
        elif not code.removesuffix("Exception").endswith(ABSENT_CODES) and not any(
            words in message.lower() for words in ABSENT_WORDS
        ):
            self._add(f"AWS did not answer {service}:{operation}: {code}: {message}")

    def _add(self, sentence: str) -> None:
        if sentence not in self.not_read:
            self.not_read.append(sentence)


def _what(operation: str, arguments: Mapping[str, Any]) -> str:
    """`the pipeline executions of sagemaker-…`, as well as the operation's name and its first argument can say it."""
    words = xform_name(operation).split("_")[1:]
    first = next(iter(arguments.values()), "")
    if isinstance(first, list):
        first = first[0] if first else ""
    return f"the {' '.join(words)} of {first}" if first else f"the {' '.join(words)}"


def _no_way(error: BotoCoreError) -> str:
    name = type(error).__name__
    if "Credential" in name or "Token" in name or "Profile" in name or "SSO" in name:
        return (
            f"There are no usable AWS credentials here: {error}. Sign in, for example with `aws sso login` and "
            "AWS_PROFILE, or set the keys that your AWS access portal shows; then run this again."
        )
    if "Region" in name:
        return f"Which region? {error} Set AWS_DEFAULT_REGION to the region of the project."
    return f"AWS cannot be reached: {error}. Check the network, the proxy and AWS_DEFAULT_REGION; then run this again."
