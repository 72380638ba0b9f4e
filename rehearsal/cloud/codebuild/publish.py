"""A build's test reports: the files a buildspec names, read and handed to their report groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.cloud.codebuild.artifacts import find_files
from rehearsal.cloud.codebuild.build import Build
from rehearsal.cloud.codebuild.buildspec import Reports as Wanted
from rehearsal.cloud.codebuild.errors import PhaseError
from rehearsal.cloud.codebuild.junit import NotJUnitError, TestCase, read
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service import Credentials

if TYPE_CHECKING:
    from rehearsal.cloud.codebuild.reports import Reports


def publish_reports(
    room: Reports,
    credentials: Credentials,
    build: Build,
    wanted: Sequence[Wanted],
    source: Path,
    say: Callable[[str], None],
) -> list[str]:
    """Publish every report of a buildspec as the build's role; their ARNs.

    A failed test does not fail the build, its command's exit status does. A report without files does. Raises
    PhaseError naming each group that could not be published.
    """
    arns, problems = [], []
    for report in wanted:
        group = report.group if report.group.startswith("arn:") else f"{build.project_name}-{report.group}"
        say(f"Preparing to copy TEST report {report.group}")
        try:
            cases = _cases(report, source)
            say(f"Found {len(cases)} test case(s)")
            arns.append(room.publish_report(credentials, group, build.arn, cases))
        except (PhaseError, AwsError) as problem:
            problems.append(f"[{report.group}: [{problem.message}]]")
    if problems:
        say(f"Error in UPLOAD_ARTIFACTS phase: {', '.join(problems)}")
        raise PhaseError(", ".join(problems))
    return arns


def _cases(report: Wanted, source: Path) -> list[tuple[str, TestCase]]:
    found = find_files(source, report.base_directory, report.files)
    if not found:
        raise PhaseError(f"report files not found in build ({', '.join(report.files)})")
    cases = []
    for path, name in found:
        try:
            cases += [(name, case) for case in read(path)]
        except NotJUnitError as problem:
            raise PhaseError(f"{name} cannot be read as JUNITXML: {problem}") from problem
    return cases
