"""Invoking functions: at once, later, or not at all.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-invocation.html
"""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING, Any
from uuid import uuid4

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
"""AWS seconds until an asynchronous invocation of a function that has no room for it is tried again, at first; twice as
long each time."""
LONGEST_PAUSE = 300.0
NOT_PLAYED = ("ClientContext", "DurableExecutionName", "TenantId")

log = logging.getLogger(__name__)


class Throttled(AwsError):
    """As many invocations run as the function has concurrency reserved for it."""

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.", 429)


class NotActive(AwsError):
    """The function is still being created."""

    def __init__(self) -> None:
        super().__init__(
            "ResourceConflictException",
            "The operation cannot be performed at this time. The function is currently in the following state: Pending",
            409,
        )


class Invocations(Room):
    """The operations that run functions."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._execution = Execution(cloud, self.idle, self.is_current)

    def busy(self, reference: str) -> bool:
        """Whether an invocation of a function runs or begins right now."""
        with self.lock:
            try:
                function = self.find(reference)
                return function.at_work > 0
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
            function = self.find(request["FunctionName"], request.get("Qualifier"))
            _check_active(function)
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            self._later(function, event)
            return {"StatusCode": 202, "Payload": b""}
        outcome = self._at_once(function, event)
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
                function = self.find(arn)
        except AwsError as problem:
            log.warning("an event of rule %s is lost: %s", rule.get("Name"), problem)
            return
        self._later(function, (payload or json.dumps(event)).encode())

    # ---- inside

    def is_current(self, invocation: Invocation) -> bool:
        """Whether the function still stands as it did when the invocation began."""
        with self.lock:
            function = self.functions.get(invocation.name)
            return function is not None and function.revision == invocation.revision

    def _at_once(self, function: Function, event: bytes) -> Outcome:
        with self.lock:
            function.at_work += 1
        try:
            return self._run(Invocation.of(function, event))
        finally:
            with self.lock:
                function.at_work -= 1

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

    def _later(self, function: Function, event: bytes) -> None:
        with self.lock:
            function.at_work += 1
        self.cloud.background(f"invocation of {function.name}", self._attempts, function, event)

    def _attempts(self, function: Function, event: bytes) -> None:
        """An asynchronous invocation: three attempts, as long as the function exists; then its event is dropped."""
        request_id = str(uuid4())
        for pause in (*RETRIES, None):
            try:
                outcome = self._when_free(function, event, request_id)
            except AwsError as problem:
                log.warning("an event for %s is dropped: %s", function.name, problem)
                return
            finally:
                with self.lock:
                    function.at_work -= 1
            if outcome is None or not outcome.failed:
                return
            log.warning("%s failed: %s", function.name, outcome.payload.decode(errors="replace"))
            if pause is None or self.cloud.clock.wait(pause, self.cloud.stopping):
                return
            with self.lock:
                function.at_work += 1

    def _when_free(self, function: Function, event: bytes, request_id: str) -> Outcome | None:
        """Run one attempt as soon as the function can; None when the cloud stops first."""
        pause = THROTTLED_SECONDS
        while True:
            try:
                _check_active(function)
                return self._run(Invocation.of(function, event, request_id))
            except (Throttled, NotActive):
                if self.cloud.clock.wait(pause, self.cloud.stopping):
                    return None
                pause = min(pause * 2, LONGEST_PAUSE)


def _check_active(function: Function) -> None:
    if not function.active:
        raise NotActive


def _check_event(event: bytes, largest: int) -> None:
    if len(event) > largest:
        raise AwsError(
            "RequestTooLargeException",
            f"Request must be smaller than {largest} bytes for the InvokeFunction operation",
            413,
        )
    try:
        json.loads(event.decode())
    except ValueError as problem:
        raise AwsError("InvalidRequestContentException", f"Could not parse request body into json: {problem}") from None
