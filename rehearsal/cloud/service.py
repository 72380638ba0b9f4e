"""What every service room of the cloud is made of: operations, the calls they need to be allowed, and their caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from rehearsal.cloud.errors import AwsError

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

    from rehearsal.cloud.cloud import Cloud

Document = dict[str, Any]
"""A request or an answer as the wire carries it: JSON objects with the member names of the service model."""


@dataclass(frozen=True)
class Credentials:
    """Keys of a user or of an assumed role. `principal_arn` is the user's ARN or the assumed-role session's ARN."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    principal_arn: str = ""

    def environment(self) -> dict[str, str]:
        """The variables through which the AWS CLI, boto3 and git pick these credentials up."""
        variables = {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}
        if self.session_token:
            variables["AWS_SESSION_TOKEN"] = self.session_token
        return variables


@dataclass(frozen=True)
class Call:
    """One authorisation a caller must have: an IAM action on a resource under condition keys.

    `context` maps condition keys to values, e.g. `{"iam:PassedToService": "codebuild.amazonaws.com"}`.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, str | list[str]] = field(default_factory=dict)


Handler = TypeVar("Handler", bound=Callable[..., Document])
Needs = Callable[[Any, Document], Iterable[Call]]
"""`(service, request) -> calls`: what the caller of an operation must be allowed to do."""


def operation(name: str, needs: Needs) -> Callable[[Handler], Handler]:
    """Mark a method `(self, request, caller) -> answer` as the API operation `name` (AWS's own spelling).

    `needs` answers the authorisations its caller must have, resources and condition keys included. Source for every
    service: https://docs.aws.amazon.com/service-authorization/latest/reference/
    """

    def mark(handler: Handler) -> Handler:
        handler.__dict__["aws_operation"] = name
        handler.__dict__["aws_needs"] = needs
        return handler

    return mark


class Service:
    """One AWS service of ours. Subclasses set `name` to botocore's name of the service and mark `@operation` methods.

    A request reaches an operation only after it was validated against the service model and every `Call` that the
    operation needs was allowed for the caller. Answers are validated against the model too.
    """

    name: ClassVar[str]
    validation_error: ClassVar[str] = "ValidationException"
    """The error code with which this service refuses a malformed request."""
    access_denied_error: ClassVar[str] = "AccessDeniedException"
    http_prefixes: ClassVar[tuple[str, ...]] = ()
    """Paths of plain HTTP (not the JSON protocol) that `handle_http` answers: git, endpoint invocations."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.operations: dict[str, Callable[[Document, Credentials], Document]] = {}
        for attribute in dir(type(self)):
            marked = getattr(getattr(type(self), attribute), "aws_operation", None)
            if marked:
                self.operations[marked] = getattr(self, attribute)

    def arn(self, resource: str, service: str | None = None) -> str:
        """The ARN of one of this service's resources in the cloud's account and region."""
        return f"arn:aws:{service or self.name}:{self.cloud.region}:{self.cloud.account}:{resource}"

    def calls_for(self, operation: str, request: Document, caller: Credentials) -> list[Call]:
        """The authorisations the caller of `operation` needs for this request. A room overrides this where who calls
        changes the condition keys."""
        needs: Needs = getattr(self.operations[operation], "aws_needs")  # noqa: B009 - set by the decorator, unknown to mypy
        return list(needs(self, request))

    def malformed(self, operation: str, problem: str) -> AwsError:
        """How this service refuses a request that does not fit its model, which `problem` describes. A room overrides
        this where AWS has an error code for each member."""
        del operation
        return AwsError(self.validation_error, problem)

    def handle_http(self, request: Request) -> Response:
        """Answer a plain HTTP request under one of `http_prefixes`."""
        raise AwsError("NotFound", request.path, 404)

    def stop(self) -> None:
        """Let go of processes and connections; called once when the cloud stops."""
