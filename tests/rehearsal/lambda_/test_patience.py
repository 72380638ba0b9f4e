"""Who waits for a function's report gives up as AWS would, however fast or slow this machine is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.lambda_ import patience
from rehearsal.cloud.lambda_.patience import MOST_OF_A_LOOK, Patience

SPEED = 600.0


class Machine:
    """A function and a clock in the test's hands."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.works = False
        self.services = {"lambda": self}
        self.clock = Clock(SPEED)

    def busy(self, _function: str) -> bool:
        return self.works


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    made = Machine()
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def looks(machine: Machine, waiting: Patience, every: float) -> int:
    """The looks, so many seconds apart, until nobody waits any more."""
    count = 0
    while True:
        count += 1
        machine.now += every
        if waiting.over():
            return count


def test_nothing_that_will_come_is_waited_for_at_the_clouds_speed(machine: Any) -> None:
    assert looks(machine, Patience(machine, "f", 300.0), every=0.1) == 5


def test_a_function_at_work_is_given_the_time_it_takes(machine: Any) -> None:
    machine.works = True
    assert looks(machine, Patience(machine, "f", 300.0), every=0.1) >= 2999


def test_a_machine_that_stood_still_costs_no_more_than_a_look(machine: Any) -> None:
    waiting = Patience(machine, "f", 300.0)
    machine.now += 3600
    assert not waiting.over()
    assert looks(machine, waiting, every=0.01) > (300.0 / SPEED - MOST_OF_A_LOOK) / 0.01 - 2
