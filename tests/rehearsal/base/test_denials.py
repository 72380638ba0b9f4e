"""A denial says which kind of policy it was, in AWS's words, whoever denies: the base or one of our rooms.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.errors import AccessDenied
from rehearsal.cloud.service import Call, Credentials
from tests.rehearsal.base.conftest import person_with

ACCOUNT = "123456789012"
GET = "s3:GetObject"
MANAGED = f"arn:aws:iam::{ACCOUNT}:policy/denials"
Ask = Callable[[str], Any]
Document = dict[str, Any]
_numbers = itertools.count()


def statement(effect: str, action: str | list[str] = GET, **more: Any) -> Document:
    return {"Effect": effect, "Action": action, "Resource": "*", **more}


ALLOW, DENY, ELSE = statement("Allow"), statement("Deny"), statement("Allow", "s3:PutObject")


def written(*statements: Document) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@dataclass(frozen=True)
class Who:
    """What is written about a caller, in each kind of policy."""

    inline: list[Document] = field(default_factory=list)
    managed: list[Document] = field(default_factory=list)
    boundary: list[Document] = field(default_factory=list)
    session: list[Document] = field(default_factory=list)
    bucket: list[Document] = field(default_factory=list)


DENIALS: dict[str, tuple[Who, str]] = {
    "nothing allows": (Who(), f"because no identity-based policy allows the {GET} action"),
    "the boundary is silent": (
        Who([ALLOW], boundary=[ELSE]),
        f"because no permissions boundary allows the {GET} action",
    ),
    "the session's policy is silent": (
        Who([ALLOW], session=[ELSE]),
        f"because no session policy allows the {GET} action",
    ),
    "all are silent": (
        Who(boundary=[ELSE], session=[ELSE]),
        f"because no identity-based policy allows the {GET} action",
    ),
    "the bucket allows, and the boundary is silent": (
        Who(boundary=[ELSE], bucket=[ALLOW]),
        f"because no permissions boundary allows the {GET} action",
    ),
    "the bucket allows, and the session's policy is silent": (
        Who(session=[ELSE], bucket=[ALLOW]),
        f"because no session policy allows the {GET} action",
    ),
    "an inline policy denies": (Who([ALLOW, DENY]), "with an explicit deny in an identity-based policy"),
    "a managed policy denies": (
        Who([ALLOW], managed=[DENY]),
        f"with an explicit deny in an identity-based policy: {MANAGED}-managed-{{}}",
    ),
    "the boundary denies": (
        Who([ALLOW], boundary=[ALLOW, DENY]),
        f"with an explicit deny in a permissions boundary: {MANAGED}-boundary-{{}}",
    ),
    "the session's policy denies": (
        Who([ALLOW], session=[ALLOW, DENY]),
        "with an explicit deny in a session policy",
    ),
    "the bucket denies": (Who([ALLOW], bucket=[DENY]), "with an explicit deny in a resource-based policy"),
    "the bucket denies what nothing allows": (Who(bucket=[DENY]), "with an explicit deny in a resource-based policy"),
}


@dataclass(frozen=True)
class Somebody:
    """Somebody about whom all of this is written, and the bucket that they want to read from."""

    who: Credentials
    bucket: str
    number: int


@pytest.fixture(params=DENIALS)
def denied(cloud: Cloud, ask: Ask, request: pytest.FixtureRequest) -> tuple[Somebody, str]:
    """Somebody who is denied, and why."""
    about, why = DENIALS[request.param]
    number = next(_numbers)
    iam, s3, name = ask("iam"), ask("s3"), f"denials-{number}"
    for kind, statements in (("managed", about.managed), ("boundary", about.boundary)):
        if statements:
            iam.create_policy(PolicyName=f"denials-{kind}-{number}", PolicyDocument=written(*statements))
    limit = {"PermissionsBoundary": f"{MANAGED}-boundary-{number}"} if about.boundary else {}
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=written(trust), **limit)["Role"]["Arn"]
    if about.inline:
        iam.put_role_policy(RoleName=name, PolicyName="given", PolicyDocument=written(*about.inline))
    if about.managed:
        iam.attach_role_policy(RoleName=name, PolicyArn=f"{MANAGED}-managed-{number}")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k")
    if about.bucket:
        named = ({**each, "Principal": {"AWS": role}, "Resource": f"arn:aws:s3:::{name}/*"} for each in about.bucket)
        s3.put_bucket_policy(Bucket=name, Policy=written(*named))
    who = cloud.identity.narrowed(role, "s", written(*about.session) if about.session else "")
    return Somebody(who, name, number), why.format(number)


def test_the_base_says_which_kind_of_policy_denied(cloud: Cloud, denied: tuple[Somebody, str]) -> None:
    somebody, why = denied
    with pytest.raises(ClientError) as problem:
        cloud.client("s3", somebody.who).get_object(Bucket=somebody.bucket, Key="k")
    assert problem.value.response["Error"]["Message"] == (
        f"User: {somebody.who.principal_arn} is not authorized to perform: {GET} on resource: "
        f'"arn:aws:s3:::{somebody.bucket}/k" {why}'
    )
    kept = cloud.identity.denials()[-1]
    assert (kept.action, kept.resource) == (GET, f"arn:aws:s3:::{somebody.bucket}/k")


def test_a_room_says_which_kind_of_policy_denied(cloud: Cloud, denied: tuple[Somebody, str]) -> None:
    somebody, why = denied
    place = f"arn:aws:s3:::{somebody.bucket}/k"
    with pytest.raises(AccessDenied) as problem:
        cloud.identity.require(somebody.who, [Call(GET, place)])
    assert problem.value.message == (
        f"User: {somebody.who.principal_arn} is not authorized to perform: {GET} on resource: {place} {why}"
    )


def test_a_key_that_lets_the_account_decide_nothing_is_to_blame_itself(cloud: Cloud, ask: Ask) -> None:
    """https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html"""
    administration = {**statement("Allow", ["kms:Put*", "kms:Describe*"]), "Principal": {"AWS": ACCOUNT}}
    key = ask("kms").create_key(Policy=written(administration))["KeyMetadata"]["Arn"]
    person = cloud.client("kms", person_with(cloud, statement("Allow", "kms:*")))
    with pytest.raises(ClientError) as problem:
        person.encrypt(KeyId=key, Plaintext=b"1")
    assert problem.value.response["Error"]["Message"].endswith(
        f"kms:Encrypt on resource: {key} because no resource-based policy allows the kms:Encrypt action"
    )


SPELLED: dict[str, tuple[str, Callable[[Any], Any], str, str]] = {
    "sns": (
        "sns",
        lambda sns: sns.publish(TopicArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:t", Message="m"),
        "SNS:Publish",
        f" on resource: arn:aws:sns:us-east-1:{ACCOUNT}:t",
    ),
    "sqs": (
        "sqs",
        lambda sqs: sqs.create_queue(QueueName="q"),
        "sqs:createqueue",
        f" on resource: arn:aws:sqs:us-east-1:{ACCOUNT}:q",
    ),
    "ssm": (
        "ssm",
        lambda ssm: ssm.get_parameter(Name="/p"),
        "ssm:GetParameter",
        f" on resource: arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/p",
    ),
    "iam": (
        "iam",
        lambda iam: iam.get_role(RoleName="r"),
        "iam:GetRole",
        f" on resource: arn:aws:iam::{ACCOUNT}:role/r",
    ),
    "what knows no resource": ("s3", lambda s3: s3.list_buckets(), "s3:ListAllMyBuckets", ""),
}


@pytest.mark.parametrize("what", SPELLED)
def test_an_action_is_spelled_as_its_service_does_and_its_resource_is_named(cloud: Cloud, what: str) -> None:
    service, ask, action, on = SPELLED[what]
    person = person_with(cloud, statement("Allow", "events:*"))
    with pytest.raises(ClientError) as problem:
        ask(cloud.client(service, person))
    assert problem.value.response["Error"]["Message"] == (
        f"User: {person.principal_arn} is not authorized to perform: {action}{on} "
        f"because no identity-based policy allows the {action} action"
    )
    kept = cloud.identity.denials()[-1].action
    assert kept.lower() == action.lower()
    assert kept.split(":")[1][0].isupper(), "kept as IAM spells it"


def test_a_denial_of_what_else_a_request_needs_names_that(cloud: Cloud, ask: Ask) -> None:
    """A copy reads: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
    ask("s3").create_bucket(Bucket="copied-from")
    ask("s3").put_object(Bucket="copied-from", Key="k")
    person = cloud.client("s3", person_with(cloud, statement("Allow", "s3:PutObject")))
    with pytest.raises(ClientError, match='s3:GetObject on resource: "arn:aws:s3:::copied-from/k" because'):
        person.copy_object(Bucket="copied-from", Key="copy", CopySource={"Bucket": "copied-from", "Key": "k"})
