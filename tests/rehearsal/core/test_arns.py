"""A resource of the base is authorised on its own ARN, so that a policy scoped to names is enough, and is needed."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.relied_on import RESOURCE_TYPES
from rehearsal.cloud.resources.engine import without_system_tags
from rehearsal.cloud.resources.handled import HANDLED
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.core.test_identity import allow, role
from tests.rehearsal.core.test_permissions import needed
from tests.rehearsal.core.test_stacks import settled

HERE = "us-east-1:123456789012"
NAMED: dict[str, tuple[dict[str, Any], str, str]] = {
    "AWS::SSM::Parameter": (
        {"Name": "/team/key", "Type": "String"},
        "ssm:PutParameter",
        f"ssm:{HERE}:parameter/team/key",
    ),
    "AWS::SQS::Queue": ({"QueueName": "work"}, "sqs:CreateQueue", f"sqs:{HERE}:work"),
    "AWS::SQS::QueuePolicy": (
        {"Queues": ["https://sqs.us-east-1.amazonaws.com/123456789012/work"]},
        "sqs:SetQueueAttributes",
        f"sqs:{HERE}:work",
    ),
    "AWS::KMS::Alias": ({"AliasName": "alias/team"}, "kms:CreateAlias", f"kms:{HERE}:alias/team"),
    "AWS::SNS::Topic": ({"TopicName": "news"}, "sns:CreateTopic", f"sns:{HERE}:news"),
    "AWS::S3::Bucket": ({"BucketName": "data"}, "s3:CreateBucket", "s3:::data"),
    "AWS::Events::Rule": ({"Name": "nightly"}, "events:PutRule", f"events:{HERE}:rule/nightly"),
    "AWS::CloudWatch::Alarm": ({"AlarmName": "late"}, "cloudwatch:PutMetricAlarm", f"cloudwatch:{HERE}:alarm:late"),
}


@pytest.mark.parametrize("type_name", NAMED)
def test_creating_a_resource_is_asked_on_its_own_arn(type_name: str) -> None:
    properties, action, arn = NAMED[type_name]
    asked = {call.action: call.resource for call in needed("create", type_name, properties)}
    assert asked[action] == f"arn:aws:{arn}"
    assert not [call for call in asked if "Tag" in call]


def test_what_cannot_be_named_yet_is_asked_on_everything() -> None:
    asked = {call.action: call.resource for call in needed("create", "AWS::KMS::Key", {"KeyPolicy": {}})}
    assert asked["kms:CreateKey"] == "*"
    deleted = {call.action: call.resource for call in needed("delete", "AWS::KMS::Key", {}, physical="1234-abcd")}
    assert deleted["kms:ScheduleKeyDeletion"] == f"arn:aws:kms:{HERE}:key/1234-abcd"


@pytest.mark.parametrize(
    ("type_name", "properties", "actions"),
    [
        ("AWS::SSM::Parameter", {"Name": "/team/key"}, {"ssm:AddTagsToResource"}),
        ("AWS::SQS::Queue", {"QueueName": "work"}, {"sqs:TagQueue", "sqs:ListQueueTags"}),
        ("AWS::KMS::Key", {}, {"kms:TagResource"}),
    ],
)
def test_tags_are_asked_about_only_where_a_property_brings_them(
    type_name: str, properties: dict[str, Any], actions: set[str]
) -> None:
    plain = {call.action for call in needed("create", type_name, properties)}
    tagged = needed("create", type_name, {**properties, "Tags": [{"Key": "team", "Value": "ml"}]})
    assert {call.action for call in tagged} - plain == actions
    assert {call.context.get("aws:RequestTag/team") for call in tagged} == {"ml"}


def test_every_type_of_the_base_is_asked_on_something() -> None:
    assert sorted({*HANDLED, "AWS::IAM::Policy"}) == sorted(RESOURCE_TYPES)


TEMPLATE = """{"Resources": {"Setting": {"Type": "AWS::SSM::Parameter", "Properties": {
    "Name": "/%s/threshold", "Type": "String", "Value": "0.85"}}}}"""


@pytest.fixture(scope="module")
def base_only(start_cloud: StartCloud) -> Cloud:
    return start_cloud([])


@pytest.mark.parametrize(("name", "status"), [("team", "CREATE_COMPLETE"), ("others", "ROLLBACK_COMPLETE")])
def test_a_stack_with_rights_on_its_own_names_makes_those_and_no_others(
    base_only: Cloud, name: str, status: str
) -> None:
    root = base_only.identity.root
    actor = role(
        base_only.client("iam", root), f"Scoped-{name}", allow("ssm:*", f"arn:aws:ssm:{HERE}:parameter/team/*")
    )
    cloudformation = base_only.client("cloudformation", root)
    cloudformation.create_stack(StackName=f"scoped-{name}", TemplateBody=TEMPLATE % name, RoleARN=actor)
    assert settled(cloudformation, f"scoped-{name}")[0] == status


def test_the_tags_cloudformation_adds_need_no_right_and_count_for_no_condition() -> None:
    system = {"Key": "aws:cloudformation:stack-name", "Value": "s"}
    own = {"Key": "sagemaker:project-name", "Value": "p"}
    assert without_system_tags({"Name": "f", "Tags": [own, system]}) == {"Name": "f", "Tags": [own]}
    assert without_system_tags({"Name": "f", "Tags": [system]}) == {"Name": "f"}
    map_of_its_own = {"Tags": {"aws:x": "of a custom resource"}}
    assert without_system_tags(map_of_its_own) == map_of_its_own
