"""How long a service waits for a function that is to report back to it.

On AWS the wait is one number. Here some of it is work, which takes as long as it takes on this machine, and the rest is
idle: nothing will come any more, and AWS would wait in vain. So time counts as it is while the function runs, and by
the cloud's clock while it does not.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from rehearsal.cloud.lambda_.invocations import Invocations

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud


MOST_OF_A_LOOK = 0.2
"""Real seconds of idleness that one look can find. A machine that stood still for longer gave the function no chance to
run, and whoever waits none to hear what it had reported."""


class Patience:
    """`seconds`, as AWS counts them, for `function` to report."""

    def __init__(self, cloud: Cloud, function: str, seconds: float) -> None:
        self._cloud = cloud
        self._functions = cast(Invocations, cloud.services["lambda"])
        self._function = function
        self._left = seconds
        self._looked = time.monotonic()

    def over(self) -> bool:
        """Whether AWS would have given up by now. Ask often: it goes by what the function does when it is asked."""
        now = time.monotonic()
        passed, self._looked = now - self._looked, now
        self._left -= passed if self.works() else min(passed, MOST_OF_A_LOOK) * self._cloud.clock.speed
        return self._left <= 0

    def works(self) -> bool:
        """Whether the function runs right now."""
        return self._functions.busy(self._function)
