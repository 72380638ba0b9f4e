"""AWS at the level of its API: real boto3 clients whose answers are recorded ones.

Requests and answers are both checked against botocore's own service models, so that a member that AWS does not have
fails the test that relies on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters
from project_tools.aws import Aws

SESSION: Any = boto3.Session(aws_access_key_id="k", aws_secret_access_key="s", region_name="eu-west-1")  # noqa: S106
"""One for all tests: it keeps the service models it has read."""
Answer = dict[str, Any] | Callable[..., dict[str, Any]]


class Refused(Exception):
    """An answer that is an error of AWS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def refused(code: str, message: str = "") -> Callable[..., dict[str, Any]]:
    def answer(**_: Any) -> dict[str, Any]:
        raise Refused(code, message)

    return answer


class FakeAws:
    """`answers` maps `service:Operation` to an answer, or to a function of the request's members.

    What is not mapped does not exist: the answer is the service's "not found".
    """

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def aws(self) -> Aws:
        return Aws(self.client, "eu-west-1")

    def client(self, service: str) -> Any:
        client = SESSION.client(service)
        client.meta.events.register("before-parameter-build.*.*", self._remember)
        client.meta.events.register("before-call.*.*", self._answer)
        return client

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["given"] = dict(params)

    def _answer(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        name = f"{model.service_model.service_name}:{model.name}"
        self.asked.append(name)
        try:
            answer = self.answers.get(name, refused("ResourceNotFoundException", f"{name} found nothing"))
            parsed = answer(**context["given"]) if callable(answer) else answer
        except Refused as error:
            body = {"Error": {"Code": error.code, "Message": str(error)}}
            raise ClientError(body, model.name) from error
        validate_parameters(parsed, model.output_shape)
        return Status(), parsed


class Status:
    """The HTTP answer, of which botocore reads the status alone."""

    status_code = 200
