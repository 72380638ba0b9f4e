"""An execution environment: a process that has imported a function, its folder and its log stream.

It serves one invocation after the other. Between them it is frozen, threads that the function left behind included:
"Lambda freezes the execution environment [...] objects declared outside of the function's handler method remain
initialized, [...] each execution environment provides [...] disk space in the /tmp directory [whose] content remains
when the execution environment is frozen".
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rehearsal.cloud.lambda_.bootstrap import END_OF_OUTPUT
from rehearsal.cloud.lambda_.environment import command, link_packages, variables
from rehearsal.cloud.lambda_.logs import FunctionLog, group_of, new_stream
from rehearsal.cloud.lambda_.records import Invocation
from rehearsal.cloud.service import Credentials

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud

OUTPUT_SECONDS = 5.0
"""Real seconds in which what a function printed must have come, once it has answered."""
TIMED_OUT: dict[str, Any] = {"timed out": True}


class Sandbox:
    """One execution environment of one revision of a function. `invocation` is the one it is made for."""

    def __init__(self, cloud: Cloud, invocation: Invocation, credentials: Credentials) -> None:
        self.name, self.revision = invocation.name, invocation.revision
        self.group = group_of(invocation.name, invocation.settings)
        self.stream = new_stream(invocation)
        self.credentials = credentials
        self.used = False
        self._processes = cloud.processes
        self._folder = Path(tempfile.mkdtemp(dir=cloud.folder_for("lambda", "tmp")))
        environment = variables(
            invocation,
            self.group,
            self.stream,
            cloud.environment(credentials),
            cloud.egress.variables(),
            self._folder,
        )
        self._log: FunctionLog | None = None
        self._printed = threading.Condition()
        self._unheard: list[str] = []
        self._output_ended = False
        ours, theirs = os.pipe()
        try:
            self._child: subprocess.Popen[str] = cloud.processes.start(
                command(link_packages(cloud.folder_for("lambda")), theirs),
                env=environment,
                cwd=invocation.code.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs,),
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except BaseException:
            os.close(ours)
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        finally:
            os.close(theirs)
        self._answers = _Lines(ours)
        self._reader = threading.Thread(target=self._read, args=(self._child.stdout,), daemon=True)
        self._reader.start()

    @property
    def process(self) -> int:
        """The id of its process."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether its process is there."""
        return self._child.poll() is None

    @property
    def status(self) -> int:
        """With what its process, which answers no more, ended; should it not end, it is ended."""
        try:
            return self._child.wait(OUTPUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._processes.end(self._child, politely=False)
            return self._child.wait()

    # ---- an invocation

    def ask(self, request: dict[str, Any], log: FunctionLog) -> None:
        """Hand over a request; from now on, what is printed goes to `log`."""
        with self._printed:
            self._log, self._output_ended = log, not self._reader.is_alive()
            for line in self._unheard:
                log.printed(line)
            self._unheard.clear()
        if self.used:
            self._signal(signal.SIGCONT)
        self.used = True
        with contextlib.suppress(BrokenPipeError):
            assert self._child.stdin is not None  # noqa: S101 - asked for a pipe
            self._child.stdin.write(json.dumps(request) + "\n")
            self._child.stdin.flush()

    def answer(self, seconds: float) -> dict[str, Any] | None:
        """The next document; `TIMED_OUT` when it does not come in time, None when the process is gone."""
        return self._answers.next(seconds)

    def freeze(self) -> None:
        """Stop it where it is, once everything it printed in this invocation is in the log."""
        with self._printed:
            self._printed.wait_for(lambda: self._output_ended, OUTPUT_SECONDS)
            self._log = None
        self._signal(signal.SIGSTOP)

    def end(self) -> None:
        """End its process and everything that started, and remove its folder."""
        with contextlib.suppress(OSError):
            assert self._child.stdin is not None  # noqa: S101 - asked for a pipe
            self._child.stdin.close()
        self._processes.end(self._child, politely=False)
        self._reader.join(OUTPUT_SECONDS)  # a process that left its group may hold on to the other end
        self._answers.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)

    def _read(self, stream: IO[str] | None) -> None:
        if stream is None:
            return
        with stream:
            for line in stream:
                self._hear(line.rstrip("\n"))
        with self._printed:
            self._output_ended = True
            self._printed.notify_all()

    def _hear(self, line: str) -> None:
        with self._printed:
            text = line.removesuffix(END_OF_OUTPUT)
            if self._log is None:
                self._unheard.append(text)
            elif text or text == line:
                self._log.printed(text)
            if text != line:
                self._output_ended = True
                self._printed.notify_all()


class _Lines:
    """JSON documents, one per line, from a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""

    def next(self, seconds: float) -> dict[str, Any] | None:
        deadline = time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._descriptor], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                return TIMED_OUT
            more = os.read(self._descriptor, 65536)
            if not more:
                return None
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        document: dict[str, Any] = json.loads(line)
        return document

    def close(self) -> None:
        os.close(self._descriptor)


class IdleSandboxes:
    """The frozen ones, which the next invocation of the same revision of their function finds.

    How long AWS keeps one is not documented; here it is until another needs its place.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle: list[Sandbox] = []
        self._lock = threading.Lock()

    @property
    def processes(self) -> list[int]:
        """The ids of their processes."""
        with self._lock:
            return [each.process for each in self._idle]

    def take(self, invocation: Invocation) -> Sandbox | None:
        """The one that was used last and fits, no longer idle."""
        with self._lock:
            for sandbox in reversed(self._idle):
                if (sandbox.name, sandbox.revision) == (invocation.name, invocation.revision) and sandbox.alive:
                    self._idle.remove(sandbox)
                    return sandbox
        return None

    def keep(self, sandbox: Sandbox) -> None:
        """Freeze it for later; the one that was used longest ago makes room."""
        sandbox.freeze()
        with self._lock:
            self._idle.append(sandbox)
            over, self._idle = self._idle[: -self._most], self._idle[-self._most :]
        for each in over:
            each.end()

    def end(self, name: str) -> None:
        """End those of a function, which was changed or deleted."""
        with self._lock:
            over = [each for each in self._idle if each.name == name]
            self._idle = [each for each in self._idle if each.name != name]
        for each in over:
            each.end()
