"""What the image's own input function makes of a request, for models whose code has none."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from rehearsal.cloud.runtimes import RUNTIMES
from rehearsal.cloud.sagemaker.model_server import SERVE
from tests.rehearsal.conftest import ENVIRONMENTS

READ = """
import json, runpy, sys
read = runpy.run_path(sys.argv[1])["default_input_fn"]
matrices = [read(data, kind) for data, kind in json.load(sys.stdin)]
print(json.dumps([matrix.get_data().toarray().tolist() for matrix in matrices]))
"""
REQUESTS = {
    "csv": ("1,2.5\n3,4", "text/csv"),
    "csv with another delimiter": ("1;2.5\n3;4", "text/csv; charset=utf-8"),
    "libsvm counts from one and fills with zeros": ("1:5 3:7\n2:6", "text/libsvm"),
    "libsvm counts from nought": ("0:5 2:7\n1:6", "text/x-libsvm"),
    "a label is not a feature": ("1 1:5 2:6", "text/libsvm"),
}


@pytest.fixture(scope="module")
def seen() -> dict[str, list[Any]]:
    command = [RUNTIMES[0].python(ENVIRONMENTS), "-c", READ, SERVE]
    asked = json.dumps(list(REQUESTS.values()))
    answer = subprocess.run(command, input=asked, capture_output=True, text=True, check=True).stdout
    return dict(zip(REQUESTS, json.loads(answer), strict=True))


@pytest.mark.parametrize(
    ("request_", "rows"),
    [
        ("csv", [[1, 2.5], [3, 4]]),
        ("csv with another delimiter", [[1, 2.5], [3, 4]]),
        ("libsvm counts from one and fills with zeros", [[5, 0, 7], [0, 6, 0]]),
        ("libsvm counts from nought", [[5, 0, 7], [0, 6, 0]]),
        ("a label is not a feature", [[5, 6]]),
    ],
)
def test_text_becomes_a_matrix(seen: dict[str, list[Any]], request_: str, rows: list[list[float]]) -> None:
    assert seen[request_] == rows
