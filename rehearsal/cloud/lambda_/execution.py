"""One invocation, in an environment that is new or was used before.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.errors import AccessDenied, AwsError
from rehearsal.cloud.lambda_.logs import FunctionLog
from rehearsal.cloud.lambda_.process import TIMED_OUT
from rehearsal.cloud.lambda_.records import Invocation, Outcome
from rehearsal.cloud.lambda_.room import SERVICE
from rehearsal.cloud.lambda_.sandbox import IdleSandboxes, Sandbox
from rehearsal.cloud.service import Credentials

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

INIT_SECONDS = 10.0
"""Real seconds in which a function may be imported before its timeout counts."""
LARGEST_ANSWER = 6 * 1024 * 1024
SIZE_ERROR = "Function.ResponseSizeTooLarge"


class Execution:
    """Runs invocations, as many side by side as there are callers."""

    def __init__(self, cloud: Cloud, idle: IdleSandboxes, is_current: Callable[[Invocation], bool]) -> None:
        self._cloud = cloud
        self._idle = idle
        self._is_current = is_current

    def run(self, invocation: Invocation) -> Outcome:
        """Run one invocation to its end. Raises AccessDenied when the function's role cannot be assumed."""
        sandbox = self._idle.take(invocation) or Sandbox(self._cloud, invocation, self._role(invocation))
        try:
            outcome = self._run_in(sandbox, invocation)
        except BaseException:
            sandbox.end()
            raise
        self._idle.keep(sandbox, lambda: self._is_current(invocation))
        return outcome

    def _role(self, invocation: Invocation) -> Credentials:
        try:
            return self._cloud.identity.assume_role(invocation.settings["Role"], SERVICE, invocation.name)
        except AwsError as problem:
            raise AccessDenied("The role defined for the function cannot be assumed by Lambda.") from problem

    def _run_in(self, sandbox: Sandbox, invocation: Invocation) -> Outcome:
        new = not sandbox.used
        log = sandbox.open_log()
        log.say(f"START RequestId: {invocation.request_id} Version: $LATEST")
        begun = time.perf_counter()
        importing: float | None = None
        try:
            document, spent = self._document(invocation, sandbox, log)
            importing = spent if new else None
        finally:
            self._report(invocation, log, time.perf_counter() - begun, importing)
            log.close()
        if "result" in document:
            payload = str(document["result"]).encode()
            if len(payload) <= LARGEST_ANSWER:
                return Outcome(payload, tail=log.tail)
            document = failure(
                SIZE_ERROR, f"Response payload size exceeded maximum allowed payload size ({LARGEST_ANSWER} bytes)."
            )
        return Outcome(json.dumps(document["error"]).encode(), failed=True, tail=log.tail)

    @staticmethod
    def _report(invocation: Invocation, log: FunctionLog, seconds: float, importing: float | None) -> None:
        """https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html"""
        billed = seconds * 1000
        imported = (importing or 0) * 1000
        log.say(f"END RequestId: {invocation.request_id}")
        log.say(
            f"REPORT RequestId: {invocation.request_id}\tDuration: {billed - imported:.2f} ms\t"
            f"Billed Duration: {billed:.0f} ms\tMemory Size: {invocation.settings['MemorySize']} MB"
            + (f"\tInit Duration: {imported:.2f} ms" if importing is not None else "")
        )

    def _document(self, invocation: Invocation, sandbox: Sandbox, log: FunctionLog) -> tuple[dict[str, Any], float]:
        """`{"result": text}` or `{"error": document}`, and the seconds until the function was imported.

        A function that raised goes on with the next invocation; one that could not be imported, or was ended, begins
        anew.
        """
        request = {
            "request_id": invocation.request_id,
            "arn": invocation.arn,
            "event": invocation.event.decode() or "{}",
            "timeout": invocation.timeout,
        }
        begun = time.perf_counter()
        process = sandbox.running()
        process.ask(request, log)
        ready = process.answer(invocation.request_id, INIT_SECONDS + invocation.timeout)
        importing = time.perf_counter() - begun
        imported = ready == {"ready": True}
        answer = process.answer(invocation.request_id, invocation.timeout) if imported else ready
        if not imported or answer in (None, TIMED_OUT) or "exit" in answer:
            process.end()
            process.wait_for_output()
            status = process.status if answer is None else 0
            sandbox.reset()
            return self._ended(invocation, answer, status, log), importing
        process.wait_for_output()
        return answer, importing

    @staticmethod
    def _ended(invocation: Invocation, answer: dict[str, Any] | None, status: int, log: FunctionLog) -> dict[str, Any]:
        """What is told of a process that does not go on. `status` is the ending of one that told nothing itself."""
        if answer is TIMED_OUT:
            words = f"Task timed out after {invocation.timeout:.2f} seconds"
            log.say(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {invocation.request_id} {words}")
            return failure("Sandbox.Timedout", f"RequestId: {invocation.request_id} Error: {words}")
        if answer is None or "exit" in answer:
            status = status if answer is None else int(answer["exit"])
            words = (
                f"Runtime exited with error: {_ending(status)}"
                if status
                else "Runtime exited without providing a reason"
            )
            log.say(f"RequestId: {invocation.request_id} Error: {words}\nRuntime.ExitError")
            return failure("Runtime.ExitError", f"RequestId: {invocation.request_id} Error: {words}")
        return answer


def failure(kind: str, message: str) -> dict[str, Any]:
    """An error that the runtime, not the function, reports."""
    return {"error": {"errorType": kind, "errorMessage": message}}


def _ending(status: int) -> str:
    return f"exit status {status}" if status > 0 else f"signal: {-status}"
