"""The command line: `python -m rehearsal` plays the story, `python -m rehearsal up` leaves a cloud to use by hand."""

from __future__ import annotations

import argparse
import fcntl
import gc
import logging
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from rehearsal.cloud.faults import FAULTS, UnknownFaultError, check_names
from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.disk import LEAST, MEGABYTE, NEEDED, DiskWatch, shortage
from rehearsal.foreign.command import Wish, add_options, check_options, launch_project
from rehearsal.foreign.template import ForeignTemplateError
from rehearsal.own_model import OwnModel, OwnModelError
from rehearsal.packages import PackagesError, prepared
from rehearsal.people import People, settle
from rehearsal.person import REPOSITORY_ROOT, Person
from rehearsal.progress import Progress
from rehearsal.prove_iam.recorder import Recorder
from rehearsal.report import report, write
from rehearsal.sealed import SealError, enter, unshare_command
from rehearsal.story import Story
from rehearsal.watch import StoryError
from rehearsal.why import explain_story, publish_environment

RUNS = REPOSITORY_ROOT / ".rehearsal"
KEPT_RUNS = 3
HELD: list[IO[str]] = []
"""Locked files of folders that are this process's own."""
LARGEST_PORT = 65535
NO_FOLDER = "The rehearsal cannot write there: {}: {}. Choose another --folder."
MISSING = "{} is needed and was not found on the PATH. Install it, then run this again."


def arguments(given: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal", description=__doc__)
    parser.add_argument("verb", nargs="?", choices=["rehearse", "up"], default="rehearse")
    parser.add_argument(
        "--keep", action="store_true", help="leave the cloud running after the story, to use it by hand"
    )
    parser.add_argument(
        "--speed", type=float, default=120.0, metavar="N", help="AWS seconds per second of waiting (120)"
    )
    parser.add_argument("--port", type=int, default=0, help="the port of the cloud's address (a free one)")
    parser.add_argument("--folder", type=Path, help="where the cloud writes (a new folder below .rehearsal)")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        dest="faults",
        help=f"let this go wrong, to see what is promised then; may be given again ({', '.join(FAULTS)})",
    )
    parser.add_argument(
        "--record", action="store_true", help="keep every authorisation of the story, as `make prove-iam` needs it"
    )
    parser.add_argument(
        "--least-free",
        type=int,
        default=LEAST // MEGABYTE,
        metavar="MB",
        help=f"end when less than this is free on the folder's disk ({LEAST // MEGABYTE})",
    )
    parser.add_argument(
        "--sealed",
        action="store_true",
        help="in a network of its own, from which no call can leave this machine (Linux)",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FOLDER",
        help="play with the two repositories that `make new-model` made there, until their model is in production",
    )
    parser.add_argument("--verbose", action="store_true", help="print what the cloud logs")
    add_options(parser)
    chosen = parser.parse_args(given)
    check_options(parser, chosen)
    if chosen.model and chosen.verb != "rehearse":
        parser.error("--model goes with the story, not with up")
    if chosen.speed <= 0:
        parser.error("--speed must be above 0")
    if not 0 <= chosen.port <= LARGEST_PORT:
        parser.error(f"--port must be a number from 0 to {LARGEST_PORT}; 0 takes a free one")
    try:
        check_names(chosen.faults)
    except UnknownFaultError as problem:
        parser.error(str(problem))
    return chosen


def main(given: list[str] | None = None, *, sealed: bool = False) -> int:
    """Play, and answer the exit status: 0 when every act succeeded. `sealed` says that no call can leave from here."""
    words = sys.argv[1:] if given is None else given
    chosen = arguments(words)
    for program in ("git", "bash", "make"):
        if shutil.which(program) is None:
            print(MISSING.format(program), file=sys.stderr)
            return 2
    try:
        own = OwnModel.read(chosen.model) if chosen.model else None
    except OwnModelError as problem:
        print(problem, file=sys.stderr)
        return 2
    try:
        wish = Wish(chosen, CloudSettings.account, CloudSettings.region) if chosen.template else None
    except ForeignTemplateError as problem:
        print(problem, file=sys.stderr)
        return 2
    if chosen.sealed and not sealed:
        return seal(words)
    try:
        folder = (chosen.folder or new_run_folder()).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        held = hold(folder)
    except OSError as problem:
        print(NO_FOLDER.format(problem.strerror, problem.filename), file=sys.stderr)
        return 2
    if not held:
        print(f"Another rehearsal is playing in {folder}. Choose another --folder.", file=sys.stderr)
        return 2
    too_little = shortage(folder, max(NEEDED, chosen.least_free * MEGABYTE))
    if too_little:
        print(too_little, file=sys.stderr)
        return 2
    log_to(folder / "cloud.log", aloud=chosen.verbose)
    hear_endings()
    progress = Progress()
    settings = CloudSettings(
        folder,
        REPOSITORY_ROOT / ".venvs",
        speed=chosen.speed,
        port=chosen.port,
        cache=RUNS / "cache",
        faults=tuple(chosen.faults),
        record=chosen.record,
    )
    watch = DiskWatch(folder, chosen.least_free * MEGABYTE)
    try:
        with watch, new_cloud(settings) as cloud:
            gc.freeze()  # services' models and linters stay: no need to look through them for garbage again and again
            progress.say(f"the cloud stands at {cloud.url}, its waits {settings.speed:g} times faster than AWS")
            if sealed:
                progress.say("sealed: loopback is all the network there is, so no call can leave this machine")
            cloud.faults.listen(lambda strike: progress.say(f"fault: {strike}", style="yellow"))
            people = settle(cloud)
            ok = True
            if chosen.verb == "rehearse":
                story, explanation = Story(cloud, people, progress, own), None
                recorder = Recorder(story, cloud) if chosen.record else None
                try:
                    story.play()
                except Exception as problem:
                    ok = False
                    if not isinstance(problem, StoryError):
                        logging.getLogger(__name__).exception("the story broke")
                    progress.say(f"{problem}", style="red")
                    explanation = explain_story(story.scene.scientist, story.scene.project, progress)
                for fault in cloud.faults.missed():
                    ok = False
                    progress.say(f"the fault {fault.name} never struck, so nothing was shown about it", style="red")
                document = report(cloud, progress, sealed=sealed)
                if own is not None:
                    document["budget"] = {}  # that of the whole story
                if explanation is not None:
                    document["why"] = explanation.document
                document["ok"] &= ok
                if recorder:
                    recorder.recording().write(folder)
                    recorder.shapes.write(folder)
                progress.summary()
                path = write(document, folder)
                progress.say(f"{'played' if ok else 'FAILED'} in {took(document)}; report: {shown(path)}")
                if not ok:
                    progress.say(f"what the cloud logged: {shown(folder / 'cloud.log')}")
            if wish is not None:
                launch_project(wish, cloud, people, progress)
            if chosen.keep or chosen.verb == "up":
                stay(cloud.url, Person("data-scientist", cloud, people.data_scientist), people, folder)
            return 0 if ok else 1
    except KeyboardInterrupt:
        progress.say(watch.problem or "stopped; nothing is left running")
        return 1 if watch.problem else 130
    except (RuntimeError, ForeignTemplateError, StoryError) as problem:
        print(problem, file=sys.stderr)
        return 1


def seal(words: list[str]) -> int:
    """Fetch what builds install, and go on in a network of its own; answers only when that cannot be."""
    RUNS.mkdir(exist_ok=True)
    try:
        command = unshare_command()
        packages = prepared(RUNS / "cache", lambda line: print(line, flush=True))
    except (SealError, PackagesError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return enter(command, words, packages)


def stay(url: str, person: Person, people: People, folder: Path) -> None:
    """Print how to use the cloud by hand, and keep it until Ctrl-C. Until then `folder` tells other verbs, too."""
    variables = {
        **{name: value for name, value in person.environment().items() if name.startswith(("AWS_", "GIT_CONFIG"))},
        "PYTHONPATH": str(REPOSITORY_ROOT),
    }
    published = publish_environment(folder, variables)
    engineer = people.platform_engineer
    try:
        print(f"\nThe cloud is at {url} until you press Ctrl-C. To use it as the data scientist:\n")
        for name, value in variables.items():
            print(f"export {name}={value}")
        print(f"\nor: source {shown(published)}")
        print(
            "\nThen, for example:  aws codepipeline list-pipelines;  git clone <the CloneUrl outputs of the project>\n"
        )
        print(f"# as the platform engineer: AWS_ACCESS_KEY_ID={engineer.access_key_id}")
        print(
            f"# AWS_SECRET_ACCESS_KEY={engineer.secret_access_key} AWS_SESSION_TOKEN={engineer.session_token}",
            flush=True,
        )
        threading.Event().wait()
    finally:
        published.unlink(missing_ok=True)


def took(document: Mapping[str, Any]) -> str:
    """How long it took, and how long it may take on the machine that the benchmarks name."""
    if not document["budget"]:
        return f"{document['seconds']} s"
    parts = {name: f"{each['seconds']} s (budget {each['of']:g} s)" for name, each in document["budget"].items()}
    if "to production" in parts:
        return f"{parts['all acts']}, to production {parts['to production']}"
    return parts["all acts"]


def new_run_folder() -> Path:
    """A folder of this run's own below .rehearsal; older runs but the last few are removed."""
    RUNS.mkdir(exist_ok=True)
    finished = sorted(RUNS.glob("2*-*"), key=lambda each: each.stat().st_mtime)
    for old in finished[:-KEPT_RUNS]:
        if hold(old):  # another rehearsal may be playing there
            shutil.rmtree(old, ignore_errors=True)
    name = time.strftime("%Y%m%d-%H%M%S")
    for attempt in range(100):
        folder = RUNS / (name if attempt == 0 else f"{name}-{attempt}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise RuntimeError(f"no free folder name below {RUNS}")


def hold(folder: Path) -> bool:
    """Take the folder for this process, until it ends. False when another process has it."""
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return False
    HELD.append(lock)
    return True


def hear_endings() -> None:
    """Let the signals that end a program unwind this one, so that `with` blocks end processes.

    A script's background jobs (`make rehearse &`) are started with SIGINT ignored, and so is everything that they
    start. Nothing is lost by hearing it all the same: a rehearsal has no work to save, Ctrl-C at such a script means
    it too, and deaf to SIGINT it could end neither for `kill -INT` nor for a disk that fills up (`disk.py`). What it
    starts begins with SIGINT's default again, as programs expect that find themselves in a build.
    https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_12
    """
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def log_to(path: Path, *, aloud: bool) -> None:
    """Keep what the cloud logs in a file; print it too when asked."""
    handlers: list[logging.Handler] = [logging.FileHandler(path)]
    if aloud:
        handlers.append(logging.StreamHandler())
    logging.basicConfig(
        level=logging.INFO, handlers=handlers, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    for noisy in ("botocore", "boto3", "s3transfer", "urllib3", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def shown(path: Path) -> Path:
    """A path as short as it can be said."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    sys.exit(main())
