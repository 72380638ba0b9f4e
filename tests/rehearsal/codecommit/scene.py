"""What the tests set the scene with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Heard:
    """An event as it was put on the bus."""

    source: str
    kind: str
    detail: dict[str, Any]
    resources: tuple[str, ...]


def trust(*services: str) -> str:
    """A trust policy for AWS services, as JSON."""
    names = [f"{service}.amazonaws.com" for service in services]
    statement = {"Effect": "Allow", "Principal": {"Service": names}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role(iam: Any, name: str, *statements: dict[str, Any], trusted: tuple[str, ...] = ("cloudformation",)) -> str:
    """The ARN of a new role with one inline policy of these statements."""
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(*trusted))["Role"]["Arn"]
    if statements:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_role_policy(RoleName=name, PolicyName="given", PolicyDocument=json.dumps(document))
    return arn


def allow(*actions: str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}
