"""Acts that are played beside each other wait for what the other brings about, and never for what cannot come."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from rehearsal.scene import Milestone
from rehearsal.watch import StoryError
from tests.waiting import PATIENCE


def test_an_act_waits_for_a_milestone() -> None:
    milestone = Milestone("version 2 was registered")
    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(milestone.wait)
        assert not waiting.done()
        milestone.reach()
        waiting.result(timeout=PATIENCE)


def test_nobody_waits_for_what_will_not_come_and_everybody_hears_why() -> None:
    milestone = Milestone("version 2 was registered")
    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(milestone.wait)
        milestone.give_up(StoryError("the build failed"))
        with pytest.raises(StoryError, match=r"ended before version 2 was registered: the build failed"):
            waiting.result(timeout=PATIENCE)


def test_what_was_reached_stays_reached() -> None:
    milestone = Milestone("version 2 was registered")
    milestone.reach()
    milestone.give_up(StoryError("a later act failed"))
    milestone.wait()
