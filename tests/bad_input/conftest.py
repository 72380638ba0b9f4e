"""What every case of bad input shares: it ends as its row of the table says."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.cloud import Cloud
from rehearsal.cloud.rooms import PROVIDERS, SERVICES
from rehearsal.cloud.settings import CloudSettings
from tests.bad_input.table import ENDINGS

ROOT = Path(__file__).parents[2]
Ended = Callable[[str, str], None]
StartCloud = Callable[..., Cloud]
PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note for `ended` whether the case itself passed."""
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture
def ended(request: pytest.FixtureRequest) -> Iterator[Ended]:
    """`ended(state, message)`: how this case ended, held against its row of the table."""
    row = ENDINGS[request.node.name.removeprefix("test_")]
    asked: list[str] = []

    def check(state: str, message: str) -> None:
        asked.append(state)
        assert state == row.state, message
        for words in row.says:
            assert words in message
        assert "Traceback" not in message

    yield check
    if request.node.stash.get(PASSED, False):
        assert asked, "the case never told how it ended"


@pytest.fixture(scope="module")
def start_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartCloud]:
    """`start_cloud(faults=("throttling",))`: a cloud with every room, ended with the module."""
    running: list[Cloud] = []

    def start(**settings: Any) -> Cloud:
        folder = tmp_path_factory.mktemp("cloud")
        cloud = Cloud(CloudSettings(folder, ROOT / ".venvs", **settings), SERVICES, PROVIDERS)
        running.append(cloud)
        cloud.start()
        return cloud

    yield start
    for cloud in running:
        cloud.stop()
