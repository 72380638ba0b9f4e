"""A machine that is not fit for a rehearsal, or ends one in the middle: `python -m rehearsal` as people start it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from rehearsal.disk import MEGABYTE
from tests.bad_input.conftest import ROOT, Ended
from tests.rehearsal.core.test_endings import children_of
from tests.rehearsal.core.test_endings import ended as processes_ended
from tests.waiting import PATIENCE

Start = Callable[..., "Rehearsal"]


class Rehearsal:
    """A `rehearsal up` that stands, and the platform engineer's way into it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed: list[str] = []
        self.variables: dict[str, str] = {}
        assert process.stdout is not None
        for line in process.stdout:
            self.printed.append(line)
            self.variables |= dict(re.findall(r"(AWS_\w+)=(\S+)", line))
            if line.startswith("# AWS_SECRET_ACCESS_KEY"):
                break
        assert process.poll() is None, "".join(self.printed)
        self.started = children_of(process.pid)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=self.variables["AWS_REGION"],
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=self.variables["AWS_SESSION_TOKEN"],
        )

    def last_words(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.read()


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "rehearsal", "up", "--folder", str(folder), *options]


def refused(folder: Path, *options: str, **environment: str) -> tuple[str, str]:
    """A rehearsal that must not begin: its exit status and all it printed."""
    done = subprocess.run(
        command(folder, *options),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert len(done.stdout.strip().splitlines()) == 1, done.stdout
    return f"exit {done.returncode}", done.stdout


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(folder, "--port", "4711")`: a rehearsal that stands; it is ended with the test."""
    running: list[Rehearsal] = []

    def begin(folder: Path, *options: str) -> Rehearsal:
        process = subprocess.Popen(
            command(folder, *options), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        running.append(Rehearsal(process))
        return running[-1]

    yield begin
    for each in running:
        if each.process.poll() is None:
            each.process.terminate()
            each.process.wait(PATIENCE)
        if each.process.stdout:
            each.process.stdout.close()


def test_a_rehearsal_without_git(tmp_path: Path, ended: Ended) -> None:
    ended(*refused(tmp_path / "run", PATH=str(tmp_path)))
    assert not (tmp_path / "run").exists()


def test_a_rehearsal_in_a_place_that_cannot_be_written(tmp_path: Path, ended: Ended) -> None:
    (tmp_path / "file").write_text("no folder")
    ended(*refused(tmp_path / "file" / "run"))


def test_a_rehearsal_without_room_on_the_disk(tmp_path: Path, ended: Ended) -> None:
    ended(*refused(tmp_path / "run", "--least-free", str(10**9)))
    assert [each.name for each in (tmp_path / "run").iterdir()] == ["lock"]


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system cannot take up room without writing it")
def test_a_rehearsal_whose_disk_fills_up_in_the_middle(start: Start, tmp_path: Path, ended: Ended) -> None:
    room = 2000 * MEGABYTE
    least = (shutil.disk_usage(tmp_path).free - room) // MEGABYTE
    rehearsal = start(tmp_path / "run", "--least-free", str(max(least, 1)))
    rehearsal.client("s3").create_bucket(Bucket="kept-until-the-end")

    with (tmp_path / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, room + room // 2)
        status = rehearsal.process.wait(PATIENCE)
        filler.truncate(0)

    ended(f"exit {status}", rehearsal.last_words())
    assert processes_ended(rehearsal.started), "nothing is left running"


def test_a_rehearsal_whose_port_is_taken(tmp_path: Path, ended: Ended) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended(*refused(tmp_path / "run", "--port", str(taken.getsockname()[1])))


def test_a_rehearsal_that_was_killed_and_starts_again(start: Start, tmp_path: Path, ended: Ended) -> None:
    first = start(tmp_path / "run")
    port = first.variables["AWS_ENDPOINT_URL"].rpartition(":")[2]
    for number in (1, 2):
        first.client("codecommit").create_repository(repositoryName=f"repository-{number}")
    first.process.send_signal(signal.SIGKILL)
    first.process.wait(PATIENCE)
    assert processes_ended(first.started), "nothing is left running"

    second = start(tmp_path / "run", "--port", port)

    codecommit = second.client("codecommit")
    made = codecommit.create_repository(repositoryName="repository-1")["repositoryMetadata"]
    found = codecommit.list_repositories()["repositories"]
    assert [each["repositoryId"] for each in found] == [made["repositoryId"]]
    second.process.send_signal(signal.SIGINT)
    ended(f"exit {second.process.wait(PATIENCE)}", second.last_words())
    assert processes_ended(second.started)
