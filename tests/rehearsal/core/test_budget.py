"""What a rehearsal may take is stated where it ends, and held to by `make bench`."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from rehearsal.bench_page import Figure, missed
from rehearsal.budget import ALL_ACTS, TO_PRODUCTION, budget
from rehearsal.progress import ActRecord, Progress
from rehearsal.report import report
from tests.rehearsal.conftest import StartCloud

WITHIN = Figure("a fast one", 9.0, "s", 10)
JUST = Figure("one at its limit", 10.0, "s", 10)
OVER = Figure("a slow one", 12.5, "s", 10)
FOR_INTEREST = Figure("one without a target", 1000.0, "s")


def acts(*ended: float) -> list[ActRecord]:
    return [ActRecord(number, "An act", ok=True, ended=at) for number, at in enumerate(ended, start=1)]


def test_what_was_taken_stands_beside_what_may_be_taken() -> None:
    assert budget(acts(3, 6, 20, 45, 40, 64.04, 90, 93), 93.96) == {
        "to production": {"seconds": 64.0, "of": TO_PRODUCTION},
        "all acts": {"seconds": 94.0, "of": ALL_ACTS},
    }


def test_a_story_that_never_came_to_production_has_taken_nothing_of_that() -> None:
    assert list(budget(acts(3, 6), 8.0)) == ["all acts"]
    failed = [*acts(3, 6, 20, 45, 40), ActRecord(6, "Production", ok=False, ended=41)]
    assert list(budget(failed, 42.0)) == ["all acts"]


def test_the_report_states_the_budget(start_cloud: StartCloud) -> None:
    progress = Progress(Console(file=StringIO()))
    with progress.act(1, "Publish"):
        pass
    assert report(start_cloud([]), progress)["budget"]["all acts"]["of"] == ALL_ACTS


@pytest.mark.parametrize("figures", [[], [WITHIN, JUST, FOR_INTEREST]])
def test_a_bench_within_its_targets_misses_none(figures: list[Figure]) -> None:
    assert missed(figures) is None


def test_a_bench_names_every_target_it_missed() -> None:
    said = missed([WITHIN, OVER, FOR_INTEREST, OVER])
    assert said is not None
    assert said.startswith("make bench: 2 of 3 targets were missed")
    assert said.count("a slow one: 12.50 s, at most 10 s") == 2
    assert "a fast one" not in said
