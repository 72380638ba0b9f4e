"""Variables that a buildspec sources must arrive in the shell as they were meant."""

import subprocess
from pathlib import Path

import pytest

from deployment import variables


@pytest.mark.parametrize(
    "value",
    [
        "12 of 12",
        'it\'s $HOME; `id` && $(touch never) > never \\ "quoted" # not a comment *',
        "p95 31 ms, é, 100 %",
    ],
)
def test_a_shell_reads_back_exactly_what_was_written_and_runs_nothing(tmp_path: Path, value: str) -> None:
    variables.write(tmp_path / "exports" / "a.env", {"SUMMARY": value})
    script = ". exports/a.env && sh -c 'printf %s \"$SUMMARY\"'"
    result = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout == value
    assert [path.name for path in tmp_path.iterdir()] == ["exports"]


@pytest.mark.parametrize("value", ["", "two\nlines", "a\0b"])
def test_a_value_no_pipeline_variable_can_carry_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ValueError, match="SUMMARY must be one line of text"):
        variables.write(tmp_path / "a.env", {"SUMMARY": value})


@pytest.mark.parametrize("name", ["lower", "WITH SPACE", "1ST", "A;id", ""])
def test_a_name_the_shell_would_not_take_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a variable name"):
        variables.write(tmp_path / "a.env", {name: "value"})
