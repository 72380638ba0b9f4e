"""What a stage does by itself when it fails: try again once, or go back to what was good."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from pipeline_lab import Lab, build, only_when, stage

from rehearsal.cloud.service import Document


def again(mode: str) -> Document:
    return {"result": "RETRY", "retryConfiguration": {"retryMode": mode}}


def projects(lab: Lab) -> list[str]:
    return [each["projectName"] for each in lab.builds.requests]


@pytest.mark.parametrize(("mode", "good_runs"), [("FAILED_ACTIONS", 1), ("ALL_ACTIONS", 2)])
def test_a_failed_stage_is_retried_once_by_itself(lab: Lab, mode: str, good_runs: int) -> None:
    good, bad = f"good-{mode}", f"bad-{mode}"
    lab.builds.script(bad, status="FAILED")
    declaration = lab.declaration(
        "self-healing",
        stage("Build", build("Good", good), build("Bad", bad), onFailure=again(mode)),
        stage("Next", build("Later", f"later-{mode}")),
    )
    name = declaration["name"]
    execution = lab.create(declaration)
    assert lab.finished(name, execution)["status"] == "Succeeded"
    assert [projects(lab).count(each) for each in (good, bad, f"later-{mode}")] == [good_runs, 2, 1]
    assert lab.stage(name, "Build")["retryStageMetadata"] == {
        "autoStageRetryAttempt": 1,
        "latestRetryTrigger": "AutomatedStageRetry",
    }
    lab.until(lambda: lab.states(execution)[-1] == "SUCCEEDED")  # by then its stages have been told of
    told = [
        (each["detail"]["state"], each["detail"]["pipeline-execution-attempt"])
        for each in lab.events
        if each["detail"]["execution-id"] == execution and each["detail"].get("stage") == "Build"
        if each["type"].startswith("CodePipeline Stage")
    ]
    assert told == [("STARTED", 1), ("FAILED", 1), ("RESUMED", 2), ("SUCCEEDED", 2)]


def test_a_stage_that_fails_again_stays_failed_and_a_person_may_retry_it(lab: Lab) -> None:
    for _ in range(2):
        lab.builds.script("always-bad", status="FAILED")
    declaration = lab.declaration(
        "stubborn", stage("Build", build(project="always-bad"), onFailure=again("ALL_ACTIONS"))
    )
    name = declaration["name"]
    execution = lab.create(declaration)
    assert lab.finished(name, execution)["status"] == "Failed"
    assert projects(lab).count("always-bad") == 2
    lab.pipelines.retry_stage_execution(
        pipelineName=name, stageName="Build", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
    )
    assert lab.finished(name, execution)["status"] == "Succeeded"
    assert lab.stage(name, "Build")["retryStageMetadata"] == {
        "autoStageRetryAttempt": 1,
        "manualStageRetryAttempt": 1,
        "latestRetryTrigger": "ManualStageRetry",
    }


def test_a_failed_stage_goes_back_to_its_last_good_execution(lab: Lab) -> None:
    declaration = lab.declaration(
        "careful",
        stage("Deploy", build("Deploy", "careful-deployer"), onFailure={"result": "ROLLBACK"}),
        stage("After", build("After", "careful-after")),
    )
    name = declaration["name"]
    first = lab.create(declaration)
    lab.finished(name, first)
    lab.commit({"worse.txt": "worse\n"}, "Worse")
    lab.builds.script("careful-deployer", status="FAILED")
    failed = lab.start(name)
    assert lab.finished(name, failed)["status"] == "Failed"
    back = lab.executions(name)[0]
    assert back["trigger"]["triggerType"] == "AutomatedRollback"
    assert json.loads(back["trigger"]["triggerDetail"]) == {"FailedPipelineExecutionId": failed}
    execution = lab.finished(name, back["pipelineExecutionId"])
    assert (execution["status"], execution["executionType"]) == ("Succeeded", "ROLLBACK")
    assert execution["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": first}
    deployed = [each["inputs"] for each in lab.builds.requests if each["projectName"] == "careful-deployer"]
    assert deployed[2] == deployed[0] != deployed[1]
    assert projects(lab).count("careful-after") == 1
    assert lab.stage(name, "Deploy")["latestExecution"] == {
        "pipelineExecutionId": back["pipelineExecutionId"],
        "status": "Succeeded",
        "type": "ROLLBACK",
    }


def test_without_a_good_execution_of_this_version_nothing_is_rolled_back(lab: Lab) -> None:
    declaration = lab.declaration("fresh", stage("Deploy", build(project="fresh"), onFailure={"result": "ROLLBACK"}))
    name = declaration["name"]
    lab.finished(name, lab.create(declaration))
    lab.pipelines.update_pipeline(pipeline=declaration)
    assert lab.finished(name, lab.start(name))["status"] == "Succeeded"
    lab.pipelines.update_pipeline(pipeline=declaration)
    lab.builds.script("fresh", status="FAILED")
    assert lab.finished(name, lab.start(name))["status"] == "Failed"
    assert [each["status"] for each in lab.executions(name)] == ["Failed", "Succeeded", "Succeeded"]


def test_a_rollback_that_fails_is_not_rolled_back(lab: Lab) -> None:
    declaration = lab.declaration(
        "hopeless", stage("Deploy", build(project="hopeless"), onFailure={"result": "ROLLBACK"})
    )
    name = declaration["name"]
    lab.finished(name, lab.create(declaration))
    for _ in range(2):
        lab.builds.script("hopeless", status="FAILED")
    lab.finished(name, lab.start(name))
    back = lab.executions(name)[0]
    assert lab.finished(name, back["pipelineExecutionId"])["status"] == "Failed"
    assert [each["executionType"] for each in lab.executions(name)] == ["ROLLBACK", "STANDARD", "STANDARD"]


def test_a_condition_on_success_can_roll_the_stage_back(lab: Lab) -> None:
    for latency in ("fast", "slow", "fast"):
        lab.builds.script("measured", variables={"LATENCY": latency})
    declaration = lab.declaration(
        "measured",
        stage(
            "Deploy",
            build(project="measured", namespace="Measured"),
            onSuccess=only_when("#{Measured.LATENCY}", "fast", result="ROLLBACK"),
        ),
    )
    name = declaration["name"]
    first = lab.create(declaration)
    lab.finished(name, first)
    assert lab.finished(name, lab.start(name))["status"] == "Failed"
    back = lab.executions(name)[0]
    assert back["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": first}
    assert lab.finished(name, back["pipelineExecutionId"])["status"] == "Succeeded"


def test_executions_that_succeeded_in_a_stage_are_those_of_the_present_version(lab: Lab) -> None:
    declaration = lab.declaration("filtered", stage("Build", build(project="filtered")))
    name = declaration["name"]
    lab.finished(name, lab.create(declaration))

    def good() -> list[str]:
        chosen = {"succeededInStage": {"stageName": "Build"}}
        found = lab.pipelines.list_pipeline_executions(pipelineName=name, filter=chosen)
        return [each["pipelineExecutionId"] for each in found["pipelineExecutionSummaries"]]

    assert len(good()) == 1
    lab.pipelines.update_pipeline(pipeline=declaration)
    assert good() == []
    second = lab.start(name)
    lab.finished(name, second)
    assert good() == [second]


def test_rolling_back_to_an_execution_of_another_version_is_refused(lab: Lab) -> None:
    declaration = lab.declaration("outdated", stage("Build", build(project="outdated")))
    name = declaration["name"]
    first = lab.create(declaration)
    lab.finished(name, first)
    lab.pipelines.update_pipeline(pipeline=declaration)
    lab.finished(name, lab.start(name))
    with pytest.raises(ClientError, match="PipelineExecutionOutdatedException"):
        lab.pipelines.rollback_stage(pipelineName=name, stageName="Build", targetPipelineExecutionId=first)
