"""Stacks speak with functions through custom resources."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.resources.custom_resources import Reported, read_answer
from rehearsal.cloud.resources.provider import ResourceRequest
from rehearsal.cloud.service import Credentials
from tests.rehearsal.lambda_.lambda_lab import BUCKET, LOG_RIGHTS, Lab, allow, trust_in
from tests.waiting import until

PROVIDER = """
import json
import os
import time
import urllib.request

import boto3

def handler(event, context):
    boto3.client("s3").put_object(
        Bucket="function-archives", Key=f"asked/{context.function_name}/{time.time_ns()}",
        Body=json.dumps({key: value for key, value in event.items() if key != "ResponseURL"}))
    wish = event["ResourceProperties"]
    answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": "SUCCESS", "PhysicalResourceId": wish.get("Id") or event.get("PhysicalResourceId") or "first"}
    answer["Data"] = {"Greeting": f"hello {wish.get('Name')}"}
    if wish.get("FailOn") == event["RequestType"]:
        answer |= {"Status": "FAILED", "Reason": "it cannot be helped"}
    if wish.get("SilentOn") == event["RequestType"]:
        return
    if wish.get("RaiseOn") == event["RequestType"]:
        raise RuntimeError("broken")
    answer |= json.loads(wish.get("Instead", "{}"))
    body, headers = json.dumps(answer).encode(), {"content-type": wish.get(event["RequestType"] + "Type", "")}
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], body, headers, method="PUT"))
"""


@pytest.fixture(scope="module")
def provider_role(lab: Lab) -> str:
    return lab.make_role("Provider", "lambda.amazonaws.com", [*LOG_RIGHTS, "s3:PutObject"])


@pytest.fixture
def provider(lab: Lab, provider_role: str) -> str:
    """A function that answers as its properties wish, and notes what it was asked."""
    return lab.create(PROVIDER, Role=provider_role)


def greeting(lab: Lab, function: str, **properties: Any) -> dict[str, Any]:
    return {"Greeting": {"Type": "Custom::Greeting", "Properties": {"ServiceToken": lab.arn(function), **properties}}}


def asked(lab: Lab, function: str) -> list[dict[str, Any]]:
    """What a provider was asked so far, in order."""
    listed = lab.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"asked/{function}/").get("Contents", [])
    return [json.loads(lab.s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()) for each in listed]


def kinds(lab: Lab, function: str) -> list[str]:
    return [event["RequestType"] for event in asked(lab, function)]


def gone(lab: Lab, stack: str) -> bool:
    try:
        status = lab.stacks.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError:
        return True
    assert status in ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"), status
    return bool(status == "DELETE_COMPLETE")


def test_a_stack_asks_a_function_and_reads_its_answer(lab: Lab, provider: str) -> None:
    resources = greeting(lab, provider, Name="Ada", Count=3, On=True, Many=[1, {"Deep": False}])
    outputs = {"Said": {"Value": {"Fn::GetAtt": ["Greeting", "Greeting"]}}, "Id": {"Value": {"Ref": "Greeting"}}}
    stack = lab.deploy(resources, outputs=outputs)
    assert lab.ended(stack) == "CREATE_COMPLETE", lab.reasons(stack, "Greeting")
    assert lab.outputs(stack) == {"Said": "hello Ada", "Id": "first"}
    (event,) = asked(lab, provider)
    stack_id = lab.stacks.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    assert len(event.pop("RequestId")) == 36
    assert event == {
        "RequestType": "Create",
        "ServiceToken": lab.arn(provider),
        "StackId": stack_id,
        "LogicalResourceId": "Greeting",
        "ResourceType": "Custom::Greeting",
        "ResourceProperties": {
            "ServiceToken": lab.arn(provider),
            "Name": "Ada",
            "Count": "3",
            "On": "true",
            "Many": ["1", {"Deep": "false"}],
        },
    }


def test_a_change_is_an_update_with_the_old_properties_and_deletion_comes_last(lab: Lab, provider: str) -> None:
    stack = lab.deploy(greeting(lab, provider, Name="Ada"))
    lab.deploy(greeting(lab, provider, Name="Grace"), stack)
    assert lab.ended(stack) == "UPDATE_COMPLETE"
    update = asked(lab, provider)[-1]
    assert (update["RequestType"], update["PhysicalResourceId"]) == ("Update", "first")
    assert update["OldResourceProperties"]["Name"] == "Ada"
    lab.stacks.delete_stack(StackName=stack)
    assert until(lambda: gone(lab, stack))
    deletion = asked(lab, provider)[-1]
    assert (deletion["RequestType"], deletion["PhysicalResourceId"]) == ("Delete", "first")
    assert deletion["ResourceProperties"]["Name"] == "Grace"
    assert kinds(lab, provider) == ["Create", "Update", "Delete"]


def test_an_update_that_answers_with_another_id_replaces_the_resource(lab: Lab, provider: str) -> None:
    stack = lab.deploy(greeting(lab, provider, Id="one"))
    lab.deploy(greeting(lab, provider, Id="two"), stack)
    assert lab.ended(stack) == "UPDATE_COMPLETE"
    until(lambda: len(asked(lab, provider)) == 3)
    assert [(each["RequestType"], each.get("PhysicalResourceId")) for each in asked(lab, provider)] == [
        ("Create", None),
        ("Update", "one"),
        ("Delete", "one"),
    ]
    assert (
        lab.stacks.describe_stack_resource(StackName=stack, LogicalResourceId="Greeting")["StackResourceDetail"][
            "PhysicalResourceId"
        ]
        == "two"
    )


def test_aws_own_name_of_the_type_works_the_same(lab: Lab, provider: str) -> None:
    resources = greeting(lab, provider, Id="one")
    resources["Greeting"]["Type"] = "AWS::CloudFormation::CustomResource"
    stack = lab.deploy(resources)
    assert lab.ended(stack) == "CREATE_COMPLETE", lab.reasons(stack, "Greeting")
    resources["Greeting"]["Properties"]["Name"] = "Ada"
    lab.deploy(resources, stack)
    assert lab.ended(stack) == "UPDATE_COMPLETE", lab.reasons(stack, "Greeting")
    assert [(each["RequestType"], each["LogicalResourceId"]) for each in asked(lab, provider)] == [
        ("Create", "Greeting"),
        ("Update", "Greeting"),
    ]


# ---- failures


def test_a_failure_gives_its_reason_and_the_resource_is_deleted(lab: Lab, provider: str) -> None:
    stack = lab.deploy(greeting(lab, provider, FailOn="Create", Id="half-made"))
    assert lab.ended(stack) == "ROLLBACK_COMPLETE"
    event = asked(lab, provider)[0]
    assert lab.reasons(stack, "Greeting") == [
        "Received response status [FAILED] from custom resource. Message returned: it cannot be helped "
        f"(RequestId: {event['RequestId']})"
    ]
    assert [(each["RequestType"], each.get("PhysicalResourceId")) for each in asked(lab, provider)] == [
        ("Create", None),
        ("Delete", "half-made"),
    ]


def test_a_failed_update_is_taken_back(lab: Lab, provider: str) -> None:
    stack = lab.deploy(greeting(lab, provider, Name="Ada"))
    lab.deploy(greeting(lab, provider, Name="Grace", FailOn="Update"), stack)
    assert lab.ended(stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert kinds(lab, provider) == ["Create", "Update", "Update"]
    assert asked(lab, provider)[-1]["ResourceProperties"]["Name"] == "Ada"


def test_a_failed_deletion_keeps_the_stack_until_it_succeeds(lab: Lab, provider: str) -> None:
    stack = lab.deploy(greeting(lab, provider, FailOn="Delete"))
    lab.stacks.delete_stack(StackName=stack)
    assert lab.ended(stack) == "DELETE_FAILED"
    assert "it cannot be helped" in lab.reasons(stack, "Greeting")[0]
    key = lab.upload({"app.py": PROVIDER.replace('wish.get("FailOn")', "None")})
    lab.functions.update_function_code(FunctionName=provider, S3Bucket=BUCKET, S3Key=key)
    until(lambda: lab.state(provider)["LastUpdateStatus"] == "Successful")
    lab.stacks.delete_stack(StackName=stack)
    assert until(lambda: gone(lab, stack))


@pytest.mark.parametrize("how", ["SilentOn", "RaiseOn"])
def test_a_function_that_never_answers_fails_the_stack_in_the_end(lab: Lab, provider: str, how: str) -> None:
    stack = lab.deploy(greeting(lab, provider, ServiceTimeout=300, **{how: "Create"}))
    assert lab.ended(stack) == "ROLLBACK_COMPLETE"
    (reason,) = lab.reasons(stack, "Greeting")
    request_id = asked(lab, provider)[0]["RequestId"]
    assert reason.startswith(
        "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId "
        f"[{request_id}]"
    )
    assert kinds(lab, provider)[-1] == "Delete"
    assert asked(lab, provider)[-1]["PhysicalResourceId"].startswith(f"{stack}-Greeting-")
    if how == "RaiseOn":  # Lambda tries an asynchronous invocation again
        assert kinds(lab, provider).count("Create") > 1


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        ({"PhysicalResourceId": ""}, "Invalid PhysicalResourceId"),
        ({"Status": "FINE"}, "Status must be SUCCESS or FAILED"),
        ({"Status": "FAILED"}, "must have a Reason"),
        ({"RequestId": "another"}, "RequestId must be that of the request"),
        ({"Data": {"Much": "x" * 5000}}, "Response object is too long"),
    ],
)
def test_an_answer_that_cloudformation_cannot_read_is_a_failure(instead: dict[str, Any], words: str) -> None:
    asked_for = {"StackId": "stack", "RequestId": "request", "LogicalResourceId": "Greeting"}
    good = {"Status": "SUCCESS", "PhysicalResourceId": "first", **asked_for}
    request = ResourceRequest("Custom::Greeting", "Greeting", "s", {}, Credentials("", ""), stack_id="stack")
    assert read_answer(json.dumps(good).encode(), request, "request") == good
    with pytest.raises(Reported, match=words):
        read_answer(json.dumps({**good, **instead}).encode(), request, "request")


def test_an_answer_that_cannot_be_read_fails_the_stack(lab: Lab, provider: str) -> None:
    stack = lab.deploy(greeting(lab, provider, Instead='{"PhysicalResourceId": ""}'))
    assert lab.ended(stack) == "ROLLBACK_COMPLETE"
    assert lab.reasons(stack, "Greeting")[0].startswith("Invalid PhysicalResourceId")


def test_an_answer_with_a_content_type_does_not_arrive(lab: Lab, provider: str) -> None:
    stack = lab.deploy(greeting(lab, provider, CreateType="application/json", ServiceTimeout=300))
    assert lab.ended(stack) == "ROLLBACK_COMPLETE"
    assert "did not receive a response" in lab.reasons(stack, "Greeting")[0]
    assert any("403" in line for line in lab.log_of(f"/aws/lambda/{provider}"))


def test_the_address_cannot_be_guessed(lab: Lab) -> None:
    answers = lab.cloud.resources.answers
    key, url = answers.expect("arn:aws:cloudformation:us-east-1:123456789012:stack/s/1", "Greeting", "request")
    forged = url.partition("X-Amz-Signature=")[0] + "X-Amz-Signature=" + "0" * 64
    for address in (forged, url.partition("?")[0]):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            put(address)
    assert answers.wait(key, 0) is None
    put(url)
    assert answers.wait(key, 0) == b"{}"
    answers.close(key)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        put(url)


def put(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, b"{}", {"content-type": ""}, method="PUT"))  # noqa: S310


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ServiceToken": "arn:aws:sns:us-east-1:123456789012:topic"}, "behind an SNS topic"),
        ({"ServiceToken": "nonsense"}, "Invalid service token"),
        ({"ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:f"}, "Invalid service token"),
        ({"ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:nobody"}, "Function not found"),
    ],
)
def test_a_service_token_that_leads_nowhere_fails_at_once(
    lab: Lab, provider: str, change: dict[str, Any], words: str
) -> None:
    stack = lab.deploy(greeting(lab, provider, **change))
    assert lab.ended(stack) == "ROLLBACK_COMPLETE"
    assert words in lab.reasons(stack, "Greeting")[0]


def test_the_service_token_of_a_resource_stays(lab: Lab, provider: str, provider_role: str) -> None:
    stack = lab.deploy(greeting(lab, provider))
    lab.deploy(greeting(lab, lab.create(PROVIDER, Role=provider_role)), stack)
    assert lab.ended(stack).startswith("UPDATE_ROLLBACK")
    assert "Modifying service token is not allowed." in lab.reasons(stack, "Greeting")


# ---- who may


def test_the_stack_s_role_needs_the_right_to_invoke(lab: Lab, provider: str) -> None:
    role = lab.make_role(f"Deployer-{provider}", "cloudformation.amazonaws.com", ["s3:GetObject"])
    stack = lab.deploy(greeting(lab, provider), RoleARN=role)
    assert lab.ended(stack) == "ROLLBACK_COMPLETE"
    assert "is not authorized to perform: lambda:InvokeFunction on resource" in lab.reasons(stack, "Greeting")[0]
    assert kinds(lab, provider) == []
    lab.grant(f"Deployer-{provider}", allow("lambda:InvokeFunction", lab.arn(provider)))
    assert lab.ended(lab.deploy(greeting(lab, provider), RoleARN=role)) == "CREATE_COMPLETE"


# ---- a stack of its own function


def whole(lab: Lab, key: str, **function: Any) -> dict[str, Any]:
    """A function with its role and log group, a rule that invokes it, and a custom resource behind it."""
    log = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}}
    grants = {
        "PolicyName": "grants",
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                allow(["logs:CreateLogStream", "logs:PutLogEvents"]),
                allow("s3:PutObject", f"arn:aws:s3:::{BUCKET}/*"),
            ],
        },
    }
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": json.loads(trust_in("lambda.amazonaws.com")),
            "Policies": [grants],
        },
    }
    made = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"S3Bucket": BUCKET, "S3Key": key},
            "Timeout": 20,
            "LoggingConfig": {"LogGroup": {"Ref": "Log"}},
            **function,
        },
    }
    rule = {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "EventPattern": {"source": ["nobody"]},
            "Targets": [{"Id": "f", "Arn": {"Fn::GetAtt": ["Function", "Arn"]}}],
        },
    }
    permission = {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": "Function"},
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]},
        },
    }
    custom = {"Type": "Custom::Greeting", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}}}
    return {
        "Log": log, "Role": role, "Function": made, "Rule": {**rule, "DependsOn": "Greeting"},
        "Permission": permission, "Greeting": custom,
    }  # fmt: skip


def physical(lab: Lab, stack: str, logical_id: str) -> str:
    found = lab.stacks.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def test_a_stack_holds_a_function_its_permission_and_a_resource_behind_it(lab: Lab) -> None:
    resources = whole(lab, lab.upload({"app.py": PROVIDER}))
    stack = lab.deploy(resources, Tags=[{"Key": "team", "Value": "claims"}])
    assert lab.ended(stack) == "CREATE_COMPLETE", [lab.reasons(stack, name) for name in resources]
    name = physical(lab, stack, "Function")
    assert name.startswith(f"{stack}-Function-")
    assert lab.functions.get_function(FunctionName=name)["Tags"]["team"] == "claims"
    (statement,) = json.loads(lab.functions.get_policy(FunctionName=name)["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    lab.stacks.delete_stack(StackName=stack)
    assert until(lambda: gone(lab, stack))
    # The function was still there when the resource behind it was deleted.
    assert kinds(lab, name) == ["Create", "Delete"]
    with pytest.raises(lab.functions.exceptions.ResourceNotFoundException):
        lab.functions.get_function(FunctionName=name)


def test_a_stack_changes_its_function_in_place_and_takes_settings_back(lab: Lab) -> None:
    key = lab.upload({"app.py": PROVIDER})
    settings = {"Environment": {"Variables": {"OWN": "1"}}, "MemorySize": 256, "ReservedConcurrentExecutions": 5}
    stack = lab.deploy(whole(lab, key, **settings, Tags=[{"Key": "owner", "Value": "ada"}]))
    assert lab.ended(stack) == "CREATE_COMPLETE"
    name = physical(lab, stack, "Function")
    assert lab.functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 5
    later = lab.upload({"app.py": PROVIDER + "# changed\n"})
    lab.deploy(whole(lab, later, Timeout=30), stack)
    assert lab.ended(stack) == "UPDATE_COMPLETE", lab.reasons(stack, "Function")
    assert physical(lab, stack, "Function") == name
    after = lab.state(name)
    assert (after["Timeout"], after["MemorySize"], "Environment" in after) == (30, 128, False)
    assert "ReservedConcurrentExecutions" not in lab.functions.get_function_concurrency(FunctionName=name)
    assert "owner" not in lab.functions.get_function(FunctionName=name).get("Tags", {})


def test_a_function_in_a_stack_takes_exactly_these_rights_of_its_role(lab: Lab) -> None:
    key = lab.upload({"app.py": PROVIDER})
    resources = {"Function": whole(lab, key)["Function"]}
    tags = [{"Key": "owner", "Value": "ada"}]  # without tags of its own nobody needs lambda:TagResource
    resources["Function"]["Properties"] |= {"Role": lab.role, "LoggingConfig": {}, "Tags": tags}
    lab.make_role("Narrow", "cloudformation.amazonaws.com", [])
    role = f"arn:aws:iam::{lab.cloud.account}:role/Narrow"
    rights = ["lambda:CreateFunction", "lambda:GetFunction", "lambda:TagResource", "iam:PassRole", "s3:GetObject"]
    for missing in rights:
        left = [right for right in rights if right != missing]
        lab.grant("Narrow", allow([*left, "lambda:DeleteFunction"]))
        stack = lab.deploy(resources, RoleARN=role)
        assert lab.ended(stack).startswith("ROLLBACK"), missing
        reason = lab.reasons(stack, "Function")[-1]
        assert missing in reason or "denied by S3" in reason
    lab.grant("Narrow", allow(rights))
    assert lab.ended(lab.deploy(resources, RoleARN=role)) == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": "f"}}, "AWS::Lambda::Version"),
        (
            {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Role": "arn:aws:iam::123456789012:role/FunctionRole",
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Code": {"ZipFile": "def handler(event, context): pass"},
                },
            },
            "inline code",
        ),
        (
            {
                "Type": "AWS::SNS::Topic",
                "Properties": {"Subscription": [{"Protocol": "lambda", "Endpoint": "arn:aws:lambda:us-east-1:1:f"}]},
            },
            "subscription of a Lambda function",
        ),
    ],
)
def test_what_stacks_cannot_have_here_is_refused_by_name(lab: Lab, resource: dict[str, Any], words: str) -> None:
    stack = lab.deploy({"Thing": resource})
    assert lab.ended(stack) == "ROLLBACK_COMPLETE"
    assert words in lab.reasons(stack, "Thing")[0]
