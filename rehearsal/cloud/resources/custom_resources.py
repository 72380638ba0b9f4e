"""Custom resources: a stack invokes a function and waits for what the function puts to a presigned address.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
import re
import time
from typing import Any
from uuid import uuid4

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.lambda_.patience import Patience
from rehearsal.cloud.resources.provider import Resource, ResourceProvider, ResourceRequest

LONGEST_WAIT = 3600
"""Seconds: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html"""
LARGEST_ANSWER = 4096
"""Bytes."""
LOOK_SECONDS = 0.1
"""Real seconds between two looks at whether the function still works."""
END_SECONDS = 5.0
"""Real seconds that a function gets to come to its end after its answer."""
FUNCTION = re.compile(r"arn:aws[\w-]*:lambda:(?P<region>[a-z0-9-]+):\d{12}:function:[A-Za-z0-9_:$-]+")
TOPIC = re.compile(r"arn:aws[\w-]*:sns:.+")


class CustomResourceError(AwsError):
    """Why a custom resource failed, in the very words of the stack event."""

    def __init__(self, message: str) -> None:
        super().__init__("CustomResourceFailed", message)


class Unanswered(CustomResourceError):
    """The function never reported."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId "
            f"[{request_id}]. If you are using the Python cfn-response module, you may need to update your Lambda "
            "function code so that CloudFormation can attach the updated version."
        )


class Refused(CustomResourceError):
    """The function was not invoked at all."""


class Reported(CustomResourceError):
    """The function answered, and the answer is a failure or none that CloudFormation can use."""

    def __init__(self, message: str, physical_id: str = "") -> None:
        super().__init__(message)
        self.physical_id = physical_id


def is_custom(type_name: str) -> bool:
    """Whether a resource type is a custom one."""
    return type_name.startswith("Custom::") or type_name == CustomResource.type_name


class CustomResource(ResourceProvider):
    """`AWS::CloudFormation::CustomResource` and `Custom::...`. `Ref` is what the function says; `Fn::GetAtt` reads the
    answer's Data."""

    type_name = "AWS::CloudFormation::CustomResource"
    replaced_by_engine = False

    def create(self, request: ResourceRequest) -> Resource:
        """A failed resource is deleted at once. (AWS does so when it rolls back; here the engine has no id then.)"""
        try:
            answer = self._asked("Create", request)
        except Refused:
            raise
        except CustomResourceError as problem:
            self._take_back(request, problem)
            raise
        return self._resource(answer)

    def _take_back(self, request: ResourceRequest, problem: CustomResourceError) -> None:
        answered = problem.physical_id if isinstance(problem, Reported) else ""
        failed = ResourceRequest(**{**vars(request), "physical_id": answered or request.generated_name(1024)})
        try:
            self._asked("Delete", failed)
        except CustomResourceError as second:
            problem.message = f"{problem.message} (Its deletion failed, too: {second.message})"

    def update(self, request: ResourceRequest) -> Resource:
        if request.properties.get("ServiceToken") != request.previous_properties.get("ServiceToken"):
            raise Refused("Modifying service token is not allowed.")
        return self._resource(self._asked("Update", request))

    def delete(self, request: ResourceRequest) -> None:
        self._asked("Delete", request)

    @staticmethod
    def _resource(answer: dict[str, Any]) -> Resource:
        return Resource(str(answer["PhysicalResourceId"]), answer.get("Data") or {})

    # ---- the conversation

    def _asked(self, request_type: str, request: ResourceRequest) -> dict[str, Any]:
        """Invoke the function as whoever acts for the stack and wait for its answer. Raises CustomResourceError."""
        if "lambda" not in self.cloud.services:
            raise NotImplementedHere(f"the resource type {request.type_name} without a Lambda room")
        token, patience = self._token(request), self._seconds(request)
        request_id = str(uuid4())
        answers = self.cloud.resources.answers
        key, url = answers.expect(request.stack_id, request.logical_id, request_id)
        try:
            self._invoke(token, _event(request_type, request, request_id, url), request)
            waiting = Patience(self.cloud, token, patience)
            while True:
                given = answers.wait(key, LOOK_SECONDS)
                if given is not None:
                    self._let_end(waiting)
                    return read_answer(given, request, request_id)
                if self.cloud.stopping.is_set() or waiting.over():
                    raise Unanswered(request_id)
        finally:
            answers.close(key)

    def _let_end(self, waiting: Patience) -> None:
        """Let the function that answered come to its end before the stack goes on.

        AWS does not: a stack that deletes the function's role next cuts off its last log lines there, now and then.
        Here that would show as a denied call in one run and not in the next.
        """
        deadline = time.monotonic() + END_SECONDS
        while waiting.works() and time.monotonic() < deadline and not self.cloud.stopping.wait(LOOK_SECONDS / 10):
            pass

    def _token(self, request: ResourceRequest) -> str:
        token = str(request.properties.get("ServiceToken", ""))
        if TOPIC.fullmatch(token):
            raise NotImplementedHere(f"a custom resource behind an SNS topic ({request.logical_id})")
        found = FUNCTION.fullmatch(token)
        if found is None or found["region"] != self.cloud.region:
            raise Refused("Invalid service token.")
        return token

    @staticmethod
    def _seconds(request: ResourceRequest) -> float:
        given = str(request.properties.get("ServiceTimeout", LONGEST_WAIT))
        if not given.isdecimal() or not 1 <= int(given) <= LONGEST_WAIT:
            raise Refused(f"ServiceTimeout must be a whole number of seconds from 1 to {LONGEST_WAIT}, not {given}.")
        return float(given)

    def _invoke(self, token: str, event: dict[str, Any], request: ResourceRequest) -> None:
        """ "CloudFormation invokes your Lambda function asynchronously",
        https://docs.aws.amazon.com/lambda/latest/dg/services-cloudformation.html: as the stack's role or its caller,
        who need lambda:InvokeFunction.
        """
        arguments = {"FunctionName": token, "InvocationType": "Event", "Payload": json.dumps(event).encode()}
        try:
            self.call(request, "lambda", "Invoke", arguments)
        except AwsError as problem:
            raise Refused(
                f"{problem.message} (Service: Lambda, Status Code: {problem.status}, Error Code: {problem.code})"
            ) from problem


def _event(request_type: str, request: ResourceRequest, request_id: str, url: str) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html"""
    event = {
        "RequestType": request_type,
        "ServiceToken": request.properties["ServiceToken"],
        "ResponseURL": url,
        "StackId": request.stack_id,
        "RequestId": request_id,
        "LogicalResourceId": request.logical_id,
        "ResourceType": request.type_name,
        "ResourceProperties": as_text(request.properties),
    }
    if request_type != "Create":
        event["PhysicalResourceId"] = request.physical_id
    if request_type == "Update":
        event["OldResourceProperties"] = as_text(request.previous_properties)
    return event


def as_text(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A property as functions get it: every scalar is a string."""
    if isinstance(value, dict):
        return {key: as_text(member) for key, member in value.items()}
    if isinstance(value, list):
        return [as_text(member) for member in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def read_answer(given: bytes, request: ResourceRequest, request_id: str) -> dict[str, Any]:
    """The function's answer. Raises Reported for a failure, and for what CloudFormation does not take.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html: a failure needs
    all four ids, too. Without a physical one its reason is lost:
    https://github.com/aws-cloudformation/custom-resource-helper/issues/67
    """
    if len(given) > LARGEST_ANSWER:
        raise Reported("Response object is too long.")
    try:
        answer = json.loads(given)
    except ValueError:
        raise Reported("Invalid Response object: it is not JSON.") from None
    if not isinstance(answer, dict) or answer.get("Status") not in ("SUCCESS", "FAILED"):
        raise Reported("Invalid Response object: Status must be SUCCESS or FAILED.")
    physical_id = answer.get("PhysicalResourceId")
    if not isinstance(physical_id, str) or not 1 <= len(physical_id.encode()) <= 1024:
        raise Reported("Invalid PhysicalResourceId")
    for member, sent in (
        ("StackId", request.stack_id),
        ("RequestId", request_id),
        ("LogicalResourceId", request.logical_id),
    ):
        if answer.get(member) != sent:
            raise Reported(f"Invalid Response object: {member} must be that of the request, {sent}.")
    if answer["Status"] == "FAILED":
        if not answer.get("Reason"):
            raise Reported("Invalid Response object: a response whose Status is FAILED must have a Reason.")
        raise Reported(
            "Received response status [FAILED] from custom resource. Message returned: "
            f"{answer['Reason']} (RequestId: {request_id})",
            physical_id,
        )
    if not isinstance(answer.get("Data", {}), dict):
        raise Reported("Invalid Response object: Data must be an object.")
    return answer
