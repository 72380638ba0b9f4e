"""A rejected version leaves production, or never gets there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from deploying import DEPLOY, LATER, Project
from fake_aws import Document, FakeAws, RefusedError
from scene import (
    GROUP,
    PRODUCTION,
    CodePipelines,
    Context,
    SageMaker,
    approved,
    decided,
    package_arn,
    recorded,
    resolved,
    running,
    waits_for_approval,
)

import follow_rejection


class Scene(Project):
    """Somebody rejects a version."""

    def hear(self, event: Document) -> None:
        follow_rejection.handler(event, Context(self.pipelines.clock))


@pytest.fixture
def scene(account: FakeAws, pipelines: CodePipelines, sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(account, pipelines, sagemaker)
    made.set_variables(monkeypatch)
    return made


# ---- on its way to production


def test_an_execution_that_carries_the_version_to_its_approval_is_stopped(scene: Scene) -> None:
    waiting = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    scene.hear(scene.reject(3))
    assert scene.stopped[waiting]["abandon"] is True
    assert scene.stopped[waiting]["reason"] == "Version 3 was rejected in the Model Registry"
    assert scene.rollbacks == []


def test_people_are_told_what_was_stopped_and_the_reason_given(scene: Scene) -> None:
    waiting = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    scene.hear(scene.reject(3, why="It refuses every claim over 10,000."))
    subject, text = scene.only_message()
    assert subject == f"{GROUP}: version 3 was rejected, its deployment was stopped"
    assert waiting in text
    assert "Reason given: It refuses every claim over 10,000." in text


def test_an_execution_that_has_only_the_arn_so_far_is_stopped(scene: Scene) -> None:
    building = scene.execution(running("Build", "ResolvePackage"), asked_for=package_arn(3))
    scene.hear(scene.reject(3))
    assert building in scene.stopped


def test_an_execution_that_chose_the_version_by_itself_is_stopped(scene: Scene) -> None:
    chosen = scene.execution(resolved(3), waits_for_approval(), asked_for="auto")
    scene.hear(scene.reject(3))
    assert chosen in scene.stopped


def test_a_staging_stack_in_the_middle_of_its_change_is_not_left_alone(scene: Scene) -> None:
    """Left to itself, it would refuse the change of the next execution."""
    staging = scene.execution(
        resolved(3), running("DeployStaging", provider="CloudFormation"), asked_for=package_arn(3)
    )
    scene.hear(scene.reject(3))
    assert scene.stopped[staging]["abandon"] is False


def test_executions_of_other_versions_go_on(scene: Scene) -> None:
    other = scene.execution(resolved(2), waits_for_approval(), asked_for="auto")
    scene.hear(scene.reject(3))
    assert other not in scene.stopped
    assert scene.messages == []


def test_an_execution_that_ended_meanwhile_is_no_failure(scene: Scene) -> None:
    execution = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))

    def too_late(request: Document) -> Document:
        scene.pipelines.of(DEPLOY, execution)["status"] = "Succeeded"
        raise RefusedError("PipelineExecutionNotStoppableException", "it is Succeeded")

    scene.account.play("codepipeline", StopPipelineExecution=too_late)
    scene.hear(scene.reject(3))
    assert scene.messages == []


# ---- in production


def test_rejecting_the_live_version_brings_back_the_one_before(scene: Scene) -> None:
    scene.hear(scene.reject(2))
    (rollback,) = scene.rollbacks
    subject, text = scene.only_message()
    assert subject == f"{GROUP}: version 2 was rejected, production goes back"
    assert rollback in text


def taken_by(scene: Scene) -> list[Document]:
    """The sources that the newest execution was told to take."""
    overrides: list[Document] = scene.account.asked("StartPipelineExecution")[-1].get("sourceRevisions", [])
    return overrides


def test_a_rollback_takes_the_commit_that_production_was_last_deployed_from(scene: Scene) -> None:
    scene.execution(resolved(1), approved(), recorded(), status="Succeeded", commit="a1" * 20)
    scene.execution(resolved(2), approved(), recorded(), status="Succeeded", commit="b2" * 20)
    scene.execution(resolved(2), approved(), running("DeployProduction"), status="Failed", commit="c3" * 20)
    scene.execution(resolved(2), waits_for_approval(), commit="d4" * 20)
    scene.hear(scene.reject(2))
    assert taken_by(scene) == [
        {"actionName": "ModelDeploySource", "revisionType": "COMMIT_ID", "revisionValue": "b2" * 20}
    ]
    text = next(text for subject, text in scene.messages if "production goes back" in subject)
    assert (
        "as production was last deployed from it (b2b2b2b2b2): what was pushed since then comes with the next" in text
    )


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Stopped"])
def test_however_that_deployment_ended_and_however_many_came_after_it(scene: Scene, status: str) -> None:
    scene.execution(resolved(2), approved(), recorded(), status=status, commit="b2" * 20)
    for number in range(30):
        scene.execution(resolved(2), status="Superseded" if number % 3 else "Failed", commit="c3" * 20)
    scene.hear(scene.reject(2))
    assert [each["revisionValue"] for each in taken_by(scene)] == ["b2" * 20]


def test_a_rollback_takes_the_newest_commit_when_nothing_says_from_which_production_was_deployed(scene: Scene) -> None:
    scene.execution(resolved(2), approved(), running("DeployProduction"), status="Failed", commit="c3" * 20)
    scene.hear(scene.reject(2))
    assert taken_by(scene) == []
    assert "You are asked before production" in scene.only_message()[1]


def test_a_rejected_challenger_leaves_production_and_the_live_version_stays(scene: Scene) -> None:
    challenger = {"VariantName": "Challenger", "ModelName": "model-3"}
    champion = {"VariantName": "AllTraffic", "ModelName": "model-2"}
    scene.sagemaker.besides["ProductionVariants"] = [challenger, champion]
    scene.hear(scene.reject(3))
    assert scene.rollbacks == []
    (started,) = [each for each in scene.pipelines.executions[DEPLOY] if each["asked_for"] == "auto"]
    subject, text = scene.only_message()
    assert subject == f"{GROUP}: version 3 was rejected, it is taken out of the comparison"
    assert f"Execution {started['id']} of {DEPLOY} deploys the live version alone" in text


def test_an_execution_that_waits_with_the_challenger_is_stopped_and_begins_again_without_it(scene: Scene) -> None:
    waiting = scene.execution(resolved(2), decided(2, "yes", challenger=3), waits_for_approval(), asked_for="auto")
    event = scene.reject(3)
    for _ in range(2):  # events may come twice
        scene.hear(event)
    assert scene.stopped[waiting]["reason"] == "Version 3, its challenger, was rejected in the Model Registry"
    (started,) = [each for each in scene.pipelines.executions[DEPLOY] if each["id"] != waiting]
    assert started["asked_for"] == "auto"
    subject, text = scene.only_message()
    assert subject == f"{GROUP}: version 3 was rejected, it is taken out of the comparison"
    assert f"- execution {waiting}" in text
    assert f"Execution {started['id']} of {DEPLOY} begins again without it" in text


def test_while_the_challenger_leaves_production_what_would_bring_it_anew_is_stopped_too(scene: Scene) -> None:
    champion = {"VariantName": "AllTraffic", "ModelName": "model-2"}
    scene.sagemaker.besides["ProductionVariants"] = [champion, {"VariantName": "Challenger", "ModelName": "model-3"}]
    arn = package_arn(1)
    waiting = scene.execution(resolved(1), decided(1, "yes", challenger=3), waits_for_approval(), asked_for=arn)
    scene.hear(scene.reject(3))
    assert waiting in scene.stopped
    (started,) = [each for each in scene.pipelines.executions[DEPLOY] if each["id"] != waiting]
    assert started["asked_for"] == "auto"
    assert (
        f"start the newest of them again with:\n    aws codepipeline start-pipeline-execution --name {DEPLOY}"
        in (scene.only_message()[1])
    )


def test_a_rollback_is_not_stopped_for_the_challenger_that_it_leaves_in_place(scene: Scene) -> None:
    rollback = scene.execution(resolved(1), decided(1, "no", challenger=3), asked_for="rollback")
    scene.hear(scene.reject(3))
    assert rollback not in scene.stopped


def test_a_rejected_champion_goes_back_whatever_challenges_it(scene: Scene) -> None:
    champion = {"VariantName": "AllTraffic", "ModelName": "model-2"}
    scene.sagemaker.besides["ProductionVariants"] = [{"VariantName": "Challenger", "ModelName": "model-3"}, champion]
    scene.hear(scene.reject(2))
    assert len(scene.rollbacks) == 1


def test_a_version_that_is_being_deployed_to_production_is_not_interrupted_but_followed(scene: Scene) -> None:
    deploying = scene.execution(
        resolved(3), approved(), running("DeployProduction", provider="CloudFormation"), asked_for=package_arn(3)
    )
    scene.hear(scene.reject(3))
    assert deploying not in scene.stopped
    assert len(scene.rollbacks) == 1
    assert "about to be live" in scene.only_message()[1]


def test_a_version_that_is_approved_for_production_while_it_is_being_stopped_is_followed(scene: Scene) -> None:
    execution = scene.execution(resolved(3), waits_for_approval(), asked_for=package_arn(3))
    stop: Callable[[Document], Document] = scene.pipelines._stop

    def overtaken(request: Document) -> Document:
        found = scene.pipelines.of(DEPLOY, execution)
        found["actions"] = (*found["actions"], running("DeployProduction", provider="CloudFormation"))
        return stop(request)

    scene.account.play("codepipeline", StopPipelineExecution=overtaken)
    scene.hear(scene.reject(3))
    assert len(scene.rollbacks) == 1
    assert scene.stopped[execution]["abandon"] is False


def test_a_rollback_that_is_on_its_way_is_not_started_again(scene: Scene) -> None:
    scene.execution(running("Build", "ResolvePackage"), asked_for="rollback", started=LATER)
    scene.hear(scene.reject(2))
    assert len(scene.rollbacks) == 1
    assert scene.messages == []


def test_rejecting_the_version_that_a_rollback_brings_back_goes_back_further(scene: Scene) -> None:
    scene.sagemaker.packages[package_arn(2)]["ModelApprovalStatus"] = "Rejected"
    first = scene.execution(resolved(1), running("DeployStaging", provider="CloudFormation"), asked_for="rollback")
    scene.hear(scene.reject(1))
    assert first in scene.stopped
    assert len(scene.rollbacks) == 2


def test_a_rollback_that_could_not_be_followed_by_another_is_followed_when_the_event_is_tried_again(
    scene: Scene,
) -> None:
    def refuse(_: Document) -> Document:
        raise RefusedError("ConcurrentPipelineExecutionsLimitExceededException", "too many executions")

    scene.sagemaker.packages[package_arn(2)]["ModelApprovalStatus"] = "Rejected"
    first = scene.execution(resolved(1), running("DeployStaging", provider="CloudFormation"), asked_for="rollback")
    event = scene.reject(1)
    scene.account.play("codepipeline", StartPipelineExecution=refuse)
    with pytest.raises(ClientError, match="ConcurrentPipelineExecutionsLimitExceeded"):
        scene.hear(event)
    scene.account.play("codepipeline", StartPipelineExecution=scene.pipelines._start)
    scene.hear(event)
    assert first in scene.stopped
    assert len(scene.rollbacks) == 2


def test_rejecting_the_version_that_a_rollback_deploys_right_now_goes_back_further(scene: Scene) -> None:
    scene.execution(resolved(1), running("DeployProduction", provider="CloudFormation"), asked_for="rollback")
    scene.hear(scene.reject(1))
    assert len(scene.rollbacks) == 2


@pytest.mark.parametrize("status", ["Failed", "Creating", "Deleting"])
def test_an_endpoint_that_answers_nobody_has_no_live_version(scene: Scene, status: str) -> None:
    scene.sagemaker.serve(PRODUCTION, 2, status)
    scene.hear(scene.reject(2))
    assert scene.rollbacks == []


@pytest.mark.parametrize("gone", ["config", "model"])
def test_a_model_that_was_deleted_by_hand_is_no_failure(scene: Scene, gone: str) -> None:
    """A role that is limited by tags may not look at what is not there."""
    scene.sagemaker.deleted_by_hand.add(gone)
    scene.hear(scene.reject(2))
    assert scene.rollbacks == []
    assert scene.messages == []


def test_a_live_version_is_followed_while_its_endpoint_is_being_updated(scene: Scene) -> None:
    scene.sagemaker.serve(PRODUCTION, 2, "Updating")
    scene.hear(scene.reject(2))
    assert len(scene.rollbacks) == 1


# ---- neither


def test_rejecting_any_other_version_changes_nothing_and_tells_nobody(scene: Scene) -> None:
    scene.hear(scene.reject(1))
    assert scene.stopped == {}
    assert scene.rollbacks == []
    assert scene.messages == []


def test_rejecting_a_version_of_a_project_without_production_changes_nothing(scene: Scene) -> None:
    scene.sagemaker.endpoints.clear()
    scene.hear(scene.reject(1))
    assert scene.rollbacks == []


# ---- events as they come


def test_an_event_that_comes_twice_starts_one_rollback_and_sends_one_message(scene: Scene) -> None:
    event = scene.reject(2)
    scene.hear(event)
    scene.hear(event)
    assert len(scene.rollbacks) == 1
    assert len(scene.messages) == 1


def test_an_event_that_comes_while_its_rollback_deploys_says_nothing_more(scene: Scene) -> None:
    event = scene.reject(2)
    scene.hear(event)
    scene.pipelines.of(DEPLOY, scene.rollbacks[0])["actions"] = (
        resolved(1),
        running("DeployProduction", provider="CloudFormation"),
    )
    scene.hear(event)
    assert len(scene.rollbacks) == 1
    assert len(scene.messages) == 1


def test_an_event_that_comes_after_its_rollback_failed_claims_no_other_one(scene: Scene) -> None:
    """CodePipeline answers with the first one when it is asked with the same token."""
    event = scene.reject(2)
    scene.hear(event)
    scene.pipelines.of(DEPLOY, scene.rollbacks[0])["status"] = "Failed"
    scene.hear(event)
    assert len(scene.rollbacks) == 1
    (_, (subject, text)) = scene.messages
    assert subject == f"{GROUP}: production still serves rejected version 2"
    assert f"{scene.rollbacks[0]} of {DEPLOY}, which should take it back, ended as Failed" in text


def test_an_event_that_comes_after_its_rollback_was_superseded_starts_another(scene: Scene) -> None:
    event = scene.reject(2)
    scene.hear(event)
    first = scene.rollbacks[0]
    scene.pipelines.of(DEPLOY, first)["status"] = "Superseded"
    scene.hear(event)
    second = scene.rollbacks[0]
    assert second != first
    (_, (_, text)) = scene.messages
    assert f"Execution {second} takes production back now" in text


def test_an_event_that_comes_after_its_rollback_succeeded_says_nothing_more(scene: Scene) -> None:
    event = scene.reject(2)
    scene.hear(event)
    scene.pipelines.of(DEPLOY, scene.rollbacks[0])["status"] = "Succeeded"
    scene.sagemaker.serve(PRODUCTION, 1)
    scene.hear(event)
    assert len(scene.rollbacks) == len(scene.messages) == 1


def test_two_events_at_the_same_moment_start_one_rollback(scene: Scene) -> None:
    """Neither sees the other's execution yet; CodePipeline sees that they ask for the same."""
    event = scene.reject(2)
    nobody: Callable[[Document], Document] = lambda _: {"pipelineExecutionSummaries": []}  # noqa: E731
    scene.account.play("codepipeline", ListPipelineExecutions=nobody)
    scene.hear(event)
    scene.hear(event)
    assert len(scene.rollbacks) == 1


def test_rejecting_the_same_version_again_later_starts_another_rollback(scene: Scene) -> None:
    event = scene.reject(2)
    scene.hear(event)
    scene.pipelines.of(DEPLOY, scene.rollbacks[0])["status"] = "Failed"
    event["detail"]["LastModifiedTime"] = (LATER + timedelta(days=1)).isoformat()
    scene.hear(event)
    assert len(scene.rollbacks) == 2


def test_a_late_event_of_a_version_that_is_approved_again_changes_nothing(scene: Scene) -> None:
    event = scene.reject(2)
    scene.sagemaker.packages[package_arn(2)]["ModelApprovalStatus"] = "Approved"
    scene.hear(event)
    assert scene.rollbacks == []


def test_a_late_event_of_a_version_that_was_deleted_changes_nothing(scene: Scene) -> None:
    event = scene.reject(2)
    del scene.sagemaker.packages[package_arn(2)]
    scene.hear(event)
    assert scene.rollbacks == []


def test_an_execution_that_may_be_choosing_the_version_right_now_is_waited_for(scene: Scene) -> None:
    """It read the registry before the rejection and has not told yet what it chose."""
    choosing = scene.execution(running("Build", "ResolvePackage"), asked_for="auto")
    chosen = scene.pipelines.of(DEPLOY, choosing)
    event = scene.reject(3)
    scene.pipelines.clock.after(300, lambda: chosen.update(actions=(resolved(3), waits_for_approval())))
    scene.hear(event)
    assert choosing in scene.stopped
    assert "its deployment was stopped" in scene.only_message()[0]


def test_an_execution_that_chooses_another_version_is_left_alone(scene: Scene) -> None:
    choosing = scene.execution(running("Build", "ResolvePackage"), asked_for="auto")
    chosen = scene.pipelines.of(DEPLOY, choosing)
    event = scene.reject(3)
    scene.pipelines.clock.after(300, lambda: chosen.update(actions=(resolved(2), waits_for_approval())))
    scene.hear(event)
    assert scene.stopped == {}
    assert scene.messages == []


def test_an_execution_that_never_says_what_it_chose_is_named_to_people(scene: Scene) -> None:
    choosing = scene.execution(running("Build", "ResolvePackage"), asked_for="auto")
    event = scene.reject(3)
    with pytest.raises(follow_rejection.StillResolvingError, match=choosing):
        scene.hear(event)
    subject, text = scene.only_message()
    assert subject == f"{GROUP}: version 3 was rejected, and following that failed"
    assert choosing in text


def test_an_execution_that_began_after_the_rejection_cannot_choose_the_version(scene: Scene) -> None:
    scene.execution(running("Build", "ResolvePackage"), asked_for="auto", started=LATER + timedelta(seconds=1))
    scene.hear(scene.reject(3))
    assert scene.stopped == {}


def test_a_message_that_cannot_be_sent_does_not_hold_up_the_rollback(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFICATION_TOPIC_ARN", f"{scene.topic}-gone")
    scene.hear(scene.reject(2))
    assert len(scene.rollbacks) == 1


# ---- failures


def test_a_failure_is_told_with_what_people_can_do_and_left_to_lambda(scene: Scene) -> None:
    def refuse(_: Document) -> Document:
        raise RefusedError("AccessDeniedException", "not authorized to perform: codepipeline:StartPipelineExecution")

    scene.account.play("codepipeline", StartPipelineExecution=refuse)
    with pytest.raises(ClientError, match="StartPipelineExecution"):
        scene.hear(scene.reject(2))
    subject, text = scene.only_message()
    assert subject == f"{GROUP}: version 2 was rejected, and following that failed"
    assert "AWS refused StartPipelineExecution: AccessDeniedException" in text
    assert 'make rollback REASON="version 2 was rejected"' in text
    assert "tried again by itself" in text


def test_an_event_that_makes_no_sense_is_told_too(scene: Scene) -> None:
    with pytest.raises(KeyError):
        scene.hear({"detail": {}})
    assert "ModelPackageArn" in scene.only_message()[1]


@pytest.mark.parametrize("broken", ["NOTIFICATION_TOPIC_ARN", "MODEL_PACKAGE_GROUP_NAME"])
def test_a_failure_that_cannot_be_told_does_not_hide_the_first(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.delenv("DEPLOY_PIPELINE")
    monkeypatch.delenv(broken)
    with pytest.raises(KeyError, match="DEPLOY_PIPELINE"):
        scene.hear(scene.reject(2))
