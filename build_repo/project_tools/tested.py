"""Run the unit tests unless these very files have passed them: `make tested`, as a build does it.

A pipeline builds the same commit again and again: when a version is approved, when a model is trained on schedule, when
somebody releases a change once more. Its unit tests then say what they said before, so they are run once, and a later
build of the same files says so in its log and hands on the report of that run.

*The same* are all files of the repository (the locks are among them) and the Python that runs. What is remembered lies
in `.tools`, which CodeBuild keeps between builds on one host: on another host, the tests run.
https://docs.aws.amazon.com/codebuild/latest/userguide/caching-local.html

    python -m project_tools.tested --report reports/unit-tests.xml --made reports -- make test
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path

MADE = (".git", ".tools", ".venv*", "__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".DS_Store")
"""Names that are none of the repository's files, wherever they stand."""

PASSED = Path(".tools", "tested")
KEPT = 20
"""How many passed runs are remembered: a commit may be rolled back to."""


@dataclass(frozen=True)
class Passed:
    """When these files passed, with which Python, and in which build (empty outside of CodeBuild)."""

    at: str
    python: str
    build: str

    def __str__(self) -> str:
        where = f", in build {self.build}" if self.build else ""
        return (
            f"The unit tests are not run: they passed on exactly these files with Python {self.python} at {self.at}"
            f"{where}. The report is of that run; `make test` runs them all the same."
        )


def files(root: Path, made: Sequence[str] = ()) -> Iterator[Path]:
    """Every file and link below `root` in a fixed order, without what `MADE` and `made` name."""
    for path in sorted(root.iterdir()):
        if any(fnmatchcase(path.name, pattern) for pattern in (*MADE, *made)):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from files(path, made)
        else:
            yield path


def digest(root: Path, made: Sequence[str] = ()) -> str:
    """What the result of the tests depends on, in one name: Python, and each file's name, mode and content."""
    whole = sha256(f"{sys.version} {sys.platform} {platform.machine()}\n".encode())
    for path in files(root, made):
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        kind = "link" if path.is_symlink() else "program" if os.access(path, os.X_OK) else "file"
        name = path.relative_to(root).as_posix()
        whole.update(f"{kind} {sha256(content).hexdigest()} {len(name)} {name}\n".encode())
    return whole.hexdigest()


def remembered(entry: Path) -> Passed | None:
    """The passed run that `entry` tells of; None where there is none, or none that can be read."""
    try:
        passed = Passed(**json.loads((entry / "passed.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return passed if (entry / "report.xml").is_file() else None


def remember(entry: Path, report: Path) -> None:
    """Keep `report` and when it was made. An entry appears whole or not at all, whoever else writes it meanwhile."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    passed = Passed(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        platform.python_version(),
        os.environ.get("CODEBUILD_BUILD_ID", ""),
    )
    with tempfile.TemporaryDirectory(dir=entry.parent, prefix="new-") as folder:
        new = Path(folder, "entry")
        new.mkdir()
        shutil.copyfile(report, new / "report.xml")
        (new / "passed.json").write_text(json.dumps(asdict(passed)))
        shutil.rmtree(entry, ignore_errors=True)
        new.rename(entry)
    entries = (one for one in entry.parent.iterdir() if not one.name.startswith("new-"))
    for old in sorted(entries, key=lambda one: one.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def run(command: Sequence[str], report: Path, made: Sequence[str], root: Path) -> int:
    """The exit status of `command`, run in `root`; 0 without running it if it has passed there before."""
    before = digest(root, made)
    passed = remembered(root / PASSED / before)
    report = root / report
    if passed:
        report.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / PASSED / before / "report.xml", report)
        print(passed)
        return 0
    report.unlink(missing_ok=True)  # one of an earlier run must not be taken for this one's
    status = subprocess.run(command, cwd=root, check=False).returncode
    if status or not report.is_file() or digest(root, made) != before:
        return status
    try:
        remember(root / PASSED / before, report)
    except OSError as problem:
        print(f"The tests passed, but that could not be kept for the next build: {problem}", file=sys.stderr)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m project_tools.tested", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--report", type=Path, required=True, help="the report that the command writes")
    parser.add_argument("--made", action="append", default=[], help="a name that is none of the repository's files")
    parser.add_argument("command", nargs="+", help="what runs the tests")
    arguments = parser.parse_args()
    return run(arguments.command, arguments.report, arguments.made, Path.cwd())


if __name__ == "__main__":
    sys.exit(main())
