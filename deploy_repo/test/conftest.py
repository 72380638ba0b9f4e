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
from deployment.endpoint import Endpoint, check_in_service
from deployment.errors import RefusedError, aws_errors_explained
from deployment.figures import Figures
from deployment.settings import StagingTestSettings

VARIABLES_FILE = Path(__file__).resolve().parent.parent / "exports" / "staging-test.env"

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
def connection(figures: Figures) -> Endpoint | RefusedError:
    """The staging endpoint, or the one reason why it cannot be tested."""
    try:
        with aws_errors_explained():
            settings = StagingTestSettings.from_environment(os.environ)
            found = check_in_service(boto3.client("sagemaker"), settings.endpoint_name, settings.model_package_arn)
            figures.package_arn = str(found.model_package_arn)
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


@pytest.fixture
def endpoint(connection: Endpoint | RefusedError) -> Endpoint:
    """The staging endpoint in service. Without one the first test fails with the reason, and the others are skipped."""
    if isinstance(connection, Endpoint):
        return connection
    if _already_told:
        pytest.skip("there is no endpoint to test: see the first failure")
    _already_told.append(connection)
    pytest.fail(str(connection), pytrace=False)


@pytest.fixture
def held_out_sample(endpoint: Endpoint, figures: Figures) -> held_out.Sample | None:  # noqa: ARG001  # needs one
    """Claims the served model was evaluated with; None where its package names none."""
    try:
        with aws_errors_explained():
            package = boto3.client("sagemaker").describe_model_package(ModelPackageName=figures.package_arn)
            return held_out.find(boto3.client("s3"), package)
    except RefusedError as reason:
        pytest.fail(str(reason), pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the pipeline's variables in the build log."""
    if VARIABLES_FILE.exists():
        terminalreporter.section("for the pipeline")
        terminalreporter.write(VARIABLES_FILE.read_text(encoding="utf-8"))
