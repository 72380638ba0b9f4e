"""What CloudFormation takes for an answer of a custom resource, and stacks that would keep one that failed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.resources.custom_resources import Reported, read_answer
from rehearsal.cloud.resources.provider import ResourceRequest
from rehearsal.cloud.service import Credentials
from tests.rehearsal.lambda_.lambda_lab import BUCKET, Lab

FAILED = {
    "Status": "FAILED",
    "Reason": "the very reason",
    "PhysicalResourceId": "first",
    "StackId": "stack",
    "RequestId": "request",
    "LogicalResourceId": "Greeting",
}
REQUEST = ResourceRequest("Custom::Greeting", "Greeting", "s", {}, Credentials("", ""), stack_id="stack")


def said(answer: dict[str, Any]) -> str:
    with pytest.raises(Reported) as problem:
        read_answer(json.dumps(answer).encode(), REQUEST, "request")
    return problem.value.message


def test_a_failure_is_reported_with_its_reason() -> None:
    assert "the very reason" in said(FAILED)


@pytest.mark.parametrize("physical_id", ["", None, 7, "x" * 1025])
def test_a_failure_without_a_physical_id_loses_its_reason(physical_id: object) -> None:
    """https://github.com/aws-cloudformation/custom-resource-helper/issues/67"""
    assert said({**FAILED, "PhysicalResourceId": physical_id}) == "Invalid PhysicalResourceId"


@pytest.mark.parametrize("member", ["StackId", "RequestId", "LogicalResourceId"])
def test_a_failure_of_another_request_is_no_answer(member: str) -> None:
    assert f"{member} must be that of the request" in said({**FAILED, member: "another"})
    assert f"{member} must be that of the request" in said({k: v for k, v in FAILED.items() if k != member})


NO_FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:none"
CUSTOM = {
    "Greeting": {
        "Type": "Custom::Greeting",
        "Properties": {"ServiceToken": NO_FUNCTION},
    }
}
ORDINARY = {"Topic": {"Type": "AWS::SNS::Topic"}}
KEEPING: list[dict[str, Any]] = [{"OnFailure": "DO_NOTHING"}, {"DisableRollback": True}]


def refusal(problem: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    return problem.value.response["ResponseMetadata"]["HTTPStatusCode"], problem.value.response["Error"]["Message"]


@pytest.mark.parametrize("options", KEEPING)
def test_a_stack_that_would_keep_a_custom_resource_that_failed_is_refused(lab: Lab, options: dict[str, Any]) -> None:
    name = lab.name("stack")
    with pytest.raises(ClientError) as problem:
        lab.stacks.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": CUSTOM}), **options)
    status, message = refusal(problem)
    assert status == 501
    assert f"{next(iter(options))} of a stack with custom resources" in message
    with pytest.raises(ClientError, match="does not exist"):
        lab.stacks.describe_stacks(StackName=name)


def test_an_update_that_would_keep_a_custom_resource_that_failed_is_refused_with_the_template_it_has(lab: Lab) -> None:
    stack = lab.deploy({}, **never())
    assert lab.ended(stack) == "CREATE_COMPLETE"
    with pytest.raises(ClientError) as problem:
        lab.stacks.update_stack(StackName=stack, UsePreviousTemplate=True, DisableRollback=True)
    assert refusal(problem)[0] == 501


def never() -> dict[str, Any]:
    """Stack arguments whose template has a condition that does not hold, so that no function is asked."""
    body = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {**ORDINARY, "Custom": {**CUSTOM["Greeting"], "Condition": "Never"}},
    }
    return {"TemplateBody": json.dumps(body)}


@pytest.mark.parametrize("options", [{"OnStackFailure": "DO_NOTHING"}, {}])
def test_a_change_set_that_would_keep_a_custom_resource_that_failed_is_refused(
    lab: Lab, options: dict[str, Any]
) -> None:
    name = lab.name("stack")
    made = {"StackName": name, "ChangeSetName": "first", "ChangeSetType": "CREATE", **never(), **options}

    def made_and_executed() -> None:
        lab.stacks.create_change_set(**made)
        lab.stacks.execute_change_set(StackName=name, ChangeSetName="first", DisableRollback=True)

    with pytest.raises(ClientError) as problem:
        made_and_executed()
    assert refusal(problem)[0] == 501


@pytest.mark.parametrize("options", KEEPING)
def test_a_stack_without_custom_resources_is_kept_as_it_failed(lab: Lab, options: dict[str, Any]) -> None:
    role = f"arn:aws:iam::{lab.cloud.account}:role/nobody"
    code = {"S3Bucket": BUCKET, "S3Key": "nowhere.zip"}
    function = {"Role": role, "Handler": "a.b", "Runtime": "python3.12", "Code": code}
    broken = {"Type": "AWS::Lambda::Function", "DependsOn": "Topic", "Properties": function}
    stack = lab.deploy({**ORDINARY, "Broken": broken}, **options)
    assert lab.ended(stack) == "CREATE_FAILED"
