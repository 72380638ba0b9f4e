"""`make tested`: unit tests that passed on these very files are not run again, and nothing else is ever left out."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project_tools import tested

from .conftest import SEEDS

REPORT = Path("reports", "unit-tests.xml")
TESTS = """\
import os, pathlib, sys
with open(sys.argv[1], "a") as runs:
    runs.write("x")
pathlib.Path("reports").mkdir(exist_ok=True)
pathlib.Path("reports/unit-tests.xml").write_text(pathlib.Path("model.py").read_text())
sys.exit(int(pathlib.Path("status").read_text()))
"""


class Repository:
    """A repository whose tests count how often they ran; they pass while the file `status` holds 0."""

    def __init__(self, folder: Path, runs: Path) -> None:
        self.folder = folder
        self._runs = runs
        self.write("tests.py", TESTS)
        self.write("model.py", "first")
        self.write("status", "0")

    def write(self, name: str, content: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(content)

    def build(self) -> int:
        command = [sys.executable, "tests.py", str(self._runs)]
        return tested.run(command, REPORT, ["reports"], self.folder, ["VERSION_ASKED_FOR"])

    @property
    def runs(self) -> int:
        return len(self._runs.read_text()) if self._runs.exists() else 0

    @property
    def report(self) -> str:
        return (self.folder / REPORT).read_text()

    @property
    def entries(self) -> list[Path]:
        return list((self.folder / tested.PASSED).iterdir())


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    (tmp_path / "repository").mkdir()
    return Repository(tmp_path / "repository", tmp_path / "runs")


def test_files_that_passed_are_not_tested_again_and_the_report_is_handed_on(
    repository: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEBUILD_BUILD_ID", "deploy:1234")
    assert repository.build() == 0
    (repository.folder / REPORT).unlink()
    capsys.readouterr()
    monkeypatch.setenv("CODEBUILD_BUILD_ID", "deploy:5678")

    assert repository.build() == 0
    assert repository.runs == 1
    assert repository.report == "first"
    said = capsys.readouterr().out
    assert "not run" in said
    assert "in build deploy:1234" in said


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.write("model.py", "other"),
        lambda files: files.write("data/new.json", "{}"),
        lambda files: (files.folder / "model.py").chmod(0o755),
        lambda files: (files.folder / "link").symlink_to("model.py"),
        lambda files: (
            (files.folder / "model.py").rename(files.folder / "models.py")
            and files.write("tests.py", TESTS.replace("model.py", "models.py"))
        ),
    ],
    ids=["content", "new file", "mode", "link", "name"],
)
def test_any_change_of_a_file_has_the_tests_run(repository: Repository, change: object) -> None:
    repository.build()
    assert callable(change)
    change(repository)

    assert repository.build() == 0
    assert repository.runs == 2


def test_going_back_to_files_that_passed_runs_nothing(repository: Repository) -> None:
    repository.build()
    repository.write("model.py", "second")
    repository.build()
    repository.write("model.py", "first")

    assert repository.build() == 0
    assert repository.runs == 2
    assert repository.report == "first"


def test_another_python_has_the_tests_run(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.build()
    monkeypatch.setattr(sys, "version", sys.version.replace("3.", "4.", 1))

    assert repository.build() == 0
    assert repository.runs == 2


@pytest.mark.parametrize("name", ["KMS_KEY_ARN", "PYTEST_ADDOPTS", "PYTHONHASHSEED", "AWS_REGION"])
def test_another_environment_has_the_tests_run(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    repository.build()
    monkeypatch.setenv(name, "1")

    assert repository.build() == 0
    assert repository.runs == 2


def in_codebuild(number: int, random: str) -> dict[str, str]:
    """The environment of a build of one project and one commit: what CodeBuild documents, and what it is seen to set.

    https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
    """
    folder, build = f"/codebuild/output/src{random}", f"deploy:{random}"
    return {
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": f"/v2/credentials/{random}",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
        "AWS_REGION": "eu-west-1",
        "CODEBUILD_BUILD_ARN": f"arn:aws:codebuild:eu-west-1:111122223333:build/{build}",
        "CODEBUILD_BUILD_ID": build,
        "CODEBUILD_BUILD_NUMBER": str(number),
        "CODEBUILD_GOPATH": folder,
        "CODEBUILD_LOG_PATH": random,
        "CODEBUILD_SRC_DIR": f"{folder}/src",
        "CODEBUILD_START_TIME": random,
        "ECS_CONTAINER_METADATA_URI": f"http://169.254.170.2/v3/{random}",
        "GOPATH": f"/go:{folder}",
        "HOME": "/root",
        "HOSTNAME": random,
        "MODEL_PACKAGE_ARN": f"arn:aws:sagemaker:eu-west-1:111122223333:model-package/claims/{number}",
        "PWD": f"{folder}/src",
        "SAGEMAKER_PROJECT_ID": "p-example",
    }


def test_two_builds_of_one_commit_in_codebuild_are_the_same(repository: Repository) -> None:
    names = {
        tested.digest(repository.folder, [], ["test"], in_codebuild(number, random), ["MODEL_PACKAGE_ARN"])
        for number, random in enumerate(("341076892", "789268538"), 1)
    }
    other = {**in_codebuild(1, "341076892"), "SAGEMAKER_PROJECT_ID": "p-other"}

    assert len(names) == 1
    assert tested.digest(repository.folder, [], ["test"], other, ["MODEL_PACKAGE_ARN"]) not in names


def test_another_command_is_run(repository: Repository) -> None:
    repository.build()

    assert tested.run([sys.executable, "-c", "raise SystemExit(4)"], REPORT, ["reports"], repository.folder) == 4


@pytest.mark.parametrize(
    "name", ["CODEBUILD_BUILD_ID", "AWS_SESSION_TOKEN", "TMPDIR", "no_proxy", "MAKELEVEL", "VERSION_ASKED_FOR"]
)
def test_what_is_another_in_every_build_changes_nothing(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "a")
    repository.build()
    monkeypatch.setenv(name, "b")

    assert repository.build() == 0
    assert repository.runs == 1


def test_a_file_that_is_called_like_what_the_verbs_make_counts_below_the_top(repository: Repository) -> None:
    repository.write("tests/reports/expected.json", "1")
    repository.build()
    repository.write("tests/reports/expected.json", "2")

    assert repository.build() == 0
    assert repository.runs == 2


def test_what_the_verbs_make_changes_nothing(repository: Repository) -> None:
    repository.build()
    for made in (".venv-lint/lib/a.py", ".tools/uv", "steps/__pycache__/a.pyc", ".ruff_cache/x", "reports/other.xml"):
        repository.write(made, "made")

    assert repository.build() == 0
    assert repository.runs == 1


def test_tests_that_failed_run_again_and_end_with_their_status(repository: Repository) -> None:
    repository.write("status", "3")

    assert [repository.build(), repository.build()] == [3, 3]
    assert repository.runs == 2


def test_a_run_that_left_no_report_is_not_remembered(repository: Repository) -> None:
    repository.write("tests.py", TESTS.replace("reports/unit-tests.xml", "reports/other.xml"))
    repository.write(str(REPORT), "of an earlier run")

    assert [repository.build(), repository.build()] == [0, 0]
    assert repository.runs == 2
    assert not (repository.folder / REPORT).exists()


def test_files_that_change_while_they_are_tested_are_not_remembered(repository: Repository) -> None:
    changing = TESTS.replace("sys.exit", 'pathlib.Path("model.py").write_text(f"{os.getpid()}")\nsys.exit')
    repository.write("tests.py", changing)

    assert [repository.build(), repository.build()] == [0, 0]
    assert repository.runs == 2


@pytest.mark.parametrize(
    "damage", ["", "{", "[" * 100_000, "{}", '{"at": "", "python": "", "build": "", "report": ""}']
)
def test_what_is_remembered_in_part_is_as_nothing(repository: Repository, damage: str) -> None:
    repository.build()
    (entry,) = repository.entries
    entry.write_text(damage)

    assert repository.build() == 0
    assert repository.runs == 2
    assert repository.build() == 0
    assert repository.runs == 2


def test_only_the_newest_runs_are_kept(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "KEPT", 2)
    for number in range(4):
        repository.write("model.py", str(number))
        repository.build()
        newest = max(repository.entries, key=lambda entry: entry.stat().st_mtime_ns)
        os.utime(newest, (number, number))

    assert sorted(json.loads(entry.read_text())["report"] for entry in repository.entries) == ["2", "3"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such file names")
def test_names_and_kinds_of_files_that_are_no_text_do_no_harm(repository: Repository) -> None:
    latin = repository.folder / os.fsdecode(b"caf\xe9")
    latin.write_bytes(b"\xe9")
    (repository.folder / "link").symlink_to(latin.name)
    os.mkfifo(repository.folder / "pipe")

    assert [repository.build(), repository.build()] == [0, 0]
    assert repository.runs == 1
    latin.write_bytes(b"\xe8")
    assert repository.build() == 0
    assert repository.runs == 2


def test_passing_tests_pass_where_nothing_can_be_kept(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.write(".tools/tested", "a file where a folder belongs")

    assert repository.build() == 0
    assert "could not be kept" in capsys.readouterr().err


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_the_verb_of_a_seed_runs_its_unit_tests_once(seed: Path, tmp_path: Path) -> None:
    """The real Makefile, with a Python that tells what it was asked to do in place of the installed one."""
    makefile = (seed / "Makefile").read_text()
    folder = tmp_path / "seed"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / "Makefile").write_text(makefile)
    for name in ("project_tools", "requirements"):
        shutil.copytree(seed / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for stamp in ("installed", ".installed"):
        (folder / ".venv" / stamp).touch()
    asked = tmp_path / "asked"
    report = "build/reports/unit-tests.xml" if "build/reports/unit-tests.xml" in makefile else "reports/unit-tests.xml"
    stand_in = folder / ".venv" / "bin" / "python"
    stand_in.write_text(
        f'#!/bin/sh\nif [ "$2" = pytest ]; then echo "$@" >> {asked}; mkdir -p $(dirname {report}); echo x > {report}\n'
        f'else exec {shlex.quote(sys.executable)} "$@"; fi\n'
    )
    stand_in.chmod(0o755)
    (tmp_path / "uv").touch(0o755)  # found on the PATH, so that none is fetched; nothing is there to install
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environment["PATH"] = f"{tmp_path}{os.pathsep}{environment['PATH']}"

    for says in (False, True):
        done = subprocess.run(
            ["make", "tested"], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert ("The unit tests are not run" in done.stdout) is says
    assert len(asked.read_text().splitlines()) == 1
    assert "make tested" in "\n".join(path.read_text() for path in seed.glob("*buildspec.yml"))
