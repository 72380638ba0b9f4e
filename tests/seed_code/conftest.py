"""A git repository of the house's shape, small enough to read in a test."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., str]


def _git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"]
    return subprocess.run(
        ["git", *identity, "-C", str(root), *arguments], check=True, capture_output=True, text=True
    ).stdout


def _make_repository(root: Path) -> Path:
    files = {
        ".gitignore": "__pycache__/\n*.pyc\n",
        "build_repo/Makefile": "test:\n\tpytest\n",
        "build_repo/README.md": "# Build\n",
        "build_repo/pipelines/step_preprocess.py": "print('prepare')\n",
        "build_repo/.gitignore": ".venv/\n",
        "build_repo/run": "#!/bin/sh\n",
        "deploy_repo/README.md": "# Deploy — with an umlaut: ü\n",
        "cloudformation/functions/answer.py": "from shared import nothing\n",
        "cloudformation/functions/shared.py": "nothing = None\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "build_repo" / "run").chmod(0o755)
    _git(root, "init", "--quiet", "--initial-branch=main")
    _git(root, "add", ".")
    _git(root, "commit", "--quiet", "--message", "Seeds")
    return root


@pytest.fixture
def git() -> Git:
    """Runs git in a folder, as a committer who exists only here, and gives what it printed."""
    return _git


@pytest.fixture
def make_repository() -> Callable[[Path], Path]:
    """Makes the same repository in any folder."""
    return _make_repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A committed repository with both seeds and two modules of functions."""
    return _make_repository(tmp_path / "repository")
