"""What happens before the first command: role and log, sources, buildspec, environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.codebuild import artifacts
from rehearsal.cloud.codebuild.build import Place
from rehearsal.cloud.codebuild.buildspec import BuildSpec, parse
from rehearsal.cloud.codebuild.environment import codebuild_variables, link_tools, machine_variables
from rehearsal.cloud.codebuild.errors import NotPlayedError, PhaseError, YamlFileError
from rehearsal.cloud.codebuild.workplace import Workplace, reason
from rehearsal.cloud.errors import AccessDenied, AwsError
from rehearsal.cloud.service_calls import CODEBUILD_BUCKET, CODEBUILD_SOURCE_VERSION

SERVICE = "codebuild.amazonaws.com"
PARAMETERS_AT_ONCE = 10


def provision(place: Workplace, project_arn: str) -> None:
    """Become the service role, and open the log as it. Raises PhaseError with code ACCESS_DENIED."""
    build = place.build
    role = build.project["serviceRole"]
    try:
        place.become(place.cloud.identity.assume_role(role, SERVICE, f"AWSCodeBuild-{build.uuid}", project_arn))
    except AccessDenied as denied:
        raise PhaseError(
            f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}. Error message: {denied.message}",
            "ACCESS_DENIED",
        ) from denied
    place.log.say("Running on CodeBuild On-demand")
    if build.log_group:
        try:
            place.log.open(place.client("logs"), build.log_group, build.log_stream)
        except (ClientError, BotoCoreError) as problem:
            raise PhaseError(
                f"Service role {role} does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams "
                f"for build {build.arn}. Error message: {reason(problem)}",
                "ACCESS_DENIED",
            ) from problem
    place.log.start()


def fetch_sources(place: Workplace) -> dict[str, Path]:
    """Fetch every source as the service role; the folders of the secondary ones. Raises PhaseError."""
    place.source.mkdir(parents=True)
    secondary: dict[str, Path] = {}
    for index, (identifier, where) in enumerate(place.build.inputs):
        folder = place.source
        if identifier:
            folder = secondary[identifier] = place.folder / f"src{place.build.number}-{index}" / "src"
        _fetch(place, where, folder)
    return secondary


def _fetch(place: Workplace, where: Place, folder: Path) -> None:
    require = place.cloud.identity.require_service_calls
    try:
        require(place.credentials, CODEBUILD_BUCKET, f"arn:aws:s3:::{where.bucket}")
        require(place.credentials, CODEBUILD_SOURCE_VERSION, where.arn)
        artifacts.download(place.client("s3"), where, folder)
    except (ClientError, BotoCoreError, AwsError) as problem:
        raise PhaseError(
            f"error while downloading key {where.key} from bucket {where.bucket}, error: {reason(problem)}"
        ) from problem


def read_buildspec(place: Workplace) -> BuildSpec:
    """The project's inline buildspec, or the file it names (`buildspec.yml`). Raises YamlFileError."""
    written = str(place.build.project["source"].get("buildspec") or "buildspec.yml")
    if "\n" in written:
        return parse(written, "the project's buildspec")
    path = (place.source / written).resolve()
    place.log.say(f"YAML location is {place.source / written}")
    if not path.is_relative_to(place.source.resolve()) or not path.is_file():
        raise YamlFileError(f"YAML file does not exist: {written} is not in the source")
    return parse(path.read_text(errors="replace"), written)


def variables(place: Workplace, spec: BuildSpec, sources: Mapping[str, Path]) -> dict[str, str]:
    """The variables of the build: those of a start over the project's over the buildspec's, and CodeBuild's own.

    https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html#build-spec.env.variables
    """
    folder = place.folder
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    try:
        programs = place.python.take()
    except RuntimeError as problem:
        raise NotPlayedError(f"a build's Python ({problem})") from problem
    tools = link_tools(place.cloud.folder_for("codebuild", "tools"))
    listed = place.build.project["environment"]["environmentVariables"]
    plain = {one["name"]: one["value"] for one in listed if one.get("type", "PLAINTEXT") == "PLAINTEXT"}
    stored = {one["name"]: one["value"] for one in listed if one.get("type") == "PARAMETER_STORE"}
    return {
        **machine_variables(folder / "home", folder / "tmp", programs, tools),
        **place.cloud.egress.variables(),
        "PYTHONPYCACHEPREFIX": str(place.bytecode),
        **spec.variables,
        **_parameters(place, spec.parameters),
        **plain,
        **_parameters(place, stored),
        **place.cloud.environment(place.credentials),
        **codebuild_variables(place.build, place.source, sources),
    }


def _parameters(place: Workplace, wanted: Mapping[str, str]) -> dict[str, str]:
    """Variables out of the Parameter Store, fetched as the service role; their values never show in the log."""
    if not wanted:
        return {}
    names = sorted(set(wanted.values()))
    values: dict[str, str] = {}
    try:
        client = place.client("ssm")
        for start in range(0, len(names), PARAMETERS_AT_ONCE):
            answer = client.get_parameters(Names=names[start : start + PARAMETERS_AT_ONCE], WithDecryption=True)
            values |= {one["Name"]: one["Value"] for one in answer["Parameters"]}
    except (ClientError, BotoCoreError) as problem:
        raise PhaseError(reason(problem), "Decrypted Variables Error") from problem
    missing = [name for name in names if name not in values]
    if missing:
        raise PhaseError(f"parameter does not exist: {', '.join(missing)}", "Decrypted Variables Error")
    place.log.hide(values.values())
    return {variable: values[name] for variable, name in wanted.items()}
