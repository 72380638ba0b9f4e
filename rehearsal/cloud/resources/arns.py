"""The ARNs of resources that a stack holds, for the types that templates commonly have beside our own.

A policy names them as the service authorization reference does, which also says which actions take no resource:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.cloud.resources.provider import ResourceRequest

STAND_IN = "XXXXXXXXXXXX"
"""Stands for the random end of a name that CloudFormation makes up; no policy can depend on it."""
CREATED_ON_NOTHING = frozenset({"kms:CreateKey"})
"""Creations that are authorised on `*`, because there is no name yet."""
WITHOUT_RESOURCE = frozenset(
    {
        "cloudwatch:PutMetricData",
        "ecr:GetAuthorizationToken",
        "events:ListRules",
        "kms:ListAliases",
        "kms:ListKeys",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "secretsmanager:GetRandomPassword",
        "sns:ListSubscriptions",
        "sns:ListTopics",
        "sqs:ListQueues",
        "ssm:DescribeParameters",
        "states:ListStateMachines",
    }
)
"""List-like actions that AWS authorises on `*` or on a wider resource than the one in hand."""


@dataclass(frozen=True)
class Named:
    """One type: its ARN with a place for the name, the property with the name, and the one with its tags."""

    arn: str
    name: str
    tags: str = "Tags"


TYPES: Mapping[str, Named] = {
    "AWS::CloudWatch::CompositeAlarm": Named("cloudwatch:{region}:{account}:alarm:{name}", "AlarmName"),
    "AWS::CloudWatch::Dashboard": Named("cloudwatch::{account}:dashboard/{name}", "DashboardName"),
    "AWS::DynamoDB::Table": Named("dynamodb:{region}:{account}:table/{name}", "TableName"),
    "AWS::ECR::Repository": Named("ecr:{region}:{account}:repository/{name}", "RepositoryName"),
    "AWS::Events::EventBus": Named("events:{region}:{account}:event-bus/{name}", "Name"),
    "AWS::Glue::Crawler": Named("glue:{region}:{account}:crawler/{name}", "Name"),
    "AWS::Glue::Job": Named("glue:{region}:{account}:job/{name}", "Name"),
    "AWS::IAM::Group": Named("iam::{account}:group{path}{name}", "GroupName"),
    "AWS::IAM::InstanceProfile": Named("iam::{account}:instance-profile{path}{name}", "InstanceProfileName"),
    "AWS::IAM::User": Named("iam::{account}:user{path}{name}", "UserName"),
    "AWS::KMS::Alias": Named("kms:{region}:{account}:{name}", "AliasName"),
    "AWS::KMS::Key": Named("kms:{region}:{account}:key/{name}", ""),
    "AWS::Kinesis::Stream": Named("kinesis:{region}:{account}:stream/{name}", "Name"),
    "AWS::KinesisFirehose::DeliveryStream": Named(
        "firehose:{region}:{account}:deliverystream/{name}", "DeliveryStreamName"
    ),
    "AWS::Logs::LogStream": Named("logs:{region}:{account}:log-group:{name}:*", "LogGroupName"),
    "AWS::Logs::MetricFilter": Named("logs:{region}:{account}:log-group:{name}:*", "LogGroupName"),
    "AWS::Logs::SubscriptionFilter": Named("logs:{region}:{account}:log-group:{name}:*", "LogGroupName"),
    "AWS::SQS::Queue": Named("sqs:{region}:{account}:{name}", "QueueName"),
    "AWS::SSM::Parameter": Named("ssm:{region}:{account}:parameter/{name}", "Name"),
    "AWS::Scheduler::Schedule": Named("scheduler:{region}:{account}:schedule/{group}/{name}", "Name"),
    "AWS::SecretsManager::Secret": Named("secretsmanager:{region}:{account}:secret:{name}-XXXXXX", "Name"),
    "AWS::StepFunctions::StateMachine": Named("states:{region}:{account}:stateMachine:{name}", "StateMachineName"),
}
NAMED_BY_PARENT = frozenset({"AWS::Logs::LogStream", "AWS::Logs::MetricFilter", "AWS::Logs::SubscriptionFilter"})
"""Types whose actions are authorised on what they belong to."""


def arns_of(request: ResourceRequest, account: str, region: str) -> list[str]:
    """The ARNs on which a resource's actions are authorised; none for a type that is not listed here."""
    if request.type_name == "AWS::SQS::QueuePolicy":
        return [_queue_arn(str(queue), account, region) for queue in request.properties.get("Queues") or []]
    named = TYPES.get(request.type_name)
    if named is None:
        return []
    properties = request.properties
    physical = "" if request.type_name in NAMED_BY_PARENT else request.physical_id
    if physical.startswith("arn:"):
        return [physical]
    if physical.startswith(("http://", "https://")):
        return [_queue_arn(physical, account, region)]
    name = physical or str(properties.get(named.name) or f"{request.stack_name}-{request.logical_id}-{STAND_IN}")
    written = named.arn.format(
        region=region,
        account=account,
        name=name.lstrip("/") if request.type_name == "AWS::SSM::Parameter" else name,
        path=properties.get("Path", "/"),
        group=properties.get("GroupName", "default"),
    )
    return [f"arn:aws:{written}"]


def _queue_arn(url: str, account: str, region: str) -> str:
    return f"arn:aws:sqs:{region}:{account}:{url.rstrip('/').rpartition('/')[2]}"


def roles_in(value: Any) -> set[str]:  # noqa: ANN401 - any value of a property
    """Every role's ARN that properties hand over."""
    if isinstance(value, str):
        return {value} if value.startswith("arn:aws:iam::") and ":role/" in value else set()
    members = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return {arn for member in members for arn in roles_in(member)}
