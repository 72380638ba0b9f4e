"""Data scientist and approver of the smoke test: a role for each, made for it and deleted with it."""

from __future__ import annotations

import json
import secrets
from typing import Any

from service_catalog.target import Target

STEM = "AmazonSageMaker-ExecutionRole-smoke-"
"""Studio's own roles are named AmazonSageMaker-ExecutionRole-…, and so policies for them fit:
https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html"""


def make_role(iam: Any, target: Target) -> str:  # noqa: ANN401 - boto3 is untyped
    """Make a role; its ARN. It may do nothing: what its user may do comes from the published template."""
    principal = {"Service": "sagemaker.amazonaws.com", "AWS": f"arn:{target.partition}:iam::{target.account}:root"}
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}],
    }
    made = iam.create_role(
        RoleName=STEM + secrets.token_hex(4),
        AssumeRolePolicyDocument=json.dumps(trust),
        Description="Made by make smoke-aws, which deletes it",
    )
    return str(made["Role"]["Arn"])


def remove_roles(iam: Any) -> list[str]:  # noqa: ANN401 - boto3 is untyped
    """Delete every such role; their names."""
    pages = iam.get_paginator("list_roles").paginate()
    names = [role["RoleName"] for page in pages for role in page["Roles"] if role["RoleName"].startswith(STEM)]
    for name in names:
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)
    return names
