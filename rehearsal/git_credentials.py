"""A git credential helper for CodeCommit repositories, for people without the AWS CLI.

    git config --global credential.helper '!python -m rehearsal.git_credentials'
    git config --global credential.useHttpPath true

Answers what `aws codecommit credential-helper` answers: the access key as user name and a signature of the
repository's path, good for 15 minutes, as password. Credentials and region are found as boto3 finds them
(environment, profile). Depends on botocore only and runs from any folder by its path too.

https://docs.aws.amazon.com/codecommit/latest/userguide/setting-up-https-unixes.html
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TIME_FORMAT = "%Y%m%dT%H%M%S"
USAGE = "usage: python -m rehearsal.git_credentials get|store|erase  (git calls it; see gitcredentials(7))"


class CannotSignError(Exception):
    """There is something missing to make a password from; says what."""


def password(access_key_id: str, secret_access_key: str, region: str, host: str, path: str, moment: datetime) -> str:
    """The password for a repository: `<time>Z<signature>`.

    A Signature Version 4 of a request with the method `GIT`, the repository's path and the host without its port; the
    payload is left out. The AWS CLI computes the same (`awscli/customizations/codecommit.py`).
    """
    stamp = moment.astimezone(UTC).strftime(TIME_FORMAT)
    request = AWSRequest(method="GIT", url=f"https://{host}{path}")
    request.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(access_key_id, secret_access_key), "codecommit", region)
    canonical_request = f"GIT\n{path}\n\nhost:{host.partition(':')[0]}\n\nhost\n"
    signature = signer.signature(signer.string_to_sign(request, canonical_request), request)
    return f"{stamp}Z{signature}"


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
    session = botocore.session.Session()
    credentials = session.get_credentials()
    if credentials is None:
        raise CannotSignError("no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
    keys = credentials.get_frozen_credentials()
    if not keys.access_key or not keys.secret_key:
        raise CannotSignError("the AWS credentials found have no access key or no secret key")
    region = os.environ.get("AWS_REGION") or session.get_config_variable("region")
    if not region:
        raise CannotSignError("no AWS region found: set AWS_REGION")
    user = keys.access_key if not keys.token else f"{keys.access_key}%{keys.token}"
    path = f"/{asked['path'].lstrip('/')}"
    return {
        "username": user,
        "password": password(keys.access_key, keys.secret_key, region, asked["host"], path, moment),
    }


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
