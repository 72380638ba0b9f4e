"""What an update makes of the base's own resources: changed in place, taken away, or replaced under another name.

The column "Update requires" of each property:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.rehearsal.base.conftest import Stacks, Template, resource

NAMED = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}
ALARM = {
    "Namespace": "N", "MetricName": "M", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}  # fmt: skip


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": "*"}


def trust(service: str) -> dict[str, Any]:
    principal = {"Service": f"{service}.amazonaws.com"}
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def of(it: Template) -> Template:
    return {"Resources": {"It": it}, "Outputs": {"Ref": {"Value": name_of(it)}}}


def name_of(it: Template) -> Template:
    """What EXISTING lists: the name of a queue, whose Ref is an address, or else the Ref."""
    return {"Fn::GetAtt": ["It", "QueueName"]} if it["Type"] == "AWS::SQS::Queue" else {"Ref": "It"}


RENAMED: dict[str, tuple[Template, Template]] = {
    kind: (resource(kind, **{name: before}, **rest), resource(kind, **{name: after}, **rest))
    for kind, name, before, after, rest in (
        ("AWS::SQS::Queue", "QueueName", "renamed-1", "renamed-2", {}),
        ("AWS::SNS::Topic", "TopicName", "renamed-1", "renamed-2", {}),
        ("AWS::S3::Bucket", "BucketName", "renamed-bucket-1", "renamed-bucket-2", {}),
        ("AWS::SSM::Parameter", "Name", "/renamed/1", "/renamed/2", {"Type": "String", "Value": "x"}),
        ("AWS::Logs::LogGroup", "LogGroupName", "/renamed/1", "/renamed/2", {}),
        ("AWS::Events::Rule", "Name", "renamed-1", "renamed-2", {"ScheduleExpression": "rate(1 day)"}),
        ("AWS::CloudWatch::Alarm", "AlarmName", "renamed-1", "renamed-2", ALARM),
        ("AWS::IAM::Role", "RoleName", "renamed-1", "renamed-2", {"AssumeRolePolicyDocument": trust("ec2")}),
        ("AWS::IAM::ManagedPolicy", "ManagedPolicyName", "renamed-1", "renamed-2",
         {"PolicyDocument": document(allow("s3:GetObject"))}),
    )
}  # fmt: skip


def listed(service: str, operation: str, member: str, name: str, **about: str) -> Callable[[Any], list[str]]:
    """What there is of a kind, on all pages."""
    return lambda ask: [
        each[name] for page in ask(service).get_paginator(operation).paginate(**about) for each in page[member]
    ]


EXISTING: dict[str, Callable[[Any], list[str]]] = {
    "AWS::SQS::Queue": lambda ask: [each.rpartition("/")[2] for each in ask("sqs").list_queues().get("QueueUrls", [])],
    "AWS::SNS::Topic": listed("sns", "list_topics", "Topics", "TopicArn"),
    "AWS::S3::Bucket": listed("s3", "list_buckets", "Buckets", "Name"),
    "AWS::SSM::Parameter": listed("ssm", "describe_parameters", "Parameters", "Name"),
    "AWS::Logs::LogGroup": listed("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "AWS::Events::Rule": listed("events", "list_rules", "Rules", "Name"),
    "AWS::CloudWatch::Alarm": listed("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "AWS::IAM::Role": listed("iam", "list_roles", "Roles", "RoleName"),
    "AWS::IAM::ManagedPolicy": listed("iam", "list_policies", "Policies", "Arn", Scope="Local"),
}


@pytest.mark.parametrize("kind", RENAMED)
def test_a_resource_with_another_name_is_another_resource(stacks: Stacks, ask: Any, kind: str) -> None:
    before, after = RENAMED[kind]
    stack = "renames-" + kind.replace("::", "-")
    assert stacks.create(stack, of(before), **NAMED) == "CREATE_COMPLETE"
    old = stacks.outputs(stack)["Ref"]
    assert old in EXISTING[kind](ask)
    assert stacks.update(stack, of(after), **NAMED) == "UPDATE_COMPLETE", stacks.reason(stack)
    new = stacks.outputs(stack)["Ref"]
    assert new != old
    assert new in EXISTING[kind](ask)
    assert old not in EXISTING[kind](ask)
    told = [each for each in stacks.events(stack) if each["LogicalResourceId"] == "It"]
    deleted = [(each["ResourceStatus"], each["PhysicalResourceId"].endswith(old)) for each in told][-2:]
    assert deleted == [("DELETE_IN_PROGRESS", True), ("DELETE_COMPLETE", True)]
    assert stacks.delete(stack) == "DELETE_COMPLETE"
    assert new not in EXISTING[kind](ask)


@pytest.mark.parametrize("kind", RENAMED)
def test_a_replacement_that_is_rolled_back_leaves_the_old_one(stacks: Stacks, ask: Any, kind: str) -> None:
    before, after = RENAMED[kind]
    stack = "keeps-" + kind.replace("::", "-")
    unplayed = {"AccelerateConfiguration": {"AccelerationStatus": "Enabled"}}
    bad = {**resource("AWS::S3::Bucket", BucketName="taken-by-nobody", **unplayed), "DependsOn": "It"}
    assert stacks.create(stack, of(before), **NAMED) == "CREATE_COMPLETE"
    old = stacks.outputs(stack)["Ref"]
    failing = {"Resources": {**of(after)["Resources"], "Bad": bad}}
    assert stacks.update(stack, failing, **NAMED) == "UPDATE_ROLLBACK_COMPLETE"
    name = "renamed-bucket-2" if kind == "AWS::S3::Bucket" else old[:-1] + "2"
    assert old in EXISTING[kind](ask)
    assert name not in EXISTING[kind](ask)
    assert stacks.delete(stack) == "DELETE_COMPLETE"
    assert old not in EXISTING[kind](ask)


def changed(stacks: Stacks, stack: str, *versions: Template) -> None:
    """Each version in turn, in place: the resource stays the one it was."""
    assert stacks.create(stack, of(versions[0]), **NAMED) == "CREATE_COMPLETE", stacks.reason(stack)
    first = stacks.outputs(stack)["Ref"]
    for version in versions[1:]:
        assert stacks.update(stack, of(version), **NAMED) == "UPDATE_COMPLETE", stacks.reason(stack)
    assert stacks.outputs(stack)["Ref"] == first


def test_a_queue_is_changed_and_goes_back_to_its_defaults(stacks: Stacks, ask: Any) -> None:
    def timeout() -> str:
        url = ask("sqs").get_queue_url(QueueName="in-place")["QueueUrl"]
        found = ask("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        return str(found["Attributes"]["VisibilityTimeout"])

    plain = resource("AWS::SQS::Queue", QueueName="in-place")
    changed(stacks, "queue", resource("AWS::SQS::Queue", QueueName="in-place", VisibilityTimeout=60))
    assert timeout() == "60"
    assert stacks.update("queue", of(plain)) == "UPDATE_COMPLETE"
    assert timeout() == "30"


def test_a_log_group_forgets_its_retention(stacks: Stacks, ask: Any) -> None:
    def kept() -> Any:
        (group,) = ask("logs").describe_log_groups(logGroupNamePrefix="/in-place")["logGroups"]
        return group.get("retentionInDays")

    kind = "AWS::Logs::LogGroup"
    changed(stacks, "logs", *(resource(kind, LogGroupName="/in-place", RetentionInDays=days) for days in (7, 30)))
    assert kept() == 30
    assert stacks.update("logs", of(resource(kind, LogGroupName="/in-place"))) == "UPDATE_COMPLETE"
    assert kept() is None


def test_a_parameter_has_a_new_version(stacks: Stacks, ask: Any) -> None:
    kind = "AWS::SSM::Parameter"
    changed(stacks, "setting", *(resource(kind, Name="/in-place", Type="String", Value=each) for each in "ab"))
    found = ask("ssm").get_parameter(Name="/in-place")["Parameter"]
    assert (found["Value"], found["Version"]) == ("b", 2)


def test_a_role_has_what_its_newest_template_says_and_nothing_else(stacks: Stacks, ask: Any) -> None:
    def role(service: str, *policies: str, managed: bool = False, description: str = "") -> Template:
        more: dict[str, Any] = {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]} if managed else {}
        inline = [{"PolicyName": name, "PolicyDocument": document(allow(name.replace("-", ":")))} for name in policies]
        return resource(
            "AWS::IAM::Role", RoleName="in-place", AssumeRolePolicyDocument=trust(service), Policies=inline,
            **more, **({"Description": description} if description else {}),
        )  # fmt: skip

    iam = ask("iam")
    changed(stacks, "role", role("ec2", "s3-GetObject", "s3-PutObject", managed=True, description="first"),
            role("lambda", "s3-PutObject", "sns-Publish", description="second"))  # fmt: skip
    found = iam.get_role(RoleName="in-place")["Role"]
    assert (found["AssumeRolePolicyDocument"], found["Description"]) == (trust("lambda"), "second")
    assert sorted(iam.list_role_policies(RoleName="in-place")["PolicyNames"]) == ["s3-PutObject", "sns-Publish"]
    assert iam.list_attached_role_policies(RoleName="in-place")["AttachedPolicies"] == []


def test_a_policy_moves_from_role_to_role(stacks: Stacks, ask: Any) -> None:
    iam = ask("iam")
    for name in ("one", "two"):
        iam.create_role(RoleName=f"moved-{name}", AssumeRolePolicyDocument=json.dumps(trust("ec2")))

    def policy(role: str, action: str) -> Template:
        body = document(allow(action))
        return resource("AWS::IAM::Policy", PolicyName="moved", Roles=[f"moved-{role}"], PolicyDocument=body)

    assert stacks.create("moves", of(policy("one", "s3:GetObject")), **NAMED) == "CREATE_COMPLETE"
    assert stacks.update("moves", of(policy("two", "s3:PutObject")), **NAMED) == "UPDATE_COMPLETE"
    assert iam.list_role_policies(RoleName="moved-one")["PolicyNames"] == []
    found = iam.get_role_policy(RoleName="moved-two", PolicyName="moved")["PolicyDocument"]
    assert found == document(allow("s3:PutObject"))


def test_a_managed_policy_has_a_new_default_version(stacks: Stacks, ask: Any) -> None:
    def policy(action: str) -> Template:
        body = document(allow(action))
        return resource("AWS::IAM::ManagedPolicy", ManagedPolicyName="in-place", PolicyDocument=body)

    changed(stacks, "managed", *(policy(f"s3:Get{each}") for each in ("A", "B", "C", "D", "E", "F", "G")))
    arn = stacks.outputs("managed")["Ref"]
    version = ask("iam").get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = ask("iam").get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    assert found == document(allow("s3:GetG"))


def test_a_rule_loses_the_targets_its_template_lost(stacks: Stacks, ask: Any) -> None:
    def rule(*names: str) -> Template:
        targets = [{"Id": name, "Arn": f"arn:aws:sqs:us-east-1:123456789012:{name}"} for name in names]
        return resource("AWS::Events::Rule", Name="in-place", ScheduleExpression="rate(1 day)", Targets=targets)

    changed(stacks, "rule", rule("a", "b"), rule("b", "c"))
    assert [each["Id"] for each in ask("events").list_targets_by_rule(Rule="in-place")["Targets"]] == ["b", "c"]


def test_a_topic_loses_the_name_that_is_shown(stacks: Stacks, ask: Any) -> None:
    named = resource("AWS::SNS::Topic", TopicName="in-place", DisplayName="one")
    changed(stacks, "topic", named, resource("AWS::SNS::Topic", TopicName="in-place"))
    arn = stacks.outputs("topic")["Ref"]
    assert ask("sns").get_topic_attributes(TopicArn=arn)["Attributes"].get("DisplayName", "") == ""


def test_a_bucket_policy_is_changed_and_goes(stacks: Stacks, ask: Any) -> None:
    s3 = ask("s3")
    s3.create_bucket(Bucket="with-policy")

    def policy(action: str) -> Template:
        arn = "arn:aws:iam::123456789012:root"
        statement = {**allow(action), "Principal": {"AWS": arn}, "Resource": "arn:aws:s3:::with-policy/*"}
        return resource("AWS::S3::BucketPolicy", Bucket="with-policy", PolicyDocument=document(statement))

    changed(stacks, "bucket-policy", policy("s3:GetObject"), policy("s3:PutObject"))
    (found,) = json.loads(s3.get_bucket_policy(Bucket="with-policy")["Policy"])["Statement"]
    assert found["Action"] == "s3:PutObject"
    assert stacks.delete("bucket-policy") == "DELETE_COMPLETE"
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="with-policy")
