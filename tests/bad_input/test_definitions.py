"""A pipeline that somebody has edited and that cannot be compiled any more: `make definition`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.bad_input.conftest import ROOT, Ended

BUILD_REPO = ROOT / "build_repo"
MISTAKE = "\n\ndef build_pipeline(*_):\n    return Pipeline(name=knobs.NAME_OF_THE_PIPELINE)\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the model-build repository, installed as its README says."""
    folder = tmp_path_factory.mktemp("model-build") / "clone"
    ignored = shutil.ignore_patterns(".venv", ".tools", "build", "__pycache__", "tests")
    shutil.copytree(BUILD_REPO, folder, ignore=ignored)
    subprocess.run(["make", "--silent", "install"], cwd=folder, check=True)
    return folder


def compiled(folder: Path) -> tuple[str, str]:
    """Exit status and output of what `make definition` runs."""
    command = [folder / ".venv" / "bin" / "python", "-m", "pipelines.definition", "--with-examples"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return f"exit {done.returncode}", done.stdout + done.stderr


def test_a_pipeline_that_does_not_compile(repository: Path, ended: Ended) -> None:
    pipeline = repository / "pipelines" / "pipeline.py"
    good = pipeline.read_text()
    assert compiled(repository)[0] == "exit 0"
    pipeline.write_text(good + MISTAKE)

    ended(*compiled(repository))

    assert compiled(repository)[0] == "exit 1", "what was compiled before does not pass for this"
    pipeline.write_text(good)
    assert compiled(repository)[0] == "exit 0"
