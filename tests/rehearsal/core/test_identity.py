"""Nobody does here what no policy allows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.errors import AccessDenied, AwsError
from rehearsal.cloud.identity import Identity, role_of
from rehearsal.cloud.resources.servicecatalog import SERVICECATALOG_TYPES
from rehearsal.cloud.service import Call, Credentials
from rehearsal.cloud.servicecatalog import ServiceCatalog
from tests.rehearsal.conftest import StartCloud

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([ServiceCatalog], SERVICECATALOG_TYPES)


@pytest.fixture(scope="module")
def iam(cloud: Cloud) -> Any:
    return cloud.client("iam", cloud.identity.root)


def role(iam: Any, name: str, *statements: dict[str, Any], **options: Any) -> str:
    """A role with one inline policy of these statements."""
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), **options)["Role"]["Arn"]
    if statements:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        iam.put_role_policy(RoleName=name, PolicyName="given", PolicyDocument=json.dumps(document))
    return arn


def allow(action: str, resource: str = "*", **condition: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": action,
        "Resource": resource,
        **({"Condition": condition} if condition else {}),
    }


def test_a_service_may_assume_only_roles_that_trust_it(cloud: Cloud, iam: Any) -> None:
    arn = role(iam, "trusts-codebuild")
    session = cloud.identity.assume_role(arn, "codebuild.amazonaws.com", "build")
    assert ":assumed-role/trusts-codebuild/build" in session.principal_arn
    with pytest.raises(
        AccessDenied, match=r"codepipeline\.amazonaws\.com is not authorized to perform: sts:AssumeRole"
    ):
        cloud.identity.assume_role(arn, "codepipeline.amazonaws.com", "pipeline")


def test_a_role_that_does_not_exist_cannot_be_assumed(cloud: Cloud) -> None:
    with pytest.raises(AccessDenied, match="the role does not exist"):
        cloud.identity.assume_role(f"arn:aws:iam::{cloud.account}:role/nobody", "codebuild.amazonaws.com", "test")


def test_a_trust_policy_with_a_foreign_source_account_refuses(cloud: Cloud, iam: Any) -> None:
    statement = {**TRUST["Statement"][0], "Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    made = iam.create_role(RoleName="foreign-source", AssumeRolePolicyDocument=json.dumps(document))
    with pytest.raises(AccessDenied):
        cloud.identity.assume_role(made["Role"]["Arn"], "codebuild.amazonaws.com", "test")


@pytest.mark.parametrize(
    ("service", "says"),
    [
        ("codebuild", True),
        ("codepipeline", True),
        ("sagemaker", True),
        ("events", True),
        ("scheduler", True),
        ("cloudformation", False),
        ("servicecatalog", False),
    ],
)
def test_only_some_services_say_for_whom_they_assume_a_role(cloud: Cloud, iam: Any, service: str, says: bool) -> None:
    principal, source = f"{service}.amazonaws.com", f"arn:aws:{service}:us-east-1:{cloud.account}:thing"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": principal},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": cloud.account}, "ArnEquals": {"aws:SourceArn": source}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = iam.create_role(RoleName=f"asks-{service}", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    if says:
        assert cloud.identity.assume_role(arn, principal, "test", source).session_token
        with pytest.raises(AccessDenied):
            cloud.identity.assume_role(arn, principal, "test", f"{source}-else")
    else:
        with pytest.raises(AccessDenied, match="sts:AssumeRole"):
            cloud.identity.assume_role(arn, principal, "test", source)


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        (Call("codebuild:StartBuild", "arn:aws:codebuild:us-east-1:123456789012:project/mine-a"), True),
        (Call("codebuild:StartBuild", "arn:aws:codebuild:us-east-1:123456789012:project/yours"), False),
        (Call("codebuild:StopBuild", "arn:aws:codebuild:us-east-1:123456789012:project/mine-a"), False),
        (
            Call(
                "iam:PassRole", "arn:aws:iam::123456789012:role/r", {"iam:PassedToService": "sagemaker.amazonaws.com"}
            ),
            True,
        ),
        (
            Call("iam:PassRole", "arn:aws:iam::123456789012:role/r", {"iam:PassedToService": "lambda.amazonaws.com"}),
            False,
        ),
        (Call("iam:PassRole", "arn:aws:iam::123456789012:role/r"), False),
        (Call("sagemaker:CreateModel", "*", {"aws:RequestTag/team": "fraud", "aws:TagKeys": ["team"]}), True),
        (Call("sagemaker:CreateModel", "*", {"aws:RequestTag/team": "other", "aws:TagKeys": ["team"]}), False),
        (Call("sagemaker:CreateModel", "*"), False),
    ],
)
def test_action_resource_and_condition_all_count(cloud: Cloud, call: Call, allowed: bool, careful: Credentials) -> None:
    if allowed:
        cloud.identity.require(careful, [call])
    else:
        with pytest.raises(AccessDenied, match=call.action):
            cloud.identity.require(careful, [call])


@pytest.fixture(scope="module")
def careful(cloud: Cloud, iam: Any) -> Credentials:
    arn = role(
        iam,
        "careful",
        allow("codebuild:StartBuild", "arn:aws:codebuild:us-east-1:123456789012:project/mine-*"),
        allow("iam:PassRole", StringEquals={"iam:PassedToService": "sagemaker.amazonaws.com"}),
        allow("sagemaker:CreateModel", StringEquals={"aws:RequestTag/team": "fraud"}),
    )
    return cloud.identity.assume_role(arn, "codebuild.amazonaws.com", "careful")


def test_a_permissions_boundary_limits_what_policies_give(cloud: Cloud, iam: Any) -> None:
    document = {"Version": "2012-10-17", "Statement": [allow("s3:GetObject")]}
    boundary = iam.create_policy(PolicyName="narrow", Path="/limits/", PolicyDocument=json.dumps(document))
    arn = role(iam, "bounded", allow("*"), Path="/somewhere/", PermissionsBoundary=boundary["Policy"]["Arn"])
    session = cloud.identity.assume_role(arn, "codebuild.amazonaws.com", "test")
    cloud.identity.require(session, [Call("s3:GetObject", "arn:aws:s3:::b/k")])
    with pytest.raises(AccessDenied, match="s3:PutObject"):
        cloud.identity.require(session, [Call("s3:PutObject", "arn:aws:s3:::b/k")])


def test_decisions_are_kept_for_the_report(cloud: Cloud, careful: Credentials) -> None:
    with pytest.raises(AccessDenied):
        cloud.identity.require(careful, [Call("kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/1")])
    last = cloud.identity.decisions()[-1]
    assert (last.action, last.allowed, last.principal) == ("kms:Decrypt", False, careful.principal_arn)


def test_allowed_decisions_are_counted_and_denied_ones_kept_in_order(cloud: Cloud, careful: Credentials) -> None:
    start = Call("codebuild:StartBuild", "arn:aws:codebuild:us-east-1:123456789012:project/mine-counted")
    for _ in range(3):
        cloud.identity.require(careful, [start])
    for key in ("1", "2", "1"):
        with pytest.raises(AccessDenied):
            cloud.identity.require(careful, [Call("kms:Encrypt", key)])
    counted = [each for each in cloud.identity.decisions() if each.allowed and each.resource == start.resource]
    assert [(each.principal, each.action, each.count) for each in counted] == [("careful", start.action, 3)]
    assert [each.resource for each in cloud.identity.denials() if each.action == "kms:Encrypt"] == ["1", "2", "1"]


def test_what_is_allowed_does_not_fill_the_memory(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = Identity(cloud.base, cloud.settings)
    monkeypatch.setattr("rehearsal.cloud.identity.MOST_ALLOWED", 3)
    for number in range(10):
        identity.record("somebody", Call("s3:GetObject", f"arn:aws:s3:::b/{number}"), allowed=True)
    assert {each.resource: each.count for each in identity.decisions()} == {
        "arn:aws:s3:::b/0": 1, "arn:aws:s3:::b/1": 1, "arn:aws:s3:::b/2": 1, "(any other)": 7
    }  # fmt: skip
    assert identity.exercised()["somebody", "s3:GetObject"] == 10


def test_what_the_base_allowed_is_counted_too(cloud: Cloud, iam: Any) -> None:
    session = cloud.identity.session_of(role(iam, "lists-topics", allow("sns:ListTopics")), "test")
    cloud.client("sns", session).list_topics()
    cloud.client("sns", session).list_topics()
    assert cloud.identity.exercised()["lists-topics", "sns:ListTopics"] == 2


@pytest.mark.parametrize(
    ("principal", "name"),
    [
        ("arn:aws:sts::123456789012:assumed-role/Builder/session", "Builder"),
        ("arn:aws:iam::123456789012:user/ann", "user/ann"),
        ("arn:aws:iam::123456789012:root", "root"),
        ("events.amazonaws.com", "events.amazonaws.com"),
    ],
)
def test_decisions_are_kept_by_role(principal: str, name: str) -> None:
    assert role_of(principal) == name


def test_a_refusal_of_the_base_is_kept_too(cloud: Cloud, careful: Credentials) -> None:
    with pytest.raises(ClientError, match="not authorized to perform"):
        cloud.client("sns", careful).list_topics()
    assert any(each.action == "sns:ListTopics" and not each.allowed for each in cloud.identity.decisions())


def test_an_access_key_nobody_owns_is_refused(cloud: Cloud) -> None:
    stranger = Credentials("AKIASTRANGER", "secret")
    with pytest.raises(ClientError, match="security token included in the request is invalid"):
        cloud.client("servicecatalog", stranger).list_portfolios()
    with pytest.raises(AwsError, match="security token"):
        cloud.identity.credentials_of("AKIASTRANGER")
