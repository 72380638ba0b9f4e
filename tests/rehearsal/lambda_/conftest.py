"""The functions' cloud, once for all of their tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.lambda_ import Lambda
from rehearsal.cloud.resources.lambda_ import LAMBDA_TYPES
from rehearsal.cloud.settings import CloudSettings
from tests.rehearsal.conftest import ENVIRONMENTS
from tests.rehearsal.lambda_.lambda_lab import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Tests share it and use names of their own. Its clock is fast, so that retries and timeouts come soon."""
    settings = CloudSettings(tmp_path_factory.mktemp("functions"), ENVIRONMENTS, speed=600.0)
    with Cloud(settings, [Lambda], LAMBDA_TYPES) as cloud:
        yield Lab(cloud)
