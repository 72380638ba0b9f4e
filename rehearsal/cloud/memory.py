"""How much memory an instance has, and the end that its kernel makes of a program that wants more.

The memory is counted, not reserved: twenty times a second, over the program and everything it started. Needs Linux's
/proc; elsewhere no program ever wants too much.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from pathlib import Path

PROC = Path("/proc")
LOOK_SECONDS = 0.05
GIB = 1 << 30
LARGE_GIB = {
    **dict.fromkeys(("t2", "t3", "m4", "m5", "m5d", "m6i", "m6id", "m6g", "m6gd", "m7i", "m7g"), 8.0),
    "c4": 3.75,
    **dict.fromkeys(("c5", "c5d", "c6i", "c6id", "c6g", "c6gd", "c7i", "c7g"), 4.0),
    "c5n": 5.25,
    "c6gn": 4.0,
    "c6in": 4.0,
    **dict.fromkeys(("r5", "r5d", "r6i", "r6id", "r6g", "r6gd", "r7i", "r7g"), 16.0),
}
"""Memory of the size `large`, by family; the other sizes are multiples of it.
https://aws.amazon.com/sagemaker/ai/pricing/ (instance details), https://aws.amazon.com/ec2/instance-types/"""
INSTANCE = re.compile(r"^ml\.(?P<family>[a-z0-9]+)\.(?:(?P<size>medium|large)|(?P<number>\d*)xlarge)$")


def memory_of(instance_type: str) -> int | None:
    """Bytes that an instance of this type has; None for a type that is not in the table, which is then not limited."""
    found = INSTANCE.match(instance_type)
    if found is None or found["family"] not in LARGE_GIB:
        return None
    sizes = {"medium": 0.5, "large": 1.0}
    times = sizes[found["size"]] if found["size"] else 2.0 * int(found["number"] or 1)
    return int(LARGE_GIB[found["family"]] * times * GIB)


class OutOfMemoryError(Exception):
    """A program was ended because it wanted more memory than its instance has."""


class MemoryWatch:
    """Ends the process group of `pid` when its programs together hold more than `limit` bytes."""

    def __init__(self, pid: int, limit: int) -> None:
        self._pid = pid
        self._limit = limit
        self._over = threading.Event()
        self.exceeded = False
        threading.Thread(target=self._watch, name=f"memory of {pid}", daemon=True).start()

    def stop(self) -> None:
        """The program has ended."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            if resident(self._pid) > self._limit:
                self.exceeded = True
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._pid, signal.SIGKILL)
                return


def resident(pid: int) -> int:
    """Bytes of memory that a process and all its descendants hold now; 0 when it is gone."""
    total, waiting = 0, [str(pid)]
    while waiting:
        process = PROC / waiting.pop()
        try:
            total += int((process / "statm").read_text().split()[1])
            for thread in (process / "task").iterdir():
                waiting += (thread / "children").read_text().split()
        except OSError:
            continue  # it has ended, or this system tells nothing of it
    return total * os.sysconf("SC_PAGE_SIZE")
