"""An approval whose event is held comes after that of another approval, or late and after all that happened since."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.event_faults import Entry, EventFaults
from rehearsal.cloud.faults import Faults

REORDERED = "reordered-events"


def event(source: str, kind: str, of: str, **detail: Any) -> Entry:
    return {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "Resources": [of]}


def decided(package: str, status: str = "Approved") -> Entry:
    changed = {"ModelApprovalStatus": status, "UpdatedModelPackageFields": ["ModelApprovalStatus"]}
    return event("aws.sagemaker", "SageMaker Model Package State Change", package, **changed)


BUILD = event("aws.codebuild", "CodeBuild Build State Change", "build:1")
REGISTERED = event("aws.sagemaker", "SageMaker Model Package State Change", "pkg/2", ModelApprovalStatus="Pending")


class Bus:
    """A bus without a cloud; `time_is_up` ends the longest hold."""

    def __init__(self, *faults: str) -> None:
        self.faults = Faults(faults)
        self.clock = self
        self.stopping = threading.Event()
        self.put: list[Entry] = []
        self.time_is_up: Callable[[], None] = lambda: None
        self._faults = EventFaults(cast("Cloud", self), self.put.append)

    def background(self, _: str, work: Callable[[], None]) -> None:
        self.time_is_up = work

    def wait(self, seconds: float, until: threading.Event) -> None:
        assert seconds > 0
        assert not until.is_set()

    def emit(self, *entries: Entry) -> list[str]:
        for entry in entries:
            self.put.extend(self._faults.what_comes(entry))
        return [f"{each['Resources'][0]}" for each in self.put]


@pytest.mark.parametrize("other", [BUILD, REGISTERED, decided("pkg/1", "Rejected")])
def test_what_is_no_approval_lets_a_held_approval_go_by_no_means(other: Entry) -> None:
    bus = Bus(REORDERED)
    assert bus.emit(decided("pkg/1"), other) == other["Resources"]
    assert bus.faults.struck(REORDERED) == []


def test_a_held_approval_comes_after_another_one() -> None:
    bus = Bus(REORDERED)
    assert bus.emit(decided("pkg/1"), BUILD, decided("pkg/2"), decided("pkg/3")) == [
        "build:1",
        "pkg/2",
        "pkg/1",
        "pkg/3",
    ]
    [struck] = bus.faults.struck(REORDERED)
    assert struck.index("pkg/1") < struck.index("pkg/2")


def test_a_held_approval_comes_late_when_no_other_follows() -> None:
    bus = Bus(REORDERED)
    bus.emit(decided("pkg/1"), BUILD)
    bus.time_is_up()
    assert bus.emit() == ["build:1", "pkg/1"]
    [struck] = bus.faults.struck(REORDERED)
    assert "pkg/1 came after CodeBuild Build State Change of build:1" in struck


def test_late_is_not_out_of_order() -> None:
    bus = Bus(REORDERED)
    bus.emit(decided("pkg/1"))
    bus.time_is_up()
    assert bus.emit(BUILD) == ["pkg/1", "build:1"]
    assert [fault.name for fault in bus.faults.missed()] == [REORDERED]


def test_nothing_comes_any_more_once_the_cloud_stops() -> None:
    bus = Bus(REORDERED)
    bus.emit(decided("pkg/1"), BUILD)
    bus._faults._cloud.clock.wait = lambda *_, **__: bus.stopping.set()  # type: ignore[method-assign, assignment]
    bus.time_is_up()
    assert bus.emit() == ["build:1"]
