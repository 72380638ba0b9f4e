"""Commands of a buildspec, run as CodeBuild runs them.

Each command is a script of its own; folder and exported variables go on to the next one (buildspec version 0.2). As on
AWS every assignment is exported (`set -a`), while functions and shell options do not last, and the default shell is
`sh`, which on the image is bash in its POSIX mode.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from rehearsal.cloud.codebuild.errors import InterruptedBuildError
from rehearsal.cloud.processes import Processes

SCRIPT = """\
cd "$(cat {folder})"
set -a
. {state}
CODEBUILD_BUILD_SUCCEEDING={succeeding}
{command}
CODEBUILD_LAST_EXIT=$?
export -p > {state}
pwd > {folder}
exit $CODEBUILD_LAST_EXIT
"""


class Shell:
    """Runs commands one after another in one build; `interrupt` may come from any thread."""

    def __init__(
        self, processes: Processes, work: Path, start_in: Path, shell: str, environment: Mapping[str, str]
    ) -> None:
        self._processes = processes
        self._script = work / "script.sh"
        self._folder = work / "dir.txt"
        self._state = work / "env.sh"
        self._folder.write_text(f"{start_in}\n")
        self._state.touch()
        self._environment = dict(environment)
        bash = shutil.which("bash", path=environment.get("PATH")) or "/bin/bash"
        self._program = bash
        self._called = "bash" if shell == "bash" else "sh"  # bash called sh is POSIX bash, as on Amazon Linux
        self._lock = threading.Lock()
        self._running: subprocess.Popen[Any] | None = None
        self._left_behind: list[subprocess.Popen[Any]] = []
        self._interrupted = ""

    def run(
        self,
        command: str,
        output: IO[bytes] | int,
        *,
        succeeding: bool = True,
        started: Callable[[], None] | None = None,
    ) -> int:
        """Run one command to its end and return its exit status; `started` is called while it runs.

        Raises InterruptedBuildError.
        """
        self._script.write_text(
            SCRIPT.format(
                folder=shlex.quote(str(self._folder)),
                state=shlex.quote(str(self._state)),
                succeeding=int(succeeding),
                command=command,
            )
        )
        with self._lock:
            if self._interrupted:
                raise InterruptedBuildError(self._interrupted)
            child = self._running = self._processes.start(
                [self._called, str(self._script)],
                executable=self._program,
                env=self._environment,
                cwd=self._folder.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        if started is not None:
            started()
        status = child.wait()
        with self._lock:
            self._running = None
            if _group_lives(child):
                self._left_behind.append(child)  # background processes live as long as the build
            else:
                self._processes.forget(child)
            if self._interrupted:
                raise InterruptedBuildError(self._interrupted)
        return status

    def values(self, names: tuple[str, ...]) -> dict[str, str]:
        """The values that variables have after the last command; empty for those that are not set."""
        printing = "".join(f'printf "%s\\0" "${{{name}-}}"; ' for name in names)
        script = f". {shlex.quote(str(self._state))}; {printing}"
        shown = self._processes.run(
            [self._called, "-c", script],
            executable=self._program,
            env=self._environment,
            text=False,
            stderr=subprocess.DEVNULL,
        )
        raw: Any = shown.stdout
        return dict(zip(names, bytes(raw).decode(errors="replace").split("\0"), strict=False))

    def interrupt(self, status: str) -> None:
        """End the running command and run no more; `status` is what becomes of the build."""
        with self._lock:
            if self._interrupted:
                return
            self._interrupted = status
            running = self._running
        if running is not None:
            self._processes.end(running)

    def close(self) -> None:
        """End what commands left running in the background."""
        for child in self._left_behind:
            self._processes.end(child)
        self._left_behind.clear()


def _group_lives(child: subprocess.Popen[Any]) -> bool:
    try:
        os.killpg(child.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
