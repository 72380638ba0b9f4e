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
import threading
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from rehearsal.cloud.codebuild.announcements import Announcements
from rehearsal.cloud.codebuild.build import Build, PhaseRecord
from rehearsal.cloud.codebuild.buildspec import PHASES, BuildSpec, Phase
from rehearsal.cloud.codebuild.delivery import deliver
from rehearsal.cloud.codebuild.errors import InterruptedBuildError, PhaseError
from rehearsal.cloud.codebuild.images import chosen_runtimes, stand_in_note
from rehearsal.cloud.codebuild.local_cache import kept_folders, link
from rehearsal.cloud.codebuild.logs import BuildLog
from rehearsal.cloud.codebuild.preparation import fetch_sources, provision, read_buildspec, variables
from rehearsal.cloud.codebuild.prepared_python import PreparedPython
from rehearsal.cloud.codebuild.shell import Shell
from rehearsal.cloud.codebuild.slots import Slot, slot
from rehearsal.cloud.codebuild.workplace import Workplace, reason
from rehearsal.cloud.faults import BUILD_TIMEOUT

if TYPE_CHECKING:
    from rehearsal.cloud.cloud import Cloud
    from rehearsal.cloud.codebuild.reports import Reports

log = logging.getLogger(__name__)

MINUTE = 60.0
"""Seconds in a minute of `timeoutInMinutes`. Not sped up: what a build does takes as long here as it takes."""
QUIET_PHASES = ("QUEUED", "PROVISIONING", "FINALIZING")
"""Phases whose end the build log mentions only when they fail."""

BROKE = "INTERNAL_ERROR"
"""The code of a phase that this machine broke off. Not an AWS code: AWS does not say what it says of a FAULT."""


class BuildRun:
    """Plays one build; `interrupt` may come from any thread."""

    def __init__(self, cloud: Cloud, room: Reports, build: Build) -> None:
        self._cloud = cloud
        self._room = room
        self._build = build
        self._announcements = Announcements(cloud, build)
        self._interrupted = ""
        self._lock = threading.Lock()
        self._spec = BuildSpec("")
        self._shell: Shell | None = None
        self._succeeding = True
        self._kept: Path | None = None

    def play(self) -> None:
        """Run the build to its end. What goes wrong becomes the build's status: somebody waits for it."""
        try:
            self._play_in_turn()
        except Exception as problem:
            self._break(problem)
        finally:
            self._build.finished.set()

    def _play_in_turn(self) -> None:
        host = self._cloud.folder_for("codebuild", "cache")
        now = self._cloud.clock.timestamp()
        queued = PhaseRecord("QUEUED", now)
        with self._build.lock:
            self._build.phases.append(PhaseRecord("SUBMITTED", now, "SUCCEEDED", now))
        self._announcements.phase()
        with self._build.lock:
            self._build.phases.append(queued)
        impatience = Timer(self._build.project["queuedTimeoutInMinutes"] * MINUTE, self.interrupt, ["TIMED_OUT"])
        impatience.daemon = True
        impatience.start()
        with self._room.turns.turn(lambda: bool(self._interrupted) or self._cloud.stopping.is_set()):
            impatience.cancel()
            if self._cloud.stopping.is_set():  # everything queued comes to its turn then: a folder each for nothing
                return
            with slot(self._cloud.cache_for("builds")) as place:
                python = PreparedPython(place.python, self._cloud.cache_for)
                with kept_folders(self._build.project, host, place.work) as self._kept:
                    self._play_in(place, python, queued)
                if not self._cloud.stopping.is_set():
                    with contextlib.suppress(OSError, RuntimeError):  # said by the next build, if it lasts
                        python.renew()

    def _play_in(self, taken: Slot, python: PreparedPython, queued: PhaseRecord) -> None:
        build = self._build
        kept = self._cloud.folder_for("codebuild", "logs") / f"{build.uuid}.log"
        console = BuildLog(taken.work / "console.log", kept)
        place = Workplace(self._cloud, build, taken.work, taken.bytecode, python, console)
        timer = Timer(build.project["timeoutInMinutes"] * MINUTE, self.interrupt, ["TIMED_OUT"])
        timer.daemon = True
        timer.start()
        status = "FAULT"
        try:
            self._announcements.state()
            status = self._play(place, queued)
        except InterruptedBuildError as ending:
            status = ending.status
        except Exception:
            if self._cloud.stopping.is_set():
                status = "STOPPED"
            else:
                log.exception("build %s broke", build.id)
        finally:
            timer.cancel()
            self._finish(place, status)

    def interrupt(self, status: str) -> None:
        """End the build as STOPPED or TIMED_OUT."""
        with self._lock:
            self._interrupted = self._interrupted or status
            shell = self._shell
        self._room.turns.look()
        if shell is not None:
            shell.interrupt(status)

    # ---- the phases

    def _play(self, place: Workplace, queued: PhaseRecord) -> str:
        self._end_phase(place, queued, lambda: None)
        arn = self._room.project_arn(self._build.project_name)
        if not self._phase(place, "PROVISIONING", partial(provision, place, arn)):
            return "FAILED"
        if self._phase(place, "DOWNLOAD_SOURCE", partial(self._prepare, place)) and self._commands(place):
            self._succeeding &= self._phase(place, "UPLOAD_ARTIFACTS", partial(self._deliver, place))
        else:
            self._succeeding = False
        self._succeeding &= self._phase(place, "FINALIZING", partial(self._finalize, place))
        return "SUCCEEDED" if self._succeeding else "FAILED"

    def _phase(self, place: Workplace, name: str, work: Callable[[], None]) -> bool:
        """Run one phase and record how it went. Raises InterruptedBuildError after recording that."""
        record = PhaseRecord(name, self._cloud.clock.timestamp())
        with self._build.lock:
            self._build.phases.append(record)
        return self._end_phase(place, record, work)

    def _end_phase(self, place: Workplace, record: PhaseRecord, work: Callable[[], None]) -> bool:
        """Do what is left of a phase that has begun."""
        status, code, message = "FAULT", "", ""
        try:
            if self._interrupted:
                raise InterruptedBuildError(self._interrupted)
            work()
            status = "SUCCEEDED"
        except InterruptedBuildError as ending:
            status = ending.status
            raise
        except PhaseError as failure:
            status, code, message = "FAILED", failure.code, failure.message
        finally:
            with self._build.lock:
                record.ended = self._cloud.clock.timestamp()
                record.status, record.code, record.message = status, code, message
            if record.name not in QUIET_PHASES or status != "SUCCEEDED":
                place.log.say(f"Phase complete: {record.name} State: {status}")
                place.log.say(f"Phase context status code: {code} Message: {message}")
            self._announcements.phase()
        return status == "SUCCEEDED"

    def _prepare(self, place: Workplace) -> None:
        say = place.log.say
        say("Phase is DOWNLOAD_SOURCE")
        say(f"CODEBUILD_SRC_DIR={place.source}")
        sources = fetch_sources(place)
        self._spec = spec = read_buildspec(place)
        if self._kept is not None:
            link(spec.cache_paths, place.source, self._kept, say)
        say("Processing environment variables")
        environment = variables(place, spec, sources)
        image = self._build.project["environment"]["image"]
        for runtime in chosen_runtimes(image, spec.runtimes, environment, spec.file):
            how = "manual selections" if runtime.manual else "the default of the build image"
            say(f"Selecting '{runtime.name}' runtime version '{runtime.version}' based on {how}...")
            note = stand_in_note(runtime)
            if note:
                say(note)
        say(f"Moving to directory {place.source}")
        say(f"Phases found in YAML: {len(spec.phases)}")
        for name, phase in spec.phases.items():
            say(f" {name.upper()}: {len(phase.commands)} commands")
        shell = Shell(self._cloud.processes, place.folder / "tmp", place.source, spec.shell, environment)
        with self._lock:
            self._shell = shell

    def _commands(self, place: Workplace) -> bool:
        """The phases of the buildspec; whether anything is to be uploaded afterwards."""
        for name in PHASES:
            phase = self._spec.phases.get(name, Phase())
            place.log.say(f"Entering phase {name.upper()}")
            if self._phase(place, name.upper(), partial(self._run_phase, place, phase)):
                continue
            self._succeeding = False
            if phase.on_failure == "ABORT" or (name in ("install", "pre_build") and phase.on_failure != "CONTINUE"):
                return False
        return True

    def _run_phase(self, place: Workplace, phase: Phase) -> None:
        """Commands up to the first that fails, then the `finally` commands whatever happened; all of it again while
        there are retries left."""
        for retry in count(1):
            failure = self._run_commands(place, phase.commands)
            failure = self._run_commands(place, phase.finally_commands) or failure
            if failure is None:
                return
            if retry > phase.retries:
                raise failure
            place.log.say(f"Retrying the phase: retry {retry} of {phase.retries}")

    def _run_commands(self, place: Workplace, commands: tuple[str, ...]) -> PhaseError | None:
        assert self._shell is not None  # noqa: S101 - made in DOWNLOAD_SOURCE
        with place.log.console.open("ab") as output:
            for command in commands:
                place.log.say(f"Running command {command}")
                status = self._shell.run(command, output, succeeding=self._succeeding, started=self._run_into_faults)
                if status:
                    ended = f"exit status {status}" if status > 0 else f"signal {-status}"
                    place.log.say(f"Command did not exit successfully {command} {ended}")
                    return PhaseError(
                        f"Error while executing command: {command}. Reason: {ended}", "COMMAND_EXECUTION_ERROR"
                    )
        return None

    def _run_into_faults(self) -> None:
        if self._cloud.faults.strikes(BUILD_TIMEOUT, f"build {self._build.id}"):
            self.interrupt("TIMED_OUT")

    def _deliver(self, place: Workplace) -> None:
        deliver(place, self._spec, self._room, partial(self._evaluated, place))

    def _evaluated(self, place: Workplace, name: str) -> str:
        """An artifact's name may be calculated by the shell (`name-$(date +%F)`)."""
        assert self._shell is not None  # noqa: S101 - made in DOWNLOAD_SOURCE
        target = place.folder / "tmp" / "name.txt"
        with target.open("wb") as output:
            self._shell.run(f'printf %s "{name}"', output)
        return target.read_text()

    @staticmethod
    def _finalize(place: Workplace) -> None:
        if place.log.problem is not None:
            raise PhaseError(f"CloudWatch Logs refused the build's log: {reason(place.log.problem)}", "ACCESS_DENIED")

    # ---- the end

    def _finish(self, place: Workplace, status: str) -> None:
        build = self._build
        if self._shell is not None:
            # RuntimeError: the cloud is stopping and starts no process any more
            with contextlib.closing(self._shell), contextlib.suppress(RuntimeError):
                build.exported = self._exported(self._shell)
        place.log.close()
        now = self._cloud.clock.timestamp()
        with build.lock:
            build.phases.append(PhaseRecord("COMPLETED", now))
            build.status, build.ended = status, now
        build.finished.set()
        self._announcements.state()

    def _break(self, problem: Exception) -> None:
        """End the build after something that is no build's fault, like a full disk; the phase it was in says what."""
        build, stopping = self._build, self._cloud.stopping.is_set()
        if not stopping:
            log.error("build %s broke", build.id, exc_info=problem)
        if build.ended is not None:
            return
        now, status = self._cloud.clock.timestamp(), "STOPPED" if stopping else "FAULT"
        with build.lock:
            last = PhaseRecord("COMPLETED", now)
            broken = next((phase for phase in build.phases if phase.ended is None), last)
            broken.status, broken.ended = status, now
            broken.code, broken.message = BROKE, f"{type(problem).__name__}: {problem}"
            build.phases.append(last)
            build.status, build.ended = status, now
        build.finished.set()
        self._announcements.state()

    def _exported(self, shell: Shell) -> list[tuple[str, str]]:
        """The variables handed to later actions; secrets of the Parameter Store are not among them."""
        listed = self._build.project["environment"]["environmentVariables"]
        secret = {one["name"] for one in listed if one.get("type") == "PARAMETER_STORE"} | set(self._spec.parameters)
        names = tuple(name for name in self._spec.exported if name not in secret)
        return list(shell.values(names).items()) if names else []
