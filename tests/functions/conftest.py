"""The product's functions, each test with an account of its own."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from answers import CloudFormationEar
from fake_aws import REGION, FakeAws
from moto import mock_aws
from scene import Builds, Clock, CodePipelines, SageMaker, Stacks

import aws as functions_aws
import clean_up
import custom_resource
import function_log
import patience


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The functions' clock: it stands still unless they wait."""
    made = Clock()
    for module in (patience, clean_up, custom_resource, function_log):
        monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        fake = FakeAws()
        monkeypatch.setattr(functions_aws, "boto3", SimpleNamespace(client=fake.client))
        yield fake


@pytest.fixture
def pipelines(account: FakeAws, clock: Clock) -> CodePipelines:
    return CodePipelines(account, clock)


@pytest.fixture
def builds(account: FakeAws, clock: Clock) -> Builds:
    return Builds(account, clock)


@pytest.fixture
def stacks(account: FakeAws, clock: Clock) -> Stacks:
    return Stacks(account, clock)


@pytest.fixture
def sagemaker(account: FakeAws, clock: Clock) -> SageMaker:
    return SageMaker(account, clock)


@pytest.fixture
def ear() -> Iterator[CloudFormationEar]:
    """Where CloudFormation listens for answers: a real HTTP server."""
    with CloudFormationEar() as listening:
        yield listening
