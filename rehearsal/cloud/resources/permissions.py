"""What the stack's role needs for resources that the base creates.

AWS publishes, with every resource type, the actions its handler may call (`handlers` in the resource schema, bundled
with cfn-lint: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html). Which of
them a given resource really needs depends on its properties; `WHEN` says for each type which property brings which
action. An action not named there is always needed, and a type not named here needs all of its handler's actions on
`*`: too much rather than too little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.service import Call

if TYPE_CHECKING:
    from rehearsal.cloud.resources.provider import ResourceRequest

NEVER: tuple[str, ...] = ()


@dataclass(frozen=True)
class Account:
    """Where the stack stands. `role` finds, by a role's name, its ARN (which names the path) and its boundary's."""

    account: str
    region: str
    role: Callable[[str], tuple[str, str]]


@dataclass(frozen=True)
class Handled:
    """One resource type: its ARN, and the properties that bring an action (`NEVER`: for nothing we can create)."""

    arn: Callable[[ResourceRequest, Account], str]
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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


def _role_of_policy(request: ResourceRequest, where: Account) -> str:
    return where.role(request.properties["Roles"][0])[0]


def _managed_policy(request: ResourceRequest, where: Account) -> str:
    if request.physical_id:
        return request.physical_id
    name = request.properties.get("ManagedPolicyName") or _stem(request)
    return f"arn:aws:iam::{where.account}:policy{request.properties.get('Path', '/')}{name}"


def _topic(request: ResourceRequest, where: Account) -> str:
    if request.physical_id.startswith("arn:"):
        return request.physical_id
    return f"arn:aws:sns:{where.region}:{where.account}:{request.properties.get('TopicName') or _stem(request)}"


def _topics_of_policy(request: ResourceRequest, where: Account) -> str:
    return str(request.properties["Topics"][0])


def _topic_of_subscription(request: ResourceRequest, where: Account) -> str:
    return str(request.properties["TopicArn"])


def _rule(request: ResourceRequest, where: Account) -> str:
    name = request.physical_id.rpartition("/")[2] or request.properties.get("Name") or _stem(request)[:64]
    return f"arn:aws:events:{where.region}:{where.account}:rule/{name}"


def _log_group(request: ResourceRequest, where: Account) -> str:
    name = request.physical_id or request.properties.get("LogGroupName") or _stem(request)
    return f"arn:aws:logs:{where.region}:{where.account}:log-group:{name}:*"


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
            "iam:AttachRolePolicy": ("ManagedPolicyArns",),
            "iam:DetachRolePolicy": ("ManagedPolicyArns",),
            "iam:TagRole": TAGGING,
            "iam:UntagRole": TAGGING,
            "iam:UpdateRole": ("MaxSessionDuration", "Description"),
            "iam:UpdateRoleDescription": ("Description",),
            "iam:UpdateAssumeRolePolicy": ("AssumeRolePolicyDocument",),
            "iam:PutRolePermissionsBoundary": ("PermissionsBoundary",),
            "iam:DeleteRolePermissionsBoundary": NEVER,
        },
    ),
    "AWS::IAM::Policy": Handled(
        _role_of_policy,
        {
            "iam:PutUserPolicy": ("Users",),
            "iam:GetUserPolicy": ("Users",),
            "iam:DeleteUserPolicy": ("Users",),
            "iam:PutGroupPolicy": ("Groups",),
            "iam:GetGroupPolicy": ("Groups",),
            "iam:DeleteGroupPolicy": ("Groups",),
            "iam:PutRolePolicy": ("Roles",),
            "iam:GetRolePolicy": ("Roles",),
            "iam:DeleteRolePolicy": ("Roles",),
        },
    ),
    "AWS::IAM::ManagedPolicy": Handled(
        _managed_policy,
        {
            "iam:AttachGroupPolicy": ("Groups",),
            "iam:DetachGroupPolicy": ("Groups",),
            "iam:AttachUserPolicy": ("Users",),
            "iam:DetachUserPolicy": ("Users",),
            "iam:AttachRolePolicy": ("Roles",),
            "iam:DetachRolePolicy": ("Roles",),
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

WITHOUT_RESOURCE = {"logs:DescribeLogGroups", "logs:DescribeResourcePolicies"}
"""List-like actions that AWS authorises on `*` or on a wider resource than the one in hand."""


def calls_for(operation: str, permissions: list[str], request: ResourceRequest, where: Account) -> list[Call]:
    """The authorisations an operation (`create`, `update`, `delete`) on a resource needs of the stack's role."""
    handled = HANDLED.get(request.type_name)
    if handled is None:
        return [Call(action) for action in permissions]
    arn = handled.arn(request, where)
    context = _context(request, where)
    changed = _changed(operation, request)
    calls = []
    for action in permissions:
        brings = handled.when.get(action)
        if brings is not None and not any(name in changed for name in brings):
            continue
        calls.append(Call(action, "*" if action in WITHOUT_RESOURCE else arn, context))
    return calls + _passed_roles(operation, request)


def _changed(operation: str, request: ResourceRequest) -> set[str]:
    """The properties an operation acts on: all on create and delete, the changed ones on update."""
    if operation != "update":
        return set(request.properties)
    before, after = request.previous_properties, request.properties
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _context(request: ResourceRequest, where: Account) -> dict[str, str | list[str]]:
    context: dict[str, str | list[str]] = {}
    tags: list[dict[str, Any]] = request.properties.get("Tags") or []
    if isinstance(tags, list) and tags:
        context["aws:TagKeys"] = [str(tag["Key"]) for tag in tags]
        kind = "ResourceTag" if request.physical_id else "RequestTag"
        context |= {f"aws:{kind}/{tag['Key']}": str(tag["Value"]) for tag in tags}
    if "PermissionsBoundary" in request.properties:
        context["iam:PermissionsBoundary"] = str(request.properties["PermissionsBoundary"])
    if request.type_name == "AWS::IAM::Policy" and request.properties.get("Roles"):
        boundary = where.role(request.properties["Roles"][0])[1]  # the key speaks of the role that gets the policy
        if boundary:
            context["iam:PermissionsBoundary"] = boundary
    managed = request.properties.get("ManagedPolicyArns")
    if managed:
        context["iam:PolicyARN"] = str(managed[0])
    return context


def _passed_roles(operation: str, request: ResourceRequest) -> list[Call]:
    """Roles that a rule hands to EventBridge for its targets.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html
    """
    if request.type_name != "AWS::Events::Rule" or operation == "delete":
        return []
    roles = {target["RoleArn"] for target in request.properties.get("Targets", []) if target.get("RoleArn")}
    return [Call("iam:PassRole", role, {"iam:PassedToService": "events.amazonaws.com"}) for role in sorted(roles)]
