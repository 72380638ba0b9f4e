"""As many builds run at the same time as there are turns; the others wait in QUEUED, in the order they were started."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.cloud.codebuild import runner
from rehearsal.cloud.codebuild.turns import Turns
from tests.rehearsal.codebuild.conftest import Lab, failed_phase, phases
from tests.waiting import until


@pytest.fixture
def one_at_a_time(lab: Lab) -> Iterator[Lab]:
    kept = lab.room.turns
    lab.room.turns = Turns(1)
    yield lab
    lab.room.turns = kept


def source(folder: Path, command: str) -> Path:
    folder.mkdir()
    (folder / "buildspec.yml").write_text(json.dumps({"version": 0.2, "phases": {"build": {"commands": [command]}}}))
    return folder


def phase(lab: Lab, build: str) -> str:
    return str(lab.client.batch_get_builds(ids=[build])["builds"][0]["currentPhase"])


def test_builds_beyond_the_limit_wait_and_come_in_order(one_at_a_time: Lab, tmp_path: Path) -> None:
    lab, go, order = one_at_a_time, tmp_path / "go", tmp_path / "order"
    wait = f"while [ ! -e {go} ]; do sleep 0.02; done; echo first >> {order}"
    first = lab.start(lab.project("first"), source(tmp_path / "1", wait))
    until(lambda: phase(lab, first) == "BUILD")
    second = lab.start(lab.project("second"), source(tmp_path / "2", f"echo second >> {order}"))
    third = lab.start(lab.project("third"), source(tmp_path / "3", f"echo third >> {order}"))
    assert [phase(lab, each) for each in (second, third)] == ["QUEUED", "QUEUED"]
    go.touch()
    ended = [lab.ended(each) for each in (first, second, third)]
    assert [each["buildStatus"] for each in ended] == ["SUCCEEDED"] * 3
    assert order.read_text().split() == ["first", "second", "third"]
    assert phases(ended[2])[:3] == ["SUBMITTED", "QUEUED", "PROVISIONING"]


def test_a_queued_build_that_is_stopped_waits_no_longer(one_at_a_time: Lab, tmp_path: Path) -> None:
    lab, go = one_at_a_time, tmp_path / "go"
    first = lab.start(lab.project("holds"), source(tmp_path / "1", f"while [ ! -e {go} ]; do sleep 0.02; done"))
    until(lambda: phase(lab, first) == "BUILD")
    second = lab.start(lab.project("waits"), source(tmp_path / "2", "echo never"))
    lab.client.stop_build(id=second)
    ended = lab.ended(second)
    assert ended["buildStatus"] == "STOPPED"
    assert phases(ended) == ["SUBMITTED", "QUEUED!", "COMPLETED"]
    go.touch()
    assert lab.ended(first)["buildStatus"] == "SUCCEEDED"


def test_who_gives_up_keeps_nobodys_turn() -> None:
    turns = Turns(1)
    with turns.turn(lambda: False), turns.turn(lambda: True):
        pass
    with turns.turn(lambda: False):
        pass


def test_who_breaks_while_waiting_holds_nobody_up() -> None:
    turns = Turns(1)

    def breaks() -> bool:
        raise OSError("gone")

    with turns.turn(lambda: False), pytest.raises(OSError, match="gone"), turns.turn(breaks):
        pass
    waited: list[None] = []
    with turns.turn(lambda: bool(waited.append(None)) or len(waited) > 1):
        assert not waited, "the turn was free and still somebody stood before it"


@pytest.mark.parametrize("broken", ["slot", "kept_folders", "Workplace", "BuildLog"])
def test_a_build_that_finds_no_place_ends_and_says_why(
    one_at_a_time: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(runner, broken, full)
        ended = one_at_a_time.play(one_at_a_time.project("no-place"), source(tmp_path / "1", "echo never"))
    assert (ended["buildStatus"], ended["buildComplete"]) == ("FAULT", True)
    assert phases(ended) == ["SUBMITTED", "QUEUED!", "COMPLETED"]
    assert failed_phase(ended)[1:] == ("INTERNAL_ERROR", "OSError: [Errno 28] No space left on device")
    after = one_at_a_time.play(one_at_a_time.project("after"), source(tmp_path / "2", "echo fine"))
    assert after["buildStatus"] == "SUCCEEDED"


def test_a_build_whose_log_cannot_be_closed_ends(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: runner.BuildLog) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(runner.BuildLog, "close", full)
        ended = lab.play(lab.project("no-log"), source(tmp_path / "1", "echo fine"))
    assert ended["buildStatus"] == "FAULT"
    assert failed_phase(ended) == ("COMPLETED", "INTERNAL_ERROR", "OSError: [Errno 28] No space left on device")
