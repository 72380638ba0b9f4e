"""Room on the disk: enough of it before a rehearsal begins, and an orderly end before there is none left.

A full disk cuts files off anywhere: in an archive, in the base's state, in the report. So a rehearsal ends while there
is still room to end in.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from pathlib import Path

MEGABYTE = 1_000_000
NEEDED = 1_500 * MEGABYTE
"""Free bytes that a rehearsal begins with: what the story writes at its most, builds' environments included."""
LEAST = 300 * MEGABYTE
"""Free bytes below which it ends."""
LOOK_SECONDS = 0.5
REMEDY = "Free some space, or choose a --folder on another disk."


def free(folder: Path) -> int:
    """Free bytes on the disk of a folder."""
    return shutil.disk_usage(folder).free


def shortage(folder: Path, needed: int = NEEDED) -> str | None:
    """What to tell a person before a rehearsal that has too little room to begin; None when there is enough."""
    left = free(folder)
    if left >= needed:
        return None
    return (
        f"The disk of {folder} has {left // MEGABYTE} MB free, but a rehearsal needs {needed // MEGABYTE} MB. {REMEDY}"
    )


class DiskWatch:
    """While it watches, too little room interrupts the main thread as Ctrl-C does; `problem` then says why."""

    def __init__(self, folder: Path, least: int = LEAST) -> None:
        self._folder = folder
        self._least = least
        self._over = threading.Event()
        self.problem: str | None = None

    def __enter__(self) -> DiskWatch:
        threading.Thread(target=self._watch, name="disk", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            left = free(self._folder)
            if left < self._least:
                self.problem = (
                    f"Only {left // MEGABYTE} MB are left on the disk of {self._folder}: the rehearsal was ended "
                    f"before anything it writes was cut off, and nothing is left running. {REMEDY}"
                )
                os.kill(os.getpid(), signal.SIGINT)
                return
