"""A connection that breaks under git leaves nothing behind on either side; doing it again works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.codecommit import CodeCommit
from tests.rehearsal.faults.conftest import Faulty
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[3]
HELPER = f"!'{sys.executable}' '{ROOT / 'rehearsal' / 'git_credentials.py'}'"


class Desk:
    """A person's machine with git, as the account's root."""

    def __init__(self, cloud: Cloud, home: Path) -> None:
        self.home = home
        self.home.mkdir()
        (home / ".gitconfig").write_text(
            "[user]\nname = Jo\nemail = jo@example.com\n[init]\ndefaultBranch = main\n"
            f'[credential]\nhelper = "{HELPER}"\nuseHttpPath = true\n'
        )
        self.environment = {
            **cloud.environment(cloud.identity.root),
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }

    def git(self, *arguments: str, folder: str = ".") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *arguments],
            cwd=self.home / folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def commit(self, name: str, size: int, folder: str = "work") -> str:
        """A commit with a file of so many random bytes; its id."""
        (self.home / folder / name).write_bytes(os.urandom(size))
        for command in (["add", "--all"], ["commit", "--quiet", "--message", name]):
            done = self.git(*command, folder=folder)
            assert done.returncode == 0, done.stderr
        return self.git("rev-parse", "HEAD", folder=folder).stdout.strip()


@pytest.fixture
def cloud(faulty: Faulty) -> Cloud:
    return faulty(["git-network"], [CodeCommit])


@pytest.fixture
def codecommit(cloud: Cloud) -> Any:
    return cloud.client("codecommit", cloud.identity.root)


@pytest.mark.parametrize("size", [100, 3_000_000], ids=["small", "large"])
def test_a_broken_push_changes_nothing_and_the_next_one_goes_through(
    cloud: Cloud, codecommit: Any, tmp_path: Path, size: int
) -> None:
    url = codecommit.create_repository(repositoryName="claims")["repositoryMetadata"]["cloneUrlHttp"]
    desk = Desk(cloud, tmp_path / "desk")
    desk.git("init", "--quiet", "work")
    desk.git("remote", "add", "origin", url, folder="work")
    commit = desk.commit("model.bin", size)
    broken = desk.git("push", "origin", "main", folder="work")
    assert broken.returncode != 0
    assert "RPC failed" in broken.stderr or "hung up unexpectedly" in broken.stderr, broken.stderr
    assert cloud.faults.struck("git-network") == ["a push of claims"]
    assert codecommit.list_branches(repositoryName="claims")["branches"] == []
    objects = cloud.folder_for("codecommit")
    assert [
        path for path in objects.rglob("*") if path.suffix in (".pack", ".idx") or path.name.startswith("tmp_")
    ] == []
    again = desk.git("push", "origin", "main", folder="work")
    assert again.returncode == 0, again.stderr
    assert codecommit.get_branch(repositoryName="claims", branchName="main")["branch"]["commitId"] == commit


def test_a_broken_clone_leaves_no_folder_and_the_next_one_goes_through(
    cloud: Cloud, codecommit: Any, tmp_path: Path
) -> None:
    url = codecommit.create_repository(repositoryName="claims")["repositoryMetadata"]["cloneUrlHttp"]
    who = "Ada <ada@example.com> 1700000000 +0000"
    stream = f"commit refs/heads/main\nauthor {who}\ncommitter {who}\ndata 5\nFirst\nM 644 inline a\ndata 2\na\n\n"
    repository = cast(CodeCommit, cloud.services["codecommit"]).repository("claims")
    repository.git("fast-import", "--quiet", stdin=stream.encode())
    desk = Desk(cloud, tmp_path / "desk")
    broken = desk.git("clone", url, "work")
    assert broken.returncode != 0
    assert not (desk.home / "work").exists()
    assert cloud.faults.struck("git-network") == ["a clone or fetch of claims"]
    again = desk.git("clone", url, "work")
    assert again.returncode == 0, again.stderr
    assert desk.git("rev-parse", "HEAD", folder="work").stdout.strip() == repository.references()["refs/heads/main"]
