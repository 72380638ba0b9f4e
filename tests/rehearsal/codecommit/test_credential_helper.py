"""The credential helper answers git as `aws codecommit credential-helper` does."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rehearsal.git_credentials import CannotSignError, answer, password

MOMENT = datetime(2026, 11, 20, 12, 34, 56, tzinfo=UTC)
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
PROGRAM = Path(__file__).parents[3] / "rehearsal" / "git_credentials.py"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:4566", "20261120T123456Zff0c311cdab1374397cb24f740d083a17b05ece4e7414e2aa0ad60cc33260933"),
        (
            "git-codecommit.eu-west-1.amazonaws.com",
            "20261120T123456Z6867833994c5ee437eefde86ee8488b11effb5280e5c79bd32127470c59a4820",
        ),
    ],
)
def test_the_password_is_the_one_the_aws_cli_computes(host: str, expected: str) -> None:
    assert password(SECRET, "eu-west-1", host, "/v1/repos/my-repo", MOMENT) == expected


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def helper(environment: dict[str, str], verb: str, asked: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), verb],
        input=asked,
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_runs_from_any_folder_and_adds_the_session_token(environment: dict[str, str], tmp_path: Path) -> None:
    environment |= {"AWS_SESSION_TOKEN": "the/token+="}
    done = helper(environment, "get", "protocol=http\nhost=127.0.0.1:1\npath=v1/repos/x\n\n", tmp_path)
    assert done.returncode == 0, done.stderr
    user, secret = done.stdout.splitlines()
    assert user == "username=AKIDEXAMPLE%the/token+="
    assert secret.startswith("password=20")


@pytest.mark.parametrize("verb", ["store", "erase"])
def test_it_keeps_no_passwords(environment: dict[str, str], tmp_path: Path, verb: str) -> None:
    done = helper(environment, verb, "", tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("asked", "without", "problem"),
    [
        ("host=h\n", "", "credential.useHttpPath true"),
        ("host=h\npath=v1/repos/x\n", "AWS_ACCESS_KEY_ID", "no AWS credentials"),
        ("host=h\npath=v1/repos/x\n", "AWS_REGION", "set AWS_REGION"),
    ],
)
def test_it_says_what_is_missing(
    environment: dict[str, str], tmp_path: Path, asked: str, without: str, problem: str
) -> None:
    environment.pop(without, None)
    if without == "AWS_ACCESS_KEY_ID":
        environment.pop("AWS_SECRET_ACCESS_KEY")
    done = helper(environment, "get", asked, tmp_path)
    assert done.returncode == 1
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_a_question_without_a_host_cannot_be_answered() -> None:
    with pytest.raises(CannotSignError, match="no host"):
        answer({}, MOMENT)
