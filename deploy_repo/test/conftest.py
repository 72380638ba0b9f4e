"""What the tests of the live staging endpoint share."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from deployment import approval_page, comparison, expectations, held_out, modes, variables
from deployment.async_endpoint import AsyncEndpoint
from deployment.batch_run import BatchStage, Run
from deployment.endpoint import Endpoint, check_in_service
from deployment.errors import RefusedError, aws_errors_explained
from deployment.figures import Figures
from deployment.settings import StagingTestSettings

CONFIG = Path(__file__).parent.parent / "staging-config.json"
BATCH = CONFIG.exists() and json.loads(CONFIG.read_text())["Parameters"].get("DeploymentMode") == modes.BATCH
collect_ignore = ["test_staging.py" if BATCH else "test_batch.py"]
"""What is deployed is what this configuration says, so that only one of them has something to test."""

VARIABLES_FILE = Path(__file__).parent.parent / "exports" / "staging-test.env"

# One attempt only: a retry would hide an error, and count two requests as one slow one.
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1}, read_timeout=65)


@pytest.fixture(scope="session")
def figures() -> Iterator[Figures]:
    """The figures the tests fill in; written for the pipeline at the end, whether the tests passed or not."""
    VARIABLES_FILE.unlink(missing_ok=True)
    found = Figures(golden_total=len(expectations.golden_records()), bad_total=len(expectations.bad_requests()))
    yield found
    try:
        _tell_approver(found)
    except RefusedError as reason:
        pytest.fail(f"The approver's page cannot be written.\n{reason}", pytrace=False)
    finally:
        variables.write(VARIABLES_FILE, found.variables())


def _tell_approver(figures: Figures) -> None:
    """Compare with production, and write the page; raises RefusedError where that cannot be written."""
    if not figures.package_arn:
        return  # there was nothing to test
    settings = StagingTestSettings.from_environment(os.environ)
    sagemaker, s3 = boto3.client("sagemaker"), boto3.client("s3")
    if not settings.production_endpoint_name:
        return
    with aws_errors_explained():
        package = sagemaker.describe_model_package(ModelPackageName=figures.package_arn)
        compared = comparison.compare(sagemaker, s3, package, settings.production_endpoint_name)
        figures.comparison = compared.in_short()
        if settings.approval_page:
            summary, pictures = figures.variables()["STAGING_SUMMARY"], approval_page.pictures(s3, package)
            approval_page.publish(
                s3, settings.approval_page, approval_page.render(summary, package, compared, pictures)
            )


@pytest.fixture(scope="session")
def connection(figures: Figures) -> Endpoint | BatchStage | RefusedError:
    """The staging endpoint, the stage of mode batch in its place, or the one reason why neither can be tested."""
    try:
        with aws_errors_explained():
            settings = StagingTestSettings.from_environment(os.environ)
            found = check_in_service(boto3.client("sagemaker"), settings.endpoint_name, settings.model_package_arn)
            figures.package_arn = str(found.model_package_arn)
            if found.mode == modes.BATCH:
                figures.bad_total = 1
                return BatchStage(boto3.client("sagemaker"), boto3.client("s3"), settings.endpoint_name)
            runtime = boto3.client("sagemaker-runtime", config=ONE_ATTEMPT)
            if found.mode == modes.ASYNC:
                endpoint: Endpoint = AsyncEndpoint(
                    settings.endpoint_name, runtime, s3=boto3.client("s3"), answers_in=found.answers_in
                )
            else:
                endpoint = Endpoint(settings.endpoint_name, runtime)
            if found.mode in (modes.SERVERLESS, modes.ASYNC):
                endpoint.wake(json.dumps({"records": [expectations.golden_records()[0].record]}))
            return endpoint
    except RefusedError as reason:
        return reason


_already_told: list[RefusedError] = []


def _refused(reason: RefusedError) -> None:
    """The first test fails with the reason, and the others are skipped."""
    if _already_told:
        pytest.skip("there is nothing to test: see the first failure")
    _already_told.append(reason)
    pytest.fail(str(reason), pytrace=False)


@pytest.fixture
def endpoint(connection: Endpoint | BatchStage | RefusedError) -> Endpoint:
    """The staging endpoint in service. A stage of mode batch has none."""
    if isinstance(connection, RefusedError):
        _refused(connection)
    if not isinstance(connection, Endpoint):
        pytest.skip("this stage has the mode batch: test_batch.py tests it")
    return connection


@pytest.fixture(scope="session")
def runs(connection: Endpoint | BatchStage | RefusedError, figures: Figures) -> tuple[Run, Run] | RefusedError | None:
    """What a stage of mode batch made of golden and held-out records, and of a bad one; None of an endpoint."""
    if not isinstance(connection, BatchStage):
        return connection if isinstance(connection, RefusedError) else None
    golden = [[each.record] for each in expectations.golden_records()]
    bad = next(json.loads(each.body)["records"] for each in expectations.bad_requests() if each.record is not None)
    try:
        with aws_errors_explained():
            sample = _held_out(figures)
            files = {"golden.jsonl": golden, **({"held-out.jsonl": sample.requests()} if sample else {})}
            started = connection.start(files), connection.start({"bad.jsonl": [*golden, bad]})
            first, second = (connection.ended(each) for each in started)
            return first, second
    except RefusedError as reason:
        return reason


@pytest.fixture
def good_run(runs: tuple[Run, Run] | RefusedError | None) -> Run:
    """The run over golden and held-out records."""
    return _one(runs, 0)


@pytest.fixture
def bad_run(runs: tuple[Run, Run] | RefusedError | None) -> Run:
    """The run over a file with a bad record in it."""
    return _one(runs, 1)


def _one(runs: tuple[Run, Run] | RefusedError | None, position: int) -> Run:
    if isinstance(runs, RefusedError):
        _refused(runs)
    if not isinstance(runs, tuple):
        pytest.skip("this stage has an endpoint: test_staging.py tests it")
    return runs[position]


def _held_out(figures: Figures) -> held_out.Sample | None:
    package = boto3.client("sagemaker").describe_model_package(ModelPackageName=figures.package_arn)
    return held_out.find(boto3.client("s3"), package)


@pytest.fixture
def held_out_sample(connection: Endpoint | BatchStage | RefusedError, figures: Figures) -> held_out.Sample | None:
    """Claims the served model was evaluated with; None where its package names none."""
    if isinstance(connection, RefusedError):
        _refused(connection)
    try:
        with aws_errors_explained():
            return _held_out(figures)
    except RefusedError as reason:
        pytest.fail(str(reason), pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the pipeline's variables in the build log."""
    if VARIABLES_FILE.exists():
        terminalreporter.section("for the pipeline")
        terminalreporter.write(VARIABLES_FILE.read_text(encoding="utf-8"))
