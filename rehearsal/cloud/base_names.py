"""Names of resources: one that is taken is taken, and one that CloudFormation makes up is new with every stack.

Runs in the base's environment (standard library and ministack only), as part of `base_process.py`. ministack's stacks
overwrite whatever has the name they want, and make up the same name again when a stack of the same name is created
again. AWS fails the resource; what a deleted stack retained stays out of the next one's way.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
https://repost.aws/knowledge-center/cloudformation-resource-already-exists

Private names of ministack 1.5.33 used here: of `provisioners` `_RESOURCE_HANDLERS`, `_physical_name`, `_cr_stack_id`
and `_eb_rule_bus_name`; `iam._roles` and `_policies`; `sns._topics`; `sqs._queue_name_to_url`; `s3._buckets`;
`cloudwatch_logs._log_groups`; `cloudwatch._alarms`; `eventbridge._rules` and `_rule_key`; `ssm._parameters`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs, eventbridge, iam, s3, sns, sqs, ssm
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]

SUFFIX = 13
"""Characters at the end of a made-up name that nobody can foresee."""


def _rule_exists(name: str, props: Properties) -> bool:
    return eventbridge._rule_key(name, provisioners._eb_rule_bus_name(props)) in eventbridge._rules


TAKEN: dict[str, tuple[str, Callable[[str, Properties], bool]]] = {
    "AWS::CloudWatch::Alarm": ("AlarmName", lambda name, _: name in cloudwatch._alarms),
    "AWS::Events::Rule": ("Name", _rule_exists),
    "AWS::IAM::ManagedPolicy": (
        "ManagedPolicyName",
        lambda name, _: any(each.get("PolicyName") == name for each in iam._policies.values()),
    ),
    "AWS::IAM::Role": ("RoleName", lambda name, _: name in iam._roles),
    "AWS::Logs::LogGroup": ("LogGroupName", lambda name, _: name in cloudwatch_logs._log_groups),
    "AWS::S3::Bucket": ("BucketName", lambda name, _: name in s3._buckets),
    "AWS::SNS::Topic": ("TopicName", lambda name, _: any(arn.endswith(f":{name}") for arn in sns._topics)),
    "AWS::SQS::Queue": ("QueueName", lambda name, _: name in sqs._queue_name_to_url),
    "AWS::SSM::Parameter": ("Name", lambda name, _: name in ssm._parameters),
}
"""For each type that can be named, the property with its name, and whether something has that name."""


def install() -> None:
    """Look before anything is made. Call it once, before the base serves."""
    for type_name, (name_property, exists) in TAKEN.items():
        handlers = provisioners._RESOURCE_HANDLERS[type_name]
        made = _made_once(type_name, handlers["create"], name_property, exists)
        provisioners._RESOURCE_HANDLERS[type_name] = {**handlers, "create": made}
    _make_names_up_anew()


def _made_once(
    type_name: str,
    create: Callable[[str, Properties, str], tuple[str, Properties]],
    name_property: str,
    exists: Callable[[str, Properties], bool],
) -> Callable[[str, Properties, str], tuple[str, Properties]]:
    def create_once(logical_id: str, props: Properties, stack_name: str) -> tuple[str, Properties]:
        name = props.get(name_property)
        if name and exists(str(name), props):
            raise ValueError(
                f"Resource handler returned message: \"Resource of type '{type_name}' with identifier '{name}' already "
                'exists." (HandlerErrorCode: AlreadyExists)'
            )
        return create(logical_id, props, stack_name)

    return create_once


def _make_names_up_anew() -> None:
    make_up = provisioners._physical_name

    def made_up(stack_name: str, logical_id: str, **options: Any) -> str:  # noqa: ANN401 - ministack's signature
        name: str = make_up(stack_name, logical_id, **options)
        digest = hashlib.sha256(f"{provisioners._cr_stack_id(stack_name)} {name}".encode()).hexdigest()[:SUFFIX]
        return name[:-SUFFIX] + (digest if options.get("lowercase") else digest.upper())

    provisioners._physical_name = made_up
