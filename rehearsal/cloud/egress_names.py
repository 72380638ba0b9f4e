"""What addresses a name has, looked up once for everybody who asks within a minute.

An installer that fetches fifty packages side by side asks fifty times for the same name, and a resolver that is asked
like that drops some of the questions: each is then seconds late. Here the first asks, the others wait for its answer.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

KEPT_SECONDS = 60.0
FAILURE_KEPT_SECONDS = 5.0
"""Long enough for all who asked together, short enough for a network that comes back."""


def look_up(name: str) -> list[str]:
    """The addresses of a name (or of an address: itself), best first. Raises OSError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass
class _Kept:
    """The last answer for one name. Whoever holds the lock may ask again."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = 0.0
    addresses: Sequence[str] = ()
    problem: OSError | None = None


class Names:
    """Looks names up, and keeps what it found."""

    def __init__(
        self, ask: Callable[[str], Sequence[str]] = look_up, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._now = now
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def addresses(self, name: str) -> Sequence[str]:
        """All addresses of a name, at least one. Raises OSError, for a while the same, for a name that has none."""
        with self._lock:
            kept = self._kept.setdefault(name.rstrip(".").lower(), _Kept())
        with kept.lock:
            if self._now() >= kept.until:
                self._renew(kept, name)
            if kept.problem is not None:
                raise OSError(*kept.problem.args)
            return kept.addresses

    def _renew(self, kept: _Kept, name: str) -> None:
        try:
            kept.addresses, kept.problem = self._ask(name), None
            if not kept.addresses:
                raise OSError(f"{name} has no address")
        except (OSError, UnicodeError) as problem:  # a name that cannot be written as a host's is a UnicodeError
            kept.problem = problem if isinstance(problem, OSError) else OSError(str(problem))
        kept.until = self._now() + (KEPT_SECONDS if kept.problem is None else FAILURE_KEPT_SECONDS)
