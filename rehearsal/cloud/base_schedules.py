"""Rules that run on a schedule: their rate is a wait of AWS's, so it goes by the rehearsal's clock.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. A `cron` expression
names times of day, which are the real ones.

Private names of ministack 1.5.33 used here: of `eventbridge` `_SCHEDULER_TICK_INTERVAL` and `_parse_rate_seconds`.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import os

from ministack.services import eventbridge

SPEED = float(os.environ["REHEARSAL_SPEED"])
"""How many seconds of AWS's pass in a real one."""
LOOK_SECONDS = 1
"""Real seconds between two looks for rules whose time has come; AWS invokes within the minute."""


def install() -> None:
    """Divide rates by the clock's speed. Call it once, before the base serves."""
    seconds_of = eventbridge._parse_rate_seconds

    def real_seconds_of(expression: str) -> float | None:
        seconds = seconds_of(expression)
        return None if seconds is None else seconds / SPEED

    eventbridge._parse_rate_seconds = real_seconds_of
    eventbridge._SCHEDULER_TICK_INTERVAL = LOOK_SECONDS
