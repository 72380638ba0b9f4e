"""What a stack's role must be allowed, resource by resource: each role, policy and topic on its own."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.errors import AwsError, NotImplementedHere
from rehearsal.cloud.resources.engine import resource_schema
from rehearsal.cloud.resources.handled import Account
from rehearsal.cloud.resources.permissions import calls_for
from rehearsal.cloud.resources.provider import ResourceRequest
from rehearsal.cloud.resources.rules import check_targets
from rehearsal.cloud.service import Call, Credentials
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.core.test_identity import allow, role
from tests.rehearsal.core.test_stacks import settled

BOUNDARIES = {"first": "arn:aws:iam::123456789012:policy/limit", "second": ""}


def find(kind: str, name: str) -> tuple[str, str]:
    return f"arn:aws:iam::123456789012:{kind.lower()}/team/{name}", BOUNDARIES.get(name, "")


WHERE = Account("123456789012", "us-east-1", find)


def needed(
    operation: str,
    type_name: str,
    properties: dict[str, Any],
    previous: dict[str, Any] | None = None,
    physical: str = "",
) -> list[Call]:
    permissions = resource_schema(type_name, "us-east-1")["handlers"][operation]["permissions"]
    actor = Credentials("AKIA", "secret")
    request = ResourceRequest(type_name, "Given", "stack", properties, actor, physical, previous or {})
    return calls_for(operation, permissions, request, WHERE)


def given(calls: list[Call], *verbs: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Action, last part of the resource, and context, of the calls with one of these verbs."""
    return [
        (call.action.removeprefix("iam:"), call.resource.rpartition("/")[2], dict(call.context))
        for call in calls
        if call.action.startswith(tuple(f"iam:{verb}" for verb in verbs))
    ]


INLINE = {"PolicyName": "p", "PolicyDocument": {"Statement": []}, "Roles": ["first", "second"], "Users": ["u"]}
LIMIT = {"iam:PermissionsBoundary": BOUNDARIES["first"]}


def test_an_inline_policy_is_authorised_on_every_entity_with_its_own_boundary() -> None:
    calls = needed("create", "AWS::IAM::Policy", {**INLINE, "Groups": ["g"]})
    assert given(calls, "Put") == [
        ("PutRolePolicy", "first", LIMIT),
        ("PutRolePolicy", "second", {}),
        ("PutUserPolicy", "u", {}),
        ("PutGroupPolicy", "g", {}),
    ]
    assert {call.resource for call in calls} == {
        f"arn:aws:iam::123456789012:{entity}" for entity in ("role/team/first", "role/team/second", "user/team/u",
                                                             "group/team/g")
    }  # fmt: skip


def test_a_changed_document_is_authorised_on_every_entity() -> None:
    calls = needed("update", "AWS::IAM::Policy", {**INLINE, "PolicyDocument": {"Statement": [{}]}}, INLINE, "p")
    assert given(calls, "Put", "Delete") == [
        ("PutRolePolicy", "first", LIMIT),
        ("PutRolePolicy", "second", {}),
        ("PutUserPolicy", "u", {}),
    ]


def test_an_inline_policy_is_taken_from_the_roles_it_no_longer_names() -> None:
    calls = needed("update", "AWS::IAM::Policy", {**INLINE, "Roles": ["second", "third"]}, INLINE, "p")
    assert given(calls, "Put", "Delete") == [("PutRolePolicy", "third", {}), ("DeleteRolePolicy", "first", LIMIT)]


def test_deleting_an_inline_policy_is_authorised_on_every_entity() -> None:
    calls = needed("delete", "AWS::IAM::Policy", INLINE, physical="p")
    assert [(call.action, call.resource.rpartition("/")[2]) for call in calls] == [
        ("iam:DeleteRolePolicy", "first"), ("iam:DeleteRolePolicy", "second"), ("iam:DeleteUserPolicy", "u")
    ]  # fmt: skip


def test_a_managed_policy_is_attached_to_each_role_under_its_own_arn() -> None:
    calls = needed("create", "AWS::IAM::ManagedPolicy", {"ManagedPolicyName": "shared", "Roles": ["first", "second"]})
    arn = "arn:aws:iam::123456789012:policy/shared"
    assert given(calls, "Attach", "Detach") == [
        ("AttachRolePolicy", "first", {"iam:PolicyARN": arn, **LIMIT}),
        ("AttachRolePolicy", "second", {"iam:PolicyARN": arn}),
    ]
    assert [call.resource for call in calls if call.action == "iam:CreatePolicy"] == [arn]


def test_a_managed_policy_is_detached_from_the_roles_it_no_longer_names() -> None:
    arn = "arn:aws:iam::123456789012:policy/shared"
    calls = needed("update", "AWS::IAM::ManagedPolicy", {"Roles": ["second"]}, {"Roles": ["first"]}, arn)
    assert [(action, on) for action, on, _ in given(calls, "Attach", "Detach")] == [
        ("AttachRolePolicy", "second"), ("DetachRolePolicy", "first")
    ]  # fmt: skip


def test_each_managed_policy_of_a_role_is_attached_on_its_own() -> None:
    properties = {"RoleName": "r", "ManagedPolicyArns": ["arn:one", "arn:two"], "PermissionsBoundary": "arn:limit"}
    limit = {"iam:PermissionsBoundary": "arn:limit"}
    calls = needed("create", "AWS::IAM::Role", properties)
    assert given(calls, "Attach") == [
        ("AttachRolePolicy", "r", {"iam:PolicyARN": "arn:one", **limit}),
        ("AttachRolePolicy", "r", {"iam:PolicyARN": "arn:two", **limit}),
    ]
    later = {**properties, "ManagedPolicyArns": ["arn:two", "arn:three"]}
    calls = needed("update", "AWS::IAM::Role", later, properties, "r")
    assert [(action, context["iam:PolicyARN"]) for action, _, context in given(calls, "Attach", "Detach")] == [
        ("AttachRolePolicy", "arn:three"), ("DetachRolePolicy", "arn:one")
    ]  # fmt: skip


def test_only_actions_that_carry_a_boundary_are_asked_with_it() -> None:
    calls = needed("create", "AWS::IAM::Role", {"PermissionsBoundary": "arn:limit", "Policies": [{}]})
    carrying = {call.action for call in calls if "iam:PermissionsBoundary" in call.context}
    assert carrying == {"iam:CreateRole", "iam:PutRolePolicy"}


def test_taking_a_boundary_away_is_an_action_of_its_own() -> None:
    calls = needed("update", "AWS::IAM::Role", {}, {"PermissionsBoundary": "arn:limit"}, "r")
    assert given(calls, "DeleteRolePermissionsBoundary", "PutRolePermissionsBoundary") == [
        ("DeleteRolePermissionsBoundary", "r", {"iam:PermissionsBoundary": "arn:limit"})
    ]


def test_a_topic_policy_is_authorised_on_every_topic() -> None:
    calls = needed("update", "AWS::SNS::TopicPolicy", {"Topics": ["arn:b", "arn:c"]}, {"Topics": ["arn:a", "arn:b"]})
    assert [call.resource for call in calls] == ["arn:a", "arn:b", "arn:c"]


@pytest.mark.parametrize("service", ["codepipeline", "sagemaker", "states"])
def test_a_rule_needs_a_role_for_targets_that_are_invoked_with_one(service: str) -> None:
    arn = f"arn:aws:{service}:us-east-1:123456789012:thing"

    def rule(**target: str) -> ResourceRequest:
        properties = {"Targets": [{"Id": "t", "Arn": arn, **target}]}
        return ResourceRequest("AWS::Events::Rule", "R", "stack", properties, Credentials("AKIA", "secret"))

    with pytest.raises(AwsError, match=f"RoleArn is required for target {arn}"):
        check_targets(rule())
    complete = rule(RoleArn="arn:aws:iam::123456789012:role/r")
    if service in ("codepipeline", "sagemaker"):
        check_targets(complete)
    else:
        with pytest.raises(NotImplementedHere, match=f"target of service {service}"):
            check_targets(complete)


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([])


def test_a_stack_with_a_rule_without_its_role_fails(cloud: Cloud) -> None:
    cloudformation = cloud.client("cloudformation", cloud.identity.root)
    template = """{"Resources": {"R": {"Type": "AWS::Events::Rule", "Properties": {
        "EventPattern": {"source": ["here"]},
        "Targets": [{"Id": "t", "Arn": "arn:aws:codepipeline:us-east-1:123456789012:pipe"}]}}}}"""
    cloudformation.create_stack(StackName="rule", TemplateBody=template)
    status, reason = settled(cloudformation, "rule")
    assert status == "ROLLBACK_COMPLETE"
    assert "RoleArn is required for target arn:aws:codepipeline:us-east-1:123456789012:pipe." in reason


def test_a_policy_for_a_role_out_of_reach_fails(cloud: Cloud) -> None:
    iam = cloud.client("iam", cloud.identity.root)
    role(iam, "within-reach", Path="/mine/")
    role(iam, "out-of-reach", Path="/yours/")
    arn = role(iam, "gives-policies", allow("iam:*RolePolicy", "arn:aws:iam::123456789012:role/mine/*"))
    cloudformation = cloud.client("cloudformation", cloud.identity.root)
    template = """{"Resources": {"P": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "p",
        "Roles": ["within-reach", "out-of-reach"], "PolicyDocument": {"Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}}}}}"""
    cloudformation.create_stack(StackName="reach", TemplateBody=template, RoleARN=arn, Capabilities=["CAPABILITY_IAM"])
    status, reason = settled(cloudformation, "reach")
    assert status == "ROLLBACK_COMPLETE"
    assert "iam:GetRolePolicy on resource: arn:aws:iam::123456789012:role/yours/out-of-reach" in reason


def topic(*tags: tuple[str, str]) -> dict[str, Any]:
    return {"DisplayName": f"with {len(tags)}", "Tags": [{"Key": key, "Value": value} for key, value in tags]}


def test_an_update_is_asked_with_the_tags_that_were_and_tagging_with_those_that_come() -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html"""
    arn = "arn:aws:sns:us-east-1:123456789012:t"
    before, after = topic(("team", "a"), ("old", "1")), topic(("team", "a"), ("new", "2"))
    contexts = {call.action: call.context for call in needed("update", "AWS::SNS::Topic", after, before, arn)}
    had = {"aws:ResourceTag/team": "a", "aws:ResourceTag/old": "1"}
    assert contexts["sns:SetTopicAttributes"] == had
    assert contexts["sns:TagResource"] == {**had, "aws:RequestTag/new": "2", "aws:TagKeys": ["new"]}
    assert contexts["sns:UntagResource"] == {**had, "aws:TagKeys": ["old"]}
    deleting = {call.action: call.context for call in needed("delete", "AWS::SNS::Topic", before, None, arn)}
    assert deleting["sns:DeleteTopic"] == had


def test_a_new_resource_has_no_tags_yet() -> None:
    contexts = {call.action: call.context for call in needed("create", "AWS::SNS::Topic", topic(("team", "a")))}
    assert contexts["sns:CreateTopic"] == {"aws:RequestTag/team": "a", "aws:TagKeys": ["team"]}
