"""Runs the invocations of a function, one after the other: AWS's runtime and its interface client.

    python -S -s -P bootstrap.py <folder of packages> <file descriptor for the results>

An invocation comes as one line of JSON on standard input. Results go to the file descriptor, one JSON document per
line, each with the id of its `request`: `{"ready": true}` when the function's module is imported, then
`{"result": <text>}` or `{"error": {...}}`. What the function prints goes to standard output; a message that may have
several lines is, from a record separator on, one line; `END_OF_OUTPUT` and the request's id end the last one.

Errors and log lines are worded as https://github.com/aws/aws-lambda-python-runtime-interface-client words them.
Standard library only: it runs in the function's process, before anything of the function.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

RECORD = "\x1e"
END_OF_OUTPUT = f"{RECORD}{RECORD}"
FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)dZ\t%(aws_request_id)s\t%(message)s\n"


class Refused(Exception):
    """The runtime itself cannot go on. `kind` is AWS's error type (`Runtime.ImportModuleError`)."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class CognitoIdentity:
    cognito_identity_id = None
    cognito_identity_pool_id = None


class LambdaContext:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    def __init__(self, request: dict[str, Any], deadline: float) -> None:
        self.aws_request_id: str = request["request_id"]
        self.invoked_function_arn: str = request["arn"]
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.client_context = None
        self.identity = CognitoIdentity()
        self.tenant_id = None
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout."""
        return max(int((self._deadline - time.monotonic()) * 1000), 0)


class LogHandler(logging.Handler):
    """The handler that the root logger has in AWS's runtime."""

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


class RequestId(logging.Filter):
    """Stamps every record with the invocation that runs."""

    request_id = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self.request_id
        return True


_log = os.fdopen(os.dup(1), "w", encoding="utf-8") if __name__ == "__main__" else sys.stdout
"""Where messages go, as AWS's own client has a way of its own: whatever the function makes of its standard output."""


def say(text: str) -> None:
    """One message in the log, whatever its lines."""
    flush()
    _log.write(f"{RECORD}{json.dumps(text)}\n")
    _log.flush()


def flush() -> None:
    """Send what was printed, if it can be."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or something else altogether
            stream.flush()


def set_up_logging() -> RequestId:
    """Give the root logger its handler, at level WARNING. The filter it answers is told of each request."""
    logging.Formatter.converter = time.gmtime
    handler = LogHandler()
    handler.setFormatter(logging.Formatter(FORMAT, "%Y-%m-%dT%H:%M:%S"))
    stamp = RequestId()
    handler.addFilter(stamp)
    logging.getLogger().addHandler(handler)
    return stamp


def load(handler: str) -> Any:  # noqa: ANN401 - whatever the function's author wrote
    """The handler `module.function`. Raises Refused."""
    module_name, dot, function_name = handler.rpartition(".")
    if not dot:
        raise Refused(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)",
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as problem:
        raise Refused("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {problem}") from problem
    except SyntaxError as problem:
        raise Refused("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {problem}") from problem
    try:
        return getattr(module, function_name)
    except AttributeError as problem:
        raise Refused(
            "Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'"
        ) from problem


def own_frames(trace: TracebackType | None) -> list[str]:
    """A traceback without the frames of this file and of importlib."""
    found = traceback.extract_tb(trace)
    while found and (found[0].filename == __file__ or "importlib" in found[0].filename):
        found.pop(0)
    return [str(line) for line in traceback.format_list(found)]


def described(problem: BaseException, request_id: str) -> dict[str, Any]:
    """An error's document, written to the log as well."""
    if isinstance(problem, Refused):
        kind, message, trace = problem.kind, problem.message, []
    else:
        kind, message, trace = type(problem).__name__, str(problem), own_frames(problem.__traceback__)
    lines = [f"[ERROR] {kind}: {message}", "Traceback (most recent call last):", *(line.rstrip("\n") for line in trace)]
    say("\n".join(lines) + "\n")
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}


def handled(handler: Any, request: dict[str, Any]) -> str:  # noqa: ANN401 - whatever the function's author wrote
    """Call the handler; the answer as JSON text."""
    context = LambdaContext(request, time.monotonic() + request["timeout"])
    result = handler(json.loads(request["event"]), context)
    try:
        return json.dumps(result)
    except (TypeError, ValueError, RecursionError) as problem:
        raise Refused("Runtime.MarshalError", f"Unable to marshal response: {problem}") from problem


def attempt(do: Callable[[], Any], request_id: str) -> tuple[Any, dict[str, Any] | None]:
    """What the function's own code comes to: an answer, or the document of what it raised instead."""
    try:
        return do(), None
    except SystemExit as problem:
        return None, {"exit": problem.code if isinstance(problem.code, int) else int(problem.code is not None)}
    except BaseException as problem:
        return None, {"error": described(problem, request_id)}


def main() -> NoReturn:
    """Import the function with the first invocation, and serve until there are no more."""
    packages, results = sys.argv[1], int(sys.argv[2])
    requests = os.fdopen(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.set_inheritable(results, False)
    task = os.environ["LAMBDA_TASK_ROOT"]
    sys.path[:] = [task, *sys.path, packages]
    sys.argv[:] = [""]
    stamp = set_up_logging()
    own, handler = os.getpid(), None
    with os.fdopen(results, "w") as answers:

        def answer(document: dict[str, Any]) -> None:
            if os.getpid() != own:
                os._exit(0)  # a copy of this process, which the function made and did not end
            answers.write(json.dumps({**document, "request": stamp.request_id}) + "\n")
            answers.flush()

        for line in requests:
            request = json.loads(line)
            stamp.request_id = request["request_id"]
            document: dict[str, Any] | None = None
            if handler is None:
                handler, document = attempt(lambda: load(os.environ["_HANDLER"]), stamp.request_id)
            if document is None:
                answer({"ready": True})
                result, document = attempt(lambda: handled(handler, request), stamp.request_id)  # noqa: B023 - at once
                document = document or {"result": result}
            flush()
            if os.getpid() == own:
                _log.write(f"{END_OF_OUTPUT}{stamp.request_id}\n")
                _log.flush()
            answer(document)
    os._exit(0)  # threads that the function left behind are frozen on AWS


if __name__ == "__main__":
    main()
