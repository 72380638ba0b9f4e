"""What the unit tests share."""

import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from deployment.settings import BuildSettings

from .fake_registry import BUCKET, GROUP, ROLE, Registry

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parent.parent
# What a build is tested with, so that you can change yours and the tests of the build go on.
CONFIGURATIONS = ROOT / "tests" / "configurations"

ENVIRONMENT = {
    "SAGEMAKER_PROJECT_NAME": "fraud",
    "SAGEMAKER_PROJECT_ID": "p-abc123",
    "MODEL_PACKAGE_GROUP_NAME": GROUP,
    "MODEL_EXECUTION_ROLE_ARN": ROLE,
    "ARTIFACT_BUCKET": BUCKET,
    "STAGING_ENDPOINT_NAME": "fraud-staging",
    "PRODUCTION_ENDPOINT_NAME": "fraud-prod",
    "MODEL_PACKAGE_ARN": "auto",
}


@pytest.fixture(scope="session", autouse=True)
def _no_account_but_the_invented_one() -> Iterator[None]:
    """Whatever the environment points at, these tests stay on this machine.

    One session for all of them: reading AWS's models anew costs more than all the rest of a test.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        # Also for sessions that the code under test makes: one without credentials asks the machine for some.
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        boto3.setup_default_session(region_name="eu-west-1")
        yield


@functools.cache
def client(service: str) -> Any:
    """A client that can reach no real account."""
    return boto3.client(service)


def settings(**changes: str) -> BuildSettings:
    """The settings of a build, with environment variables changed by name."""
    return BuildSettings.from_environment({**ENVIRONMENT, **changes})


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A project in which nothing has been registered yet."""
    services = ("sagemaker", "s3", "application-autoscaling")
    with Registry(*(client(service) for service in services)).answering() as found:
        yield found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the files that build.py reads."""
    for path in (ROOT / "endpoint-config-template.yml", *CONFIGURATIONS.glob("*.json")):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
