"""What the stack's role needs for resources that the base creates.

AWS publishes, with every resource type, the actions its handler may call (`handlers` in the resource schema, bundled
with cfn-lint: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html). Which of
them a given resource really needs depends on its properties: `handled.py` says so for each type.

What the `read` and `list` handlers may call is not asked. CloudFormation reads a resource for `Fn::GetAtt`, and when an
update wants to know its state, and the handlers of AWS then live without what they are denied for most properties:
https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-sns/pull/49
https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-ecr/pull/11
https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-rds/pull/466
The schema does not say which calls they need. AWS's own launch role lacks most of what the read handlers of buckets,
rules, pipelines and repositories may call, and launches these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.resources.grants import attachments, boundary_context, inline_policy, managed_policies
from rehearsal.cloud.resources.handled import HANDLED, WITHOUT_RESOURCE, Account, managed_policy_arn, role_arn
from rehearsal.cloud.service import Call

if TYPE_CHECKING:
    from rehearsal.cloud.resources.provider import ResourceRequest

LIVED_WITHOUT: dict[tuple[str, str], frozenset[str]] = {
    ("AWS::S3::Bucket", "create"): frozenset({"s3:ListBucket"}),
}
"""What a handler may call and a launch on AWS does without: AWS's own launch role has not got it, and launches the
buckets of SageMaker projects.
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy.html
"""


def calls_for(operation: str, permissions: list[str], request: ResourceRequest, where: Account) -> list[Call]:
    """The authorisations an operation (`create`, `update`, `delete`) on a resource needs of the stack's role."""
    if request.type_name == "AWS::IAM::Policy":
        return inline_policy(operation, request, where.find)
    handled = HANDLED[request.type_name]
    arns = handled.arn(request, where)
    changed = _changed(operation, request)
    boundary = str(request.properties.get("PermissionsBoundary") or "")
    calls = []
    lived_without = LIVED_WITHOUT.get((request.type_name, operation), frozenset())
    for action in permissions:
        if action in lived_without:
            continue
        brings = handled.when.get(action)
        if brings is not None and not any(name in changed for name in brings):
            continue
        for arn in arns if isinstance(arns, list) else [arns]:
            resource = "*" if action in WITHOUT_RESOURCE else handled.asked(action, arn)
            context = {**_context(operation, action, request), **boundary_context(action, boundary)}
            calls.append(Call(action, resource, context))
    return _without_boundary(operation, request, calls) + _asked_below(operation, request, where)


def _without_boundary(operation: str, request: ResourceRequest, calls: list[Call]) -> list[Call]:
    """Taking a role's boundary away is an action of its own, and it names the boundary that was."""
    taken = str(request.previous_properties.get("PermissionsBoundary") or "") if operation == "update" else ""
    if request.type_name != "AWS::IAM::Role" or not taken or request.properties.get("PermissionsBoundary"):
        return calls
    deletion = "iam:DeleteRolePermissionsBoundary"
    return [
        Call(deletion, call.resource, boundary_context(deletion, taken))
        if call.action == "iam:PutRolePermissionsBoundary"
        else call
        for call in calls
    ]


def _asked_below(operation: str, request: ResourceRequest, where: Account) -> list[Call]:
    """The authorisations that are not on the resource itself, or not just one."""
    if request.type_name == "AWS::IAM::Role":
        return managed_policies(operation, request, role_arn(request, where))
    if request.type_name == "AWS::IAM::ManagedPolicy":
        return attachments(operation, request, managed_policy_arn(request, where), where.find)
    return _passed_roles(operation, request)


def _changed(operation: str, request: ResourceRequest) -> set[str]:
    """The properties an operation acts on: all on create and delete, the changed ones on update."""
    if operation != "update":
        return set(request.properties)
    before, after = request.previous_properties, request.properties
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _context(operation: str, action: str, request: ResourceRequest) -> dict[str, str | list[str]]:
    """The condition keys on tags: those that the resource has until now, and those that the call gives or takes.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html
    """
    new, old = _tags(request.properties), _tags(request.previous_properties)
    if operation == "create":
        return _given(new) if new else {}
    has = {f"aws:ResourceTag/{name}": value for name, value in (old if operation == "update" else new).items()}
    verb = action.partition(":")[2]
    if operation == "update" and verb.startswith("Untag"):
        taken = [name for name in old if name not in new]
        return {**has, **({"aws:TagKeys": taken} if taken else {})}
    if operation == "delete" or "Tag" not in verb or verb.startswith("List"):
        return {**has}
    given = {name: value for name, value in new.items() if old.get(name) != value}
    return {**has, **(_given(given) if given else {})}


def _given(tags: dict[str, str]) -> dict[str, str | list[str]]:
    return {"aws:TagKeys": list(tags), **{f"aws:RequestTag/{name}": value for name, value in tags.items()}}


def _tags(properties: Mapping[str, Any]) -> dict[str, str]:
    tags = properties.get("Tags")
    return {str(tag["Key"]): str(tag["Value"]) for tag in tags} if isinstance(tags, list) else {}


def _passed_roles(operation: str, request: ResourceRequest) -> list[Call]:
    """Roles that a rule hands to EventBridge for its targets.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html
    """
    if request.type_name != "AWS::Events::Rule" or operation == "delete":
        return []
    roles = {target["RoleArn"] for target in request.properties.get("Targets", []) if target.get("RoleArn")}
    return [Call("iam:PassRole", role, {"iam:PassedToService": "events.amazonaws.com"}) for role in sorted(roles)]
