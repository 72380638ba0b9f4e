"""The staging tests must pass for a sound endpoint and fail for every other: they decide what reaches production.

They run here as `make test-staging` runs them, in a folder of their own, but within this process (pytest's `pytester`).
"""

import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import Protocol

import pytest

from deployment import expectations
from deployment.expectations import LatencyLimits, answer_words, bad_requests, golden_records

from . import fake_endpoint
from .conftest import ROOT

COMMAND = ("test", "--junitxml=reports/staging-tests.xml")
ENVIRONMENT = {
    "SAGEMAKER_PROJECT_NAME": "fraud",
    "SAGEMAKER_PROJECT_ID": "p-abc123",
    "STAGING_ENDPOINT_NAME": fake_endpoint.NAME,
    "MODEL_PACKAGE_ARN": fake_endpoint.PACKAGE,
    "PRODUCTION_ENDPOINT_NAME": "fraud-prod",
    "APPROVAL_PAGE": "s3://bucket/fraud-p-abc123/approvals/execution.html",
}
FEW_REQUESTS = LatencyLimits(
    warm_up_requests=1, measured_requests=5, p50_milliseconds=5000, p95_milliseconds=5000, p99_milliseconds=5000
)
FEW_RECORDS = 3  # of each kind, where the tests that ask about them one by one are not what a test here is about


@dataclass(frozen=True)
class Run:
    """What one run of the staging tests left behind."""

    exit_status: int
    log: str
    exports: str
    failed: set[str]
    skipped: int


class RunAgainst(Protocol):
    """Runs the staging tests against an endpoint of a kind, with every record or with few."""

    def __call__(self, kind: type[fake_endpoint.Endpoint], *, every_record: bool = False) -> Run: ...


@pytest.fixture
def run_against(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> RunAgainst:
    (pytester.path / "test").symlink_to(ROOT / "test")  # the very files: pytest keeps what it made of them
    shutil.copy(ROOT / "pyproject.toml", pytester.path)
    monkeypatch.setattr(expectations, "latency_limits", lambda **_: FEW_REQUESTS)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    def run(kind: type[fake_endpoint.Endpoint], *, every_record: bool = False) -> Run:
        if not every_record:
            golden, bad = golden_records()[:FEW_RECORDS], bad_requests()[:FEW_RECORDS]
            monkeypatch.setattr(expectations, "golden_records", lambda: golden)
            monkeypatch.setattr(expectations, "bad_requests", lambda: bad)
        with fake_endpoint.serving(kind) as address:
            monkeypatch.setenv("AWS_ENDPOINT_URL", address)
            result = pytester.runpytest_inprocess(*COMMAND)
        cases = list(ElementTree.parse(pytester.path / "reports" / "staging-tests.xml").iter("testcase"))
        return Run(
            exit_status=int(result.ret),
            log=str(result.stdout),
            exports=(pytester.path / "exports" / "staging-test.env").read_text(),
            failed={case.attrib["name"] for case in cases if {"failure", "error"} & {child.tag for child in case}},
            skipped=len([case for case in cases if case.find("skipped") is not None]),
        )

    return run


def test_this_runs_what_make_runs() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"bin/python -m pytest {' '.join(COMMAND)}\n" in makefile


def test_a_sound_endpoint_passes_and_its_figures_go_to_the_pipeline(run_against: RunAgainst) -> None:
    run = run_against(fake_endpoint.Sound, every_record=True)
    assert run.exit_status == 0, run.log
    assert run.failed == set()
    assert run.skipped == 0
    golden, bad = len(golden_records()), len(bad_requests())
    assert f"export GOLDEN_RECORDS_PASSED='{golden} of {golden}'" in run.exports
    assert f"{golden} of {golden} golden records right, {bad} of {bad} bad records refused clearly" in run.exports
    assert f"metrics of {golden} held-out records as evaluated" in run.exports
    assert "serving fraud-p-abc123/3" in run.exports
    (page,) = fake_endpoint.Sound.written.values()
    assert f"{golden} of {golden} golden records right" in page
    assert "LATENCY_P50_MS=" in run.exports
    assert "not measured" not in run.exports


def test_a_serverless_endpoint_that_is_asleep_passes_too(
    run_against: RunAgainst, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    run = run_against(fake_endpoint.Serverless)
    assert run.exit_status == 0, run.log
    assert not fake_endpoint.Serverless.asleep, "it has been asked while it slept"


def test_an_asynchronous_endpoint_is_asked_through_files_and_held_to_the_same(
    run_against: RunAgainst,
) -> None:
    run = run_against(fake_endpoint.Asynchronous)
    assert run.exit_status == 0, run.log
    few = f"{FEW_RECORDS} of {FEW_RECORDS}"
    assert f"{few} golden records right, {few} bad records refused clearly" in run.exports
    assert f"metrics of {len(golden_records())} held-out records as evaluated" in run.exports
    assert "not measured" not in run.exports


def test_an_asynchronous_endpoint_that_falls_over_fails_by_its_failure_files(
    run_against: RunAgainst,
) -> None:
    run = run_against(fake_endpoint.AsynchronousBroken)
    asked = bad_requests()[:FEW_RECORDS]
    assert {f"test_a_bad_request_is_refused_with_a_clear_message[{bad.name}]" for bad in asked} < run.failed
    assert "test_no_request_of_this_run_ended_in_a_server_error" in run.failed


def test_an_endpoint_that_decides_all_alike_and_falls_over_on_bad_ones_fails_on_each_of_them_and_on_nothing_else(
    run_against: RunAgainst,
) -> None:
    run = run_against(fake_endpoint.Broken, every_record=True)
    wrong = [golden for golden in golden_records() if golden.decision == answer_words().decisions[1]]
    assert len(wrong) >= 3
    assert run.exit_status == 1
    assert run.failed == {
        *(f"test_a_golden_record_gets_the_answer_it_must[{golden.name}]" for golden in wrong),
        *(f"test_a_bad_request_is_refused_with_a_clear_message[{bad.name}]" for bad in bad_requests()),
        "test_held_out_records_get_the_metrics_of_the_evaluation",
        "test_no_request_of_this_run_ended_in_a_server_error",
    }
    total = len(golden_records())
    assert f"export GOLDEN_RECORDS_PASSED='{total - len(wrong)} of {total}'" in run.exports


def test_an_endpoint_that_misses_the_metrics_of_the_evaluation_fails_by_the_name_of_each(
    run_against: RunAgainst,
) -> None:
    run = run_against(fake_endpoint.Another)
    assert run.failed == {"test_held_out_records_get_the_metrics_of_the_evaluation"}
    assert "recall of the held-out records: the evaluation found 0.7500, the endpoint's answers give 1.0000" in run.log
    assert "accuracy of the held-out" not in run.log


def test_a_model_registered_by_hand_passes_and_the_approver_is_told_what_was_not_compared(
    run_against: RunAgainst,
) -> None:
    run = run_against(fake_endpoint.RegisteredByHand)
    assert (run.exit_status, run.skipped) == (0, 1)
    assert "held-out records not compared: the model package names no HeldOutSample, " in run.exports


def test_a_page_that_cannot_be_written_stops_the_deployment_and_the_figures_are_told_all_the_same(
    run_against: RunAgainst,
) -> None:
    run = run_against(fake_endpoint.MayNotWrite)
    assert run.exit_status == 1
    assert "The approver's page cannot be written." in run.log
    assert "AWS refused PutObject: AccessDenied" in run.log
    assert "golden records right" in run.exports


def test_held_out_records_that_are_gone_stop_the_deployment_with_what_to_do(run_against: RunAgainst) -> None:
    run = run_against(fake_endpoint.SampleGone)
    assert run.failed == {"test_held_out_records_get_the_metrics_of_the_evaluation"}
    assert "s3://sagemaker-project-p-abc123/gone.json cannot be read: NoSuchKey" in run.log
    assert "run the model-build pipeline again" in run.log


def test_a_missing_endpoint_fails_once_with_what_to_do_and_skips_the_rest(run_against: RunAgainst) -> None:
    run = run_against(fake_endpoint.Missing)
    assert run.exit_status == 1
    assert len(run.failed) == 1
    assert run.skipped > FEW_RECORDS
    assert "There is no endpoint fraud-staging." in run.log
    assert "DeployStaging" in run.log
    assert "LATENCY_P99_MS='not measured'" in run.exports
