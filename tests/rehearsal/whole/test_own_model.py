"""`make rehearse MODEL=FOLDER`: what `make new-model` made is played until its model answers in production."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from new_model.__main__ import main as new_model
from rehearsal.__main__ import main
from rehearsal.own_model import ANSWER, GOLDEN, OwnModel
from tests.new_model.tables import numeric

ACTS = ["Publish", "Launch", "Build", "Approve", "Production"]


@pytest.mark.story
def test_a_model_of_one_s_own_comes_into_production_and_answers(tmp_path: Path) -> None:
    data = numeric(tmp_path / "table.csv")
    assert new_model(["--data", str(data), "--label", "target", "--name", "mine", "--folder", str(tmp_path)]) == 0
    told_elsewhere(tmp_path / "mine")

    played = subprocess.run(
        [sys.executable, "-m", "rehearsal", "--model", str(tmp_path / "mine"), "--folder", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert played.returncode == 0, played.stdout[-5000:] + played.stderr[-2000:]
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert [act["name"] for act in report["acts"]] == ACTS
    assert report["ok"]
    assert {each.split()[1] for each in report["acts"][-1]["facts"]["scored"].split(", ")} == {"target", "not_target"}


def told_elsewhere(mine: Path) -> None:
    """Leave out of the builds what tests/new_model asks of such repositories, and what their own tests of AWS ask.

    The unit tests of model-build stay: they are what a small table can break.
    """
    build, deploy = mine / "build_repo" / "codebuild-buildspec.yml", mine / "deploy_repo" / "buildspec.yml"
    without(build, "      - make lint\n")
    without(deploy, "      - make lint-code\n      - make tested\n")
    report = deploy.read_text().partition("reports:\n")[2].partition("artifacts:\n")[0]
    without(deploy, f"reports:\n{report}")


def without(file: Path, words: str) -> None:
    text = file.read_text()
    assert text.count(words) == 1, (file, words)
    file.write_text(text.replace(words, ""))


# ---- what cannot be played


def write(folder: Path, words: Any, records: Any) -> Path:
    for place, content in ((ANSWER, words), (GOLDEN, records)):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


WORDS = {"probability": "p", "decisions": ["no", "yes"]}
RECORDS = [{"decision": each, "record": {"a": number}} for number, each in enumerate(["yes", "yes", "no"])]


def test_a_record_of_each_decision_is_asked_the_one_to_be_found_first(tmp_path: Path) -> None:
    questions = OwnModel.read(write(tmp_path / "mine", WORDS, RECORDS)).questions
    assert questions.asked == (({"a": 0}, "yes"), ({"a": 2}, "no"))
    assert (questions.project, questions.probability) == ("mine", "p")


@pytest.mark.parametrize(
    ("name", "words", "records", "said"),
    [
        ("Mine", WORDS, RECORDS, "Mine cannot be a project's name"),
        ("mine", WORDS, "[", "golden_records.json cannot be read as JSON"),
        ("mine", WORDS, RECORDS[:2], "must hold a record for each decision that answer.json beside it names"),
        ("mine", {"probability": "p"}, RECORDS, "what is missing is 'decisions'"),
        ("mine", [], RECORDS, "must hold a record for each decision"),
    ],
)
def test_a_folder_that_nobody_can_play_is_refused_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: Any, records: Any, said: str
) -> None:
    assert main(["--model", str(write(tmp_path / name, words, records))]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_that_is_not_there_or_holds_something_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", str(tmp_path / "nowhere")]) == 2
    assert "There is no folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["--model", str(tmp_path / "empty")]) == 2
    assert "answer.json is missing. The folder has to be one that 'make new-model' made" in capsys.readouterr().err


def test_only_the_story_is_played_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["up", "--model", str(tmp_path)])
    assert "--model goes with the story, not with up" in capsys.readouterr().err


def test_the_repositories_take_the_place_of_the_seeds_and_leave_behind_what_is_not_code(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine", WORDS, RECORDS)
    for place in ("build_repo/ours.py", "build_repo/build/model.bin", "deploy_repo/.venv/bin/python"):
        (mine / place).parent.mkdir(parents=True, exist_ok=True)
        (mine / place).touch()
    template = OwnModel.read(mine).template(tmp_path / "template")
    listed = subprocess.run(["git", "-C", str(template), "ls-files"], check=True, capture_output=True, text=True).stdout
    seeds = sorted(name for name in listed.splitlines() if name.startswith(("build_repo/", "deploy_repo/")))
    assert seeds == ["build_repo/ours.py", str(ANSWER), str(GOLDEN)]
    assert "cloudformation/project.yaml" in listed
