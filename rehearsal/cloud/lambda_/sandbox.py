"""An execution environment: a function's process, its folder, its log stream and its role's credentials.

It serves one invocation after the other. Between them it is frozen, threads that the function left behind included:
"objects declared outside of the function's handler method remain initialized", and "the directory content remains when
the execution environment is frozen". After a crash or a timeout its process begins anew: "Lambda resets the execution
environment", which "does not clear the /tmp directory content prior to the next init phase".
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html

"A single execution environment writes to the same log stream during its lifetime."
https://docs.aws.amazon.com/lambda/latest/operatorguide/log-structure.html
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.cloud.lambda_.environment import link_packages, variables
from rehearsal.cloud.lambda_.logs import FunctionLog, group_of, new_stream
from rehearsal.cloud.lambda_.process import FunctionProcess
from rehearsal.cloud.lambda_.records import Invocation
from rehearsal.cloud.service import Credentials

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud


class Sandbox:
    """One execution environment of one revision of a function. `invocation` is the one it is made for."""

    def __init__(self, cloud: Cloud, invocation: Invocation, credentials: Credentials) -> None:
        self.name, self.revision = invocation.name, invocation.revision
        self.used = False
        self._cloud = cloud
        self._code = invocation.code.folder
        self._group = group_of(invocation.name, invocation.settings)
        self._stream = new_stream(invocation)
        self._log: FunctionLog | None = None
        self._credentials = credentials
        self._folder = Path(tempfile.mkdtemp(dir=cloud.folder_for("lambda", "tmp")))
        acting, outside = cloud.environment(credentials), cloud.egress.variables()
        self._environment = variables(invocation, self._group, self._stream, acting, outside, self._folder)
        self._process: FunctionProcess | None = None

    @property
    def process(self) -> int:
        """The id of its process; 0 without one."""
        return self._process.id if self._process else 0

    def open_log(self) -> FunctionLog:
        """The log of the next invocation."""
        made = self._log.made if self._log else False
        logs = self._cloud.client("logs", self._credentials)
        self._log = FunctionLog(logs, self._group, self._stream, made)
        self._log.open()
        return self._log

    def running(self) -> FunctionProcess:
        """Its process; a new one if there is none, or none any more."""
        if self._process is None or not self._process.alive:
            self.reset()
            packages = link_packages(self._cloud.folder_for("lambda"))
            self._process = FunctionProcess(self._cloud.processes, packages, self._environment, self._code)
        self.used = True
        return self._process

    def freeze(self) -> None:
        """Stop everything in it where it is."""
        if self._process:
            self._process.freeze()

    def reset(self) -> None:
        """End its process. The next invocation begins another one, which finds the folder as this one left it."""
        process, self._process = self._process, None
        if process:
            process.end()
            process.close()

    def end(self) -> None:
        """End its process and remove its folder."""
        self.reset()
        shutil.rmtree(self._folder, ignore_errors=True)


class IdleSandboxes:
    """The frozen ones, which the next invocation of the same revision of their function finds.

    How long AWS keeps one is not documented; here it is until others, of which there are `most`, need its place.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._idle: list[Sandbox] = []
        self._lock = threading.Lock()

    @property
    def processes(self) -> list[int]:
        """The ids of their processes."""
        with self._lock:
            return [each.process for each in self._idle if each.process]

    def take(self, invocation: Invocation) -> Sandbox | None:
        """The one that fits and was used last, no longer idle; before those whose process would begin anew."""
        with self._lock:
            for sandbox in reversed(self._idle):
                if (sandbox.name, sandbox.revision) == (invocation.name, invocation.revision):
                    self._idle.remove(sandbox)
                    return sandbox
        return None

    def keep(self, sandbox: Sandbox, still_wanted: Callable[[], bool]) -> None:
        """Freeze it for later, if its function is still what it was made for; the one used longest ago makes room, and
        before all others those whose process has ended."""
        sandbox.freeze()
        with self._lock:
            over = [sandbox]
            if still_wanted():
                self._idle.insert(len(self._idle) if sandbox.process else 0, sandbox)
                over, self._idle = self._idle[: -self.most], self._idle[-self.most :]
        for each in over:
            each.end()

    def end(self, name: str | None = None) -> None:
        """End those of a function that was changed or deleted; without a name, all."""
        with self._lock:
            over = [each for each in self._idle if name in (None, each.name)]
            self._idle = [each for each in self._idle if each not in over]
        for each in over:
            each.end()
