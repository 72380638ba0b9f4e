"""What pipelines tell EventBridge, and how EventBridge starts them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pipeline_lab import BUCKET, Lab, action, build, stage

from rehearsal.cloud.codepipeline.events import start_request
from rehearsal.cloud.errors import AwsError


def heard(lab: Lab, execution: str) -> list[dict[str, Any]]:
    return [each for each in lab.events if each["detail"]["execution-id"] == execution]


def test_every_change_of_state_is_told_with_the_documented_fields(lab: Lab) -> None:
    commit = lab.commit({"told.txt": "told\n"}, "Told")
    declaration = lab.declaration("told", stage("Build", build()))
    name = declaration["name"]
    execution = lab.create(declaration)
    lab.finished(name, execution)
    lab.until(lambda: len(heard(lab, execution)) == 10)
    events = heard(lab, execution)
    kinds = [(each["type"].split()[1], each["detail"].get("stage"), each["detail"]["state"]) for each in events]
    assert kinds == [
        ("Pipeline", None, "STARTED"),
        ("Stage", "Source", "STARTED"),
        ("Action", "Source", "STARTED"),
        ("Action", "Source", "SUCCEEDED"),
        ("Stage", "Source", "SUCCEEDED"),
        ("Stage", "Build", "STARTED"),
        ("Action", "Build", "STARTED"),
        ("Action", "Build", "SUCCEEDED"),
        ("Stage", "Build", "SUCCEEDED"),
        ("Pipeline", None, "SUCCEEDED"),
    ]
    assert all(each["source"] == "aws.codepipeline" for each in events)
    assert all(list(each["resources"]) == [lab.room.arn(name)] for each in events)
    assert all((each["detail"]["pipeline"], each["detail"]["version"]) == (name, 1) for each in events)
    assert events[0]["detail"]["execution-trigger"]["trigger-type"] == "CreatePipeline"
    source = events[3]["detail"]
    assert source["type"] == {"owner": "AWS", "provider": "CodeCommit", "category": "Source", "version": "1"}
    assert source["output-artifacts"][0]["s3location"]["bucket"] == BUCKET
    assert source["execution-result"]["external-execution-id"] == commit
    assert events[6]["detail"]["input-artifacts"][0]["name"] == "SourceCode"


def test_a_failure_is_told_with_its_code_and_reason(lab: Lab) -> None:
    lab.builds.script("told-bad", status="FAILED", message="boom")
    declaration = lab.declaration("told-failed", stage("Build", build(project="told-bad")))
    execution = lab.create(declaration)
    lab.finished(declaration["name"], execution)
    lab.until(lambda: heard(lab, execution)[-1]["detail"]["state"] == "FAILED" and len(heard(lab, execution)) == 10)
    failed = next(
        each["detail"]
        for each in heard(lab, execution)
        if each["detail"].get("action") == "Build" and each["detail"]["state"] == "FAILED"
    )
    assert failed["execution-result"]["error-code"] == "JobFailed"
    assert failed["execution-result"]["external-execution-summary"].endswith("Message: boom")


def rule(lab: Lab, stem: str, pipeline: str, role: str, **target: Any) -> str:
    """A rule for events of source `lab.<stem>` that starts a pipeline."""
    events = lab.client("events")
    events.put_rule(Name=stem, EventPattern=json.dumps({"source": [f"lab.{stem}"]}))
    events.put_targets(
        Rule=stem, Targets=[{"Id": "pipeline", "Arn": lab.room.arn(pipeline), "RoleArn": role, **target}]
    )
    return str(events.describe_rule(Name=stem)["Arn"])


def put(lab: Lab, stem: str, **detail: str) -> None:
    lab.client("events").put_events(
        Entries=[{"Source": f"lab.{stem}", "DetailType": "Something", "Detail": json.dumps(detail)}]
    )


@pytest.fixture(scope="session")
def starter(lab: Lab) -> str:
    return lab.make_role("Starter", "events.amazonaws.com", ["codepipeline:StartPipelineExecution"])


def waiting_pipeline(lab: Lab, stem: str) -> str:
    """A pipeline with one variable, its first execution done."""
    declaration = lab.declaration(
        stem, stage("Build", build()), variables=[{"name": "MODEL", "defaultValue": "auto"}], executionMode="QUEUED"
    )
    lab.finished(declaration["name"], lab.create(declaration))
    return str(declaration["name"])


def test_a_plain_event_starts_the_pipeline_without_overrides(lab: Lab, starter: str) -> None:
    name = waiting_pipeline(lab, "plain")
    arn = rule(lab, "plain", name, starter)
    put(lab, "plain", variables="not ours")
    lab.until(lambda: len(lab.room.pipelines[name].executions) == 2)
    execution = lab.finished(name, lab.executions(name)[0]["pipelineExecutionId"])
    assert execution["trigger"] == {"triggerType": "CloudWatchEvent", "triggerDetail": arn}
    assert execution["variables"] == [{"name": "MODEL", "resolvedValue": "auto"}]


def test_a_transformed_event_hands_over_variables(lab: Lab, starter: str) -> None:
    name = waiting_pipeline(lab, "transformed")
    transformer = {
        "InputPathsMap": {"package": "$.detail.package"},
        "InputTemplate": '{"variables":[{"name":"MODEL","value":"<package>"}]}',
    }
    rule(lab, "transformed", name, starter, InputTransformer=transformer)
    put(lab, "transformed", package="arn:aws:sagemaker:us-east-1:123456789012:model-package/claims/3")
    lab.until(lambda: len(lab.room.pipelines[name].executions) == 2)
    execution = lab.finished(name, lab.executions(name)[0]["pipelineExecutionId"])
    assert execution["variables"][0]["resolvedValue"].endswith("model-package/claims/3")


def test_a_pipelines_own_event_can_start_another_pipeline(lab: Lab, starter: str) -> None:
    following = waiting_pipeline(lab, "following")
    declaration = lab.declaration("leading", stage("Build", build()))
    pattern = {
        "source": ["aws.codepipeline"],
        "detail-type": ["CodePipeline Pipeline Execution State Change"],
        "detail": {"pipeline": [declaration["name"]], "state": ["SUCCEEDED"]},
    }
    events = lab.client("events")
    events.put_rule(Name="chain", EventPattern=json.dumps(pattern))
    target = {"Id": "following", "Arn": lab.room.arn(following), "RoleArn": starter}
    events.put_targets(Rule="chain", Targets=[target])
    lab.finished(declaration["name"], lab.create(declaration))
    lab.until(lambda: len(lab.room.pipelines[following].executions) == 2)
    lab.finished(following, lab.executions(following)[0]["pipelineExecutionId"])


REFUSED_INPUTS = {
    "no JSON": "MODEL=3",
    "no object": "[]",
    "unknown members": '{"vars": []}',
    "an empty value": '{"variables":[{"name":"MODEL","value":""}]}',
    "an undeclared variable": '{"variables":[{"name":"COLOUR","value":"red"}]}',
}


@pytest.mark.parametrize("what", REFUSED_INPUTS)
def test_an_input_that_is_not_as_documented_starts_nothing(lab: Lab, starter: str, what: str) -> None:
    name = waiting_pipeline(lab, "refused")
    target = {"Arn": lab.room.arn(name), "RoleArn": starter, "Id": "t"}
    with pytest.raises(AwsError) as refusal:
        lab.room.deliver({"Arn": "arn:aws:events:us-east-1:123456789012:rule/r"}, target, {}, REFUSED_INPUTS[what])
    assert refusal.value.code == "ValidationException"
    assert len(lab.executions(name)) == 1


def test_a_target_role_that_may_not_start_the_pipeline_starts_nothing(lab: Lab) -> None:
    name = waiting_pipeline(lab, "weak")
    weak = lab.make_role("Weak", "events.amazonaws.com", ["codepipeline:GetPipeline"])
    stranger = lab.make_role("NotEvents", "codepipeline.amazonaws.com", ["codepipeline:StartPipelineExecution"])
    for role, words in ((weak, "codepipeline:StartPipelineExecution"), (stranger, "sts:AssumeRole")):
        target = {"Arn": lab.room.arn(name), "RoleArn": role, "Id": "t"}
        with pytest.raises(AwsError, match=words):
            lab.room.deliver({"Arn": "arn:aws:events:us-east-1:123456789012:rule/r"}, target, {}, None)
    assert len(lab.executions(name)) == 1


def test_an_unknown_provider_is_refused_over_the_api_too(lab: Lab) -> None:
    declaration = lab.declaration("unknown", stage("Ship", action("Ship", "Deploy", "ECS")))
    with pytest.raises(Exception, match=r"action provider ECS .* is not implemented by the rehearsal's cloud"):
        lab.create(declaration)


def test_a_plain_event_asks_for_nothing_but_the_pipeline() -> None:
    assert start_request("p", None) == {"name": "p"}
