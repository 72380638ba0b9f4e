"""`AWS::CodePipeline::Pipeline` in a stack."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_lab import BUCKET, REPOSITORY, Lab

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.resources.codepipeline import camel_case
from tests.waiting import WAITER


def resource(lab: Lab, name: str, **changed: Any) -> dict[str, Any]:
    """A pipeline as a template declares it."""
    source = {
        "Name": "Commit",
        "ActionTypeId": {"Category": "Source", "Owner": "AWS", "Provider": "CodeCommit", "Version": 1},
        "Configuration": {"RepositoryName": REPOSITORY, "BranchName": "main", "PollForSourceChanges": False},
        "OutputArtifacts": [{"Name": "SourceCode"}],
        "Namespace": "SourceVariables",
    }
    build = {
        "Name": "Build",
        "ActionTypeId": {"Category": "Build", "Owner": "AWS", "Provider": "CodeBuild", "Version": "1"},
        "Configuration": {"ProjectName": "builder"},
        "InputArtifacts": [{"Name": "SourceCode"}],
        "RunOrder": "2",
    }
    rule = {
        "Name": "Check",
        "RuleTypeId": {"Category": "Rule", "Owner": "AWS", "Provider": "VariableCheck", "Version": "1"},
        "Configuration": {"Variable": "#{SourceVariables.BranchName}", "Value": "main", "Operator": "EQ"},
    }
    properties = {
        "Name": name,
        "PipelineType": "V2",
        "ExecutionMode": "SUPERSEDED",
        "RoleArn": lab.role,
        "ArtifactStore": {"Type": "S3", "Location": BUCKET},
        "Variables": [{"Name": "MODEL", "DefaultValue": "auto"}],
        "Stages": [
            {"Name": "Source", "Actions": [source]},
            {
                "Name": "Build",
                "Actions": [build],
                "BeforeEntry": {"Conditions": [{"Result": "SKIP", "Rules": [rule]}]},
            },
        ],
        "Tags": [{"Key": "sagemaker:project-name", "Value": "claims"}],
        **changed,
    }
    return {"Type": "AWS::CodePipeline::Pipeline", "Properties": properties}


def template(declared: dict[str, Any]) -> str:
    return json.dumps(
        {
            "Resources": {"Pipeline": declared},
            "Outputs": {
                "Ref": {"Value": {"Ref": "Pipeline"}},
                "Version": {"Value": {"Fn::GetAtt": ["Pipeline", "Version"]}},
            },
        }
    )


def wait(lab: Lab, stack: str, waiter: str) -> dict[str, str]:
    client = lab.client("cloudformation")
    client.get_waiter(waiter).wait(StackName=stack, WaiterConfig=WAITER)
    if "delete" in waiter:
        return {}
    described = client.describe_stacks(StackName=stack)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in described["Outputs"]}


def test_a_pipeline_lives_with_its_stack(lab: Lab) -> None:
    stacks, name = lab.client("cloudformation"), "stacked"
    stacks.create_stack(StackName="pipes", TemplateBody=template(resource(lab, name)))
    assert wait(lab, "pipes", "stack_create_complete") == {"Ref": name, "Version": "1"}
    declared = lab.pipelines.get_pipeline(name=name)["pipeline"]
    source, build = (stage["actions"][0] for stage in declared["stages"])
    assert source["configuration"] == {
        "RepositoryName": REPOSITORY,
        "BranchName": "main",
        "PollForSourceChanges": "false",
    }
    assert (build["runOrder"], source["actionTypeId"]["version"]) == (2, "1")
    tags = lab.pipelines.list_tags_for_resource(resourceArn=lab.room.arn(name))["tags"]
    assert {"key": "sagemaker:project-name", "value": "claims"} in tags
    [first] = lab.executions(name)
    assert lab.finished(name, first["pipelineExecutionId"])["trigger"]["triggerType"] == "CreatePipeline"

    changed = resource(lab, name, Variables=[{"Name": "MODEL", "DefaultValue": "newest"}], Tags=[])
    stacks.update_stack(StackName="pipes", TemplateBody=template(changed))
    assert wait(lab, "pipes", "stack_update_complete")["Version"] == "2"
    assert len(lab.executions(name)) == 1
    tags = lab.pipelines.list_tags_for_resource(resourceArn=lab.room.arn(name))["tags"]
    assert "sagemaker:project-name" not in {tag["key"] for tag in tags}

    stacks.delete_stack(StackName="pipes")
    wait(lab, "pipes", "stack_delete_complete")
    with pytest.raises(ClientError, match="PipelineNotFoundException"):
        lab.pipelines.get_pipeline(name=name)


def test_a_stack_role_that_may_not_create_pipelines_fails_at_the_pipeline(lab: Lab) -> None:
    role = lab.make_role("NoPipelines", "cloudformation.amazonaws.com", ["iam:PassRole"])
    lab.client("cloudformation").create_stack(
        StackName="refused", TemplateBody=template(resource(lab, "refused")), RoleARN=role, OnFailure="DO_NOTHING"
    )
    with pytest.raises(Exception, match="Waiter"):
        wait(lab, "refused", "stack_create_complete")
    events = lab.client("cloudformation").describe_stack_events(StackName="refused")["StackEvents"]
    reasons = [each.get("ResourceStatusReason", "") for each in events if each["LogicalResourceId"] == "Pipeline"]
    assert any("codepipeline:CreatePipeline" in reason for reason in reasons)


def test_names_of_members_begin_small_and_configuration_keys_keep_their_spelling() -> None:
    given = {
        "ActionTypeId": {"Version": 1},
        "RunOrder": "3",
        "Configuration": {"ProjectName": "p", "BatchEnabled": True},
    }
    assert camel_case(given) == {
        "actionTypeId": {"version": "1"},
        "runOrder": 3,
        "configuration": {"ProjectName": "p", "BatchEnabled": "true"},
    }


def test_what_a_stage_does_on_failure_reaches_the_api(lab: Lab) -> None:
    name = "stacked-careful"
    retry = {"Result": "RETRY", "RetryConfiguration": {"RetryMode": "FAILED_ACTIONS"}}
    given = resource(lab, name)
    given["Properties"]["Stages"][1]["OnFailure"] = retry
    stacks = lab.client("cloudformation")
    stacks.create_stack(StackName="careful", TemplateBody=template(given))
    assert wait(lab, "careful", "stack_create_complete")["Ref"] == name
    declared = lab.pipelines.get_pipeline(name=name)["pipeline"]["stages"][1]
    assert declared["onFailure"] == {"result": "RETRY", "retryConfiguration": {"retryMode": "FAILED_ACTIONS"}}


def test_a_configuration_value_that_is_no_scalar_is_refused() -> None:
    with pytest.raises(AwsError, match=r"Configuration\.EnvironmentVariables must be an object with String"):
        camel_case({"Configuration": {"EnvironmentVariables": [{"name": "A"}]}})
