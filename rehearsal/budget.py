"""How long a rehearsal may take, warm, on a machine like the one in docs/benchmarks.md.

`make bench` fails when it takes longer there. A rehearsal only says what it took and what it may take: on a shared or a
slower machine that is no failure of the story's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

ACTS_TO_PRODUCTION = 6
TO_PRODUCTION = 60.0
"""Seconds until version 2 is in production."""
ALL_ACTS = 105.0
"""Seconds until the project is deleted again."""


class Ended(Protocol):
    """An act that ended so many seconds after the start."""

    number: int
    ok: bool
    ended: float


def budget(acts: Sequence[Ended], seconds: float) -> dict[str, dict[str, float]]:
    """What was taken, of what may be taken: `{"to production": {"seconds", "of"}, "all acts": {...}}`.

    A story that did not come so far took nothing of it.
    """
    live = [act.ended for act in acts if act.ok and act.number == ACTS_TO_PRODUCTION]
    taken = {"to production": (live, TO_PRODUCTION), "all acts": ([seconds], ALL_ACTS)}
    return {name: {"seconds": round(found[0], 1), "of": limit} for name, (found, limit) in taken.items() if found}
