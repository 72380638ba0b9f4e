"""Several clouds of one process lint at the same time, with the same rules."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cfnlint.runner
import pytest

from rehearsal.cloud.resources.linter import errors_in
from tests.rehearsal.core.test_linter import REGION, template

BUCKET = template("AWS::S3::Bucket")


def test_one_template_is_linted_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[int] = []
    most: list[int] = []
    counting = threading.Lock()

    def lint(*_: Any) -> list[Any]:
        with counting:
            inside.append(1)
            most.append(len(inside))
        time.sleep(0.02)  # long enough for another thread to come in, if it may
        with counting:
            inside.pop()
        return []

    monkeypatch.setattr(cfnlint.runner, "run_template_by_data", lint)
    with ThreadPoolExecutor(4) as people:
        assert list(people.map(lambda _: errors_in(BUCKET, REGION), range(8))) == [[]] * 8
    assert max(most) == 1
