"""What a stack sets on a resource of the base is what the service's own API answers afterwards.

Every type and every property here is one that `cloudformation/*.yaml` or the seed's endpoint template uses; the last
test keeps the list complete.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from tests.rehearsal.base.conftest import resource
from tests.rehearsal.core.test_stacks import settled

ROOT = Path(__file__).parents[3]
TEMPLATES = [*(ROOT / "cloudformation").glob("*.yaml"), ROOT / "deploy_repo" / "endpoint-config-template.yml"]
PLAYED_BY_ROOMS = (
    "AWS::SageMaker::",
    "AWS::Code",
    "AWS::Lambda::",
    "AWS::ServiceCatalog::",
    "AWS::ApplicationAutoScaling::",
    "Custom::",
)

OWN_TAGS = [{"Key": "sagemaker:project-name", "Value": "churn"}]
STACK_TAGS = [{"Key": "team", "Value": "claims"}]
ALLOW_READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
READ_POLICY = {"Version": "2012-10-17", "Statement": [ALLOW_READ]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
PUBLIC_ACCESS = {
    "BlockPublicAcls": True,
    "BlockPublicPolicy": True,
    "IgnorePublicAcls": True,
    "RestrictPublicBuckets": True,
}
TLS_ONLY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "OnlyOverTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::conforming", "arn:aws:s3:::conforming/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ],
}
PATTERN = {"source": ["aws.codepipeline"], "detail": {"state": ["FAILED"]}}
TRANSFORMER = {"InputPathsMap": {"pipeline": "$.detail.pipeline"}, "InputTemplate": '"Pipeline <pipeline> failed"'}
ALARM = {
    "AlarmDescription": "errors",
    "Namespace": "AWS/SageMaker",
    "MetricName": "Invocation5XXErrors",
    "Dimensions": [{"Name": "EndpointName", "Value": "e"}, {"Name": "VariantName", "Value": "AllTraffic"}],
    "Period": 60,
    "EvaluationPeriods": 2,
    "Threshold": 3,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "TreatMissingData": "notBreaching",
}


RESOURCES: dict[str, dict[str, Any]] = {
    "Bucket": resource(
        "AWS::S3::Bucket",
        BucketName="conforming",
        BucketEncryption={
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        PublicAccessBlockConfiguration=PUBLIC_ACCESS,
        VersioningConfiguration={"Status": "Enabled"},
        LifecycleConfiguration={
            "Rules": [
                {"Id": "old", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 90}},
                {"Id": "unfinished", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
            ]
        },
        Tags=OWN_TAGS,
    ),
    "BucketPolicy": resource("AWS::S3::BucketPolicy", Bucket={"Ref": "Bucket"}, PolicyDocument=TLS_ONLY),
    "Boundary": resource(
        "AWS::IAM::ManagedPolicy",
        ManagedPolicyName="conforming-boundary",
        Path="/sagemaker-projects/",
        Description="the most a role may do",
        PolicyDocument=READ_POLICY,
    ),
    "Role": resource(
        "AWS::IAM::Role",
        RoleName="conforming",
        Path="/sagemaker-projects/",
        Description="builds",
        MaxSessionDuration=7200,
        AssumeRolePolicyDocument=TRUST,
        Policies=[{"PolicyName": "reads", "PolicyDocument": READ_POLICY}],
        PermissionsBoundary={"Ref": "Boundary"},
        Tags=OWN_TAGS,
    ),
    "Policy": resource(
        "AWS::IAM::Policy", PolicyName="also-reads", Roles=[{"Ref": "Role"}], PolicyDocument=READ_POLICY
    ),
    "Attached": resource(
        "AWS::IAM::ManagedPolicy",
        ManagedPolicyName="conforming-attached",
        Description="for people",
        PolicyDocument=READ_POLICY,
        Roles=[{"Ref": "Role"}],
    ),
    "Topic": resource(
        "AWS::SNS::Topic",
        TopicName="conforming",
        DisplayName="MLOps project churn",
        KmsMasterKeyId="arn:aws:kms:us-east-1:123456789012:key/ours",
        Tags=OWN_TAGS,
    ),
    "TopicPolicy": resource(
        "AWS::SNS::TopicPolicy",
        Topics=[{"Ref": "Topic"}],
        PolicyDocument={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "EventRulesMayPublish",
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": {"Ref": "Topic"},
                }
            ],
        },
    ),
    "Subscription": resource(
        "AWS::SNS::Subscription", TopicArn={"Ref": "Topic"}, Protocol="email", Endpoint="me@example.com"
    ),
    "Rule": resource(
        "AWS::Events::Rule",
        Name="conforming",
        Description="tells people",
        EventPattern=PATTERN,
        Targets=[
            {"Id": "notifications", "Arn": {"Ref": "Topic"}, "InputTransformer": TRANSFORMER},
            {
                "Id": "pipeline",
                "Arn": "arn:aws:codepipeline:us-east-1:123456789012:build",
                "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        ],
        Tags=OWN_TAGS,
    ),
    "Schedule": resource(
        "AWS::Events::Rule",
        Name="conforming-schedule",
        ScheduleExpression="rate(1 day)",
        Targets=[{"Id": "notifications", "Arn": {"Ref": "Topic"}}],
    ),
    "LogGroup": resource(
        "AWS::Logs::LogGroup",
        LogGroupName="/aws/codebuild/conforming",
        RetentionInDays=365,
        KmsKeyId={"Fn::GetAtt": ["Key", "Arn"]},
        Tags=OWN_TAGS,
    ),
    "Key": resource("AWS::KMS::Key"),
    "SumAlarm": resource(
        "AWS::CloudWatch::Alarm",
        AlarmName="conforming-sum",
        Statistic="Sum",
        AlarmActions=[{"Ref": "Topic"}],
        Tags=OWN_TAGS,
        **ALARM,
    ),
    "PercentileAlarm": resource(
        "AWS::CloudWatch::Alarm", AlarmName="conforming-p95", ExtendedStatistic="p95", Tags=OWN_TAGS, **ALARM
    ),
}
pytestmark = pytest.mark.usefixtures("stack")

SYSTEM_TAGS = {"aws:cloudformation:stack-name", "aws:cloudformation:stack-id", "aws:cloudformation:logical-id"}


@pytest.fixture(scope="module")
def stack(cloud: Cloud) -> str:
    cloudformation = cloud.client("cloudformation", cloud.identity.root)
    cloudformation.create_stack(
        StackName="conforming",
        TemplateBody=json.dumps({"Resources": RESOURCES}),
        Tags=STACK_TAGS,
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    assert settled(cloudformation, "conforming") == ("CREATE_COMPLETE", "")
    return "conforming"


def as_dict(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def check_tags(found: dict[str, str]) -> None:
    """Its own tags, the stack's, and CloudFormation's three.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-resource-tags.html
    """
    assert {key: value for key, value in found.items() if key not in SYSTEM_TAGS} == as_dict([*OWN_TAGS, *STACK_TAGS])
    assert found.keys() >= SYSTEM_TAGS


def test_a_bucket_is_encrypted_owned_private_and_versioned(ask: Any) -> None:
    s3 = ask("s3")
    rules = s3.get_bucket_encryption(Bucket="conforming")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    owned = s3.get_bucket_ownership_controls(Bucket="conforming")["OwnershipControls"]
    assert owned == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert s3.get_public_access_block(Bucket="conforming")["PublicAccessBlockConfiguration"] == PUBLIC_ACCESS
    assert s3.get_bucket_versioning(Bucket="conforming")["Status"] == "Enabled"


def test_a_bucket_forgets_what_its_lifecycle_says(ask: Any) -> None:
    rules = ask("s3").get_bucket_lifecycle_configuration(Bucket="conforming")["Rules"]
    kept = [{key: value for key, value in rule.items() if key not in ("Filter", "Prefix")} for rule in rules]
    assert kept == [
        {"ID": "old", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 90}},
        {"ID": "unfinished", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    ]


def test_a_bucket_has_its_tags(ask: Any) -> None:
    check_tags(as_dict(ask("s3").get_bucket_tagging(Bucket="conforming")["TagSet"]))


def test_a_bucket_has_its_policy(ask: Any) -> None:
    assert json.loads(ask("s3").get_bucket_policy(Bucket="conforming")["Policy"]) == TLS_ONLY


def test_a_role_has_everything_it_was_given(ask: Any) -> None:
    iam = ask("iam")
    role = iam.get_role(RoleName="conforming")["Role"]
    assert (role["Path"], role["Description"]) == ("/sagemaker-projects/", "builds")
    assert role["MaxSessionDuration"] == 7200
    assert role["AssumeRolePolicyDocument"] == TRUST
    boundary = role["PermissionsBoundary"]["PermissionsBoundaryArn"]
    assert boundary.endswith(":policy/sagemaker-projects/conforming-boundary")
    check_tags(as_dict(role["Tags"]))
    for policy in ("reads", "also-reads"):
        assert iam.get_role_policy(RoleName="conforming", PolicyName=policy)["PolicyDocument"] == READ_POLICY
    attached = iam.list_attached_role_policies(RoleName="conforming")["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["conforming-attached"]


@pytest.mark.parametrize(
    ("name", "path", "description"),
    [
        ("conforming-boundary", "/sagemaker-projects/", "the most a role may do"),
        ("conforming-attached", "/", "for people"),
    ],
)
def test_a_managed_policy_has_everything_it_was_given(ask: Any, name: str, path: str, description: str) -> None:
    iam = ask("iam")
    pages = iam.get_paginator("list_policies").paginate(Scope="Local")
    arn = next(each["Arn"] for page in pages for each in page["Policies"] if each["PolicyName"] == name)
    assert arn.endswith(f":policy{path}{name}")
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (policy["Path"], policy["Description"]) == (path, description)
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"] == READ_POLICY


def test_a_topic_has_its_name_policy_tags_and_subscription(ask: Any) -> None:
    sns = ask("sns")
    arn = next(each["TopicArn"] for each in sns.list_topics()["Topics"] if each["TopicArn"].endswith(":conforming"))
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert attributes["DisplayName"] == "MLOps project churn"
    assert attributes["KmsMasterKeyId"] == "arn:aws:kms:us-east-1:123456789012:key/ours"
    (statement,) = json.loads(attributes["Policy"])["Statement"]
    assert (statement["Sid"], statement["Resource"]) == ("EventRulesMayPublish", arn)
    check_tags(as_dict(sns.list_tags_for_resource(ResourceArn=arn)["Tags"]))
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "me@example.com")


def test_a_rule_has_its_pattern_targets_and_tags(ask: Any) -> None:
    events = ask("events")
    rule = events.describe_rule(Name="conforming")
    assert (rule["Description"], rule["State"]) == ("tells people", "ENABLED")
    assert json.loads(rule["EventPattern"]) == PATTERN
    targets = {target["Id"]: target for target in events.list_targets_by_rule(Rule="conforming")["Targets"]}
    assert targets["notifications"]["InputTransformer"] == TRANSFORMER
    assert targets["notifications"]["Arn"].endswith(":conforming")
    assert targets["pipeline"]["RoleArn"].endswith(":role/sagemaker-projects/conforming")
    check_tags(as_dict(events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]))


def test_a_schedule_keeps_its_rhythm(ask: Any) -> None:
    rule = ask("events").describe_rule(Name="conforming-schedule")
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 day)", "ENABLED")
    assert "EventPattern" not in rule


def test_a_log_group_keeps_its_lines_as_long_as_it_was_told(ask: Any) -> None:
    logs = ask("logs")
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/aws/codebuild/conforming")["logGroups"]
    key = ask("kms").describe_key(KeyId=group["kmsKeyId"])["KeyMetadata"]
    assert (group["retentionInDays"], key["KeyState"]) == (365, "Enabled")
    check_tags(logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"])


@pytest.mark.parametrize(
    ("name", "statistic"),
    [("conforming-sum", {"Statistic": "Sum"}), ("conforming-p95", {"ExtendedStatistic": "p95"})],
)
def test_an_alarm_watches_what_it_was_told(ask: Any, name: str, statistic: dict[str, str]) -> None:
    cloudwatch = ask("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert {key: alarm[key] for key in ALARM} == ALARM
    assert {key: alarm[key] for key in ("Statistic", "ExtendedStatistic") if key in alarm} == statistic
    check_tags(as_dict(cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]))


def test_an_alarm_tells_whom_it_was_told_to(ask: Any) -> None:
    (alarm,) = ask("cloudwatch").describe_alarms(AlarmNames=["conforming-sum"])["MetricAlarms"]
    (action,) = alarm["AlarmActions"]
    assert action.endswith(":conforming")


def test_an_update_changes_and_takes_away(cloud: Cloud) -> None:
    cloudformation, s3 = (cloud.client(name, cloud.identity.root) for name in ("cloudformation", "s3"))

    def deploy(verb: str, **properties: Any) -> None:
        body = json.dumps(
            {"Resources": {"Bucket": resource("AWS::S3::Bucket", BucketName="changing-bucket", **properties)}}
        )
        getattr(cloudformation, verb)(StackName="changing-bucket", TemplateBody=body, Tags=STACK_TAGS)
        assert settled(cloudformation, "changing-bucket")[0].endswith("E_COMPLETE")

    def days(count: int) -> dict[str, Any]:
        return {"Rules": [{"Id": "old", "Status": "Enabled", "ExpirationInDays": count, "Prefix": "tmp/"}]}

    given = RESOURCES["Bucket"]["Properties"]
    encrypted = {name: given[name] for name in ("BucketEncryption", "OwnershipControls")}
    deploy("create_stack", LifecycleConfiguration=days(3), VersioningConfiguration={"Status": "Enabled"}, **encrypted)
    deploy("update_stack", LifecycleConfiguration=days(5), VersioningConfiguration={"Status": "Suspended"},
           Tags=OWN_TAGS)  # fmt: skip
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket="changing-bucket")["Rules"]
    assert rule["Expiration"] == {"Days": 5}
    assert rule.get("Prefix", rule.get("Filter", {}).get("Prefix")) == "tmp/"
    assert s3.get_bucket_versioning(Bucket="changing-bucket")["Status"] == "Suspended"
    check_tags(as_dict(s3.get_bucket_tagging(Bucket="changing-bucket")["TagSet"]))
    with pytest.raises(ClientError, match="OwnershipControlsNotFound"):
        s3.get_bucket_ownership_controls(Bucket="changing-bucket")
    deploy("update_stack")
    assert "sagemaker:project-name" not in as_dict(s3.get_bucket_tagging(Bucket="changing-bucket")["TagSet"])
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket="changing-bucket")


def test_a_bucket_property_nobody_plays_is_an_error_that_names_it(cloud: Cloud) -> None:
    cloudformation = cloud.client("cloudformation", cloud.identity.root)
    template = {"Resources": {"Bucket": resource("AWS::S3::Bucket", AccelerateConfiguration={
        "AccelerationStatus": "Enabled"})}}  # fmt: skip
    cloudformation.create_stack(StackName="unplayed-property", TemplateBody=json.dumps(template))
    status, reason = settled(cloudformation, "unplayed-property")
    assert status == "ROLLBACK_COMPLETE"
    assert "AccelerateConfiguration" in reason


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their arguments: only the properties' names matter here."""


def _short_form(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_Template.add_multi_constructor("!", _short_form)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_property_the_templates_use_is_read_back_here(path: Path) -> None:
    checked = {(each["Type"], name) for each in RESOURCES.values() for name in each["Properties"]}
    used = {
        (each["Type"], name)
        for each in yaml.load(path.read_text(), _Template)["Resources"].values()  # noqa: S506 - a SafeLoader
        for name in each.get("Properties", {})
        if not each["Type"].startswith(PLAYED_BY_ROOMS)
    }
    assert used - checked == set()
