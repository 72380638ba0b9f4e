"""Approvals that reach the project in another way than they were given, and deployments that cannot succeed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rehearsal.cloud import event_faults
from rehearsal.cloud.faults import DUPLICATED_EVENT, OBJECT_GONE, REORDERED_EVENTS, Faults
from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import settle
from tests.bad_input.conftest import ROOT, Ended
from tests.rehearsal.whole.company import Company
from tests.rehearsal.whole.releases_lab import OVER, Releases
from tests.waiting import until

QUICKLY = 300.0
SwitchOn = Callable[[str], Faults]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with new_cloud(CloudSettings(tmp_path_factory.mktemp("company"), ROOT / ".venvs", speed=QUICKLY)) as cloud:
        yield Company(cloud, settle(cloud))


@pytest.fixture(scope="module")
def project(company: Company) -> Releases:
    """One project for all of this: every case begins with what is in production, and with versions of its own."""
    made = Releases(company)
    made.release("zero")
    return made


@pytest.fixture
def switch_on(company: Company, monkeypatch: pytest.MonkeyPatch) -> SwitchOn:
    """`switch_on(OBJECT_GONE)`: a fault that strikes from now on, until the test has ended."""

    def on(name: str) -> Faults:
        faults = Faults([name])
        monkeypatch.setattr(company.cloud, "faults", faults)
        return faults

    return on


def endings(project: Releases, executions: list[str]) -> list[str]:
    """How the executions end when a person says yes to each that asks, once."""

    def over() -> list[str] | None:
        project.say_yes_to_whoever_asks()
        found = [project.status(each) for each in executions]
        return found if all(each in OVER for each in found) else None

    return list(until(over))


def version(package: str) -> str:
    return f"Version {package.rpartition('/')[2]} of"


def test_an_event_delivered_twice(project: Releases, switch_on: SwitchOn, ended: Ended) -> None:
    before = project.changes("prod", "Endpoint")
    package = project.register("twice")
    faults = switch_on(DUPLICATED_EVENT)
    project.approve_version(package)
    both = project.deployments_of(package, 2)

    found = endings(project, both)

    assert len(faults.struck(DUPLICATED_EVENT)) == 1
    deployed = both[found.index("Succeeded")]
    ended(project.status(deployed), project.question(package))
    assert version(package) in project.question(package)
    assert project.answers("prod") == "twice"
    assert project.changes("prod", "Endpoint")[len(before) :] == ["UPDATE_COMPLETE"], "the endpoint is touched once"
    project.release("thrice")


def test_events_out_of_order(
    project: Releases, switch_on: SwitchOn, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_faults, "LONGEST_HOLD", 1e9)  # until the other approval comes
    first, second = project.register("older"), project.register("newer")
    faults = switch_on(REORDERED_EVENTS)
    project.approve_version(first)
    project.approve_version(second)
    [of_second], [of_first] = project.deployments_of(second), project.deployments_of(first)
    started = [each["pipelineExecutionId"] for each in project.executions()]
    assert started.index(of_second) < started.index(of_first)
    [struck] = faults.struck(REORDERED_EVENTS)
    assert struck.index(first) < struck.index(second)

    endings(project, [of_second, of_first])

    ended(project.status(of_first), project.question(first))
    assert version(first) in project.question(first)
    assert [project.answers(stage) for stage in ("staging", "prod")] == ["older", "older"]
    assert [project.served(stage) for stage in ("staging", "prod")] == [first, first], "one version, as a whole"


def test_an_approved_version_whose_artefact_is_gone(project: Releases, switch_on: SwitchOn, ended: Ended) -> None:
    before = [project.served(stage) for stage in ("staging", "prod")]
    package = project.register("gone")
    faults = switch_on(OBJECT_GONE)
    project.approve_version(package)
    [execution] = project.deployments_of(package)

    ended(project.ended(execution), project.log(execution))

    [lost] = faults.struck(OBJECT_GONE)
    assert lost in project.log(execution)
    assert [project.served(stage) for stage in ("staging", "prod")] == before
    project.restore(lost)
    project.retry(execution, "Build")
    project.approve(execution)
    assert project.ended(execution) == "Succeeded"
    assert project.answers("prod") == "gone"


def test_a_production_update_that_fails_half_way(company: Company, project: Releases, ended: Ended) -> None:
    first, answer = project.served("prod"), project.answers("prod")
    package = project.register("half")
    project.approve_version(package)
    [execution] = project.deployments_of(package)
    project.until_asked(execution)
    project.lose("half")  # the model is made, its endpoint cannot be: staging has been tested by now

    project.approve(execution)

    assert project.ended(execution) == "Failed"
    ended(project.stack_status("prod"), project.reasons("prod"))
    assert (project.answers("prod"), project.served("prod")) == (answer, first)
    assert project.endpoint_status("prod") == "InService"
    described = company.scientist.client("sagemaker").describe_model_package(ModelPackageName=first)
    assert described["ModelLifeCycle"]["StageStatus"] == "Live", "what serves is what the registry says"
    project.release("whole")
