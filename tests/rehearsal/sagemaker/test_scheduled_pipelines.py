"""Pipelines that a stack holds and a rule starts, on a schedule or because of an event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.resources.sagemaker_pipelines import Pipeline
from rehearsal.cloud.sagemaker.scheduled_pipelines import ScheduledPipelines
from rehearsal.cloud.service import Credentials
from tests.rehearsal.base.conftest import Stacks, resource, until
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.sagemaker.jobs_lab import Bench


class Lab(ScheduledPipelines):
    """The part of the SageMaker API that these tests need."""

    name = "sagemaker"


@pytest.fixture(scope="module")
def bench(start_cloud: StartCloud) -> Bench:
    return Bench(start_cloud([Lab], [Pipeline]))


@pytest.fixture
def stacks(bench: Bench) -> Stacks:
    return Stacks(bench.cloud.client("cloudformation", bench.cloud.identity.root))


def definition(message: str) -> str:
    """A pipeline that fails at once, and says with what it was started."""
    said = {"Std:Join": {"On": " ", "Values": [message, {"Get": "Parameters.Word"}]}}
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Parameters": [{"Name": "Word", "Type": "String", "DefaultValue": "nothing"}],
            "Steps": [{"Name": "Say", "Type": "Fail", "Arguments": {"ErrorMessage": said}}],
        }
    )


def pipeline(bench: Bench, name: str, message: str = "said", **properties: Any) -> dict[str, Any]:
    return resource(
        "AWS::SageMaker::Pipeline",
        PipelineName=name,
        RoleArn=bench.pipeline_role(),
        PipelineDefinition={"PipelineDefinitionBody": definition(message)},
        **properties,
    )


def arn_of(name: str) -> str:
    return f"arn:aws:sagemaker:us-east-1:123456789012:pipeline/{name}"


def starter(bench: Bench, *pipelines: str) -> str:
    """A role with which EventBridge may start these pipelines."""
    start = {"Effect": "Allow", "Action": "sagemaker:StartPipelineExecution", "Resource": [*map(arn_of, pipelines)]}
    return bench.new_role("events.amazonaws.com", [start])


def target(arn: str, role: str | None, word: str) -> dict[str, Any]:
    given = {"PipelineParameterList": [{"Name": "Word", "Value": word}]}
    return {"Id": "it", "Arn": arn, "SageMakerPipelineParameters": given, **({"RoleArn": role} if role else {})}


def said_by(bench: Bench, name: str) -> list[str]:
    """Why the steps of a pipeline failed, of all its executions."""
    listed = bench.sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
    executions = [each["PipelineExecutionArn"] for each in listed]
    steps = [bench.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=each) for each in executions]
    return [
        step["FailureReason"] for each in steps for step in each["PipelineExecutionSteps"] if "FailureReason" in step
    ]


def test_a_stack_makes_changes_and_deletes_a_pipeline(bench: Bench, stacks: Stacks) -> None:
    tags = [{"Key": "colour", "Value": "red"}, {"Key": "size", "Value": "small"}]
    assert stacks.create("kept", {"Resources": {"P": pipeline(bench, "kept", Tags=tags)}}) == "CREATE_COMPLETE"
    assert stacks.physical_ids("kept") == {"P": "kept"}
    assert bench.sagemaker.describe_pipeline(PipelineName="kept")["PipelineDefinition"] == definition("said")
    changed = pipeline(bench, "kept", "says", Tags=[{"Key": "colour", "Value": "blue"}], PipelineDescription="new")
    assert stacks.update("kept", {"Resources": {"P": changed}}) == "UPDATE_COMPLETE"
    described = bench.sagemaker.describe_pipeline(PipelineName="kept")
    assert (described["PipelineDefinition"], described["PipelineDescription"]) == (definition("says"), "new")
    assert bench.sagemaker.list_tags(ResourceArn=arn_of("kept"))["Tags"] == [{"Key": "colour", "Value": "blue"}]
    assert stacks.delete("kept") == "DELETE_COMPLETE"
    with pytest.raises(ClientError, match="does not exist"):
        bench.sagemaker.describe_pipeline(PipelineName="kept")


def test_a_definition_that_is_none_fails_the_stack_with_sagemaker_s_reason(bench: Bench, stacks: Stacks) -> None:
    broken = pipeline(bench, "broken")
    broken["Properties"]["PipelineDefinition"] = {"PipelineDefinitionBody": '{"Version": "2020-12-01"}'}
    assert stacks.create("broken", {"Resources": {"P": broken}}) == "ROLLBACK_COMPLETE"
    assert "Steps" in stacks.reason("broken")


def test_a_stack_s_role_has_to_be_allowed_to_make_a_pipeline_and_to_hand_its_role_on(bench: Bench) -> None:
    formation = {"Effect": "Allow", "Action": ["cloudformation:*", "sagemaker:*"], "Resource": "*"}
    weak: Credentials = bench.cloud.identity.session_of(
        bench.new_role("cloudformation.amazonaws.com", [formation]), "t"
    )
    stacks = Stacks(bench.cloud.client("cloudformation", weak))
    assert stacks.create("weak", {"Resources": {"P": pipeline(bench, "weak")}}) == "ROLLBACK_COMPLETE"
    assert "iam:PassRole" in stacks.reason("weak")


def test_a_rule_of_the_stack_starts_its_pipeline_on_schedule_with_the_parameters_it_names(
    bench: Bench, stacks: Stacks
) -> None:
    rule = resource(
        "AWS::Events::Rule",
        ScheduleExpression="rate(1 minute)",
        Targets=[target(arn_of("on-time"), starter(bench, "on-time"), "hello")],
    )
    template = {"Resources": {"P": pipeline(bench, "on-time"), "R": {**rule, "DependsOn": "P"}}}
    assert stacks.create("on-time", template) == "CREATE_COMPLETE"
    assert until(lambda: said_by(bench, "on-time"))[0].endswith("said hello")
    assert stacks.update("on-time", {"Resources": {"P": pipeline(bench, "on-time")}}) == "UPDATE_COMPLETE"
    # An execution that the rule has just started keeps the pipeline until it is over.
    until(lambda: stacks.delete("on-time") == "DELETE_COMPLETE")


def rule_for(cloud: Cloud, name: str, *targets: dict[str, Any]) -> None:
    events = cloud.client("events", cloud.identity.root)
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    assert events.put_targets(Rule=name, Targets=list(targets))["FailedEntryCount"] == 0


def test_an_event_starts_a_pipeline_only_as_a_role_that_may(bench: Bench, stacks: Stacks) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html"""
    assert stacks.create("asked", {"Resources": {"P": pipeline(bench, "asked")}}) == "CREATE_COMPLETE"
    stranger = starter(bench, "another")
    rule_for(bench.cloud, "my.stranger", target(arn_of("asked"), stranger, "no"))
    bench.cloud.events.emit("my.stranger", "Something", {})
    until(lambda: any(_refused(each, arn_of("asked")) for each in bench.cloud.identity.decisions()))
    assert said_by(bench, "asked") == []
    rule_for(bench.cloud, "my.friend", target(arn_of("asked"), starter(bench, "asked"), "yes"))
    bench.cloud.events.emit("my.friend", "Something", {})
    assert until(lambda: said_by(bench, "asked"))[0].endswith("said yes")


def _refused(decision: Any, arn: str) -> bool:
    return not decision.allowed and decision.action == "sagemaker:StartPipelineExecution" and decision.resource == arn


def test_a_rule_whose_target_is_a_pipeline_needs_a_role_for_it(bench: Bench, stacks: Stacks) -> None:
    rule = resource(
        "AWS::Events::Rule", ScheduleExpression="rate(1 day)", Targets=[target(arn_of("anything"), None, "x")]
    )
    assert stacks.create("no-role", {"Resources": {"R": rule}}) == "ROLLBACK_COMPLETE"
    assert "RoleArn is required for target" in stacks.reason("no-role")
