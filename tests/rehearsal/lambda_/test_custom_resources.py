"""Stacks speak with functions through custom resources."""

from __future__ import annotations

from typing import Any

from tests.rehearsal.lambda_.lambda_lab import Lab, allow

PROVIDER = """
import json
import urllib.request

import boto3

def handler(event, context):
    boto3.client("s3").put_object(
        Bucket="function-archives", Key=f"asked/{context.function_name}/{event['RequestId']}",
        Body=json.dumps({key: value for key, value in event.items() if key != "ResponseURL"}))
    wish = event["ResourceProperties"]
    answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": "SUCCESS", "PhysicalResourceId": wish.get("Id") or event.get("PhysicalResourceId") or "first"}
    answer["Data"] = {"Greeting": f"hello {wish.get('Name')}"}
    if wish.get("FailOn") == event["RequestType"]:
        answer |= {"Status": "FAILED", "Reason": "it cannot be helped"}
    if wish.get("SilentOn") == event["RequestType"]:
        return
    body, headers = json.dumps(answer).encode(), {"content-type": wish.get("ContentType", "")}
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], body, headers, method="PUT"))
"""


def custom(token: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "Custom::Greeting", "Properties": {"ServiceToken": token, **properties}}


def test_a_stack_asks_a_function_and_reads_its_answer(lab: Lab) -> None:
    lab.grant("FunctionRole", allow(["logs:*", "s3:PutObject"]))
    name = lab.create(PROVIDER)
    resources = {"Greeting": custom(lab.arn(name), Name="Ada", Count=3, On=True)}
    outputs = {"Said": {"Value": {"Fn::GetAtt": ["Greeting", "Greeting"]}}, "Id": {"Value": {"Ref": "Greeting"}}}
    stack = lab.deploy(resources, outputs=outputs)
    assert lab.ended(stack) == "CREATE_COMPLETE", lab.reasons(stack, "Greeting")
    assert lab.outputs(stack) == {"Said": "hello Ada", "Id": "first"}
