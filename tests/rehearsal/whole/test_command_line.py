"""The command line leaves nothing behind, and several rehearsals stand on one machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parents[3]

Up = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """`up("name")` starts `python -m rehearsal up` and answers its process and the cloud's address."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str, *options: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "rehearsal", "up", "--folder", str(tmp_path / name), *options]
        child = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        started.append(child)
        assert child.stdout is not None
        printed = []
        for line in child.stdout:
            printed.append(line)
            address = re.match(r"export AWS_ENDPOINT_URL=(\S+)", line)
            if address:
                return child, address[1]
        raise AssertionError(f"`rehearsal up` ended early:\n{''.join(printed)}")

    yield start
    for child in started:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that have to do with a rehearsal's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "environ").read_text(errors="replace") + (entry / "cmdline").read_text(errors="replace")
            if str(folder) in text and int(entry.name) != os.getpid():
                found.append((entry / "cmdline").read_text(errors="replace").replace("\0", " "))
        except (OSError, ValueError):
            continue
    return found


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=PATIENCE)  # noqa: S310 - loopback
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_ctrl_c_leaves_no_process_behind_and_nobody_who_answers(up: Up, tmp_path: Path) -> None:
    child, address = up("one")
    assert len(processes_of(tmp_path / "one")) >= 2, "the cloud and its base"
    child.send_signal(signal.SIGINT)  # the other signals: tests/rehearsal/core/test_endings.py
    status = child.wait(timeout=PATIENCE)
    assert status == 130
    until(lambda: not processes_of(tmp_path / "one"), "the end of every process")
    assert not answers(address)


def test_two_rehearsals_stand_on_one_machine_but_not_in_one_folder(up: Up, tmp_path: Path) -> None:
    _, first = up("first")
    _, second = up("second")
    assert first != second
    assert answers(first)
    assert answers(second)
    command = [sys.executable, "-m", "rehearsal", "up", "--folder", str(tmp_path / "first")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "Another rehearsal is playing" in done.stderr


@pytest.mark.parametrize("speed", ["0", "-3", "fast"])
def test_a_speed_that_makes_no_sense_is_refused(speed: str) -> None:
    command = [sys.executable, "-m", "rehearsal", "--speed", speed]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "--speed" in done.stderr
    assert "Traceback" not in done.stderr
