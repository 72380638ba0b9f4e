"""A case that never says how it ended is an error, and one that failed is told once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.bad_input.conftest import ROOT

CASES = """
from tests.bad_input.table import ENDINGS

def test_a_buildspec_that_is_missing(ended):
    pass

def test_a_rehearsal_without_git(ended):
    row = ENDINGS["a_rehearsal_without_git"]
    ended(row.state, " ".join(row.says))

def test_data_that_are_empty(ended):
    raise AssertionError("it broke before it ended")
"""


def test_a_case_that_does_not_say_how_it_ended_is_an_error_and_a_failed_one_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "test_cases.py").write_text(CASES)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.bad_input.conftest"),
            *("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(tmp_path / "test_cases.py")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.findall(r"^(ERROR|FAILED) \S+::test_(\w+)", done.stdout, re.MULTILINE)
    assert sorted(told) == [("ERROR", "a_buildspec_that_is_missing"), ("FAILED", "data_that_are_empty")], done.stdout
    assert "the case never told how it ended" in done.stdout
