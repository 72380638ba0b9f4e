"""The rehearsal's cloud standing in for AWS: an account with an administrator, reached through boto3's own search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import People, settle
from service_catalog.target import Target, find_target

ENVIRONMENTS = Path(__file__).parents[2] / ".venvs"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with new_cloud(CloudSettings(tmp_path_factory.mktemp("cloud"), ENVIRONMENTS, speed=120)) as running:
        yield running


@pytest.fixture(scope="module")
def people(cloud: Cloud) -> People:
    return settle(cloud)


@pytest.fixture
def target(cloud: Cloud, people: People, monkeypatch: pytest.MonkeyPatch) -> Target:
    """What the administrator's credentials in the environment lead to."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in cloud.environment(people.platform_engineer).items():
        monkeypatch.setenv(name, value)
    return find_target()
