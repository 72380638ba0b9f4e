"""Events that come twice or in another order: every deployment is whole, and the endpoint is touched no more often."""

from __future__ import annotations

import pytest

from rehearsal.cloud import event_faults
from tests.rehearsal.faults.conftest import Faulty
from tests.rehearsal.faults.deployment_lab import ENDPOINT, PIPELINE, PROVIDERS, SERVICES, Project
from tests.waiting import until


def test_an_approval_that_is_told_twice_deploys_once(faulty: Faulty) -> None:
    project = Project(faulty(["duplicated-event"], SERVICES, PROVIDERS, speed=600))
    first = project.register("one")
    project.approve(first)
    until(lambda: len(project.executions()) == 2)
    assert {each["package"] for each in project.executions()} == {first}
    project.say_yes_to_all()
    # Where both wait before one stage, the second copy takes the place of the first.
    statuses = [each["status"] for each in project.executions()]
    assert statuses[1] == "Succeeded"
    assert statuses[0] in ("Succeeded", "Superseded")
    assert project.endpoint_changes() == ["CREATE_COMPLETE"]
    assert project.served() == "one"

    project.approve(project.register("two"))
    until(lambda: len(project.executions()) == 3)
    project.say_yes_to_all()
    assert project.served() == "two", "later approvals are told once and are not held up"
    assert project.endpoint_changes() == ["CREATE_COMPLETE", "UPDATE_COMPLETE"]


def test_deploying_what_is_live_does_not_touch_the_endpoint(faulty: Faulty) -> None:
    project = Project(faulty([], SERVICES, PROVIDERS, speed=600))
    first = project.register("one")
    project.approve(first)
    until(lambda: len(project.executions()) == 1)
    project.say_yes()
    before = project.stage.sagemaker.describe_endpoint(EndpointName=ENDPOINT)
    project.lab.start(PIPELINE, variables=[{"name": "MODEL_PACKAGE_ARN", "value": first}])
    project.say_yes()
    assert [each["status"] for each in project.executions()] == ["Succeeded", "Succeeded"]
    after = project.stage.sagemaker.describe_endpoint(EndpointName=ENDPOINT)
    assert after["LastModifiedTime"] == before["LastModifiedTime"]
    assert project.endpoint_changes() == ["CREATE_COMPLETE"]


def test_an_approval_that_is_told_twice_does_not_hold_up_a_newer_one(faulty: Faulty) -> None:
    project = Project(faulty(["duplicated-event"], SERVICES, PROVIDERS, speed=600))
    first, second = project.register("one"), project.register("two")
    project.approve(first)
    until(lambda: len(project.executions()) == 2)
    project.lab.token(PIPELINE)
    project.approve(second)
    until(lambda: len(project.executions()) == 3)
    project.say_yes_to_all()
    assert project.executions()[-1]["status"] == "Succeeded"
    assert project.served() == "two"


def test_approvals_in_the_wrong_order_end_with_the_version_whose_event_came_last(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_faults, "LONGEST_HOLD", 1e9)  # until the other approval comes
    project = Project(faulty(["reordered-events"], SERVICES, PROVIDERS, speed=600))
    first, second = project.register("one"), project.register("two")
    project.approve(first)
    assert project.executions() == [], "its event is held back"
    project.approve(second)
    until(lambda: len(project.executions()) == 2)
    packages = [each["package"] for each in project.executions()]
    [struck] = project.cloud.faults.struck("reordered-events")
    assert first in struck
    assert second in struck
    assert packages == [second, first]
    project.say_yes_to_all()
    statuses = [each["status"] for each in project.executions()]
    assert statuses[1] == "Succeeded"
    assert statuses[0] in ("Succeeded", "Superseded")
    assert project.served() == "one", "the version whose event came last is live, as a whole"
    assert project.stage.sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointStatus"] == "InService"


def test_a_held_event_is_delivered_although_no_other_comes(faulty: Faulty) -> None:
    project = Project(faulty(["reordered-events"], SERVICES, PROVIDERS, speed=1200))
    project.approve(project.register("one"))
    until(lambda: len(project.executions()) == 1)
    assert project.cloud.faults.struck("reordered-events") == [], "late is not out of order"
    project.say_yes()
    assert project.served() == "one"
