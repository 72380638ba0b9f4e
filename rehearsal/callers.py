"""Callers of an endpoint: several at once, without a pause, counting what they are answered."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import ClientError

CALLERS = 4
ANSWERED = "answered"


class Callers:
    """Between `with` and its end, calls go on; answers are counted, and errors by AWS's code or their own name."""

    def __init__(
        self, client: Callable[[str], Any], endpoint: str, claims: list[dict[str, Any]], callers: int = CALLERS
    ) -> None:
        self._runtime = client("sagemaker-runtime")
        self._endpoint = endpoint
        self._body = json.dumps({"records": claims})
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._call, name="caller", daemon=True) for _ in range(callers)]
        self._heard: list[str] = []

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        for each in self._threads:
            each.join()

    def count(self) -> Counter[str]:
        """What was heard so far."""
        with self._lock:
            return Counter(self._heard)

    def worst(self) -> tuple[int, int]:
        """From the first call that failed to the last one: how many failed, and of how many."""
        with self._lock:
            failed = [place for place, result in enumerate(self._heard) if result != ANSWERED]
        return len(failed), (failed[-1] - failed[0] + 1 if failed else 0)

    def ask(self) -> None:
        """One call. Raises whatever keeps the caller from an answer."""
        answer = self._runtime.invoke_endpoint(
            EndpointName=self._endpoint, Body=self._body, ContentType="application/json"
        )
        json.loads(answer["Body"].read())

    def _call(self) -> None:
        while not self._ending.is_set():
            try:
                self.ask()
                result = ANSWERED
            except ClientError as error:
                result = str(error.response["Error"]["Code"])
            except Exception as error:  # whatever it is, a caller has had no answer
                result = type(error).__name__
            with self._lock:
                self._heard.append(result)
