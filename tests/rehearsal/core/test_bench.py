"""The page of `make bench`: whose figures are how old, what is demanded of them, and how they are worked out."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from botocore.exceptions import ClientError

from rehearsal import bench, bench_pipeline
from rehearsal.bench_deployments import MODES, STRATEGIES, load_rows, release_rows, words
from rehearsal.bench_files import FileCallers, RequestFailedError
from rehearsal.bench_page import Figure, Section, page, written
from rehearsal.bench_projects import BenchProject, addresses, moved
from rehearsal.bench_serving import IN_PROCESS, body_of, latency_rows
from rehearsal.claims import HARMLESS
from rehearsal.watch import StoryError

ORDER = ("The first", "The second")
TRANSFORM = """
class Answer:
    def __init__(self, text):
        self.text = text

    def get_data(self, as_text):
        return self.text

def model_fn(model_dir):
    return model_dir

def transform_fn(model, data, content_type, accept):
    return Answer(f"{model} {data} {accept}")
"""
THREE = """
def model_fn(model_dir):
    return model_dir

def input_fn(data, content_type):
    return data.upper()

def predict_fn(data, model):
    return f"{model} {data}"

def output_fn(prediction, accept):
    return f"{prediction} {accept}"
"""


def section(title: str, value: float) -> Section:
    return Section(title, [Figure("a thing", value, "s", 10)])


def test_what_is_counted_is_told_as_a_whole_number_and_what_is_measured_with_two_decimals() -> None:
    assert Figure("failed", 0, "requests", 0).row() == "| failed | 0 requests | ≤ 0 requests | yes |"
    assert Figure("failed", 3, "requests", 0).row() == "| failed | 3 requests | ≤ 0 requests | **no** |"
    assert Figure("taken", 2.0, "s").row() == "| taken | 2.00 s |  |  |"


def test_a_run_of_one_part_leaves_the_others_with_the_day_and_the_machine_of_their_own() -> None:
    old = section("The first", 1.0).markdown("2026-01-01", "an old machine", "make bench")
    older = section("The second", 2.0).markdown("2025-01-01", "an older machine", "make bench")
    before = page({"The second": older, "The first": old}, ORDER)

    sections = written(before)
    sections["The first"] = section("The first", 3.0).markdown("2026-02-02", "a new machine", "make bench")
    after = page(sections, ORDER)

    assert written(after)["The second"] == older
    assert "a new machine" in written(after)["The first"]
    assert "an old machine" not in after
    assert after.index("## The first") < after.index("## The second")


def test_what_is_measured_no_longer_leaves_the_page() -> None:
    assert written(page({"The third": "old rows", "The first": "new rows"}, ORDER)) == {"The first": "new rows"}


def test_the_page_in_the_repository_has_sections_that_say_when_they_were_measured() -> None:
    sections = written(bench.PAGE.read_text(encoding="utf-8"))
    assert sections.keys() <= {*bench.ORDER}
    for title, text in sections.items():
        assert text.startswith("Measured on 2"), title


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ([], ["story", "seeds", "cloud", "deployments"]),
        (["--cold", "--ci"], ["story", "seeds", "cloud", "deployments", "cold", "ci"]),
        (["--only", "deployments"], ["deployments"]),
        (["--only", "deployments", "--only", "story"], ["story", "deployments"]),
        (["--only", "cloud", "--cold"], ["cloud", "cold"]),
    ],
)
def test_parts_are_chosen_and_measured_in_their_order(given: list[str], parts: list[str]) -> None:
    assert bench.arguments(given) == (parts, 3)


def test_what_was_measured_before_something_failed_is_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_runs: int) -> list[Section]:
        raise StoryError("production did not come up")

    monkeypatch.setattr(bench, "PAGE", tmp_path / "docs" / "benchmarks.md")
    monkeypatch.setattr(bench, "SCRATCH", tmp_path / "scratch")
    monkeypatch.setattr(bench, "PARTS", {"story": lambda _runs: [section("The story", 11.0)], "cloud": fails})

    assert bench.main(["--only", "story", "--only", "cloud"]) == 1

    assert "| a thing | 11.00 s | ≤ 10 s | **no** |" in bench.PAGE.read_text(encoding="utf-8")
    assert "production did not come up" in capsys.readouterr().err


# ---- deployments


def test_under_load_no_request_may_fail() -> None:
    rows = [Figure(*row) for row in load_rows("a canary deployment, realtime", 900, 1, 12.0)]
    assert [(each.what, each.value) for each in rows if not each.met] == [
        ("requests during a canary deployment, realtime: failed", 1)
    ]
    assert all(Figure(*row).met for row in load_rows("a canary deployment, realtime", 900, 0, 12.0))


def test_every_mode_and_every_strategy_is_measured() -> None:
    assert list(MODES) == ["realtime", "serverless", "async", "batch"]
    assert MODES["realtime"].strategies == tuple(STRATEGIES)
    assert release_rows("async", 20.0, 21.0)[0] == ("from approval to production, async", 20.0, "s", None)


def test_the_page_says_how_much_faster_time_goes() -> None:
    assert "pass 60 times faster here" in words(60.0)


def test_a_model_that_moves_to_another_project_takes_its_files_along_and_names_them_there() -> None:
    package = {"Containers": [{"ModelDataUrl": "s3://theirs/a-1/model.tar.gz", "Image": "i"}], "Held": "s3://x/a-1/h"}
    assert addresses(package, "theirs") == {"s3://theirs/a-1/model.tar.gz"}
    assert moved(package, {"theirs": "ours", "a-1": "b-2"}) == {
        "Containers": [{"ModelDataUrl": "s3://ours/b-2/model.tar.gz", "Image": "i"}],
        "Held": "s3://x/b-2/h",
    }


class Queue:
    """An asynchronous endpoint and its bucket: what is handed in is answered in this way's file at once."""

    def __init__(self, way: str) -> None:
        self._way = way
        self.files: dict[str, bytes] = {}
        self.scene = SimpleNamespace(
            engineer=SimpleNamespace(client=lambda _service: self), project=SimpleNamespace(endpoint="{}".format)
        )
        self.bucket = "b"

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - AWS's names
        self.files[f"s3://{Bucket}/{Key}"] = Body

    def invoke_endpoint_async(self, InputLocation: str, **_: str) -> dict[str, str]:  # noqa: N803
        assert json.loads(self.files[InputLocation]) == {"records": [HARMLESS]}
        found = {way: InputLocation.replace("/input/", f"/{way}/") for way in ("OutputLocation", "FailureLocation")}
        self.files[found[self._way]] = b'{"predictions": []}'
        return found

    def get_object(self, Bucket: str, Key: str) -> dict[str, BytesIO]:  # noqa: N803
        url = f"s3://{Bucket}/{Key}"
        if url not in self.files:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no"}}, "GetObject")
        return {"Body": BytesIO(self.files[url])}


def test_a_request_is_answered_by_its_file_and_failed_by_the_other() -> None:
    FileCallers(cast("BenchProject", Queue("OutputLocation")), [HARMLESS], 1).ask()
    with pytest.raises(RequestFailedError, match="predictions"):
        FileCallers(cast("BenchProject", Queue("FailureLocation")), [HARMLESS], 1).ask()


# ---- serving


def test_what_serving_adds_is_what_is_left_of_the_whole_without_the_model() -> None:
    assert [(what, value) for what, value, _, _ in latency_rows(100, 9.0, 2.5)] == [
        ("InvokeEndpoint with 100 records, through the front door, median", 9.0),
        ("InvokeEndpoint with 100 records, the same inference code in process, median", 2.5),
        ("InvokeEndpoint with 100 records, added by the front door and the serving stand-in", 6.5),
    ]
    assert len(json.loads(body_of(100))["records"]) == 100


@pytest.mark.parametrize(
    ("code", "answer"),
    [(TRANSFORM, "{model} one application/json"), (THREE, "{model} ONE application/json")],
    ids=["transform_fn", "input_fn, predict_fn, output_fn"],
)
def test_in_process_the_functions_are_called_that_the_container_calls(tmp_path: Path, code: str, answer: str) -> None:
    (tmp_path / "own.py").write_text(code)
    done = subprocess.run(
        [sys.executable, str(IN_PROCESS), str(tmp_path), "3"],
        input=json.dumps({"bodies": ["one"], "content_type": "application/json"}),
        env={"PYTHONPATH": str(tmp_path), "SAGEMAKER_PROGRAM": "own.py"},
        capture_output=True,
        text=True,
        check=True,
    )
    [told] = json.loads(done.stdout)
    assert len(told["milliseconds"]) == 3
    assert told["answer"] == answer.format(model=tmp_path)


def test_executions_that_are_measured_take_no_step_over_from_earlier_ones() -> None:
    cached = {"Name": "Train", "CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"}, "Arguments": {"a": [1]}}
    condition = {"Name": "Gate", "Arguments": {"IfSteps": [cached], "ElseSteps": []}}
    bare = {"Name": "Train", "Arguments": {"a": [1]}}
    assert bench_pipeline.without_cache({"Steps": [cached, condition]}) == {
        "Steps": [bare, {"Name": "Gate", "Arguments": {"IfSteps": [bare], "ElseSteps": []}}]
    }


def test_a_verb_that_is_measured_is_not_given_what_make_bench_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Makefile").write_text('verb:\n\t@echo "given <$(ARGS)>"\n')
    monkeypatch.setenv("MAKEFLAGS", " -- ARGS=--only\\ ci")
    monkeypatch.setenv("MAKELEVEL", "1")
    monkeypatch.setenv("ARGS", "--only ci")
    _, said = bench.timed(["make", "verb"], tmp_path)
    assert said == "given <>\n"
