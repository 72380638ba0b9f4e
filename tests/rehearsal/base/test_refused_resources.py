"""A stack is refused what a call is refused: policies, principals, patterns, targets, subscribers, keys and values.

https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.base.conftest import Stacks, Template, resource

ACCOUNT = "123456789012"
NOBODY = f"arn:aws:iam::{ACCOUNT}:role/none"
NO_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-1111-1111-1111-111111111111"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:refuses"
NAMED = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(principal: Any, action: str = "sts:AssumeRole") -> dict[str, Any]:
    return document({"Effect": "Allow", "Principal": principal, "Action": action})


BUILD = trust({"Service": "codebuild.amazonaws.com"})
TYPO = {"Service": "codebuilt.amazonaws.com"}


def role(**more: Any) -> Template:
    return resource("AWS::IAM::Role", **{"AssumeRolePolicyDocument": BUILD, **more})


def statement(action: str, at: str, principal: Any = "*", effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": at}


def bucket_policy(action: str, at: str, principal: Any = "*") -> Template:
    policy = document(statement(action, at, principal, "Deny"))
    return resource("AWS::S3::BucketPolicy", Bucket="refuses-policies", PolicyDocument=policy)


def topic_policy(action: str, principal: Any) -> Template:
    policy = document(statement(action, TOPIC, principal))
    return resource("AWS::SNS::TopicPolicy", Topics=[TOPIC], PolicyDocument=policy)


def key(*statements: dict[str, Any]) -> Template:
    return resource("AWS::KMS::Key", KeyPolicy=document(*statements))


def rule(pattern: Any = None, **target: Any) -> Template:
    targets = [{"Id": "t", "Arn": TOPIC, **target}] if target else []
    return resource("AWS::Events::Rule", EventPattern=pattern or {"source": ["s"]}, Targets=targets)


def subscription(topic: str, protocol: str, endpoint: str) -> Template:
    return resource("AWS::SNS::Subscription", TopicArn=topic, Protocol=protocol, Endpoint=endpoint)


OBJECTS = "arn:aws:s3:::refuses-policies/*"
NO_VENDOR = document({"Effect": "Allow", "Action": "GetObject", "Resource": "*"})
UNKNOWN_PLACEHOLDER = {"InputPathsMap": {"y": "$.detail"}, "InputTemplate": '{"a": <x>}'}

REFUSED: dict[str, tuple[Template, str]] = {
    "a boundary that is not there": (
        role(PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/none"), "policy/none does not exist"),
    "a managed policy that is not there": (
        role(ManagedPolicyArns=["arn:aws:iam::aws:policy/DoesNotExist"]), "DoesNotExist does not exist"),
    "an action without a vendor": (
        role(Policies=[{"PolicyName": "p", "PolicyDocument": NO_VENDOR}]), "prefaced by a vendor"),
    "a managed policy without a vendor": (
        resource("AWS::IAM::ManagedPolicy", PolicyDocument=NO_VENDOR), "prefaced by a vendor"),
    "a trust of other actions": (
        role(AssumeRolePolicyDocument=trust({"Service": "codebuild.amazonaws.com"}, "s3:GetObject")),
        "may only specify STS AssumeRole actions"),
    "a trust of a role that is not there": (
        role(AssumeRolePolicyDocument=trust({"AWS": NOBODY})), f'Invalid principal in policy: "AWS":"{NOBODY}"'),
    "a trust of a service that is not there": (
        role(AssumeRolePolicyDocument=trust(TYPO)), '"SERVICE":"codebuilt.amazonaws.com"'),
    "a bucket policy for a role that is not there": (
        bucket_policy("s3:GetObject", OBJECTS, {"AWS": NOBODY}), "Invalid principal in policy"),
    "a bucket policy on another bucket": (
        bucket_policy("s3:GetObject", "arn:aws:s3:::other/*"), "Policy has invalid resource"),
    "a bucket policy of other actions": (bucket_policy("iam:*", OBJECTS), "Policy has invalid action"),
    "a topic policy for a role that is not there": (
        topic_policy("sns:Publish", {"AWS": NOBODY}), "Policy Error: PrincipalNotFound"),
    "a topic policy of other actions": (topic_policy("s3:GetObject", "*"), "action out of service scope"),
    "a key policy for a role that is not there": (
        key(statement("kms:*", "*", {"AWS": NOBODY})), "one or more invalid principals"),
    "a key policy that nobody can change": (
        key(statement("kms:Decrypt", "*", {"AWS": ACCOUNT})), "will not allow you to update the key policy"),
    "a pattern without a list": (rule({"source": "s"}), "Event pattern is not valid"),
    "a pattern with an unknown operator": (rule({"source": [{"begins-with": "s"}]}), "Event pattern is not valid"),
    "a pattern of nothing": (rule({"source": []}), "Event pattern is not valid"),
    "two inputs of a target": (
        rule(Input="{}", InputTransformer={"InputTemplate": '"x"'}), "Only one of Input, InputPath"),
    "an undefined placeholder": (rule(InputTransformer=UNKNOWN_PLACEHOLDER), "contains invalid placeholder x"),
    "a target without an ARN": (rule(Arn="not-an-arn"), "not in correct format"),
    "a subscription to no topic": (subscription(f"{TOPIC}-not", "email", "a@example.com"), "Topic does not exist"),
    "a subscription by no protocol": (subscription(TOPIC, "smoke", "up"), "protocol string: smoke"),
    "a subscription of no address": (subscription(TOPIC, "email", "nope"), "Email address"),
    "a log group with a key that is not there": (
        resource("AWS::Logs::LogGroup", KmsKeyId=NO_KEY), "The specified KMS key does not exist"),
    "a parameter that does not match": (
        resource("AWS::SSM::Parameter", Type="String", Value="x", AllowedPattern="a+"), "allowedPattern: a"),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _there(ask: Callable[[str], Any]) -> None:
    ask("sns").create_topic(Name="refuses")
    ask("s3").create_bucket(Bucket="refuses-policies")


@pytest.mark.parametrize("case", REFUSED)
def test_a_stack_is_refused_what_a_call_is_refused(stacks: Stacks, case: str) -> None:
    it, words = REFUSED[case]
    name = f"refused-{list(REFUSED).index(case)}"
    assert stacks.create(name, {"Resources": {"It": it}}, **NAMED) == "ROLLBACK_COMPLETE"
    assert words in stacks.reason(name)


def test_a_rate_that_only_a_parameter_tells_is_refused(stacks: Stacks) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html"""
    it = resource("AWS::Events::Rule", ScheduleExpression={"Ref": "Rate"})
    template = {"Parameters": {"Rate": {"Type": "String"}}, "Resources": {"It": it}}
    given = [{"ParameterKey": "Rate", "ParameterValue": "rate(1 days)"}]
    assert stacks.create("refused-rate", template, Parameters=given) == "ROLLBACK_COMPLETE"
    assert "ScheduleExpression is not valid" in stacks.reason("refused-rate")


def test_an_update_is_refused_the_same_and_rolls_back(stacks: Stacks, ask: Any) -> None:
    it = {"Resources": {"It": role(RoleName="refuses-update")}}
    assert stacks.create("refused-update", it, **NAMED) == "CREATE_COMPLETE"
    limit = f"arn:aws:iam::{ACCOUNT}:policy/none"
    changed = {"Resources": {"It": role(RoleName="refuses-update", PermissionsBoundary=limit)}}
    assert stacks.update("refused-update", changed, **NAMED) == "UPDATE_ROLLBACK_COMPLETE"
    assert "PermissionsBoundary" not in ask("iam").get_role(RoleName="refuses-update")["Role"]


def test_a_policy_names_principals_that_are_there(stacks: Stacks) -> None:
    """A role of the same stack, the account, other accounts and services that no room plays."""
    others = [{"Fn::GetAtt": ["It", "Arn"]}, ACCOUNT, "arn:aws:iam::999999999999:role/unknown", "999999999999"]
    services = ["ecs-tasks.amazonaws.com", "logs.us-east-1.amazonaws.com", "edgelambda.amazonaws.com"]
    trusting = role(AssumeRolePolicyDocument=trust({"AWS": others, "Service": services}))
    template = {"Resources": {"It": role(), "Trusting": trusting}}
    assert stacks.create("named-principals", template, **NAMED) == "CREATE_COMPLETE"


def test_calls_are_refused_policies_for_principals_that_are_not_there(ask: Callable[[str], Any]) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html"""
    for principal in ({"AWS": NOBODY}, TYPO, {"AWS": "AROAXXXXXXXXXXXXXXXXX"}, {"AWS": "somebody"}):
        with pytest.raises(ClientError, match="Invalid principal in policy"):
            ask("iam").create_role(RoleName="never", AssumeRolePolicyDocument=json.dumps(trust(principal)))
        policy = json.dumps(document(statement("s3:GetObject", OBJECTS, principal)))
        with pytest.raises(ClientError, match="Invalid principal in policy"):
            ask("s3").put_bucket_policy(Bucket="refuses-policies", Policy=policy)
        policy = json.dumps(document(statement("sns:Publish", TOPIC, principal)))
        with pytest.raises(ClientError, match="PrincipalNotFound"):
            ask("sns").set_topic_attributes(TopicArn=TOPIC, AttributeName="Policy", AttributeValue=policy)
        with pytest.raises(ClientError, match="PrincipalNotFound"):
            ask("sns").create_topic(Name="never", Attributes={"Policy": policy})
        policy = json.dumps(document(statement("kms:*", "*", principal)))
        with pytest.raises(ClientError, match="invalid principals"):
            ask("kms").create_key(Policy=policy)


def test_a_key_is_locked_only_on_purpose(ask: Callable[[str], Any]) -> None:
    """https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html"""
    locked = json.dumps(document(statement("kms:Decrypt", "*", {"AWS": ACCOUNT})))
    with pytest.raises(ClientError, match="will not allow you to update the key policy"):
        ask("kms").create_key(Policy=locked)
    made = ask("kms").create_key(Policy=locked, BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]
    assert made["Enabled"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"Input": "{}", "InputTransformer": {"InputTemplate": '"x"'}}, "Only one of"),
        ({"InputTransformer": UNKNOWN_PLACEHOLDER}, "invalid placeholder x"),
    ],
)
def test_a_target_whose_input_cannot_be_made_is_refused(
    ask: Callable[[str], Any], target: dict[str, Any], words: str
) -> None:
    ask("events").put_rule(Name="refuses-targets", EventPattern='{"source": ["s"]}')
    with pytest.raises(ClientError, match=words):
        ask("events").put_targets(Rule="refuses-targets", Targets=[{"Id": "t", "Arn": TOPIC, **target}])
