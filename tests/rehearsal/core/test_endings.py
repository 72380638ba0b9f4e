"""However a rehearsal ends, nothing that it started goes on."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.__main__ import hear_endings
from rehearsal.cloud.keeper import left
from rehearsal.cloud.processes import Processes
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parents[3]


def alive(pid: int) -> bool:
    """Whether a process runs that is not just waiting to be reaped."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def ended(pids: list[int]) -> bool:
    """Whether they all end."""
    return until(lambda: not any(alive(pid) for pid in pids), f"the end of {pids}")


def children_of(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = [child for child, parent in pairs if parent == pid]
    return found + [each for child in found for each in children_of(child)]


def ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """`python -m rehearsal up` when it stands, and every process it started; begun as a script's background job."""
    cloud = subprocess.Popen(
        [sys.executable, "-m", "rehearsal", "up", "--folder", str(tmp_path / "up")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=ignore_interrupts,
    )
    assert cloud.stdout is not None
    printed = []
    for line in cloud.stdout:
        printed.append(line)
        if re.match("export AWS_ENDPOINT_URL=", line):
            break
    assert cloud.poll() is None, "".join(printed)
    started = children_of(cloud.pid)
    yield cloud, started
    for pid in [cloud.pid, *started]:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
    cloud.stdout.close()
    cloud.wait()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_cloud(up: tuple[subprocess.Popen[str], list[int]], ending: signal.Signals) -> None:
    cloud, started = up
    assert len(started) >= 2, "the base and the keeper"
    cloud.send_signal(ending)
    status = cloud.wait(timeout=PATIENCE)
    assert ended(started)
    assert status == {signal.SIGKILL: -9, signal.SIGHUP: 129, signal.SIGTERM: 143, signal.SIGINT: 130}[ending]


@pytest.fixture
def signals() -> Iterator[None]:
    """What is done on signals is put back afterwards."""
    heard = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {ending: signal.getsignal(ending) for ending in heard}
    yield
    for ending, handler in before.items():
        signal.signal(ending, handler)


@pytest.mark.usefixtures("signals")
def test_what_a_background_job_starts_does_not_inherit_its_deafness() -> None:
    ignore_interrupts()
    hear_endings()
    tell = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", tell], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_what_a_killed_cloud_ran_is_ended_with_its_children(tmp_path: Path) -> None:
    program = (
        "import sys; from rehearsal.cloud.processes import Processes; processes = Processes();"
        "processes.start(['sh', '-c', 'trap \"\" TERM HUP; sh -c \"echo $$ $PPID; exec cat\" ; cat'],"
        " stdin=open(sys.argv[1]));"
        "sys.stdin.read()"
    )
    never_ends = tmp_path / "pipe"
    os.mkfifo(never_ends)
    hold = os.open(never_ends, os.O_RDWR)
    cloud = subprocess.Popen(
        [sys.executable, "-c", program, str(never_ends)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert cloud.stdout is not None
    assert cloud.stdin is not None
    inner, outer = map(int, cloud.stdout.readline().split())
    assert alive(inner)
    assert alive(outer)
    cloud.kill()
    cloud.wait()
    assert ended([inner, outer])
    os.close(hold)
    cloud.stdout.close()
    cloud.stdin.close()


def test_the_keeper_ends_what_was_not_forgotten() -> None:
    assert left(io.StringIO("+11\n+12\n-11\n+13\n+1")) == {12, 13}


def test_stopping_leaves_no_keeper() -> None:
    before = set(children_of(os.getpid()))
    processes = Processes()
    assert processes.run(["echo", "hello"]).stdout == "hello\n"
    processes.stop()
    assert [pid for pid in set(children_of(os.getpid())) - before if alive(pid)] == []


@pytest.mark.parametrize("ending", ["end", "stop"])
def test_a_process_that_was_stopped_is_woken_for_its_end(ending: str) -> None:
    processes = Processes()
    polite = (
        "import os, signal; signal.signal(signal.SIGTERM, lambda *_: os._exit(7)); print(flush=True); signal.pause()"
    )
    child = processes.start([sys.executable, "-I", "-S", "-c", polite], stdout=subprocess.PIPE)
    child.stdout.readline()
    os.killpg(child.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    if ending == "end":
        processes.end(child)
    processes.stop()
    assert child.returncode == 7
    child.stdout.close()
