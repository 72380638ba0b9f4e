"""What leaves a build: artifacts to S3 and test reports to their groups, both as the service role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.codebuild import artifacts
from rehearsal.cloud.codebuild.build import Output
from rehearsal.cloud.codebuild.buildspec import Artifacts, BuildSpec
from rehearsal.cloud.codebuild.buildspec import Reports as WantedReports
from rehearsal.cloud.codebuild.errors import PhaseError
from rehearsal.cloud.codebuild.junit import NotJUnitError, TestCase, read
from rehearsal.cloud.codebuild.workplace import Workplace, reason
from rehearsal.cloud.errors import AwsError
from rehearsal.cloud.service_calls import CODEBUILD_BUCKET

if TYPE_CHECKING:
    from rehearsal.cloud.codebuild.reports import Reports


def deliver(place: Workplace, spec: BuildSpec, room: Reports, evaluate: Callable[[str], str]) -> None:
    """Upload artifacts and publish reports; raises one PhaseError for all that is missing or refused.

    `evaluate` lets the build's shell expand an artifact's name.
    """
    problems: list[PhaseError] = []
    for output, wanted in _wanted_artifacts(place, spec):
        try:
            _upload(place, output, wanted, evaluate)
        except PhaseError as problem:
            problems.append(problem)
    try:
        _publish(place, spec, room)
    except PhaseError as problem:
        problems.append(problem)
    if problems:
        raise PhaseError("; ".join(problem.message for problem in problems), problems[0].code)


# ---- artifacts


def _wanted_artifacts(place: Workplace, spec: BuildSpec) -> Iterator[tuple[Output, Artifacts]]:
    """Each place the build has for an artifact, with what the buildspec puts there. Raises PhaseError."""
    for output in place.build.outputs:
        wanted = spec.secondary_artifacts.get(output.identifier) if output.identifier else spec.artifacts
        if wanted is None and not output.identifier and len(spec.secondary_artifacts) == 1:
            wanted = next(iter(spec.secondary_artifacts.values()))
        if wanted is None and not output.identifier and place.build.project["artifacts"]["type"] == "CODEPIPELINE":
            continue  # only who wants the artifact will miss it: AWS's own projects build without one
        if wanted is None:
            section = f"secondary-artifacts/{output.identifier}" if output.identifier else "artifacts"
            raise PhaseError(f"{spec.file} has no {section}, but the build is to put one at {output.place.arn}")
        yield output, wanted


def _named(wanted: Artifacts, evaluate: Callable[[str], str]) -> Artifacts:
    """What to look for, with the build's variables filled in: `files: [$EXPORT_TEMPLATE_NAME]`."""

    def filled(text: str) -> str:
        return evaluate(text) if "$" in text else text

    return replace(
        wanted,
        base_directory=filled(wanted.base_directory),
        files=tuple(map(filled, wanted.files)),
        exclude_paths=tuple(map(filled, wanted.exclude_paths)),
    )


def _upload(place: Workplace, output: Output, wanted: Artifacts, evaluate: Callable[[str], str]) -> None:
    say = place.log.say
    wanted = _named(wanted, evaluate)
    say(f"Expanding base directory path: {wanted.base_directory}")
    say("Assembling file list")
    for one in wanted.files:
        say(f"Expanding {one}")
    files = artifacts.collect(place.source, wanted)
    say(f"Found {len(files)} file(s)")
    key = output.place.key
    if output.rename and wanted.name:
        key = "/".join(filter(None, (key.rpartition("/")[0], evaluate(wanted.name))))
    require = place.cloud.identity.require_service_calls
    try:
        require(place.credentials, CODEBUILD_BUCKET, f"arn:aws:s3:::{output.place.bucket}")
        sums = artifacts.upload(place.client("s3"), output, key, files, place.build.arn, place.folder)
    except (ClientError, BotoCoreError, AwsError) as problem:
        raise PhaseError(f"Error in UPLOAD_ARTIFACTS phase: {reason(problem)}") from problem
    if all(sums):
        place.build.sums[output.identifier] = sums


# ---- reports


def _publish(place: Workplace, spec: BuildSpec, room: Reports) -> None:
    """Publish every report. A failed test does not fail the build (its command's exit status does); a report without
    files does."""
    build, say = place.build, place.log.say
    problems = []
    for report in spec.reports:
        group = report.group if report.group.startswith("arn:") else f"{build.project_name}-{report.group}"
        say(f"Preparing to copy TEST report {report.group}")
        try:
            cases = _cases(place, report)
            say(f"Found {len(cases)} test case(s)")
            build.report_arns.append(room.publish_report(place.credentials, group, build.arn, cases))
        except (PhaseError, AwsError) as problem:
            problems.append(f"[{report.group}: [{problem.message}]]")
    if problems:
        say(f"Error in UPLOAD_ARTIFACTS phase: {', '.join(problems)}")
        raise PhaseError(", ".join(problems))


def _cases(place: Workplace, report: WantedReports) -> list[tuple[str, TestCase]]:
    found = artifacts.find_files(place.source, report.base_directory, report.files)
    if not found:
        raise PhaseError(f"report files not found in build ({', '.join(report.files)})")
    cases = []
    for path, name in found:
        try:
            cases += [(name, case) for case in read(path)]
        except NotJUnitError as problem:
            raise PhaseError(f"{name} cannot be read as JUNITXML: {problem}") from problem
    return cases
