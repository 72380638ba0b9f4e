"""A production stack whose first creation failed makes room for the next; any other stays as it is."""

from __future__ import annotations

import pytest
from fake_aws import Document, FakeAws, RefusedError
from scene import JOB, PREFIX, Clock, CodePipelines, Context, Stacks, invocation

import discard_failed_creation

STACK = f"{PREFIX}-deploy-prod"
MAY_SERVE = [
    "CREATE_COMPLETE",
    "CREATE_FAILED",
    "CREATE_IN_PROGRESS",
    "DELETE_FAILED",
    "DELETE_IN_PROGRESS",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "IMPORT_ROLLBACK_FAILED",
    "REVIEW_IN_PROGRESS",
    "ROLLBACK_IN_PROGRESS",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
]


class Scene:
    """The deploy pipeline, about to deploy to production."""

    def __init__(self, account: FakeAws, clock: Clock, pipelines: CodePipelines, stacks: Stacks) -> None:
        self.account, self.clock, self.pipelines, self.stacks = account, clock, pipelines, stacks

    def run(self, seconds: float = 900.0) -> Document:
        """Run the action as CodePipeline does; the result it was given."""
        discard_failed_creation.handler(invocation(), Context(self.clock, seconds))
        (result,) = self.pipelines.results
        assert result["jobId"] == JOB
        return result

    def summary(self) -> str:
        return str(self.run()["executionDetails"]["summary"])

    def failure(self, seconds: float = 900.0) -> str:
        return str(self.run(seconds)["failureDetails"]["message"])


@pytest.fixture
def scene(
    account: FakeAws, clock: Clock, pipelines: CodePipelines, stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> Scene:
    monkeypatch.setenv("PRODUCTION_STACK_NAME", STACK)
    return Scene(account, clock, pipelines, stacks)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_a_stack_that_was_never_created_is_deleted_and_waited_for(scene: Scene, status: str) -> None:
    scene.stacks.stack(STACK, status)
    assert scene.summary() == (
        f"Deleted the stack {STACK}, which was {status}: its first creation failed and nothing was served by it"
    )
    assert STACK not in scene.stacks.stacks


@pytest.mark.parametrize("status", MAY_SERVE)
def test_any_other_stack_is_left_as_it_is(scene: Scene, status: str) -> None:
    scene.stacks.stack(STACK, status)
    assert scene.summary() == f"The stack {STACK} is {status}: nothing to discard"
    assert scene.account.asked("DeleteStack") == []


def test_every_status_that_cloudformation_knows_is_decided(scene: Scene) -> None:
    shape = scene.account.client("cloudformation").meta.service_model.shape_for("StackStatus")
    quiet = {each for each in shape.enum if each.startswith("IMPORT_") or each.endswith("_IN_PROGRESS")}
    decided = {*MAY_SERVE, *discard_failed_creation.FAILED_CREATION, "DELETE_COMPLETE", *quiet}
    assert set(shape.enum) == decided


def test_no_stack_is_nothing_to_discard(scene: Scene) -> None:
    assert scene.summary() == f"There is no stack {STACK} yet: nothing to discard"


def test_a_stack_that_was_made_meanwhile_is_another_one(scene: Scene) -> None:
    """It is deleted by its id, not by its name."""
    failed = scene.stacks.stack(STACK, "ROLLBACK_COMPLETE")
    delete = scene.stacks._delete

    def replaced_before(request: Document) -> None:
        scene.stacks.stacks.pop(STACK)
        failed["StackStatus"] = "DELETE_COMPLETE"
        scene.stacks._gone[failed["StackId"]] = failed
        scene.stacks.stack(STACK, "CREATE_COMPLETE")
        delete(request)

    scene.account.play("cloudformation", DeleteStack=replaced_before)
    assert "Deleted the stack" in scene.summary()
    assert scene.stacks.stacks[STACK]["StackStatus"] == "CREATE_COMPLETE"


def test_what_cannot_be_deleted_is_said_with_its_reason_and_what_to_do(scene: Scene) -> None:
    stack = scene.stacks.stack(STACK, "ROLLBACK_FAILED")
    stack["StackStatusReason"] = "The following resource(s) failed to delete: [Endpoint]."
    scene.stacks.deletes = lambda _: "DELETE_FAILED"
    message = scene.failure()
    assert "cannot be deleted: it is DELETE_FAILED, The following resource(s) failed to delete: [Endpoint]" in message
    assert "platform team" in message
    assert message.endswith("retry the stage's failed actions.")


def test_a_deletion_that_takes_too_long_is_answered_in_time(scene: Scene) -> None:
    scene.stacks.stack(STACK, "ROLLBACK_FAILED")
    scene.stacks.deletes = lambda _: "DELETE_IN_PROGRESS"
    assert "takes longer than this action can wait" in scene.failure(seconds=120)


def test_a_refused_call_is_answered_with_what_was_refused(scene: Scene) -> None:
    scene.stacks.stack(STACK, "ROLLBACK_COMPLETE")

    def refuse(_: Document) -> None:
        raise RefusedError("AccessDenied", "not authorized to perform: cloudformation:DeleteStack")

    scene.account.play("cloudformation", DeleteStack=refuse)
    message = scene.failure()
    assert message.startswith("AWS refused DeleteStack: AccessDenied: not authorized")
    assert "Production was not touched" in message


def test_an_accident_is_answered_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRODUCTION_STACK_NAME")
    assert "PRODUCTION_STACK_NAME" in scene.failure()


def test_a_message_that_is_too_long_keeps_what_to_do(scene: Scene) -> None:
    scene.stacks.stack(STACK, "ROLLBACK_COMPLETE")

    def refuse(_: Document) -> None:
        raise RefusedError("AccessDenied", "no " * 3000)

    scene.account.play("cloudformation", DeleteStack=refuse)
    message = scene.failure()
    assert len(message) == 5000
    assert message.endswith("retry the stage's failed actions.")
