"""AWS in memory for the product's functions, behind real boto3 clients.

The clients check every request and parse every error as they do on AWS; an operation that a test plays is answered
before anything is sent, and its answer is checked against the service's own model. S3, SNS, CodeCommit and the logs are
moto's. The others are played here, because moto lacks what the functions turn on: executions of CodePipeline, builds
that take a while, the stage of a model package, and stacks that are in the middle of something.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.validate import validate_parameters

REGION = "eu-west-1"
ACCOUNT = "123456789012"
PLAYED_BY_MOTO = frozenset({"s3", "sns", "codecommit", "logs"})

Document = dict[str, Any]
Play = Callable[[Document], Document | None]


class RefusedError(Exception):
    """What a service answers instead: a code and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


_clients: dict[str, Any] = {}
"""Making a client takes a fifth of a second; one of each does for all tests."""
_account: list[FakeAws] = []
"""The account of the running test."""


class FakeAws:
    """Clients whose operations are answered by `play`ed functions. `calls` is everything that was asked of those."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Document]] = []
        self._plays: dict[tuple[str, str], Play] = {}
        _account[:] = [self]

    def play(self, service: str, **operations: Play) -> None:
        """Answer operations, named as the API names them, by functions of their request."""
        for operation, function in operations.items():
            self._plays[service, operation] = function

    def asked(self, operation: str) -> list[Document]:
        """The requests of one operation, in order."""
        return [request for name, request in self.calls if name == operation]

    @staticmethod
    def client(service: str, **more: Any) -> Any:
        """What boto3.client answers in the running test."""
        if service not in _clients:
            client = _clients[service] = boto3.client(service, region_name=REGION, **more)
            client.meta.events.register("before-parameter-build", _remember)
            client.meta.events.register("before-call", _answer)
        return _clients[service]

    def answer(self, service: str, model: Any, request: Document) -> tuple[AWSResponse, Document] | None:
        """The answer to a request, or None to let moto answer."""
        play = self._plays.get((service, model.name))
        if play is None:
            if service in PLAYED_BY_MOTO:
                return None
            raise AssertionError(f"nobody plays {model.name} of {service}")
        self.calls.append((model.name, request))
        try:
            answer = play(request) or {}
        except RefusedError as problem:
            error = {"Code": problem.code, "Message": problem.message}
            return _http(400), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}
        if model.output_shape is not None:
            validate_parameters(answer, model.output_shape)
        return _http(200), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}


def _remember(params: Document, context: Document, **_: Any) -> None:
    context["request"] = dict(params)


def _answer(model: Any, context: Document, **_: Any) -> tuple[AWSResponse, Document] | None:
    return _account[0].answer(model.service_model.service_name, model, context["request"])


def _http(status: int) -> AWSResponse:
    return AWSResponse("https://fake", status, {}, None)
