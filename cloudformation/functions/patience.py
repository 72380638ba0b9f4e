"""Waiting within the time that an invocation has."""

import time
from collections.abc import Callable
from typing import Protocol

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
GROWTH = 1.5
HAND_OVER_MILLISECONDS = 60_000
"""What has to be left of an invocation to hand its work over to the next one."""


class Context(Protocol):
    """What Lambda says about an invocation.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    invoked_function_arn: str
    log_group_name: str

    def get_remaining_time_in_millis(self) -> int: ...


class OutOfTimeError(Exception):
    """The invocation is about to end. The message says what it was waiting for."""


class Patience:
    """How long an invocation can still wait. `remaining` is the context's get_remaining_time_in_millis."""

    def __init__(self, remaining: Callable[[], int]) -> None:
        self._remaining = remaining

    def check(self, what: str) -> None:
        """Raise OutOfTimeError when the work, described by `what`, has to be handed over."""
        if self._remaining() < HAND_OVER_MILLISECONDS:
            raise OutOfTimeError(what)

    def wait_until(self, done: Callable[[], bool], what: str) -> None:
        """Ask `done` until it says so: soon at first, then less and less often. Raises OutOfTimeError."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            self.check(what)
            if done():
                return
            time.sleep(pause)
            pause = min(pause * GROWTH, LONGEST_PAUSE_SECONDS)
