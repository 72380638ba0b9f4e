"""A person of the story: they act with their own credentials, through boto3, git and programs, and in no other way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from rehearsal.cloud.service import Credentials
from rehearsal.watch import StoryError
from rehearsal.world import World

REPOSITORY_ROOT = Path(__file__).parents[1]
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TERM")


class Person:
    """Signed in to the cloud as `credentials`, with a home folder of their own inside the rehearsal's."""

    def __init__(self, name: str, cloud: World, credentials: Credentials) -> None:
        self.name = name
        self._cloud = cloud
        self._credentials = credentials
        self.home = cloud.folder_for("people", name)
        self.once_more: Callable[[StoryError], bool] = lambda problem: False  # noqa: ARG005
        """Whether this person runs git again after it failed with this."""
        self.heard: Callable[[Any], None] = lambda client: None  # noqa: ARG005
        """Given each client as it is made, to listen to what this person is answered."""
        self.client: Callable[[str], Any] = cache(self._new_client)

    def _new_client(self, service: str) -> Any:  # noqa: ANN401 - boto3 clients are untyped
        client = self._cloud.client(service, self._credentials)
        self.heard(client)
        return client

    def environment(self) -> dict[str, str]:
        """What this person's terminal has set: the cloud's address and their keys, nothing of the machine's owner."""
        return {
            **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
            **self._cloud.egress.variables(),
            **self._cloud.environment(self._credentials),
            "HOME": str(self.home),
            "TMPDIR": str(self._cloud.folder_for("people", self.name, "tmp")),
            "PYTHONPATH": str(REPOSITORY_ROOT),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(self._git_config()),
            "GIT_TERMINAL_PROMPT": "0",
        }

    def _git_config(self) -> Path:
        """git set up as AWS tells people to: CodeCommit's credential helper, with the HTTP path in use.

        https://docs.aws.amazon.com/codecommit/latest/userguide/setting-up-https-unixes.html
        """
        path = self.home / "gitconfig"
        if not path.exists():
            helper = f'"!{sys.executable} -m rehearsal.git_credentials"'
            path.write_text(
                f"[user]\n\tname = {self.name}\n\temail = {self.name}@example.com\n"
                f"[credential]\n\thelper = {helper}\n\tUseHttpPath = true\n[init]\n\tdefaultBranch = main\n"
            )
        return path

    def run(self, *command: str, folder: Path | None = None) -> str:
        """Run a program as this person. Raises StoryError with what it printed when it fails."""
        done = self._cloud.processes.run(command, cwd=folder or self.home, env=self.environment())
        if done.returncode:
            raise StoryError(f"{self.name}: `{' '.join(command)}` failed with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def run_aloud(self, say: Callable[[str], None], *command: str, folder: Path | None = None) -> None:
        """Run a program as this person and pass its lines on as they come. Raises StoryError when it fails."""
        processes = self._cloud.processes
        child = processes.start(
            command,
            cwd=folder or self.home,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        assert child.stdout is not None  # noqa: S101 - asked for above
        lines = []
        for line in child.stdout:
            lines.append(line.rstrip())
            say(lines[-1])
        status = child.wait()
        processes.forget(child)
        if status:
            raise StoryError(f"{self.name}: `{' '.join(command[-2:])}` failed with {status}: {' '.join(lines[-3:])}")

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        """Run git as this person. Raises StoryError with what it printed when it fails."""
        while True:
            try:
                return self.run("git", *arguments, folder=folder).strip()
            except StoryError as problem:
                if not self.once_more(problem):
                    raise
