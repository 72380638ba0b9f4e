"""One build, played from its first phase to its last.

The phases and how they follow each other:
https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html

When INSTALL or PRE_BUILD fails nothing more is run or uploaded; after BUILD, POST_BUILD and UPLOAD_ARTIFACTS are
always attempted. `on-failure` changes that: ABORT ends the build, CONTINUE goes on to the next phase. A build with a
failed phase has failed, whatever ran after it.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.codebuild import artifacts
from rehearsal.cloud.codebuild.build import Build, Output, PhaseRecord, Place
from rehearsal.cloud.codebuild.buildspec import PHASES, Artifacts, BuildSpec, Phase, parse
from rehearsal.cloud.codebuild.environment import codebuild_variables, link_tools, machine_variables
from rehearsal.cloud.codebuild.errors import InterruptedBuildError, NotPlayedError, PhaseError, YamlFileError
from rehearsal.cloud.codebuild.events import SOURCE, STATE_CHANGE, state_change
from rehearsal.cloud.codebuild.images import chosen_runtimes, stand_in_note
from rehearsal.cloud.codebuild.logs import BuildLog
from rehearsal.cloud.codebuild.publish import publish_reports
from rehearsal.cloud.codebuild.python_stand_in import make_python, unpack_pip
from rehearsal.cloud.codebuild.shell import Shell
from rehearsal.cloud.errors import AccessDenied, AwsError
from rehearsal.cloud.service import Credentials
from rehearsal.cloud.service_calls import CODEBUILD_ENCRYPT

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud
    from rehearsal.cloud.codebuild.reports import Reports

log = logging.getLogger(__name__)

SERVICE = "codebuild.amazonaws.com"
MINUTE = 60.0
"""Seconds in a minute of `timeoutInMinutes`. Not sped up: what a build does takes as long here as it takes."""
PARAMETERS_AT_ONCE = 10


class BuildRun:
    """Plays one build; `interrupt` may come from any thread."""

    def __init__(self, cloud: Cloud, room: Reports, build: Build) -> None:
        self._cloud = cloud
        self._room = room
        self._build = build
        self._interrupted = ""
        self._lock = threading.Lock()
        self._shell: Shell | None = None
        self._work = Path()
        self._credentials: Credentials | None = None
        self._spec: BuildSpec | None = None
        self._variables: dict[str, str] = {}
        self._succeeding = True

    @property
    def source(self) -> Path:
        """The folder of the primary source."""
        return self._work / f"src{self._build.number}" / "src"

    def play(self) -> None:
        """Run the build to its end. What goes wrong becomes the build's status, never an exception."""
        build = self._build
        self._work = self._cloud.folder_for("codebuild", "builds", build.uuid)
        kept = self._cloud.folder_for("codebuild", "logs") / f"{build.uuid}.log"
        self.log = BuildLog(self._work / "console.log", kept)
        timer = threading.Timer(build.project["timeoutInMinutes"] * MINUTE, self.interrupt, ["TIMED_OUT"])
        timer.daemon = True
        timer.start()
        status = "FAULT"
        try:
            self._announce()
            status = self._play()
        except InterruptedBuildError as ending:
            status = ending.status
        except Exception:
            if self._cloud.stopping.is_set():
                status = "STOPPED"
            else:
                log.exception("build %s broke", build.id)
        finally:
            timer.cancel()
            self._finish(status)

    def interrupt(self, status: str) -> None:
        """End the build as STOPPED or TIMED_OUT."""
        with self._lock:
            self._interrupted = self._interrupted or status
            shell = self._shell
        if shell is not None:
            shell.interrupt(status)

    # ---- the phases

    def _play(self) -> str:
        for name in ("SUBMITTED", "QUEUED"):
            self._phase(name, lambda: None)
        if not self._phase("PROVISIONING", self._provision):
            return "FAILED"
        if self._phase("DOWNLOAD_SOURCE", self._download_source) and self._commands():
            self._succeeding = self._phase("UPLOAD_ARTIFACTS", self._upload) and self._succeeding
        else:
            self._succeeding = False
        self._phase("FINALIZING", self._finalize)
        return "SUCCEEDED" if self._succeeding else "FAILED"

    def _phase(self, name: str, work: Callable[[], None]) -> bool:
        """Run one phase and record how it went. Raises InterruptedBuildError after recording that."""
        record = PhaseRecord(name, self._cloud.clock.timestamp())
        with self._build.lock:
            self._build.phases.append(record)
        code = message = ""
        status = "SUCCEEDED"
        try:
            if self._interrupted:
                raise InterruptedBuildError(self._interrupted)
            work()
        except InterruptedBuildError as ending:
            status = ending.status
            raise
        except PhaseError as failure:
            status, code, message = "FAILED", failure.code, failure.message
        finally:
            self._record(record, status, code, message)
        return status == "SUCCEEDED"

    def _record(self, record: PhaseRecord, status: str, code: str, message: str) -> None:
        with self._build.lock:
            record.ended = self._cloud.clock.timestamp()
            record.status, record.code, record.message = status, code, message
        if record.name not in ("SUBMITTED", "QUEUED", "PROVISIONING", "FINALIZING") or status != "SUCCEEDED":
            self.log.say(f"Phase complete: {record.name} State: {status}")
            self.log.say(f"Phase context status code: {code} Message: {message}")

    def _provision(self) -> None:
        """Become the service role, and open the log as it."""
        build = self._build
        role = build.project["serviceRole"]
        try:
            self._credentials = self._cloud.identity.assume_role(
                role, SERVICE, f"AWSCodeBuild-{build.uuid}", self._room.arn(f"project/{build.project_name}")
            )
        except AccessDenied as denied:
            raise PhaseError(
                f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}. Error message: {denied.message}",
                "ACCESS_DENIED",
            ) from denied
        self.log.hide(self._credentials.environment().values())
        self.log.say("Running on CodeBuild On-demand")
        if build.log_group:
            try:
                self.log.open(self._cloud.client("logs", self._credentials), build.log_group, build.log_stream)
            except (ClientError, BotoCoreError) as problem:
                raise PhaseError(
                    f"Service role {role} does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams "
                    f"for build {build.arn}. Error message: {_reason(problem)}",
                    "ACCESS_DENIED",
                ) from problem
        self.log.start()

    def _download_source(self) -> None:
        build = self._build
        self.log.say("Phase is DOWNLOAD_SOURCE")
        self.log.say(f"CODEBUILD_SRC_DIR={self.source}")
        self.source.mkdir(parents=True)
        sources: dict[str, Path] = {}
        for index, (identifier, place) in enumerate(build.inputs):
            folder = self.source if not identifier else self._work / f"src{build.number}-{index}" / "src"
            self._fetch(place, folder)
            if identifier:
                sources[identifier] = folder
        self._spec = spec = self._read_buildspec()
        self.log.say("Processing environment variables")
        self._variables = self._environment(spec, sources)
        for runtime in chosen_runtimes(
            build.project["environment"]["image"], spec.runtimes, self._variables, spec.file
        ):
            how = "manual selections" if runtime.manual else "the default of the build image"
            self.log.say(f"Selecting '{runtime.name}' runtime version '{runtime.version}' based on {how}...")
            note = stand_in_note(runtime)
            if note:
                self.log.say(note)
        self.log.say(f"Moving to directory {self.source}")
        self.log.say(f"Phases found in YAML: {len(spec.phases)}")
        for name, phase in spec.phases.items():
            self.log.say(f" {name.upper()}: {len(phase.commands)} commands")
        with self._lock:
            self._shell = Shell(self._cloud.processes, self._work / "tmp", self.source, spec.shell, self._variables)

    def _commands(self) -> bool:
        """The phases of the buildspec; whether artifacts are to be uploaded afterwards."""
        assert self._spec is not None  # noqa: S101 - read in DOWNLOAD_SOURCE
        for name in PHASES:
            phase = self._spec.phases.get(name, Phase())
            self.log.say(f"Entering phase {name.upper()}")
            if self._phase(name.upper(), lambda phase=phase: self._run_phase(phase)):  # type: ignore[misc]
                continue
            self._succeeding = False
            if phase.on_failure == "ABORT" or (name in ("install", "pre_build") and phase.on_failure != "CONTINUE"):
                return False
        return True

    def _run_phase(self, phase: Phase) -> None:
        """Commands up to the first that fails, then the `finally` commands whatever happened."""
        failure = self._run_commands(phase.commands)
        failure = self._run_commands(phase.finally_commands) or failure
        if failure:
            raise failure

    def _run_commands(self, commands: tuple[str, ...]) -> PhaseError | None:
        assert self._shell is not None  # noqa: S101 - made in DOWNLOAD_SOURCE
        with self.log.console.open("ab") as output:
            for command in commands:
                self.log.say(f"Running command {command}")
                status = self._shell.run(command, output, succeeding=self._succeeding)
                if status:
                    ended = f"exit status {status}" if status > 0 else f"signal {-status}"
                    self.log.say(f"Command did not exit successfully {command} {ended}")
                    return PhaseError(
                        f"Error while executing command: {command}. Reason: {ended}", "COMMAND_EXECUTION_ERROR"
                    )
        return None

    def _upload(self) -> None:
        """Artifacts first, then reports; what is missing of either is told together, as AWS does."""
        assert self._spec is not None and self._credentials is not None  # noqa: S101, PT018 - set in earlier phases
        problems: list[PhaseError] = []
        for output, wanted in self._wanted_artifacts(self._spec):
            try:
                self._upload_one(output, wanted)
            except PhaseError as problem:
                problems.append(problem)
        try:
            self._build.report_arns += publish_reports(
                self._room, self._credentials, self._build, self._spec.reports, self.source, self.log.say
            )
        except PhaseError as problem:
            problems.append(problem)
        if problems:
            raise PhaseError("; ".join(problem.message for problem in problems), problems[0].code)

    def _finalize(self) -> None:
        if self.log.problem is not None:
            raise PhaseError(f"CloudWatch Logs refused the build's log: {_reason(self.log.problem)}", "ACCESS_DENIED")

    # ---- what they are made of

    def _fetch(self, place: Place, folder: Path) -> None:
        assert self._credentials is not None  # noqa: S101 - set in PROVISIONING
        try:
            artifacts.download(self._cloud.client("s3", self._credentials), place, folder)
        except (ClientError, BotoCoreError) as problem:
            raise PhaseError(
                f"error while downloading key {place.key} from bucket {place.bucket}, error: {_reason(problem)}"
            ) from problem

    def _read_buildspec(self) -> BuildSpec:
        written = str(self._build.project["source"].get("buildspec") or "buildspec.yml")
        if "\n" in written:
            return parse(written, "the project's buildspec")
        path = (self.source / written).resolve()
        self.log.say(f"YAML location is {self.source / written}")
        if not path.is_relative_to(self.source.resolve()) or not path.is_file():
            raise YamlFileError(f"YAML file does not exist: {written} is not in the source")
        return parse(path.read_text(errors="replace"), written)

    def _environment(self, spec: BuildSpec, sources: dict[str, Path]) -> dict[str, str]:
        """The machine's few variables, the buildspec's, the project's and the start's, and CodeBuild's own."""
        assert self._credentials is not None  # noqa: S101 - set in PROVISIONING
        work = self._work
        for name in ("home", "tmp"):
            (work / name).mkdir()
        try:
            pip = unpack_pip(self._cloud.folder_for("codebuild", "pip"))
        except RuntimeError as problem:
            raise NotPlayedError(f"a build's Python ({problem})") from problem
        programs = make_python(work / "python", pip)
        tools = link_tools(self._cloud.folder_for("codebuild", "tools"))
        listed = self._build.project["environment"]["environmentVariables"]
        plain = {one["name"]: one["value"] for one in listed if one.get("type", "PLAINTEXT") == "PLAINTEXT"}
        stored = {one["name"]: one["value"] for one in listed if one.get("type") == "PARAMETER_STORE"}
        return {
            **machine_variables(work / "home", work / "tmp", programs, tools),
            **spec.variables,
            **self._parameters(spec.parameters),
            **plain,
            **self._parameters(stored),
            **self._cloud.environment(self._credentials),
            **codebuild_variables(self._build, self.source, sources),
        }

    def _parameters(self, wanted: dict[str, str]) -> dict[str, str]:
        """Variables out of the Parameter Store, fetched as the service role; their values never show in the log."""
        if not wanted:
            return {}
        assert self._credentials is not None  # noqa: S101 - set in PROVISIONING
        names = sorted(set(wanted.values()))
        values: dict[str, str] = {}
        try:
            client = self._cloud.client("ssm", self._credentials)
            for start in range(0, len(names), PARAMETERS_AT_ONCE):
                answer = client.get_parameters(Names=names[start : start + PARAMETERS_AT_ONCE], WithDecryption=True)
                values |= {one["Name"]: one["Value"] for one in answer["Parameters"]}
        except (ClientError, BotoCoreError) as problem:
            raise PhaseError(_reason(problem), "Decrypted Variables Error") from problem
        missing = [name for name in names if name not in values]
        if missing:
            raise PhaseError(f"parameter does not exist: {', '.join(missing)}", "Decrypted Variables Error")
        self.log.hide(values.values())
        return {variable: values[name] for variable, name in wanted.items()}

    def _wanted_artifacts(self, spec: BuildSpec) -> Iterator[tuple[Output, Artifacts]]:
        """Each place the build has for an artifact, with what the buildspec puts there. Raises PhaseError."""
        for output in self._build.outputs:
            wanted = spec.secondary_artifacts.get(output.identifier) if output.identifier else spec.artifacts
            if wanted is None and not output.identifier and len(spec.secondary_artifacts) == 1:
                wanted = next(iter(spec.secondary_artifacts.values()))
            if wanted is None:
                section = f"secondary-artifacts/{output.identifier}" if output.identifier else "artifacts"
                raise PhaseError(f"{spec.file} has no {section}, but the build is to put one at {output.place.arn}")
            yield output, wanted

    def _upload_one(self, output: Output, wanted: Artifacts) -> None:
        assert self._credentials is not None  # noqa: S101 - set in PROVISIONING
        self.log.say(f"Expanding base directory path: {wanted.base_directory}")
        self.log.say("Assembling file list")
        for one in wanted.files:
            self.log.say(f"Expanding {one}")
        files = artifacts.collect(self.source, wanted)
        self.log.say(f"Found {len(files)} file(s)")
        key = output.place.key
        if output.rename and wanted.name:
            key = "/".join(filter(None, (key.rpartition("/")[0], self._evaluated(wanted.name))))
        try:
            if output.encryption_key:
                self._cloud.identity.require_service_calls(self._credentials, CODEBUILD_ENCRYPT, output.encryption_key)
            sums = artifacts.upload(
                self._cloud.client("s3", self._credentials), output, key, files, self._build.arn, self._work
            )
        except (ClientError, BotoCoreError, AwsError) as problem:
            raise PhaseError(f"Error in UPLOAD_ARTIFACTS phase: {_reason(problem)}") from problem
        if all(sums):
            self._build.sums[output.identifier] = sums

    def _evaluated(self, name: str) -> str:
        """An artifact's name may be calculated by the shell (`name-$(date +%F)`)."""
        assert self._shell is not None  # noqa: S101 - made in DOWNLOAD_SOURCE
        target = self._work / "tmp" / "name.txt"
        with target.open("wb") as output:
            self._shell.run(f'printf %s "{name}"', output)
        return target.read_text()

    # ---- the end

    def _finish(self, status: str) -> None:
        build = self._build
        with contextlib.suppress(Exception):
            build.exported = self._exported()
        if self._shell is not None:
            self._shell.close()
        self.log.close()
        now = self._cloud.clock.timestamp()
        with build.lock:
            build.phases.append(PhaseRecord("COMPLETED", now))
            build.status, build.ended = status, now
        build.finished.set()
        try:
            self._announce()
        finally:
            shutil.rmtree(self._work, ignore_errors=True)  # as on AWS, the container goes with the build

    def _exported(self) -> list[tuple[str, str]]:
        """The variables handed to later actions; secrets of the Parameter Store are not among them."""
        if self._spec is None or self._shell is None:
            return []
        secret = {
            one["name"]
            for one in self._build.project["environment"]["environmentVariables"]
            if one.get("type") == "PARAMETER_STORE"
        } | set(self._spec.parameters)
        names = tuple(name for name in self._spec.exported if name not in secret)
        return list(self._shell.values(names).items()) if names else []

    def _announce(self) -> None:
        if self._cloud.stopping.is_set():
            return
        document = self._build.document(self._cloud.region, self._cloud.account)
        self._cloud.events.emit(SOURCE, STATE_CHANGE, state_change(document), [self._build.arn])


def _reason(problem: Exception) -> str:
    """Why a call was refused, in AWS's words."""
    if isinstance(problem, ClientError):
        error = problem.response["Error"]
        return f"{error.get('Code', '')}: {error.get('Message', '')}"
    if isinstance(problem, AwsError):
        return f"{problem.code}: {problem.message}"
    return str(problem)
