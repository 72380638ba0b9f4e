"""One story without one grant, for real: it ends where the first call is denied.

A process of its own, so that it can be ended there and then: `python -m rehearsal.prove_iam.replay FOLDER GRANT ANYWAY`
prints as JSON what was denied first. GRANT is JSON, too, as `Grant.withheld` says it, and so is ANYWAY: a list of
pairs of a caller and an action.
"""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from rehearsal.cloud.identity import Decision, role_of
from rehearsal.cloud.policy_documents import Document
from rehearsal.cloud.rooms import new_cloud
from rehearsal.cloud.settings import CloudSettings
from rehearsal.people import settle
from rehearsal.person import REPOSITORY_ROOT
from rehearsal.progress import Progress
from rehearsal.prove_iam.grants import Grant, is_role
from rehearsal.prove_iam.recording import Recording
from rehearsal.story import Story

MOST_SECONDS = 1800.0
SPEED = 120.0
LOOK_SECONDS = 0.2
ALLOWED = "Allow"


@dataclass(frozen=True)
class Replay:
    """What became of a story without a grant. `denied` is the first call that was denied: `role` or service, `action`,
    `resource`; None when none was."""

    grant: Grant
    predicted: Document
    denied: Document | None
    acts: tuple[str, ...] = ()
    """The acts that were playing then."""
    seconds: float = 0.0
    problem: str = ""

    @property
    def as_predicted(self) -> bool:
        """Whether the story was stopped by the very action, asked for by the same role or service."""
        denied, predicted = self.denied, self.predicted
        return (
            denied is not None
            and denied["action"] == predicted["action"]
            and any(is_role(name, denied["caller"]) for name in predicted["callers"])
        )


def predict(recording: Recording, calls: list[Document]) -> Document:
    """What a story without a grant is denied first: the action of the first call that needs the grant. Where several
    roles carry the policy and work at the same time, any of those that need it may be the first. `anyway` is what every
    story is denied, because somebody tries what is not for them."""
    first = calls[0]
    callers = {_caller(recording, each) for each in calls if each["action"] == first["action"]}
    refused = {(_caller(recording, each), each["action"]) for each in recording.authorisations
               if each["decision"] != ALLOWED}  # fmt: skip
    return {
        "action": first["action"],
        "resource": first["resource"],
        "callers": sorted(callers),
        "anyway": sorted(refused),
    }


def _caller(recording: Recording, call: Document) -> str:
    principal = str(call["principal"])
    return recording.role(call["role"]) if principal.startswith("arn:") else principal


def replay(grant: Grant, predicted: Document, folder: Path) -> Replay:
    """Play a story without the grant, in a process of its own."""
    folder.mkdir(parents=True)
    began = time.monotonic()
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "rehearsal.prove_iam.replay",
                str(folder),
                json.dumps(grant.withheld()),
                json.dumps(predicted["anyway"]),
            ],
            cwd=REPOSITORY_ROOT,
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Replay(grant, predicted, None, problem=f"nothing was denied in {MOST_SECONDS:.0f} s")
    seconds = round(time.monotonic() - began, 1)
    if done.returncode:
        return Replay(grant, predicted, None, seconds=seconds, problem=done.stderr[-500:])
    told = json.loads(done.stdout.splitlines()[-1])
    return Replay(grant, predicted, told["denied"], tuple(told["acts"]), seconds, told["problem"])


def play_without(withheld: dict[str, str], anyway: list[list[str]], folder: Path) -> dict[str, Any]:
    """Play until something is denied that is not denied `anyway`, and tell what.

    Leaves its threads behind: end the process after it.
    """
    settings = CloudSettings(
        folder, REPOSITORY_ROOT / ".venvs", speed=SPEED, cache=REPOSITORY_ROOT / ".rehearsal" / "cache"
    )
    with new_cloud(settings) as cloud:
        people = settle(cloud)
        cloud.identity.withhold(withheld)
        progress = Progress(Console(file=io.StringIO()))
        story = Story(cloud, people, progress)
        problems: list[str] = []

        def play() -> None:
            try:
                story.play()
            except Exception as problem:
                problems.append(str(problem))

        playing = threading.Thread(target=play, name="story", daemon=True)
        playing.start()

        def denials() -> list[Document]:
            told = [_told(each) for each in cloud.identity.denials()]
            return [each for each in told if [each["caller"], each["action"]] not in anyway]

        while playing.is_alive() and not denials():
            playing.join(LOOK_SECONDS)
        denied = denials()
        acts = [act.name for act in progress.acts if not act.ended]
        taken = cloud.identity.withheld_from()
        if not denied:
            problems.insert(0, "nothing was denied" if taken else "no policy of the account had the grant")
        return {"denied": denied[0] if denied else None, "acts": acts, "problem": "; ".join(problems[:2])}


def _told(denial: Decision) -> Document:
    caller = role_of(denial.principal) if denial.principal.startswith("arn:") else denial.principal
    return {"caller": caller, "action": denial.action, "resource": denial.resource}


def main(given: list[str]) -> None:
    """Play, print, and be gone with every thread of the story."""
    folder = Path(given[0])
    logging.basicConfig(filename=folder / "cloud.log", level=logging.INFO)
    print(json.dumps(play_without(json.loads(given[1]), json.loads(given[2]), folder)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
