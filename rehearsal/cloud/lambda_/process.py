"""A function's process: requests go in, documents and what it prints come out.

The other side is `bootstrap.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from rehearsal.cloud.lambda_.bootstrap import END_OF_OUTPUT
from rehearsal.cloud.lambda_.environment import command
from rehearsal.cloud.lambda_.logs import FunctionLog
from rehearsal.cloud.processes import Processes

OUTPUT_SECONDS = 5.0
"""Real seconds in which what a function printed must have come, once it has answered or ended."""
LOOK_AGAIN = 0.2
"""Real seconds after which is looked whether a process that says nothing is still there."""
MOST_UNHEARD = 1000
"""Lines that come between invocations, of a process that is not of the function's group, and wait for the next log."""
TIMED_OUT: dict[str, Any] = {"timed out": True}


class FunctionProcess:
    """One process. It is frozen between invocations by whoever has it."""

    def __init__(self, processes: Processes, packages: Path, environment: Mapping[str, str], code: Path) -> None:
        self._processes = processes
        self._log: FunctionLog | None = None
        self._unheard: deque[str] = deque(maxlen=MOST_UNHEARD)
        self._printed = threading.Condition()
        self._asked = ""
        self._heard_all = True
        self._silent = False
        ours, theirs = os.pipe()
        self._answers = os.fdopen(ours, "rb", buffering=0)
        self._poll = select.poll()  # unlike select, whatever the number of the descriptor
        self._poll.register(self._answers, select.POLLIN)
        self._rest = b""
        try:
            self._child: subprocess.Popen[str] = processes.start(
                command(packages, theirs),
                env=dict(environment),
                cwd=code,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs,),
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        finally:
            os.close(theirs)
        threading.Thread(target=self._read, args=(self._child.stdout,), daemon=True).start()

    @property
    def id(self) -> int:
        """The operating system's."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it is there."""
        return self._child.poll() is None

    # ---- an invocation

    def ask(self, request: Mapping[str, Any], log: FunctionLog) -> None:
        """Hand over a request; from now on, what is printed goes to `log`."""
        with self._printed:
            self._log, self._asked, self._heard_all = log, str(request["request_id"]), False
            for line in self._unheard:
                log.printed(line)
            self._unheard.clear()
        self._send(signal.SIGCONT)
        with contextlib.suppress(BrokenPipeError):
            assert self._child.stdin is not None  # noqa: S101 - asked for a pipe
            self._child.stdin.write(json.dumps(request) + "\n")
            self._child.stdin.flush()

    def answer(self, request_id: str, seconds: float) -> dict[str, Any] | None:
        """The next document of that request; `TIMED_OUT` when none comes in time, None when the process is gone."""
        deadline = time.monotonic() + seconds
        while True:
            line = self._line(deadline)
            if line is None:
                return None if not self.alive else TIMED_OUT
            try:
                document: dict[str, Any] = json.loads(line)
                if document.pop("request", None) == request_id:
                    return document
            except (ValueError, TypeError, AttributeError, RecursionError):  # the function wrote there
                self.end()
                return None

    def _line(self, deadline: float) -> bytes | None:
        """The next line; None when the process is gone or the time is over."""
        while b"\n" not in self._rest:
            alive, left = self.alive, max(deadline - time.monotonic(), 0)
            ready = self._poll.poll(min(left, LOOK_AGAIN) * 1000 if alive else 0)
            more = self._answers.read(65536) if ready else b""
            if ready and not more:
                self._child_is_gone()
                return None
            if not ready and (not alive or left == 0):
                return None
            self._rest += more or b""
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _child_is_gone(self) -> None:
        """It answers no more: wait for its end; should it not end, end it."""
        try:
            self._child.wait(OUTPUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()

    @property
    def status(self) -> int:
        """With what it ended."""
        return self._child.wait()

    def wait_for_output(self) -> None:
        """Return when everything that was printed in an invocation is in its log; what comes now waits for the next."""
        with self._printed:
            self._printed.wait_for(lambda: self._silent or self._heard_all, OUTPUT_SECONDS)
            self._log = None

    def freeze(self) -> None:
        """Stop it, and everything it started, where they are."""
        self._send(signal.SIGSTOP)

    def end(self) -> None:
        """End it, and everything it started."""
        self._processes.end(self._child, politely=False)
        with contextlib.suppress(OSError):
            assert self._child.stdin is not None  # noqa: S101 - asked for a pipe
            self._child.stdin.close()

    def close(self) -> None:
        """Let go of it, once it has ended."""
        self._answers.close()

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)

    # ---- what it prints

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._hear(line.rstrip("\n"))
        with self._printed:
            self._silent = True
            self._printed.notify_all()

    def _hear(self, line: str) -> None:
        with self._printed:
            text = line.removesuffix(f"{END_OF_OUTPUT}{self._asked}")
            ends = text != line
            if text or not ends:
                if self._log is None:
                    self._unheard.append(text)
                else:
                    self._log.printed(text)
            if ends:
                self._heard_all = True
                self._printed.notify_all()
