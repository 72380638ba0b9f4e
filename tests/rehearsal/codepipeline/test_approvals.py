"""Manual approvals: asked for, given, refused, late."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipeline_lab import Lab, approve, build, stage

from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Credentials


@pytest.fixture(scope="session")
def approver(lab: Lab) -> Credentials:
    """Somebody who may answer the approvals of pipelines called `allowed-...` only."""
    lab.make_role(
        "Approver",
        "codepipeline.amazonaws.com",
        ["codepipeline:PutApprovalResult"],
        lab.room.arn("allowed-*/Approve/Approve"),
    )
    return lab.cloud.identity.session_of(f"arn:aws:iam::{lab.cloud.account}:role/Approver", "ada")


def waiting(lab: Lab, stem: str, **configuration: str) -> tuple[str, str, str]:
    """A pipeline that waits for an approval: its name, its execution, the token."""
    declaration = lab.declaration(stem, stage("Approve", approve(**configuration)), stage("Build", build()))
    execution = lab.create(declaration)
    return declaration["name"], execution, lab.token(declaration["name"])


def published(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every message that is published to a topic from now on."""
    messages: list[dict[str, Any]] = []
    client = lab.cloud.client

    def listening(service: str, credentials: Credentials) -> Any:
        made = client(service, credentials)
        if service == "sns":
            publish = made.publish

            def heard(**arguments: Any) -> Any:
                answer = publish(**arguments)
                with lab.room.changed:
                    messages.append(arguments)
                    lab.room.changed.notify_all()
                return answer

            made.publish = heard
        return made

    monkeypatch.setattr(lab.cloud, "client", listening)
    return messages


def test_an_approval_lets_the_execution_go_on_and_remembers_who(lab: Lab, approver: Credentials) -> None:
    name, execution, token = waiting(lab, "allowed")
    lab.client("codepipeline", approver).put_approval_result(
        pipelineName=name,
        stageName="Approve",
        actionName="Approve",
        token=token,
        result={"status": "Approved", "summary": "numbers are good"},
    )
    assert lab.finished(name, execution)["status"] == "Succeeded"
    shown = lab.action(name, "Approve", "Approve")
    assert (shown["status"], shown["summary"]) == ("Succeeded", "numbers are good")
    assert shown["lastUpdatedBy"] == approver.principal_arn
    assert "token" not in shown


def test_a_rejection_fails_the_stage_and_says_who_and_why(lab: Lab) -> None:
    name, execution, token = waiting(lab, "rejected")
    lab.answer(name, token, "Rejected", "recall is too low")
    assert lab.finished(name, execution)["status"] == "Failed"
    assert lab.stage(name, "Approve")["latestExecution"]["status"] == "Failed"
    assert lab.action(name, "Approve", "Approve")["errorDetails"]["message"] == (
        f"Rejected by {lab.admin.principal_arn}: recall is too low"
    )
    assert "latestExecution" not in lab.stage(name, "Build")


def test_answering_needs_a_grant_on_the_action(lab: Lab, approver: Credentials) -> None:
    name, _, token = waiting(lab, "forbidden")
    with pytest.raises(ClientError) as refusal:
        lab.client("codepipeline", approver).put_approval_result(
            pipelineName=name,
            stageName="Approve",
            actionName="Approve",
            token=token,
            result={"status": "Approved", "summary": ""},
        )
    assert refusal.value.response["Error"]["Code"] == "AccessDeniedException"
    assert f"codepipeline:PutApprovalResult on resource: {lab.room.arn(name)}/Approve/Approve" in str(refusal.value)
    lab.answer(name, token)


def test_a_stage_or_action_that_is_not_there_is_named(lab: Lab) -> None:
    name, _, token = waiting(lab, "names")
    place = {"pipelineName": name, "token": token, "result": {"status": "Approved", "summary": ""}}
    with pytest.raises(ClientError, match=r"StageNotFoundException.*'Nowhere'"):
        lab.pipelines.put_approval_result(stageName="Nowhere", actionName="Approve", **place)
    with pytest.raises(ClientError, match=r"ActionNotFoundException.*'Nobody'"):
        lab.pipelines.put_approval_result(stageName="Approve", actionName="Nobody", **place)
    lab.answer(name, token)


def test_a_topic_gets_the_documented_message(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = published(lab, monkeypatch)
    topic = lab.client("sns").create_topic(Name="approvals")["TopicArn"]
    commit = lab.commit({"a.txt": "a\n"}, "For the message")
    name, _, token = waiting(
        lab,
        "topic",
        NotificationArn=topic,
        CustomData="Commit #{SourceVariables.CommitId}",
        ExternalEntityLink="https://example.com/#{SourceVariables.BranchName}",
    )
    lab.until(lambda: messages)
    [message] = messages
    assert message["TopicArn"] == topic
    document = json.loads(message["Message"])
    assert (document["region"], set(document)) == ("us-east-1", {"region", "consoleLink", "approval"})
    expires = document["approval"].pop("expires")
    assert expires.endswith("Z")
    link = f"https://console.aws.amazon.com/codepipeline/home?region=us-east-1#/view/{name}/Approve/Approve/approve/"
    assert document["approval"] == {
        "pipelineName": name,
        "stageName": "Approve",
        "actionName": "Approve",
        "token": token,
        "externalEntityLink": "https://example.com/main",
        "approvalReviewLink": f"{link}{token}",
        "customData": f"Commit {commit}",
    }
    assert lab.action(name, "Approve", "Approve")["externalExecutionUrl"] == "https://example.com/main"
    lab.answer(name, token)


def test_a_role_that_may_not_publish_fails_the_approval(lab: Lab) -> None:
    topic = lab.client("sns").create_topic(Name="approvals")["TopicArn"]
    lab.grant("PipelineRole", [grant for grant in lab.grants if grant != "sns:Publish"])
    try:
        declaration = lab.declaration("mute", stage("Approve", approve(NotificationArn=topic)))
        assert lab.finished(declaration["name"], lab.create(declaration))["status"] == "Failed"
    finally:
        lab.grant("PipelineRole", lab.grants)
    error = lab.action(declaration["name"], "Approve", "Approve")["errorDetails"]
    assert error["code"] == "PermissionError"
    assert "sns:Publish" in error["message"]


def test_a_token_is_good_for_one_answer(lab: Lab) -> None:
    name, execution, token = waiting(lab, "once")
    lab.answer(name, token)
    lab.finished(name, execution)
    with pytest.raises(ClientError, match=r"ApprovalAlreadyCompletedException.*Approved by") as refusal:
        lab.answer(name, token, "Rejected", "too late")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert lab.action(name, "Approve", "Approve")["summary"] == "fine"


@pytest.mark.parametrize(
    ("token", "code"),
    [("7e9b6a52-3f1c-4d0e-9a1b-5c8d2e4f6071", "InvalidApprovalTokenException"), ("let-me-in", "ValidationException")],
)
def test_a_token_of_no_approval_is_refused(lab: Lab, token: str, code: str) -> None:
    name, _, right = waiting(lab, "guessed")
    with pytest.raises(ClientError, match=code):
        lab.answer(name, token)
    assert lab.token(name) == right
    lab.answer(name, right)


def test_nobody_answering_fails_the_action_after_its_timeout(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def at_once(seconds: float) -> float:
        waits.append(seconds)
        return 0.0

    monkeypatch.setattr(lab.cloud.clock, "real_seconds", at_once)
    declaration = lab.declaration("late", stage("Approve", {**approve(), "timeoutInMinutes": 5}))
    name = declaration["name"]
    assert lab.finished(name, lab.create(declaration))["status"] == "Failed"
    assert 300 in waits
    error = lab.action(name, "Approve", "Approve")["errorDetails"]
    assert error["message"] == "The approval action timed out: nobody approved or rejected it within 5 minutes"
    approval = lab.room.pipelines[name].slot("Approve").actions["Approve"].approval
    assert approval is not None
    with pytest.raises(ClientError, match=r"InvalidApprovalTokenException.*has expired"):
        lab.answer(name, approval.token)


def test_an_approval_waits_seven_days_unless_it_says_otherwise(lab: Lab) -> None:
    name, _, token = waiting(lab, "week")
    run = lab.room.pipelines[name].slot("Approve").actions["Approve"]
    assert run.approval is not None
    assert run.started <= run.approval.expires - 7 * 24 * 3600 <= time.time()
    lab.answer(name, token)


@pytest.mark.parametrize("minutes", [4, 86401])
def test_a_timeout_aws_does_not_take_is_refused(lab: Lab, minutes: int) -> None:
    declaration = lab.declaration("bounds", stage("Approve", {**approve(), "timeoutInMinutes": minutes}))
    with pytest.raises(AwsError, match="ValidationException"):
        lab.cloud.call(lab.admin, "codepipeline", "CreatePipeline", {"pipeline": declaration})
