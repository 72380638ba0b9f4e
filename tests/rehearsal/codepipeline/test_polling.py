"""What polling code sees: the states on the way, and listings in pages."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_lab import Lab, approve, build, only_when, source, stage


def test_polling_sees_what_goes_on_and_what_waits(lab: Lab) -> None:
    gate = threading.Event()
    lab.builds.script("slow", until=gate)
    declaration = lab.declaration("seen", stage("Build", build(project="slow")), stage("Approve", approve()))
    name = declaration["name"]
    first = lab.create(declaration)
    slot = lab.room.pipelines[name].slot("Build")
    lab.until(lambda: "Build" in slot.actions and slot.actions["Build"].external_id)
    assert lab.executions(name)[0]["status"] == "InProgress"
    assert lab.stage(name, "Source")["latestExecution"]["status"] == "Succeeded"
    assert lab.stage(name, "Build")["latestExecution"] == {
        "pipelineExecutionId": first,
        "status": "InProgress",
        "type": "STANDARD",
    }
    running = lab.action(name, "Build", "Build")
    assert running["status"] == "InProgress"
    assert running["externalExecutionId"].startswith("slow:")
    assert "latestExecution" not in lab.stage(name, "Approve")
    second = lab.start(name)
    lab.until(lambda: slot.inbound)
    waiting = {"pipelineExecutionId": second, "status": "InProgress", "type": "STANDARD"}
    assert lab.stage(name, "Build")["inboundExecution"] == waiting
    assert lab.stage(name, "Build")["inboundExecutions"] == [waiting]
    [detail] = [each for each in details(lab, name, first) if each["stageName"] == "Build"]
    assert (detail["status"], detail["startTime"] <= detail["lastUpdateTime"]) == ("InProgress", True)
    gate.set()
    lab.answer(name, lab.token(name))
    assert lab.finished(name, first)["status"] == "Succeeded"
    lab.until(lambda: lab.room.pipelines[name].slot("Approve").latest.execution_id == second)  # type: ignore[union-attr]
    lab.answer(name, lab.token(name))
    assert lab.finished(name, second)["status"] == "Succeeded"


def details(lab: Lab, name: str, execution: str, **chosen: Any) -> list[dict[str, Any]]:
    answer = lab.pipelines.list_action_executions(
        pipelineName=name, filter=chosen or {"pipelineExecutionId": execution}
    )
    return list(answer["actionExecutionDetails"])


def test_a_retry_of_failed_actions_goes_on_to_those_that_never_ran(lab: Lab) -> None:
    lab.builds.script("order-bad", status="FAILED")
    declaration = lab.declaration(
        "orders",
        stage(
            "Build",
            build("Good", "order-good"),
            build("Bad", "order-bad", runOrder=2),
            build("After", "order-after", runOrder=3),
        ),
    )
    name = declaration["name"]
    execution = lab.create(declaration)
    assert lab.finished(name, execution)["status"] == "Failed"
    assert "latestExecution" not in lab.action(name, "Build", "After")
    lab.pipelines.retry_stage_execution(
        pipelineName=name, stageName="Build", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
    )
    assert lab.finished(name, execution)["status"] == "Succeeded"
    asked = [each["projectName"] for each in lab.builds.requests]
    assert [asked.count(f"order-{each}") for each in ("good", "bad", "after")] == [1, 2, 1]
    assert [each["status"] for each in details(lab, name, execution) if each["actionName"] == "Bad"] == [
        "Succeeded",
        "Failed",
    ]
    latest = details(
        lab, name, execution, latestInPipelineExecution={"pipelineExecutionId": execution, "startTimeRange": "All"}
    )
    assert [each["status"] for each in latest if each["actionName"] == "Bad"] == ["Succeeded"]


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("list_pipelines", "pipelines"),
        ("list_pipeline_executions", "pipelineExecutionSummaries"),
        ("list_action_executions", "actionExecutionDetails"),
        ("list_rule_executions", "ruleExecutionDetails"),
        ("list_tags_for_resource", "tags"),
    ],
)
def test_every_listing_is_turned_with_its_own_tokens_only(lab: Lab, operation: str, member: str) -> None:
    when = only_when("#{SourceVariables.BranchName}", "main")
    declaration = lab.declaration("pages", stage("Build", build(), beforeEntry=when))
    name = declaration["name"]
    tags = [{"key": "one", "value": "1"}, {"key": "two", "value": "2"}]
    lab.pipelines.create_pipeline(pipeline=declaration, tags=tags)
    lab.finished(name, lab.executions(name)[0]["pipelineExecutionId"])
    lab.finished(name, lab.start(name))
    where = {"list_pipelines": {}, "list_tags_for_resource": {"resourceArn": lab.room.arn(name)}}.get(
        operation, {"pipelineName": name}
    )
    call = getattr(lab.pipelines, operation)
    first = call(maxResults=1, **where)
    assert len(first[member]) == 1
    second = call(maxResults=1, nextToken=first["nextToken"], **where)
    assert len(second[member]) == 1
    assert second[member] != first[member]
    other = "list_tags_for_resource" if operation == "list_pipelines" else "list_pipelines"
    of_another = {"list_pipelines": {}, "list_tags_for_resource": {"resourceArn": lab.room.arn(name)}}[other]
    lab.create(lab.declaration("pages-more", stage("Build", build())))
    others = getattr(lab.pipelines, other)(maxResults=1, **of_another)["nextToken"]
    for token in ("made up", "ZnJvbSAw", "1", others):
        with pytest.raises(ClientError, match="InvalidNextTokenException"):
            call(nextToken=token, **where)


def test_a_newer_execution_takes_the_place_of_one_that_a_closed_transition_holds(lab: Lab) -> None:
    declaration = lab.declaration("held", stage("Build", build(project="held-builder")))
    name = declaration["name"]
    lab.finished(name, lab.create(declaration))
    place = {"pipelineName": name, "stageName": "Build", "transitionType": "Inbound"}
    lab.pipelines.disable_stage_transition(**place, reason="a freeze")
    shown = lab.stage(name, "Build")["inboundTransitionState"]
    assert (shown["enabled"], shown["disabledReason"], shown["lastChangedBy"]) == (
        False,
        "a freeze",
        lab.admin.principal_arn,
    )
    slot = lab.room.pipelines[name].slot("Build")
    older = lab.start(name)
    lab.until(lambda: [each.execution_id for each in slot.inbound] == [older])
    newer = lab.start(name)
    assert lab.finished(name, older)["status"] == "Superseded"
    lab.pipelines.enable_stage_transition(**place)
    assert lab.finished(name, newer)["status"] == "Succeeded"


def test_an_outbound_transition_is_refused_by_name(lab: Lab) -> None:
    declaration = lab.declaration("outbound", stage("Build", build()))
    name = declaration["name"]
    lab.finished(name, lab.create(declaration))
    with pytest.raises(ClientError, match="transitionType Outbound is not implemented"):
        lab.pipelines.disable_stage_transition(
            pipelineName=name, stageName="Build", transitionType="Outbound", reason="x"
        )


def test_an_action_of_another_region_is_refused_by_name(lab: Lab) -> None:
    far = {**build(), "region": "eu-west-1"}
    declaration = lab.declaration("far", stage("Build", far))
    with pytest.raises(
        ClientError, match="action Build of stage Build in another region, eu-west-1 is not implemented"
    ):
        lab.pipelines.create_pipeline(pipeline=declaration)


def test_a_source_stage_can_be_retried_after_its_branch_was_made(lab: Lab) -> None:
    declaration = lab.declaration("branchless", stage("Build", build()))
    declaration["stages"][0] = stage("Source", source(BranchName="later"))
    name = declaration["name"]
    execution = lab.create(declaration)
    assert lab.finished(name, execution)["status"] == "Failed"
    repository = lab.cloud.services["codecommit"].repository("claims")  # type: ignore[attr-defined]
    repository.git("branch", "later", "main")
    lab.pipelines.retry_stage_execution(
        pipelineName=name, stageName="Source", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
    )
    assert lab.finished(name, execution)["status"] == "Succeeded"
