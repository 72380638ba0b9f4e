"""Word that something happened in the cloud, for those who would otherwise look again and again to find out.

It says nothing of what happened: whoever hears it looks as they would have looked anyway, through the API, and is no
wiser for it than by looking later.
"""

from __future__ import annotations

import threading


class News:
    """Counts what happened. Waiting begins at a count that was read before looking, so that nothing is missed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._told = 0

    @property
    def told(self) -> int:
        """How often something was told until now."""
        with self._changed:
            return self._told

    def tell(self) -> None:
        """Something happened."""
        with self._changed:
            self._told += 1
            self._changed.notify_all()

    def wait(self, told: int, seconds: float) -> None:
        """Until more than `told` things were told, but at most so many real seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._told > told, timeout=seconds)
