"""Nobody does here what no policy allows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.errors import AccessDenied, AwsError
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
