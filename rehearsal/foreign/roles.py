"""The roles that AWS's project templates name, as SageMaker's console makes them in an account.

Studio makes them when somebody switches projects on; templates only name them:
https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-studio-updates.html
Their managed policies have the documents that AWS publishes:
https://docs.aws.amazon.com/sagemaker/latest/dg/security-iam-awsmanpol-sc.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rehearsal.foreign import use_role

PATH = "/service-role/"
PREFIX = "AmazonSageMakerServiceCatalogProducts"
LAUNCH_ROLE = f"{PREFIX}LaunchRole"


@dataclass(frozen=True)
class AccountRole:
    """One role: which services may assume it, and its managed policies."""

    name: str
    services: tuple[str, ...]
    policies: tuple[str, ...] = ()
    inline: Callable[[], str] | None = None


def _own(kind: str, service: str, path: str = "service-role/") -> AccountRole:
    return AccountRole(f"{PREFIX}{kind}Role", (service,), (f"{path}{PREFIX}{kind}ServiceRolePolicy",))


ROLES = (
    AccountRole(LAUNCH_ROLE, ("servicecatalog",), ("AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy",)),
    AccountRole(
        f"{PREFIX}UseRole",
        (
            "apigateway",
            "cloudformation",
            "codebuild",
            "codepipeline",
            "events",
            "firehose",
            "glue",
            "lambda",
            "sagemaker",
            "states",
        ),
        inline=use_role.policy,
    ),
    AccountRole(f"{PREFIX}ExecutionRole", ("sagemaker",), ("AmazonSageMakerFullAccess",)),
    _own("ApiGateway", "apigateway"),
    _own("Cloudformation", "cloudformation"),
    _own("CodeBuild", "codebuild", ""),
    _own("CodePipeline", "codepipeline"),
    _own("Events", "events"),
    _own("Firehose", "firehose"),
    _own("Glue", "glue"),
    _own("Lambda", "lambda"),
)
STUDIO_POLICIES = ("AmazonSageMakerFullAccess",)
"""What the execution role of Studio has by default.
https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html"""


def make(iam: Any) -> None:  # noqa: ANN401 - boto3 clients are untyped
    """Make those that the account has not yet."""
    pages = iam.get_paginator("list_roles").paginate(PathPrefix=PATH)
    there = {role["RoleName"] for page in pages for role in page["Roles"]}
    for role in ROLES:
        if role.name in there:
            continue
        services = [f"{service}.amazonaws.com" for service in role.services]
        trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName=role.name, Path=PATH, AssumeRolePolicyDocument=document)
        attach(iam, role.name, role.policies)
        if role.inline:
            iam.put_role_policy(RoleName=role.name, PolicyName=role.name, PolicyDocument=role.inline())


def attach(iam: Any, role: str, policies: tuple[str, ...]) -> None:  # noqa: ANN401 - boto3 clients are untyped
    """Attach policies that AWS manages."""
    for policy in policies:
        iam.attach_role_policy(RoleName=role, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
