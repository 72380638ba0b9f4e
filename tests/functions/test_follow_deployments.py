"""Whoever starts a rollback: nothing holds it up, and what ends does not leave a rejected version in production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from deploying import DEPLOY, LATER, STAGING_STACK, Project
from fake_aws import Document, FakeAws, RefusedError
from scene import (
    GROUP,
    PRODUCTION,
    CodePipelines,
    Context,
    SageMaker,
    approved,
    package_arn,
    recorded,
    resolved,
    running,
    waits_for_approval,
)

import follow_deployments
import follow_rejection
import staging_stack

AFTER = LATER + timedelta(minutes=1)
ENDS = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "STOPPED": "Stopped", "SUPERSEDED": "Superseded"}
DEPLOYING = running("DeployProduction", provider="CloudFormation")


class Scene(Project):
    """Version 2, which is live, was rejected, unless a test says otherwise."""

    def rollback(self, *actions: Document) -> str:
        self.pipelines.clock.now = AFTER.timestamp()
        return self.execution(*actions, asked_for="rollback")

    def hear(self, execution_id: str, state: str = "STARTED") -> None:
        """An execution comes to a state, and the function is told."""
        if state in ENDS:
            self.pipelines.of(DEPLOY, execution_id)["status"] = ENDS[state]
        self.tell(execution_id, state)

    def tell(self, execution_id: str, state: str) -> None:
        """The function is told, whatever the listing says."""
        event = {
            "source": "aws.codepipeline",
            "detail-type": "CodePipeline Pipeline Execution State Change",
            "detail": {"pipeline": DEPLOY, "execution-id": execution_id, "state": state},
        }
        follow_deployments.handler(event, Context(self.pipelines.clock, seconds=300))

    def approve(self, version: int) -> None:
        self.sagemaker.packages[package_arn(version)]["ModelApprovalStatus"] = "Approved"


@pytest.fixture
def scene(account: FakeAws, pipelines: CodePipelines, sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(account, pipelines, sagemaker)
    made.set_variables(monkeypatch)
    return made


# ---- a rollback starts


def test_a_waiting_approval_never_holds_up_a_rollback_and_can_be_had_again(scene: Scene) -> None:
    waiting = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    scene.reject(2)
    rollback = scene.rollback()
    scene.hear(rollback)
    assert scene.stopped[waiting]["abandon"] is True
    assert scene.stopped[waiting]["reason"] == f"Makes way for the rollback {rollback}"
    subject, text = scene.only_message()
    assert subject == f"{GROUP}: a deployment was stopped, production goes back"
    assert (
        f"aws codepipeline start-pipeline-execution --name {DEPLOY} "
        f"--variables name=MODEL_PACKAGE_ARN,value={package_arn(3)}"
    ) in text


def test_an_execution_that_would_soon_wait_for_approval_makes_way_too(scene: Scene) -> None:
    staging = scene.execution(running("DeployStaging", provider="CloudFormation"), asked_for=package_arn(3))
    scene.reject(2)
    scene.hear(scene.rollback())
    assert scene.stopped[staging]["abandon"] is False


def test_an_execution_that_is_approved_as_it_is_stopped_is_not_abandoned_in_production(scene: Scene) -> None:
    """Its stack would be left in the middle of a change, and refuse that of the rollback."""
    waiting = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    stop: Callable[[Document], Document] = scene.pipelines._stop

    def overtaken(request: Document) -> Document:
        found = scene.pipelines.of(DEPLOY, waiting)
        found["actions"] = (resolved(3), approved(), DEPLOYING)
        return stop(request)

    scene.account.play("codepipeline", StopPipelineExecution=overtaken)
    scene.reject(2)
    scene.hear(scene.rollback())
    assert scene.stopped[waiting]["abandon"] is False
    _, text = scene.only_message()
    assert "Approved just before they could be stopped" in text
    assert waiting in text


def test_an_execution_that_was_stopped_but_still_waits_for_approval_is_let_go_when_the_event_is_tried_again(
    scene: Scene,
) -> None:
    waiting = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    stop: Callable[[Document], Document] = scene.pipelines._stop

    def refuse_to_abandon(request: Document) -> Document:
        if request["abandon"]:
            raise RefusedError("ConcurrentModificationException", "it changes right now")
        return stop(request)

    scene.reject(2)
    rollback = scene.rollback()
    scene.account.play("codepipeline", StopPipelineExecution=refuse_to_abandon)
    with pytest.raises(ClientError, match="ConcurrentModification"):
        scene.hear(rollback)
    scene.account.play("codepipeline", StopPipelineExecution=stop)
    scene.hear(rollback)
    assert scene.stopped[waiting]["abandon"] is True


def test_what_a_person_stopped_and_waits_for_is_not_abandoned(scene: Scene) -> None:
    stopping = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3), status="Stopping")
    scene.reject(2)
    scene.hear(scene.rollback())
    assert stopping not in scene.stopped


def test_a_rollback_that_is_retried_is_not_held_up_either(scene: Scene) -> None:
    waiting = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    scene.reject(2)
    scene.hear(scene.rollback(), "RESUMED")
    assert waiting in scene.stopped


def test_what_began_after_the_rollback_or_is_in_production_goes_on(scene: Scene) -> None:
    deploying = scene.execution(resolved(3), approved(), DEPLOYING, asked_for=package_arn(3))
    scene.reject(2)
    rollback = scene.rollback()
    later = scene.execution(asked_for="auto")
    scene.hear(rollback)
    assert not {deploying, later} & set(scene.stopped)
    assert scene.messages == []


def test_the_same_event_twice_stops_and_tells_once(scene: Scene) -> None:
    scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    scene.reject(2)
    rollback = scene.rollback()
    scene.hear(rollback)
    scene.hear(rollback)
    assert len(scene.messages) == 1


def test_a_rollback_from_an_approved_version_stops_nobody(scene: Scene) -> None:
    """Its build is refused a moment later."""
    waiting = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    scene.hear(scene.rollback())
    assert waiting not in scene.stopped


def test_a_rollback_from_a_rejected_version_on_its_way_in_makes_way(scene: Scene) -> None:
    waiting = scene.execution(resolved(1), waits_for_approval(), asked_for=package_arn(1))
    scene.execution(resolved(3), approved(), DEPLOYING, asked_for=package_arn(3))
    scene.reject(3)
    scene.hear(scene.rollback())
    assert waiting in scene.stopped


def test_the_start_of_anything_else_changes_nothing(scene: Scene) -> None:
    waiting = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    scene.reject(2)
    scene.hear(scene.execution(asked_for="auto"))
    assert waiting not in scene.stopped


def test_a_start_that_is_heard_after_the_end_stops_nobody(scene: Scene) -> None:
    waiting = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    scene.reject(2)
    rollback = scene.rollback()
    scene.pipelines.of(DEPLOY, rollback)["status"] = "Failed"
    scene.hear(rollback)
    assert waiting not in scene.stopped


# ---- a stage is retried


def test_a_stage_of_a_version_that_was_rejected_since_is_not_retried(scene: Scene) -> None:
    retried = scene.execution(resolved(3), approved(), running("DeployProduction", "CheckVersion", "Lambda"))
    scene.reject(3)
    scene.hear(retried, "RESUMED")
    assert scene.stopped[retried]["reason"] == "Version 3 was rejected in the Model Registry"


def test_a_stage_of_an_approved_version_is_retried(scene: Scene) -> None:
    retried = scene.execution(resolved(3), approved(), DEPLOYING, asked_for=package_arn(3))
    scene.hear(retried, "RESUMED")
    assert scene.stopped == {}


def test_a_rejected_version_that_a_retry_deployed_all_the_same_goes(scene: Scene) -> None:
    retried = scene.execution(resolved(3), approved(), DEPLOYING, asked_for=package_arn(3))
    scene.reject(3)
    scene.sagemaker.serve(PRODUCTION, 3)
    scene.hear(retried, "STOPPED")
    assert len(scene.rollbacks) == 1
    subject, text = scene.only_message()
    assert subject == f"{GROUP}: production still has to leave version 3"
    assert scene.rollbacks[0] in text


# ---- an execution ends


def test_a_rollback_that_a_push_superseded_is_taken_up_and_says_so(scene: Scene) -> None:
    scene.reject(2)
    rollback = scene.rollback()
    scene.execution(running("Build", "ResolvePackage"), asked_for="auto")
    scene.hear(rollback, "SUPERSEDED")
    assert len(scene.rollbacks) == 2
    _, text = scene.only_message()
    assert f"execution {rollback} of {DEPLOY}, which ended as Superseded, left it there" in text
    assert f"Execution {scene.rollbacks[0]} takes production back now" in text


def test_a_rollback_that_is_taken_up_takes_the_commit_that_production_was_last_deployed_from(scene: Scene) -> None:
    scene.execution(resolved(2), approved(), recorded(), status="Succeeded", commit="b2" * 20)
    scene.reject(2)
    rollback = scene.rollback()
    scene.execution(running("Build", "ResolvePackage"), asked_for="auto", commit="c3" * 20)
    scene.hear(rollback, "SUPERSEDED")
    [taken] = scene.account.asked("StartPipelineExecution")[-1]["sourceRevisions"]
    assert taken == {"actionName": "ModelDeploySource", "revisionType": "COMMIT_ID", "revisionValue": "b2" * 20}


def test_the_same_end_heard_twice_starts_one_rollback(scene: Scene) -> None:
    scene.reject(2)
    rollback = scene.rollback()
    scene.hear(rollback, "SUPERSEDED")
    scene.hear(rollback, "SUPERSEDED")
    assert len(scene.rollbacks) == 2
    assert len(scene.messages) == 1


def test_two_deliveries_at_the_same_moment_start_one_rollback(scene: Scene) -> None:
    """Neither sees what the other starts; CodePipeline sees that they ask for the same."""
    scene.reject(2)
    rollback = scene.rollback()
    scene.hear(rollback, "SUPERSEDED")
    (started,) = set(scene.rollbacks) - {rollback}
    scene.pipelines.of(DEPLOY, started)["status"] = "Superseded"
    scene.hear(rollback, "SUPERSEDED")
    assert set(scene.rollbacks) == {rollback, started}


@pytest.mark.parametrize("state", ["SUPERSEDED", "SUCCEEDED"])
def test_after_three_rollbacks_of_one_rejection_people_are_asked_for_help(scene: Scene, state: str) -> None:
    scene.reject(2)
    for _ in range(2):
        scene.hear(scene.rollback(), "FAILED")
    last = scene.rollback()
    scene.hear(last, state)
    assert len(scene.rollbacks) == 3
    subject, text = scene.messages[-1]
    assert subject == f"{GROUP}: production still serves rejected version 2"
    assert "3 rollbacks began by now; no further one does by itself." in text
    assert 'make rollback REASON="version 2 was rejected"' in text


def test_rollbacks_of_an_earlier_rejection_do_not_count(scene: Scene) -> None:
    for _ in range(3):
        scene.execution(asked_for="rollback", status="Failed")
    scene.reject(2)
    scene.hear(scene.rollback(), "SUPERSEDED")
    assert len(scene.rollbacks) == 5


@pytest.mark.parametrize("state", ["FAILED", "STOPPED"])
def test_a_rollback_that_failed_or_that_somebody_stopped_is_told_and_not_tried_again(scene: Scene, state: str) -> None:
    scene.reject(2)
    rollback = scene.rollback()
    scene.hear(rollback, state)
    assert scene.rollbacks == [rollback]
    subject, text = scene.only_message()
    assert subject == f"{GROUP}: production still serves rejected version 2"
    assert f"ended as {ENDS[state]}. It is not tried again by itself." in text
    assert "`make why` says what went wrong" in text


@pytest.mark.parametrize("reason", ["Version 1 was rejected in the Model Registry", "Nothing to do: another does it"])
def test_a_rollback_that_the_functions_stopped_asks_for_no_help(scene: Scene, reason: str) -> None:
    scene.reject(2)
    rollback = scene.rollback()
    scene.pipelines.of(DEPLOY, rollback)["stop"] = {"reason": reason}
    scene.hear(rollback, "STOPPED")
    assert scene.rollbacks == [rollback]
    assert scene.messages == []


@pytest.mark.parametrize("state", ENDS)
def test_an_end_that_leaves_an_approved_version_in_production_changes_nothing(scene: Scene, state: str) -> None:
    scene.hear(scene.execution(resolved(2), approved(), DEPLOYING), state)
    scene.hear(scene.rollback(), state)
    assert len(scene.rollbacks) == 1
    assert scene.messages == []


def test_an_end_far_from_production_changes_nothing(scene: Scene) -> None:
    """The rejection itself starts the way back; this would start a second one."""
    scene.reject(2)
    scene.hear(scene.execution(resolved(3), waits_for_approval()), "STOPPED")
    assert scene.rollbacks == []


def test_a_version_that_was_rejected_as_it_was_deployed_goes_again(scene: Scene) -> None:
    deployed = scene.execution(resolved(2), approved(), DEPLOYING)
    scene.reject(2)
    scene.hear(deployed, "SUCCEEDED")
    assert len(scene.rollbacks) == 1


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED"])  # recording the deployment refuses it
def test_a_challenger_that_was_rejected_on_its_way_in_leaves_the_comparison(scene: Scene, state: str) -> None:
    champion = {"VariantName": "AllTraffic", "ModelName": "model-2"}
    scene.sagemaker.besides["ProductionVariants"] = [champion, {"VariantName": "Challenger", "ModelName": "model-3"}]
    ended = scene.execution(resolved(2), approved(), DEPLOYING)
    scene.reject(3)
    for _ in range(2):  # events may come twice
        scene.hear(ended, state)
    (started,) = [each for each in scene.pipelines.executions[DEPLOY] if each["id"] != ended]
    assert started["asked_for"] == "auto"
    subject, text = scene.messages[0]
    assert subject == f"{GROUP}: rejected version 3 has to leave the comparison"
    assert f"Execution {started['id']} deploys the live version alone" in text
    assert scene.rollbacks == []


def test_a_rollback_under_way_is_enough(scene: Scene) -> None:
    scene.reject(2)
    ended = scene.rollback()
    scene.rollback()
    scene.hear(ended, "SUPERSEDED")
    assert len(scene.rollbacks) == 2


def test_a_version_that_somebody_approved_for_production_meanwhile_is_let_in(scene: Scene) -> None:
    scene.reject(2)
    rollback = scene.rollback()
    other = scene.execution(resolved(3), approved(), DEPLOYING, asked_for=package_arn(3))
    scene.hear(rollback, "SUPERSEDED")
    assert scene.rollbacks == [rollback]
    scene.hear(other, "FAILED")
    assert len(scene.rollbacks) == 2, "it did not get there, so the rejected one has to go after all"


def test_what_nobody_can_tell_is_left_alone(scene: Scene) -> None:
    scene.reject(2)
    scene.sagemaker.deleted_by_hand.add("model")
    scene.hear(scene.rollback(), "SUPERSEDED")
    assert len(scene.rollbacks) == 1


# ---- the listing lags behind the event


@pytest.mark.parametrize("state", ["SUCCEEDED", "SUPERSEDED"])
def test_an_end_that_nothing_can_follow_is_believed_before_the_listing_agrees(scene: Scene, state: str) -> None:
    scene.reject(2)
    scene.tell(scene.execution(resolved(2), approved(), DEPLOYING), state)
    assert len(scene.rollbacks) == 1


@pytest.mark.parametrize("state", ["FAILED", "STOPPED"])
def test_an_end_that_a_retry_may_have_undone_is_waited_for(scene: Scene, state: str) -> None:
    deployed = scene.execution(resolved(2), approved(), DEPLOYING)
    scene.reject(2)
    listed = scene.pipelines.of(DEPLOY, deployed)
    scene.pipelines.clock.after(20, lambda: listed.update(status=ENDS[state]))
    scene.tell(deployed, state)
    assert len(scene.rollbacks) == 1


def test_an_end_that_the_listing_never_shows_is_told_and_left_to_lambda(scene: Scene) -> None:
    deployed = scene.execution(resolved(2), approved(), DEPLOYING)
    scene.reject(2)
    with pytest.raises(follow_deployments.NotListedError, match="lists it as InProgress"):
        scene.tell(deployed, "FAILED")
    assert "lists it as InProgress" in scene.only_message()[1]


def test_a_rollback_that_is_listed_late_is_followed_all_the_same(scene: Scene) -> None:
    waiting = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    scene.reject(2)
    rollback = scene.rollback()
    listed = scene.pipelines.executions[DEPLOY]
    late = listed.pop(0)
    scene.pipelines.clock.after(20, lambda: listed.insert(0, late))
    scene.tell(rollback, "STARTED")
    assert waiting in scene.stopped


def test_an_execution_that_is_never_listed_is_told_and_left_to_lambda(scene: Scene) -> None:
    with pytest.raises(follow_deployments.NotListedError, match="does not list it"):
        scene.tell("gone", "STARTED")
    assert "does not list it" in scene.only_message()[1]


# ---- failures


def test_a_failure_is_told_with_what_people_can_do_and_left_to_lambda(scene: Scene) -> None:
    def refuse(_: Document) -> Document:
        raise RefusedError("AccessDeniedException", "not authorized to perform: codepipeline:StartPipelineExecution")

    scene.reject(2)
    rollback = scene.rollback()
    scene.account.play("codepipeline", StartPipelineExecution=refuse)
    with pytest.raises(ClientError, match="StartPipelineExecution"):
        scene.hear(rollback, "SUPERSEDED")
    subject, text = scene.only_message()
    assert subject == f"{GROUP}: an execution of the deploy pipeline could not be followed"
    assert f"Execution {rollback} of the deploy pipeline of {GROUP} is SUPERSEDED" in text
    assert "AWS refused StartPipelineExecution: AccessDeniedException" in text


def test_a_failure_that_cannot_be_told_does_not_hide_the_first(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEPLOY_PIPELINE")
    monkeypatch.delenv("NOTIFICATION_TOPIC_ARN")
    with pytest.raises(KeyError, match="DEPLOY_PIPELINE"):
        scene.hear("any")


# ---- a version is rejected in the moment its deployment ends


@contextmanager
def unlisted(scene: Scene, execution_id: str) -> Iterator[None]:
    """CodePipeline does not list an execution yet."""

    def listed(request: Document) -> Document:
        answer = scene.pipelines.list_executions(request)
        found = answer["pipelineExecutionSummaries"]
        shown = [each for each in found if each["pipelineExecutionId"] != execution_id]
        return {**answer, "pipelineExecutionSummaries": shown}

    scene.account.play("codepipeline", ListPipelineExecutions=listed)
    yield
    scene.account.play("codepipeline", ListPipelineExecutions=scene.pipelines.list_executions)


@pytest.mark.parametrize("rejection_first", [True, False])
def test_the_end_of_a_deployment_and_the_rejection_of_its_version_start_one_rollback(
    scene: Scene, rejection_first: bool
) -> None:
    """Neither function sees what the other one starts; CodePipeline sees that they ask for the same."""
    deployed = scene.execution(resolved(3), approved(), DEPLOYING, asked_for=package_arn(3), status="Succeeded")
    scene.sagemaker.serve(PRODUCTION, 3)
    event = scene.reject(3)

    def rejected() -> None:
        follow_rejection.handler(event, Context(scene.pipelines.clock))

    first, second = rejected, lambda: scene.hear(deployed, "SUCCEEDED")
    if not rejection_first:
        first, second = second, first
    first()
    (started,) = scene.rollbacks
    with unlisted(scene, started):
        second()
    assert scene.rollbacks == [started]


# ---- staging is there only while a deployment needs it

TESTED = [resolved(3), running("DeployStaging", provider="CloudFormation", status="Succeeded")]


@pytest.mark.parametrize("state", ENDS)
def test_staging_is_taken_down_when_the_last_execution_ends_however_it_ends(scene: Scene, state: str) -> None:
    scene.staging()
    scene.hear(scene.execution(*TESTED, asked_for=package_arn(3)), state)
    assert STAGING_STACK not in scene.stacks.stacks
    assert scene.messages == []


@pytest.mark.parametrize("state", ["STARTED", "RESUMED"])
def test_staging_stays_when_an_execution_begins(scene: Scene, state: str) -> None:
    scene.staging()
    scene.hear(scene.execution(*TESTED, asked_for=package_arn(3)), state)
    assert STAGING_STACK in scene.stacks.stacks


@pytest.mark.parametrize("status", ["InProgress", "Stopping"])
def test_staging_stays_for_another_execution_that_may_use_it(scene: Scene, status: str) -> None:
    scene.staging()
    ended = scene.execution(*TESTED, asked_for=package_arn(3))
    other = scene.execution(*TESTED, waits_for_approval(), asked_for=package_arn(3), status=status)
    scene.hear(ended, "SUCCEEDED")
    assert STAGING_STACK in scene.stacks.stacks
    scene.hear(other, "FAILED")
    assert STAGING_STACK not in scene.stacks.stacks


def test_staging_stays_for_the_way_back_that_an_end_starts(scene: Scene) -> None:
    scene.staging()
    deployed = scene.execution(*TESTED, approved(), DEPLOYING, asked_for=package_arn(2))
    scene.reject(2)
    scene.hear(deployed, "SUCCEEDED")
    assert len(scene.rollbacks) == 1
    assert STAGING_STACK in scene.stacks.stacks


@pytest.mark.parametrize("keep", ["true", None])
def test_staging_stays_where_the_repository_says_so_or_is_older_than_the_word(scene: Scene, keep: str | None) -> None:
    scene.staging(keep)
    scene.hear(scene.execution(*TESTED, asked_for=package_arn(3)), "SUCCEEDED")
    assert STAGING_STACK in scene.stacks.stacks


def test_a_staging_stack_that_somebody_works_on_is_left_alone(scene: Scene) -> None:
    scene.staging(status="UPDATE_IN_PROGRESS")
    scene.hear(scene.execution(*TESTED, asked_for=package_arn(3)), "SUCCEEDED")
    assert scene.account.asked("DeleteStack") == []


def test_a_stage_that_is_retried_as_its_end_is_heard_keeps_its_staging(scene: Scene) -> None:
    scene.staging()
    ended = scene.execution(*TESTED, asked_for=package_arn(3), status="Failed")

    def retried(request: Document) -> Document:
        scene.pipelines.of(DEPLOY, ended)["status"] = "InProgress"
        return scene.stacks.describe(request)

    scene.account.play("cloudformation", DescribeStacks=retried)
    scene.tell(ended, "FAILED")
    assert scene.account.asked("DeleteStack") == []


def test_a_stack_that_is_made_anew_under_the_name_is_not_meant(scene: Scene) -> None:
    old = scene.staging()
    scene.pipelines.clock.after(1.5, lambda: scene.stacks.stack(STAGING_STACK, "CREATE_IN_PROGRESS"))
    scene.hear(scene.execution(*TESTED, asked_for=package_arn(3)), "SUCCEEDED")
    assert [each["StackName"] for each in scene.account.asked("DeleteStack")] == [old["StackId"]]


def test_staging_that_cannot_be_taken_down_is_told_and_left_to_lambda(scene: Scene) -> None:
    scene.staging()["StackStatusReason"] = "The following resource(s) failed to delete: [Endpoint]."
    scene.stacks.deletes = lambda _: "DELETE_FAILED"
    with pytest.raises(staging_stack.StagingNotDeletedError):
        scene.hear(scene.execution(*TESTED, asked_for=package_arn(3)), "SUCCEEDED")
    subject, text = scene.only_message()
    assert subject == f"{GROUP}: the staging endpoint could not be taken down"
    assert "failed to delete: [Endpoint]" in text
    assert f"aws cloudformation delete-stack --stack-name {STAGING_STACK}" in text
    assert len(scene.account.asked("DeleteStack")) > 1, "what is in the way may pass"


def test_a_staging_deletion_that_an_endpoint_in_maintenance_refuses_is_asked_for_again(scene: Scene) -> None:
    scene.staging()
    asked = scene.account.asked
    scene.stacks.deletes = lambda _: "DELETE_FAILED" if len(asked("DeleteStack")) < 4 else "DELETE_COMPLETE"
    scene.hear(scene.execution(*TESTED, asked_for=package_arn(3)), "SUCCEEDED")
    assert STAGING_STACK not in scene.stacks.stacks
    assert scene.messages == []


def test_a_staging_deletion_that_failed_is_left_to_the_next_deployment(scene: Scene) -> None:
    scene.staging()
    ended = scene.execution(*TESTED, asked_for=package_arn(3))

    def meanwhile(_: object) -> str:
        scene.execution(asked_for=package_arn(4))
        return "DELETE_FAILED"

    scene.stacks.deletes = meanwhile
    scene.hear(ended, "SUCCEEDED")
    assert len(scene.account.asked("DeleteStack")) == 1
    assert scene.messages == []
