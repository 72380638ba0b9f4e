"""Versions that are rejected, on their way and in production, and versions that cannot be deployed at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import settle
from tests.rehearsal.conftest import ENVIRONMENTS
from tests.rehearsal.whole.company import Company
from tests.rehearsal.whole.releases_lab import Releases
from tests.waiting import until

QUICKLY = 300.0


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with new_cloud(CloudSettings(tmp_path_factory.mktemp("company"), ENVIRONMENTS, speed=QUICKLY)) as cloud:
        yield Company(cloud, settle(cloud))


@pytest.fixture(scope="module")
def serving(company: Company) -> tuple[Releases, str]:
    """A project whose first version is in production, and its package. The last test of the file rejects it."""
    project = Releases(company)
    return project, project.release("one")


def test_a_version_that_is_rejected_while_it_waits_for_production_is_stopped(company: Company) -> None:
    project = Releases(company)
    package = project.register("one")
    project.approve_version(package)
    [execution] = project.deployments_of(package)
    project.until_asked(execution)

    project.reject(package, "It pays for everything")

    assert project.ended(execution) == "Stopped"
    mail = until(lambda: project.mailbox.find("rejected", "It pays for everything"))
    assert execution in mail["text"]
    assert project.last() == execution, "nothing is brought back, because nothing was live"
    assert (project.answers("staging"), project.endpoint_status("prod")) == ("one", "none")


def test_the_version_before_comes_back_whatever_waits_and_whatever_was_pushed(company: Company) -> None:
    project = Releases(company)
    first, second = project.release("one"), project.release("two")
    third = project.register("three")
    project.approve_version(third)
    [waiting] = project.deployments_of(third)
    project.until_asked(waiting)
    reviewed, pushed = project.push_something("prod-config.json")
    assert project.ended(pushed) == "Failed", "nobody could deploy that configuration"

    project.reject(second, "It pays for everything")

    back = project.started_after(pushed)
    assert project.ended(back) == "Succeeded", project.actions(back)
    assert not project.was_asked(back)
    assert project.ended(waiting) == "Stopped", "it would have held up the way back"
    told = until(lambda: project.mailbox.find("rejected", "It pays for everything"))["text"]
    assert back in told
    assert reviewed[:10] in told
    assert "start it again" in until(lambda: project.mailbox.find("stopped", waiting))["text"]
    assert (project.answers("prod"), project.answers("staging")) == ("one", "one")
    described = company.scientist.client("sagemaker").describe_model_package(ModelPackageName=first)
    assert described["ModelLifeCycle"]["StageStatus"] == "Live"


def refused(project: Releases, package: str) -> str:
    """Start the deployment of a package that must be refused; why it was."""
    execution = project.start(package)
    assert project.ended(execution) == "Failed"
    said = project.log(execution)
    assert "Traceback" not in said
    assert [name for name, _, _ in project.actions(execution) if name.startswith("Deploy")] == []
    return said


def test_what_cannot_be_deployed_is_refused_before_anything_is_touched(
    company: Company, serving: tuple[Releases, str]
) -> None:
    project, _ = serving
    stacks = [project.stack_status(stage) for stage in ("staging", "prod")]
    lost, incomplete = project.register("lost"), project.register("incomplete")
    company.engineer.client("s3").delete_object(Bucket=project.bucket, Key=f"{project.group}/models/lost/model.tar.gz")

    project.approve_version(lost)
    [execution] = project.deployments_of(lost)
    assert project.ended(execution) == "Failed"
    assert "models/lost/model.tar.gz is gone" in project.log(execution)

    registry = company.cloud.services["sagemaker"]
    document = registry.model_package(incomplete).document  # type: ignore[attr-defined]
    document |= {"ModelPackageStatus": "Failed", "ModelApprovalStatus": "Approved"}
    assert "is Failed, not Completed" in refused(project, incomplete)

    assert [project.answers(stage) for stage in ("staging", "prod")] == ["one", "one"]
    assert [project.stack_status(stage) for stage in ("staging", "prod")] == stacks


def test_with_nothing_to_go_back_to_production_stays_and_people_are_told(serving: tuple[Releases, str]) -> None:
    project, only = serving
    before = project.last()

    project.reject(only, "It pays for everything")

    back = project.started_after(before)
    while project.ended(back) == "Superseded":  # the end of the deployment may bring it back, too: the later one counts
        back = project.started_after(back)
    assert project.ended(back) == "Failed"
    said = project.log(back)
    assert "nothing to go back to" in said
    assert "Production is untouched" in said
    assert project.answers("prod") == "one"
    assert project.stack_status("prod") == "CREATE_COMPLETE"
    assert until(lambda: project.mailbox.find("failed", project.pipeline, back))
