"""Run the unit tests unless these very files have passed them: `make tested`, as a build does it.

A pipeline builds the same commit again and again: when a version is approved, when a model is trained on schedule, when
somebody releases a change once more. Its unit tests then say what they said before, so they are run once, and a later
build of the same files says so in its log and hands on the report of that run.

*The same* are all files of the repository (the locks are among them), the command, the Python that runs, and the
environment but for what is another in every build (`VARIES`). What is remembered lies in `.tools`, which CodeBuild
keeps between builds on one host: on another host, the tests run.
https://docs.aws.amazon.com/codebuild/latest/userguide/caching-local.html

    python -m project_tools.tested --report reports/unit-tests.xml --made reports -- python -m pytest tests
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

MADE = ("__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".DS_Store")
"""Names that are none of the repository's files, wherever they stand."""
MADE_AT_THE_TOP = (".git", ".tools", ".venv*")
VARIES = (
    *("CODEBUILD_*", "GOPATH", "ECS_*", "AWS_CONTAINER_*", "AWS_EXECUTION_ENV"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL*"),
    *("HOME", "HOSTNAME", "OLDPWD", "PATH", "PWD", "SHLVL", "TMPDIR", "_", "MAKE*", "MFLAGS", "PYTHONPYCACHEPREFIX"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
"""Variables that are other ones in every build, on every machine, in every shell, in either case. Any other one counts.
CodeBuild adds the folder of the build's sources to GOPATH.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
"""

PASSED = Path(".tools", "tested")
KEPT = 20
"""How many passed runs are remembered: a commit may be rolled back to."""


@dataclass(frozen=True)
class Passed:
    """A run that passed: when, with which Python, in which build (empty outside of CodeBuild), and its report."""

    at: str
    python: str
    build: str
    report: str

    def __str__(self) -> str:
        where = f", in build {self.build}" if self.build else ""
        return (
            f"The unit tests are not run: they passed on exactly these files with Python {self.python} at {self.at}"
            f"{where}. The report is of that run; `make test` runs them all the same."
        )


def files(root: Path, made: Sequence[str] = ()) -> Iterator[Path]:
    """Every file and link below `root` in a fixed order, but for `MADE`, and at the top what `made` names, too."""
    return _below(root, (*MADE, *MADE_AT_THE_TOP, *made))


def _below(folder: Path, made: Sequence[str]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if any(fnmatchcase(path.name, pattern) for pattern in made):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _below(path, MADE)
        else:
            yield path


def digest(
    root: Path,
    made: Sequence[str],
    command: Sequence[str],
    environment: Mapping[str, str],
    varies: Sequence[str] = (),
) -> str:
    """What the result of the tests depends on, in one name: Python, the command, the environment, and each file."""
    whole = hashlib.sha256(f"{sys.version} {sys.platform} {platform.machine()} {command!r}\n".encode())
    for name in sorted(environment):
        if not any(fnmatchcase(name.upper(), pattern) for pattern in (*VARIES, *varies)):
            whole.update(f"{name!r} is {environment[name]!r}\n".encode(errors="surrogateescape"))
    for path in files(root, made):
        name = os.fsencode(path.relative_to(root).as_posix())
        whole.update(b"%s %d %s\n" % (_content(path), len(name), name))
    return whole.hexdigest()


def _content(path: Path) -> bytes:
    """A file's kind and content. What is neither a file nor a link (a socket, a pipe) has a kind only."""
    if path.is_symlink():
        return b"link " + hashlib.sha256(os.fsencode(path.readlink())).hexdigest().encode()
    if not path.is_file():
        return b"other"
    with path.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").hexdigest().encode()
    return (b"program " if os.access(path, os.X_OK) else b"file ") + content


def remembered(entry: Path) -> Passed | None:
    """The passed run that `entry` tells of; None where there is none, or none that can be read."""
    try:
        passed = Passed(**json.loads(entry.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return passed if isinstance(passed.report, str) and passed.report else None


def remember(entry: Path, report: str) -> None:
    """Keep `report` and when it was made. An entry appears whole or not at all, whoever else writes it meanwhile."""
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    passed = Passed(now, platform.python_version(), os.environ.get("CODEBUILD_BUILD_ID", ""), report)
    entry.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=entry.parent, delete=False) as new:
        json.dump(asdict(passed), new)
    Path(new.name).replace(entry)
    for old in sorted(entry.parent.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)[KEPT:]:
        old.unlink(missing_ok=True)


def run(command: Sequence[str], report: Path, made: Sequence[str], root: Path, varies: Sequence[str] = ()) -> int:
    """The exit status of `command`, run in `root`; 0 without running it if it has passed there before."""
    before = digest(root, made, command, os.environ, varies)
    entry, report = root / PASSED / before, root / report
    passed = remembered(entry)
    if passed:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(passed.report, encoding="utf-8")
        print(passed)
        return 0
    with contextlib.suppress(FileNotFoundError):
        report.unlink()  # one of an earlier run must not be taken for this one's
    status = subprocess.run(command, cwd=root, check=False).returncode
    if status or not report.is_file() or digest(root, made, command, os.environ, varies) != before:
        return status
    try:
        remember(entry, report.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        print(f"The tests passed, but that could not be kept for the next build: {problem}", file=sys.stderr)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m project_tools.tested", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--report", type=Path, required=True, help="the report that the command writes")
    parser.add_argument("--made", action="append", default=[], help="a name at the top that the verbs make")
    parser.add_argument("--varies", action="append", default=[], help="a variable that the tests do not depend on")
    parser.add_argument("command", nargs="+", help="what runs the tests")
    given = parser.parse_args()
    return run(given.command, given.report, given.made, Path.cwd(), given.varies)


if __name__ == "__main__":
    sys.exit(main())
