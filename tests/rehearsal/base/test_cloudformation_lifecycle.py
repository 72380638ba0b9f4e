"""How stacks are created, fail, are deleted, and what they tell of themselves.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-whatis-howdoesitwork.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from tests.rehearsal.base.conftest import Stacks, Template, Thing, resource, thing
from tests.waiting import until


def of(**resources: Template) -> Template:
    return {"Resources": resources}


def error_code(problem: Any) -> str:
    return str(problem.value.response["Error"]["Code"])


def test_resources_are_made_in_the_order_of_their_references_and_deleted_in_reverse(
    stacks: Stacks, done: list[str]
) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-dependson.html"""
    template = of(
        A=thing("last", DependsOn=["B"]),
        B=thing({"Fn::Sub": "after-${C}"}),
        C=thing({"Fn::Join": ["", [{"Fn::Select": [0, {"Fn::Split": ["x", {"Ref": "D"}]}]}, "-then"]]}),
        D=thing("first"),
    )
    assert stacks.create("ordered", template) == "CREATE_COMPLETE"
    assert stacks.delete("ordered") == "DELETE_COMPLETE"
    order = ["first", "first-then", "after-first-then", "last"]
    assert done == [f"create {name}" for name in order] + [f"delete {name}" for name in reversed(order)]


def test_a_creation_that_fails_is_rolled_back_in_reverse_order(stacks: Stacks, done: list[str]) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html"""
    Thing.fails.add("create bad")
    template = of(A=thing("a"), B=thing("b", DependsOn="A"), Bad=thing("bad", DependsOn="B"))
    assert stacks.create("rolled-back", template) == "ROLLBACK_COMPLETE"
    assert done == ["create a", "create b", "create bad", "delete b", "delete a"]
    assert stacks.told("rolled-back") == [
        ("rolled-back", "CREATE_IN_PROGRESS"),
        ("A", "CREATE_IN_PROGRESS"),
        ("A", "CREATE_COMPLETE"),
        ("B", "CREATE_IN_PROGRESS"),
        ("B", "CREATE_COMPLETE"),
        ("Bad", "CREATE_IN_PROGRESS"),
        ("Bad", "CREATE_FAILED"),
        ("rolled-back", "ROLLBACK_IN_PROGRESS"),
        ("B", "DELETE_IN_PROGRESS"),
        ("B", "DELETE_COMPLETE"),
        ("A", "DELETE_IN_PROGRESS"),
        ("A", "DELETE_COMPLETE"),
        ("rolled-back", "ROLLBACK_COMPLETE"),
    ]
    assert "create bad fails as the test wants" in stacks.reason("rolled-back", "CREATE_FAILED")
    begun = stacks.reason("rolled-back", "ROLLBACK_IN_PROGRESS")
    assert begun == "The following resource(s) failed to create: [Bad]. Rollback requested by user."


def test_a_stack_whose_creation_was_rolled_back_can_only_be_deleted(stacks: Stacks, done: list[str]) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""
    Thing.fails.add("create bad")
    assert stacks.create("useless", of(Bad=thing("bad"))) == "ROLLBACK_COMPLETE"
    Thing.fails.clear()
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        stacks.update("useless", of(Good=thing("good")))
    with pytest.raises(ClientError, match="already exists") as refused:
        stacks.create("useless", of(Good=thing("good")))
    assert error_code(refused) == "AlreadyExistsException"
    with pytest.raises(ClientError, match="already exists"):
        stacks.api.create_change_set(
            StackName="useless", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=json.dumps(of(G=thing("g")))
        )
    assert stacks.delete("useless") == "DELETE_COMPLETE"
    assert stacks.create("useless", of(Good=thing("good"))) == "CREATE_COMPLETE"


def test_a_creation_that_fails_may_be_left_as_it_is(stacks: Stacks, done: list[str]) -> None:
    Thing.fails.add("create bad")
    template = of(A=thing("a"), Bad=thing("bad", DependsOn="A"))
    assert stacks.create("left", template, OnFailure="DO_NOTHING") == "CREATE_FAILED"
    assert done == ["create a", "create bad"]
    assert stacks.described("left")["StackStatusReason"].startswith("The following resource(s) failed to create: [Bad]")


def test_an_attribute_that_does_not_exist_fails_the_stack(stacks: Stacks) -> None:
    """A custom resource's attributes are known only once it is there; a base type's are in its schema."""
    name = {"Fn::Sub": "${Queue.Nothing}"}
    body = of(Queue=resource("AWS::SQS::Queue"), User=resource("AWS::SQS::Queue", QueueName=name))
    body["Metadata"] = {"cfn-lint": {"config": {"ignore_checks": ["E1019", "E1010"]}}}
    assert stacks.create("no-attribute", body) == "ROLLBACK_COMPLETE"
    assert "Requested attribute Nothing does not exist in schema for AWS::SQS::Queue" in stacks.reason("no-attribute")


def test_a_stack_name_is_taken_once(stacks: Stacks) -> None:
    template = of(T=resource("AWS::SNS::Topic"))
    assert stacks.create("taken", template) == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match=r"Stack \[taken\] already exists") as refused:
        stacks.create("taken", template)
    assert error_code(refused) == "AlreadyExistsException"


def test_names_that_cloudformation_makes_up_tell_stack_and_resource(stacks: Stacks) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html"""
    template = of(
        Queue=resource("AWS::SQS::Queue"),
        Topic=resource("AWS::SNS::Topic"),
        Data=resource("AWS::S3::Bucket"),
    )
    assert stacks.create("makes-up", template) == "CREATE_COMPLETE"
    found = stacks.physical_ids("makes-up")
    assert "/makes-up-Queue-" in found["Queue"]
    assert ":makes-up-Topic-" in found["Topic"]
    assert found["Data"].startswith("makes-up-data-")
    assert stacks.delete("makes-up") == "DELETE_COMPLETE"
    assert stacks.create("makes-up", template) == "CREATE_COMPLETE"
    again = stacks.physical_ids("makes-up")
    assert [name for name in found if found[name] == again[name]] == []


# ---- deletion


def test_a_protected_stack_is_deleted_only_when_the_protection_is_taken_away(stacks: Stacks) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html"""
    template = of(T=resource("AWS::SNS::Topic"))
    assert stacks.create("guarded", template, EnableTerminationProtection=True) == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="cannot be deleted while TerminationProtection is enabled") as refused:
        stacks.api.delete_stack(StackName="guarded")
    assert error_code(refused) == "ValidationError"
    stacks.api.update_termination_protection(StackName="guarded", EnableTerminationProtection=False)
    assert stacks.delete("guarded") == "DELETE_COMPLETE"


def test_a_deleted_stack_is_found_by_its_id_only(stacks: Stacks) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html"""
    assert stacks.create("gone", of(T=resource("AWS::SNS::Topic"))) == "CREATE_COMPLETE"
    stack_id = stacks.described("gone")["StackId"]
    assert stacks.delete("gone") == "DELETE_COMPLETE"
    assert stacks.described(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(ClientError, match="Stack with id gone does not exist") as refused:
        stacks.described("gone")
    assert error_code(refused) == "ValidationError"


def test_a_bucket_with_objects_is_not_deleted_with_its_stack(stacks: Stacks, ask: Any) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html#troubleshooting-errors-delete-stack-fails"""
    s3 = ask("s3")
    assert stacks.create("full", of(Data=resource("AWS::S3::Bucket", BucketName="full-bucket"))) == "CREATE_COMPLETE"
    s3.put_object(Bucket="full-bucket", Key="data.csv", Body=b"1,2")
    assert stacks.delete("full") == "DELETE_FAILED"
    assert stacks.described("full")["StackStatusReason"] == "The following resource(s) failed to delete: [Data]."
    assert "The bucket you tried to delete is not empty" in stacks.reason("full", "DELETE_FAILED")
    assert s3.get_object(Bucket="full-bucket", Key="data.csv")["Body"].read() == b"1,2"
    s3.delete_object(Bucket="full-bucket", Key="data.csv")
    assert stacks.delete("full") == "DELETE_COMPLETE"


def test_a_bucket_with_old_versions_only_is_not_empty(stacks: Stacks, ask: Any) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/delete-bucket.html"""
    s3 = ask("s3")
    versioned = resource("AWS::S3::Bucket", BucketName="old-versions", VersioningConfiguration={"Status": "Enabled"})
    assert stacks.create("old-versions", of(Data=versioned)) == "CREATE_COMPLETE"
    s3.put_object(Bucket="old-versions", Key="k", Body=b"1")
    s3.delete_object(Bucket="old-versions", Key="k")
    assert stacks.delete("old-versions") == "DELETE_FAILED"


def test_a_role_with_a_policy_of_somebody_elses_is_not_deleted_with_its_stack(stacks: Stacks, ask: Any) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html"""
    iam = ask("iam")
    body = of(Role=resource("AWS::IAM::Role", RoleName="lent", AssumeRolePolicyDocument=trust()))
    assert stacks.create("lent", body, Capabilities=["CAPABILITY_NAMED_IAM"]) == "CREATE_COMPLETE"
    policy = iam.create_policy(PolicyName="from-outside", PolicyDocument=json.dumps(READING))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="lent", PolicyArn=policy)
    assert stacks.delete("lent") == "DELETE_FAILED"
    assert "must detach all policies first" in stacks.reason("lent", "DELETE_FAILED")
    iam.detach_role_policy(RoleName="lent", PolicyArn=policy)
    assert stacks.delete("lent") == "DELETE_COMPLETE"


# ---- names that are taken


def trust(service: str = "ec2") -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


READING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
NAMED = {
    "role": resource("AWS::IAM::Role", RoleName="twice", AssumeRolePolicyDocument=trust()),
    "policy": resource("AWS::IAM::ManagedPolicy", ManagedPolicyName="twice", PolicyDocument=READING),
    "topic": resource("AWS::SNS::Topic", TopicName="twice"),
    "queue": resource("AWS::SQS::Queue", QueueName="twice"),
    "bucket": resource("AWS::S3::Bucket", BucketName="twice-bucket"),
    "parameter": resource("AWS::SSM::Parameter", Name="/twice", Type="String", Value="x"),
    "log-group": resource("AWS::Logs::LogGroup", LogGroupName="/twice"),
    "rule": resource("AWS::Events::Rule", Name="twice", ScheduleExpression="rate(1 day)"),
    "alarm": resource(
        "AWS::CloudWatch::Alarm", AlarmName="twice", Namespace="N", MetricName="M", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMED)
def test_a_name_that_is_taken_fails_the_second_stack_and_leaves_the_first_alone(stacks: Stacks, kind: str) -> None:
    """ "<name> already exists in stack <arn>".

    https://repost.aws/knowledge-center/cloudformation-resource-already-exists
    """
    options = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}
    assert stacks.create(f"first-{kind}", of(It=NAMED[kind]), **options) == "CREATE_COMPLETE"
    assert stacks.create(f"second-{kind}", of(It=NAMED[kind]), **options) == "ROLLBACK_COMPLETE"
    told = "Validation failed" if kind == "bucket" else "already exists"  # a bucket's name is looked at first
    assert told in stacks.reason(f"second-{kind}")
    assert stacks.delete(f"second-{kind}") == "DELETE_COMPLETE"
    assert stacks.delete(f"first-{kind}") == "DELETE_COMPLETE"
    assert stacks.create(f"third-{kind}", of(It=NAMED[kind]), **options) == "CREATE_COMPLETE"


# ---- exports


def exporting(name: str, value: str = "v") -> Template:
    return {**of(T=resource("AWS::SNS::Topic")), "Outputs": {"O": {"Value": value, "Export": {"Name": name}}}}


def importing(name: str) -> Template:
    return of(P=resource("AWS::SSM::Parameter", Type="String", Value={"Fn::ImportValue": name}))


def test_a_value_is_exported_and_imported_and_kept_while_it_is_used(stacks: Stacks) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html"""
    assert stacks.create("exporter", exporting("shared")) == "CREATE_COMPLETE"
    assert stacks.create("importer", importing("shared")) == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="Export shared cannot be deleted as it is in use by importer"):
        stacks.api.delete_stack(StackName="exporter")
    for change in (exporting("shared", "other"), exporting("renamed")):
        assert stacks.update("exporter", change) == "UPDATE_ROLLBACK_COMPLETE"
        assert "is in use by importer" in stacks.reason("exporter", "FAILED")
    assert [each["Name"] for each in stacks.api.list_exports()["Exports"]] == ["shared"]
    assert stacks.delete("importer") == "DELETE_COMPLETE"
    assert stacks.update("exporter", exporting("renamed")) == "UPDATE_COMPLETE"
    assert [each["Name"] for each in stacks.api.list_exports()["Exports"]] == ["renamed"]
    assert stacks.delete("exporter") == "DELETE_COMPLETE"
    assert stacks.api.list_exports()["Exports"] == []


def test_an_export_has_its_name_for_itself(stacks: Stacks) -> None:
    assert stacks.create("exports-first", exporting("mine")) == "CREATE_COMPLETE"
    assert stacks.create("exports-second", exporting("mine")) == "ROLLBACK_COMPLETE"
    assert "Export with name mine is already exported by stack exports-first" in stacks.reason("exports-second")
    assert stacks.delete("exports-first") == "DELETE_COMPLETE"


def test_nothing_is_imported_that_nobody_exports(stacks: Stacks) -> None:
    assert stacks.create("imports-nothing", importing("nobodys")) == "ROLLBACK_COMPLETE"
    assert "No export named nobodys found" in stacks.reason("imports-nothing")


# ---- who, what, and how often


def test_tags_of_a_stack_are_given_to_its_resources(stacks: Stacks, ask: Any) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html"""
    own = [{"Key": "team", "Value": "own"}]
    body = of(
        Plain=resource("AWS::SQS::Queue", QueueName="plain"), Own=resource("AWS::SQS::Queue", QueueName="own", Tags=own)
    )
    tags = [{"Key": "team", "Value": "claims"}, {"Key": "stage", "Value": "test"}]
    assert stacks.create("tagging", body, Tags=tags) == "CREATE_COMPLETE"
    sqs = ask("sqs")

    def tags_of(name: str) -> dict[str, str]:
        found = sqs.list_queue_tags(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])["Tags"]
        return {key: value for key, value in found.items() if not key.startswith("aws:")}

    assert tags_of("plain") == {"team": "claims", "stage": "test"}
    assert tags_of("own") == {"team": "own", "stage": "test"}
    changed = [{"Key": "team", "Value": "fraud"}]
    assert stacks.update("tagging", body, Tags=changed) == "UPDATE_COMPLETE"
    assert tags_of("plain") == {"team": "fraud"}


def test_a_stack_tells_the_role_that_acts_for_it(cloud: Cloud, stacks: Stacks, ask: Any) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html"""
    iam = ask("iam")
    arn = iam.create_role(RoleName="acts", AssumeRolePolicyDocument=json.dumps(trust("cloudformation")))["Role"]["Arn"]
    body = of(Topic=resource("AWS::SNS::Topic", TopicName="as-the-role"))
    assert stacks.create("as-role", body, RoleARN=arn) == "ROLLBACK_COMPLETE"
    assert "assumed-role/acts/" in stacks.reason("as-role")
    assert "sns:CreateTopic" in stacks.reason("as-role")
    assert stacks.described("as-role")["RoleARN"] == arn


def test_a_request_token_is_told_with_every_event_of_its_operation(stacks: Stacks) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html"""
    stacks.create("tokens", of(T=resource("AWS::SNS::Topic")), ClientRequestToken="once")
    assert {each.get("ClientRequestToken") for each in stacks.events("tokens")} == {"once"}


@pytest.mark.parametrize("host", ["{bucket}.s3.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com/{bucket}"])
def test_a_template_is_read_from_its_url(stacks: Stacks, ask: Any, host: str) -> None:
    s3 = ask("s3")
    bucket = "templates-" + ("one" if host.startswith("{") else "two")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="t.json", Body=json.dumps(of(T=resource("AWS::SNS::Topic"))))
    url = f"https://{host.format(bucket=bucket)}/t.json"
    stacks.api.create_stack(StackName=bucket, TemplateURL=url)
    assert stacks.settled(bucket) == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="S3 error: The specified key does not exist"):
        stacks.api.create_stack(StackName="no-template", TemplateURL=url.replace("t.json", "other.json"))


def test_iam_resources_have_to_be_acknowledged(stacks: Stacks) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html"""
    unnamed = of(Role=resource("AWS::IAM::Role", AssumeRolePolicyDocument=trust()))
    named = of(Role=resource("AWS::IAM::Role", RoleName="acknowledged", AssumeRolePolicyDocument=trust()))
    for template, given, wanted in (
        (unnamed, [], "CAPABILITY_IAM"),
        (named, ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
    ):
        with pytest.raises(ClientError, match=wanted) as refused:
            stacks.create("unacknowledged", template, Capabilities=given)
        assert error_code(refused) == "InsufficientCapabilitiesException"


@pytest.mark.parametrize(
    "option",
    [
        {"NotificationARNs": ["arn:aws:sns:us-east-1:123456789012:t"]},
        {"TimeoutInMinutes": 5},
        {"StackPolicyBody": "{}"},
        {"RollbackConfiguration": {"MonitoringTimeInMinutes": 5}},
        {"ResourceTypes": ["AWS::SNS::Topic"]},
    ],
    ids=lambda option: next(iter(option)),
)
def test_an_option_that_nobody_plays_is_refused_by_name(stacks: Stacks, option: dict[str, Any]) -> None:
    (name,) = option
    with pytest.raises(ClientError, match=f"{name} of cloudformation:CreateStack is not implemented"):
        stacks.create("options", of(T=resource("AWS::SNS::Topic")), **option)


def test_stacks_with_many_events_are_read_page_by_page(stacks: Stacks, done: list[str]) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html"""
    many = {f"T{number}": thing(f"t{number}") for number in range(60)}
    assert stacks.create("many", {"Resources": many}) == "CREATE_COMPLETE"
    pages = stacks.api.get_paginator("describe_stack_events").paginate(StackName="many")
    events = [each["EventId"] for page in pages for each in page["StackEvents"]]
    assert len(events) == len(set(events)) == 2 + 2 * 60
    assert until(lambda: len(stacks.api.describe_stack_events(StackName="many")["StackEvents"])) == 100
