"""Clouds in which something is to go wrong. Each strikes once, so each test has a cloud of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.resources.provider import ResourceProvider
from rehearsal.cloud.service import Service
from rehearsal.cloud.settings import CloudSettings
from tests.rehearsal.conftest import ENVIRONMENTS

Faulty = Callable[..., Cloud]


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Faulty]:
    """`faulty(["throttling"], [CodeCommit], speed=600)`: a cloud with these faults and these rooms."""
    running: list[Cloud] = []

    def start(
        faults: Iterable[str],
        services: Iterable[type[Service]] = (),
        providers: Iterable[type[ResourceProvider]] = (),
        speed: float = 60.0,
    ) -> Cloud:
        folder = tmp_path / f"cloud{len(running)}"
        folder.mkdir()
        cloud = Cloud(CloudSettings(folder, ENVIRONMENTS, faults=tuple(faults), speed=speed), services, providers)
        running.append(cloud)
        cloud.start()
        return cloud

    yield start
    for cloud in running:
        cloud.stop()
