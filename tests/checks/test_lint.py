"""`make lint` fails when one of its checks does, and shows what that one said and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from checks import lint
from checks.lint import Check

SAYS = "import sys; print('found this'); print('at length', file=sys.stderr); sys.exit(int(sys.argv[1]))"
BREAKS = "raise RuntimeError('something broke')"


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


@pytest.fixture
def _environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "LINT_PYTHON", Path(sys.executable))


@pytest.mark.usefixtures("_environments")
def test_one_finding_fails_the_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    checks = ((Check("first", (python(SAYS, "0"), python(SAYS, "1"))),), (Check("second", (python(SAYS, "0"),)),))
    monkeypatch.setattr(lint, "lanes", lambda _: checks)

    assert lint.main() == 1

    first, said, second = capsys.readouterr().out.splitlines()
    assert first.startswith("FAILED first")
    assert said == "found this"
    assert second.startswith("ok     second")


@pytest.mark.usefixtures("_environments")
def test_nothing_found_is_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "lanes", lambda _: ((Check("only", (python(SAYS, "0"),)),),))
    assert lint.main() == 0


def test_a_check_that_breaks_says_why() -> None:
    outcome = lint.run(Check("broken", (python(BREAKS),)))
    assert not outcome.ok
    assert "RuntimeError: something broke" in outcome.said


def test_without_its_environment_checkov_is_not_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lint, "LINT_PYTHON", tmp_path / "absent")
    assert lint.main() == 1
    assert "run make lint, which sets it up" in capsys.readouterr().out


def test_every_kind_of_check_is_run(tmp_path: Path) -> None:
    names = [check.name for lane in lint.lanes(tmp_path / "catalog.json") for check in lane]
    assert sorted(names) == ["cdk-nag", "cfn-lint", "checkov", "mypy", "ruff"]
