"""`make why` in the template: the cloud that is kept running, else the newest rehearsal that was played."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from rehearsal.cloud.codebuild import CodeBuild
from rehearsal.cloud.codecommit import CodeCommit
from rehearsal.cloud.codepipeline import CodePipeline
from rehearsal.cloud.resources.sagemaker import SAGEMAKER_TYPES
from rehearsal.cloud.sagemaker.api import SageMaker
from rehearsal.person import Person
from rehearsal.progress import ActRecord, Progress
from rehearsal.scene import Project
from rehearsal.watch import StoryError
from rehearsal.why import explain, explain_story, main, publish_environment, read_environment
from tests.rehearsal.conftest import StartCloud
from tests.rehearsal.why.scene import ID, NAME, Scene, buildspec
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[3]
FAILURE = {
    "title": "the model build",
    "line": "make build: no",
    "more": ["because"],
    "where": [{"what": "pipeline", "name": "p", "link": ""}, {"what": "build", "name": "b", "link": ""}],
    "link": "",
    "when": "2026-11-20T12:00:00+00:00",
    "current": True,
    "since": "",
    "cause": "refused by a verb",
    "to_try": ["Say yes."],
    "last_lines": [],
}


@pytest.fixture(scope="module")
def scene(start_cloud: StartCloud) -> Scene:
    """A project whose build has just failed."""
    scene = Scene(start_cloud([CodeBuild, CodeCommit, CodePipeline, SageMaker], SAGEMAKER_TYPES))
    scene.run("modelbuild", {"buildspec.yml": buildspec("echo make pipeline: it is Tuesday; false")})
    return scene


def run_folder(runs: Path, name: str, **report: Any) -> Path:
    folder = runs / name
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    if report:
        (folder / "report.json").write_text(json.dumps(report))
    return folder


def act(number: int, *, ok: bool, problem: str = "") -> dict[str, Any]:
    return {"number": number, "name": "Build", "ok": ok, "seconds": 1, "facts": {}, "problem": problem}


# ---- under an act that failed


def test_an_act_that_failed_is_explained_by_what_went_wrong_in_the_project(scene: Scene) -> None:
    output = StringIO()
    progress = Progress(Console(file=output, width=400))
    with pytest.raises(StoryError), progress.act(3, "Build"):
        raise StoryError("the build failed")
    progress.acts[0].seconds, progress.acts[0].ended = 3600, progress.seconds

    found = explain_story(scene.owner, Project(NAME, ID), progress)

    assert found is not None
    assert found.document["failure"]["line"] == "make pipeline: it is Tuesday"
    assert "why: make pipeline: it is Tuesday" in output.getvalue()
    assert "at:  the model build: pipeline sagemaker-claims" in output.getvalue()


class Witness:
    """Somebody whose `make why` has found a failure so many seconds after the rehearsal began."""

    def __init__(self, progress: Progress, second: float) -> None:
        self._when = datetime.now(UTC) - timedelta(seconds=progress.seconds - second)

    def run(self, *_: str, **__: object) -> str:
        return json.dumps({"failure": {**FAILURE, "when": self._when.isoformat()}})


def beside(*acts: tuple[int, bool, float, float]) -> Progress:
    """What is left of acts that were played beside each other: number, outcome, begin and end, in seconds."""
    progress = Progress(Console(file=StringIO()))
    progress._started -= 112
    for number, ok, began, ended in acts:
        progress.acts.append(ActRecord(number, "An act", ok=ok, seconds=ended - began, ended=ended))
    return progress


FAILS_EARLY = (4, False, 35.0, 60.0)
FAILS_FOR_WANT_OF_IT = (6, False, 70.0, 110.0)


@pytest.mark.parametrize(("second", "explains"), [(59.0, True), (50.0, True), (20.0, False)])
def test_what_broke_in_an_act_explains_the_acts_beside_it_that_failed_later(second: float, *, explains: bool) -> None:
    progress = beside((3, True, 10.0, 35.0), FAILS_EARLY, FAILS_FOR_WANT_OF_IT)

    found = explain_story(cast("Person", Witness(progress, second)), Project(NAME, ID), progress)

    assert (found is not None) == explains


def test_what_failed_before_the_act_began_does_not_explain_it(scene: Scene) -> None:
    assert explain(scene.owner, Project(NAME, ID), datetime.now(UTC) + timedelta(seconds=1)) is None


def test_a_project_that_was_never_launched_explains_nothing(scene: Scene) -> None:
    assert explain(scene.owner, Project("early")) is None


def test_what_cannot_be_explained_hides_no_other_failure(scene: Scene) -> None:
    assert explain(scene.owner, Project("nobody", "p-0")) is None


# ---- make why


def test_without_any_rehearsal_it_says_how_to_play_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", str(tmp_path / "nowhere")]) == 2
    assert "play one with `make rehearse`" in capsys.readouterr().err


def test_the_newest_rehearsal_is_told_from_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder(tmp_path, "20261119-080000", acts=[act(1, ok=False, problem="older")])
    run_folder(tmp_path, "20261120-080000", acts=[act(3, ok=False, problem="it broke\nhere")], why={"failure": FAILURE})

    assert main(["--runs", str(tmp_path)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "What failed: act 3, Build, of the rehearsal 20261120-080000",
        "  it broke",
        "why: make build: no",
        "     because",
        "at:  the model build: pipeline p > build b",
        "try: Say yes.",
    ]


def test_a_rehearsal_that_went_well_has_nothing_to_explain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder(tmp_path, "20261120-080000", acts=[act(1, ok=True)])

    assert main(["--runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("Nothing failed in the newest rehearsal (20261120-080000)")


def test_one_that_is_being_played_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder(tmp_path, "20261120-080000", acts=[act(1, ok=True)])
    playing = run_folder(tmp_path, "20261120-090000")
    with (playing / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert main(["--runs", str(tmp_path)]) == 0

    printed = capsys.readouterr()
    assert "is being played right now" in printed.err
    assert "20261120-080000" in printed.out


def test_the_report_can_be_read_by_tools(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder(tmp_path, "20261120-080000", acts=[act(3, ok=False)], why={"failure": FAILURE})

    assert main(["--runs", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["why"]["failure"] == FAILURE


def test_the_environment_of_a_kept_cloud_is_for_its_owner_alone(tmp_path: Path) -> None:
    given = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_SECRET_ACCESS_KEY": "a'b $c"}

    path = publish_environment(tmp_path, given)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_environment(path) == given
    sourced = subprocess.run(
        ["bash", "-c", f"source {path}; env"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "AWS_SECRET_ACCESS_KEY=a'b $c" in sourced.stdout.splitlines()


def test_a_cloud_that_is_kept_running_is_asked(tmp_path: Path) -> None:
    folder = tmp_path / "20261120-080000"
    command = [sys.executable, "-m", "rehearsal", "up", "--folder", str(folder)]
    cloud = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert cloud.stdout is not None
        address = next(found[1] for line in cloud.stdout if (found := re.match(r"export AWS_ENDPOINT_URL=(\S+)", line)))
        asked = subprocess.run(
            [sys.executable, "-m", "rehearsal.why", "--runs", str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        cloud.send_signal(signal.SIGINT)
        cloud.communicate(timeout=PATIENCE)
    # Nobody has done anything in it, and its data scientist has no rights before the template is published.
    assert asked.returncode == 2
    assert f"the cloud at {address}" in asked.stderr
    assert "sagemaker:ListProjects" in asked.stderr
    assert not (folder / "environment").exists()
