"""Waiting until AWS is done with something."""

import time
from collections.abc import Callable
from typing import TypeVar

from service_catalog.errors import PublishError

T = TypeVar("T")
_FIRST_PAUSE_SECONDS = 0.1


def wait(settled: Callable[[], T | None], poll_seconds: float, timeout_seconds: float, gave_up: PublishError) -> T:
    """What ``settled`` answers once that is anything, looking ever more rarely, at last every ``poll_seconds``.

    Raises ``gave_up`` when the time is over.
    """
    deadline = time.monotonic() + timeout_seconds
    pause = min(_FIRST_PAUSE_SECONDS, poll_seconds)
    while (result := settled()) is None:
        if time.monotonic() > deadline:
            raise gave_up
        time.sleep(pause)
        pause = min(2 * pause, poll_seconds)
    return result
