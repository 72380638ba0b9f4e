"""Clouds for tests: real ones, with the front door open and the base behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.resources.provider import ResourceProvider
from rehearsal.cloud.service import Credentials, Service
from rehearsal.cloud.settings import CloudSettings

ENVIRONMENTS = Path(__file__).parents[2] / ".venvs"

StartCloud = Callable[..., Cloud]


@pytest.fixture(scope="module")
def start_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartCloud]:
    """`start_cloud([CodeCommit], [*CODECOMMIT_TYPES])`: a cloud with just these rooms, ended with the module.

    Further arguments are settings of the cloud, such as `speed=240.0`.
    """
    running: list[Cloud] = []

    def start(
        services: Iterable[type[Service]],
        providers: Iterable[type[ResourceProvider]] = (),
        **more: Any,
    ) -> Cloud:
        settings = CloudSettings(tmp_path_factory.mktemp("cloud"), ENVIRONMENTS, **more)
        cloud = Cloud(settings, services, providers)
        running.append(cloud)
        cloud.start()
        return cloud

    yield start
    for cloud in running:
        cloud.stop()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud with every room."""
    from rehearsal.cloud.rooms import new_cloud

    with new_cloud(CloudSettings(tmp_path_factory.mktemp("cloud"), ENVIRONMENTS)) as running:
        yield running


@pytest.fixture(scope="module")
def cloud_admin(cloud: Cloud) -> Credentials:
    """The root user, to set the scene with."""
    return cloud.identity.root
