"""One account with the template published, for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import settle
from tests.rehearsal.conftest import ENVIRONMENTS
from tests.rehearsal.whole.company import Company


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with new_cloud(CloudSettings(tmp_path_factory.mktemp("company"), ENVIRONMENTS)) as cloud:
        yield Company(cloud, settle(cloud))
