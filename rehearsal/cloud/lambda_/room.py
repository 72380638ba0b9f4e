"""What the parts of the Lambda API share: the functions, the lock, and how to find and authorise them."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.lambda_.records import LATEST, Function
from rehearsal.cloud.lambda_.sandbox import IdleSandboxes
from rehearsal.cloud.service import Call, Document, Service

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

REFERENCE = re.compile(
    r"(?:arn:aws:lambda:(?P<region>[a-z0-9-]+):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[A-Za-z0-9_-]+)(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]+))?"
)
"""A function by name, ARN or partial ARN, perhaps with a qualifier.
https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html"""
SERVICE = "lambda.amazonaws.com"
SETTLE_SECONDS = 2.0
"""AWS seconds until a function that was created or changed has settled."""
MOST_IDLE = 8
"""Environments of functions that wait for the next invocation, of all functions together; each holds some 55 MiB."""
Context = Mapping[str, str | list[str]]


class Room(Service):
    """State and look-ups. `lock` guards every function; hold it while reading or changing one."""

    name = "lambda"
    validation_error = "ValidationException"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.lock = threading.RLock()
        self.functions: dict[str, Function] = {}
        self.idle = IdleSandboxes(MOST_IDLE)

    def function_arn(self, reference: str) -> str:
        """The ARN behind a name, ARN or partial ARN, with its qualifier."""
        found = REFERENCE.fullmatch(reference)
        if found is None:
            return reference
        region, account = found["region"] or self.cloud.region, found["account"] or self.cloud.account
        qualifier = f":{found['qualifier']}" if found["qualifier"] else ""
        return f"arn:aws:lambda:{region}:{account}:function:{found['name']}{qualifier}"

    def function_calls(self, action: str, request: Document, context: Context | None = None) -> list[Call]:
        """What an operation on a function needs, with the function's tags.

        https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
        """
        arn = self.function_arn(request["FunctionName"])
        if request.get("Qualifier"):
            arn = f"{arn}:{request['Qualifier']}"
        return [self.arn_call(action, arn, context)]

    def arn_call(self, action: str, arn: str, context: Context | None = None) -> Call:
        """The same for an ARN."""
        function = self.functions.get(":".join(arn.split(":")[6:7]))
        tags = {f"aws:ResourceTag/{key}": value for key, value in function.tags.items()} if function else {}
        return Call(f"lambda:{action}", arn, {**tags, **(context or {})})

    def find(self, reference: str, qualifier: str | None = None) -> Function:
        """Raises AwsError (ResourceNotFoundException) for a function, version or alias that does not exist."""
        arn = self.function_arn(reference)
        found = REFERENCE.fullmatch(arn)
        function = self.functions.get(found["name"]) if found else None
        asked = qualifier or (found["qualifier"] if found else None) or LATEST
        if function is None or asked != LATEST or not arn.startswith(function.arn):
            missing = f"{arn}:{qualifier}" if qualifier else arn
            raise AwsError("ResourceNotFoundException", f"Function not found: {missing}", 404)
        return function

    def settles(self) -> float:
        """When a change that is made now will have settled."""
        return time.monotonic() + self.cloud.clock.real_seconds(SETTLE_SECONDS)

    def check_settled(self, function: Function) -> None:
        """Raises AwsError (ResourceConflictException) while an earlier change is under way."""
        if not function.settled:
            raise AwsError(
                "ResourceConflictException",
                "The operation cannot be performed at this time. An update is in progress for resource: "
                f"{function.arn}",
                409,
            )

    def publish_policy(self, function: Function) -> None:
        """Tell the policy evaluator a function's resource policy."""
        self.cloud.base.ask("resource_policy", {"arn": function.arn, "policy": function.policy})


def invalid(message: str) -> AwsError:
    """A value Lambda does not take."""
    return AwsError("InvalidParameterValueException", message)
