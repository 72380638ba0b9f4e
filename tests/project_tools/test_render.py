"""What people read: three short blocks, wrapped at the width of their terminal, with nothing cut that they may copy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from project_tools.findings import Answer, Failure, Place, Success
from project_tools.project import Project
from project_tools.render import ago, text

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROJECT = Project("claims", "p-1")
LINK = "https://eu-west-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/sagemaker-claims-p-1-modelbuild/view"
FAILURE = Failure(
    title="the model build",
    line="FAILED tests/test_model.py::test_learns - assert 1 == 2",
    more=("1 failed",),
    where=(
        Place("pipeline", "sagemaker-claims-p-1-modelbuild, execution 1, Failed", LINK),
        Place("command", "make test"),
    ),
    link=LINK,
    when=NOW - timedelta(minutes=12),
    current=True,
    since="",
    cause="unit test",
    to_try=("`make test` runs the same tests on your machine.",),
    last_lines=(),
)


def test_three_blocks() -> None:
    assert text(Answer(PROJECT, FAILURE), NOW, 100, bold=False).splitlines() == [
        "What failed: the model build, 12 minutes ago",
        "    FAILED tests/test_model.py::test_learns - assert 1 == 2",
        "    1 failed",
        "",
        "Where",
        "  pipeline  sagemaker-claims-p-1-modelbuild, execution 1, Failed",
        "  command   make test",
        "  time      2026-11-20 11:48:00 UTC",
        f"  look      {LINK}",
        "",
        "What to try",
        "  `make test` runs the same tests on your machine.",
    ]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_it_is_as_wide_as_the_terminal_but_cuts_no_word(width: int) -> None:
    lines = text(Answer(PROJECT, FAILURE, not_read=("You may not read a log. " * 5,)), NOW, width, bold=False)

    too_long = [line for line in lines.splitlines() if len(line) > width]
    assert all(len(line.split()) <= 2 for line in too_long), too_long
    assert LINK in lines


def test_colour_codes_are_for_terminals_only() -> None:
    assert "\x1b" not in text(Answer(PROJECT, FAILURE), NOW, 80, bold=False)
    assert "\x1b[1mWhere\x1b[0m" in text(Answer(PROJECT, FAILURE), NOW, 80, bold=True)


def test_what_was_asked_for_and_succeeded_is_not_told_as_a_failure() -> None:
    place = Place("execution", "abc of SageMaker pipeline claims-prod, Succeeded")
    success = Success("the batch runs of production", "It did", ("s3://b/manifest.json",), (place,), "", FAILURE.when)

    assert text(Answer(PROJECT, None, success=success), NOW, 100, bold=False).splitlines() == [
        "What succeeded: the batch runs of production, 12 minutes ago",
        "    It did",
        "    s3://b/manifest.json",
        "",
        "Where",
        "  execution abc of SageMaker pipeline claims-prod, Succeeded",
        "  time      2026-11-20 11:48:00 UTC",
    ]
    assert Answer(PROJECT, None, success=success).document()["success"]["when"] == "2026-11-20T11:48:00+00:00"


def test_nothing_failed_is_one_line() -> None:
    assert text(Answer(PROJECT, None), NOW, 80, bold=False) == "Nothing failed in project claims (p-1)."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "just now"), (60, "1 minute ago"), (7200, "2 hours ago"), (90000, "1 day ago"), (-5, "just now")],
)
def test_how_long_ago(seconds: int, words: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == words


def test_the_document_for_tools_is_plain_data() -> None:
    document = Answer(PROJECT, FAILURE).document()

    assert document["failure"]["when"] == "2026-11-20T11:48:00+00:00"
    assert document["failure"]["where"][1] == {"what": "command", "name": "make test", "link": ""}
