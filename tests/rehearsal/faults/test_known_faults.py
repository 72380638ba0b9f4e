"""Faults strike once, where they are asked for, and nothing that was switched on goes unnoticed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rehearsal.cloud.faults import (
    BUILD_TIMEOUT,
    FAULTS,
    FLAKY_STEP,
    GIT_NETWORK,
    THROTTLING,
    Ending,
    Faults,
    Strike,
    UnknownFaultError,
)
from rehearsal.every_fault import GROUPS
from rehearsal.progress import Progress
from rehearsal.report import report
from tests.rehearsal.faults.conftest import Faulty


def test_a_fault_strikes_once_and_says_where() -> None:
    faults = Faults([FLAKY_STEP])
    heard: list[Strike] = []
    faults.listen(heard.append)
    assert [faults.strikes(FLAKY_STEP, job) for job in ("one", "two", "three")] == [True, False, False]
    assert faults.struck(FLAKY_STEP) == ["one"]
    assert [str(strike) for strike in heard] == [f"{FAULTS[FLAKY_STEP].does} (one)"]


def test_a_fault_that_is_not_switched_on_never_strikes() -> None:
    faults = Faults([FLAKY_STEP])
    assert not faults.strikes(BUILD_TIMEOUT, "a build")
    assert faults.struck(BUILD_TIMEOUT) == []


def test_a_fault_of_several_places_strikes_once_in_each() -> None:
    faults = Faults([GIT_NETWORK])
    assert [faults.strikes(GIT_NETWORK, what, part=what) for what in ("clone", "push", "push")] == [True, True, False]


def test_a_counted_fault_is_told_once_and_counted_by_place() -> None:
    faults = Faults([THROTTLING])
    heard: list[Strike] = []
    faults.listen(heard.append)
    for service in ("s3", "iam", "s3"):
        faults.counts(THROTTLING, service)
    assert len(heard) == 1
    assert faults.struck(THROTTLING) == ["s3 (2 times)", "iam (1 times)"]


def test_a_fault_that_never_struck_is_missed() -> None:
    faults = Faults([FLAKY_STEP, BUILD_TIMEOUT, FLAKY_STEP])
    assert [fault.name for fault in faults.chosen] == [FLAKY_STEP, BUILD_TIMEOUT]
    faults.strikes(BUILD_TIMEOUT, "a build")
    assert [fault.name for fault in faults.missed()] == [FLAKY_STEP]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownFaultError) as refused:
        Faults([FLAKY_STEP, "earthquake"])
    assert "'earthquake'" in str(refused.value)
    assert [name for name in FAULTS if name not in str(refused.value)] == []


def test_every_fault_promises_one_of_the_endings() -> None:
    assert {fault.ending for fault in FAULTS.values()} == set(Ending)
    assert [fault.name for fault in FAULTS.values() if not fault.does or not fault.then] == []


def test_the_documentation_has_a_row_for_every_fault_and_for_no_other() -> None:
    page = Path(__file__).parents[3] / "docs" / "rehearsal.md"
    table = page.read_text().partition("| fault | what happens | promise |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == sorted(FAULTS)


def test_every_fault_is_played_by_the_run_of_all() -> None:
    played = [name for group in GROUPS for name in group]
    assert sorted(played) == sorted(FAULTS)


def test_the_report_holds_what_struck_and_what_is_promised_and_is_not_ok_without_a_strike(faulty: Faulty) -> None:
    cloud = faulty([FLAKY_STEP])
    progress = Progress()
    with progress.act(1, "Nothing happens"):
        pass
    document = report(cloud, progress)
    [shown] = document["faults"]
    assert shown == {
        "name": FLAKY_STEP,
        "struck": [],
        "promise": "retried: the step's retry policy starts another job",
    }
    assert not document["ok"], "a fault that never struck has shown nothing"
    cloud.faults.strikes(FLAKY_STEP, "a job")
    document = report(cloud, progress)
    assert document["faults"][0]["struck"] == ["a job"]
    assert document["ok"]
