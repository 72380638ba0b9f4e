"""A cloud with CodeCommit, and people with a git of their own in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.resources.codecommit import CODECOMMIT_TYPES
from rehearsal.cloud.service import Credentials
from tests.rehearsal.codecommit.scene import Heard, role
from tests.rehearsal.conftest import StartCloud
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[3]
HELPER = f"!'{sys.executable}' '{ROOT / 'rehearsal' / 'git_credentials.py'}'"


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([CodeCommit], CODECOMMIT_TYPES)


@pytest.fixture(scope="module")
def codecommit(cloud: Cloud) -> Any:
    return cloud.client("codecommit", cloud.identity.root)


@pytest.fixture(autouse=True)
def heard(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> list[Heard]:
    """The events that reached the bus, while the bus itself stays quiet."""
    events: list[Heard] = []

    def emit(source: str, kind: str, detail: dict[str, Any], resources: Sequence[str] = ()) -> None:
        events.append(Heard(source, kind, detail, tuple(resources)))

    monkeypatch.setattr(cloud.events, "emit", emit)
    return events


@dataclass(frozen=True)
class Person:
    """Somebody with a home folder, credentials and git."""

    home: Path
    environment: dict[str, str]

    def git(self, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *arguments],
            cwd=folder or self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def clone(self, url: str, name: str = "work") -> Path:
        done = self.git("clone", url, name)
        assert done.returncode == 0, done.stderr
        return self.home / name

    def commit(self, folder: Path, name: str, content: str | bytes) -> str:
        """Write a file, commit it, and return the commit."""
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        for command in (["add", "--all"], ["commit", "--quiet", "--message", f"Write {name}"]):
            done = self.git(*command, folder=folder)
            assert done.returncode == 0, done.stderr
        return self.git("rev-parse", "HEAD", folder=folder).stdout.strip()


MakePerson = Callable[[Credentials | None], Person]


@pytest.fixture
def person(cloud: Cloud, tmp_path: Path) -> MakePerson:
    """`person(credentials)`: somebody whose git asks our credential helper; without credentials it asks nobody."""
    made: list[Person] = []

    def make(credentials: Credentials | None) -> Person:
        home = tmp_path / f"home{len(made)}"
        home.mkdir()
        config = "[user]\nname = Jo\nemail = jo@example.com\n[init]\ndefaultBranch = main\n"
        if credentials is not None:
            config += f'[credential]\nhelper = "{HELPER}"\nuseHttpPath = true\n'
        (home / ".gitconfig").write_text(config)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **(cloud.environment(credentials) if credentials is not None else {}),
        }
        made.append(Person(home, environment))
        return made[-1]

    return make


@pytest.fixture
def url(cloud: Cloud, codecommit: Any, request: pytest.FixtureRequest) -> str:
    """The clone URL of a new, empty repository named after the test."""
    name = re.sub(r"\W+", "-", request.node.name)[:100].strip("-")
    return str(codecommit.create_repository(repositoryName=name)["repositoryMetadata"]["cloneUrlHttp"])


@pytest.fixture
def session(cloud: Cloud) -> Callable[..., Credentials]:
    """`session("name", statements...)`: a session of a new role with these rights."""
    iam = cloud.client("iam", cloud.identity.root)

    def make(name: str, *statements: dict[str, Any]) -> Credentials:
        return cloud.identity.session_of(role(iam, name, *statements), "jo")

    return make
