"""The resource types of the base: on which ARN their actions are authorised, and which property brings which action.

An action of a type's handler that is not named here is always needed.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rehearsal.cloud.resources.grants import Find

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


def role_arn(request: ResourceRequest, where: Account) -> str:
    name = request.physical_id or request.properties.get("RoleName") or _stem(request)[:64]
    return f"arn:aws:iam::{where.account}:role{request.properties.get('Path', '/')}{name}"


def managed_policy_arn(request: ResourceRequest, where: Account) -> str:
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


def _key(request: ResourceRequest, where: Account) -> str:
    return f"arn:aws:kms:{where.region}:{where.account}:key/{request.physical_id or _stem(request)}"


def _alias(request: ResourceRequest, where: Account) -> str:
    return f"arn:aws:kms:{where.region}:{where.account}:{request.properties['AliasName']}"


def _queue(request: ResourceRequest, where: Account) -> str:
    name = request.physical_id or request.properties.get("QueueName") or _stem(request)
    return _queue_of_address(str(name), where)


def _queues_of_policy(request: ResourceRequest, where: Account) -> list[str]:
    return [_queue_of_address(str(queue), where) for queue in request.properties["Queues"]]


def _queue_of_address(address: str, where: Account) -> str:
    """A queue's ARN by its address, which ends in its name."""
    return f"arn:aws:sqs:{where.region}:{where.account}:{address.rstrip('/').rpartition('/')[2]}"


def _parameter(request: ResourceRequest, where: Account) -> str:
    name = request.physical_id or request.properties.get("Name") or _stem(request)
    return f"arn:aws:ssm:{where.region}:{where.account}:parameter/{name.lstrip('/')}"


def _alarm(request: ResourceRequest, where: Account) -> str:
    name = request.physical_id or request.properties.get("AlarmName") or _stem(request)
    return f"arn:aws:cloudwatch:{where.region}:{where.account}:alarm:{name}"


WITHOUT_RESOURCE = frozenset({"logs:DescribeLogGroups", "logs:DescribeResourcePolicies"})
"""Actions that AWS authorises on `*` or on a wider resource than the one in hand."""
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
        role_arn,
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
        managed_policy_arn,
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
    "AWS::KMS::Key": Handled(
        _key,
        {"kms:TagResource": TAGGING, "kms:UntagResource": TAGGING, "kms:ListResourceTags": TAGGING},
        lambda action, arn: "*" if action == "kms:CreateKey" else arn,  # there is no name yet
    ),
    "AWS::KMS::Alias": Handled(_alias),
    "AWS::SQS::Queue": Handled(
        _queue, {"sqs:TagQueue": TAGGING, "sqs:UntagQueue": TAGGING, "sqs:ListQueueTags": TAGGING}
    ),
    "AWS::SQS::QueuePolicy": Handled(_queues_of_policy),
    "AWS::SSM::Parameter": Handled(
        _parameter, {"ssm:AddTagsToResource": TAGGING, "ssm:RemoveTagsFromResource": TAGGING}
    ),
}
"""Every type that stands in the base, but for inline policies."""
