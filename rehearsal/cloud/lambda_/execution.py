"""One invocation, from its process's start to its end.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rehearsal.cloud.errors import AccessDenied, AwsError
from rehearsal.cloud.lambda_.environment import command, link_packages, variables
from rehearsal.cloud.lambda_.logs import FunctionLog, group_of, new_stream
from rehearsal.cloud.lambda_.records import Invocation, Outcome
from rehearsal.cloud.lambda_.room import SERVICE
from rehearsal.cloud.service import Credentials

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

INIT_SECONDS = 10.0
"""Real seconds in which a function may be imported before its timeout counts."""
LARGEST_ANSWER = 6 * 1024 * 1024
SIZE_ERROR = "Function.ResponseSizeTooLarge"


class Execution:
    """Runs invocations, as many side by side as there are callers."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def run(self, invocation: Invocation) -> Outcome:
        """Run one invocation to its end. Raises AccessDenied when the function's role cannot be assumed."""
        credentials = self._role(invocation)
        log = FunctionLog(
            self._cloud.client("logs", credentials),
            group_of(invocation.name, invocation.settings),
            new_stream(invocation),
        )
        log.open()
        log.say(f"START RequestId: {invocation.request_id} Version: $LATEST")
        begun = time.perf_counter()
        try:
            document = self._document(invocation, credentials, log)
        finally:
            self._report(invocation, log, time.perf_counter() - begun)
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
    def _report(invocation: Invocation, log: FunctionLog, seconds: float) -> None:
        spent = seconds * 1000
        log.say(f"END RequestId: {invocation.request_id}")
        log.say(
            f"REPORT RequestId: {invocation.request_id}\tDuration: {spent:.2f} ms\tBilled Duration: {spent:.0f} ms\t"
            f"Memory Size: {invocation.settings['MemorySize']} MB"
        )

    # ---- the process

    def _document(self, invocation: Invocation, credentials: Credentials, log: FunctionLog) -> dict[str, Any]:
        folder = self._cloud.folder_for("lambda", "tmp")
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as temporary:
            environment = variables(
                invocation,
                log.group,
                log.stream,
                self._cloud.environment(credentials),
                self._cloud.egress.variables(),
                Path(temporary),
            )
            with self._process(invocation, environment, log) as (child, answers):
                return self._conversation(invocation, child, answers, log)

    @contextlib.contextmanager
    def _process(
        self, invocation: Invocation, environment: dict[str, str], log: FunctionLog
    ) -> Iterator[tuple[subprocess.Popen[str], int]]:
        """The function's process, and the file descriptor on which it answers."""
        ours, theirs = os.pipe()
        try:
            child = self._cloud.processes.start(
                command(link_packages(self._cloud.folder_for("lambda")), theirs),
                env=environment,
                cwd=invocation.code.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs,),
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        reader = threading.Thread(target=_read, args=(child.stdout, log), daemon=True)
        reader.start()
        try:
            yield child, ours
        finally:
            self._cloud.processes.end(child)
            reader.join()
            os.close(ours)

    @staticmethod
    def _conversation(
        invocation: Invocation, child: subprocess.Popen[str], answers: int, log: FunctionLog
    ) -> dict[str, Any]:
        """Hand over the event; answers `{"result": text}` or `{"error": document}`."""
        request = {
            "request_id": invocation.request_id,
            "arn": invocation.arn,
            "event": invocation.event.decode() or "{}",
            "timeout": invocation.timeout,
        }
        with contextlib.suppress(BrokenPipeError):
            assert child.stdin is not None  # noqa: S101 - asked for a pipe
            with child.stdin:
                json.dump(request, child.stdin)
        lines = _Lines(answers)
        first = lines.next(INIT_SECONDS + invocation.timeout)
        answer = lines.next(invocation.timeout) if first == {"ready": True} else first
        if answer is _TIMED_OUT:
            words = f"Task timed out after {invocation.timeout:.2f} seconds"
            log.say(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {invocation.request_id} {words}")
            return failure("Sandbox.Timedout", f"RequestId: {invocation.request_id} Error: {words}")
        if answer is None or "exit" in answer:
            status = child.wait() if answer is None else int(answer["exit"])
            words = (
                f"Runtime exited with error: {_ending(status)}"
                if status
                else "Runtime exited without providing a reason"
            )
            log.say(f"RequestId: {invocation.request_id} Error: {words}\nRuntime.ExitError")
            return failure("Runtime.ExitError", f"RequestId: {invocation.request_id} Error: {words}")
        return answer


_TIMED_OUT: dict[str, Any] = {"timed out": True}


class _Lines:
    """JSON documents, one per line, from a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""

    def next(self, seconds: float) -> dict[str, Any] | None:
        """The next one; `_TIMED_OUT` when it does not come in time, None when the other side is gone."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._descriptor], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                return _TIMED_OUT
            more = os.read(self._descriptor, 65536)
            if not more:
                return None
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        document: dict[str, Any] = json.loads(line)
        return document


def failure(kind: str, message: str) -> dict[str, Any]:
    """An error that the runtime, not the function, reports."""
    return {"error": {"errorType": kind, "errorMessage": message}}


def _ending(status: int) -> str:
    return f"exit status {status}" if status > 0 else f"signal: {-status}"


def _read(stream: IO[str] | None, log: FunctionLog) -> None:
    if stream is None:
        return
    with stream:
        for line in stream:
            log.printed(line.rstrip("\n"))
