"""How many builds run at the same time: those beyond wait in QUEUED, and come in the order they were started.

On AWS the number is an account's quota for each size of instance (*Concurrently running builds*, 1 for Linux/Small in a
new account, up to hundreds when asked for). Here all builds of a cloud share one machine: as many run as it has cores.
https://docs.aws.amazon.com/codebuild/latest/userguide/limits.html
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_AGAIN = 0.5


class Turns:
    """Hands out `limit` turns, first come, first served."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, given_up: Callable[[], bool]) -> Iterator[None]:
        """Wait for a turn and hold it. Who has given up gets through at once, without one."""
        mine = object()
        with self._changed:
            self._waiting.append(mine)
            try:
                while not (first := self._waiting[0] is mine and self._taken < self._limit) and not given_up():
                    self._changed.wait(LOOK_AGAIN)
                self._taken += first
            finally:  # whatever `given_up` raises, those behind come to their turn
                self._waiting.remove(mine)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._taken -= first
                self._changed.notify_all()

    def look(self) -> None:
        """Somebody who waits may have given up."""
        with self._changed:
            self._changed.notify_all()
