"""``python -m service_catalog publish`` says first where to, and every failure says what to do."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    ReadTimeoutError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from service_catalog import __main__ as command
from service_catalog.errors import explain
from service_catalog.target import Target

ROOT = Path(__file__).resolve().parents[2]
STUDIO = "arn:aws:iam::123456789012:role/service-role/StudioExecution"


@pytest.fixture
def here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Publishes the small repository instead of this one."""
    monkeypatch.setattr(command, "ROOT", repository)
    return repository


def test_account_and_region_are_the_first_line_and_where_to_click_the_last(
    here: Path, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    status = command.main(["publish", "--studio-role-arn", STUDIO, "--poll-seconds", "0"])

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert lines[0].startswith("Publishing to account 123456789012 in eu-west-1, as arn:aws:")
    assert lines[-3].startswith("Published version 1.2.3-")
    assert "portfolio the-PortfolioId, product the-ProductId" in lines[-2]
    assert "Deployments > Projects > Create project" in lines[-1]


@pytest.mark.parametrize(
    "flag",
    [
        ["--approver-role-arn", STUDIO],
        ["--no-users-may-approve"],
        ["--allowed-boundary-arn", "x"],
        ["--no-allowed-boundaries"],
    ],
    ids=lambda flag: flag[0],
)
def test_what_is_of_the_account_set_up_is_refused_without_it(
    flag: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["publish", "--studio-role-arn", STUDIO, "--no-account-setup", *flag]) == 1
    assert "--no-account-setup leaves the account as it is" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "status"), [("n", 1), ("", 1), ("y", 0)])
def test_a_person_at_a_terminal_is_asked_first(
    here: Path, target: Target, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    asked: list[str] = []

    def reply(question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", reply)

    assert command.main(["publish", "--studio-role-arn", STUDIO, "--poll-seconds", "0"]) == status
    assert asked == ["Publish to 123456789012 in eu-west-1? [y/N] "]


def test_the_region_of_the_command_line_counts(here: Path, target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["publish", "--region", "us-west-2", "--studio-role-arn", "wrong"])

    assert "in us-west-2" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "No AWS region is set. Pass --region"),
        (["--region", "eu-west-1"], "No AWS credentials were found. Sign in"),
        (["--region", "narnia"], "'narnia' is not the name of an AWS region"),
        (["--profile", "nobody"], "There is no AWS profile named 'nobody' here. Known profiles: none."),
    ],
)
def test_what_is_missing_is_said_without_a_traceback(
    no_aws: None, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    assert command.main(["publish", *arguments]) == 1

    printed = capsys.readouterr()
    assert why in printed.err
    assert printed.out == ""


def test_interrupting_says_that_nothing_is_lost(
    here: Path, target: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "publish", interrupt)

    assert command.main(["publish"]) == 130
    assert "publish again at any time" in capsys.readouterr().out


def denied(message: str, code: str = "AccessDenied") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateBucket")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (denied("User: me is not authorized to perform: s3:CreateBucket"), ["not allowed", "s3:CreateBucket", "role"]),
        (denied("Forbidden", "403"), ["not allowed to call CreateBucket", "--profile"]),
        (denied("expired", "ExpiredToken"), ["did not accept the credentials", "aws sso login"]),
        (denied("Rate exceeded", "Throttling"), ["CreateBucket failed", "Throttling", "Rate exceeded"]),
        (UnauthorizedSSOTokenError(), ["could not be used", "aws sso login"]),
        (TokenRetrievalError(provider="sso", error_msg="gone"), ["could not be used", "gone"]),
        (EndpointConnectionError(endpoint_url="https://x"), ["could not be reached", "https://x", "--region"]),
        (ReadTimeoutError(endpoint_url="https://x"), ["could not be reached"]),
    ],
)
def test_what_boto3_raises_is_told_with_what_to_do(error: Any, words: list[str]) -> None:
    for word in words:
        assert word in explain(error)


def test_help_starts_quickly_without_cdk_or_boto_clients() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "service_catalog", "publish", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--studio-role-arn" in done.stdout
    assert "aws_cdk" not in done.stderr
