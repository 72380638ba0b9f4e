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
APPROVER_ROLE = "ModelApprover"


@dataclass(frozen=True)
class People:
    """The credentials people sign in with."""

    platform_engineer: Credentials
    data_scientist: Credentials
    approver: Credentials
    studio_role_arn: str
    approver_role_arn: str


def _role(iam: Any, name: str, trust: dict[str, Any], policies: list[str]) -> str:  # noqa: ANN401 - boto3 is untyped
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **trust}]}
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return arn


def settle(cloud: Cloud) -> People:
    """Make the account's people.

    The platform engineer administers the account. The data scientist works in Studio as its execution role, and the
    approver has another role. Neither may do anything yet: that comes from the published template's account set-up.
    """
    iam = cloud.client("iam", cloud.identity.root)
    account = {"Principal": {"AWS": f"arn:aws:iam::{cloud.account}:root"}}
    platform = _role(iam, PLATFORM_ROLE, account, ["arn:aws:iam::aws:policy/AdministratorAccess"])
    studio = _role(iam, STUDIO_ROLE, {"Principal": {"Service": "sagemaker.amazonaws.com"}}, [])
    approver = _role(iam, APPROVER_ROLE, account, [])
    return People(
        platform_engineer=cloud.identity.session_of(platform, "platform-engineer"),
        data_scientist=cloud.identity.session_of(studio, "data-scientist"),
        approver=cloud.identity.session_of(approver, "approver"),
        studio_role_arn=studio,
        approver_role_arn=approver,
    )
