"""Who may do what: policies are evaluated as IAM documents it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.errors import AccessDenied
from rehearsal.cloud.service import Call, Credentials

ACCOUNT = "123456789012"
BUILD = "codebuild.amazonaws.com"
OBJECT = "arn:aws:s3:::data/team-a/file.csv"
Document = dict[str, Any]


def policy(*statements: Document) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str] = "s3:GetObject", resource: str | list[str] = "*", **more: Any) -> Document:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str = "s3:GetObject", resource: str = "*", **more: Any) -> Document:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def under(**condition: Any) -> Document:
    """Get, under a condition."""
    return allow(Condition=condition)


def trust(principal: Document, **more: Any) -> Document:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}


@pytest.fixture(scope="module")
def iam(ask: Callable[[str], Any]) -> Any:
    return ask("iam")


@pytest.fixture(scope="module")
def role(iam: Any) -> Callable[..., str]:
    """`role("name", statement, ...)`: a role with these statements, trusted by CodeBuild and the account; its ARN."""

    def make(name: str, *statements: Document, trusting: Document | None = None, **options: Any) -> str:
        both = {"Service": BUILD, "AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trusting or trust(both)), **options)
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="given", PolicyDocument=policy(*statements))
        return str(made["Role"]["Arn"])

    return make


def may(cloud: Cloud, who: Credentials, call: Call) -> bool:
    return cloud.base.refusals(who.access_key_id, [call]) == [""]


GET = Call("s3:GetObject", OBJECT)


def pass_to(service: str | None) -> Call:
    return Call("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/r", {"iam:PassedToService": service} if service else {})


PASSING = allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}})


def tagged(*keys: str, **values: str) -> Call:
    context: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in values.items()}
    return Call("s3:GetObject", OBJECT, {**context, **({"aws:TagKeys": list(keys)} if keys else {})})


def at(**context: str) -> Call:
    """A get with condition keys; `aws_x` stands for `aws:x`."""
    return Call("s3:GetObject", OBJECT, {name.replace("_", ":"): value for name, value in context.items()})


EVALUATED: dict[str, tuple[list[Document], Call, bool]] = {
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    "nothing says so": ([], GET, False),
    "a policy says so": ([allow()], GET, True),
    "a deny wins": ([allow("*"), deny()], GET, False),
    "a deny elsewhere does not": ([allow("*"), deny(resource="arn:aws:s3:::other/*")], GET, True),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
    "actions mind no case": ([allow("S3:getobject")], GET, True),
    "a star within an action": ([allow("s3:Get*")], GET, True),
    "a question mark within an action": ([allow("s3:GetObjec?")], GET, True),
    "a star of another service": ([allow("ec2:*")], GET, False),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notaction.html
    "NotAction leaves others": ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], GET, True),
    "NotAction leaves out": ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], GET, False),
    "deny with NotAction": ([allow("*"), {"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"}], GET, False),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    "resources mind case": ([allow(resource="arn:aws:s3:::data/Team-a/*")], GET, False),
    "a star within a resource": ([allow(resource="arn:aws:s3:::data/team-?/*.csv")], GET, True),
    "a bucket is not its objects": ([allow(resource="arn:aws:s3:::data")], GET, False),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html
    "NotResource leaves out": ([{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::data/*"}], GET, False),
    "NotResource leaves others": ([{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::x/*"}], GET, True),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    "StringEquals": ([under(StringEquals={"aws:x": ["a", "b"]})], at(aws_x="b"), True),
    "StringEquals minds case": ([under(StringEquals={"aws:x": "a"})], at(aws_x="A"), False),
    "StringEquals takes no star": ([under(StringEquals={"aws:x": "a*"})], at(aws_x="ab"), False),
    "StringEquals without the key": ([under(StringEquals={"aws:x": "a"})], GET, False),
    "StringNotEquals without the key": ([under(StringNotEquals={"aws:x": "a"})], GET, True),
    "StringNotEquals is none of all": ([under(StringNotEquals={"aws:x": ["a", "b"]})], at(aws_x="b"), False),
    "StringEqualsIgnoreCase": ([under(StringEqualsIgnoreCase={"aws:x": "a"})], at(aws_x="A"), True),
    "StringLike": ([under(StringLike={"aws:x": "a*c?"})], at(aws_x="abbcd"), True),
    "StringNotLike": ([under(StringNotLike={"aws:x": "a*"})], at(aws_x="ab"), False),
    "keys mind no case": ([under(StringEquals={"AWS:X": "a"})], at(aws_x="a"), True),
    "all keys of an operator": ([under(StringEquals={"aws:x": "a", "aws:y": "b"})], at(aws_x="a"), False),
    "all operators": ([under(StringEquals={"aws:x": "a"}, StringLike={"aws:y": "*"})], at(aws_x="a"), False),
    "ArnLike": ([under(ArnLike={"aws:SourceArn": "arn:aws:s3:*:*:b*"})], at(aws_SourceArn="arn:aws:s3:::bucket"), True),
    "ArnLike keeps to its part": (
        [under(ArnLike={"aws:SourceArn": "arn:aws:sns:*:b*"})], at(aws_SourceArn="arn:aws:sns:us-east-1:1:b"), False),
    "ArnEquals": (
        [under(ArnEquals={"aws:SourceArn": "arn:aws:sns:us-east-1:1:*"})],
        at(aws_SourceArn="arn:aws:sns:us-east-1:1:t"), True),
    "ArnNotLike": (
        [under(ArnNotLike={"aws:SourceArn": "arn:aws:sns:*:*:*"})], at(aws_SourceArn="arn:aws:sns:us-east-1:1:t"),
        False),
    "Bool": ([under(Bool={"aws:x": "true"})], at(aws_x="true"), True),
    "Bool that is false": ([under(Bool={"aws:x": "true"})], at(aws_x="false"), False),
    "NumericLessThanEquals": ([under(NumericLessThanEquals={"aws:x": "10"})], at(aws_x="9"), True),
    "NumericLessThan is not by letters": ([under(NumericLessThan={"aws:x": "10"})], at(aws_x="9"), True),
    "NumericGreaterThan": ([under(NumericGreaterThan={"aws:x": "10"})], at(aws_x="10"), False),
    "DateLessThan": ([under(DateLessThan={"aws:x": "2030-01-01T00:00:00Z"})], at(aws_x="2031-01-01T00:00:00Z"), False),
    "DateGreaterThan now": ([under(DateGreaterThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"})], GET, True),
    "IpAddress": ([under(IpAddress={"aws:x": "10.0.0.0/8"})], at(aws_x="10.1.2.3"), True),
    "NotIpAddress": ([under(NotIpAddress={"aws:x": "10.0.0.0/8"})], at(aws_x="10.1.2.3"), False),
    "Null true": ([under(Null={"aws:x": "true"})], GET, True),
    "Null true with the key": ([under(Null={"aws:x": "true"})], at(aws_x="a"), False),
    "Null false": ([under(Null={"aws:x": "false"})], at(aws_x="a"), True),
    "IfExists without the key": ([under(StringEqualsIfExists={"aws:x": "a"})], GET, True),
    "IfExists with another value": ([under(StringEqualsIfExists={"aws:x": "a"})], at(aws_x="b"), False),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    "ForAllValues": (
        [under(**{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}})], tagged("a", "b"), True),
    "ForAllValues with one more": (
        [under(**{"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}})], tagged("a", "b"), False),
    "ForAllValues of none": ([under(**{"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}})], GET, True),
    "ForAnyValue": ([under(**{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}})], tagged("a", "b"), True),
    "ForAnyValue of others": ([under(**{"ForAnyValue:StringEquals": {"aws:TagKeys": ["c"]}})], tagged("a", "b"), False),
    "ForAnyValue of none": ([under(**{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}})], GET, False),
    "ForAnyValue with a star": ([under(**{"ForAnyValue:StringLike": {"aws:TagKeys": ["t*"]}})], tagged("team"), True),
    "a request's tag": ([under(StringEquals={"aws:RequestTag/team": "a"})], tagged("team", team="a"), True),
    "another value of the tag": ([under(StringEquals={"aws:RequestTag/team": "a"})], tagged("team", team="b"), False),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    "a variable in a resource": ([allow(resource="arn:aws:s3:::data/${aws:PrincipalTag/team}/*")], GET, True),
    "a variable without a value": ([allow(resource="arn:aws:s3:::data/${aws:PrincipalTag/none}/*")], GET, False),
    "a variable with another": (
        [allow(resource="arn:aws:s3:::data/${aws:PrincipalTag/none, 'team-a'}/*")], GET, True),
    "a variable in a condition": (
        [under(StringEquals={"aws:x": "${aws:PrincipalTag/team}"})], at(aws_x="team-a"), True),
    "the principal's tag": ([under(StringEquals={"aws:PrincipalTag/team": "team-a"})], GET, True),
    "the principal's account": ([under(StringEquals={"aws:PrincipalAccount": ACCOUNT})], GET, True),
    "the principal's ARN": (
        [under(ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/evaluated-*"})], GET, True),
    "no AWS service": ([under(Bool={"aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false"})], GET, True),
    "a star that is one": ([allow(resource="arn:aws:s3:::data/${*}")], GET, False),
    "the region": ([under(StringEquals={"aws:RequestedRegion": "us-east-1"})], GET, True),
    "another region": (
        [deny(Condition={"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}), allow()], GET, False),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    "a role passed to the service": ([PASSING], pass_to("sagemaker.amazonaws.com"), True),
    "a role passed to another": ([PASSING], pass_to("lambda.amazonaws.com"), False),
    "a role passed to nobody named": ([PASSING], pass_to(None), False),
}  # fmt: skip


@pytest.mark.parametrize("case", EVALUATED)
def test_a_decision_is_as_documented(cloud: Cloud, role: Callable[..., str], case: str) -> None:
    statements, call, allowed = EVALUATED[case]
    number = list(EVALUATED).index(case)
    tags = [{"Key": "team", "Value": "team-a"}]
    who = cloud.identity.session_of(role(f"evaluated-{number}", *statements, Tags=tags), "test")
    assert may(cloud, who, call) is allowed


@pytest.mark.parametrize(
    "statement",
    [
        under(StringSortOfEquals={"aws:x": "a"}),
        under(**{"ForSomeValues:StringEquals": {"aws:x": "a"}}),
        under(StringEqualsWhenPresent={"aws:x": "a"}),
        {"Effect": "Permit", "Action": "s3:GetObject", "Resource": "*"},
        {"Effect": "Allow", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObject"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Principal": "*"},
        {"Effect": "Allow", "Action": "GetObject", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "data/*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Colour": "red"},
    ],
    ids=lambda statement: json.dumps(statement)[:60],
)
def test_a_policy_that_means_nothing_is_refused(iam: Any, role: Callable[..., str], statement: Document) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html"""
    name = f"malformed-{abs(hash(json.dumps(statement)))}"
    role(name)
    with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(statement))


def test_a_boundary_allows_nothing_by_itself_and_limits_what_policies_allow(
    cloud: Cloud, iam: Any, role: Callable[..., str]
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html"""
    arn = iam.create_policy(PolicyName="limit", PolicyDocument=policy(allow("s3:*"), deny("s3:DeleteObject")))
    limit = {"PermissionsBoundary": arn["Policy"]["Arn"]}
    bare = cloud.identity.session_of(role("bounded-bare", **limit), "test")
    full = cloud.identity.session_of(role("bounded-full", allow("*"), **limit), "test")
    assert not may(cloud, bare, GET)
    assert may(cloud, full, GET)
    assert not may(cloud, full, Call("s3:DeleteObject", OBJECT))
    assert not may(cloud, full, Call("sns:Publish", "*"))


def test_a_boundary_may_be_demanded(cloud: Cloud, iam: Any, role: Callable[..., str]) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate"""
    limit = iam.create_policy(PolicyName="demanded", PolicyDocument=policy(allow("s3:*")))["Policy"]["Arn"]
    demand = {"StringEquals": {"iam:PermissionsBoundary": limit}}
    maker = cloud.identity.session_of(role("maker", allow("iam:CreateRole", Condition=demand)), "test")
    as_maker = cloud.client("iam", maker)
    trusting = policy(trust({"Service": BUILD}))
    with pytest.raises(ClientError, match="iam:CreateRole"):
        as_maker.create_role(RoleName="unbounded", AssumeRolePolicyDocument=trusting)
    as_maker.create_role(RoleName="bounded-by-demand", AssumeRolePolicyDocument=trusting, PermissionsBoundary=limit)


def test_a_session_policy_limits_the_session(cloud: Cloud, ask: Any, role: Callable[..., str]) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session"""
    arn = role("narrowed", allow("s3:*"))
    answer = ask("sts").assume_role(
        RoleArn=arn, RoleSessionName="session", Policy=policy(allow("s3:GetObject"), allow("sns:*"))
    )
    keys = answer["Credentials"]
    session = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    assert may(cloud, session, GET)
    assert not may(cloud, session, Call("s3:PutObject", OBJECT))
    assert not may(cloud, session, Call("sns:Publish", "*"))


TRUSTED: dict[str, tuple[Document, bool]] = {
    "the account": (trust({"AWS": ACCOUNT}), True),
    "the account's root": (trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), True),
    "another account": (trust({"AWS": "999999999999"}), False),
    "the role": (trust({"AWS": f"arn:aws:iam::{ACCOUNT}:role/caller"}), True),
    "another role": (trust({"AWS": f"arn:aws:iam::{ACCOUNT}:role/other-caller"}), False),
    "a service": (trust({"Service": BUILD}), False),
    "anybody with a tag": (
        trust({"AWS": "*"}, Condition={"StringEquals": {"aws:PrincipalTag/team": "team-a"}}), True),
    "anybody with another tag": (
        trust({"AWS": "*"}, Condition={"StringEquals": {"aws:PrincipalTag/team": "team-b"}}), False),
    "who knows the external id": (
        trust({"AWS": ACCOUNT}, Condition={"StringEquals": {"sts:ExternalId": "known"}}), True),
    "who knows another id": (trust({"AWS": ACCOUNT}, Condition={"StringEquals": {"sts:ExternalId": "other"}}), False),
}  # fmt: skip


@pytest.fixture(scope="module")
def caller(cloud: Cloud, role: Callable[..., str]) -> Credentials:
    role("other-caller")
    return cloud.identity.session_of(
        role("caller", allow("sts:AssumeRole"), Tags=[{"Key": "team", "Value": "team-a"}]), "test"
    )


@pytest.mark.parametrize("case", TRUSTED)
def test_a_role_is_assumed_by_whom_it_trusts(
    cloud: Cloud, role: Callable[..., str], caller: Credentials, case: str
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-trust-policy.html"""
    trusting, trusted = TRUSTED[case]
    arn = role(f"trusting-{list(TRUSTED).index(case)}", trusting=trusting)
    sts = cloud.client("sts", caller)
    if trusted:
        assert sts.assume_role(RoleArn=arn, RoleSessionName="session", ExternalId="known")["AssumedRoleUser"]["Arn"]
    else:
        with pytest.raises(ClientError, match="is not authorized to perform: sts:AssumeRole"):
            sts.assume_role(RoleArn=arn, RoleSessionName="session", ExternalId="known")


def test_assuming_a_role_of_the_account_needs_a_permission(cloud: Cloud, role: Callable[..., str]) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_manage-assume.html"""
    weak = cloud.identity.session_of(role("assumes-nothing"), "test")
    with pytest.raises(ClientError, match="sts:AssumeRole"):
        cloud.client("sts", weak).assume_role(RoleArn=role("not-for-the-weak"), RoleSessionName="session")


def test_a_policy_of_the_resource_is_enough_within_the_account(
    cloud: Cloud, ask: Any, role: Callable[..., str]
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-id-rdp.html"""
    arn = role("only-in-the-bucket")
    s3 = ask("s3")
    s3.create_bucket(Bucket="lends")
    s3.put_object(Bucket="lends", Key="k", Body=b"v")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": arn},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::lends/*",
    }
    s3.put_bucket_policy(Bucket="lends", Policy=policy(statement))
    as_role = cloud.client("s3", cloud.identity.session_of(arn, "test"))
    assert as_role.get_object(Bucket="lends", Key="k")["Body"].read() == b"v"
    with pytest.raises(ClientError, match="s3:PutObject"):
        as_role.put_object(Bucket="lends", Key="k", Body=b"w")


def test_a_deny_of_the_resource_beats_every_policy(cloud: Cloud, ask: Any, role: Callable[..., str]) -> None:
    arn = role("denied-by-the-bucket", allow("s3:*"))
    s3 = ask("s3")
    s3.create_bucket(Bucket="denies")
    s3.put_object(Bucket="denies", Key="k", Body=b"v")
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::denies/*",
                 "Condition": {"ArnEquals": {"aws:PrincipalArn": arn}}}  # fmt: skip
    s3.put_bucket_policy(Bucket="denies", Policy=policy(statement))
    with pytest.raises(ClientError, match="explicit deny"):
        cloud.client("s3", cloud.identity.session_of(arn, "test")).get_object(Bucket="denies", Key="k")


def test_a_service_is_held_to_the_conditions_of_the_trust(cloud: Cloud, role: Callable[..., str]) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html"""
    source = {"ArnLike": {"aws:SourceArn": f"arn:aws:codebuild:us-east-1:{ACCOUNT}:project/mine-*"}}
    arn = role("for-my-projects", trusting=trust({"Service": BUILD}, Condition=source))
    mine, yours = (f"arn:aws:codebuild:us-east-1:{ACCOUNT}:project/{name}" for name in ("mine-a", "yours"))
    assert cloud.identity.assume_role(arn, BUILD, "build", mine).session_token
    with pytest.raises(AccessDenied):
        cloud.identity.assume_role(arn, BUILD, "build", yours)


# ---- the API


def test_a_role_name_is_taken_once_whatever_its_path(iam: Any, role: Callable[..., str]) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html"""
    role("unique")
    for path in ("/", "/elsewhere/"):
        with pytest.raises(iam.exceptions.EntityAlreadyExistsException):
            role("unique", Path=path)


def test_a_role_is_deleted_only_without_policies(iam: Any, role: Callable[..., str]) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html"""
    role("holding", allow())
    arn = iam.create_policy(PolicyName="held", PolicyDocument=policy(allow()))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="holding", PolicyArn=arn)
    with pytest.raises(iam.exceptions.DeleteConflictException):
        iam.delete_role(RoleName="holding")
    with pytest.raises(iam.exceptions.DeleteConflictException):
        iam.delete_policy(PolicyArn=arn)
    iam.detach_role_policy(RoleName="holding", PolicyArn=arn)
    with pytest.raises(iam.exceptions.DeleteConflictException):
        iam.delete_role(RoleName="holding")
    iam.delete_role_policy(RoleName="holding", PolicyName="given")
    iam.delete_role(RoleName="holding")
    iam.delete_policy(PolicyArn=arn)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="holding")


def test_a_policy_that_is_a_boundary_is_not_deleted(iam: Any, role: Callable[..., str]) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html"""
    arn = iam.create_policy(PolicyName="bounds", PolicyDocument=policy(allow()))["Policy"]["Arn"]
    role("bounded-by-it", PermissionsBoundary=arn)
    with pytest.raises(iam.exceptions.DeleteConflictException):
        iam.delete_policy(PolicyArn=arn)


def test_a_managed_policy_keeps_five_versions_and_one_counts(cloud: Cloud, iam: Any, role: Callable[..., str]) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html"""
    arn = iam.create_policy(PolicyName="versions", PolicyDocument=policy(allow()))["Policy"]["Arn"]
    role("versioned")
    iam.attach_role_policy(RoleName="versioned", PolicyArn=arn)
    who = cloud.identity.session_of(f"arn:aws:iam::{ACCOUNT}:role/versioned", "test")
    assert may(cloud, who, GET)
    for _ in range(3):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(allow("sns:*")))
    assert may(cloud, who, GET), "none of them is the default"
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(allow("sns:*")), SetAsDefault=True)
    assert not may(cloud, who, GET)
    with pytest.raises(iam.exceptions.LimitExceededException):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(allow("sns:*")))


def test_a_change_of_a_role_counts_at_once(cloud: Cloud, iam: Any, role: Callable[..., str]) -> None:
    """On AWS within seconds; here nothing is cached."""
    who = cloud.identity.session_of(role("changing", allow()), "test")
    assert may(cloud, who, GET)
    iam.delete_role_policy(RoleName="changing", PolicyName="given")
    assert not may(cloud, who, GET)


TOPIC_ONLY = json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}})


def test_a_stack_is_started_with_the_role_that_a_policy_names(cloud: Cloud, role: Callable[..., str]) -> None:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html"""
    trusting = trust({"Service": "cloudformation.amazonaws.com"})
    named = role("stack-named", allow("*"), trusting=trusting)
    other = role("stack-other", allow("*"), trusting=trusting)
    only = allow("cloudformation:*", Condition={"StringEquals": {"cloudformation:RoleArn": named}})
    who = cloud.identity.session_of(role("stack-starter", only, allow("iam:PassRole")), "test")
    stacks = cloud.client("cloudformation", who)
    others: list[dict[str, str]] = [{}, {"RoleARN": other}]
    for given in others:
        with pytest.raises(ClientError, match="cloudformation:CreateStack"):
            stacks.create_stack(StackName="started-otherwise", TemplateBody=TOPIC_ONLY, **given)
    assert stacks.create_stack(StackName="started-as-named", TemplateBody=TOPIC_ONLY, RoleARN=named)["StackId"]


def test_a_policy_may_say_who_is_subscribed(cloud: Cloud, ask: Any, role: Callable[..., str]) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-using-identity-based-policies.html#sns-policy-keys"""
    topic = ask("sns").create_topic(Name="subscribed-by-policy")["TopicArn"]
    ours = {"StringEquals": {"sns:Protocol": "email"}, "StringLike": {"sns:Endpoint": "*@example.com"}}
    who = cloud.identity.session_of(role("subscriber", allow("sns:Subscribe", Condition=ours)), "test")
    sns = cloud.client("sns", who)
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    for protocol, endpoint in (("email", "a@example.org"), ("https", "https://example.com")):
        with pytest.raises(ClientError, match="SNS:Subscribe"):
            sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint)
