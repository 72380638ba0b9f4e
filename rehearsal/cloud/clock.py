"""One clock for everything AWS lets people wait for.

Waits that AWS defines (bake times, alarm periods, retry intervals) are divided by the speed factor; latencies that
are measured (an endpoint's answer, a training run) stay real.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from rehearsal.cloud.news import News

TOGETHER_SECONDS = 0.1
"""News comes several at a time: those who heard the first wait so long for the others, and look once."""


@dataclass(frozen=True)
class Patience:
    """How long people wait: `factor` times what the story says, looking every `poll_seconds`.

    Where there is `news`, they look at once when they hear something. Who follows what is told as news, all of it,
    looks only every `quiet_seconds` while they hear nothing.
    """

    factor: float = 1.0
    poll_seconds: float = 0.25
    news: News | None = None
    quiet_seconds: float = 1.0

    def pause(self, over: threading.Event, told: int, *, following: bool = False) -> None:
        """Until the next look; `told` is how much news there was before the last one."""
        if self.news is None:
            over.wait(self.poll_seconds)
            return
        self.news.wait(told, self.quiet_seconds if following else self.poll_seconds)
        over.wait(TOGETHER_SECONDS)


class Clock:
    """`speed` AWS seconds pass in one real second of waiting."""

    def __init__(self, speed: float = 60.0) -> None:
        if speed <= 0:
            raise ValueError(f"the clock's speed must be above 0, not {speed}")
        self.speed = speed

    @staticmethod
    def now() -> datetime:
        """The time of day, as AWS stamps it (aware, UTC)."""
        return datetime.now(UTC)

    @staticmethod
    def timestamp() -> float:
        """Seconds since the epoch, as the JSON protocol carries timestamps."""
        return time.time()

    def real_seconds(self, aws_seconds: float) -> float:
        """How long a wait of `aws_seconds` lasts here."""
        return aws_seconds / self.speed

    def wait(self, aws_seconds: float, until: threading.Event | None = None) -> bool:
        """Wait as long as AWS would, sped up. Returns True at once when `until` is set meanwhile."""
        if until is None:
            time.sleep(self.real_seconds(aws_seconds))
            return False
        return until.wait(self.real_seconds(aws_seconds))
