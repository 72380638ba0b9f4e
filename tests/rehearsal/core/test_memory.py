"""A program gets as much memory as its instance has, and no more."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.cloud.memory import GIB, MemoryWatch, memory_of, resident
from tests.waiting import PATIENCE

MEBIBYTE = 1 << 20
HOLDS = "import sys, time; kept = bytearray(int(sys.argv[1])); print('holding', flush=True); time.sleep(3600)"
STARTS_ONE = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[2], sys.argv[1]])"

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is counted in /proc")


@pytest.mark.parametrize(
    ("instance_type", "gibibytes"),
    [
        ("ml.t3.medium", 4),
        ("ml.m5.large", 8),
        ("ml.m5.2xlarge", 32),
        ("ml.m4.10xlarge", 160),
        ("ml.c5.xlarge", 8),
        ("ml.c4.8xlarge", 60),
        ("ml.r5.24xlarge", 768),
    ],
)
def test_an_instance_has_the_memory_that_aws_lists(instance_type: str, gibibytes: int) -> None:
    assert memory_of(instance_type) == gibibytes * GIB


@pytest.mark.parametrize("instance_type", ["ml.g5.xlarge", "local", "ml.m5.huge"])
def test_a_type_that_is_not_listed_is_not_limited(instance_type: str) -> None:
    assert memory_of(instance_type) is None


@pytest.fixture(params=["itself", "a child"])
def program(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A program that holds 200 MiB, or has a child that does."""
    script = [HOLDS] if request.param == "itself" else [STARTS_ONE]
    child = subprocess.Popen(
        [sys.executable, "-c", *script, str(200 * MEBIBYTE), HOLDS],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "holding\n"
    yield child
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # the child's child too
    child.stdout.close()
    child.wait()


@needs_proc
def test_a_program_that_wants_more_is_ended_with_what_it_started(program: subprocess.Popen[str]) -> None:
    watch = MemoryWatch(program.pid, 100 * MEBIBYTE)

    assert program.wait(PATIENCE) == -9
    assert watch.exceeded
    assert program.stdout is not None
    assert program.stdout.read() == "", "nobody holds the pipe any more"


@needs_proc
def test_a_program_within_its_memory_goes_on(program: subprocess.Popen[str]) -> None:
    assert 200 * MEBIBYTE < resident(program.pid) < 400 * MEBIBYTE
    watch = MemoryWatch(program.pid, 400 * MEBIBYTE)

    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0.3)

    watch.stop()
    assert not watch.exceeded
