"""How long policies may be, and how many an identity may have, whoever writes them: a program or a stack.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.base.conftest import Stacks, resource

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def document(characters: int) -> dict[str, Any]:
    """A policy of exactly so many characters, white space not counted."""
    found: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::"}],
    }
    found["Statement"][0]["Resource"] += "x" * (characters - len(json.dumps(found, separators=(",", ":"))))
    return found


def trust(characters: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(TRUST))
    found["Statement"][0]["Sid"] = ""
    found["Statement"][0]["Sid"] = "x" * (characters - len(json.dumps(found, separators=(",", ":"))))
    return found


def wide(policy: dict[str, Any]) -> str:
    """The policy with much white space, which does not count."""
    return json.dumps(policy, indent=16)


@pytest.fixture(scope="module")
def iam(ask: Callable[[str], Any]) -> Any:
    return ask("iam")


def test_a_managed_policy_has_6144_characters(iam: Any) -> None:
    made = iam.create_policy(PolicyName="full", PolicyDocument=wide(document(6144)))["Policy"]
    with pytest.raises(iam.exceptions.LimitExceededException, match="Cannot exceed quota for PolicySize: 6144"):
        iam.create_policy(PolicyName="over", PolicyDocument=json.dumps(document(6145)))
    with pytest.raises(iam.exceptions.LimitExceededException, match="PolicySize: 6144"):
        iam.create_policy_version(PolicyArn=made["Arn"], PolicyDocument=json.dumps(document(6145)))
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_policy(PolicyArn=made["Arn"].replace("full", "over"))


def test_a_trust_policy_has_2048_characters(iam: Any) -> None:
    iam.create_role(RoleName="trusting", AssumeRolePolicyDocument=wide(trust(2048)))
    with pytest.raises(iam.exceptions.LimitExceededException, match="Cannot exceed quota for ACLSizePerRole: 2048"):
        iam.create_role(RoleName="too-trusting", AssumeRolePolicyDocument=json.dumps(trust(2049)))
    with pytest.raises(iam.exceptions.LimitExceededException, match="ACLSizePerRole: 2048"):
        iam.update_assume_role_policy(RoleName="trusting", PolicyDocument=json.dumps(trust(2049)))


@pytest.mark.parametrize(("kind", "most"), [("role", 10240), ("group", 5120), ("user", 2048)])
def test_inline_policies_share_their_characters(iam: Any, kind: str, most: int) -> None:
    member, name = f"{kind.title()}Name", f"inline-{kind}"
    more = {"AssumeRolePolicyDocument": json.dumps(TRUST)} if kind == "role" else {}
    getattr(iam, f"create_{kind}")(**{member: name}, **more)

    def put(policy: str, characters: int) -> None:
        given = {member: name, "PolicyName": policy, "PolicyDocument": wide(document(characters))}
        getattr(iam, f"put_{kind}_policy")(**given)

    put("first", most - 200)
    put("second", 200)
    put("first", most - 201)
    with pytest.raises(ClientError, match=f"Maximum policy size of {most} bytes exceeded for {kind} {name}") as refused:
        put("third", 200)
    assert refused.value.response["Error"]["Code"] == "LimitExceeded"


def test_a_role_has_ten_managed_policies(iam: Any) -> None:
    iam.create_role(RoleName="attached", AssumeRolePolicyDocument=json.dumps(TRUST))
    arns = [
        iam.create_policy(PolicyName=f"one-of-{number}", PolicyDocument=json.dumps(document(200)))["Policy"]["Arn"]
        for number in range(11)
    ]
    for arn in [*arns[:10], arns[0]]:
        iam.attach_role_policy(RoleName="attached", PolicyArn=arn)
    with pytest.raises(iam.exceptions.LimitExceededException, match="Cannot exceed quota for PoliciesPerRole: 10"):
        iam.attach_role_policy(RoleName="attached", PolicyArn=arns[10])


def inline(*characters: int) -> list[dict[str, Any]]:
    return [{"PolicyName": f"p{number}", "PolicyDocument": document(each)} for number, each in enumerate(characters)]


TOO_MUCH: dict[str, tuple[dict[str, Any], str]] = {
    "managed policy": (resource("AWS::IAM::ManagedPolicy", PolicyDocument=document(6145)), "PolicySize: 6144"),
    "trust policy": (resource("AWS::IAM::Role", AssumeRolePolicyDocument=trust(2049)), "ACLSizePerRole: 2048"),
    "inline policies": (
        resource("AWS::IAM::Role", RoleName="long", AssumeRolePolicyDocument=TRUST, Policies=inline(6000, 4241)),
        "Maximum policy size of 10240 bytes exceeded for role long",
    ),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_a_stack_fails_with_iams_reason(stacks: Stacks, what: str) -> None:
    given, reason = TOO_MUCH[what]
    name = what.replace(" ", "-")
    options = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}
    assert stacks.create(name, {"Resources": {"TooMuch": given}}, **options) == "ROLLBACK_COMPLETE"
    events = stacks.api.describe_stack_events(StackName=name)["StackEvents"]
    assert any(reason in each.get("ResourceStatusReason", "") for each in events)


def test_a_policy_of_its_own_counts_with_the_roles_others(stacks: Stacks) -> None:
    def template(characters: int) -> dict[str, Any]:
        role = resource("AWS::IAM::Role", AssumeRolePolicyDocument=TRUST, Policies=inline(6000, 4040))
        more = resource(
            "AWS::IAM::Policy", PolicyName="more", PolicyDocument=document(characters), Roles=[{"Ref": "Role"}]
        )
        return {"Resources": {"Role": role, "More": more}}

    options = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}
    assert stacks.create("counted", template(200), **options) == "CREATE_COMPLETE"
    assert stacks.update("counted", template(199), **options) == "UPDATE_COMPLETE"
    assert stacks.update("counted", template(201), **options) == "UPDATE_ROLLBACK_COMPLETE"
