"""One smoke test: look first, play, clean up whatever came of it, then compare with the rehearsal."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal import shapes
from rehearsal.cloud.clock import Patience
from rehearsal.people import APPROVER_ROLE, STUDIO_ROLE, People
from rehearsal.progress import Progress
from rehearsal.prove_iam.recording import AUTHORISATIONS, Recording
from rehearsal.report import roles_of_stacks
from rehearsal.scene import PROJECT_NAME, Project
from rehearsal.shapes import Shapes
from rehearsal.story import Story
from service_catalog.publish import LAUNCH_ROLE
from service_catalog.target import Target
from smoke_aws.account import ON_AWS, Account
from smoke_aws.before import Before, SmokeError, check
from smoke_aws.budget import Estimate, Meter
from smoke_aws.clean_up import CleanUp
from smoke_aws.comparison import Comparison, compare
from smoke_aws.people import make_role
from smoke_aws.trail import GLOBAL_REGIONS, Reader, Trail

RUN, TRAIL, COMPARISON = "run.json", "trail.json", "comparison.json"
MARGIN = timedelta(minutes=1)


@dataclass
class Played:
    """What came of the story, as run.json keeps it."""

    account: str
    region: str
    began: str
    ended: str = ""
    ok: bool = False
    problem: str = ""
    spent: float = 0.0
    roles: dict[str, str] = field(default_factory=dict)
    """Logical ids of the story's roles by their names."""
    last_request: str = ""
    left: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Keep it."""
        (folder / RUN).write_text(json.dumps(vars(self), indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Played:
        """Raises SmokeError for a folder that is no smoke test's."""
        try:
            return cls(**json.loads((folder / RUN).read_text()))
        except FileNotFoundError as missing:
            raise SmokeError(f"{folder} is not the folder of a smoke test: it has no {RUN}.") from missing


class Smoke:
    """Plays the story on AWS and cleans up."""

    def __init__(
        self,
        target: Target,
        folder: Path,
        estimate: Estimate,
        ceiling: float,
        progress: Progress,
        patience: Patience = ON_AWS,
        play: Callable[[Story], None] = Story.play,
    ) -> None:
        self._target = target
        self._folder = folder
        self._estimate = estimate
        self._ceiling = ceiling
        self._progress = progress
        self._account = Account(target, folder, patience)
        self._play_story = play
        self.played = Played(target.account, target.region, _now())

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 clients are untyped
        """As whoever runs this."""
        return self._account.client(service, self._account.caller)

    def check(self) -> None:
        """Raise SmokeError unless the story may be played here."""
        check(self._target, self.client)

    def run(self) -> Played:
        """Play and clean up. A person's Ctrl-C comes out after the clean-up, with `played` complete."""
        heard = Shapes()
        before = Before.look(self.client)
        before.write(self._folder)
        project = Project(PROJECT_NAME)
        launcher: Callable[[str], Any] | None = None
        try:
            with Meter(self._estimate, self._ceiling, self._end_story) as meter:
                try:
                    story = self._story(heard)
                    project, launcher = story.scene.project, story.scene.scientist.client
                    story.before_delete = self._read_roles
                    self._play_story(story)
                    self.played.ok = True
                finally:
                    self.played.spent = round(meter.spent, 2)
        except Exception as problem:
            self.played.problem = self.played.problem or f"{type(problem).__name__}: {problem}"
            self._progress.say(self.played.problem, style="red")
        except BaseException:
            self.played.problem = self.played.problem or "interrupted"
            self._progress.say("interrupted; cleaning up now, press Ctrl-C once more to leave everything as it is")
            raise
        finally:
            self._account.stop()
            self._read_roles()
            heard.write(self._folder)
            self.played.write(self._folder)
            clean_up = CleanUp(self._target, self.client, project, before, self._progress.say, self._account.patience)
            self.played.left = clean_up.run(launcher)
            self.played.last_request = self._last_request()
            self.played.ended = _now()
            self.played.write(self._folder)
        return self.played

    def _story(self, heard: Shapes) -> Story:
        studio, approves = (make_role(self.client("iam"), self._target) for _ in range(2))
        names = {studio: STUDIO_ROLE, approves: APPROVER_ROLE}
        self.played.roles |= {arn.rpartition("/")[2]: name for arn, name in names.items()} | {LAUNCH_ROLE: LAUNCH_ROLE}
        scientist = self._account.assume(studio, "data-scientist")
        approver = self._account.assume(approves, "approver")
        people = People(self._account.caller, scientist, approver, studio, approves)
        story = Story(self._account, people, self._progress)
        for person in (story.scene.engineer, story.scene.scientist, story.scene.approver):
            person.heard = heard.listen
        return story

    def _end_story(self, why: str) -> None:
        self.played.problem = why
        self._progress.say(f"the story ends here: {why}", style="red")
        self._account.stop()

    def _read_roles(self) -> None:
        """Which role of a stack is which; stacks that were deleted tell it, too.

        What cannot be read does not end the run; the comparison says which roles nobody could name, and is not ok.
        """
        try:
            self.played.roles |= roles_of_stacks(self.client("cloudformation"))
        except (ClientError, BotoCoreError) as problem:
            self._progress.say(f"the names of the roles could not be read: {problem}", style="red")

    def _last_request(self) -> str:
        """A call whose event is the last one that CloudTrail has to deliver."""
        try:
            answer = self.client("sts").get_caller_identity()
        except (ClientError, BotoCoreError):
            return ""
        return str(answer["ResponseMetadata"].get("RequestId", ""))


def read_trail(target: Target, folder: Path, say: Callable[[str], None]) -> Trail:
    """Read what CloudTrail has of a run, and keep it."""
    played = Played.read(folder)
    account = Account(target, folder)
    regions = {played.region, GLOBAL_REGIONS.get(target.partition, played.region)}
    reader = Reader([account.client_in(each, "cloudtrail", account.caller) for each in sorted(regions)], say)
    began, ended = (datetime.fromisoformat(each) for each in (played.began, played.ended))
    trail = reader.read_all(began - MARGIN, ended + MARGIN, played.last_request)
    (folder / TRAIL).write_text(json.dumps(trail.document(), indent=1) + "\n")
    return trail


def compare_run(folder: Path, recording: Path) -> Comparison:
    """Compare what is kept of a run with a rehearsal's recording, and write comparison.json."""
    check_recording(recording)
    try:
        trail = Trail.of(json.loads((folder / TRAIL).read_text()))
        on_aws = shapes.read(folder)
    except FileNotFoundError as missing:
        raise SmokeError(
            f"{folder} has no {Path(missing.filename).name}: that smoke test has not come so far."
        ) from missing
    roles = Played.read(folder).roles
    rehearsed = Recording.read(recording)
    template_roles = rehearsed.names.values()
    comparison = compare(trail, roles, rehearsed.authorisations, on_aws, shapes.read(recording), template_roles)
    (folder / COMPARISON).write_text(json.dumps(comparison.document(), indent=1) + "\n")
    return comparison


def check_recording(recording: Path) -> None:
    """Raise SmokeError unless a rehearsal was recorded there."""
    for name in (AUTHORISATIONS, shapes.FILE):
        if not (recording / name).is_file():
            raise SmokeError(
                f"{recording} holds no recorded rehearsal: {name} is missing. Record one of the same commit with "
                "make rehearse ARGS=--record, and name its folder with --recording."
            )


def newest_recording(runs: Path) -> Path:
    """The newest rehearsal that was recorded. Raises SmokeError when there is none."""
    found = [each.parent for each in runs.glob(f"*/{shapes.FILE}") if (each.parent / AUTHORISATIONS).is_file()]
    if not found:
        raise SmokeError(
            "No rehearsal was recorded yet, so there is nothing to compare AWS with. Record one first, it takes two "
            "minutes: make rehearse ARGS=--record"
        )
    return max(found, key=lambda each: (each / shapes.FILE).stat().st_mtime)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
