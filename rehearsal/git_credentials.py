"""A git credential helper for CodeCommit repositories, for people without the AWS CLI.

    git config --global credential.helper '!python -m rehearsal.git_credentials'
    git config --global credential.useHttpPath true

Answers what `aws codecommit credential-helper` answers: the access key as user name and a signature of the
repository's path, good for 15 minutes, as password. Credentials and region are found as boto3 finds them
(environment, profile). Needs botocore for the latter only, and runs from any folder by its path too.

https://docs.aws.amazon.com/codecommit/latest/userguide/setting-up-https-unixes.html
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

if not __package__:  # run by its path
    sys.path[0] = str(Path(__file__).parents[1])

from rehearsal.cloud.git_passwords import password

USAGE = "usage: python -m rehearsal.git_credentials get|store|erase  (git calls it; see gitcredentials(7))"


class CannotSignError(Exception):
    """There is something missing to make a password from; says what."""


def asked_for(lines: Iterable[str]) -> dict[str, str]:
    """What git asks for: `key=value` lines up to an empty one.

    https://git-scm.com/docs/git-credential#IOFMT
    """
    asked = {}
    for line in lines:
        if not line.strip():
            break
        key, _, value = line.rstrip("\n").partition("=")
        asked[key] = value
    return asked


def answer(asked: dict[str, str], moment: datetime) -> dict[str, str]:
    """User name and password for what git asked. Raises CannotSignError."""
    if not asked.get("host"):
        raise CannotSignError("git named no host")
    if not asked.get("path"):
        raise CannotSignError(
            "git did not say which repository it wants. Set it up once with: "
            "git config --global credential.useHttpPath true"
        )
    access_key, secret_key, token, region = found_credentials()
    return {
        "username": f"{access_key}%{token}" if token else access_key,
        "password": password(secret_key, region, asked["host"], f"/{asked['path'].lstrip('/')}", moment),
    }


def found_credentials() -> tuple[str, str, str | None, str]:
    """Access key, secret key, session token and region, as boto3 finds them. Raises CannotSignError."""
    access_key, secret_key = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    token = os.environ.get("AWS_SESSION_TOKEN")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not (access_key and secret_key and region):
        import botocore.session  # half a second: only when the environment does not say it all

        session = botocore.session.Session()
        credentials = session.get_credentials()
        if credentials is None:
            raise CannotSignError("no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
        access_key, secret_key, token = credentials.get_frozen_credentials()[:3]
        region = region or session.get_config_variable("region")
    if not access_key or not secret_key:
        raise CannotSignError("the AWS credentials found have no access key or no secret key")
    if not region:
        raise CannotSignError("no AWS region found: set AWS_REGION")
    return access_key, secret_key, token, region


def main(arguments: list[str]) -> int:
    """Answer `get`; `store` and `erase` are accepted and ignored, as these passwords are made anew each time."""
    if arguments in (["store"], ["erase"]):
        return 0
    if arguments != ["get"]:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        found = answer(asked_for(sys.stdin), datetime.now(UTC))
    except CannotSignError as problem:
        print(f"git_credentials: {problem}", file=sys.stderr)
        return 1
    for key, value in found.items():
        print(f"{key}={value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
