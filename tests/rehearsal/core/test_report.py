"""The report says who was refused what, and which rights were really used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.progress import Progress
from rehearsal.report import report
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.core.test_stacks import settled

TEMPLATE = {
    "Resources": {
        "ModelBuildRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "codebuild.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                },
                "Policies": [
                    {
                        "PolicyName": "given",
                        "PolicyDocument": {
                            "Version": "2012-10-17",
                            "Statement": [{"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}],
                        },
                    }
                ],
            },
        }
    },
    "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["ModelBuildRole", "Arn"]}}},
}


@pytest.fixture(scope="module")
def cloud(start_cloud: StartCloud) -> Cloud:
    return start_cloud([])


@pytest.mark.parametrize("stack", ["short", "SC-123456789012-pp-" + "x" * 40])
def test_exercised_rights_stand_under_the_roles_logical_id(cloud: Cloud, stack: str) -> None:
    cloudformation = cloud.client("cloudformation", cloud.identity.root)
    made = cloudformation.create_stack(
        StackName=stack, TemplateBody=json.dumps(TEMPLATE), Capabilities=["CAPABILITY_IAM"]
    )
    assert settled(cloudformation, stack) == ("CREATE_COMPLETE", "")
    arn = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"][0]["OutputValue"]
    session = cloud.identity.assume_role(arn, "codebuild.amazonaws.com", "test")
    cloud.client("sqs", session).list_queues()
    cloudformation.delete_stack(StackName=stack)
    assert settled(cloudformation, made["StackId"])[0] == "DELETE_COMPLETE"
    document: dict[str, Any] = report(cloud, Progress())
    assert ["ModelBuildRole", "sqs:ListQueues"] in document["exercised"]
    assert not any(arn.endswith(role) for role, _ in document["exercised"])
    assert document["exercised"] == sorted(document["exercised"])
    assert document["authorised"] >= len(document["exercised"])
    assert document["denied"] == []
