"""What the stack's role needs for resources that the base creates.

AWS publishes, with every resource type, the actions its handler may call (`handlers` in the resource schema, bundled
with cfn-lint: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html). Which of
them a given resource really needs depends on its properties; `WHEN` says for each type which property brings which
action. An action not named there is always needed. A type named in `arns.py` only needs all of its handler's actions
on its ARN, any other type on `*`: too much rather than too little.

What the `read` and `list` handlers may call is not asked. CloudFormation reads a resource for `Fn::GetAtt`, and when an
update wants to know its state, and the handlers of AWS then live without what they are denied for most properties:
https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-sns/pull/49
https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-ecr/pull/11
https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-rds/pull/466
The schema does not say which calls they need. AWS's own launch role lacks most of what the read handlers of buckets,
rules, pipelines and repositories may call, and launches these.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.resources.arns import CREATED_ON_NOTHING, WITHOUT_RESOURCE, arns_of, roles_in
from rehearsal.cloud.resources.grants import (
    Find,
    attachments,
    boundary_context,
    inline_policy,
    managed_policies,
)
from rehearsal.cloud.service import Call

if TYPE_CHECKING:
    from rehearsal.cloud.resources.provider import ResourceRequest

NEVER: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    """Where the stack stands. `find` answers a role's, user's or group's ARN (which names the path) and boundary."""

    account: str
    region: str
    find: Find


@dataclass(frozen=True)
class Handled:
    """One resource type: its ARN or ARNs, and the properties that bring an action (`NEVER`: for nothing we can create,
    or asked for in a way of its own)."""

    arn: Callable[[ResourceRequest, Account], str | list[str]]
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asked: Callable[[str, str], str] = lambda _action, arn: arn
    """The resource that an action is asked about, by the action and the resource's ARN."""


def _stem(request: ResourceRequest) -> str:
    """A name CloudFormation will make up; the random end is a stand-in, no policy can depend on it."""
    return f"{request.stack_name}-{request.logical_id}-XXXXXXXXXXXX"


def _bucket(request: ResourceRequest, where: Account) -> str:
    name = request.physical_id or request.properties.get("BucketName") or _stem(request).lower()
    return f"arn:aws:s3:::{name}"


def _bucket_of_policy(request: ResourceRequest, where: Account) -> str:
    return f"arn:aws:s3:::{request.properties['Bucket']}"


def _role(request: ResourceRequest, where: Account) -> str:
    name = request.physical_id or request.properties.get("RoleName") or _stem(request)[:64]
    return f"arn:aws:iam::{where.account}:role{request.properties.get('Path', '/')}{name}"


def _managed_policy(request: ResourceRequest, where: Account) -> str:
    if request.physical_id:
        return request.physical_id
    name = request.properties.get("ManagedPolicyName") or _stem(request)
    return f"arn:aws:iam::{where.account}:policy{request.properties.get('Path', '/')}{name}"


def _topic(request: ResourceRequest, where: Account) -> str:
    if request.physical_id.startswith("arn:"):
        return request.physical_id
    return f"arn:aws:sns:{where.region}:{where.account}:{request.properties.get('TopicName') or _stem(request)}"


def _topics_of_policy(request: ResourceRequest, where: Account) -> list[str]:
    topics = [*(request.previous_properties.get("Topics") or []), *request.properties["Topics"]]
    return list(dict.fromkeys(str(topic) for topic in topics))


def _topic_of_subscription(request: ResourceRequest, where: Account) -> str:
    return str(request.properties["TopicArn"])


def _rule(request: ResourceRequest, where: Account) -> str:
    name = request.physical_id.rpartition("/")[2] or request.properties.get("Name") or _stem(request)[:64]
    return f"arn:aws:events:{where.region}:{where.account}:rule/{name}"


def _log_group(request: ResourceRequest, where: Account) -> str:
    name = request.physical_id or request.properties.get("LogGroupName") or _stem(request)
    return f"arn:aws:logs:{where.region}:{where.account}:log-group:{name}"


def _asked_of_log_group(action: str, arn: str) -> str:
    """Bare for tags, for all else with what only a grant with `:*` at its end covers.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """
    return arn if action.endswith(("TagResource", "TagsForResource")) else f"{arn}:log-stream:"


def _alarm(request: ResourceRequest, where: Account) -> str:
    name = request.physical_id or request.properties.get("AlarmName") or _stem(request)
    return f"arn:aws:cloudwatch:{where.region}:{where.account}:alarm:{name}"


TAGGING = ("Tags",)
HANDLED: dict[str, Handled] = {
    "AWS::S3::Bucket": Handled(
        _bucket,
        {
            "s3:PutBucketTagging": TAGGING,
            "s3:TagResource": TAGGING,
            "s3:UntagResource": TAGGING,
            "s3:PutEncryptionConfiguration": ("BucketEncryption",),
            "s3:PutBucketCORS": ("CorsConfiguration",),
            "s3:PutLifecycleConfiguration": ("LifecycleConfiguration",),
            "s3:PutBucketNotification": ("NotificationConfiguration",),
            "s3:PutBucketVersioning": ("VersioningConfiguration",),
            "s3:PutBucketPublicAccessBlock": ("PublicAccessBlockConfiguration",),
            "s3:PutBucketOwnershipControls": ("OwnershipControls",),
            "s3:PutBucketLogging": ("LoggingConfiguration",),
            "s3:PutBucketWebsite": ("WebsiteConfiguration",),
            "s3:PutAccelerateConfiguration": ("AccelerateConfiguration",),
            "s3:PutBucketReplication": ("ReplicationConfiguration",),
            "s3:PutReplicationConfiguration": ("ReplicationConfiguration",),
            "iam:PassRole": ("ReplicationConfiguration",),
            "s3:PutAnalyticsConfiguration": ("AnalyticsConfigurations",),
            "s3:PutInventoryConfiguration": ("InventoryConfigurations",),
            "s3:PutMetricsConfiguration": ("MetricsConfigurations",),
            "s3:PutIntelligentTieringConfiguration": ("IntelligentTieringConfigurations",),
            "s3:PutBucketObjectLockConfiguration": ("ObjectLockEnabled", "ObjectLockConfiguration"),
            "s3:PutObjectLockConfiguration": ("ObjectLockConfiguration",),
            "s3:PutBucketAbac": ("AbacStatus",),
            "s3:PutBucketAcl": ("AccessControl",),
            "s3:GetBucketAcl": ("AccessControl",),
            "s3:PutObjectAcl": ("AccessControl",),
            "s3:DeleteObject": NEVER,
            "s3:DeleteBucketWebsite": NEVER,
            "s3:DeleteBucketAnalyticsConfiguration": NEVER,
            "s3:DeleteBucketCors": NEVER,
            "s3:DeleteBucketMetricsConfiguration": NEVER,
            "s3:DeleteBucketEncryption": NEVER,
            "s3:DeleteBucketLifecycle": NEVER,
            "s3:DeleteBucketReplication": NEVER,
            **{
                f"{action}": ("MetadataTableConfiguration", "MetadataConfiguration")
                for action in (
                    "s3:GetBucketMetadataTableConfiguration",
                    "s3:CreateBucketMetadataTableConfiguration",
                    "s3:DeleteBucketMetadataTableConfiguration",
                    "s3:UpdateBucketMetadataJournalTableConfiguration",
                    "s3:UpdateBucketMetadataInventoryTableConfiguration",
                    "s3:UpdateBucketMetadataAnnotationTableConfiguration",
                    "s3tables:CreateNamespace",
                    "s3tables:CreateTable",
                    "s3tables:CreateTableBucket",
                    "s3tables:GetTable",
                    "s3tables:PutTableBucketPolicy",
                    "s3tables:PutTableEncryption",
                    "s3tables:PutTablePolicy",
                    "s3tables:GetTableMetadataLocation",
                    "s3tables:UpdateTableMetadataLocation",
                )
            },
        },
    ),
    "AWS::S3::BucketPolicy": Handled(_bucket_of_policy),
    "AWS::IAM::Role": Handled(
        _role,
        {
            "iam:PutRolePolicy": ("Policies",),
            "iam:GetRolePolicy": ("Policies",),
            "iam:DeleteRolePolicy": ("Policies",),
            "iam:AttachRolePolicy": NEVER,  # asked below, for each policy
            "iam:DetachRolePolicy": NEVER,
            "iam:TagRole": TAGGING,
            "iam:UntagRole": TAGGING,
            "iam:UpdateRole": ("MaxSessionDuration", "Description"),
            "iam:UpdateRoleDescription": ("Description",),
            "iam:UpdateAssumeRolePolicy": ("AssumeRolePolicyDocument",),
            "iam:PutRolePermissionsBoundary": ("PermissionsBoundary",),
            "iam:DeleteRolePermissionsBoundary": NEVER,  # asked below, for a boundary that is taken away
        },
    ),
    "AWS::IAM::ManagedPolicy": Handled(
        _managed_policy,
        {  # asked below, for each entity
            f"iam:{verb}{kind}Policy": NEVER for verb in ("Attach", "Detach") for kind in ("Role", "User", "Group")
        },
    ),
    "AWS::SNS::Topic": Handled(
        _topic,
        {
            "sns:TagResource": TAGGING,
            "sns:UntagResource": TAGGING,
            "sns:ListTagsForResource": TAGGING,
            "sns:Subscribe": ("Subscription",),
            "sns:Unsubscribe": ("Subscription",),
            "sns:ListSubscriptionsByTopic": ("Subscription",),
            "sns:PutDataProtectionPolicy": ("DataProtectionPolicy",),
            "sns:GetDataProtectionPolicy": ("DataProtectionPolicy",),
            "iam:GetRole": ("DeliveryStatusLogging",),
            "iam:PassRole": ("DeliveryStatusLogging",),
        },
    ),
    "AWS::SNS::TopicPolicy": Handled(_topics_of_policy),
    "AWS::SNS::Subscription": Handled(
        _topic_of_subscription, {"iam:GetRole": ("SubscriptionRoleArn",), "iam:PassRole": ("SubscriptionRoleArn",)}
    ),
    "AWS::Events::Rule": Handled(
        _rule,
        {
            "events:TagResource": TAGGING,
            "events:UntagResource": TAGGING,
            "events:PutTargets": ("Targets",),
            "events:RemoveTargets": ("Targets",),
            "events:ListTargetsByRule": ("Targets",),
            "iam:PassRole": NEVER,  # asked below, for each target's own role
        },
    ),
    "AWS::Logs::LogGroup": Handled(
        _log_group,
        {
            "logs:PutRetentionPolicy": ("RetentionInDays",),
            "logs:DeleteRetentionPolicy": ("RetentionInDays",),
            "logs:TagResource": TAGGING,
            "logs:UntagResource": TAGGING,
            "logs:ListTagsForResource": TAGGING,
            "logs:AssociateKmsKey": ("KmsKeyId",),
            "logs:DisassociateKmsKey": ("KmsKeyId",),
            "logs:GetDataProtectionPolicy": ("DataProtectionPolicy",),
            "logs:PutDataProtectionPolicy": ("DataProtectionPolicy",),
            "logs:DeleteDataProtectionPolicy": ("DataProtectionPolicy",),
            "logs:CreateLogDelivery": ("DataProtectionPolicy",),
            "s3:REST.PUT.OBJECT": ("DataProtectionPolicy",),
            "firehose:TagDeliveryStream": ("DataProtectionPolicy",),
            "logs:PutResourcePolicy": ("ResourcePolicyDocument",),
            "logs:DescribeResourcePolicies": ("ResourcePolicyDocument",),
            "logs:DeleteResourcePolicy": ("ResourcePolicyDocument",),
            "logs:PutIndexPolicy": ("FieldIndexPolicies",),
            "logs:DescribeIndexPolicies": ("FieldIndexPolicies",),
            "logs:DeleteIndexPolicy": ("FieldIndexPolicies",),
            "logs:PutLogGroupDeletionProtection": ("DeletionProtectionEnabled",),
            "logs:PutBearerTokenAuthentication": ("BearerTokenAuthenticationEnabled",),
        },
        _asked_of_log_group,
    ),
    "AWS::CloudWatch::Alarm": Handled(
        _alarm,
        {
            "cloudwatch:TagResource": TAGGING,
            "cloudwatch:UntagResource": TAGGING,
            "cloudwatch:ListTagsForResource": TAGGING,
        },
    ),
}

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
    handled = HANDLED.get(request.type_name)
    if handled is None:
        return _derived(operation, permissions, request, where)
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


def _derived(operation: str, permissions: list[str], request: ResourceRequest, where: Account) -> list[Call]:
    """What a resource of another type needs: the actions of its own service on its ARN, those of others on `*`.

    Its properties tell some apart: tags are asked about where there are tags, a role is passed when one is named, and
    another service is called when a property speaks of it (`kms` of KmsMasterKeyId).
    """
    arns = arns_of(request, where.account, where.region)
    if not arns:
        return [Call(action) for action in permissions]
    service = arns[0].split(":")[2]
    speaks_of = json.dumps([request.properties, request.previous_properties], default=str).lower()
    tagged = any(request.properties.get(name) or request.previous_properties.get(name) for name in TAGGING)
    calls = []
    for action in permissions:
        if action == "iam:PassRole":
            passed = roles_in(request.properties) if operation != "delete" else set()
            context: dict[str, str | list[str]] = {"iam:PassedToService": f"{service}.amazonaws.com"}
            calls += [Call(action, role, context) for role in sorted(passed)]
        elif "Tag" in action and not tagged:
            continue
        elif action in WITHOUT_RESOURCE | CREATED_ON_NOTHING:
            calls.append(Call(action, context=_context(operation, action, request)))
        elif not action.startswith(f"{service}:"):
            calls += [Call(action)] if action.split(":")[0] in speaks_of else []
        else:
            calls += [Call(action, arn, _context(operation, action, request)) for arn in arns]
    return calls


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
        return managed_policies(operation, request, _role(request, where))
    if request.type_name == "AWS::IAM::ManagedPolicy":
        return attachments(operation, request, _managed_policy(request, where), where.find)
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
