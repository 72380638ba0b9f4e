"""Runs every check that needs no cloud and no tests, two at a time, and shows what they found."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from checks.template_file import ROOT
from checks.templates import all_templates

BIN = Path(sys.executable).parent
BROKEN = "tests/checks/careless.yaml"
LINT_PYTHON = ROOT / ".venvs" / "lint" / "bin" / "python"


@dataclass(frozen=True)
class Check:
    """One check: its commands run one after the other, and all of them have to end well."""

    name: str
    commands: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Outcome:
    name: str
    ok: bool
    seconds: float
    said: str


def lanes(catalog: Path) -> tuple[tuple[Check, ...], ...]:
    """What runs beside each other; within a lane one after the other. checkov reads the catalog that cdk-nag leaves."""
    templates = [str(path) for path in all_templates()]
    return (
        (
            Check("ruff", ((str(BIN / "ruff"), "check", "."), (str(BIN / "ruff"), "format", "--check", "."))),
            Check("mypy", ((str(BIN / "mypy"),),)),
            Check("cfn-lint", ((sys.executable, "-m", "checks.templates"),)),
        ),
        (
            Check("cdk-nag", ((sys.executable, "-m", "checks.nag", str(catalog)),)),
            Check("checkov", ((str(LINT_PYTHON), "checks/with_checkov.py", BROKEN, *templates, str(catalog)),)),
        ),
    )


def run(check: Check) -> Outcome:
    """Run a check to its end."""
    started = time.monotonic()
    done = [subprocess.run(each, capture_output=True, text=True, check=False, cwd=ROOT) for each in check.commands]
    ok = all(each.returncode == 0 for each in done)
    # What is found goes to standard output. CDK tells the same, at length, on the other: wanted when something broke.
    said = "\n".join(each.stdout.strip() or each.stderr.strip() for each in done if each.returncode != 0)
    return Outcome(check.name, ok, time.monotonic() - started, said)


def main() -> int:
    """Show each lane's outcomes, those that found something with all they said. Exit status 1 if any did."""
    if not LINT_PYTHON.exists():
        print("The environment of checkov is not there (.venvs/lint): run make lint, which sets it up.")
        return 1
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor() as pool:
        work = lanes(Path(name) / "catalog.json")
        running = [pool.submit(lambda lane: list(map(run, lane)), lane) for lane in work]
        outcomes = [outcome for lane in running for outcome in lane.result()]
    for line in _lines(outcomes):
        print(line)
    return 0 if all(each.ok for each in outcomes) else 1


def _lines(outcomes: list[Outcome]) -> Iterator[str]:
    for each in outcomes:
        yield f"{'ok    ' if each.ok else 'FAILED'} {each.name:<9} {each.seconds:5.1f} s"
        if not each.ok:
            yield each.said


if __name__ == "__main__":
    sys.exit(main())
