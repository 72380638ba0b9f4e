"""What it takes to give IAM policies to roles, users and groups in a stack: one authorisation for each of them.

The condition keys are those of
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.service import Call

if TYPE_CHECKING:
    from rehearsal.cloud.resources.provider import ResourceRequest

Context = dict[str, str | list[str]]
Find = Callable[[str, str], tuple[str, str]]
"""`(kind, name) -> (arn, boundary)` of an IAM entity; kinds are `Role`, `User` and `Group`."""

GIVEN_TO = {"Role": "Roles", "User": "Users", "Group": "Groups"}
WITH_BOUNDARY = {
    "iam:CreateRole",
    "iam:PutRolePermissionsBoundary",
    "iam:DeleteRolePermissionsBoundary",
    *(
        f"iam:{verb}{kind}Policy"
        for verb in ("Put", "Delete", "Attach", "Detach")
        for kind in ("Role", "User")  # groups have no boundary
    ),
}
"""The actions that carry `iam:PermissionsBoundary`: the boundary of the role or user that gets the policy."""


@dataclass(frozen=True)
class Change:
    """A list of a resource's property before and after an operation."""

    old: list[str]
    new: list[str]

    @property
    def added(self) -> list[str]:
        return [each for each in self.new if each not in self.old]

    @property
    def removed(self) -> list[str]:
        return [each for each in self.old if each not in self.new]


def changed(operation: str, request: ResourceRequest, name: str) -> Change:
    """What becomes of a list property: all of it is new on create, and gone on delete."""

    def listed(properties: dict[str, Any]) -> list[str]:
        return [str(each) for each in properties.get(name) or []]

    if operation == "create":
        return Change([], listed(request.properties))
    if operation == "delete":
        return Change(listed(request.properties), [])
    return Change(listed(request.previous_properties), listed(request.properties))


def boundary_context(action: str, boundary: str) -> Context:
    """`iam:PermissionsBoundary` where the action carries it and there is a boundary."""
    return {"iam:PermissionsBoundary": boundary} if boundary and action in WITH_BOUNDARY else {}


def inline_policy(operation: str, request: ResourceRequest, find: Find) -> list[Call]:
    """AWS::IAM::Policy: the policy is written to, and taken from, each entity it names."""
    before, after = request.previous_properties, request.properties
    renamed = operation == "update" and before.get("PolicyName") != after.get("PolicyName")
    rewritten = renamed or (operation == "update" and before.get("PolicyDocument") != after.get("PolicyDocument"))
    calls = []
    for kind, name in GIVEN_TO.items():
        entities = changed(operation, request, name)
        verbs = {
            "Get": entities.new if operation == "create" else [],
            "Put": entities.new if rewritten else entities.added,
            "Delete": entities.old if renamed else entities.removed,
        }
        calls += [
            _given(f"iam:{verb}{kind}Policy", kind, each, find) for verb, given in verbs.items() for each in given
        ]
    return calls


def attachments(operation: str, request: ResourceRequest, policy_arn: str, find: Find) -> list[Call]:
    """AWS::IAM::ManagedPolicy: the policy is attached to, and detached from, each entity it names."""
    calls = []
    for kind, name in GIVEN_TO.items():
        entities = changed(operation, request, name)
        for verb, given in (("Attach", entities.added), ("Detach", entities.removed)):
            calls += [_given(f"iam:{verb}{kind}Policy", kind, each, find, policy_arn) for each in given]
    return calls


def managed_policies(operation: str, request: ResourceRequest, role_arn: str) -> list[Call]:
    """AWS::IAM::Role: each of its ManagedPolicyArns is attached or detached on its own."""
    policies = changed(operation, request, "ManagedPolicyArns")
    boundary = str(request.properties.get("PermissionsBoundary") or "")
    return [
        Call(action, role_arn, {"iam:PolicyARN": each, **boundary_context(action, boundary)})
        for action, given in (("iam:AttachRolePolicy", policies.added), ("iam:DetachRolePolicy", policies.removed))
        for each in given
    ]


def _given(action: str, kind: str, name: str, find: Find, policy_arn: str = "") -> Call:
    arn, boundary = find(kind, name)
    context: Context = {"iam:PolicyARN": policy_arn} if policy_arn else {}
    return Call(action, arn, {**context, **boundary_context(action, boundary)})
