"""How executions move through a pipeline."""

from __future__ import annotations

import io
import json
import threading
import zipfile

import pytest
from botocore.exceptions import ClientError
from pipeline_lab import BUCKET, REPOSITORY, Lab, approve, build, stage


def environment(**values: str) -> dict[str, str]:
    return {"EnvironmentVariables": json.dumps([{"name": key, "value": value} for key, value in values.items()])}


def test_creating_a_pipeline_starts_it(lab: Lab) -> None:
    declaration = lab.declaration("created", stage("Build", build()))
    execution = lab.finished(declaration["name"], lab.create(declaration))
    assert execution["status"] == "Succeeded"
    assert execution["executionMode"] == "SUPERSEDED"
    assert execution["trigger"] == {"triggerType": "CreatePipeline", "triggerDetail": lab.admin.principal_arn}
    assert [lab.stage(declaration["name"], name)["latestExecution"]["status"] for name in ("Source", "Build")] == [
        "Succeeded",
        "Succeeded",
    ]


def test_a_source_action_stores_the_commit_and_says_which(lab: Lab) -> None:
    commit = lab.commit({"model/train.py": "print('train')\n"}, "Add training")
    declaration = lab.declaration("source", stage("Build", build()))
    execution = lab.finished(declaration["name"], lab.create(declaration))
    [revision] = execution["artifactRevisions"]
    assert (revision["name"], revision["revisionId"]) == ("SourceCode", commit)
    assert revision["revisionSummary"] == "Add training"
    details = lab.pipelines.list_action_executions(pipelineName=declaration["name"])["actionExecutionDetails"]
    found = next(each for each in details if each["actionName"] == "Commit")
    assert found["output"]["outputVariables"] == {
        "AuthorDate": "2023-11-14T22:13:20Z",
        "BranchName": "main",
        "CommitId": commit,
        "CommitMessage": "Add training",
        "CommitterDate": "2023-11-14T22:13:20Z",
        "RepositoryName": REPOSITORY,
    }
    [artifact] = found["output"]["outputArtifacts"]
    assert artifact["s3location"]["bucket"] == BUCKET
    assert artifact["s3location"]["key"].startswith(f"{declaration['name'][:20]}/SourceCode/")
    body = lab.s3.get_object(Bucket=BUCKET, Key=artifact["s3location"]["key"])["Body"].read()
    assert zipfile.ZipFile(io.BytesIO(body)).read("model/train.py") == b"print('train')\n"


def test_an_older_commit_is_built_when_it_is_asked_for(lab: Lab) -> None:
    declaration = lab.declaration("older", stage("Build", build()))
    lab.finished(declaration["name"], lab.create(declaration))
    wanted = [{"actionName": "Commit", "revisionType": "COMMIT_ID", "revisionValue": lab.first_commit}]
    execution = lab.start(declaration["name"], sourceRevisions=wanted)
    assert lab.finished(declaration["name"], execution)["artifactRevisions"][0]["revisionId"] == lab.first_commit


def test_a_revision_of_an_unknown_action_starts_nothing(lab: Lab) -> None:
    declaration = lab.declaration("unknown", stage("Build", build()))
    lab.create(declaration)
    wanted = [{"actionName": "Nobody", "revisionType": "COMMIT_ID", "revisionValue": lab.first_commit}]
    with pytest.raises(ClientError, match=r"ValidationException.*source action with name Nobody"):
        lab.start(declaration["name"], sourceRevisions=wanted)
    assert len(lab.executions(declaration["name"])) == 1


def test_a_missing_branch_fails_the_source_action_in_awss_words(lab: Lab) -> None:
    declaration = lab.declaration("branch", stage("Build", build()))
    declaration["stages"][0]["actions"][0]["configuration"]["BranchName"] = "nowhere"
    assert lab.finished(declaration["name"], lab.create(declaration))["status"] == "Failed"
    error = lab.action(declaration["name"], "Source", "Commit")["errorDetails"]
    assert error == {
        "code": "ConfigurationError",
        "message": "The action failed because no branch named nowhere was found in the selected AWS CodeCommit "
        f"repository {REPOSITORY}. Make sure you are using the correct branch name, and then try again. Error: null",
    }


def test_variables_reach_later_actions(lab: Lab) -> None:
    lab.builds.script("first", variables={"VERSION": "7"})
    declaration = lab.declaration(
        "variables",
        stage("One", build("First", "first", namespace="First")),
        stage(
            "Two",
            build(
                "Second",
                "second",
                configuration=environment(
                    A="#{First.VERSION}", B="#{variables.MODEL}", C="#{codepipeline.PipelineExecutionId}"
                ),
            ),
        ),
        variables=[{"name": "MODEL", "defaultValue": "auto"}],
    )
    execution = lab.create(declaration)
    answer = lab.finished(declaration["name"], execution)
    assert answer["variables"] == [{"name": "MODEL", "resolvedValue": "auto"}]
    [request] = [each for each in lab.builds.requests if each["projectName"] == "second"]
    assert request["environmentVariablesOverride"] == [
        {"type": "PLAINTEXT", "name": "A", "value": "7"},
        {"type": "PLAINTEXT", "name": "B", "value": "auto"},
        {"type": "PLAINTEXT", "name": "C", "value": execution},
    ]


def test_a_variable_nobody_produced_fails_the_action(lab: Lab) -> None:
    declaration = lab.declaration(
        "unresolved",
        stage("One", build("First", namespace="First")),
        stage("Two", build("Second", "never", configuration=environment(A="#{First.NOTHING}"))),
    )
    assert lab.finished(declaration["name"], lab.create(declaration))["status"] == "Failed"
    error = lab.action(declaration["name"], "Two", "Second")["errorDetails"]
    assert error["message"].startswith(
        "An action in this pipeline failed because one or more variables could not be resolved: Action name=Second."
    )
    assert "First.NOTHING" in error["message"]
    assert not [each for each in lab.builds.requests if each["projectName"] == "never"]


def test_pipeline_variables_are_given_defaulted_or_demanded(lab: Lab) -> None:
    declaration = lab.declaration(
        "given", stage("Build", build()), variables=[{"name": "MODEL", "defaultValue": "auto"}, {"name": "OWNER"}]
    )
    name = declaration["name"]
    lab.create(declaration)
    with pytest.raises(ClientError, match="no default value and must be given: OWNER"):
        lab.start(name)
    with pytest.raises(ClientError, match=r"not declared in pipeline .*: COLOUR"):
        lab.start(name, variables=[{"name": "COLOUR", "value": "red"}])
    with pytest.raises(ClientError, match="ValidationException"):
        lab.start(name, variables=[{"name": "OWNER", "value": "x" * 1001}])
    execution = lab.finished(name, lab.start(name, variables=[{"name": "OWNER", "value": "Ada"}]))
    assert execution["variables"] == [
        {"name": "MODEL", "resolvedValue": "auto"},
        {"name": "OWNER", "resolvedValue": "Ada"},
    ]


def test_the_same_request_token_starts_once(lab: Lab) -> None:
    declaration = lab.declaration("token", stage("Build", build()))
    lab.create(declaration)
    one, two = (lab.start(declaration["name"], clientRequestToken="once") for _ in range(2))
    assert one == two


def test_actions_run_by_run_order_and_side_by_side(lab: Lab) -> None:
    gate = threading.Event()
    for project in ("left", "right"):
        lab.builds.script(project, until=gate)
    declaration = lab.declaration(
        "order",
        stage("Build", build("Left", "left"), build("Right", "right"), build("After", "after", runOrder=2)),
    )
    name = declaration["name"]
    execution = lab.create(declaration)
    slot = lab.room.pipelines[name].slot("Build")
    lab.until(lambda: all(each in slot.actions and slot.actions[each].external_id for each in ("Left", "Right")))
    assert "latestExecution" not in lab.action(name, "Build", "After")
    assert lab.stage(name, "Build")["latestExecution"]["status"] == "InProgress"
    gate.set()
    assert lab.finished(name, execution)["status"] == "Succeeded"
    assert lab.action(name, "Build", "After")["status"] == "Succeeded"


def test_a_failed_build_says_phase_code_and_message(lab: Lab) -> None:
    lab.builds.script("bad", status="FAILED", message="Error while executing command: make test. Reason: exit status 1")
    declaration = lab.declaration("failed", stage("Build", build(project="bad")), stage("Next", build("Never")))
    assert lab.finished(declaration["name"], lab.create(declaration))["status"] == "Failed"
    assert lab.action(declaration["name"], "Build", "Build")["errorDetails"] == {
        "code": "JobFailed",
        "message": "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: "
        "Error while executing command: make test. Reason: exit status 1",
    }
    assert "latestExecution" not in lab.stage(declaration["name"], "Next")


def test_a_newer_execution_supersedes_one_that_waits(lab: Lab) -> None:
    declaration = lab.declaration("superseded", stage("Approve", approve()))
    name = declaration["name"]
    first = lab.create(declaration)
    token = lab.token(name)
    second = lab.start(name)
    slot = lab.room.pipelines[name].slot("Approve")
    lab.until(lambda: [each.execution_id for each in slot.inbound] == [second])
    assert lab.stage(name, "Approve")["inboundExecution"]["pipelineExecutionId"] == second
    third = lab.start(name)
    assert lab.finished(name, second)["status"] == "Superseded"
    assert lab.stage(name, "Approve")["latestExecution"] == {
        "pipelineExecutionId": first,
        "status": "InProgress",
        "type": "STANDARD",
    }
    lab.answer(name, token)
    assert lab.finished(name, first)["status"] == "Succeeded"
    lab.answer(name, lab.token(name))
    assert lab.finished(name, third)["status"] == "Succeeded"
    lab.until(lambda: lab.states(second)[-1] == "SUPERSEDED")
    assert lab.states(second) == ["STARTED", "SUPERSEDED"]


def test_queued_executions_wait_for_their_turn(lab: Lab) -> None:
    declaration = lab.declaration("queued", stage("Approve", approve()), executionMode="QUEUED")
    name = declaration["name"]
    executions = [lab.create(declaration), lab.start(name), lab.start(name)]
    slot = lab.room.pipelines[name].slot("Approve")
    for index, execution in enumerate(executions):
        lab.until(lambda index=index: len(slot.inbound) == 2 - index)
        assert lab.stage(name, "Approve")["latestExecution"]["pipelineExecutionId"] == execution
        lab.answer(name, lab.token(name))
        assert lab.finished(name, execution)["status"] == "Succeeded"


def test_a_closed_transition_holds_executions_until_it_is_opened(lab: Lab) -> None:
    declaration = lab.declaration("closed", stage("Build", build()))
    name = declaration["name"]
    lab.finished(name, lab.create(declaration))
    place = {"pipelineName": name, "stageName": "Build", "transitionType": "Inbound"}
    lab.pipelines.disable_stage_transition(**place, reason="maintenance")
    execution = lab.start(name)
    slot = lab.room.pipelines[name].slot("Build")
    lab.until(lambda: slot.inbound)
    shown = lab.stage(name, "Build")
    assert shown["inboundExecution"]["pipelineExecutionId"] == execution
    assert shown["inboundTransitionState"]["disabledReason"] == "maintenance"
    lab.pipelines.enable_stage_transition(**place)
    assert lab.finished(name, execution)["status"] == "Succeeded"


def test_executions_are_listed_page_by_page_newest_first(lab: Lab) -> None:
    declaration = lab.declaration("listed", stage("Build", build()))
    name = declaration["name"]
    started = [lab.create(declaration)]
    lab.finished(name, started[0])
    for _ in range(2):
        started.append(lab.start(name))
        lab.finished(name, started[-1])
    pages = list(
        lab.pipelines.get_paginator("list_pipeline_executions").paginate(
            pipelineName=name, PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["pipelineExecutionSummaries"]) for page in pages] == [2, 1]
    listed = [each for page in pages for each in page["pipelineExecutionSummaries"]]
    assert [each["pipelineExecutionId"] for each in listed] == started[::-1]
    assert listed[0]["sourceRevisions"][0]["actionName"] == "Commit"
    with pytest.raises(ClientError, match="InvalidNextTokenException"):
        lab.pipelines.list_pipeline_executions(pipelineName=name, nextToken="made up")


def test_an_update_counts_versions_and_leaves_running_executions_alone(lab: Lab) -> None:
    declaration = lab.declaration("updated", stage("Approve", approve()))
    name = declaration["name"]
    first = lab.create(declaration)
    token = lab.token(name)
    declaration["stages"].append(stage("Build", build()))
    assert lab.pipelines.update_pipeline(pipeline=declaration)["pipeline"]["version"] == 2
    assert len(lab.pipelines.get_pipeline(name=name, version=1)["pipeline"]["stages"]) == 2
    assert len(lab.pipelines.get_pipeline(name=name)["pipeline"]["stages"]) == 3
    lab.answer(name, token)
    assert lab.finished(name, first)["pipelineVersion"] == 1
    assert "latestExecution" not in lab.stage(name, "Build")


def test_an_execution_whose_next_stage_was_removed_is_cancelled(lab: Lab) -> None:
    declaration = lab.declaration("cancelled", stage("Approve", approve()), stage("Build", build()))
    name = declaration["name"]
    first = lab.create(declaration)
    token = lab.token(name)
    lab.pipelines.update_pipeline(pipeline={**declaration, "stages": declaration["stages"][:2]})
    lab.answer(name, token)
    assert lab.finished(name, first)["status"] == "Cancelled"


def test_a_deleted_pipeline_is_gone_and_lets_go_of_what_runs(lab: Lab) -> None:
    declaration = lab.declaration("deleted", stage("Approve", approve()))
    name = declaration["name"]
    lab.create(declaration)
    lab.token(name)
    run = lab.room.pipelines[name].slot("Approve").actions["Approve"]
    lab.pipelines.delete_pipeline(name=name)
    lab.pipelines.delete_pipeline(name=name)
    lab.until(lambda: run.status == "Abandoned")
    with pytest.raises(ClientError, match=f"does not have a pipeline with name '{name}'"):
        lab.pipelines.get_pipeline(name=name)


def test_a_name_is_used_once(lab: Lab) -> None:
    declaration = lab.declaration("twice", stage("Build", build()))
    lab.create(declaration)
    with pytest.raises(ClientError, match="PipelineNameInUseException"):
        lab.create(declaration)
