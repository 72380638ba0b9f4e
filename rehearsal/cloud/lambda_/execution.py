"""One invocation, in an environment that is new or was used before.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.errors import AccessDenied, AwsError
from rehearsal.cloud.lambda_.logs import FunctionLog
from rehearsal.cloud.lambda_.records import Invocation, Outcome
from rehearsal.cloud.lambda_.room import SERVICE
from rehearsal.cloud.lambda_.sandbox import TIMED_OUT, IdleSandboxes, Sandbox
from rehearsal.cloud.service import Credentials

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

INIT_SECONDS = 10.0
"""Real seconds in which a function may be imported before its timeout counts."""
LARGEST_ANSWER = 6 * 1024 * 1024
SIZE_ERROR = "Function.ResponseSizeTooLarge"


class Execution:
    """Runs invocations, as many side by side as there are callers."""

    def __init__(self, cloud: Cloud, idle: IdleSandboxes) -> None:
        self._cloud = cloud
        self._idle = idle

    def run(self, invocation: Invocation) -> Outcome:
        """Run one invocation to its end. Raises AccessDenied when the function's role cannot be assumed."""
        sandbox = self._idle.take(invocation) or Sandbox(self._cloud, invocation, self._role(invocation))
        new = not sandbox.used
        try:
            log = FunctionLog(self._cloud.client("logs", sandbox.credentials), sandbox.group, sandbox.stream)
            log.open(new)
        except BaseException:
            sandbox.end()
            raise
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

    def _role(self, invocation: Invocation) -> Credentials:
        try:
            return self._cloud.identity.assume_role(invocation.settings["Role"], SERVICE, invocation.name)
        except AwsError as problem:
            raise AccessDenied("The role defined for the function cannot be assumed by Lambda.") from problem

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

    # ---- the environment

    def _document(self, invocation: Invocation, sandbox: Sandbox, log: FunctionLog) -> tuple[dict[str, Any], float]:
        """`{"result": text}` or `{"error": document}`, and the seconds in which the function was imported.

        An environment whose function failed is used again; one that could not import it, or was ended, is not.
        """
        request = {
            "request_id": invocation.request_id,
            "arn": invocation.arn,
            "event": invocation.event.decode() or "{}",
            "timeout": invocation.timeout,
        }
        begun = time.perf_counter()
        sandbox.ask(request, log)
        ready = sandbox.answer(INIT_SECONDS + invocation.timeout)
        importing = time.perf_counter() - begun
        answer = sandbox.answer(invocation.timeout) if ready == {"ready": True} else ready
        if answer is not None and {"result", "error"} & answer.keys() and answer is not ready:
            self._idle.keep(sandbox)
            return answer, importing
        ended = sandbox.status if answer is None else None
        sandbox.end()
        if answer is TIMED_OUT:
            words = f"Task timed out after {invocation.timeout:.2f} seconds"
            log.say(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {invocation.request_id} {words}")
            return failure("Sandbox.Timedout", f"RequestId: {invocation.request_id} Error: {words}"), importing
        if answer is None or "exit" in answer:
            status = ended if answer is None else int(answer["exit"])
            words = (
                f"Runtime exited with error: {_ending(status)}"
                if status
                else "Runtime exited without providing a reason"
            )
            log.say(f"RequestId: {invocation.request_id} Error: {words}\nRuntime.ExitError")
            return failure("Runtime.ExitError", f"RequestId: {invocation.request_id} Error: {words}"), importing
        return answer, importing


def failure(kind: str, message: str) -> dict[str, Any]:
    """An error that the runtime, not the function, reports."""
    return {"error": {"errorType": kind, "errorMessage": message}}


def _ending(status: int) -> str:
    return f"exit status {status}" if status > 0 else f"signal: {-status}"
