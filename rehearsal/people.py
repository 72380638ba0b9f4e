"""The account as it is before the first act: who works there, and with which rights.

Made with the account's root user, as an organisation would have made it long ago. Nobody in the story acts as root.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.service import Credentials

PLATFORM_ROLE = "PlatformEngineer"
STUDIO_ROLE = "AmazonSageMaker-ExecutionRole-Studio"


@dataclass(frozen=True)
class People:
    """The credentials people sign in with."""

    platform_engineer: Credentials
    data_scientist: Credentials
    studio_role_arn: str


def _role(iam: Any, name: str, trust: dict[str, Any], policies: list[str]) -> str:  # noqa: ANN401 - boto3 is untyped
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **trust}]}
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return arn


def settle(cloud: Cloud) -> People:
    """Make the account's people.

    The platform engineer administers the account. The data scientist works in Studio as its execution role, which
    holds nothing yet: what they may do comes from the published template's account set-up.
    """
    iam = cloud.client("iam", cloud.identity.root)
    account = {"Principal": {"AWS": f"arn:aws:iam::{cloud.account}:root"}}
    platform = _role(iam, PLATFORM_ROLE, account, ["arn:aws:iam::aws:policy/AdministratorAccess"])
    studio = _role(iam, STUDIO_ROLE, {"Principal": {"Service": "sagemaker.amazonaws.com"}}, [])
    return People(
        platform_engineer=cloud.identity.session_of(platform, "platform-engineer"),
        data_scientist=cloud.identity.session_of(studio, "data-scientist"),
        studio_role_arn=studio,
    )
