"""The build repository's definition depends on its code and settings alone: not on the process, nor on an account.

A data scientist's own build does not repeat this: what it would cost them is a missed step cache, what it costs here is
the promise of the template.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

BUILD_REPO = Path(__file__).resolve().parents[2] / "build_repo"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the build repository, set up as `make install` does it."""
    folder = tmp_path_factory.mktemp("copy") / "build_repo"
    shutil.copytree(BUILD_REPO, folder, ignore=shutil.ignore_patterns(".venv", ".tools", "build", "__pycache__"))
    subprocess.run(["make", "--silent", "install"], cwd=folder, check=True)
    return folder


def compiled(repository: Path, folder: Path, hash_seed: str) -> tuple[bytes, str]:
    """Compile without credentials in a folder of its own, with its own order of Python sets."""
    folder.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(repository),
        "PYTHONHASHSEED": hash_seed,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [repository / ".venv" / "bin" / "python", "-m", "pipelines.definition", "--with-examples"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    uploads = (folder / "build" / "uploads.json").read_text()
    return (folder / "build" / "pipeline-definition.json").read_bytes(), uploads


def test_compiling_twice_gives_the_same_bytes(repository: Path, tmp_path: Path) -> None:
    first, second = (compiled(repository, tmp_path / seed, seed) for seed in ("1", "2"))

    assert first == second
