"""Faults are switched on by name, and a name that is none's is refused before anything starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.cloud.faults import FAULTS
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("verb", ["rehearse", "up"])
def test_an_unknown_fault_is_refused_with_the_known_ones(verb: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "rehearsal", verb, "--fault", "earthquake", "--folder", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    told = done.stderr.splitlines()[-1]
    assert "there is no fault 'earthquake'" in told
    assert [name for name in FAULTS if name not in told] == []
    assert not folder.exists()


def test_faults_of_a_cloud_used_by_hand_are_told_when_they_strike(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rehearsal", "up", "--fault", "throttling", "--fault", "git-network"]
    child = subprocess.Popen(
        [*command, "--folder", str(tmp_path / "run")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        environment = dict(os.environ)
        assert child.stdout is not None
        for line in child.stdout:
            name, _, value = line.removeprefix("export ").strip().partition("=")
            if line.startswith("export "):
                environment[name] = value
            if name == "PYTHONPATH":
                break
        # Enough calls that one in twenty of them is met.
        calls = "import boto3\nfor _ in range(60): boto3.client('sts').get_caller_identity()"
        called = subprocess.run(
            [sys.executable, "-c", calls],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert called.returncode == 0, called.stderr
        child.send_signal(signal.SIGINT)
        rest, _ = child.communicate(timeout=PATIENCE)
        assert "fault: one API call in twenty is throttled at its first attempt (sts)" in rest
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
