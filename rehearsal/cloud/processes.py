"""Child processes that never outlive the cloud, but those that leave for a session of their own."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GRACE_SECONDS = 5.0
KEEPER = Path(__file__).with_name("keeper.py")

log = logging.getLogger(__name__)


class Processes:
    """Starts every child in a process group of its own and ends whole groups, so that grandchildren go too.

    Should the cloud be killed, its keeper (`keeper.py`) ends them.
    """

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[Any]] = set()
        self._lock = threading.Lock()
        self._stopped = False
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:  # noqa: ANN401
        """Start a child (options as for `subprocess.Popen`). Raises RuntimeError once the cloud is stopping."""
        with self._lock:
            if self._stopped:
                raise RuntimeError("the cloud is stopping: no new process is started")
            if self._keeper is None:
                self._keeper = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(KEEPER)],
                    start_new_session=True,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                )
            child = subprocess.Popen(command, start_new_session=True, **options)
            self._running.add(child)
            self._tell_keeper(f"+{child.pid}")
        return child

    def _tell_keeper(self, line: str) -> None:
        if self._keeper is None or self._keeper.stdin is None or self._keeper.stdin.closed:
            return
        try:
            self._keeper.stdin.write(f"{line}\n".encode())
            self._keeper.stdin.flush()
        except OSError as problem:
            log.warning("the keeper is gone (%s): processes would outlive a killed cloud", problem)
            with contextlib.suppress(OSError):
                self._keeper.stdin.close()

    def run(
        self,
        command: Sequence[str],
        *,
        timeout: float | None = None,
        **options: Any,  # noqa: ANN401
    ) -> subprocess.CompletedProcess[str]:
        """Run a child to its end, output captured as text unless `options` say otherwise.

        Raises subprocess.TimeoutExpired after ending the child's whole group.
        """
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.STDOUT)
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("text", True)
        child = self.start(command, **options)
        try:
            output, errors = child.communicate(timeout=timeout)
        except BaseException:
            self.end(child)
            raise
        finally:
            self.forget(child)
        return subprocess.CompletedProcess(command, child.returncode, output, errors)

    def forget(self, child: subprocess.Popen[Any]) -> None:
        """Stop tracking a child that has ended."""
        with self._lock:
            if child in self._running:
                self._running.discard(child)
                self._tell_keeper(f"-{child.pid}")

    def end(self, child: subprocess.Popen[Any], *, politely: bool = True) -> None:
        """End a child and everything it started: politely first (and woken, should it be stopped), then not."""
        for ending in (signal.SIGTERM, signal.SIGKILL) if politely else (signal.SIGKILL,):
            _send(child, ending, signal.SIGCONT)
            try:
                child.wait(GRACE_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        _send(child, signal.SIGKILL)  # grandchildren that ignored the polite ending
        self.forget(child)

    def stop(self) -> None:
        """End all children; nothing can be started afterwards."""
        with self._lock:
            self._stopped = True
            children = list(self._running)
        for child in children:
            _send(child, signal.SIGTERM, signal.SIGCONT)
        for child in children:
            self.end(child)
        with self._lock:
            if self._keeper is not None and self._keeper.stdin is not None:
                with contextlib.suppress(OSError):
                    self._keeper.stdin.close()
                self._keeper.wait()


def _send(child: subprocess.Popen[Any], *signals: signal.Signals) -> None:
    """Send signals to a child's whole group, if any of it is left."""
    for each in signals:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, each)
