"""Ends what a cloud started when the cloud itself was ended in a way that lets it do nothing (SIGKILL, a crash).

A process of its own. It hears on its standard input which process groups live (`+<id>`) and which are gone (`-<id>`);
that pipe's end means that the cloud is gone, and then it ends every group that is left. Works wherever there are pipes.
Standard library only: it is started without the packages of any environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterable


def left(lines: Iterable[str]) -> set[int]:
    """The process groups that live when the lines end. A line the cloud could not finish does not count."""
    groups: set[int] = set()
    for line in lines:
        if not line.endswith("\n"):
            break
        change = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    return groups


def main() -> None:
    """Wait for the cloud's end."""
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)  # meant for the cloud, which tells when it is done
    for group in left(sys.stdin):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
