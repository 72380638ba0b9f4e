"""Whatever the template and the seeds name is kept up by somebody, and `make freshness` says until when."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from checks import support
from checks.support import Named, Support

ENDS = date(2030, 6, 30)
SUPPORTED = {("lambda-runtime", "python3.13"): Support(ENDS, "https://example.com/policy")}
NAMED = Named("lambda-runtime", "python3.13", support.ROOT / "cloudformation" / "project.yaml", 12)


def test_everything_that_is_named_is_on_the_list() -> None:
    named = support.everything()

    assert {each.kind for each in named} == {kind for kind, _ in support.known()}
    assert [each for each in named if (each.kind, each.name) not in support.known()] == []


def test_nothing_is_on_the_list_that_nobody_names() -> None:
    assert set(support.known()) == {(each.kind, each.name) for each in support.everything()}


def test_every_entry_has_a_source_to_look_the_date_up_again() -> None:
    assert [each for each in support.known().values() if not each.source.startswith("https://")] == []


@pytest.mark.parametrize(
    ("days_before", "said"),
    [
        (91, None),
        (90, "is kept up for 90 more days, until 2030-06-30"),
        (0, "is kept up for 0 more days"),
        (-1, "is no longer kept up since 2030-06-30"),
    ],
)
def test_ninety_days_before_its_end_something_is_stale(days_before: int, said: str | None) -> None:
    complaints = support.stale([NAMED, NAMED], SUPPORTED, ENDS - timedelta(days=days_before))

    if said is None:
        assert complaints == []
    else:
        (complaint,) = complaints
        assert complaint.startswith("cloudformation/project.yaml:12: python3.13 ")
        assert said in complaint
        assert "https://example.com/policy" in complaint


def test_what_is_not_on_the_list_is_said_to_be_missing() -> None:
    (complaint,) = support.stale([NAMED], {}, ENDS)
    assert "python3.13 is not among the lambda-runtime entries of checks/support.yaml" in complaint


def test_a_buildspec_s_runtimes_are_found_where_they_are_named(tmp_path: Path) -> None:
    buildspec = tmp_path / "buildspec.yml"
    buildspec.write_text("version: 0.2\nphases:\n  install:\n    runtime-versions:\n      python: 3.10\n")

    assert list(support.in_buildspec(buildspec)) == [Named("codebuild-runtime", "python 3.10", buildspec, 5)]


def test_the_image_of_the_steps_is_found_where_it_is_named(tmp_path: Path) -> None:
    knobs = tmp_path / "knobs.py"
    knobs.write_text('ROUNDS = 3\nIMAGE_VERSION = "9.9-9"\n')

    assert list(support.in_knobs(knobs)) == [Named("sagemaker-image", "xgboost 9.9-9", knobs, 2)]
