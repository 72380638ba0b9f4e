"""A build takes a Python that was made ready before, and no build has used."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rehearsal.cloud.codebuild.prepared_python import PreparedPython


@pytest.fixture
def python(tmp_path: Path, cache: Path) -> PreparedPython:
    return PreparedPython(tmp_path / "python", cache.joinpath)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_a_python_made_ready_is_taken_as_it_is(python: PreparedPython, tmp_path: Path) -> None:
    python.renew()
    made = (tmp_path / "python" / "bin").stat()
    programs = python.take()
    assert programs.stat().st_ino == made.st_ino
    said = subprocess.run([programs / "python", "-c", "import boto3; print(boto3.__file__)"], capture_output=True)
    assert said.stdout.decode().startswith(str(tmp_path))


def test_no_python_is_taken_twice(python: PreparedPython) -> None:
    packages = python.take().parent / "lib"
    (packages / "left behind").touch()
    python.take()
    assert packages.is_dir()
    assert not (packages / "left behind").exists()


def test_one_that_no_build_changed_is_as_good_as_new(python: PreparedPython) -> None:
    programs = python.take()
    made = programs.stat().st_ino
    subprocess.run([programs / "python", "-c", "import boto3"], env={"PYTHONDONTWRITEBYTECODE": "1"}, check=True)
    python.renew()
    assert python.take().stat().st_ino == made


@pytest.mark.parametrize("change", ["add", "remove", "write", "forbid"])
def test_one_that_a_build_changed_is_made_again(python: PreparedPython, change: str) -> None:
    script = python.take() / "pip"
    before = script.read_text()
    match change:
        case "add":
            (script.parent / "left").touch()
        case "remove":
            script.unlink()
        case "write":
            script.write_text(f"{before}exit 1\n")
        case "forbid":
            script.chmod(0o600)
    python.renew()
    assert python.take() == script.parent
    assert not (script.parent / "left").exists()
    assert script.read_text() == before
    assert script.stat().st_mode & 0o777 == 0o755


def test_one_that_a_killed_cloud_left_half_made_is_made_again(python: PreparedPython, tmp_path: Path) -> None:
    (tmp_path / "python" / "bin").mkdir(parents=True)
    assert (python.take() / "python").exists()


def test_one_made_from_another_interpreter_or_other_packages_is_made_again(
    python: PreparedPython, tmp_path: Path
) -> None:
    python.renew()
    (tmp_path / "python.ready").write_text("python3.9")
    (tmp_path / "python" / "old").touch()
    python.take()
    assert not (tmp_path / "python" / "old").exists()
