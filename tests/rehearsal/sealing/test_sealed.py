"""A sealed rehearsal has loopback and nothing else, or does not begin. The tests play the story sealed if they can."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.sealed import SealError, unshare_command, ways_out
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[3]

LOOK = """\
import json, socket, urllib.request
from rehearsal.sealed import raise_loopback, ways_out
raise_loopback()
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
try:
    socket.create_connection(("192.0.2.1", 443), 10)
except OSError as problem:
    said = str(problem)
print(json.dumps([ways_out(), said]))
"""


def rehearse(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rehearsal", "--sealed"]
    environment = {**os.environ, "PATH": str(path)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with all the programs that a rehearsal looks for, but for `unshare`."""
    for name in ("git", "bash", "make"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def test_in_there_only_loopback_answers() -> None:
    try:
        command = unshare_command()
    except SealError as problem:
        pytest.skip(str(problem))
    done = subprocess.run([*command, sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, said = json.loads(done.stdout)
    assert found == []
    assert "unreachable" in said


def test_without_unshare_nothing_begins(programs: Path) -> None:
    done = rehearse(programs)
    assert done.returncode == 2
    assert "needs Linux and the program `unshare`" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is no unshare to be forbidden")
def test_where_namespaces_are_forbidden_nothing_begins(programs: Path) -> None:
    forbidden = programs / "unshare"
    forbidden.write_text(f"#!{shutil.which('bash')}\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    forbidden.chmod(0o755)
    done = rehearse(programs)
    assert done.returncode == 2
    assert "forbids network namespaces, which seal a rehearsal: unshare failed: Operation not permitted." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not ways_out(), reason="this machine has no network to leave open")
def test_what_plays_sealed_looks_whether_it_is() -> None:
    command = [sys.executable, "-m", "rehearsal.sealed", "--port", "-1"]  # a port that it never comes to refuse
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "no sealed network" in done.stderr or "cannot be used" in done.stderr
