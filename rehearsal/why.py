"""Why did it fail, in a rehearsal: `make why`, and what is printed under an act that failed.

The explaining is done by the model-build repository's own `make why`, with the data scientist's rights: what it says
here it says on AWS. This module only finds out whom to ask.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.clients import Clients
from rehearsal.cloud.service import Credentials
from rehearsal.person import REPOSITORY_ROOT, Person
from rehearsal.progress import Progress
from rehearsal.watch import StoryError

log = logging.getLogger(__name__)

BUILD_REPO = REPOSITORY_ROOT / "build_repo"
RUNS = REPOSITORY_ROOT / ".rehearsal"
ENVIRONMENT_FILE = "environment"
TOOL = (sys.executable, "-m", "project_tools.why")
CANNOT_LOOK = 2
NOTHING = (
    "There is no rehearsal to explain: play one with `make rehearse`, or keep a cloud with `make up`. For a project on "
    "AWS run `make why` in a clone of one of its repositories."
)


class Named(Protocol):
    """What is asked of a project."""

    name: str
    id: str


@dataclass(frozen=True)
class Explanation:
    """What the tool found: its document, and a few lines of it for people."""

    document: Mapping[str, Any]

    @property
    def lines(self) -> list[str]:
        return list(_told(self.document))


def explain(person: Person, project: Named, since: datetime | None = None) -> Explanation | None:
    """The project's newest failure `since` a moment, as `person` sees it; None when there is none to be seen.

    Never raises: it is called when something failed already, which must not be hidden.
    """
    if not project.id:
        return None
    named = (f"SAGEMAKER_PROJECT_NAME={project.name}", f"SAGEMAKER_PROJECT_ID={project.id}")
    try:
        said = person.run("env", *named, *TOOL, "--json", folder=BUILD_REPO)
        document: dict[str, Any] = json.loads(said)
    except (StoryError, ValueError, OSError) as problem:
        log.warning("the failure could not be explained: %s", problem)
        return None
    failure = document.get("failure")
    if failure is None or (since is not None and datetime.fromisoformat(failure["when"]) < since):
        return None
    return Explanation(document)


def explain_story(person: Person, project: Named, progress: Progress) -> Explanation | None:
    """Say why the acts failed that failed, from what went wrong in the project since the first of them began."""
    began = min((act.ended - act.seconds for act in progress.acts if not act.ok), default=0.0)
    found = explain(person, project, datetime.now(UTC) - timedelta(seconds=progress.seconds - began))
    if found is not None:
        progress.say("\n".join(found.lines), style="yellow")
    return found


def _told(document: Mapping[str, Any]) -> Iterator[str]:
    failure = document["failure"]
    yield f"why: {failure['line']}"
    yield from (f"     {line}" for line in failure["more"])
    yield f"at:  {failure['title']}: " + " > ".join(f"{each['what']} {each['name']}" for each in failure["where"])
    yield from (f"try: {advice}" for advice in failure["to_try"])
    yield from (f"  |  {line}" for line in failure["last_lines"])
    yield from document.get("not_read", ())


# ---- the environment of a cloud that is kept running


def publish_environment(folder: Path, variables: Mapping[str, str]) -> Path:
    """Write what points programs at the cloud, keys included, to a file that only its owner can read."""
    path = folder / ENVIRONMENT_FILE
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    return path


def read_environment(path: Path) -> dict[str, str]:
    """The variables that `publish_environment` wrote."""
    words = (word for line in path.read_text().splitlines() for word in shlex.split(line.removeprefix("export ")))
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def running(folder: Path) -> bool:
    """Whether a rehearsal plays in the folder: then it holds the folder's lock."""
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


# ---- make why


def main(given: list[str] | None = None) -> int:
    """Explain a project of the cloud that is kept running, else the newest rehearsal that was played to its end."""
    parser = argparse.ArgumentParser(prog="make why", description=__doc__)
    parser.add_argument("--project", default="", metavar="NAME", help="a project of the cloud that is kept running")
    parser.add_argument("--json", action="store_true", help="print JSON, for tools")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where rehearsals leave their folders (.rehearsal)")
    chosen, passed_on = parser.parse_known_args(sys.argv[1:] if given is None else given)
    folders = sorted(chosen.runs.glob("2*-*"), reverse=True) if chosen.runs.is_dir() else []
    kept = next((each for each in folders if (each / ENVIRONMENT_FILE).exists() and running(each)), None)
    if kept is not None:
        return _of_cloud(
            read_environment(kept / ENVIRONMENT_FILE),
            chosen.project,
            [*(["--json"] if chosen.json else []), *passed_on],
        )
    if any(running(each) for each in folders):
        print("A rehearsal is being played right now; this is about the one before it.", file=sys.stderr)
    played = next((each for each in folders if (each / "report.json").exists() and not running(each)), None)
    if played is None:
        print(f"make why: {NOTHING}", file=sys.stderr)
        return CANNOT_LOOK
    return _of_report(played, as_json=chosen.json)


def _of_cloud(variables: Mapping[str, str], name: str, arguments: list[str]) -> int:
    try:
        project = _newest_project(variables, name)
    except (BotoCoreError, ClientError) as problem:
        print(f"make why: the cloud at {variables['AWS_ENDPOINT_URL']} does not answer: {problem}", file=sys.stderr)
        return CANNOT_LOOK
    if project is None:
        which = f"no project {name}" if name else "no project yet"
        print(f"make why: the cloud at {variables['AWS_ENDPOINT_URL']} has {which}.", file=sys.stderr)
        return CANNOT_LOOK
    named = {"SAGEMAKER_PROJECT_NAME": project["ProjectName"], "SAGEMAKER_PROJECT_ID": project["ProjectId"]}
    machine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {**machine, **variables, **named}
    return subprocess.run([*TOOL, *arguments], cwd=BUILD_REPO, env=environment, check=False).returncode


def _newest_project(variables: Mapping[str, str], name: str) -> dict[str, Any] | None:
    keys = Credentials(
        variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], variables.get("AWS_SESSION_TOKEN")
    )
    client = Clients(variables["AWS_DEFAULT_REGION"]).client("sagemaker", variables["AWS_ENDPOINT_URL"], keys)
    listed = client.list_projects(SortBy="CreationTime", SortOrder="Descending")["ProjectSummaryList"]
    there = [each for each in listed if each["ProjectStatus"] != "DeleteCompleted"]
    return next((each for each in there if name in ("", each["ProjectName"])), None)


def _of_report(folder: Path, *, as_json: bool) -> int:
    document = json.loads((folder / "report.json").read_text())
    failed = [act for act in document["acts"] if not act["ok"]]
    if as_json:
        print(json.dumps({"rehearsal": str(folder), "failed": failed, "why": document.get("why")}, indent=2))
        return 0
    if not failed:
        print(f"Nothing failed in the newest rehearsal ({folder.name}): {len(document['acts'])} acts went well.")
    for act in failed:
        print(f"What failed: act {act['number']}, {act['name']}, of the rehearsal {folder.name}")
        print(f"  {act['problem'].splitlines()[0] if act['problem'] else 'it gives no reason'}")
    if document.get("why"):
        print(*_told(document["why"]), sep="\n")
    elif failed:
        print(f"No pipeline of the project failed meanwhile. What the cloud logged: {folder / 'cloud.log'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
