"""Stopping, retrying and rolling back."""

from __future__ import annotations

import copy
import threading

import pytest
from botocore.exceptions import ClientError
from pipeline_lab import Lab, approve, build, stage


def running(lab: Lab, stem: str) -> tuple[str, str, threading.Event]:
    """A pipeline whose build goes on until the event is set: its name, its execution, the event."""
    gate = threading.Event()
    lab.builds.script(f"{stem}-builder", until=gate)
    declaration = lab.declaration(stem, stage("Build", build(project=f"{stem}-builder")), stage("Next", build("Never")))
    name = declaration["name"]
    execution = lab.create(declaration)
    slot = lab.room.pipelines[name].slot("Build")
    lab.until(lambda: "Build" in slot.actions and slot.actions["Build"].external_id)
    return name, execution, gate


def stop(lab: Lab, name: str, execution: str, *, abandon: bool = False) -> None:
    lab.pipelines.stop_pipeline_execution(
        pipelineName=name, pipelineExecutionId=execution, abandon=abandon, reason="a better idea"
    )


def test_stop_and_wait_lets_the_running_action_finish(lab: Lab) -> None:
    name, execution, gate = running(lab, "wait")
    stop(lab, name, execution)
    assert lab.executions(name)[0]["status"] == "Stopping"
    assert lab.stage(name, "Build")["latestExecution"]["status"] == "Stopping"
    with pytest.raises(ClientError, match="DuplicatedStopRequestException"):
        stop(lab, name, execution)
    gate.set()
    assert lab.finished(name, execution)["status"] == "Stopped"
    assert lab.action(name, "Build", "Build")["status"] == "Succeeded"
    assert "latestExecution" not in lab.stage(name, "Next")
    assert lab.executions(name)[0]["stopTrigger"] == {"reason": "a better idea"}


def test_stop_and_abandon_does_not_wait(lab: Lab) -> None:
    name, execution, _ = running(lab, "abandon")
    stop(lab, name, execution)
    stop(lab, name, execution, abandon=True)
    assert lab.finished(name, execution)["status"] == "Stopped"
    assert lab.action(name, "Build", "Build")["status"] == "Abandoned"
    assert lab.stage(name, "Build")["latestExecution"]["status"] == "Stopped"
    with pytest.raises(ClientError, match="PipelineExecutionNotStoppableException"):
        stop(lab, name, execution)


def test_an_abandoned_approval_frees_the_stage_and_its_token_is_dead(lab: Lab) -> None:
    declaration = lab.declaration("free", stage("Approve", approve()))
    name = declaration["name"]
    first = lab.create(declaration)
    token = lab.token(name)
    second = lab.start(name)
    slot = lab.room.pipelines[name].slot("Approve")
    lab.until(lambda: slot.inbound)
    stop(lab, name, first, abandon=True)
    assert lab.finished(name, first)["status"] == "Stopped"
    with pytest.raises(ClientError, match="InvalidApprovalTokenException"):
        lab.answer(name, token)
    lab.until(lambda: slot.latest is not None and slot.latest.execution_id == second)
    lab.answer(name, lab.token(name))
    assert lab.finished(name, second)["status"] == "Succeeded"


def test_an_execution_that_waits_before_a_stage_can_be_stopped(lab: Lab) -> None:
    declaration = lab.declaration("inbound", stage("Approve", approve()))
    name = declaration["name"]
    lab.create(declaration)
    lab.token(name)
    second = lab.start(name)
    slot = lab.room.pipelines[name].slot("Approve")
    lab.until(lambda: slot.inbound)
    stop(lab, name, second)
    assert lab.finished(name, second)["status"] == "Stopped"
    assert not slot.inbound


def test_a_retry_runs_the_failed_actions_only(lab: Lab) -> None:
    lab.builds.script("flaky", status="FAILED")
    declaration = lab.declaration(
        "retry", stage("Build", build("Good", "good"), build("Bad", "flaky")), stage("Next", build("Later", "later"))
    )
    name = declaration["name"]
    execution = lab.create(declaration)
    assert lab.finished(name, execution)["status"] == "Failed"
    lab.pipelines.retry_stage_execution(
        pipelineName=name, stageName="Build", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
    )
    assert lab.finished(name, execution)["status"] == "Succeeded"
    projects = [each["projectName"] for each in lab.builds.requests]
    assert (projects.count("good"), projects.count("flaky"), projects.count("later")) == (1, 2, 1)
    lab.until(lambda: lab.states(execution)[-1] == "SUCCEEDED")
    assert lab.states(execution) == ["STARTED", "FAILED", "RESUMED", "SUCCEEDED"]
    with pytest.raises(ClientError, match="StageNotRetryableException"):
        lab.pipelines.retry_stage_execution(
            pipelineName=name, stageName="Build", pipelineExecutionId=execution, retryMode="ALL_ACTIONS"
        )


def test_a_retry_can_run_all_actions_of_the_stage(lab: Lab) -> None:
    lab.builds.script("all-flaky", status="FAILED")
    declaration = lab.declaration("again", stage("Build", build("Good", "all-good"), build("Bad", "all-flaky")))
    name = declaration["name"]
    execution = lab.create(declaration)
    lab.finished(name, execution)
    lab.pipelines.retry_stage_execution(
        pipelineName=name, stageName="Build", pipelineExecutionId=execution, retryMode="ALL_ACTIONS"
    )
    assert lab.finished(name, execution)["status"] == "Succeeded"
    assert [each["projectName"] for each in lab.builds.requests].count("all-good") == 2


def test_an_overtaken_execution_is_not_retried(lab: Lab) -> None:
    lab.builds.script("once-bad", status="FAILED")
    declaration = lab.declaration("overtaken", stage("Build", build(project="once-bad")))
    name = declaration["name"]
    first = lab.create(declaration)
    lab.finished(name, first)
    lab.finished(name, lab.start(name))
    with pytest.raises(ClientError, match="NotLatestPipelineExecutionException"):
        lab.pipelines.retry_stage_execution(
            pipelineName=name, stageName="Build", pipelineExecutionId=first, retryMode="FAILED_ACTIONS"
        )


def test_a_rollback_plays_one_stage_with_what_an_earlier_execution_brought(lab: Lab) -> None:
    declaration = lab.declaration(
        "back", stage("Deploy", build("Deploy", "back-deployer")), stage("After", build("After", "back-after"))
    )
    name = declaration["name"]
    first = lab.create(declaration)
    lab.finished(name, first)
    lab.commit({"b.txt": "b\n"}, "Worse")
    lab.finished(name, lab.start(name))
    back = lab.pipelines.rollback_stage(pipelineName=name, stageName="Deploy", targetPipelineExecutionId=first)
    execution = lab.finished(name, back["pipelineExecutionId"])
    assert (execution["status"], execution["executionType"]) == ("Succeeded", "ROLLBACK")
    assert execution["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": first}
    deployed = [each["inputs"] for each in lab.builds.requests if each["projectName"] == "back-deployer"]
    assert deployed[2] == deployed[0] != deployed[1]
    assert [each["projectName"] for each in lab.builds.requests].count("back-after") == 2


def test_a_stage_is_not_rolled_back_to_an_execution_that_failed_there(lab: Lab) -> None:
    lab.builds.script("never-good", status="FAILED")
    declaration = lab.declaration("nowhere", stage("Deploy", build(project="never-good")))
    name = declaration["name"]
    first = lab.create(declaration)
    lab.finished(name, first)
    for place, why in (("Deploy", "did not succeed in stage Deploy"), ("Source", "is the source stage")):
        with pytest.raises(ClientError, match=rf"UnableToRollbackStageException.*{why}"):
            lab.pipelines.rollback_stage(pipelineName=name, stageName=place, targetPipelineExecutionId=first)


def test_a_stage_is_not_retried_after_the_pipelines_structure_changed(lab: Lab) -> None:
    lab.builds.script("before", status="FAILED")
    declaration = lab.declaration("changed", stage("Build", build(project="before")), stage("Next", build("Later")))
    name = declaration["name"]
    execution = lab.create(declaration)
    lab.finished(name, execution)
    retry = {"pipelineName": name, "stageName": "Build", "pipelineExecutionId": execution, "retryMode": "ALL_ACTIONS"}
    changed = copy.deepcopy(declaration)
    changed["stages"][2]["actions"][0]["configuration"]["ProjectName"] = "after"
    lab.pipelines.update_pipeline(pipeline=changed)

    with pytest.raises(ClientError, match=r"StageNotRetryableException.*structure.*changed"):
        lab.pipelines.retry_stage_execution(**retry)

    lab.pipelines.update_pipeline(pipeline=declaration)  # as it was: another version of the same structure
    lab.builds.script("before")
    lab.pipelines.retry_stage_execution(**retry)
    assert lab.finished(name, execution)["status"] == "Succeeded"
