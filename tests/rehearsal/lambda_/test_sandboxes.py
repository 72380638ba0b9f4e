"""Execution environments are used again, frozen meanwhile, and never by what they were not made for."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rehearsal.cloud.lambda_.room import Room
from tests.rehearsal.lambda_.lambda_lab import BUCKET, LOG_RIGHTS, Lab, allow
from tests.waiting import until

COUNTS = """
import os, pathlib, time

calls = []

def handler(event, context):
    calls.append(event)
    file = pathlib.Path(os.environ["TMPDIR"], "left")
    found, _ = file.exists(), file.touch()
    print("call", len(calls))
    if event == "fail":
        raise ValueError("as asked")
    if event == "exit":
        os._exit(3)
    if event == "timeout":
        time.sleep(60)
    return {"calls": len(calls), "found": found, "pid": os.getpid(), "stream": context.log_stream_name,
            "request": context.aws_request_id}
"""


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def room(lab: Lab) -> Room:
    found = lab.cloud.services["lambda"]
    assert isinstance(found, Room)
    return found


def test_the_next_invocation_finds_what_the_one_before_left(lab: Lab) -> None:
    name = lab.create(COUNTS)
    first, second = lab.invoke(name), lab.invoke(name)
    assert (first["calls"], first["found"]) == (1, False)
    assert (second["calls"], second["found"]) == (2, True)
    assert first["pid"] == second["pid"]
    assert first["request"] != second["request"]


def test_an_environment_has_one_log_stream_and_tells_once_how_long_its_import_took(lab: Lab) -> None:
    name = lab.create(COUNTS)
    streams = {lab.invoke(name)["stream"] for _ in range(2)}
    found = lab.log_of(f"/aws/lambda/{name}")
    assert len(streams) == 1
    assert [line for line in found if line.startswith("call")] == ["call 1", "call 2"]
    reports = [line for line in found if line.startswith("REPORT")]
    assert ["Init Duration" in line for line in reports] == [True, False]


def test_the_log_has_the_lines_of_an_invocation_between_its_start_and_its_end(lab: Lab) -> None:
    name = lab.create("import sys\n\ndef handler(event, context):\n    sys.stdout.write('without a line end')\n")
    for _ in range(2):
        lab.invoke(name)
    kinds = [line.split()[0] for line in lab.log_of(f"/aws/lambda/{name}")]
    assert kinds == ["START", "without", "END", "REPORT"] * 2


def test_an_error_of_the_handler_keeps_the_environment(lab: Lab) -> None:
    name = lab.create(COUNTS)
    lab.error_of(name, "fail")
    assert lab.invoke(name)["calls"] == 2


@pytest.mark.parametrize("ends", ["exit", "timeout"])
def test_a_function_that_was_ended_begins_anew_with_the_files_it_left(lab: Lab, ends: str) -> None:
    name = lab.create(COUNTS, Timeout=3 if ends == "timeout" else 20)
    first = lab.invoke(name)
    lab.error_of(name, ends)
    again = lab.invoke(name)
    assert again["calls"] == 1
    assert again["pid"] != first["pid"]
    assert again["found"]
    assert again["stream"] == first["stream"]


def test_a_function_that_cannot_be_imported_is_tried_anew_each_time(lab: Lab) -> None:
    name = lab.create("print('imported')\nraise RuntimeError('no')\n")
    for _ in range(2):
        assert lab.error_of(name)["errorMessage"] == "no"
    assert lab.log_of(f"/aws/lambda/{name}").count("imported") == 2


@pytest.mark.parametrize("change", ["code", "configuration", "made anew"])
def test_a_function_that_was_changed_is_imported_anew(lab: Lab, change: str) -> None:
    name = lab.create(COUNTS)
    first = lab.invoke(name)
    if change == "code":
        key = lab.upload({"app.py": COUNTS})
        lab.functions.update_function_code(FunctionName=name, S3Bucket=BUCKET, S3Key=key)
    elif change == "configuration":
        lab.functions.update_function_configuration(FunctionName=name, MemorySize=512)
    else:
        lab.functions.delete_function(FunctionName=name)
        lab.functions.create_function(**{**lab.request(COUNTS), "FunctionName": name})
        until(lambda: lab.state(name)["State"] == "Active")
    assert not lives(first["pid"])
    assert lab.invoke(name)["calls"] == 1


def test_invocations_side_by_side_have_environments_of_their_own(lab: Lab) -> None:
    source = """
import os, pathlib, time

def handler(event, context):
    place = pathlib.Path(event)
    (place / str(os.getpid())).touch()
    while len(list(place.iterdir())) < 2:
        time.sleep(0.01)
    return os.getpid()
"""
    name = lab.create(source)
    place = lab.cloud.folder_for("meeting")
    place.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        pids = set(pool.map(lambda _: lab.invoke(name, str(place)), range(2)))
    assert len(pids) == 2
    assert lab.invoke(name, str(place)) in pids


@pytest.mark.skipif(sys.platform != "linux", reason="reads the state of a process from /proc")
def test_between_invocations_everything_in_an_environment_stands_still(lab: Lab) -> None:
    source = """
import os, threading, time

def busy():
    while True:
        time.sleep(0.01)

def handler(event, context):
    threading.Thread(target=busy, daemon=True).start()
    return os.getpid()
"""
    name = lab.create(source)
    pid = lab.invoke(name)
    assert until(lambda: all(state == "T" for state in thread_states(pid)))
    assert len(thread_states(pid)) == 2
    assert lab.invoke(name) == pid


def thread_states(pid: int) -> list[str]:
    files = Path("/proc", str(pid), "task").glob("*/stat")
    return [file.read_text().rpartition(")")[2].split()[0] for file in files]


def test_the_environment_that_was_used_longest_ago_makes_room(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room(lab).idle, "most", 1)
    one, other = lab.create(COUNTS), lab.create(COUNTS)
    pids = [lab.invoke(one)["pid"], lab.invoke(other)["pid"]]
    assert [lives(pid) for pid in pids] == [False, True]
    assert lab.invoke(one)["calls"] == 1


WAITS = """
import os, pathlib, time

def handler(event, context):
    (pathlib.Path(event) / "pid").write_text(str(os.getpid()))
    while not (pathlib.Path(event) / "go on").exists():
        time.sleep(0.01)
"""


@pytest.mark.parametrize("change", ["deleted", "changed"])
def test_an_environment_that_runs_while_its_function_is_changed_is_not_kept(
    lab: Lab, tmp_path: Path, change: str
) -> None:
    name = lab.create(WAITS)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(lab.invoke, name, str(tmp_path))
        until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        if change == "deleted":
            lab.functions.delete_function(FunctionName=name)
        else:
            lab.functions.update_function_configuration(FunctionName=name, MemorySize=512)
        (tmp_path / "go on").touch()
        running.result()
    assert until(lambda: not lives(int((tmp_path / "pid").read_text())))


def test_a_function_that_hears_no_polite_ending_is_ended_all_the_same(lab: Lab) -> None:
    name = lab.create(
        "import os, signal\n\ndef handler(event, context):\n"
        "    signal.signal(signal.SIGTERM, lambda *_: None)\n    return os.getpid()\n"
    )
    pid = lab.invoke(name)
    room(lab).idle.end()
    assert not lives(pid)


def test_a_copy_that_a_function_makes_of_itself_answers_nothing(lab: Lab) -> None:
    name = lab.create("import os\n\ndef handler(event, context):\n    os.fork()\n    return event\n")
    assert [lab.invoke(name, number) for number in range(6)] == list(range(6))


@pytest.mark.parametrize(
    "does",
    [
        "import io; sys.stdout = io.StringIO()",
        "sys.stdout = None",
        "sys.stdout.close()",
        "os.close(1)",
        "logging.warning('half a pair: \\ud800')",
        "print('no line end', end=''); logging.warning('and a message')",
    ],
)
def test_whatever_a_function_does_with_its_output_it_answers_and_is_used_again(lab: Lab, does: str) -> None:
    name = lab.create(f"import logging, os, sys\n\ndef handler(event, context):\n    {does}\n    return os.getpid()\n")
    pid = lab.invoke(name)
    log = lab.log_of(f"/aws/lambda/{name}")
    assert log[0].startswith("START")
    assert log[-1].startswith("REPORT")
    if "message" in does:
        assert "no line end" in log
        assert any(line.startswith("[WARNING]") and line.endswith("and a message") for line in log)
    if does != "os.close(1)":  # which cannot be done twice
        assert lab.invoke(name) == pid


@pytest.mark.parametrize(("writes", "kind"), [("{not json", "Runtime.ExitError"), ("[]", "Runtime.ExitError")])
def test_a_function_that_writes_where_its_answers_go_has_ended(lab: Lab, writes: str, kind: str) -> None:
    source = f"""
import os

def handler(event, context):
    for file in range(3, 256):
        try:
            os.write(file, b"{writes}\\n")
        except OSError:
            pass
    return 1
"""
    assert lab.error_of(lab.create(source))["errorType"] == kind


def test_those_without_a_process_make_room_before_those_that_are_warm(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room(lab).idle, "most", 1)
    warm, ended = lab.create(COUNTS), lab.create(COUNTS)
    lab.invoke(warm)
    lab.error_of(ended, "exit")
    assert lab.invoke(warm)["calls"] == 2


# ---- logs


@pytest.mark.parametrize("ends", ["time.sleep(60)", "os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_what_a_function_printed_before_it_was_ended_is_in_its_log(lab: Lab, ends: str) -> None:
    source = f"""
import os, sys, time

def handler(event, context):
    print('before')
    sys.stderr.write('too')
    {ends}
"""
    name = lab.create(source, Timeout=1)
    lab.error_of(name)
    found = lab.log_of(f"/aws/lambda/{name}")
    assert "before" in found
    assert "too" in found


def test_what_is_printed_is_logged_as_it_is_whatever_it_looks_like(lab: Lab) -> None:
    printed = ["e\x1ef", "\x1e\x1eanything", "\x1e" + "[" * 100_000, "\x1e{}", "a\u2028b"]
    name = lab.create(
        f"def handler(event, context):\n    for line in {printed!r}:\n        print(line)\n    return 1\n"
    )
    assert lab.invoke(name) == 1
    assert lab.log_of(f"/aws/lambda/{name}")[1:-2] == printed


def starts(lab: Lab, name: str) -> int:
    return sum(line.startswith("START") for line in lab.log_of(f"/aws/lambda/{name}"))


def test_first_invocations_side_by_side_all_have_their_log(lab: Lab) -> None:
    name = lab.create(COUNTS)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: lab.invoke(name), range(12)))
    assert starts(lab, name) == 12


def test_a_log_that_was_deleted_is_made_anew(lab: Lab) -> None:
    name = lab.create(COUNTS)
    lab.invoke(name)
    lab.logs.delete_log_group(logGroupName=f"/aws/lambda/{name}")
    lab.invoke(name)
    assert "call 2" in lab.log_of(f"/aws/lambda/{name}")


def test_a_role_that_may_log_by_now_does(lab: Lab) -> None:
    name = lab.create(COUNTS, Role=lab.make_role("MayLater", "lambda.amazonaws.com", ["sns:ListTopics"]))
    lab.invoke(name)
    lab.grant("MayLater", allow(LOG_RIGHTS))
    lab.invoke(name)
    assert "call 2" in lab.log_of(f"/aws/lambda/{name}")


def test_an_event_in_another_encoding_is_refused(lab: Lab) -> None:
    name = lab.create(COUNTS)
    with pytest.raises(lab.functions.exceptions.InvalidRequestContentException, match="Could not parse request body"):
        lab.functions.invoke(FunctionName=name, Payload='{"a": 1}'.encode("utf-16"))


def test_a_role_that_has_lost_a_right_has_lost_it_in_environments_that_are_there(lab: Lab) -> None:
    source = "import boto3\n\ndef handler(event, context):\n    boto3.client('sns').list_topics()\n"
    rights = ["sns:ListTopics", "logs:*"]
    name = lab.create(source, Role=lab.make_role("Loses", "lambda.amazonaws.com", rights))
    assert lab.invoke(name) is None
    lab.grant("Loses")
    assert "not authorized" in json.dumps(lab.error_of(name))
