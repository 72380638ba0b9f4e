"""Invoking functions: at once, later, or not at all.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-invocation.html
"""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.lambda_.execution import Execution
from rehearsal.cloud.lambda_.records import LATEST, Function, Invocation, Outcome
from rehearsal.cloud.lambda_.room import Room
from rehearsal.cloud.service import Call, Credentials, Document, operation

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

LARGEST = {"RequestResponse": 6 * 1024 * 1024, "Event": 1024 * 1024, "DryRun": 6 * 1024 * 1024}
"""Bytes of an event. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
RETRIES = (60.0, 120.0)
"""AWS seconds before the second and the third attempt at an asynchronous invocation that failed.

"If the function returns an error, Lambda attempts to run it two more times, with a one-minute wait between the first
two attempts, and two minutes between the second and third attempts."
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""
THROTTLED_SECONDS = 1.0
"""AWS seconds until an asynchronous invocation that was throttled is tried again, at first; twice as long each time."""
LONGEST_THROTTLED = 300.0
NOT_PLAYED = ("ClientContext", "DurableExecutionName", "TenantId")

log = logging.getLogger(__name__)


class Throttled(AwsError):
    """As many invocations run as the function has concurrency reserved for it."""

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.", 429)


class Invocations(Room):
    """The operations that run functions."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._execution = Execution(cloud)

    def busy(self, reference: str) -> bool:
        """Whether an invocation of a function runs right now."""
        with self.lock:
            try:
                return self.find(reference).running > 0
            except AwsError:
                return False

    @operation("Invoke", lambda room, request: room.function_calls("InvokeFunction", request))
    def invoke(self, request: Document, caller: Credentials) -> Document:
        """https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""
        for member in NOT_PLAYED:
            if member in request:
                raise NotImplementedHere(f"{member} of lambda:Invoke")
        kind = request.get("InvocationType", "RequestResponse")
        event = bytes(request.get("Payload", b"")) or b"{}"
        _check_event(event, LARGEST[kind])
        with self.lock:
            function = self._ready(request["FunctionName"], request.get("Qualifier"))
            invocation = _invocation(function, event)
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            self._later(invocation)
            return {"StatusCode": 202, "Payload": b""}
        outcome = self._run(invocation)
        answer: Document = {"StatusCode": 200, "Payload": outcome.payload, "ExecutedVersion": LATEST}
        if outcome.failed:
            answer["FunctionError"] = "Unhandled"
        if request.get("LogType") == "Tail":
            answer["LogResult"] = base64.b64encode(outcome.tail).decode()
        return answer

    def deliver(self, rule: dict[str, Any], target: dict[str, Any], event: dict[str, Any], payload: str | None) -> None:
        """Invoke a function because a rule matched; its policy was asked where rules are matched."""
        arn = str(target["Arn"])
        self.cloud.identity.record("events.amazonaws.com", Call("lambda:InvokeFunction", arn), allowed=True)
        try:
            with self.lock:
                function = self._ready(arn, None)
                invocation = _invocation(function, (payload or json.dumps(event)).encode())
        except AwsError as problem:
            log.warning("the event of rule %s is lost: %s", rule.get("Name"), problem)
            return
        self._later(invocation)

    # ---- inside

    def _ready(self, reference: str, qualifier: str | None) -> Function:
        function = self.find(reference, qualifier)
        if not function.active:
            raise AwsError(
                "ResourceConflictException",
                "The operation cannot be performed at this time. The function is currently in the following state: "
                "Pending",
                409,
            )
        return function

    def _run(self, invocation: Invocation) -> Outcome:
        with self.lock:
            function = self.find(invocation.name)
            if function.reserved is not None and function.running >= function.reserved:
                raise Throttled
            function.running += 1
        try:
            return self._execution.run(invocation)
        finally:
            with self.lock:
                function.running -= 1

    def _later(self, invocation: Invocation) -> None:
        self.cloud.background(f"invocation of {invocation.name}", self._attempts, invocation)

    def _attempts(self, invocation: Invocation) -> None:
        """An asynchronous invocation: three attempts, as long as the function exists; then its event is dropped."""
        for pause in (*RETRIES, None):
            try:
                outcome = self._run_when_free(invocation)
            except AwsError as problem:
                log.warning("an event for %s is dropped: %s", invocation.name, problem)
                return
            if outcome is None or not outcome.failed:
                return
            log.warning("%s failed: %s", invocation.name, outcome.payload.decode(errors="replace"))
            if pause is None or self.cloud.clock.wait(pause, self.cloud.stopping):
                return

    def _run_when_free(self, invocation: Invocation) -> Outcome | None:
        pause = THROTTLED_SECONDS
        while True:
            try:
                return self._run(invocation)
            except Throttled:
                if self.cloud.clock.wait(pause, self.cloud.stopping):
                    return None
                pause = min(pause * 2, LONGEST_THROTTLED)


def _invocation(function: Function, event: bytes) -> Invocation:
    return Invocation(function.name, function.arn, function.settings, function.code, event)


def _check_event(event: bytes, largest: int) -> None:
    if len(event) > largest:
        raise AwsError(
            "RequestTooLargeException",
            f"Request must be smaller than {largest} bytes for the InvokeFunction operation",
            413,
        )
    try:
        json.loads(event)
    except ValueError as problem:
        raise AwsError("InvalidRequestContentException", f"Could not parse request body into json: {problem}") from None
