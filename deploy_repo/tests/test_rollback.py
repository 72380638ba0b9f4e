"""What `make rollback` tells a person, and what it does."""

import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deployment import rollback
from deployment.errors import RefusedError
from project_tools.project import Project

from .conftest import ROOT, client
from .fake_pipeline import HEAD, NAME, DeployPipeline
from .fake_registry import BUCKET, GROUP, Registry

PROJECT = Project("fraud", "p-abc123")
REASON = "answers 5xx for large claims"
DEPLOYED = "d1" * 20


@dataclass
class World:
    """A project in which two versions were in production; the second one is live, and its pipeline rests."""

    registry: Registry
    pipeline: DeployPipeline
    first: str
    second: str

    def go_back(self, reason: str = REASON, **more: str) -> None:
        """Run `make rollback`."""
        rollback.main({"REASON": reason, **more}, PROJECT, self._client, self.pipeline.wait)

    def refusal(self, reason: str = REASON, **more: str) -> str:
        """Run `make rollback`, which must fail, and return its message."""
        with pytest.raises(RefusedError) as refusal:
            self.go_back(reason, **more)
        return str(refusal.value)

    def approval(self, arn: str) -> str:
        return str(self.registry.package(arn)["ModelApprovalStatus"])

    def then(self, *steps: Callable[[], object]) -> None:
        """Let these things happen, one each time somebody waits."""
        self.pipeline.to_come += steps

    def then_all_goes_well(self, arn: str) -> None:
        """What the project and AWS do after a rejection."""
        self.then(
            self.pipeline.start,
            lambda: self.pipeline.act("Build/ResolvePackage", "InProgress"),
            lambda: self.pipeline.act("Build/ResolvePackage", "Succeeded", "all is well", after=41),
            lambda: self.pipeline.act("DeployProduction/DeployProduction", "InProgress"),
            lambda: self.ended_well(arn),
        )

    def ended_well(self, arn: str) -> None:
        self.pipeline.act("DeployProduction/DeployProduction", "Succeeded", after=600)
        self.registry.serve(arn)
        self.pipeline.end("Succeeded")

    def _client(self, service: str) -> Any:
        return self.pipeline.codepipeline if service == "codepipeline" else self.registry.client(service)


@pytest.fixture
def world(registry: Registry) -> Iterator[World]:
    first, second = registry.register(), registry.register()
    registry.record_deployment(first, "2026-11-01T10:00:00Z")
    registry.record_deployment(second, "2026-11-02T10:00:00Z", "Live")
    registry.serve(second)
    with DeployPipeline(client("codepipeline")).answering() as pipeline:
        pipeline.start("auto", "Succeeded")
        pipeline.start(second, "Succeeded")
        yield World(registry, pipeline, first, second)


def test_it_says_what_will_happen_rejects_the_live_version_and_follows_the_way_back_to_its_end(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.then_all_goes_well(world.first)
    world.go_back()
    assert world.approval(world.second) == "Rejected"
    assert world.registry.package(world.second)["ApprovalDescription"] == REASON
    assert capsys.readouterr().out.splitlines() == [
        "fraud-prod serves version 2.",
        f"  Version 2 will be rejected in the Model Registry: {REASON}",
        "  Version 1 comes back: it is approved, and was last deployed to production at 2026-11-01T10:00:00Z.",
        "  It goes through staging and its tests again. Nobody is asked: it was approved for production before.",
        "  This repository is taken as production was last deployed from it; what was pushed since comes with the next "
        "deployment.",
        "  Version 2 serves until traffic moves, and goes on should version 1 fail on the way.",
        f"Version 2 is rejected. Waiting for {NAME} to start.",
        f"Following execution 00000000-0000-4000-8000-000000000003 of {NAME}:",
        "  Build / ResolvePackage started",
        "  Build / ResolvePackage succeeded after 41 s",
        "  DeployProduction started",
        "  DeployProduction succeeded after 600 s",
        "Done: fraud-prod serves version 1.",
    ]


def test_it_follows_no_execution_but_the_one_that_goes_back(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.pipeline.start("rollback", "Succeeded")  # an older way back
    world.then(lambda: world.pipeline.start("auto"))  # somebody pushes meanwhile
    world.then_all_goes_well(world.first)
    world.go_back()
    assert f"Following execution 00000000-0000-4000-8000-000000000005 of {NAME}:" in capsys.readouterr().out


def test_an_execution_that_has_ended_before_it_is_looked_at_is_found_nevertheless(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    def start_and_end() -> None:
        world.pipeline.start()
        world.ended_well(world.first)

    world.then(start_and_end)
    world.go_back()
    assert "Done: fraud-prod serves version 1." in capsys.readouterr().out


def test_a_reason_of_several_lines_becomes_one(world: World) -> None:
    world.then_all_goes_well(world.first)
    world.go_back("slow,\n  and wrong ")
    assert world.registry.package(world.second)["ApprovalDescription"] == "slow, and wrong"


# ---- Refused before anything is changed


@pytest.mark.parametrize("reason", ["", "  \n "])
def test_without_a_reason_nothing_is_rejected(world: World, reason: str) -> None:
    assert 'make rollback REASON="' in world.refusal(reason)
    assert world.approval(world.second) == "Approved"


def test_a_reason_longer_than_the_registry_takes_is_refused(world: World) -> None:
    assert "REASON has 1025 characters; the Model Registry takes 1024." in world.refusal("x" * 1025)
    assert world.approval(world.second) == "Approved"


def test_without_production_there_is_nothing_to_go_back_from(world: World) -> None:
    world.registry.stop_serving()
    assert world.refusal() == (
        "There is nothing to go back from: there is no endpoint fraud-prod yet. Nothing was changed."
    )


@pytest.mark.parametrize("gone", ["DescribeEndpointConfig", "DescribeModel"])
def test_a_model_that_was_deleted_by_hand_leaves_nothing_to_reject_and_says_why(world: World, gone: str) -> None:
    world.registry.refuses[gone] = "AccessDeniedException"
    assert world.refusal() == (
        "There is nothing to go back from: nobody can tell which version fraud-prod serves: its configuration or its "
        "model was deleted by hand, or has lost the project's tags. Nothing was changed."
    )
    assert world.approval(world.second) == "Approved"


def test_with_nothing_to_go_back_to_the_live_version_is_not_rejected(world: World) -> None:
    world.registry.set_approval(world.first, "Rejected")
    message = world.refusal()
    assert message.startswith("There is nothing to go back to")
    assert "Production is untouched: fraud-prod serves version 2." in message
    assert world.approval(world.second) == "Approved"


def test_when_the_only_artefact_to_go_back_to_is_gone_the_live_version_is_not_rejected(world: World) -> None:
    world.registry.lose_artefact(world.first)
    assert f"version 1: its artefact s3://{BUCKET}/models/{GROUP}/1/model.tar.gz is gone" in world.refusal()
    assert world.approval(world.second) == "Approved"


def test_a_person_who_may_not_read_the_artefact_may_go_back_nevertheless(world: World) -> None:
    world.registry.hide_artefact(world.first)
    world.then_all_goes_well(world.first)
    world.go_back()
    assert world.approval(world.second) == "Rejected"


def test_while_an_endpoint_rolls_back_by_itself_nothing_is_rejected(world: World) -> None:
    third = world.registry.register()
    world.registry.shift(third, status="RollingBack")
    assert "moving its traffic back by itself" in world.refusal()
    assert [world.approval(arn) for arn in (world.first, world.second, third)] == ["Approved"] * 3


def test_whoever_may_not_look_at_the_pipeline_is_told_before_anything_is_rejected(world: World) -> None:
    world.pipeline.refuses["ListPipelineExecutions"] = "AccessDeniedException"
    with pytest.raises(ClientError, match="AccessDeniedException"):
        world.go_back()
    assert world.approval(world.second) == "Approved"


# ---- In the middle of things


def test_in_the_middle_of_a_deployment_the_version_on_its_way_in_is_rejected_and_the_one_that_serves_comes_back(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    third = world.registry.register()
    world.registry.shift(third)
    world.then_all_goes_well(world.second)
    world.go_back()
    assert world.approval(third) == "Rejected"
    assert world.approval(world.second) == "Approved"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "fraud-prod serves version 2; version 3 is on its way in."
    assert lines[2].startswith("  Version 2 comes back: ")
    assert lines[5] == (
        "  The deployment of version 3 is not interrupted: version 3 takes all traffic before version 2 comes back, "
        "unless the alarms turn it back earlier."
    )


def test_while_only_the_configuration_is_changed_the_version_that_serves_is_rejected(world: World) -> None:
    world.registry.shift(world.second)
    world.then_all_goes_well(world.first)
    world.go_back()
    assert world.approval(world.second) == "Rejected"


def test_a_way_back_that_is_under_way_is_followed_and_nothing_more_is_rejected(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.pipeline.start("rollback")
    world.then(lambda: world.ended_well(world.first))
    world.go_back()
    assert world.approval(world.second) == "Approved"
    assert capsys.readouterr().out.startswith("A way back is under way already. Nothing more is rejected.\n")


def test_a_live_version_that_is_rejected_already_is_left_alone_and_its_way_back_is_started_again(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.registry.package(world.second).update(ModelApprovalStatus="Rejected", ApprovalDescription="biased")
    world.then(lambda: world.ended_well(world.first))
    world.go_back()
    assert world.registry.package(world.second)["ApprovalDescription"] == "biased"
    assert world.pipeline.variable() == "rollback"
    assert "  Version 2 is rejected already: biased\n" in capsys.readouterr().out


@pytest.fixture
def failed(world: World) -> World:
    """Production was deployed from one commit; the way back failed, and something was pushed since."""
    world.pipeline.start(world.second, "Succeeded", commit=DEPLOYED)
    world.pipeline.act("DeployProduction/RecordDeployment", "Succeeded")
    world.pipeline.start(commit=DEPLOYED)
    world.pipeline.act("DeployStaging/TestStaging", "Failed")
    world.pipeline.end("Failed")
    world.pipeline.start("auto", "Superseded", commit=HEAD)
    world.registry.package(world.second).update(ModelApprovalStatus="Rejected")
    return world


def test_a_way_back_that_failed_is_started_again_from_the_commit_that_production_was_deployed_from(
    failed: World, capsys: pytest.CaptureFixture[str]
) -> None:
    failed.then(lambda: failed.ended_well(failed.first))
    failed.go_back()
    assert failed.pipeline.commit() == DEPLOYED
    said = capsys.readouterr().out
    assert "Starting the way back again, from commit d1d1d1d1d1." in said
    assert "Nobody is asked" in said


def test_what_mends_it_is_taken_when_that_is_said(failed: World, capsys: pytest.CaptureFixture[str]) -> None:
    failed.then(lambda: failed.ended_well(failed.first))
    failed.go_back(HEAD="1")
    assert failed.pipeline.commit() == HEAD
    said = capsys.readouterr().out
    assert "Starting the way back again, from the newest commit." in said
    assert "a person is asked, unless production was last deployed from that one" in said


def test_the_newest_commit_is_for_ways_back_that_failed(world: World) -> None:
    assert world.refusal(HEAD="1").startswith("HEAD=1 is for a way back that failed")
    assert world.refusal(HEAD="main").startswith("HEAD is 'main'; it must be 1")
    assert world.approval(world.second) == "Approved"


# ---- When it does not go well


def test_a_pipeline_that_does_not_start_is_waited_for_only_so_long_and_the_command_that_starts_it_is_shown(
    world: World,
) -> None:
    message = world.refusal()
    assert world.pipeline.waited == rollback.START_SECONDS
    assert "/aws/sagemaker-projects/sagemaker-fraud-p-abc123-functions" in message
    assert message.endswith(
        f"aws codepipeline start-pipeline-execution --name {NAME} --variables name=MODEL_PACKAGE_ARN,value=rollback"
    )


def test_a_way_back_that_fails_names_the_action_what_it_said_and_what_serves(world: World) -> None:
    def fail() -> None:
        world.pipeline.act("DeployStaging/TestStaging", "Failed", "Build terminated with state: FAILED", after=30)
        world.pipeline.end("Failed")

    world.then(world.pipeline.start, fail)
    assert world.refusal() == (
        "The way back ended as Failed.\n"
        "  DeployStaging / TestStaging failed after 30 s: Build terminated with state: FAILED\n"
        "Now version 2, which fraud-prod serves, is Rejected.\n"
        "`make why` shows the cause. The same command starts the way back again, from the same commit; when what\n"
        "mends it was pushed, with HEAD=1 from the newest one, which needs an approval like any other."
    )


def test_a_way_back_that_was_overtaken_says_so(world: World) -> None:
    world.then(world.pipeline.start, lambda: world.pipeline.end("Superseded"))
    assert world.refusal().endswith(
        "Another execution overtook it. While production serves a rejected version, the project starts the way back\n"
        "again by itself, three times at most: the same command follows it, or starts it."
    )


def test_an_error_while_following_says_that_the_way_back_goes_on(world: World) -> None:
    world.then(
        world.pipeline.start,
        lambda: world.pipeline.refuses.update(ListActionExecutions="ExpiredTokenException"),
    )
    message = world.refusal()
    assert message.startswith("AWS refused ListActionExecutions: ExpiredTokenException: not today\n")
    assert f"The way back goes on by itself: look at {NAME} in CodePipeline" in message


def test_an_interrupt_while_following_says_that_the_way_back_goes_on(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    world.then(world.pipeline.start, interrupt)
    with pytest.raises(KeyboardInterrupt):
        world.go_back()
    assert "The way back goes on by itself" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("project_id", "message"),
    [("", "SAGEMAKER_PROJECT_NAME is set, but SAGEMAKER_PROJECT_ID is not"), ("p-abc123", "Say why, for those")],
)
def test_run_without_a_project_or_a_reason_it_ends_with_a_message_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, project_id: str, message: str
) -> None:
    for name, value in {"SAGEMAKER_PROJECT_NAME": "fraud", "SAGEMAKER_PROJECT_ID": project_id, "REASON": ""}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / "deployment" / "rollback.py"), run_name="__main__")
    assert isinstance(end.value.code, str)  # as text: Python shows it, and ends with status 1
    assert end.value.code.startswith(f"make rollback: {message}")
