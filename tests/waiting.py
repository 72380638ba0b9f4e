"""Waiting for what threads and other processes do: on a condition, and for longer than the slowest machine needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

Answer = TypeVar("Answer")

PATIENCE = 600.0
"""Seconds until a test gives up. No test that passes waits for them, so they are no measure of how fast anything is."""
LOOK_SECONDS = 0.02
WAITER = {"Delay": 0.05, "MaxAttempts": 12_000}
"""How botocore's waiters ask: often, and until the same patience is over."""


def until(question: Callable[[], Answer | None], what: str = "it") -> Answer:
    """The first true answer to `question`. Fails the test, naming what never came, when none comes."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(LOOK_SECONDS)
    raise AssertionError(f"{what} never came about in {PATIENCE:.0f} seconds")


def at_rest(cloudformation: Any, stack: str) -> Any:
    """The description of a stack with which nothing is under way any more."""

    def found() -> Any:
        described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        return None if described["StackStatus"].endswith("_IN_PROGRESS") else described

    return until(found, f"an end of what {stack} does")
