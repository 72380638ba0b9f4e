"""The staging tests must pass for a sound endpoint and fail for every other: they decide what reaches production."""

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployment.expectations import bad_requests, golden_records

from . import fake_endpoint
from .conftest import ROOT

FEW_REQUESTS = {"warm_up_requests": 1, "measured_requests": 20, "p50_milliseconds": 5000, "p95_milliseconds": 5000}


@dataclass(frozen=True)
class Run:
    """What one run of the staging tests left behind."""

    exit_status: int
    log: str
    exports: str
    failed: list[str]
    skipped: int


def run_staging_tests(folder: Path, address: str, package_arn: str) -> Run:
    for name in ("deployment", "test"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "test" / "latency-limits.json").write_text(json.dumps(FEW_REQUESTS))
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "SAGEMAKER_PROJECT_NAME": "fraud",
        "SAGEMAKER_PROJECT_ID": "p-abc123",
        "STAGING_ENDPOINT_NAME": fake_endpoint.NAME,
        "MODEL_PACKAGE_ARN": package_arn,
    }
    command = [sys.executable, "-m", "pytest", "test", "--junitxml=reports/staging-tests.xml"]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    cases = list(ElementTree.parse(folder / "reports" / "staging-tests.xml").iter("testcase"))
    return Run(
        exit_status=result.returncode,
        log=result.stdout + result.stderr,
        exports=(folder / "exports" / "staging-test.env").read_text(),
        failed=[case.attrib["name"] for case in cases if {"failure", "error"} & {child.tag for child in case}],
        skipped=len([case for case in cases if case.find("skipped") is not None]),
    )


SCENARIOS = {
    "sound": (fake_endpoint.Sound, fake_endpoint.PACKAGE),
    "broken": (fake_endpoint.Broken, fake_endpoint.PACKAGE),
    "missing": (fake_endpoint.Missing, fake_endpoint.PACKAGE),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """One run for each kind of endpoint, side by side because each starts a Python of its own."""

    def run(name: str) -> Run:
        handler, package_arn = SCENARIOS[name]
        with fake_endpoint.serving(handler) as address:
            return run_staging_tests(tmp_path_factory.mktemp(name), address, package_arn)

    with ThreadPoolExecutor() as pool:
        yield dict(zip(SCENARIOS, pool.map(run, SCENARIOS), strict=True))


def test_a_sound_endpoint_passes_and_its_figures_go_to_the_pipeline(runs: dict[str, Run]) -> None:
    run = runs["sound"]
    assert run.exit_status == 0, run.log
    assert run.failed == []
    golden, bad = len(golden_records()), len(bad_requests())
    assert f"export GOLDEN_RECORDS_PASSED='{golden} of {golden}'" in run.exports
    assert f"{golden} of {golden} golden records right, {bad} of {bad} bad records refused clearly" in run.exports
    assert "serving fraud-p-abc123/3" in run.exports
    assert "LATENCY_P50_MS=" in run.exports
    assert "not measured" not in run.exports


def test_an_endpoint_that_pays_every_claim_fails_on_every_claim_to_investigate(runs: dict[str, Run]) -> None:
    run = runs["broken"]
    assert run.exit_status == 1
    wrong = [golden for golden in golden_records() if golden.decision == "investigate"]
    assert len(wrong) >= 3
    for golden in wrong:
        assert f"test_a_golden_record_gets_the_answer_it_must[{golden.name}]" in run.failed
    total = len(golden_records())
    assert f"export GOLDEN_RECORDS_PASSED='{total - len(wrong)} of {total}'" in run.exports


def test_an_endpoint_that_falls_over_fails_on_every_bad_request_and_on_the_server_errors(runs: dict[str, Run]) -> None:
    failed = runs["broken"].failed
    for bad in bad_requests():
        assert f"test_a_bad_request_is_refused_with_a_clear_message[{bad.name}]" in failed
    assert "test_no_request_of_this_run_ended_in_a_server_error" in failed


def test_a_missing_endpoint_fails_once_with_what_to_do_and_skips_the_rest(runs: dict[str, Run]) -> None:
    run = runs["missing"]
    assert run.exit_status == 1
    assert len(run.failed) == 1
    assert run.skipped > len(golden_records())
    assert "There is no endpoint fraud-staging." in run.log
    assert "DeployStaging" in run.log
    assert "LATENCY_P95_MS='not measured'" in run.exports
